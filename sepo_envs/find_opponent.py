"""Opponents by name, from every installed package that offers some. Knows no opponent itself.

A package offers opponents for a game through the entry-point group ``sepo.opponents``, in its
``pyproject.toml``; the entry point is named after the game and loads to a mapping of names:

    [project.entry-points."sepo.opponents"]
    kuhn_poker = "my_package.poker:OPPONENTS"
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from random import Random
from typing import Any, Final, Protocol

from sepo_envs.game import FORFEIT, Forfeit, Move
from sepo_envs.hints import did_you_mean

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
        TypeError: it is neither a name nor an opponent, or what is on offer under it is none.
        ValueError: no package offers opponents for the game, or none has that name, or two have.
    """
    if opponent is not None and not isinstance(opponent, str):
        return checked_opponent(opponent)
    offers = _offers(game)
    known = _without_clashes(offers)
    if not offers:
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
    if opponent in offers and opponent not in known:
        (one, _), (other, _), *_ = offers[opponent]
        raise ValueError(
            f"two packages offer an opponent {opponent!r} for {game}: {one} and {other}. "
            "Rename or uninstall one, or pass the opponent itself instead of its name."
        )
    if opponent not in known:
        hint = did_you_mean(opponent, known)
        raise ValueError(
            f"there is no opponent {opponent!r} for {game}.{hint} Known: {', '.join(known)}."
        )
    return checked_opponent(known[opponent])


@dataclass(frozen=True, slots=True)
class Named:
    """An opponent that was found by its name. It is pickled as that name, as its policy may be a
    function that cannot be pickled, and looked up again where it is loaded."""

    game: str
    name: str
    opponent: Opponent

    @classmethod
    def find(cls, game: str, name: str) -> Named:
        """As `find_opponent` does."""
        return cls(game, name, find_opponent(game, name))

    def __reduce__(self) -> tuple[Any, ...]:
        return Named.find, (self.game, self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Named:
        return self


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

    A name under which two packages offer different opponents is left out: it means neither. A
    package whose offer cannot be used is told in a warning, and takes no other's away.
    """
    return _without_clashes(_offers(game))


def known_pools(game: str) -> dict[str, tuple[str, ...]]:
    """The opponents' names in every pool for ``game``, by pool; none where no package shows pools.

    A package shows them as ``POOLS``, a mapping of names to pools with ``opponents``, in the module
    of the opponents that it offers.
    """
    pools: dict[str, tuple[str, ...]] = {}
    for entry, _ in _usable(game):
        try:
            shown = {
                name: tuple(opponent.name for opponent in pool.opponents)
                for name, pool in getattr(import_module(entry.module), "POOLS", {}).items()
            }
        except Exception as error:  # of a stranger's code: told, not swallowed
            _warn(entry, f"the POOLS beside it raise {type(error).__name__}: {error}")
            continue
        for name, players in shown.items():
            pools[name] = (*pools.get(name, ()), *players)
    return pools


def _offers(game: str) -> dict[str, list[tuple[str, Opponent]]]:
    """By name, each different opponent on offer and who offers it."""
    offers: dict[str, list[tuple[str, Opponent]]] = {}
    for entry, offered in _usable(game):
        for name, opponent in offered.items():
            same = offers.setdefault(name, [])
            if all(opponent is not known for _, known in same):
                same.append((_who(entry), opponent))
    return offers


def _without_clashes(offers: Mapping[str, list[tuple[str, Opponent]]]) -> dict[str, Opponent]:
    return {name: offered[0][1] for name, offered in offers.items() if len(offered) == 1}


def _usable(game: str) -> Iterator[tuple[EntryPoint, Mapping[str, Opponent]]]:
    """Every entry point for ``game`` that loads to a mapping of names; a warning on any other."""
    for entry in entry_points(group=GROUP, name=game):
        try:
            offered = entry.load()
        except Exception as error:  # of a stranger's code: told, not swallowed
            _warn(entry, f"loading it raises {type(error).__name__}: {error}")
            continue
        if not isinstance(offered, Mapping) or not all(isinstance(name, str) for name in offered):
            _warn(entry, f"it is a {type(offered).__name__}, not a mapping of names to opponents")
            continue
        yield entry, offered


def _warn(entry: EntryPoint, why: str) -> None:
    warnings.warn(
        f"the opponents for {entry.name} that {_who(entry)} offers are left out: {why}. "
        "Mend that package's pyproject.toml, or uninstall it.",
        stacklevel=4,
    )


def _who(entry: EntryPoint) -> str:
    return f"{entry.dist.name} ({entry.value})" if entry.dist else entry.value


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
