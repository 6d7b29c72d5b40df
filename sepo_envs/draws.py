"""Chance without a generator: every draw has an address, and its number is a hash of it.

An address is ``(seed, episode, stream, index)``: the seed a user gave; which episode since then;
who draws, ``deal`` for chance and ``seat 1`` for whoever sits there; and how many draws of that
stream came before. Nothing is carried along, so any draw can be computed alone, a thousand episodes
can be drawn at once, and a saved match goes on with the very draws it would have had.

`Draws` is the sequence of one stream as a ``random.Random``, `uniforms` its twin in numpy. They
agree bit for bit:

>>> source = Source(seed=7)
>>> [source.draws("deal").random()] == uniforms(keys([7], [0]) + offset("deal"), 0).tolist()
True

The hash is SplitMix64: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014; the finaliser's constants are D. Stafford's "Mix13". Its sequence is a
function of a counter, so streams are far-apart stretches of one sequence per episode.
"""

from __future__ import annotations

import operator
from functools import cache
from hashlib import blake2b
from random import Random
from secrets import randbits
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

GOLDEN: Final = 0x9E3779B97F4A7C15
"""The odd number nearest 2**64 / golden ratio: the step between successive counters."""
WORD: Final = 0xFFFFFFFFFFFFFFFF
"""Sums and products are taken modulo 2**64."""

Keys = NDArray[np.uint64]


def mix(z: int) -> int:
    """SplitMix64's finaliser: a one-to-one scramble of 64 bits.

    >>> hex(mix(GOLDEN))  # the first output of the published generator, seeded with 0
    '0xe220a8397b1dcdaf'
    """
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def mix_all(z: Keys) -> Keys:
    """`mix` of each number; ``z`` itself is overwritten."""
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


@cache
def offset(stream: str) -> int:
    """Where ``stream`` starts in an episode's sequence: a hash of its name."""
    return int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")


def key(seed: int, episode: int) -> int:
    """Where the sequence of one episode starts."""
    return mix((mix((seed + GOLDEN) & WORD) + GOLDEN * (episode + 1)) & WORD)


def keys(seeds: ArrayLike, episodes: ArrayLike) -> Keys:
    """`key` of each seed and episode number, broadcast against each other."""
    start = mix_all(np.atleast_1d(np.asarray(seeds, np.uint64)) + np.uint64(GOLDEN))
    count = np.atleast_1d(np.asarray(episodes, np.uint64)) + np.uint64(1)
    return mix_all(start + count * np.uint64(GOLDEN))


def uniforms(keys: Keys, index: ArrayLike) -> NDArray[np.float64]:
    """Draw number ``index``, from 0 on, of each key: floats in [0, 1), in steps of 2**-53.

    ``keys`` and ``index`` broadcast. A key is that of an episode plus the `offset` of a stream.
    """
    step = (np.atleast_1d(np.asarray(index, np.uint64)) + np.uint64(1)) * np.uint64(GOLDEN)
    return to_floats(mix_all(keys + step))


def to_floats(z: Keys) -> NDArray[np.float64]:
    """The highest 53 bits of each number as a float in [0, 1)."""
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Floats:
    """One stream of one episode, number by number: all that dealing asks for.

    Args:
        seed, episode, stream: the stream's address.
        index: how many of its draws are already used.
    """

    def __init__(self, seed: int, episode: int, stream: str, index: int = 0) -> None:
        self.counter = (key(seed, episode) + offset(stream) + GOLDEN * index) & WORD

    def random(self) -> float:
        """The next number, in [0, 1)."""
        self.counter = counter = (self.counter + GOLDEN) & WORD
        return (mix(counter) >> 11) * 2.0**-53


