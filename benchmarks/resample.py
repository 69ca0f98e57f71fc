"""From 48 kHz to 44.1 kHz (147/160): 400 MB of float32 from file to file.

Question: what does another sampling rate cost, for a file that is bigger than the memory given to it?
Method: noise is read from a raw file, resampled with scipy.signal.resample_poly's own filter (3,201 taps) and written
as raw float32, with 2 threads and with 1. Stretches at both ends and around the loop's borders are compared with
resample_poly in float64.
Rival: a chunk loop by hand over scipy.signal.resample_poly, 1.6 million samples at a time (whole periods of the rate),
with as much of the neighbours as the filter reaches; in float32, the faster of its ways.
Caveats: the rival has no threads to give. Everything is in the page cache.
Command: headrace bench resample
"""

from _harness import Benchmark, Run

UP, DOWN = 147, 160
CHUNK = 1_600_000
REACH = 1_600  # samples, a multiple of DOWN that covers the filter

bench = Benchmark("resample", full={"n": 100_000_000}, tiny={"n": 3_300_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np

    rng = np.random.default_rng(20240613)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], 10_000_000):
            rng.standard_normal(min(10_000_000, run.size["n"] - start), dtype=np.float32).tofile(file)


def flow(run: Run, threads: int):
    from headrace import signals

    yield
    with signals.open(run.inputs / "x.f32", dtype="float32") as recording:
        report = recording.pipe(signals.Resample(UP, DOWN)).to_file(run.outputs / "y.f32", threads=threads)
    yield
    return {"work": report.bytes_in / 1e6, "rel_error": error(run)}


@bench.case("headrace, 2 threads", packages=("headrace", "numpy"))
def two_threads(run: Run):
    return (yield from flow(run, 2))


@bench.case("headrace, 1 thread", packages=("headrace", "numpy"))
def one_thread(run: Run):
    return (yield from flow(run, 1))


@bench.case("resample_poly chunk loop", packages=("scipy", "numpy"))
def chunk_loop(run: Run):
    import numpy as np
    from scipy.signal import resample_poly

    yield
    n = run.size["n"]
    with (run.outputs / "y.f32").open("wb") as sink:
        for start in range(0, n, CHUNK):
            first, stop = max(0, start - REACH), min(n, start + CHUNK + REACH)
            x = np.fromfile(run.inputs / "x.f32", np.float32, stop - first, offset=4 * first)
            y = resample_poly(x, UP, DOWN)
            count = -(-(min(n, start + CHUNK) - start) * UP // DOWN)
            skip = (start - first) * UP // DOWN
            y[skip : skip + count].tofile(sink)
    yield
    return {"work": 4 * n / 1e6, "rel_error": error(run)}


def error(run: Run) -> float:
    """Relative L2 error on stretches: both ends, and around the rival's first border."""
    import numpy as np
    from scipy.signal import resample_poly

    n, power, wrong = run.size["n"], 0.0, 0.0
    total = -(-n * UP // DOWN)
    for middle in (0, CHUNK, n // DOWN * DOWN):
        start, stop = max(0, middle - 4 * REACH), min(n, middle + 4 * REACH)
        first, last = max(0, start - REACH), min(n, stop + REACH)
        x = np.fromfile(run.inputs / "x.f32", np.float32, last - first, offset=4 * first).astype(np.float64)
        begin, end = start * UP // DOWN, total if stop == n else stop * UP // DOWN
        skip = (start - first) * UP // DOWN
        exact = resample_poly(x, UP, DOWN)[skip : skip + end - begin]
        found = np.fromfile(run.outputs / "y.f32", np.float32, end - begin, offset=4 * begin)
        power += float(np.sum(exact**2))
        wrong += float(np.sum((found - exact) ** 2))
    return (wrong / power) ** 0.5


@bench.goal("at least 3 times the chunk loop", least=3)
def beats_loop(cases) -> float:
    return cases["resample_poly chunk loop"]["ratio"]


@bench.goal("1 thread: at most half the chunk loop's CPU seconds", most=1 / 2)
def costs_less(cases) -> float:
    return cases["headrace, 1 thread"]["cpu_s"]["median"] / cases["resample_poly chunk loop"]["cpu_s"]["median"]


@bench.goal("the whole-array answer, to single precision", most=3e-7)
def exact(cases) -> float:
    return cases["headrace, 2 threads"]["facts"]["rel_error"]


if __name__ == "__main__":
    bench.main()
