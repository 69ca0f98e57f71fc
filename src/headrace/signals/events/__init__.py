"""Finding events: each exactly once, whatever its length and however many borders it crosses."""

from headrace.signals.events.detector import Detector, detector
from headrace.signals.events.fold import EventFold
from headrace.signals.events.matched_filter import MatchedFilter
from headrace.signals.events.matches import MATCH
from headrace.signals.events.table import EVENT
from headrace.signals.events.threshold import Threshold

__all__ = ["EVENT", "MATCH", "Detector", "EventFold", "MatchedFilter", "Threshold", "detector"]
