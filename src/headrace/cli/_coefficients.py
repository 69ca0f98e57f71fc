"""Filters and templates from .npy files, read as untrusted bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["read_sos", "read_taps", "read_templates"]

_MAX_BYTES = 1 << 30


def read_taps(path: str) -> Array:
    """Read an impulse response from a .npy file.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    ndarray, shape (k,)
        As stored.

    Raises
    ------
    FormatError
        If the file is no readable .npy file of numbers.
    SchemaError
        If it holds anything but one row of numbers.
    """
    return _read(
        path, "--taps", "one row of numbers (k,)", "save the impulse response with numpy.save('taps.npy', taps)"
    )


def read_sos(path: str) -> Array:
    """Read second-order sections from a .npy file.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    ndarray, shape (sections, 6)
        As stored.

    Raises
    ------
    FormatError
        If the file is no readable .npy file of numbers.
    SchemaError
        If it holds anything but rows of six numbers.
    """
    return _read(
        path,
        "--sos",
        "second-order sections, rows of six numbers (s, 6)",
        "save what scipy.signal.butter(..., output='sos') gives with numpy.save('sos.npy', sos)",
    )


def read_templates(path: str) -> Array:
    """Read templates from a .npy file.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    ndarray, shape (w,), (k, w) or (k, w, channels)
        As stored.

    Raises
    ------
    FormatError
        If the file is no readable .npy file of numbers.
    SchemaError
        If it holds anything but templates.
    """
    return _read(
        path,
        "--template",
        "templates (w,), (k, w) or (k, w, channels)",
        "save the templates with numpy.save('templates.npy', templates)",
    )


def _fits(option: str, shape: tuple[int, ...]) -> bool:
    if option == "--sos":
        return shape[1:] == (6,) and shape[0] > 0
    return len(shape) == 1 if option == "--taps" else 1 <= len(shape) <= 3


def _read(path: str, option: str, wanted: str, remedy: str) -> Array:
    import numpy as np

    from headrace.core.arrays import byte_view
    from headrace.core.files import FileReader
    from headrace.core.npy import NpyHeader

    try:
        reader = FileReader(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(2, f"no such file, given as {option}; {remedy}", path) from error
    with reader as file:
        try:
            header = NpyHeader.read(file)
        except FormatError as error:
            raise FormatError(f"{option}: {error}; {remedy}") from error
        if not _fits(option, header.shape) or header.dtype.kind not in ("iufc" if option == "--taps" else "iuf"):
            raise SchemaError(f"{option}: {path} holds shape {header.shape} of {header.dtype}, not {wanted}; {remedy}")
        if file.size > _MAX_BYTES:
            raise SchemaError(f"{option}: {path} has {file.size} bytes, more than any filter; {remedy}")
        numbers: Array = np.empty(header.shape, header.dtype, order="F" if header.fortran_order else "C")
        if numbers.nbytes:
            file.read_into(byte_view(numbers.T if header.fortran_order else numbers), header.offset)
    return numbers
