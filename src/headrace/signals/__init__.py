"""Signals: filter, transform and search recordings bigger than memory, exactly, in a byte budget.

>>> import numpy as np, headrace
>>> rec = headrace.signals.from_array(np.random.default_rng(0).standard_normal(1000), fs=100)
>>> smooth = rec.pipe(headrace.signals.Fir(np.ones(5) / 5)).to_array()
>>> smooth.shape
(1000,)
"""

from headrace.core import registry
from headrace.core.report import RunReport
from headrace.signals.design import butter, cheby1, cheby2, firwin, iirnotch
from headrace.signals.events import EVENT, MATCH, Detector, MatchedFilter, Threshold, detector
from headrace.signals.features import BandPower, Features
from headrace.signals.flow import Flow
from headrace.signals.opening import concat, from_array, from_iter, open, open_all
from headrace.signals.operators import (
    BlockMedian,
    CommonReference,
    Decimate,
    Detrend,
    Fft,
    Fir,
    Ifft,
    Map,
    MedianFilter,
    Notch,
    PhaseShift,
    Resample,
    RunningMad,
    RunningStd,
    Scale,
    SosFilt,
    SosFiltFilt,
)
from headrace.signals.recording import Recording
from headrace.signals.spectra import Coherence, Csd, Istft, Spectrogram, Stft, Welch
from headrace.signals.wave_sink import WavSink
from headrace.signals.window_dataset import Windows
from headrace.signals.windowing import windows

__all__ = [
    "EVENT",
    "MATCH",
    "BandPower",
    "BlockMedian",
    "Coherence",
    "CommonReference",
    "Csd",
    "Decimate",
    "Detector",
    "Detrend",
    "Features",
    "Fft",
    "Fir",
    "Flow",
    "Ifft",
    "Istft",
    "Map",
    "MatchedFilter",
    "MedianFilter",
    "Notch",
    "PhaseShift",
    "Recording",
    "Resample",
    "RunReport",
    "RunningMad",
    "RunningStd",
    "Scale",
    "SosFilt",
    "SosFiltFilt",
    "Spectrogram",
    "Stft",
    "Threshold",
    "Welch",
    "Windows",
    "butter",
    "cheby1",
    "cheby2",
    "concat",
    "detector",
    "firwin",
    "from_array",
    "from_iter",
    "iirnotch",
    "open",
    "open_all",
    "windows",
]

registry.register("sink", ".wav", WavSink)
