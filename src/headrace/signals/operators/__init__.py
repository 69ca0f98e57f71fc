"""What is done to signals: one operator, one file."""

from headrace.signals.operators.block_median import BlockMedian
from headrace.signals.operators.detrend import Detrend
from headrace.signals.operators.fft import Fft, Ifft
from headrace.signals.operators.fir import Fir
from headrace.signals.operators.map import Map
from headrace.signals.operators.median_filter import MedianFilter
from headrace.signals.operators.notch import Notch
from headrace.signals.operators.phase_shift import PhaseShift
from headrace.signals.operators.reference import CommonReference
from headrace.signals.operators.resample import Decimate, Resample
from headrace.signals.operators.running import RunningMad, RunningStd
from headrace.signals.operators.scale import Scale
from headrace.signals.operators.sos import SosFilt
from headrace.signals.operators.sosfiltfilt import SosFiltFilt

__all__ = [
    "BlockMedian",
    "CommonReference",
    "Decimate",
    "Detrend",
    "Fft",
    "Fir",
    "Ifft",
    "Map",
    "MedianFilter",
    "Notch",
    "PhaseShift",
    "Resample",
    "RunningMad",
    "RunningStd",
    "Scale",
    "SosFilt",
    "SosFiltFilt",
]
