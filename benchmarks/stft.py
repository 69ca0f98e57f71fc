"""Spectra of frames of 1,024 samples, 512 apart: 400 MB of float32 from file to file.

Question: how much faster per core is `Stft` than `scipy.signal.ShortTimeFFT`?
Method: noise is read from a raw file, and its spectra are written as raw complex64 (twice the bytes of the input), with
1 thread and with 2. Stretches at both ends and around the loop's borders are compared with ShortTimeFFT in float64.
Rival: a chunk loop by hand over ShortTimeFFT.stft, 256 frames at a time (its fastest) with the neighbours that they
reach into, its complex128 rounded to complex64. It computes and keeps complex128 whatever it is given.
Caveats: the rival has no threads to give. Everything is in the page cache.
Command: headrace bench stft
"""

from _harness import Benchmark, Run

NPERSEG, HOP = 1024, 512
CHUNK = 256 * HOP  # at which the rival is fastest
FREQS = NPERSEG // 2 + 1

bench = Benchmark("stft", full={"n": 100_000_000}, tiny={"n": 3_300_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np

    rng = np.random.default_rng(20240614)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], 10_000_000):
            rng.standard_normal(min(10_000_000, run.size["n"] - start), dtype=np.float32).tofile(file)


def flow(run: Run, threads: int):
    from headrace import signals

    yield
    with signals.open(run.inputs / "x.f32", dtype="float32") as recording:
        report = recording.pipe(signals.Stft(NPERSEG, NPERSEG - HOP)).to_file(run.outputs / "s.c64", threads=threads)
    yield
    return {"work": report.bytes_in / 1e6, "rel_error": error(run)}


@bench.case("headrace, 2 threads", packages=("headrace", "numpy"))
def two_threads(run: Run):
    return (yield from flow(run, 2))


@bench.case("headrace, 1 thread", packages=("headrace", "numpy"))
def one_thread(run: Run):
    return (yield from flow(run, 1))


@bench.case("ShortTimeFFT chunk loop", packages=("scipy", "numpy"))
def chunk_loop(run: Run):
    import numpy as np

    yield
    n, transform = run.size["n"], short_time_fft()
    with (run.outputs / "s.c64").open("wb") as sink:
        for start in range(0, n, CHUNK):
            stop = min(n, start + CHUNK)
            np.ascontiguousarray(spectra(run, transform, start, stop), np.complex64).tofile(sink)
    yield
    return {"work": 4 * n / 1e6, "rel_error": error(run)}


def short_time_fft():
    from scipy.signal import ShortTimeFFT, get_window

    return ShortTimeFFT(get_window("hann", NPERSEG), HOP, 1.0)


def spectra(run: Run, transform, start: int, stop: int, dtype: str = "float32"):
    """Compute the frames whose middles lie in [start, stop), and after the end of the signal with the last of them."""
    import numpy as np

    n = run.size["n"]
    first, last = max(0, start - NPERSEG), min(n, stop + NPERSEG)
    x = np.fromfile(run.inputs / "x.f32", np.float32, last - first, offset=4 * first).astype(dtype)
    end = transform.p_max(last - first) if stop == n else (stop - first) // HOP
    return transform.stft(x, p0=(start - first) // HOP, p1=end).T


def error(run: Run) -> float:
    """Relative L2 error on stretches: both ends, and around the rival's first border."""
    import numpy as np

    n, transform, power, wrong = run.size["n"], short_time_fft(), 0.0, 0.0
    for middle in (0, CHUNK, n // HOP * HOP):
        start, stop = max(0, middle - 16 * HOP), min(n, middle + 16 * HOP)
        exact = spectra(run, transform, start, stop, "float64")
        found = np.fromfile(run.outputs / "s.c64", np.complex64, exact.size, offset=8 * FREQS * (start // HOP)).reshape(
            exact.shape
        )
        power += float(np.sum(np.abs(exact) ** 2))
        wrong += float(np.sum(np.abs(found - exact) ** 2))
    return (wrong / power) ** 0.5


def cpu(case) -> float:
    return case["cpu_s"]["median"]


@bench.goal("1 thread: at most an eighth of ShortTimeFFT's CPU seconds", most=1 / 8)
def costs_less(cases) -> float:
    return cpu(cases["headrace, 1 thread"]) / cpu(cases["ShortTimeFFT chunk loop"])


@bench.goal("the whole-array answer, to single precision", most=3e-7)
def exact(cases) -> float:
    return cases["headrace, 2 threads"]["facts"]["rel_error"]


if __name__ == "__main__":
    bench.main()
