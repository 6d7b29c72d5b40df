"""Opponents by name, from every installed package that offers some. Knows no opponent itself.

A package offers opponents for a game through the entry-point group ``sepo.opponents``, in its
``pyproject.toml``; the entry point is named after the game and loads to a mapping of names:

    [project.entry-points."sepo.opponents"]
    kuhn_poker = "my_package.poker:OPPONENTS"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from random import Random
from typing import Any, Final, Protocol

from sepo_envs.game import FORFEIT, Forfeit, Move

GROUP: Final = "sepo.opponents"


class Opponent(Protocol):
    """Whoever sits in the other seats."""

    @property
    def name(self) -> str:
        """As shown in infos."""

    def act(self, observation: Any, legal: Sequence[Move], rng: Random) -> Move | Forfeit:
        """One legal move. An error raised here reaches the caller of ``step``; it is no move."""


def find_opponent(game: str, opponent: Opponent | str | None) -> Opponent:
    """``opponent`` itself, or the one of that name for ``game``.

    Raises:
        TypeError: it is neither a name nor an opponent.
        ValueError: no package offers opponents for the game, or none has that name.
    """
    if opponent is not None and not isinstance(opponent, str):
        return checked_opponent(opponent)
    known = known_opponents(game)
    if not known:
        raise ValueError(
            f"no installed package offers opponents for {game!r}. Run `pip install sepo` (in a "
            "checkout, `pip install -e .`), or offer your own in a pyproject.toml: "
            f'[project.entry-points."{GROUP}"] {game} = "your_package:OPPONENTS". '
            "An object with .name and .act() works without."
        )
    if opponent is None:
        raise ValueError(
            f"the environment needs an opponent: opponent={next(iter(known))!r}, say. "
            f"Known for {game}: {', '.join(known)}."
        )
    if opponent not in known:
        near = get_close_matches(opponent, known)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"there is no opponent {opponent!r} for {game}.{hint} Known: {', '.join(known)}."
        )
    return known[opponent]


def checked_opponent(opponent: Any) -> Opponent:
    """``opponent``, if it has a name and can act.

    >>> checked_opponent(print)
    Traceback (most recent call last):
        ...
    TypeError: opponent <built-in function print> has no name and no act(observation, legal, rng). \
Give the name of an opponent, or an object that has both.

    Raises:
        TypeError: it lacks one of them, or is a class instead of an opponent made from it.
    """
    if isinstance(opponent, type):
        raise TypeError(
            f"opponent is the class {opponent.__name__}. Make one of it: {opponent.__name__}(...)."
        )
    lacks = [] if isinstance(getattr(opponent, "name", None), str) else ["no name"]
    lacks += [] if callable(getattr(opponent, "act", None)) else ["no act(observation, legal, rng)"]
    if lacks:
        raise TypeError(
            f"opponent {opponent!r} has {' and '.join(lacks)}. "
            "Give the name of an opponent, or an object that has both."
        )
    found: Opponent = opponent
    return found


def known_opponents(game: str) -> dict[str, Opponent]:
    """Every opponent on offer for ``game``, by name.

    Raises:
        ValueError: two packages offer different opponents under one name.
    """
    known: dict[str, Opponent] = {}
    for entry in entry_points(group=GROUP, name=game):
        offered: Mapping[str, Opponent] = entry.load()
        clash = [name for name in offered if known.get(name, offered[name]) is not offered[name]]
        if clash:
            raise ValueError(
                f"two packages offer an opponent {clash[0]!r} for {game}, one of them as "
                f"{entry.value}. Rename one, or pass the opponent itself instead of its name."
            )
        known |= offered
    return known


def known_pools(game: str) -> dict[str, tuple[str, ...]]:
    """The opponents' names in every pool for ``game``, by pool; none where no package shows pools.

    A package shows them as ``POOLS``, a mapping of names to pools with ``opponents``, in the module
    of the opponents that it offers.
    """
    pools: dict[str, tuple[str, ...]] = {}
    for entry in entry_points(group=GROUP, name=game):
        for name, pool in getattr(import_module(entry.module), "POOLS", {}).items():
            pools[name] = (*pools.get(name, ()), *(opponent.name for opponent in pool.opponents))
    return pools


def played_by(opponent: Opponent, move: Any, legal: Sequence[Move]) -> Move | Forfeit:
    """The legal move that ``opponent`` answered with, as the rules spell it, or its FORFEIT.

    What only equals a legal move (``np.int64(2)``, ``2.0``) is not kept: records hold moves.

    Raises:
        ValueError: the answer is no legal move.

    >>> class Fixed:
    ...     name = "fixed"
    >>> played_by(Fixed(), 2.0, (1, 2, 3))
    2
    """
    if move is FORFEIT:
        return FORFEIT
    if move not in legal:
        raise ValueError(
            f"opponent {opponent.name!r} played {move!r}, where only {tuple(legal)} are "
            "legal. Mend its act: it is given the legal moves and must return one of them."
        )
    return legal[legal.index(move)]
