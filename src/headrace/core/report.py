"""What a run did and cost: the report, the counters behind it, and how memory is measured."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headrace.core.sizes import format_bytes

__all__ = ["Meter", "PeakMemory", "RunReport", "peak_memory"]

_SAMPLE_EVERY_S = 0.05
_READ, _WRITE, _CONSUMER = "read", "write", "consumer"


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Memory of the process, bytes.

    Attributes
    ----------
    total : int
        The most that was ever resident, mapped files included (VmHWM), since the process started.
    anon : int
        The most anonymous memory seen during the run, sampled.
    file : int
        The most file-mapped memory seen during the run, sampled: libraries, and pages of mapped recordings.
    """

    total: int
    anon: int
    file: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did and what it cost.

    Attributes
    ----------
    n_samples : int
        Samples delivered.
    seconds : float
        Wall time.
    mb_per_s : float
        `bytes_in`, in 10^6, per second.
    cpu_seconds : float
        CPU time of the process, all threads.
    peak_rss_bytes : PeakMemory
        Peak memory of the process.
    bottleneck : str
        The stage that took most of the time, its seconds divided by the threads that it ran in: ``"read"``, an
        operator, ``"operators"`` (those that run in order, as one), ``"cast"`` (to `out_dtype`), ``"write"``, or
        ``"consumer"`` for the code that takes the chunks.
    efficiency : float
        max(reading and writing, computing) / wall time. A low value means that the two did not overlap, or that
        the run waited for its consumer.
    stage_seconds : dict of str to float
        Time spent in each stage, added over the threads; ``consumer`` is the code that takes the chunks.
    stall_seconds : dict of str to float
        Time spent waiting: ``threads`` for work or for a buffer to come back (added over them), ``consumer`` for the
        next chunk.
    bytes_in, bytes_out : int
        Bytes of the samples taken from the source, as it stores them and each counted once; bytes delivered.
    clipped : int
        Values that did not fit the integer `out_dtype` and were saturated.
    threads : int
        Threads that worked.
    chunk_samples : int
        Output samples in one chunk.
    memory_bytes : int
        Bytes of the budget that the run planned to use.
    output : str or None
        The file written.
    n_rows : int
        Rows of the table, for flows that make one.
    n_resumed : int
        Samples, of `n_samples`, that an earlier run had done, which this one continued.
    """

    n_samples: int
    seconds: float
    mb_per_s: float
    cpu_seconds: float
    peak_rss_bytes: PeakMemory
    bottleneck: str
    efficiency: float
    stage_seconds: dict[str, float]
    stall_seconds: dict[str, float]
    bytes_in: int
    bytes_out: int
    clipped: int
    threads: int
    chunk_samples: int
    memory_bytes: int
    output: str | None
    n_rows: int = 0
    n_resumed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        peak = self.peak_rss_bytes
        clipped = f", {self.clipped:,} values clipped" if self.clipped else ""
        rows = f" to {self.n_rows:,} rows" if self.n_rows else ""
        resumed = f" ({self.n_resumed:,} of them done before)" if self.n_resumed else ""
        return (
            f"{self.n_samples:,} samples{resumed}{rows} in {self.seconds:.2f} s, {self.mb_per_s:,.0f} MB/s, "
            f"{self.cpu_seconds:.2f} CPU s, peak {format_bytes(peak.total)} (anonymous {format_bytes(peak.anon)}, "
            f"file {format_bytes(peak.file)}), limited by {self.bottleneck}{clipped}"
        )


class Meter:
    """Counts one run; all of it happens in the consumer's thread."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._cpu = time.process_time()
        self._sampled = 0.0
        self._anon = self._file = 0
        self._shares: dict[str, float] = {}  # seconds by stage, divided by its threads
        self.stage_seconds: dict[str, float] = {}
        self.stall_seconds: dict[str, float] = {}
        self.n_samples = self.n_resumed = self.n_rows = self.bytes_in = self.bytes_out = self.clipped = 0
        self.threads = 1
        self.chunk_samples = self.memory_bytes = 0
        self.output: str | None = None
        self.phase = ""  # of a pass that gives no output yet, for progress bars

    def add(self, clock: dict[str, float], *, threads: int | None = None) -> None:
        """Add the stage times of one task, which runs beside others in so many threads; ``None`` for the run's."""
        for name, seconds in clock.items():
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + seconds
            self._shares[name] = self._shares.get(name, 0.0) + seconds / (threads or self.threads)
        self.sample()

    def sample(self) -> None:
        """Look at the process's memory, at most twenty times a second."""
        now = time.perf_counter()
        if now - self._sampled >= _SAMPLE_EVERY_S:
            self._sampled = now
            anon, file = _resident()
            self._anon, self._file = max(self._anon, anon), max(self._file, file)

    def report(self) -> RunReport:
        """Sum up, as of now."""
        self._sampled = 0.0
        self.sample()
        wall = max(time.perf_counter() - self._began, 1e-9)
        shares = dict(self._shares)
        slowest = max(shares, key=shares.__getitem__, default=_READ)
        io = shares.get(_READ, 0.0) + shares.get(_WRITE, 0.0)
        compute = sum(s for name, s in shares.items() if name not in (_READ, _WRITE, _CONSUMER))
        return RunReport(
            n_samples=self.n_samples,
            seconds=wall,
            mb_per_s=self.bytes_in / wall / 1e6,
            cpu_seconds=time.process_time() - self._cpu,
            peak_rss_bytes=PeakMemory(peak_memory(), self._anon, self._file),
            bottleneck=slowest,
            efficiency=min(1.0, max(io, compute) / wall),
            stage_seconds=dict(self.stage_seconds),
            stall_seconds=dict(self.stall_seconds),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            clipped=self.clipped,
            threads=self.threads,
            chunk_samples=self.chunk_samples,
            memory_bytes=self.memory_bytes,
            output=self.output,
            n_rows=self.n_rows,
            n_resumed=self.n_resumed,
        )


def peak_memory() -> int:
    """Give the most bytes this process ever had resident (VmHWM; ``ru_maxrss`` where there is no /proc)."""
    peak = _status().get("VmHWM")
    if peak is None:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return peak


def _resident() -> tuple[int, int]:
    status = _status()
    return status.get("RssAnon", 0), status.get("RssFile", 0) + status.get("RssShmem", 0)


def _status() -> dict[str, int]:
    """Read the memory lines of /proc/self/status, in bytes; empty where there is none."""
    try:
        text = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        if line.startswith(("VmHWM", "Rss")):
            name, _, value = line.partition(":")
            found[name] = int(value.split()[0]) * 1024
    return found
