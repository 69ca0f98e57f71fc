"""Stream a file of 8 float32 channels with little more private memory than there is now; print the peak."""

import json
import resource
import sys
from pathlib import Path

import numpy as np

from headrace.core.report import peak_memory
from headrace.signals import Fir, SosFiltFilt, Threshold
from headrace.signals import open as open_recording
from headrace.signals.envelope import envelope

path, how = sys.argv[1:]
if how == "arrow":
    import pyarrow as pa
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
baseline = int(status["VmData"].split()[0]) * 1024
limit = baseline + (64 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
with open_recording(path, dtype="float32", n_channels=8) as rec:
    flow = rec.pipe(Fir(np.ones(31))) if how == "filter" else rec.pipe()
    if how == "iterate":
        with flow.chunks(memory="24MB", threads=2) as chunks:
            n = sum(len(chunk) for chunk in chunks)
    elif how == "envelope":
        n = int(envelope(rec, memory="24MB", threads=2).edges[-1])
    elif how == "arrow":  # one batch at a time, let go of before the next
        n = sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(flow.to_arrow(memory="24MB")))
    elif how == "zero-phase":
        sos = [[0.2, 0.4, 0.2, 1, -0.3, 0.1], [1, -2, 1, 1, -1.2, 0.5]]
        n = rec.pipe(SosFiltFilt(sos)).run(memory="24MB", threads=2).n_samples
    elif how == "events":
        n = flow.detect(Threshold(4.0, block=20_000)).run(memory="24MB", threads=2).n_samples
    else:
        n = flow.run(memory="24MB", threads=2).n_samples
sys.stdout.write(json.dumps({"n_samples": n, "peak": peak_memory()}))
