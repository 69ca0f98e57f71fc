"""A flow that does nothing, beside a bare preadv loop, at 200 MB, 2 GB and 20 GB.

Question: what does the machinery cost (planning, threads, ring, recycled buffers, identity checks), and does its memory
stay the same however long the input is?
Method: raw float32 files, sparse so that 20 GB need no disk, are read to the end, chunk by chunk; 2 threads.
Rival: os.preadv into one 4 MiB buffer, in a loop, in one thread: the least that reading can cost.
Caveats: warm; holes of a sparse file are read from the page cache like any page. The largest file must fit in memory to
be warm; sizes are cut to half of it where it does not.
Command: headrace bench noop
"""

from functools import partial

from _harness import Benchmark, Run

SIZES = {"200 MB": 200_000_000, "2 GB": 2_000_000_000, "20 GB": 20_000_000_000}

bench = Benchmark("noop", full={"divide": 1}, tiny={"divide": 1000}, runs=5, cache="warm", timeout_s=300)


def path_of(run: Run, name: str):
    return run.inputs / f"{name.replace(' ', '')}.f32"


@bench.prepare
def prepare(run: Run) -> None:
    from headrace.core.machine import memory_available

    for name, size in SIZES.items():
        fitting = min(size // run.size["divide"], memory_available() // 2) // 4096 * 4096
        with path_of(run, name).open("wb") as file:
            file.truncate(fitting)


def flow(run: Run, name: str):
    from headrace import signals

    yield
    with signals.open(path_of(run, name), dtype="float32") as recording:
        count = sum(len(chunk) for chunk in recording.pipe().chunks(threads=2))
    return {"work": 4 * count / 1e6}


def loop(run: Run, name: str):
    import os

    yield
    fd = os.open(path_of(run, name), os.O_RDONLY)
    buffer = bytearray(4 << 20)
    offset = 0
    while count := os.preadv(fd, [buffer], offset):
        offset += count
    os.close(fd)
    return {"work": offset / 1e6}


for _name in SIZES:
    _ours = f"headrace {_name}"
    bench.case(_ours, packages=("headrace", "numpy"), against=_ours)(partial(flow, name=_name))
    bench.case(f"preadv loop {_name}", against=_ours)(partial(loop, name=_name))


@bench.goal("at least 0.9 of the loop's MB/s at every size", least=0.9)
def keeps_up(cases) -> float:
    return min(
        cases[f"headrace {name}"]["rate"]["value"] / cases[f"preadv loop {name}"]["rate"]["value"] for name in SIZES
    )


@bench.goal("total peak at most 48 MB at every size", most=48, unit="MB")
def small(cases) -> float:
    return max(cases[f"headrace {name}"]["peak_rss_bytes"]["max"] / 1e6 for name in SIZES)


if __name__ == "__main__":
    bench.main()
