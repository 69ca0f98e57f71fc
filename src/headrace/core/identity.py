"""What makes two things the same across processes: a digest of all that decides what they do.

Two runs of one program make two operators; whether they are the same is decided by what they hold, as far as that can
be seen: numbers, text and arrays by value; functions by their code, constants, defaults and the values that they take
from around them; other objects by their class and state, which is what pickle would see. Of objects of other
languages, and of modules, only the name is seen; files are told apart by `FileIdentity`, and not here.
"""

from __future__ import annotations

import functools
import re
import sys
import sysconfig
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from headrace.core.arrays import byte_view
from headrace.core.files import FileReader
from headrace.core.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.core.arrays import Array

__all__ = ["Digest", "words_of"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PIECE = 1 << 20  # bytes of an array copied at once, where it does not lie in one piece
_OURS = "headrace."
_VALUES = (type(None), bool, int, float, complex, str, bytes)


def words_of(thing: Any) -> str:
    """Give the repr of a thing, without the address that a process happened to give it.

    Examples
    --------
    >>> words_of(object())
    '<object object>'
    """
    return _ADDRESS.sub("", repr(thing))


class Digest:
    """Sums things up; the same for the same things in another process.

    Parameters
    ----------
    *things : object
        Taken in this order.

    Attributes
    ----------
    files : list of FileReader
        Those that were found in them, each once.

    Examples
    --------
    >>> Digest([1, 2.0]).hex == Digest([1, 2.0]).hex, Digest([1, 2.0]).hex == Digest([1, 2]).hex
    (True, False)
    """

    def __init__(self, *things: Any) -> None:
        self._sum = xxhash.xxh3_128()
        self._seen: dict[int, int] = {}
        self._classes: set[type] = set()
        self._held: list[Any] = []  # so that no address is given twice
        self.files: list[FileReader] = []
        for thing in things:
            self._take(thing)

    @property
    def hex(self) -> str:
        """The digest, 32 digits."""
        return self._sum.hexdigest()

    def _take(self, thing: Any) -> None:
        if isinstance(thing, _VALUES):
            self._say(type(thing).__name__, repr(thing))
            return
        if id(thing) in self._seen:
            self._say("again", str(self._seen[id(thing)]))
            return
        self._seen[id(thing)] = len(self._seen)
        self._held.append(thing)
        if isinstance(thing, (np.ndarray, np.generic)):
            self._array(np.asarray(thing))
        elif isinstance(thing, (tuple, list)):
            self._many(type(thing).__name__, thing)
        elif isinstance(thing, (set, frozenset)):
            self._many("set", sorted(Digest(item).hex for item in thing))
        elif isinstance(thing, dict):
            self._many("dict", [part for item in thing.items() for part in item])
        elif isinstance(thing, FileReader):
            self._say("file", str(len(self.files)))
            self.files.append(thing)
        else:
            self._object(thing)

    def _say(self, kind: str, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._sum.update(f"{kind} {len(data)} ".encode())
        self._sum.update(data)

    def _many(self, kind: str, things: Iterable[Any]) -> None:
        items = list(things)
        self._say(kind, str(len(items)))
        for item in items:
            self._take(item)

    def _array(self, array: Array) -> None:
        self._say("array", f"{np.lib.format.dtype_to_descr(array.dtype)} {array.shape}")
        if array.dtype.hasobject:
            self._many("objects", array.ravel().tolist())
        elif array.flags.c_contiguous and array.nbytes:
            self._sum.update(byte_view(array.reshape(-1).view(np.uint8)))
        elif array.nbytes:
            step = max(1, _PIECE // max(1, array.nbytes // len(array)))
            for first in range(0, len(array), step):
                self._sum.update(array[first : first + step].tobytes())

    def _object(self, thing: Any) -> None:
        if isinstance(thing, types.FunctionType):
            self._function(thing)
        elif isinstance(thing, types.MethodType):
            self._many("method", (thing.__func__, thing.__self__))
        elif isinstance(thing, functools.partial):
            self._many("partial", (thing.func, thing.args, thing.keywords))
        elif isinstance(thing, types.CodeType):
            self._code(thing)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, (np.dtype, range, slice, types.BuiltinFunctionType, np.ufunc)):
            self._say("named", words_of(thing))
        elif isinstance(thing, types.ModuleType):
            self._say("module", thing.__name__)
        else:
            self._class(type(thing))
            self._take(_state_of(thing))

    def _class(self, kind: type) -> None:
        """Take a class's name; and what its functions do, where it is the user's own."""
        self._say("class", f"{kind.__module__}.{kind.__qualname__}")
        if kind in self._classes or self._of_library(kind.__module__):
            return
        self._classes.add(kind)
        for name, value in sorted(vars(kind).items()):
            if not name.startswith("__") or isinstance(value, types.FunctionType):
                self._say("member", name)
                wrapped = isinstance(value, (classmethod, staticmethod))
                self._take(value.fget if isinstance(value, property) else value.__func__ if wrapped else value)
        for base in kind.__bases__:
            self._class(base)

    def _of_library(self, module: str) -> bool:
        """Say whether a module is a library's, and take its version: what it does is then decided."""
        if module.startswith(_OURS):
            return True  # of one version, which journals hold beside the digests
        package = sys.modules.get(module.partition(".")[0])
        file = getattr(package, "__file__", None)
        if package is None or (file is not None and not file.startswith(_library_folders())):
            return False
        if file is None and module not in sys.builtin_module_names:
            return False  # typed in, or a folder without code of its own
        self._say("version", str(getattr(package, "__version__", "")))
        return True

    def _function(self, function: types.FunctionType) -> None:
        self._say("function", function.__qualname__)
        if self._of_library(function.__module__ or ""):
            self._say("module", function.__module__)
            return
        code = function.__code__
        self._code(code)
        self._take(function.__defaults__)
        self._take(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                self._take(cell.cell_contents)
            except ValueError:  # a name that has no value yet
                self._say("cell", "empty")
        self._surroundings(function, code)

    def _surroundings(self, function: types.FunctionType, code: types.CodeType) -> None:
        """Take the values of global names that a function uses: plain values, arrays and functions."""
        taken = (*_VALUES, tuple, list, dict, np.ndarray, np.generic, types.FunctionType, functools.partial, type)
        for name in sorted(_names(code)):
            value = function.__globals__.get(name)
            if value is not None and isinstance(value, taken):
                self._say("global", name)
                self._take(value)

    def _code(self, code: types.CodeType) -> None:
        self._say("code", code.co_name)
        self._sum.update(code.co_code)
        self._many("names", (*code.co_names, *code.co_varnames, *code.co_freevars))
        self._many("consts", code.co_consts)


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _names(code: types.CodeType) -> set[str]:
    """List the global names that code uses, and the functions inside it."""
    found = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found |= _names(const)
    return found


def _state_of(thing: Any) -> Any:
    """Give what pickle would see of an object, or nothing where that cannot be told; of a source without its paths."""
    try:
        state = thing.__getstate__()
    except (TypeError, ValueError, AttributeError):
        return None
    if isinstance(state, dict) and isinstance(thing, Source):
        return {name: value for name, value in state.items() if name != "paths"}  # files are told apart otherwise
    return state