class Draws(Floats, Random):
    """One stream of one episode as a ``random.Random``: ``choices``, ``randrange``, ... all work.

    Each ``random()``, each ``choices`` of one, and each 64 bits begun are one draw.

    >>> Draws(7, 0, "deal").choices("JQK") == Draws(7, 0, "deal").choices("JQK")
    True
    """

    gauss_next: float | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Draws:
        return super().__new__(cls)

    def getrandbits(self, k: int, /) -> int:
        """``k`` random bits.

        Raises:
            ValueError: k is negative.
        """
        if k < 0:
            raise ValueError(f"getrandbits was asked for {k} bits; ask for 0 or more.")
        words = -(-k // 64)
        bits = 0
        for _ in range(words):
            bits = bits << 64 | self._next()
        return bits >> (64 * words - k)

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """Refused: a stream is its address.

        Raises:
            TypeError: always.
        """
        raise TypeError("a stream of draws has no seed of its own: make Draws(seed, ...) instead.")

    def getstate(self) -> tuple[Any, ...]:
        return self.counter, self.gauss_next

    def setstate(self, state: tuple[Any, ...]) -> None:
        self.counter, self.gauss_next = state

    def __reduce__(self) -> tuple[Any, ...]:
        return Draws.__new__, (Draws,), self.getstate()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.setstate(state)

    def _next(self) -> int:
        self.counter = (self.counter + GOLDEN) & WORD
        return mix(self.counter)


class Source(NamedTuple):
    """Where all draws of one episode come from: a seed, and which episode since it was given."""

    seed: int
    episode: int = 0

    def draws(self, stream: str, index: int = 0) -> Draws:
        """The stream of that name, from its draw number ``index`` on."""
        return Draws(self.seed, self.episode, stream, index)

    def floats(self, stream: str, index: int = 0) -> Floats:
        """`draws`, where single numbers are enough."""
        return Floats(self.seed, self.episode, stream, index)


def next_source(last: Source | None, seed: Any) -> Source:
    """The source of the next episode: episode 0 of a given ``seed``, else the one after ``last``.

    Without either, a seed is drawn from the system's entropy.

    >>> next_source(Source(7, 2), None), next_source(Source(7, 2), 5)
    (Source(seed=7, episode=3), Source(seed=5, episode=0))

    Raises:
        TypeError: the seed is no whole number.
        ValueError: it is negative, or needs more than 64 bits.
    """
    if seed is not None:
        return Source(checked_seed(seed))
    return Source(randbits(63)) if last is None else Source(last.seed, last.episode + 1)


def checked_seed(seed: Any, name: str = "seed") -> int:
    """``seed`` as an int; ``name`` is what an error calls it.

    >>> checked_seed(np.int64(7))
    7
    >>> checked_seed(-1)
    Traceback (most recent call last):
        ...
    ValueError: seed is -1, but must be a whole number from 0 to 2**64 - 1. Use abs(seed), say.

    Raises:
        TypeError: the seed is no whole number.
        ValueError: it is negative, or needs more than 64 bits.
    """
    if type(seed) is int and 0 <= seed <= WORD:
        return seed
    try:
        if isinstance(seed, bool | np.bool_):
            raise TypeError
        number = operator.index(seed)
    except TypeError:
        raise TypeError(
            f"{name} is {seed!r}, a {type(seed).__name__}, but must be a whole number from 0 on: "
            f"give an int."
        ) from None
    if not 0 <= number <= WORD:
        mend = f"abs({name})" if number < 0 else f"{name} % 2**64"
        raise ValueError(
            f"{name} is {number}, but must be a whole number from 0 to 2**64 - 1. Use {mend}, say."
        )
    return number


def checked_seeds(seeds: ArrayLike, name: str = "seed") -> Keys:
    """One or many seeds, ``(seeds,)``, each as `checked_seed` wants it."""
    many = np.asarray(seeds)
    if many.dtype.kind not in "iu" or many.min(initial=0) < 0:
        many = np.array(
            [checked_seed(seed, name) for seed in np.atleast_1d(np.array(seeds, object))], np.uint64
        )
    return np.atleast_1d(many).astype(np.uint64)


def seat_stream(seat: int) -> str:
    """The name of the stream from which whoever sits at ``seat`` draws."""
    return f"seat {seat}"


DEAL: Final = "deal"
"""The stream of chance itself."""
SEATING: Final = "seating"
"""The stream of who sits where, where an environment draws it."""
