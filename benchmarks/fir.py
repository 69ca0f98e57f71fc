"""FIR filter of 1,023 taps, float32, 400 MB from file to file, 2 threads.

Question: how long does it take a person with a recording on disk to have it filtered on disk, and in how much memory?
Method: 100 million float32 samples, baseline wander plus noise, are read from a raw file, filtered, written to another;
each contender reads, filters with the same 1,023 band-pass taps (mode same), writes everything. Outputs are compared
on stretches at both ends and around the rivals' chunk borders with a float64 convolution.
Rival: scipy.signal.oaconvolve in a hand-written loop over chunks of 1 million samples that carries the tail (float32,
as SciPy computes for float32 input, one thread: it has no threads to give); dask.array.map_overlap, 2 threads.
Caveats: rivals compute in float32, headrace in float64 and rounds once. Everything is in the page cache.
Command: headrace bench fir
"""

from _harness import Benchmark, Run

TAPS = 1023
CHUNK = 1_000_000

bench = Benchmark("fir", full={"n": 100_000_000}, tiny={"n": 2_500_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy import signal

    rng = np.random.default_rng(20240607)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], 10_000_000):
            t = np.arange(start, min(start + 10_000_000, run.size["n"]))
            noise = rng.standard_normal(len(t), dtype=np.float32)
            (noise + (5 * np.sin(2 * np.pi * t / 20e6)).astype(np.float32)).tofile(file)
    np.save(run.inputs / "taps.npy", signal.firwin(TAPS, [0.02, 0.4], pass_zero=False))


@bench.case("headrace", packages=("headrace", "numpy"))
def headrace_flow(run: Run):
    import numpy as np

    from headrace import signals

    taps = np.load(run.inputs / "taps.npy")
    yield
    with signals.open(run.inputs / "x.f32", dtype="float32") as recording:
        report = recording.pipe(signals.Fir(taps)).to_file(run.outputs / "y.f32", threads=2)
    yield
    return {"work": report.bytes_in / 1e6, "rel_error": error(run)}


@bench.case("oaconvolve chunk loop", packages=("scipy", "numpy"))
def chunk_loop(run: Run):
    import numpy as np
    from scipy.signal import oaconvolve

    taps = np.load(run.inputs / "taps.npy").astype(np.float32)
    half = (TAPS - 1) // 2
    yield
    tail = np.zeros(TAPS - 1, np.float32)  # what earlier chunks still add to the next samples
    skip, left = half, run.size["n"]
    with (run.inputs / "x.f32").open("rb") as source, (run.outputs / "y.f32").open("wb") as sink:
        while True:
            x = np.fromfile(source, np.float32, CHUNK)
            last = len(x) < CHUNK
            full = oaconvolve(x, taps) if len(x) else np.zeros(TAPS - 1, np.float32)
            full[: TAPS - 1] += tail
            ready, tail = (full, tail) if last else (full[: len(x)], full[len(x) :])
            out = ready[skip:][:left]
            skip, left = max(0, skip - len(ready)), left - len(out)
            out.tofile(sink)
            if last:
                break
    yield
    return {"work": 4 * run.size["n"] / 1e6, "rel_error": error(run)}


@bench.case("dask map_overlap", packages=("dask", "scipy", "numpy"))
def dask_overlap(run: Run):
    import dask
    import dask.array as da
    import numpy as np
    from scipy.signal import oaconvolve

    taps = np.load(run.inputs / "taps.npy").astype(np.float32)
    half = (TAPS - 1) // 2
    yield
    source = np.memmap(run.inputs / "x.f32", np.float32, "r")
    sink = np.memmap(run.outputs / "y.f32", np.float32, "w+", shape=source.shape)
    x = da.from_array(source, chunks=CHUNK)
    y = x.map_overlap(lambda block: oaconvolve(block, taps, mode="same"), depth=half, boundary=0, dtype=np.float32)
    with dask.config.set(scheduler="threads", num_workers=2):
        da.store(y, sink, lock=False)
    sink.flush()
    yield
    return {"work": 4 * run.size["n"] / 1e6, "rel_error": error(run)}


def error(run: Run) -> float:
    """Relative L2 error against float64 on stretches: both ends, and around the rivals' chunk borders."""
    import numpy as np

    n = run.size["n"]
    taps = np.load(run.inputs / "taps.npy")
    half = (TAPS - 1) // 2
    power = wrong = 0.0
    for middle in (0, CHUNK, n // 2 // CHUNK * CHUNK, n - 1):
        start, stop = max(0, middle - 2000), min(n, middle + 2000)
        first, last = max(0, start - half), min(n, stop + half)
        x = np.fromfile(run.inputs / "x.f32", np.float32, last - first, offset=4 * first).astype(np.float64)
        exact = np.convolve(x, taps)[half + start - first :][: stop - start]
        found = np.fromfile(run.outputs / "y.f32", np.float32, stop - start, offset=4 * start)
        power += float(np.sum(exact**2))
        wrong += float(np.sum((found - exact) ** 2))
    return (wrong / power) ** 0.5


@bench.goal("at least 5 times the chunk loop", least=5)
def beats_loop(cases) -> float:
    return cases["oaconvolve chunk loop"]["ratio"]


@bench.goal("at least 5 times dask", least=5)
def beats_dask(cases) -> float:
    return cases["dask map_overlap"]["ratio"]


@bench.goal("total peak at most 96 MB", most=96, unit="MB")
def small(cases) -> float:
    return cases["headrace"]["peak_rss_bytes"]["max"] / 1e6


if __name__ == "__main__":
    bench.main()
