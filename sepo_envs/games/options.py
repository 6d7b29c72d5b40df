"""Checks of the options that a rulebook is made with: people write them by hand. Knows no game.

Whole numbers of other types, numpy's among them, become ints: options are compared and go to JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any


def check_whole(name: str, value: Any, *, least: int, because: str) -> int:
    """``value`` as an int, if it is a whole number of at least ``least``; a bool is none, nor 3.0.

    Raises:
        ValueError: saying ``because``, the rule that the value breaks.

    >>> import numpy as np
    >>> check_whole("rounds", np.int64(4), least=1, because="a match has at least 1 round")
    4
    >>> check_whole("rounds", 2.5, least=1, because="a match has at least 1 round")
    Traceback (most recent call last):
        ...
    ValueError: rounds is 2.5, but a match has at least 1 round, and a whole number of them: \
write an int.
    """
    if not _is_whole(value):
        raise ValueError(
            f"{name} is {value!r}, but {because}, and a whole number of them: write an int."
        )
    if value < least:
        raise ValueError(f"{name} is {value!r}, but {because}.")
    return int(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_number(name: str, value: Any, *, because: str) -> None:
    """Refuse anything but a finite number.

    Raises:
        ValueError: saying ``because``, what the value is for.

    >>> check_number("noise", "0.1", because="a choice slips with a probability")
    Traceback (most recent call last):
        ...
    ValueError: noise is '0.1', but a choice slips with a probability: write a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name} is {value!r}, but {because}: write a finite number.")


def check_flag(name: str, value: Any) -> None:
    """Refuse anything but True and False, such as the text "false".

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, but it is a yes or no: write True or False.")


def listed(name: str, value: Any, *, of: str) -> tuple[Any, ...]:
    """``value`` as a tuple, its whole numbers as ints: JSON and command lines have lists where an
    option is a tuple.

    Raises:
        ValueError: it is no list.

    >>> listed("bids", 3, of="bids")
    Traceback (most recent call last):
        ...
    ValueError: bids is 3, but a list of bids is wanted, even of one: write [3].
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValueError(
            f"{name} is {value!r}, but a list of {of} is wanted, even of one: write [{value!r}]."
        )
    return tuple(int(each) if _is_whole(each) else each for each in value)
