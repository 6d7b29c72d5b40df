"""Deals' Pareto frontier and Nash product, against the definition tried on every demand pair."""

from itertools import product
from random import Random

import pytest

from sepo_envs.games.item_negotiation.deals import nash_product, pareto_frontier, points
from sepo_envs.games.item_negotiation.rules import (
    deal,
    possible_tables,
    up_to,
    values_for,
    worth,
)


def drawn(count: int):
    rng = Random(1950)
    for table in rng.choices(possible_tables(), k=count):
        yield table, tuple(rng.choice(values_for(table)) for _ in range(2))


def every_deal(table, values):
    """What every pair of demands that fits pays, whether or not it leaves something."""
    return {
        (float(worth(values[0], mine)), float(worth(values[1], theirs)))
        for mine, theirs in product(up_to(table), repeat=2)
        if deal(table, (mine, theirs))
    }


@pytest.mark.parametrize(("table", "values"), [*drawn(12)], ids=str)
def test_the_frontier_is_every_payoff_that_none_betters(table, values):
    possible = every_deal(table, values)
    efficient = {
        pair
        for pair in possible
        if not any(
            other != pair and other[0] >= pair[0] and other[1] >= pair[1] for other in possible
        )
    }
    found = pareto_frontier(table, values)
    assert {deal.points for deal in found} == efficient
    assert [deal.points for deal in found] == sorted(deal.points for deal in found)
    assert all(points(table, values, deal.demand) == deal.points for deal in found)


@pytest.mark.parametrize(("table", "values"), [*drawn(12)], ids=str)
def test_no_deal_has_a_larger_nash_product_than_the_best_on_the_frontier(table, values):
    best = max(nash_product(table, values, deal.demand) for deal in pareto_frontier(table, values))
    assert best == max(mine * theirs for mine, theirs in every_deal(table, values))
