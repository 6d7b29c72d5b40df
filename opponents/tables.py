"""The tables of `opponents.decisions`: each domain's default rules and pools, and how little of a
match its opponents remember.

`tests/opponents/test_decisions.py` holds every ``forget`` against the opponents themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from types import ModuleType
from typing import Any

from opponents import item_negotiation, prisoners_dilemma, repeated_auction, split_negotiation
from opponents.decisions import Table
from opponents.opponent import Opponent
from sepo_envs.catalogue import domain
from sepo_envs.games.item_negotiation import rules as item
from sepo_envs.games.prisoners_dilemma import rules as dilemma
from sepo_envs.games.repeated_auction import rules as auction
from sepo_envs.games.split_negotiation import rules as split

ROUNDS = item.ItemNegotiation().rounds
Players = Mapping[int, Opponent]
"""The fixed players, by seat."""


def _forget_dilemma(state: dilemma.State, seat: int, players: Players) -> dilemma.State:
    """All but grim remember the last round only, if they remember anything."""
    if prisoners_dilemma.GRIM in players.values():
        return state
    blank = dilemma.PLAYED[dilemma.COOPERATE, dilemma.COOPERATE]
    return replace(state, played=(blank,) * (len(state.played) - 1) + state.played[-1:])


def _forget_auction(state: auction.State, seat: int, players: Players) -> auction.State:
    """Adaptive remembers how often which bid was made; nobody remembers values or winners."""
    past = [auction.Round((1, 1), (1, 1), 0)] * len(state.settled)
    if repeated_auction.ADAPTIVE in players.values():
        bids = sorted(settled.bids for settled in state.settled)
        past = [auction.Round((1, 1), made, 0) for made in bids]
    return auction.State(tuple(past), state.round)


def _forget_split(state: split.State, seat: int, players: Players) -> split.State:
    """All but the published conceder remember the last round only."""
    if split_negotiation.CONCEDES_ONCE in players.values():
        return state
    return split.State(((1, 1),) * (len(state.history) - 1) + state.history[-1:])


def _forget_items(state: item.State, seat: int, players: Players) -> item.State:
    """Two echo the other's last demand and best-reply remembers them all; the others none.

    What the items are worth to the other side matters only by what it demands for it and, in the
    exploit pool, by what it earns.
    """
    values, other = list(state.values), players[1 - seat]
    if other not in item_negotiation.POOLS["exploit"].opponents:
        values[1 - seat] = _first_alike(other, state.table, values[1 - seat])
    held: Any = tuple(values)
    if item_negotiation.BEST_REPLY in players.values():
        return item.State(state.table, held, state.settled)
    demands = [item.NOTHING, item.NOTHING]
    for place, player in players.items():
        if player in _ECHOES and state.settled:
            demands[1 - place] = state.settled[-1].demands[1 - place]
    blank = item.Round((item.NOTHING, item.NOTHING), held)
    last = item.Round((demands[0], demands[1]), held)
    past = (*[blank] * (len(state.settled) - 1), last) if state.settled else ()
    return item.State(state.table, held, past)


_ECHOES = (item_negotiation.TIT_FOR_TAT, item_negotiation.YIELDER)


@cache
def _first_alike(opponent: Opponent, table: item.Vector, values: item.Vector) -> item.Vector:
    """The first of the table's value vectors that ``opponent`` makes the same demands for."""

    def demands(held: item.Vector) -> list[Mapping[item.Vector, float]]:
        past = item.Seen(item.NOTHING, item.NOTHING, held)
        return [
            opponent.policy(item.Observation(0, ROUNDS, table, held, (past,) * length))
            for length in range(ROUNDS)
        ]

    return next(each for each in item.values_for(table) if demands(each) == demands(values))


def _table(
    library: ModuleType,
    name: str,
    *,
    alone: Callable[[Any], Any],
    forget: Callable[[Any, int, Players], Any],
    seats: tuple[int, ...] = (0,),
    **options: Any,
) -> Table:
    """The table of the domain ``name``, whose opponents are in ``library``."""
    found = domain(name)
    return Table(
        game=found.make(**options),
        harms=found.harms,
        pools=library.POOLS,
        demonstrators=library.DEMONSTRATORS,
        alone=alone,
        forget=forget,
        seats=seats,
    )


TABLES: Mapping[str, Callable[..., Table]] = {
    "prisoners_dilemma": partial(
        _table,
        prisoners_dilemma,
        "prisoners_dilemma",
        alone=lambda state: dilemma.State(state.played[-1:]),
        forget=_forget_dilemma,
    ),
    "repeated_auction": partial(
        _table,
        repeated_auction,
        "repeated_auction",
        alone=lambda state: auction.State(state.settled[-1:], state.round),
        forget=_forget_auction,
        seats=(0, 1),  # bid rotation counts turns from seat 0
    ),
    "split_negotiation": partial(
        _table,
        split_negotiation,
        "split_negotiation",
        alone=lambda state: split.State(state.history[-1:]),
        forget=_forget_split,
    ),
    "item_negotiation": partial(
        _table,
        item_negotiation,
        "item_negotiation",
        alone=lambda state: item.State(state.table, state.values, state.settled[-1:]),
        forget=_forget_items,
    ),
}
"""By domain; the rules' options as keywords. In Kuhn poker an opponent answers the policy it meets,
so that is no such table: see `benchmarks.sequence_form`."""
