"""Features: numbers that describe windows of a signal, as a table."""

from headrace.signals.features.band_power import BandPower
from headrace.signals.features.features import Features

__all__ = ["BandPower", "Features"]
