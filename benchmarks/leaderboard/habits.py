"""What an agent does how often, in kinds of situations that a reader can hold in mind.

    kuhn_poker          each of the twelve situations                     pass, bet
    prisoners_dilemma   after the last round's moves, its own first       C, D
    repeated_auction    by value                                          the bid
    split_negotiation   by round                                          the demand
    item_negotiation    by round                                          points demanded, to itself

Read from what a seat has seen in the end, so a forfeited move counts as what it was taken for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sepo_envs.episode import Episode
from sepo_envs.game import FORFEIT
from sepo_envs.games.item_negotiation.rules import worth


class Habit(NamedTuple):
    """One decision."""

    kind: str
    """Of situation."""
    move: str


def habits(episode: Episode, seat: int) -> Iterator[Habit]:
    """Every decision of ``seat`` in a finished episode; none in a domain not known here.

    >>> from sepo_envs.episode import begin
    >>> from sepo_envs.games.prisoners_dilemma.rules import Move, PrisonersDilemma
    >>> match = begin(PrisonersDilemma(rounds=2))
    >>> for move in (Move.COOPERATE, Move.DEFECT, Move.DEFECT, Move.DEFECT):
    ...     match = match.play(move)
    >>> list(habits(match, seat=0))
    [Habit(kind='start', move='C'), Habit(kind='after CD', move='D')]
    """
    read = _READ.get(episode.game.name)
    return iter(()) if read is None else read(episode, seat)


def _kuhn_poker(episode: Episode, seat: int) -> Iterator[Habit]:
    for state, move in episode.decisions(seat):
        made = "forfeit" if move is FORFEIT else str(move)
        yield Habit(episode.game.observe(state, seat).situation, made)


def _prisoners_dilemma(episode: Episode, seat: int) -> Iterator[Habit]:
    seen = _seen(episode, seat)
    letters = [(mine.value[0].upper(), theirs.value[0].upper()) for mine, theirs in _pairs(seen)]
    kinds = ["start", *(f"after {mine}{theirs}" for mine, theirs in letters)]
    for kind, (mine, _) in zip(kinds, letters, strict=False):
        yield Habit(kind, mine)


def _pairs(seen: Any) -> Iterator[tuple[Any, Any]]:
    return zip(seen.mine, seen.theirs, strict=True)


def _repeated_auction(episode: Episode, seat: int) -> Iterator[Habit]:
    for past in _seen(episode, seat).past:
        bid = past.bids[seat]
        yield Habit(f"value {past.value}", "no bid" if bid is None else str(bid))


def _split_negotiation(episode: Episode, seat: int) -> Iterator[Habit]:
    for number, (mine, _) in enumerate(_seen(episode, seat).history, 1):
        yield Habit(f"round {number}", str(mine))


def _item_negotiation(episode: Episode, seat: int) -> Iterator[Habit]:
    for number, past in enumerate(_seen(episode, seat).history, 1):
        yield Habit(f"round {number}", str(worth(past.values, past.mine)))


def _seen(episode: Episode, seat: int) -> Any:
    return episode.game.observe(episode.state, seat)


_READ: Final[Mapping[str, Callable[[Episode, int], Iterator[Habit]]]] = {
    "kuhn_poker": _kuhn_poker,
    "prisoners_dilemma": _prisoners_dilemma,
    "repeated_auction": _repeated_auction,
    "split_negotiation": _split_negotiation,
    "item_negotiation": _item_negotiation,
}
