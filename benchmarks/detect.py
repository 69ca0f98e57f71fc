"""Events beyond 3.5 times the noise, 2 GB of float32, from a file to a table.

Question: how long does it take to find the events of a long recording, each once, and in how much memory?
Method: 500 million float32 samples, baseline wander plus noise plus pulses, are read from a raw file; in each block of
1 million samples the median and the noise (MAD, and in a second pair of cases the standard deviation) give thresholds;
runs beyond them become rows of a .npy file, runs that cross a border one row. The number of events is compared.
Rival: a loop by hand over numpy.fromfile with numpy.median, that merges runs at borders; the same on blocks of
dask.delayed with 2 threads.
Caveats: rivals compare in float32 as NumPy does, headrace in float64, so that a sample within rounding of a threshold
may be judged differently. The loop has no threads to give. Everything is in the page cache.
Command: headrace bench detect
"""

from _harness import Benchmark, Run

K = 3.5
BLOCK = 1_000_000

bench = Benchmark("detect", full={"n": 500_000_000}, tiny={"n": 2_500_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np

    rng = np.random.default_rng(20240607)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], BLOCK):
            t = np.arange(start, min(start + BLOCK, run.size["n"]))
            x = rng.standard_normal(len(t), dtype=np.float32) + (5 * np.sin(2 * np.pi * t / 20e6)).astype(np.float32)
            for at in rng.integers(0, len(t), 10):  # pulses, some of them across the end of the block
                x[at : at + 60] -= 12
            x.tofile(file)


def headrace_flow(run: Run, noise: str, threads: int):
    from headrace import signals

    yield
    with signals.open(run.inputs / "x.f32", dtype="float32", fs=30_000) as recording:
        flow = recording.detect(signals.Threshold(K, noise=noise, block=BLOCK))
        report = flow.to_file(run.outputs / "events.npy", threads=threads)
    yield
    return {"work": report.bytes_in / 1e6, "events": events(run)}


@bench.case("headrace", packages=("headrace", "numpy"))
def two_threads(run: Run):
    return (yield from headrace_flow(run, "mad", 2))


@bench.case("headrace, 1 thread", packages=("headrace", "numpy"))
def one_thread(run: Run):
    return (yield from headrace_flow(run, "mad", 1))


@bench.case("NumPy loop", packages=("numpy",))
def numpy_loop(run: Run):
    return (yield from loop(run, "mad"))


@bench.case("dask", packages=("dask", "numpy"))
def dask_blocks(run: Run):
    import dask
    import numpy as np

    yield
    n = run.size["n"]

    def block(start: int) -> list[tuple[int, int, float]]:
        return runs_of(np.fromfile(run.inputs / "x.f32", np.float32, BLOCK, offset=4 * start), start, "mad")

    with dask.config.set(scheduler="threads", num_workers=2):
        found = dask.compute(*[dask.delayed(block)(start) for start in range(0, n, BLOCK)])
    rows: list[tuple[int, int, float]] = []
    for start, runs in zip(range(0, n, BLOCK), found, strict=True):
        append(rows, runs, start)
    save(run, rows)
    yield
    return {"work": 4 * n / 1e6, "events": events(run)}


@bench.case("headrace, std", packages=("headrace", "numpy"))
def two_threads_std(run: Run):
    return (yield from headrace_flow(run, "std", 2))


@bench.case("NumPy loop, std", packages=("numpy",), against="headrace, std")
def numpy_loop_std(run: Run):
    return (yield from loop(run, "std"))


def loop(run: Run, noise: str):
    import numpy as np

    yield
    rows: list[tuple[int, int, float]] = []
    with (run.inputs / "x.f32").open("rb") as file:
        for start in range(0, run.size["n"], BLOCK):
            append(rows, runs_of(np.fromfile(file, np.float32, BLOCK), start, noise), start)
    save(run, rows)
    yield
    return {"work": 4 * run.size["n"] / 1e6, "events": events(run)}


def runs_of(x, start: int, noise: str) -> list[tuple[int, int, float]]:
    """Start, end and peak value of the runs of one block, as one would write it by hand."""
    import numpy as np

    x -= np.median(x)
    distance = np.abs(x)
    sigma = np.median(distance) / 0.6744897501960817 if noise == "mad" else x.std()
    beyond = np.flatnonzero(distance > K * sigma)
    if len(beyond) == 0:
        return []
    breaks = np.flatnonzero(np.diff(beyond) > 1)
    starts, ends = beyond[np.r_[0, breaks + 1]], beyond[np.r_[breaks, -1]] + 1
    peaks = np.maximum.reduceat(distance, np.c_[starts, ends].ravel()[:-1])[::2]
    return list(zip((starts + start).tolist(), (ends + start).tolist(), peaks.tolist(), strict=True))


def append(rows: list[tuple[int, int, float]], runs: list[tuple[int, int, float]], border: int) -> None:
    """Add the runs of a block, the first of which may continue the last of the block before."""
    if rows and runs and rows[-1][1] == border == runs[0][0]:
        begun, continued = rows.pop(), runs[0]
        runs[0] = (begun[0], continued[1], max(begun[2], continued[2]))
    rows += runs


def save(run: Run, rows: list[tuple[int, int, float]]) -> None:
    import numpy as np

    np.save(run.outputs / "events.npy", np.array(rows, [("start", "i8"), ("end", "i8"), ("amplitude", "f8")]))


def events(run: Run) -> int:
    import numpy as np

    return len(np.load(run.outputs / "events.npy", mmap_mode="r"))


@bench.goal("at most a quarter of the NumPy loop's CPU seconds", most=1 / 4)
def beats_loop(cases) -> float:
    return cases["headrace"]["cpu_s"]["median"] / cases["NumPy loop"]["cpu_s"]["median"]


@bench.goal("at most an eighth of dask's CPU seconds", most=1 / 8)
def beats_dask(cases) -> float:
    return cases["headrace"]["cpu_s"]["median"] / cases["dask"]["cpu_s"]["median"]


@bench.goal("the second thread pays: at most 0.7 of the time of one", most=0.7)
def scales(cases) -> float:
    return cases["headrace"]["wall_s"]["median"] / cases["headrace, 1 thread"]["wall_s"]["median"]


@bench.goal("total peak at most 48 MB with 2 threads", most=48, unit="MB")
def small(cases) -> float:
    return max(cases[name]["peak_rss_bytes"]["max"] for name in ("headrace", "headrace, std")) / 1e6


if __name__ == "__main__":
    bench.main()
