"""Welch's power spectrum of 60 million samples of float32, segments of 1,024, in one thread.

Question: how much faster per core is `Welch` than `scipy.signal.welch`, with the mean of each segment taken out (the
default of both) and without?
Method: noise on an offset lies in memory; each contender gives one spectrum of all of it. It is compared with SciPy's
in float64.
Rival: scipy.signal.welch on the whole array.
Caveats: nothing is read or written. SciPy needs some bytes for each segment and frequency, and gets them.
Command: headrace bench welch
"""

from functools import partial

from _harness import Benchmark, Run

NPERSEG = 1024
TRENDS = {"constant": "constant", "no detrend": False}

bench = Benchmark("welch", full={"n": 60_000_000}, tiny={"n": 400_000}, runs=5)


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np
    from scipy.signal import welch

    x = np.random.default_rng(20240615).standard_normal(run.size["n"], dtype=np.float32) + np.float32(3)
    np.save(run.inputs / "x.npy", x)
    for name, detrend in TRENDS.items():
        total, pieces, step = 0.0, 0, NPERSEG // 2 * 10_000
        for start in range(0, len(x) - NPERSEG + 1, step):
            part = x[start : start + step + NPERSEG // 2].astype("f8")
            if len(part) >= NPERSEG:
                segments = (len(part) - NPERSEG // 2) // (NPERSEG // 2)
                total, pieces = total + segments * welch(part, nperseg=NPERSEG, detrend=detrend)[1], pieces + segments
        np.save(run.inputs / f"{name}.npy", total / pieces)


def flow(run: Run, name: str):
    import numpy as np

    from headrace import signals

    x = np.load(run.inputs / "x.npy")
    yield
    found = signals.from_array(x, fs=1.0).psd(NPERSEG, detrend=TRENDS[name]).to_array(threads=1)["psd"]
    yield
    return {"work": x.nbytes / 1e6, "rel_error": error(run, name, found)}


def scipy_welch(run: Run, name: str):
    import numpy as np
    from scipy.signal import welch

    x = np.load(run.inputs / "x.npy")
    yield
    found = welch(x, nperseg=NPERSEG, detrend=TRENDS[name])[1]
    yield
    return {"work": x.nbytes / 1e6, "rel_error": error(run, name, found)}


def error(run: Run, name: str, found) -> float:
    """Relative L2 error, 0 Hz left out: what detrending leaves there is rounding."""
    import numpy as np

    exact = np.load(run.inputs / f"{name}.npy")
    return float(np.linalg.norm((found - exact)[2:]) / np.linalg.norm(exact[2:]))


for _name in TRENDS:
    _ours = f"headrace, {_name}"
    bench.case(_ours, packages=("headrace", "numpy"), against=_ours)(partial(flow, name=_name))
    bench.case(f"scipy.signal.welch, {_name}", packages=("scipy", "numpy"), against=_ours)(
        partial(scipy_welch, name=_name)
    )


def ratio(cases, name: str) -> float:
    mine, theirs = cases[f"headrace, {name}"], cases[f"scipy.signal.welch, {name}"]
    return mine["cpu_s"]["median"] / theirs["cpu_s"]["median"]


@bench.goal("by default: at most a sixth of SciPy's CPU seconds", most=1 / 6)
def costs_less(cases) -> float:
    return ratio(cases, "constant")


@bench.goal("without detrending: at most a sixth of SciPy's CPU seconds", most=1 / 6)
def costs_less_undetrended(cases) -> float:
    return ratio(cases, "no detrend")


@bench.goal("the whole-array answer, to double precision", most=1e-14)
def exact(cases) -> float:
    return cases["headrace, constant"]["facts"]["rel_error"]


if __name__ == "__main__":
    bench.main()
