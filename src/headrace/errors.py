"""The whole error tree.

Every error is a `HeadraceError` *and* the builtin a stranger would catch::

    HeadraceError
    ├── SourceChanged        (OSError)        the file was truncated, rewritten or replaced under the run
    ├── SourceIOError        (OSError)        the storage failed; carries path, offset and span
    ├── FormatError          (ValueError)     the bytes are not what was declared
    ├── SchemaError          (ValueError)     shapes, dtypes or names that do not fit together
    ├── OutputError          (OSError)        an output could not be reserved, written or published
    │   └── OutputExists     (FileExistsError) an output is in the way and `force` was not given
    ├── JournalMismatch      (ValueError)     a killed run's journal is of another job, and cannot be continued
    ├── BudgetTooSmall       (MemoryError)    the byte budget cannot hold even the smallest run
    ├── RingStarved          (BufferError)    the consumer holds every buffer that the budget allows
    ├── BufferInUse          (BufferError)    a buffer was given back while views of it were alive
    ├── Cancelled            (RuntimeError)   work was cancelled while its results were still wanted
    ├── MissingExtra         (ImportError)    an optional dependency is not installed
    ├── NoSuchDevice         (RuntimeError)   a device that this machine, or an installed library, does not have
    └── ForkedError          (RuntimeError)   an object from the parent process was used in a forked child

The message says what happened with the numbers, where, and what to do; the same facts are attributes.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BudgetTooSmall",
    "BufferInUse",
    "Cancelled",
    "ForkedError",
    "FormatError",
    "HeadraceError",
    "JournalMismatch",
    "MissingExtra",
    "NoSuchDevice",
    "OutputError",
    "OutputExists",
    "RingStarved",
    "SchemaError",
    "SourceChanged",
    "SourceIOError",
]


class HeadraceError(Exception):
    """Base of every error that headrace raises on its own account."""

    _facts: ClassVar[tuple[str, ...]] = ()  # the constructor's keywords, which are attributes of the same names

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, {name: getattr(self, name) for name in self._facts}), self.__dict__


def _rebuild(kind: type[HeadraceError], args: tuple[Any, ...], facts: dict[str, Any]) -> HeadraceError:
    """Unpickle an error."""
    return kind(*args, **facts)


class SourceChanged(HeadraceError, OSError):
    """A source was truncated, rewritten or regrown while it was being read.

    Attributes
    ----------
    path : str
        The file.
    offset : int or None
        Byte offset of the read that noticed, where one did.
    span : tuple of int or None
        The half-open range of samples being read.
    """

    _facts = ("path", "offset", "span")

    def __init__(
        self,
        message: str,
        *,
        path: str,
        offset: int | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.path, self.offset, self.span = path, offset, span


class SourceIOError(HeadraceError, OSError):
    """Storage failed while a source was being read.

    Attributes
    ----------
    path : str
        The file.
    offset : int or None
        Byte offset of the failing read.
    span : tuple of int or None
        The half-open range of samples being read.
    errno : int or None
        The system's error number.
    """

    _facts = ("path", "offset", "span", "errno")

    def __init__(
        self,
        message: str,
        *,
        path: str,
        offset: int | None = None,
        span: tuple[int, int] | None = None,
        errno: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path, self.offset, self.span, self.errno = path, offset, span, errno


class FormatError(HeadraceError, ValueError):
    """The bytes of a file are not what was declared or what its header says."""


class SchemaError(HeadraceError, ValueError):
    """Shapes, dtypes, channels or names do not fit together."""


class OutputError(HeadraceError, OSError):
    """An output could not be reserved, written or published; nothing was left in its place.

    Attributes
    ----------
    path : str
        The output.
    errno : int or None
        The system's error number (``errno.ENOSPC`` for a full disk).
    """

    _facts = ("path", "errno")

    def __init__(self, message: str, *, path: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.path, self.errno = path, errno


class OutputExists(OutputError, FileExistsError):
    """An output exists and `force` was not given, or another run is writing it now."""


class JournalMismatch(HeadraceError, ValueError):
    """The journal of a killed run is of another job: other input, operators, options or version.

    Attributes
    ----------
    path : str
        The journal.
    differences : tuple of str
        What differs, each in a clause.
    """

    _facts = ("path", "differences")

    def __init__(self, message: str, *, path: str, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path, self.differences = path, differences


class BudgetTooSmall(HeadraceError, MemoryError):
    """The byte budget cannot hold even the smallest form of the job.

    Attributes
    ----------
    needed : int
        Bytes of the smallest budget that works.
    available : int
        Bytes that the budget had left.
    """

    _facts = ("needed", "available")

    def __init__(self, message: str, *, needed: int, available: int) -> None:
        super().__init__(message)
        self.needed, self.available = needed, available


class RingStarved(HeadraceError, BufferError):
    """The consumer asked for the next chunk while it held every buffer the budget allows.

    Attributes
    ----------
    held : int
        Buffers held by the consumer.
    """

    _facts = ("held",)

    def __init__(self, message: str, *, held: int) -> None:
        super().__init__(message)
        self.held = held


class BufferInUse(HeadraceError, BufferError):
    """A buffer was given back, or closed, while views of it were alive."""


class MissingExtra(HeadraceError, ImportError):
    """An optional dependency is not installed.

    Attributes
    ----------
    extra : str
        The extra that brings it: ``pip install 'headrace[<extra>]'``.
    """

    _facts = ("extra",)

    def __init__(self, message: str, *, extra: str) -> None:
        super().__init__(message)
        self.extra = extra


class NoSuchDevice(HeadraceError, RuntimeError):
    """A device was asked for that this machine, or an installed library, does not have.

    Attributes
    ----------
    device : str
        As it was asked for.
    """

    _facts = ("device",)

    def __init__(self, message: str, *, device: str) -> None:
        super().__init__(message)
        self.device = device


class Cancelled(HeadraceError, RuntimeError):
    """Work was cancelled while somebody still waited for its results."""


class ForkedError(HeadraceError, RuntimeError):
    """An object that holds threads, locks or descriptors was used in a forked child."""
