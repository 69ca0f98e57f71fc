"""Transform a file that is larger than all the private memory this process may add; print the peak that it added."""

import json
import resource
import sys
from pathlib import Path

import numpy as np
import scipy.fft

from headrace.core.report import peak_memory
from headrace.signals import Fft
from headrace.signals import open as open_recording

path, out, how = sys.argv[1:]
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = int(status["VmData"].split()[0]) * 1024 + (48 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
before = peak_memory()
if how == "in memory":
    np.save(out, scipy.fft.rfft(np.fromfile(path, np.float32)))
else:
    with open_recording(path, dtype="float32") as rec:
        rec.pipe(Fft()).to_file(out, memory="24MB", threads=2)
sys.stdout.write(json.dumps({"added": peak_memory() - before}))
