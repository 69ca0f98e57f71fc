"""How a transform of a given length is done: a function of the length alone, so that no budget can change a byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["LONGEST", "ONE_PIECE", "SMALL_PRIME", "Split", "convolution_length", "largest_prime", "split_of"]

ONE_PIECE = 1 << 16
"""Transforms up to this length are done in one piece."""

LONGEST = 1 << 49
"""No transform is longer."""

SMALL_PRIME = 11
"""The largest that SciPy's transforms have a butterfly for."""

_BALANCE = 8  # no factor is more than so many times the square root
_TRIED = 1 << 20  # primes up to here are found


@dataclass(frozen=True, slots=True)
class Split:
    """A length as a product.

    Attributes
    ----------
    first, second : int
        Lengths of the transforms of the first and the second pass.
    """

    first: int
    second: int

    @property
    def n(self) -> int:
        """The length."""
        return self.first * self.second


@lru_cache(maxsize=64)
def split_of(n: int) -> Split | None:
    """Split a length into two factors of similar size; ``None`` if it has none.

    The first is nearest to half the square root: the input is read in stretches of its complement, which may be longer
    then, and short transforms are quick.
    """
    root = math.sqrt(n)
    fitting = [a for a in _divisors(n) if max(a, n // a) <= _BALANCE * root]
    if not fitting:
        return None
    first = min(fitting, key=lambda a: (abs(math.log(a / (root / 2))), a))
    return Split(first, n // first)


@lru_cache(maxsize=64)
def convolution_length(n: int, multiple: int) -> Split:
    """Give the length for the convolution of Bluestein's algorithm: at least ``2 n - 1``, a product of small primes.

    Of the lengths with factors near the square root, the shortest; the first factor is a multiple of `multiple`.
    """
    least = 2 * n - 1
    root = math.sqrt(least)
    firsts = [a for a in _smooth(root / 2, root * 2) if a % multiple == 0]
    seconds = _smooth(root / 2.5, root * 2.5)
    pairs = ((a, next((b for b in seconds if a * b >= least), None)) for a in firsts)
    return min((Split(a, b) for a, b in pairs if b is not None), key=lambda split: (split.n, split.first))


def largest_prime(n: int) -> int:
    """Give the largest prime factor, or what remains when the small ones are taken out."""
    return max(_factors(n), default=1)


@lru_cache(maxsize=64)
def _factors(n: int) -> dict[int, int]:
    """Give the prime factors and their powers; what remains beyond `_TRIED` counts as one."""
    found: dict[int, int] = {}
    rest, prime = n, 2
    while prime * prime <= rest and prime <= _TRIED:
        while rest % prime == 0:
            found[prime] = found.get(prime, 0) + 1
            rest //= prime
        prime += 1 if prime == 2 else 2
    if rest > 1:
        found[rest] = found.get(rest, 0) + 1
    return found


def _divisors(n: int) -> list[int]:
    found = [1]
    for prime, power in _factors(n).items():
        found = [d * prime**k for d in found for k in range(power + 1)]
    return sorted(found)


def _smooth(low: float, high: float) -> list[int]:
    """List the products of 2, 3 and 5 between two bounds."""
    found = []
    five = 1
    while five <= high:
        three = five
        while three <= high:
            two = three
            while two <= high:
                if two >= low:
                    found.append(two)
                two *= 2
            three *= 3
        five *= 5
    return sorted(found)
