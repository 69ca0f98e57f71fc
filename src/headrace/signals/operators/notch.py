"""Taking out one frequency and its multiples."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.checks import finite_number, whole_number
from headrace.errors import SchemaError
from headrace.signals.design import iirnotch

if TYPE_CHECKING:
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Plan, Spec, State

__all__ = ["Notch"]


class Notch:
    """Take out one frequency, such as the hum of the mains, and multiples of it.

    Parameters
    ----------
    freq : float
        The frequency, hertz.
    q : float
        Quality: the frequency over the width at which the gain is -3 dB. The same for each multiple, whose notch is
        wider in hertz, as its drift is.
    harmonics : int
        How many multiples are taken out: 1 is `freq` alone, 3 are `freq`, ``2 * freq`` and ``3 * freq``.

    Raises
    ------
    SchemaError
        If a number is not positive; from `plan`, if the stream has no rate, or a multiple reaches half of it.
    MissingExtra
        From `plan`, if SciPy, which designs the filter, is not installed.

    Notes
    -----
    ``scipy.signal.iirnotch`` for each multiple, one section each, in one pass of `headrace.signals.SosFilt`, whose
    dtypes, exactness and start (at rest) it shares. It delays the frequencies near the notch; `SosFiltFilt` with
    `headrace.signals.iirnotch` does not.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.Notch(50, harmonics=3)
    Notch(50.0, q=30.0, harmonics=3)
    """

    def __init__(self, freq: float, q: float = 30.0, *, harmonics: int = 1) -> None:
        self.freq, self.q = finite_number("freq", freq, positive=True), finite_number("q", q, positive=True)
        self.harmonics = whole_number("harmonics", harmonics, least=1)
        self._wide = False
        self._filters: dict[float, Any] = {}  # by rate

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.fs is None:
            raise SchemaError(f"{self!r} takes out hertz, and the stream has no rate: give fs= (--fs)")
        plan: Plan = self._filter(inp.fs).plan(inp)
        return plan

    def start(self, plan: Plan) -> State:
        """See `headrace.core.operator.Stateful.start`."""
        return self._of(plan).start(plan)

    def step(self, plan: Plan, state: State, window: Chunk, out: Chunk) -> State:
        """See `headrace.core.operator.Stateful.step`."""
        return self._of(plan).step(plan, state, window, out)

    def widened(self) -> Notch:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide, wide._filters = True, {}
        return wide

    def _of(self, plan: Plan) -> Any:
        return self._filter(plan.inp.fs or math.nan)

    def _filter(self, fs: float) -> Any:
        """Design the filter once for each rate."""
        found = self._filters.get(fs)
        if found is None:
            from headrace.signals.operators.sos import SosFilt

            most = math.ceil(fs / 2 / self.freq) - 1  # multiples below half the rate
            if self.harmonics > most:
                raise SchemaError(
                    f"{self!r}: {self.harmonics * self.freq:.10g} Hz does not lie below half of fs={fs:.10g} Hz"
                    + (f": harmonics= is at most {most}" if most else "")
                )
            multiples = [self.freq * number for number in range(1, self.harmonics + 1)]
            found = SosFilt(np.concatenate([iirnotch(each, self.q, fs=fs) for each in multiples]))
            found = self._filters.setdefault(fs, found.widened() if self._wide else found)
        return found

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_filters": {}}

    def __repr__(self) -> str:
        harmonics = f", harmonics={self.harmonics}" if self.harmonics > 1 else ""
        return f"Notch({self.freq!r}, q={self.q!r}{harmonics})"
