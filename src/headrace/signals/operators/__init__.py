"""What is done to signals: one operator, one file."""

from headrace.signals.operators.fir import Fir
from headrace.signals.operators.map import Map
from headrace.signals.operators.scale import Scale
from headrace.signals.operators.sos import SosFilt

__all__ = ["Fir", "Map", "Scale", "SosFilt"]
