"""IIR band-pass of 4 sections in one thread: one channel of float32, 16 and 384 channels of int16.

Question: how much faster per core is `SosFilt` than `scipy.signal.sosfilt`, for one channel and for many?
Method: noise on a big offset lies in memory; each contender filters all of it in chunks, with the state carried from
chunk to chunk, and hands over float32. The last chunk is compared with SciPy in float64.
Rival: scipy.signal.sosfilt on chunks of 1 million numbers, float64 as it computes in, and in float32, its fastest way
for one channel, whose answer is a different one (its state is float32 too).
Caveats: nothing is read or written.
Command: headrace bench sosfilt
"""

from functools import partial

from _harness import Benchmark, Run

KINDS = {"1 ch float32": (1, "float32"), "16 ch int16": (16, "int16"), "384 ch int16": (384, "int16")}
CHUNK = 1_000_000  # numbers, not samples
BAND = [300, 6000]
RATE = 30_000

bench = Benchmark("sosfilt", full={"numbers": 60_000_000}, tiny={"numbers": 400_000}, runs=5)


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy import signal

    rng = np.random.default_rng(20240607)
    sos = signal.butter(4, BAND, "bandpass", fs=RATE, output="sos")
    np.save(run.inputs / "sos.npy", sos)
    for name, (channels, dtype) in KINDS.items():
        n = run.size["numbers"] // channels
        noise = rng.standard_normal((n, channels), dtype=np.float32) * 100 + 500
        x = noise.astype(dtype).reshape((n,) if channels == 1 else (n, channels))
        np.save(run.inputs / f"{name}.npy", x)
        # The filter has forgotten what lay 20,000 samples before.
        np.save(run.inputs / f"{name} end.npy", signal.sosfilt(sos, x[-20_000:].astype("f8"), axis=0)[-1000:])


def load(run: Run, kind: str):
    import numpy as np

    return np.load(run.inputs / f"{kind}.npy"), np.load(run.inputs / "sos.npy")


def flow(run: Run, kind: str):
    from headrace import signals

    x, sos = load(run, kind)
    yield
    with signals.from_array(x).pipe(signals.SosFilt(sos)).chunks(threads=1) as chunks:
        for chunk in chunks:
            last = chunk.array[-1000:].copy()
    yield
    return {"work": x.nbytes / 1e6, "rel_error": error(run, kind, last)}


def scipy_chunks(run: Run, kind: str, dtype: str):
    import numpy as np
    from scipy.signal import sosfilt

    x, sos = load(run, kind)
    sos = sos.astype(dtype)
    yield
    state = np.zeros((len(sos), 2, *x.shape[1:]), dtype)
    step = max(1, CHUNK // x[0].size)
    for start in range(0, len(x), step):
        y, state = sosfilt(sos, x[start : start + step].astype(dtype), axis=0, zi=state)
        last = y.astype(np.float32)[-1000:]
    yield
    return {"work": x.nbytes / 1e6, "rel_error": error(run, kind, last)}


def error(run: Run, kind: str, found) -> float:
    """Relative L2 error of the last samples."""
    import numpy as np

    exact = np.load(run.inputs / f"{kind} end.npy")[-len(found) :]
    return float(np.linalg.norm(found[-len(exact) :] - exact) / np.linalg.norm(exact))


for _kind in KINDS:
    _ours = f"headrace {_kind}"
    bench.case(_ours, packages=("headrace", "numpy"), against=_ours)(partial(flow, kind=_kind))
    bench.case(f"sosfilt {_kind}", packages=("scipy", "numpy"), against=_ours)(
        partial(scipy_chunks, kind=_kind, dtype="float64")
    )
bench.case("sosfilt in float32 1 ch float32", packages=("scipy", "numpy"), against="headrace 1 ch float32")(
    partial(scipy_chunks, kind="1 ch float32", dtype="float32")
)


def cpu(case) -> float:
    return case["cpu_s"]["median"]


@bench.goal("one channel of float32: at most a quarter of SciPy's CPU seconds", most=1 / 4)
def beats_one(cases) -> float:
    return cpu(cases["headrace 1 ch float32"]) / cpu(cases["sosfilt 1 ch float32"])


@bench.goal("384 channels of int16: at most a quarter of SciPy's CPU seconds", most=1 / 4)
def beats_many(cases) -> float:
    return cpu(cases["headrace 384 ch int16"]) / cpu(cases["sosfilt 384 ch int16"])


if __name__ == "__main__":
    bench.main()
