"""What a run does, described so that a later run can tell whether it does the same, and name what differs."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.files import FileIdentity
from headrace.core.identity import Digest, words_of
from headrace.core.source import Source
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headrace.core.source import StreamSource

__all__ = ["differences", "job_of"]

_IDENTITY = ("device", "inode", "size", "mtime_ns")


@dataclass(frozen=True, slots=True)
class _Part:
    """A thing that decides the output: in words, and summed up."""

    words: str
    digest: str

    @classmethod
    def of(cls, thing: Any) -> _Part:
        return cls(words_of(thing), Digest(thing).hex)


def job_of(source: Source | StreamSource, stages: Sequence[Any], output: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run in plain JSON types.

    Parameters
    ----------
    source : Source or StreamSource
        What is read.
    stages : sequence
        What is done to it: operators, and the function of blocks that a table is made with.
    output : mapping of str to str, int, float or None
        What is made of it: format, dtype; whatever decides a byte.

    Raises
    ------
    SchemaError
        If the source comes once, as a stream: it cannot be read again.
    """
    if not isinstance(source, Source):
        raise SchemaError(
            f"{source!r} comes once, and cannot be read again after a kill: resume= needs a file or an array; record "
            "the stream to a file first, or run without resume"
        )
    read = Digest(source)
    inputs = [{"path": file.path, **asdict(file.identity)} for file in read.files]
    known = {file.path for file in read.files}
    inputs += [{"path": path, **_identity_now(path)} for path in source.paths if path not in known]
    return {
        "made_with": _made_with(),
        "inputs": inputs,
        "source": asdict(_Part(words_of(source), read.hex)),
        "stages": [asdict(_Part.of(stage)) for stage in stages],
        "output": dict(output),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two jobs, each difference in a clause; an empty list if nothing does."""
    found = [
        f"{name} {then['made_with'].get(name)} then, {version} now"
        for name, version in now["made_with"].items()
        if then["made_with"].get(name) != version
    ]
    changed = list(_changed_inputs(then["inputs"], now["inputs"]))
    found += changed
    if then["source"]["digest"] != now["source"]["digest"] and not changed:
        found.append(_changed_source(then["source"], now["source"], from_files=bool(now["inputs"])))
    found += _changed_stages(then["stages"], now["stages"])
    names = dict.fromkeys([*then["output"], *now["output"]])
    found += [
        f"{name} {_shown(then['output'].get(name))} then, {_shown(now['output'].get(name))} now"
        for name in names
        if then["output"].get(name) != now["output"].get(name)
    ]
    return found


def _made_with() -> dict[str, str]:
    """Name what the bytes of an output depend on besides the job."""
    import headrace

    return {
        "headrace": headrace.__version__,
        "NumPy": np.__version__,
        "SciPy": _installed("scipy"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
    }


def _installed(package: str) -> str:
    """Give the version of a package without importing it, or the megabytes of `importlib.metadata`."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return "none"
    found = sorted(Path(spec.origin).parents[1].glob(f"{package}-*.dist-info"))
    return found[-1].name.removeprefix(f"{package}-").removesuffix(".dist-info") if found else "unknown"


def _identity_now(path: str) -> dict[str, int]:
    """Look at a file that a source of somebody else's making reads."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return asdict(FileIdentity.of(fd))
    finally:
        os.close(fd)


def _changed_inputs(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(then) != len(now):
        yield f"{len(then)} input files then, {len(now)} now"
        return
    for old, new in zip(then, now, strict=True):
        before, after = (FileIdentity(*(file[name] for name in _IDENTITY)) for file in (old, new))
        if before != after:
            yield f"the input {new['path']} {before.difference(after)}"


def _changed_source(then: Mapping[str, str], now: Mapping[str, str], *, from_files: bool) -> str:
    if then["words"] != now["words"]:
        return f"input: {then['words']} then, {now['words']} now"
    what = "is read in another way (dtype, channels, rate, scale, part)" if from_files else "holds other samples"
    return f"the input {now['words']} {what}"


def _changed_stages(then: Sequence[Mapping[str, str]], now: Sequence[Mapping[str, str]]) -> list[str]:
    if [stage["digest"] for stage in then] == [stage["digest"] for stage in now]:
        return []
    words = [", ".join(stage["words"] for stage in stages) or "none" for stages in (then, now)]
    if words[0] != words[1]:
        return [f"operators: {words[0]} then, {words[1]} now"]
    other = [new["words"] for old, new in zip(then, now, strict=True) if old["digest"] != new["digest"]]
    return [f"operators: {', '.join(other)} with other numbers, or of other code, than now"]


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
