"""Zero-phase band-pass of 16 and of 384 channels int16, from file to file, 2 threads.

Question: how long does it take a person with a many-channel recording on disk to have it filtered without delay, and
in how much memory and processor time?
Method: int16 noise on a drift, 192 MB, is read from a raw file, filtered with a Butterworth band-pass of order 5
(300 to 6000 Hz at 30 kHz, 5 sections), forwards and backwards, and written as float32 (headrace also as int16); each
contender reads, filters, writes everything. Outputs are compared on stretches at both ends and inside with SciPy's in
float64.
Rival: scipy.signal.sosfiltfilt on the whole array, one thread, as it has none to give; SpikeInterface's
bandpass_filter (sosfiltfilt on chunks of 1 s with its default margin), written by its own writer with 2 jobs.
Caveats: SpikeInterface's answer depends on the chunk; its error is shown. Everything is in the page cache.
Command: headrace bench sosfiltfilt
"""

from functools import partial

from _harness import Benchmark, Run

ORDER, BAND, RATE = 5, [300, 6000], 30_000
CHANNELS = (16, 384)

bench = Benchmark("sosfiltfilt", full={"numbers": 96_000_000}, tiny={"numbers": 768_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy import signal

    rng = np.random.default_rng(20240607)
    sos = signal.butter(ORDER, BAND, "bandpass", fs=RATE, output="sos")
    np.save(run.inputs / "sos.npy", sos)
    for channels in CHANNELS:
        n = run.size["numbers"] // channels
        with (run.inputs / f"x{channels}.bin").open("wb") as file:
            for start in range(0, n, 100_000):
                count = min(100_000, n - start)
                drift = 300 * np.sin(2 * np.pi * np.arange(start, start + count) / 1e6)[:, np.newaxis]
                noise = 200 * rng.standard_normal((count, channels), dtype=np.float32)
                (noise + drift).astype(np.int16).tofile(file)
        x = np.memmap(run.inputs / f"x{channels}.bin", np.int16, "r").reshape(-1, channels)
        for number, (start, stop) in enumerate(places(n)):
            first, last = max(0, start - 20_000), min(n, stop + 20_000)  # the filter has forgotten what lies further
            exact = signal.sosfiltfilt(sos, x[first:last].astype(np.float64), axis=0)[start - first : stop - first]
            np.save(run.inputs / f"exact{channels}-{number}.npy", exact)


def headrace_flow(run: Run, channels: int, dtype: str):
    import numpy as np

    from headrace import signals

    sos = np.load(run.inputs / "sos.npy")
    yield
    with signals.open(run.inputs / f"x{channels}.bin", dtype="int16", n_channels=channels) as recording:
        flow = recording.pipe(signals.SosFiltFilt(sos))
        report = flow.to_file(run.outputs / "y.bin", threads=2, out_dtype=dtype)
    yield
    return {"work": report.bytes_in / 1e6, "rel_error": error(run, channels, dtype)}


def scipy_whole(run: Run, channels: int):
    import numpy as np
    from scipy.signal import sosfiltfilt

    sos = np.load(run.inputs / "sos.npy")
    yield
    x = np.fromfile(run.inputs / f"x{channels}.bin", np.int16).reshape(-1, channels)
    sosfiltfilt(sos, x, axis=0).astype(np.float32).tofile(run.outputs / "y.bin")
    yield
    return {"work": x.nbytes / 1e6, "rel_error": error(run, channels, "float32")}


def spikeinterface_job(run: Run, channels: int):
    import spikeinterface as si
    from spikeinterface.preprocessing import bandpass_filter

    raw = si.read_binary(
        run.inputs / f"x{channels}.bin",
        sampling_frequency=RATE,
        dtype="int16",
        num_channels=channels,
        is_filtered=False,
    )
    yield
    band = bandpass_filter(raw, *BAND, filter_order=ORDER, dtype="float32")
    jobs = {"n_jobs": 2, "chunk_duration": "1s", "progress_bar": False}
    si.write_binary_recording(band, file_paths=[run.outputs / "y.bin"], dtype="float32", **jobs)
    yield
    return {"work": raw.get_total_memory_size() / 1e6, "rel_error": error(run, channels, "float32")}


def places(n: int) -> list[tuple[int, int]]:
    """Stretches that are checked: both ends, the rival's first chunk border, the middle."""
    return [(max(0, min(m, n) - 500), min(n, m + 500)) for m in (0, 30_000, n // 2, n)]


def error(run: Run, channels: int, dtype: str) -> float:
    """Relative L2 error against the stretches that `prepare` filtered."""
    import numpy as np

    power = wrong = 0.0
    size = np.dtype(dtype).itemsize
    for number, (start, stop) in enumerate(places(run.size["numbers"] // channels)):
        exact = np.load(run.inputs / f"exact{channels}-{number}.npy")
        count, offset = (stop - start) * channels, size * start * channels
        found = np.fromfile(run.outputs / "y.bin", dtype, count, offset=offset).reshape(-1, channels)
        power += float(np.sum(exact**2))
        wrong += float(np.sum((found - exact) ** 2))
    return (wrong / max(power, 1e-300)) ** 0.5


for _channels in CHANNELS:
    _ours = f"headrace {_channels} ch"
    bench.case(_ours, packages=("headrace", "numpy"), against=_ours)(
        partial(headrace_flow, channels=_channels, dtype="float32")
    )
    bench.case(f"headrace {_channels} ch to int16", packages=("headrace", "numpy"), against=_ours)(
        partial(headrace_flow, channels=_channels, dtype="int16")
    )
    bench.case(f"sosfiltfilt whole {_channels} ch", packages=("scipy", "numpy"), against=_ours)(
        partial(scipy_whole, channels=_channels)
    )
    bench.case(f"SpikeInterface {_channels} ch", packages=("spikeinterface", "scipy", "numpy"), against=_ours)(
        partial(spikeinterface_job, channels=_channels)
    )


def cpu(case) -> float:
    return case["cpu_s"]["median"]


@bench.goal("16 channels: at most a tenth of SciPy's CPU seconds", most=1 / 10)
def beats_scipy_few(cases) -> float:
    return cpu(cases["headrace 16 ch"]) / cpu(cases["sosfiltfilt whole 16 ch"])


@bench.goal("384 channels: at most a tenth of SciPy's CPU seconds", most=1 / 10)
def beats_scipy_many(cases) -> float:
    return cpu(cases["headrace 384 ch"]) / cpu(cases["sosfiltfilt whole 384 ch"])


@bench.goal("at least 15 times SpikeInterface, 16 and 384 channels", least=15)
def beats_spikeinterface(cases) -> float:
    return min(cases[f"SpikeInterface {channels} ch"]["ratio"] for channels in CHANNELS)


@bench.goal("the whole-array answer, to single precision", most=3e-7)
def exact(cases) -> float:
    return max(cases[f"headrace {channels} ch"]["facts"]["rel_error"] for channels in CHANNELS)


if __name__ == "__main__":
    bench.main()
