"""The one rule by which every game reads a model's reply: a single bracketed move, last.

Collect every bracketed token that is shaped like this game's answers; unless they are one distinct,
legal move with nothing but white space or punctuation after it, the reply is unreadable. Prose is
never scanned for a move, and an illegal answer is final: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final
from unicodedata import category

from sepo_envs.game import Unreadable

WORD = re.compile(r"\[\s*([A-Za-z]{1,20})\s*\]")
"""Longer words are no answer of any game, and quoting them would fill the next prompt."""
NUMBER = re.compile(r"\[\s*([+-]?[0-9]{1,9})\s*\]")
NUMBERS = re.compile(r"\[\s*([+-]?[0-9]{1,9}(?:\s*,\s*[+-]?[0-9]{1,9}){1,8})\s*\]")

SHORT: Final = 40
"""Characters of a reply that many say alike; what such a one says is remembered."""


def one_of(names: Iterable[str]) -> str:
    """The legal answers as a prompt names them.

    >>> one_of(["check", "bet"])
    '[check] or [bet]'
    >>> one_of("123")
    '[1], [2] or [3]'
    """
    *rest, last = [f"[{name}]" for name in names]
    return f"{', '.join(rest)} or {last}" if rest else last


def read_answer(
    reply: str, *, legal: Sequence[str], shape: re.Pattern[str] = WORD, choices: str = ""
) -> str | Unreadable:
    """The one legal bracketed answer that ends ``reply``; case and inner white space are ignored.

    Args:
        legal: the answers that are legal now, without brackets, in lower case.
        shape: how this game's answers look, legal or not; its first group is the answer.
        choices: how to name the legal answers where there are too many to list them.

    >>> read_answer("They check, so I [Bet].", legal=("check", "bet"))
    'bet'
    >>> read_answer("[check]... or [bet]?", legal=("check", "bet")).reason
    'it names 2 different moves, [check] and [bet], where exactly one is wanted'
    >>> read_answer("I would not bet", legal=("check", "bet")).reason
    'it holds no move in square brackets; the legal moves are [check] or [bet]'
    >>> read_answer("Half for me: [1, 0,2]", legal=("1,0,2",), shape=NUMBERS)
    '1,0,2'
    """
    read = _read_short if len(reply) <= SHORT else _read
    return read(reply, tuple(legal), shape, choices)


def _read(
    reply: str, legal: tuple[str, ...], shape: re.Pattern[str], choices: str
) -> str | Unreadable:
    found = list(shape.finditer(reply))
    distinct = list(dict.fromkeys(["".join(match[1].lower().split()) for match in found]))
    fits = len(distinct) == 1 and distinct[0] in legal
    if fits and not _goes_on(reply[found[-1].end() :]):
        return distinct[0]
    legal_moves = choices or one_of(legal)
    if not distinct:
        return Unreadable(f"it holds no move in square brackets; the legal moves are {legal_moves}")
    if len(distinct) > 1:
        named = " and ".join(f"[{answer}]" for answer in distinct[:4])
        return Unreadable(
            f"it names {len(distinct)} different moves, {named}, where exactly one is wanted"
        )
    if not fits:
        return Unreadable(f"[{distinct[0]}] is not legal here; the legal moves are {legal_moves}")
    return Unreadable(f"it goes on after [{distinct[0]}]; the move must end the reply")


_read_short = lru_cache(maxsize=4_096)(_read)


def _goes_on(tail: str) -> bool:
    """Whether anything but white space and punctuation (or a closing code mark) is said in it.

    >>> _goes_on("**.`"), _goes_on(" \N{CROSS MARK}"), _goes_on(" or not")
    (False, True, True)
    """
    return not all(ch.isspace() or ch == "`" or category(ch)[0] == "P" for ch in tail)


def answer_span(reply: str) -> tuple[int, int] | None:
    """Where the last bracketed answer stands in ``reply``, brackets included; None without one.

    >>> answer_span("So [2].")
    (3, 6)
    """
    found = list(re.finditer(r"\[[^\[\]]*\]", reply))
    return found[-1].span() if found else None
