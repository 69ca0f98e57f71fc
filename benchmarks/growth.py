"""Peak memory of whole jobs at one size and at ten times that size.

Question: does peak memory grow with the input?
Method: the FIR filter of fir.py and an int16 to float32 conversion, file to file, on 40 MB and on 400 MB of input.
Rival: each job itself, on a tenth of the input.
Caveats: peak is the process's VmHWM, mapped files and imports included.
Command: headrace bench growth
"""

from functools import partial

from _harness import Benchmark, Run

bench = Benchmark("growth", full={"bytes": 400_000_000}, tiny={"bytes": 4_000_000}, runs=3, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    for name, size in (("small", run.size["bytes"] // 10), ("large", run.size["bytes"])):
        block = rng.standard_normal(1_000_000, dtype=np.float32)
        with (run.inputs / f"{name}.f32").open("wb") as file:
            for _ in range(max(1, size // block.nbytes)):
                block.tofile(file)


def fir(run: Run, name: str):
    import numpy as np

    from headrace import signals

    taps = np.hanning(1023)
    yield
    recording = signals.open(run.inputs / f"{name}.f32", dtype="float32")
    report = recording.pipe(signals.Fir(taps)).to_file(run.outputs / "y.npy", threads=2)
    return {"work": report.bytes_in / 1e6}


def convert(run: Run, name: str):
    from headrace import signals

    yield
    recording = signals.open(run.inputs / f"{name}.f32", dtype="int16", n_channels=2, scale=0.1)
    report = recording.pipe().to_file(run.outputs / "y.npy", threads=2)
    return {"work": report.bytes_in / 1e6}


for _name, _job in (("fir", fir), ("convert", convert)):
    for _size in ("large", "small"):
        bench.case(f"{_name} {_size}", packages=("headrace",), against=f"{_name} large")(partial(_job, name=_size))


@bench.goal("peak grows by less than 2 MB", most=2, unit="MB")
def flat(cases) -> float:
    def peak(job: str, size: str) -> float:
        return cases[f"{job} {size}"]["peak_rss_bytes"]["median"]

    return max((peak(job, "large") - peak(job, "small")) / 1e6 for job in ("fir", "convert"))


if __name__ == "__main__":
    bench.main()
