"""Write an operator of your own: a class with `plan` and `apply`.

    python examples/your_own_operator.py

`Difference` gives x[i + lag] - x[i - lag]. It says that it needs `lag` samples on both sides (its halo), and is then
called with exactly those, from several threads, for whatever chunk the flow is working on. It never sees chunk borders.
"""

from dataclasses import dataclass, replace

import numpy as np

from headrace import signals
from headrace.core.chunk import Chunk
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo


@dataclass(frozen=True)
class Difference:
    """Symmetric difference; what lies outside the recording counts as 0."""

    lag: int = 1

    def plan(self, inp: Spec) -> Plan:
        """Declare what comes out, and how many samples of context each output needs."""
        return Plan(inp, replace(inp, dtype=np.dtype(np.float64)), halo=Halo(self.lag, self.lag))

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """Fill ``out.array`` from ``window``, which is clipped where the recording begins and ends."""
        before = plan.halo.left - (out.start - window.start)
        after = plan.halo.right - (window.stop - out.stop)
        missing = [(before, after)] + [(0, 0)] * (window.array.ndim - 1)
        x = np.pad(window.array.astype(np.float64), missing)
        out.array[:] = x[2 * self.lag :] - x[: -2 * self.lag]


def main() -> None:
    x = np.random.default_rng(0).standard_normal((100_000, 2))
    flow = signals.from_array(x, fs=1000).pipe(Difference(lag=5))
    print(flow)

    whole = flow.to_array()
    chunked = flow.to_array(chunk=777, threads=2)
    expected = np.pad(x, [(5, 5), (0, 0)])
    expected = expected[10:] - expected[:-10]
    print("equals NumPy on the whole array:", np.array_equal(whole, expected))
    print("same bytes in chunks of 777:", np.array_equal(whole, chunked))


if __name__ == "__main__":
    main()
