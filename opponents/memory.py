"""How little of a match its players remember, so that whoever computes with it can forget the rest.

A *forget* is ``(state, seat, players) -> state``: the state less what can matter neither to what
``players``, by seat, do from here on, nor to what ``seat`` is paid from here on. It has as many
finished rounds as before, and it forgets alike from what was forgotten before.

`forgetting` gives the one of a domain for players whom it knows; strangers may remember everything.
`tests/opponents/test_memory.py` holds each against the strategies themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Final, NamedTuple, TypeAlias

from opponents import (
    item_negotiation,
    kuhn_poker,
    prisoners_dilemma,
    repeated_auction,
    split_negotiation,
)
from sepo_envs.exact.reading import Policy
from sepo_envs.game import State
from sepo_envs.games.item_negotiation import rules as item
from sepo_envs.games.kuhn_poker import rules as kuhn
from sepo_envs.games.prisoners_dilemma import rules as dilemma
from sepo_envs.games.repeated_auction import rules as auction
from sepo_envs.games.split_negotiation import rules as split

Players: TypeAlias = Mapping[int, Policy]
"""The fixed players, by seat."""
Forget: TypeAlias = Callable[[State, int, Players], State]

_SETTLED: Final = kuhn.Hand((kuhn.Card.JACK, kuhn.Card.QUEEN), "pp")
_COOPERATED: Final = dilemma.PLAYED[dilemma.COOPERATE, dilemma.COOPERATE]
_DEFECTED: Final = dilemma.PLAYED[dilemma.DEFECT, dilemma.DEFECT]
_NOTHING: Final = item.Round((item.NOTHING, item.NOTHING), (item.NOTHING, item.NOTHING))
_READ_LAST_BIDS: Final = (repeated_auction.LADDER, repeated_auction.TIT_FOR_TAT)
_ECHOES: Final = (item_negotiation.TIT_FOR_TAT, item_negotiation.YIELDER)


def everything(state: State, seat: int, players: Players) -> State:
    """Forgets nothing."""
    return state


def kuhn_hands(state: kuhn.State, seat: int, players: Players) -> kuhn.State:
    """Everybody looks at the hand on the table alone."""
    return kuhn.State((_SETTLED,) * len(state.settled), state.hand)


def dilemma_rounds(state: dilemma.State, seat: int, players: Players) -> dilemma.State:
    """Most remember the last round; grim, whether the other has ever defected; two, everything."""
    grim = [place for place, player in players.items() if player is prisoners_dilemma.GRIM]
    both = (prisoners_dilemma.PROBER, prisoners_dilemma.GRADUAL)
    if not state.played or len(grim) > 1 or any(player in both for player in players.values()):
        return state
    *past, last = state.played
    wronged = any(done.done(1 - place) is dilemma.DEFECT for place in grim for done in past)
    blank = _DEFECTED if wronged else _COOPERATED
    return dilemma.State((*[blank] * len(past), last), state.running, state.goes_on)


def auction_rounds(state: auction.State, seat: int, players: Players) -> auction.State:
    """Adaptive remembers how often which bids were made; two, the last round; nobody, values."""
    if not state.settled:
        return state
    ones = (1,) * len(state.settled[-1].values)
    past = [auction.Round(ones, settled.bids, settled.winner) for settled in state.settled]
    reads_last = any(player in _READ_LAST_BIDS for player in players.values())
    if repeated_auction.ADAPTIVE in players.values():
        if not reads_last:
            past = [auction.Round(ones, settled.bids, 0) for settled in sorted(past, key=_made)]
        return auction.State(tuple(past), state.round)
    blank = auction.Round(ones, ones, 0)
    last = past[-1] if reads_last else blank
    return auction.State((*[blank] * (len(past) - 1), last), state.round)


def _made(settled: auction.Round) -> tuple[int, ...]:
    return tuple(-1 if bid is None else bid for bid in settled.bids)


def split_rounds(state: split.State, seat: int, players: Players) -> split.State:
    """All but the published conceder remember the last round only."""
    if split_negotiation.CONCEDES_ONCE in players.values():
        return state
    return split.State(((1, 1),) * (len(state.history) - 1) + state.history[-1:])


def item_rounds(state: item.State, seat: int, players: Players) -> item.State:
    """Two echo the other's last demand and best-reply remembers them all; nobody, past values."""
    if not state.settled:
        return state
    if item_negotiation.BEST_REPLY in players.values():
        past = [settled._replace(values=_NOTHING.values) for settled in state.settled]
        return item.State(state.table, state.values, tuple(past))
    demands = [item.NOTHING, item.NOTHING]
    for place, player in players.items():
        if player in _ECHOES:
            demands[1 - place] = state.settled[-1].demands[1 - place]
    last = _NOTHING._replace(demands=(demands[0], demands[1]))
    return item.State(state.table, state.values, (*[_NOTHING] * (len(state.settled) - 1), last))


class Library(NamedTuple):
    """What is known of the strategies of one domain."""

    module: ModuleType
    forget: Forget

    def knows(self, player: Policy) -> bool:
        drawn = [demonstrator for demonstrator, _ in self.module.DEMONSTRATORS]
        return any(player is known for known in (*self.module.OPPONENTS.values(), *drawn))


LIBRARIES: Final[Mapping[str, Library]] = {
    "kuhn_poker": Library(kuhn_poker, kuhn_hands),
    "prisoners_dilemma": Library(prisoners_dilemma, dilemma_rounds),
    "repeated_auction": Library(repeated_auction, auction_rounds),
    "split_negotiation": Library(split_negotiation, split_rounds),
    "item_negotiation": Library(item_negotiation, item_rounds),
}
"""By domain."""


def forgetting(domain: str, players: Iterable[Policy]) -> Forget:
    """What may be forgotten of a match of ``domain`` in which these players sit.

    >>> forgetting("kuhn_poker", [kuhn_poker.NASH]).__name__
    'kuhn_hands'
    >>> forgetting("kuhn_poker", [kuhn_poker.NASH, kuhn_poker.nash_table(0.1)]).__name__
    'everything'
    """
    library = LIBRARIES.get(domain)
    if library is None or not all(map(library.knows, players)):
        return everything
    return library.forget
