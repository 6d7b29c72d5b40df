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
from opponents.memory import (
    auction_rounds,
    dilemma_rounds,
    item_rounds,
    split_rounds,
)
from opponents.opponent import Opponent
from sepo_envs.catalogue import domain
from sepo_envs.games.item_negotiation import rules as item
from sepo_envs.games.prisoners_dilemma import rules as dilemma
from sepo_envs.games.repeated_auction import rules as auction
from sepo_envs.games.split_negotiation import rules as split

ROUNDS = item.ItemNegotiation().rounds


def _forget_items(state: item.State, seat: int, players: Mapping[int, Opponent]) -> item.State:
    """What the items are worth to the other side matters only by what it demands for it and, in the
    exploit pool, by what it earns."""
    values, other = list(state.values), players[1 - seat]
    if other not in item_negotiation.POOLS["exploit"].opponents:
        values[1 - seat] = _first_alike(other, state.table, values[1 - seat])
    held: Any = tuple(values)
    return replace(item_rounds(state, seat, players), values=held)


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
    forget: Callable[[Any, int, Mapping[int, Opponent]], Any],
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
        forget=dilemma_rounds,
    ),
    "repeated_auction": partial(
        _table,
        repeated_auction,
        "repeated_auction",
        alone=lambda state: auction.State(state.settled[-1:], state.round),
        forget=auction_rounds,
        seats=(0, 1),  # bid rotation counts turns from seat 0
    ),
    "split_negotiation": partial(
        _table,
        split_negotiation,
        "split_negotiation",
        alone=lambda state: split.State(state.history[-1:]),
        forget=split_rounds,
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
