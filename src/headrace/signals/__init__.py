"""Signals: filter, transform and search recordings bigger than memory, exactly, in a byte budget.

>>> import numpy as np, headrace
>>> rec = headrace.signals.from_array(np.random.default_rng(0).standard_normal(1000), fs=100)
>>> smooth = rec.pipe(headrace.signals.Fir(np.ones(5) / 5)).to_array()
>>> smooth.shape
(1000,)
"""

from headrace.core.flow import Flow
from headrace.core.report import RunReport
from headrace.signals.opening import concat, from_array, from_iter, open, open_all
from headrace.signals.operators import Fir, Map, Scale, SosFilt
from headrace.signals.recording import Recording

__all__ = [
    "Fir",
    "Flow",
    "Map",
    "Recording",
    "RunReport",
    "Scale",
    "SosFilt",
    "concat",
    "from_array",
    "from_iter",
    "open",
    "open_all",
]
