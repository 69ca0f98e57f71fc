"""int16 from a 384-channel probe, band-pass, common median reference, int16; 230 MB from file to file.

Question: how long does the standard first step of spike sorting take: raw recording in, filtered and referenced
recording out, as integers?
Method: 10 seconds of 384 channels at 30 kHz, int16: noise, what channels share, and an offset for each channel. Each
contender reads the file, applies a Butterworth band-pass of 300 to 6000 Hz (order 3, three sections), subtracts the
median over the channels at each sample, rounds and writes int16. Outputs are compared on stretches at the start, around
the rivals' chunk borders and near the end, with SciPy in float64 on the recording up to there.
Rival: a hand-written loop over chunks of one second: scipy.signal.sosfilt with carried state, numpy.median, numpy.rint.
In float64 as SciPy's sosfilt works whatever it is given, and with float32 for the median and the rest.
Caveats: the loop has one thread and SciPy none to give; headrace is shown with 1 and 2. The band-pass is causal here; a
zero-phase one has a benchmark of its own. Everything is in the page cache.
Command: headrace bench probe
"""

from _harness import Benchmark, Run

FS = 30_000
CHANNELS = 384

bench = Benchmark("probe", full={"n": 300_000}, tiny={"n": 3_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy import signal

    rng = np.random.default_rng(20240611)
    offsets = rng.integers(-300, 300, CHANNELS).astype(np.float32)
    with (run.inputs / "x.i16").open("wb") as file:
        for start in range(0, run.size["n"], FS):
            count = min(FS, run.size["n"] - start)
            shared = 30 * rng.standard_normal((count, 1), dtype=np.float32)
            own = 12 * rng.standard_normal((count, CHANNELS), dtype=np.float32)
            np.rint(offsets + shared + own).astype(np.int16).tofile(file)
    np.save(run.inputs / "sos.npy", signal.butter(3, [300, 6000], "bandpass", fs=FS, output="sos"))
    expect(run)


def flow_with(run: Run, threads: int):
    import numpy as np

    from headrace import signals

    sos = np.load(run.inputs / "sos.npy")
    yield
    with signals.open(run.inputs / "x.i16", dtype="int16", n_channels=CHANNELS, fs=FS) as recording:
        flow = recording.pipe(signals.SosFilt(sos), signals.CommonReference("median"))
        report = flow.to_file(run.outputs / "y.i16", out_dtype="int16", threads=threads)
    yield
    return {"work": report.bytes_in / 1e6, "wrong": wrong(run), "clipped": report.clipped}


@bench.case("headrace, 2 threads", packages=("headrace", "numpy"))
def headrace_two(run: Run):
    return (yield from flow_with(run, 2))


@bench.case("headrace, 1 thread", packages=("headrace", "numpy"))
def headrace_one(run: Run):
    return (yield from flow_with(run, 1))


def chunk_loop(run: Run, kind: str):
    import numpy as np
    from scipy.signal import sosfilt

    sos = np.load(run.inputs / "sos.npy")
    yield
    state = np.zeros((len(sos), 2, CHANNELS))
    with (run.inputs / "x.i16").open("rb") as source, (run.outputs / "y.i16").open("wb") as sink:
        while True:
            x = np.fromfile(source, np.int16, FS * CHANNELS).reshape(-1, CHANNELS)
            if not len(x):
                break
            y, state = sosfilt(sos, x, axis=0, zi=state)
            y = y.astype(kind, copy=False)
            y -= np.median(y, axis=1, keepdims=True)
            np.clip(np.rint(y, out=y), -32768, 32767, out=y)
            y.astype(np.int16).tofile(sink)
    yield
    return {"work": 2 * CHANNELS * run.size["n"] / 1e6, "wrong": wrong(run)}


@bench.case("NumPy/SciPy chunk loop", packages=("scipy", "numpy"), against="headrace, 1 thread")
def loop_double(run: Run):
    return (yield from chunk_loop(run, "float64"))


@bench.case("NumPy/SciPy chunk loop, float32 median", packages=("scipy", "numpy"), against="headrace, 1 thread")
def loop_single(run: Run):
    return (yield from chunk_loop(run, "float32"))


def stretches(n: int) -> list[tuple[int, int]]:
    """Give the samples that are compared: the start, around borders of the rivals' chunks, the end."""
    middles = sorted({0, min(FS, n - 1), n // 2 // FS * FS, n - 1})
    return [(max(0, middle - 300), min(n, middle + 300)) for middle in middles]


def expect(run: Run) -> None:
    """Keep the whole-array answer on the stretches, computed with SciPy and NumPy in float64."""
    import numpy as np
    from scipy.signal import sosfilt, sosfilt_zi

    sos = np.load(run.inputs / "sos.npy")
    x = np.memmap(run.inputs / "x.i16", np.int16, "r").reshape(-1, CHANNELS)
    for number, (start, stop) in enumerate(stretches(run.size["n"])):
        first = max(0, start - FS // 2)  # what came half a second before has died away
        rest = sosfilt_zi(sos)[:, :, np.newaxis] * x[first] if first else np.zeros((len(sos), 2, CHANNELS))
        exact = sosfilt(sos, x[first:stop], axis=0, zi=rest)[0][start - first :]
        exact -= np.median(exact, axis=1, keepdims=True)
        np.save(run.inputs / f"exact-{number}.npy", np.rint(exact).astype(np.int16))


def wrong(run: Run) -> float:
    """Fraction of samples on the stretches that differ from the whole-array answer."""
    import numpy as np

    differ = count = 0
    for number, (start, stop) in enumerate(stretches(run.size["n"])):
        exact = np.load(run.inputs / f"exact-{number}.npy")
        found = np.fromfile(run.outputs / "y.i16", np.int16, (stop - start) * CHANNELS, offset=2 * start * CHANNELS)
        differ += int(np.count_nonzero(found.reshape(exact.shape) != exact))
        count += exact.size
    return differ / count


@bench.goal("1 thread at least 5 times the chunk loop", least=5)
def beats_loop(cases) -> float:
    return cases["NumPy/SciPy chunk loop"]["ratio"]


@bench.goal("1 thread at least 5 times the chunk loop that goes over to float32", least=5)
def beats_single_loop(cases) -> float:
    return cases["NumPy/SciPy chunk loop, float32 median"]["ratio"]


@bench.goal("total peak at most 96 MB", most=96, unit="MB")
def small(cases) -> float:
    return cases["headrace, 2 threads"]["peak_rss_bytes"]["max"] / 1e6


@bench.goal("no sample in a hundred thousand is rounded otherwise than the whole-array answer", most=1e-5)
def right(cases) -> float:
    return cases["headrace, 2 threads"]["facts"]["wrong"]


if __name__ == "__main__":
    bench.main()
