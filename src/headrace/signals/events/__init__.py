"""Finding events: each exactly once, whatever its length and however many borders it crosses."""

from headrace.signals.events.detector import Detector, detector
from headrace.signals.events.fold import EventFold
from headrace.signals.events.table import EVENT
from headrace.signals.events.threshold import Threshold

__all__ = ["EVENT", "Detector", "EventFold", "Threshold", "detector"]
