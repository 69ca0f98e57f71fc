"""Spectra: short-time transforms of a signal and back, and averaged spectra as tables."""

from headrace.signals.spectra.cross import Coherence, Csd
from headrace.signals.spectra.istft import Istft
from headrace.signals.spectra.stft import Spectrogram, Stft
from headrace.signals.spectra.welch import Welch

__all__ = ["Coherence", "Csd", "Istft", "Spectrogram", "Stft", "Welch"]
