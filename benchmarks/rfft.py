"""The transform of 250 million float32 samples, from file to file.

Question: what does the exact FFT of a whole recording cost, in a budget that holds a sixteenth of it, and less?
Method: noise is read from a raw file, transformed, and written as raw complex64. Every 1,009th value of the result is
compared with scipy.fft.rfft in float64.
Rivals: scipy.fft.rfft of the whole array, and ducc0.fft.r2c with 2 threads, the fastest we know; both in memory: the
file is read at once, transformed in float32, and written at once.
Caveats: everything is in the page cache, temporary files too. ducc0 is GPL and no dependency: to have it measured,
install it beside headrace. 250 million is a length that factors well; a prime takes a convolution, several times as
long.
Command: headrace bench rfft
"""

from _harness import Benchmark, Run

EVERY = 1009

bench = Benchmark("rfft", full={"n": 250_000_000}, tiny={"n": 250_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    import scipy.fft

    rng = np.random.default_rng(20240614)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], 10_000_000):
            rng.standard_normal(min(10_000_000, run.size["n"] - start), dtype=np.float32).tofile(file)
    whole = np.fromfile(run.inputs / "x.f32", np.float32).astype(np.float64)
    np.save(run.inputs / "answer.npy", scipy.fft.rfft(whole)[::EVERY].copy())


def flow(run: Run, memory: str):
    import scipy.fft  # noqa: F401 - imports are no part of the work

    from headrace import signals

    yield
    with signals.open(run.inputs / "x.f32", dtype="float32") as recording:
        recording.pipe(signals.Fft()).to_file(run.outputs / "y.c64", memory=memory)
    yield
    return checked(run)


@bench.case("headrace, 64 MB", packages=("headrace", "numpy", "scipy"))
def in_64_mb(run: Run):
    return (yield from flow(run, "64MB"))


@bench.case("headrace, 36 MB", packages=("headrace", "numpy", "scipy"))
def in_36_mb(run: Run):
    return (yield from flow(run, "36MB"))


@bench.case("scipy.fft in memory", packages=("scipy", "numpy"))
def scipy_in_memory(run: Run):
    import numpy as np
    import scipy.fft

    yield
    scipy.fft.rfft(np.fromfile(run.inputs / "x.f32", np.float32), overwrite_x=True).tofile(run.outputs / "y.c64")
    yield
    return checked(run)


@bench.case("ducc0 in memory, 2 threads", packages=("ducc0", "numpy"))
def ducc_in_memory(run: Run):
    import ducc0
    import numpy as np

    yield
    ducc0.fft.r2c(np.fromfile(run.inputs / "x.f32", np.float32), nthreads=2).tofile(run.outputs / "y.c64")
    yield
    return checked(run)


def checked(run: Run) -> dict[str, float]:
    """Give the work done, and the relative L2 error of every 1,009th value."""
    import numpy as np

    expected = np.load(run.inputs / "answer.npy")
    found = np.memmap(run.outputs / "y.c64", np.complex64, "r")[::EVERY]
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    return {"work": 4 * run.size["n"] / 1e6, "rel_error": float(error)}


def wall(cases, name: str) -> float:
    return cases[name]["wall_s"]["median"]


def peak(cases, name: str) -> float:
    return cases[name]["peak_rss_bytes"]["max"] / 1e6


@bench.goal("64 MB: at most 0.7 of scipy.fft's time", most=0.7)
def beats_scipy(cases) -> float:
    return wall(cases, "headrace, 64 MB") / wall(cases, "scipy.fft in memory")


@bench.goal("64 MB: peak of the process", most=128, unit="MB")
def peak_64(cases) -> float:
    return peak(cases, "headrace, 64 MB")


@bench.goal("36 MB: at most 0.9 of scipy.fft's time", most=0.9)
def beats_scipy_in_less(cases) -> float:
    return wall(cases, "headrace, 36 MB") / wall(cases, "scipy.fft in memory")


@bench.goal("36 MB: peak of the process", most=96, unit="MB")
def peak_36(cases) -> float:
    return peak(cases, "headrace, 36 MB")


@bench.goal("the whole-array answer, to single precision", most=3e-7)
def exact(cases) -> float:
    return cases["headrace, 36 MB"]["facts"]["rel_error"]


if __name__ == "__main__":
    bench.main()
