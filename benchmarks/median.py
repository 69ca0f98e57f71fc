"""A running median over 1,001 samples: 80 MB of float32 from file to file.

Question: what does a median filter of some width cost, for each core that it is given?
Method: noise on a wandering baseline is read from a raw file, filtered along time (mode reflect) and written as raw
float32, with 1 thread and with 2. The outputs are compared, exactly, with sorted windows around 200 places and at both
ends.
Rivals: scipy.ndimage.median_filter, which has a path of its own for one dimension; bottleneck.move_median on the signal
with its ends reflected. Both take the whole array and have no threads to give.
Caveats: widths of 5 and 51 samples, and int16, are not in the table. Everything is in the page cache.
Command: headrace bench median
"""

from _harness import Benchmark, Run

WIDTH = 1001

bench = Benchmark("median", full={"n": 20_000_000}, tiny={"n": 300_000}, runs=5, cache="warm")


@bench.prepare
def prepare(run: Run) -> None:
    import numpy as np

    rng = np.random.default_rng(20240620)
    with (run.inputs / "x.f32").open("wb") as file:
        for start in range(0, run.size["n"], 10_000_000):
            t = np.arange(start, min(start + 10_000_000, run.size["n"]))
            noise = rng.standard_normal(len(t), dtype=np.float32)
            (noise + (5 * np.sin(2 * np.pi * t / 1e6)).astype(np.float32)).tofile(file)


def flow(run: Run, threads: int):
    from headrace import signals

    yield
    with signals.open(run.inputs / "x.f32", dtype="float32") as recording:
        report = recording.pipe(signals.MedianFilter(WIDTH)).to_file(run.outputs / "y.f32", threads=threads)
    yield
    return {"work": report.bytes_in / 1e6, "wrong": wrong(run)}


@bench.case("headrace, 1 thread", packages=("headrace", "numpy"))
def one_thread(run: Run):
    return (yield from flow(run, 1))


@bench.case("headrace, 2 threads", packages=("headrace", "numpy"))
def two_threads(run: Run):
    return (yield from flow(run, 2))


@bench.case("scipy.ndimage", packages=("scipy", "numpy"))
def ndimage(run: Run):
    import numpy as np
    from scipy.ndimage import median_filter

    yield
    x = np.fromfile(run.inputs / "x.f32", np.float32)
    median_filter(x, WIDTH).tofile(run.outputs / "y.f32")
    yield
    return {"work": x.nbytes / 1e6, "wrong": wrong(run)}


@bench.case("bottleneck", packages=("bottleneck", "numpy"))
def move_median(run: Run):
    import bottleneck
    import numpy as np

    yield
    x = np.fromfile(run.inputs / "x.f32", np.float32)
    bottleneck.move_median(np.pad(x, WIDTH // 2, "symmetric"), WIDTH)[WIDTH - 1 :].tofile(run.outputs / "y.f32")
    yield
    return {"work": x.nbytes / 1e6, "wrong": wrong(run)}


def wrong(run: Run) -> int:
    """Count the outputs that are not the median, of some hundred at random and at both ends."""
    import numpy as np

    n, half = run.size["n"], WIDTH // 2
    x = np.memmap(run.inputs / "x.f32", np.float32, "r")
    y = np.memmap(run.outputs / "y.f32", np.float32, "r")
    places = [0, 1, half, n - half - 1, n - 1, *np.random.default_rng(1).integers(half, n - half, 200)]
    found = 0
    for place in places:
        around = np.abs(np.arange(place - half, place + half + 1) + 0.5) - 0.5  # the ends reflected
        window = x[(n - 0.5 - np.abs(n - 0.5 - around)).astype(int)]
        found += int(np.sort(window)[half] != y[place])
    return found if len(y) == n else n


def rival_cpu(cases) -> float:
    """CPU seconds of the better rival that ran."""
    return min(cases[name]["cpu_s"]["median"] for name in ("scipy.ndimage", "bottleneck") if "cpu_s" in cases[name])


@bench.goal("1 thread: at least 2 times the better rival, in CPU seconds", least=2)
def per_core(cases) -> float:
    return rival_cpu(cases) / cases["headrace, 1 thread"]["cpu_s"]["median"]


@bench.goal("1 thread: at least 2 times scipy.ndimage", least=2)
def beats_ndimage(cases) -> float:
    return cases["scipy.ndimage"]["ratio"]


@bench.goal("medians that are not exact", most=0)
def exact(cases) -> float:
    return cases["headrace, 2 threads"]["facts"]["wrong"]


if __name__ == "__main__":
    bench.main()
