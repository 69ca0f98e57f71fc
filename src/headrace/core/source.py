"""The source protocols: where samples come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array
    from headrace.core.operator import Spec
    from headrace.core.span import Span

__all__ = ["RowReader", "Source", "StreamSource", "row_reader"]

RowReader: TypeAlias = "Callable[[int, int, Array], None]"
"""``read(start, apart, rows)`` fills each ``rows[i]``, C-contiguous, with the samples from ``start + i * apart`` on."""


@runtime_checkable
class Source(Protocol):
    """Samples that can be read by position, again and again, from any thread.

    `headrace.testing.check_source` is the conformance suite: run it on your own.

    Attributes
    ----------
    spec : Spec
        What `read` delivers; ``spec.n`` is known.
    segments : tuple of Span
        Consecutive stretches that together cover ``[0, n)``; no operator ever crosses from one into the next.
    scratch_bytes : int
        Bytes that one `read` may use beyond its arguments.
    paths : tuple of str
        Files behind it, so that none of them can be named as output.
    unit : int, optional
        Samples that are efficient to read in multiples of, where that is not 1.
    stored_sample_bytes : int, optional
        Bytes of one sample as stored, for reports, where that is not what `read` delivers.
    resident : ndarray or None, optional
        All that `read` can deliver, where it lies in memory just so: contiguous, of dtype ``spec.dtype``. It may then
        be looked at in place of being read, and must not change during a run.
    row_reader : method, optional
        ``row_reader()`` gives a `RowReader` if reading short stretches that lie apart is cheap, else ``None``.
    """

    @property
    def spec(self) -> Spec: ...  # noqa: D102 - documented above, as all attributes are
    @property
    def segments(self) -> tuple[Span, ...]: ...  # noqa: D102
    @property
    def scratch_bytes(self) -> int: ...  # noqa: D102
    @property
    def paths(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, span: Span, out: Array) -> None:
        """Fill `out`, of shape ``(span.size, *spec.shape)`` and dtype ``spec.dtype``, or raise.

        Raises
        ------
        SourceChanged
            If the samples are no longer what they were when the source was opened.
        SourceIOError
            If the storage failed.
        """
        ...

    def verify(self) -> None:
        """Raise `SourceChanged` if the samples are no longer what they were when the source was opened."""
        ...

    def close(self) -> None:
        """Let go of descriptors. May be called twice."""
        ...


@runtime_checkable
class StreamSource(Protocol):
    """Samples that come once, in order, in arrays of any length.

    Attributes
    ----------
    spec : Spec
        What comes; ``spec.n`` is ``None``.
    """

    @property
    def spec(self) -> Spec: ...  # noqa: D102

    def __iter__(self) -> Iterator[Array]:
        """Yield arrays of shape ``(any, *spec.shape)`` and dtype ``spec.dtype``."""
        ...


def row_reader(source: Source) -> RowReader | None:
    """Give a source's `RowReader`, if it has one."""
    own: Callable[[], RowReader | None] | None = getattr(source, "row_reader", None)
    return own() if own else None
