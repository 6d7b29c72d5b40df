"""The one rule by which every game reads a model's reply: a single bracketed move, last. Knows no
game.

Collect every bracketed token that is shaped like this game's answers; unless they are one distinct,
legal move with nothing but white space or punctuation after it, the reply is unreadable. Prose is
never scanned for a move, and an illegal answer is final: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sepo_envs.game import Unreadable

WORD = re.compile(r"\[\s*([A-Za-z]{1,20})\s*\]")
"""Longer words are no answer of any game, and quoting them would fill the next prompt."""
AFTERTHOUGHT = re.compile(r"[^\W_]")


def one_of(names: Iterable[str]) -> str:
    """The legal answers as a prompt names them.

    >>> one_of(["check", "bet"])
    '[check] or [bet]'
    >>> one_of("123")
    '[1], [2] or [3]'
    """
    *rest, last = [f"[{name}]" for name in names]
    return f"{', '.join(rest)} or {last}" if rest else last


def read_word(reply: str, *, legal: Sequence[str]) -> str | Unreadable:
    """The one legal bracketed word that ends ``reply``; case is ignored.

    >>> read_word("They check, so I [Bet].", legal=("check", "bet"))
    'bet'
    >>> read_word("[check]... or [bet]?", legal=("check", "bet")).reason
    'it names 2 different moves, [check] and [bet], where exactly one is wanted'
    >>> read_word("I would not bet", legal=("check", "bet")).reason
    'it holds no move in square brackets; the legal moves are [check] or [bet]'
    """
    found = list(WORD.finditer(reply))
    distinct = list(dict.fromkeys(match[1].lower() for match in found))
    if not distinct:
        return Unreadable(
            f"it holds no move in square brackets; the legal moves are {one_of(legal)}"
        )
    if len(distinct) > 1:
        named = " and ".join(f"[{word}]" for word in distinct[:4])
        return Unreadable(
            f"it names {len(distinct)} different moves, {named}, where exactly one is wanted"
        )
    if distinct[0] not in legal:
        return Unreadable(f"[{distinct[0]}] is not legal here; the legal moves are {one_of(legal)}")
    if AFTERTHOUGHT.search(reply, found[-1].end()):
        return Unreadable(f"it goes on after [{distinct[0]}]; the move must end the reply")
    return distinct[0]


def answer_span(reply: str) -> tuple[int, int] | None:
    """Where the last bracketed answer stands in ``reply``, brackets included; None without one.

    >>> answer_span("So [2].")
    (3, 6)
    """
    found = list(re.finditer(r"\[[^\[\]]*\]", reply))
    return found[-1].span() if found else None
