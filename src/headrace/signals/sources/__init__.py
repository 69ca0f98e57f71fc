"""Where signals come from: one kind of source, one file."""

from headrace.signals.sources.array import ArraySource
from headrace.signals.sources.file import FileSource, Layout
from headrace.signals.sources.iterator import IterSource
from headrace.signals.sources.memmap import open_memmap
from headrace.signals.sources.npy import open_npy
from headrace.signals.sources.raw import open_raw
from headrace.signals.sources.views import ChannelView, ConcatSource, FlatView, TimeView, rest, select_channels
from headrace.signals.sources.wav import open_wav

__all__ = [
    "ArraySource",
    "ChannelView",
    "ConcatSource",
    "FileSource",
    "FlatView",
    "IterSource",
    "Layout",
    "TimeView",
    "open_memmap",
    "open_npy",
    "open_raw",
    "open_wav",
    "rest",
    "select_channels",
]
