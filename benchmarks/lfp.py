"""Local field potentials: 384 channels of int16 at 30 kHz, 1 to 300 Hz, to 1 kHz, from file to file.

Question: how long does it take from a raw recording of a probe to its LFP, and in how much memory?
Method: spikes' worth of noise on slow waves is read from a raw file, filtered with a causal Butterworth band-pass of
order 2 (1 to 300 Hz, second-order sections), resampled from 30 kHz to 1 kHz with the 601 taps of
scipy.signal.resample_poly's own filter, and written as float32. Outputs are compared on some channels with sosfilt and
resample_poly of the whole recording in float64.
Rival: a chunk loop by hand, a second at a time: sosfilt in float64 with its state carried on, then resample_poly of the
chunk with as much of what came before as its filter reaches, so that the loop is exact too; one thread, as SciPy has
none to give.
Caveats: the filter carries its state through the recording, so headrace runs in one thread as well. Everything is in
the page cache.
Command: headrace bench lfp
"""

from _harness import Benchmark, Run

CHANNELS, FS, DOWN = 384, 30_000, 30
BAND = (1, 300)
REACH = 10 * DOWN  # samples that the low-pass filter reaches to either side

bench = Benchmark("lfp", full={"n": 600_000}, tiny={"n": 9_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy import signal

    rng = np.random.default_rng(20240621)
    phase = rng.uniform(0, 2 * np.pi, CHANNELS)
    with (run.inputs / "x.i16").open("wb") as file:
        for start in range(0, run.size["n"], FS):
            t = np.arange(start, min(start + FS, run.size["n"]))[:, np.newaxis] / FS
            waves = 300 * np.sin(2 * np.pi * 8 * t + phase) + 40 * np.sin(2 * np.pi * 120 * t - phase) + 500
            (waves + 20 * rng.standard_normal(waves.shape, np.float32)).astype(np.int16).tofile(file)
    np.save(run.inputs / "sos.npy", signal.butter(2, BAND, "bandpass", fs=FS, output="sos"))


@bench.case("headrace", packages=("headrace", "numpy"))
def headrace_flow(run: Run):
    import numpy as np

    from headrace import signals

    sos = np.load(run.inputs / "sos.npy")
    yield
    with signals.open(run.inputs / "x.i16", dtype="int16", n_channels=CHANNELS, fs=FS) as recording:
        flow = recording.pipe(signals.SosFilt(sos), signals.Resample(1, DOWN))
        report = flow.to_file(run.outputs / "y.f32", threads=2)
    yield
    return {"work": report.bytes_in / 1e6, "rel_error": error(run)}


@bench.case("sosfilt + resample_poly chunk loop", packages=("scipy", "numpy"))
def chunk_loop(run: Run):
    import numpy as np
    from scipy.signal import resample_poly, sosfilt

    sos = np.load(run.inputs / "sos.npy")
    yield
    state = np.zeros((len(sos), 2, CHANNELS))
    kept = np.zeros((0, CHANNELS))  # filtered samples that the next outputs need
    begin = done = 0  # place of the first of them; outputs written
    with (run.inputs / "x.i16").open("rb") as source, (run.outputs / "y.f32").open("wb") as sink:
        while True:
            x = np.fromfile(source, np.int16, FS * CHANNELS).reshape(-1, CHANNELS)
            if len(x):
                filtered, state = sosfilt(sos, x.astype(np.float64), axis=0, zi=state)
                kept = np.concatenate([kept, filtered])
            last = len(x) < FS
            stop = -(-(begin + len(kept)) // DOWN) if last else (begin + len(kept) - REACH) // DOWN
            if stop > done:
                y = resample_poly(kept, 1, DOWN, axis=0)
                y[done - begin // DOWN : stop - begin // DOWN].astype(np.float32).tofile(sink)
                done = stop
                skip = max(0, done * DOWN - REACH - begin)
                kept, begin = kept[skip:], begin + skip
            if last:
                break
    yield
    return {"work": 2 * run.size["n"] * CHANNELS / 1e6, "rel_error": error(run)}


def error(run: Run) -> float:
    """Relative L2 error of some channels against the whole recording in float64."""
    import numpy as np
    from scipy.signal import resample_poly, sosfilt

    chosen = [0, 7, 200, CHANNELS - 1]
    x = np.memmap(run.inputs / "x.i16", np.int16, "r").reshape(-1, CHANNELS)[:, chosen].astype(np.float64)
    exact = resample_poly(sosfilt(np.load(run.inputs / "sos.npy"), x, axis=0), 1, DOWN, axis=0)
    found = np.memmap(run.outputs / "y.f32", np.float32, "r").reshape(-1, CHANNELS)[:, chosen]
    if found.shape != exact.shape:
        return float("inf")
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


@bench.goal("at least 5 times the chunk loop", least=5)
def beats_loop(cases) -> float:
    return cases["sosfilt + resample_poly chunk loop"]["ratio"]


@bench.goal("at most a fifth of the chunk loop's CPU seconds", most=1 / 5)
def costs_less(cases) -> float:
    return cases["headrace"]["cpu_s"]["median"] / cases["sosfilt + resample_poly chunk loop"]["cpu_s"]["median"]


@bench.goal("the whole-array answer, to single precision", most=3e-7)
def exact(cases) -> float:
    return cases["headrace"]["facts"]["rel_error"]


if __name__ == "__main__":
    bench.main()
