"""The item negotiation's pools: what each opponent does, and that no two pools share one."""

from itertools import product
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opponents.item_negotiation import (
    ALL_BUT_CHEAPEST,
    ALL_UNTIL_LAST,
    BEST_REPLY,
    CONCEDER,
    DEFENSIVE,
    DEMONSTRATORS,
    FAIR,
    FIRM,
    GREEDY,
    GREEDY_UNTIL_LAST,
    HARDBALL,
    OPPONENTS,
    PAPER_POOLS,
    POOLS,
    PROPORTIONAL,
    RANDOM,
    TIT_FOR_TAT,
    YIELDER,
)
from opponents.opponent import Opponent
from opponents.pools import check_disjoint
from sepo_envs.games.item_negotiation.rules import (
    PRESETS,
    ItemNegotiation,
    Observation,
    Seen,
    possible_tables,
    up_to,
    values_for,
    worth,
)

GAME = ItemNegotiation()
TABLE, VALUES = (2, 3, 4), (3, 0, 1)
PAGE = (Path(__file__).parents[2] / "docs" / "opponents.md").read_text()
SECTION = PAGE.partition("\n## Item negotiation\n")[2].partition("\n## ")[0]
EVERYONE = [*OPPONENTS.values(), DEFENSIVE]


def demand(opponent: Opponent, *past, table=TABLE, values=VALUES):
    """Its demand once the other has demanded ``past``; its own demands before are its own."""
    history: tuple[Seen, ...] = ()
    for theirs in (*past, None):
        seen = Observation(0, 4, table, values, history)
        (mine,) = opponent.probabilities(seen, up_to(table))
        if theirs is not None:
            history = (*history, Seen(mine, theirs, values))
    return mine


@pytest.mark.parametrize(
    ("opponent", "first", "after_1_3_1"),
    [
        (FAIR, (1, 1, 2), (1, 1, 2)),
        (TIT_FOR_TAT, (1, 1, 2), (1, 3, 1)),
        (CONCEDER, (2, 0, 2), (2, 0, 1)),
        (FIRM, (2, 1, 2), (2, 1, 2)),
        (GREEDY, (2, 0, 4), (2, 0, 4)),
        (HARDBALL, (1, 2, 3), (1, 2, 3)),
        (GREEDY_UNTIL_LAST, (2, 0, 4), (2, 0, 4)),
        (ALL_BUT_CHEAPEST, (2, 2, 4), (2, 2, 4)),
        (ALL_UNTIL_LAST, (2, 2, 4), (2, 2, 4)),
        (YIELDER, (0, 1, 1), (1, 0, 3)),
        (PROPORTIONAL, (2, 0, 2), (2, 0, 2)),
        (BEST_REPLY, (1, 0, 2), (1, 0, 3)),
        (DEFENSIVE, (2, 0, 0), (2, 0, 0)),
    ],
    ids=lambda value: value.name if isinstance(value, Opponent) else None,
)
def test_each_opponent_demands_as_its_description_says(opponent, first, after_1_3_1):
    """By hand, with 2 books worth 3 each, 3 worthless hats and 4 balls worth 1 each."""
    assert demand(opponent) == first
    assert demand(opponent, (1, 3, 1)) == after_1_3_1


def test_hardball_leaves_more_than_half_of_the_table_to_who_lets_it_have_its_way():
    """One unit of each item, over all deals; so it is no exploiter."""
    left = [
        fmean(worth(values, (1, 1, 1)) for values in values_for(table))
        for table in possible_tables()
    ]
    assert demand(HARDBALL) == tuple(count - 1 for count in TABLE)
    assert 5.5 < fmean(left) < 6


def test_two_trainers_look_like_the_exploiters_until_the_last_round_and_then_are_fair():
    pairs = ((GREEDY_UNTIL_LAST, GREEDY), (ALL_UNTIL_LAST, ALL_BUT_CHEAPEST))
    for (late, exploiter), past in product(pairs, [(2, 3, 4), (0, 0, 0)]):
        for rounds in range(4):
            like = exploiter if rounds < 3 else FAIR
            assert demand(late, *[past] * rounds) == demand(like, *[past] * rounds)


@given(st.data(), st.integers(0, 5))
def test_the_conceder_holds_out_for_8_7_6_then_5_tenths_with_no_unit_to_spare(data, rounds):
    table = data.draw(st.sampled_from(possible_tables()))
    values = data.draw(st.sampled_from(values_for(table)))
    asked = demand(CONCEDER, *[(0, 0, 0)] * rounds, table=table, values=values)
    goal = max(5, 8 - rounds)
    assert worth(values, asked) >= goal
    dearest_last = min(v for v, n in zip(values, asked, strict=True) if n)
    assert worth(values, asked) - dearest_last < goal


@given(st.data())
def test_against_steady_demands_no_demand_pays_more_than_the_best_reply(data):
    table = data.draw(st.sampled_from(possible_tables()))
    values = data.draw(st.sampled_from(values_for(table)))
    theirs = data.draw(st.sampled_from(up_to(table)))
    left = tuple(n - taken for n, taken in zip(table, theirs, strict=True))
    reply = demand(BEST_REPLY, theirs, table=table, values=values)
    assert worth(values, reply) == worth(values, left)


@given(st.data())
def test_two_who_ask_for_half_always_come_to_a_deal_and_proportion_of_even_values_is_half(data):
    table = data.draw(st.sampled_from(possible_tables("one of each")))
    assert all(2 * n <= most for n, most in zip(demand(FAIR, table=table), table, strict=True))
    for value in (1, 2, 3):
        even = demand(PROPORTIONAL, table=table, values=(value,) * 3)
        assert even == demand(FAIR, table=table)


def test_the_random_one_is_uniform_on_the_legal_demands():
    row = RANDOM.policy(Observation(0, 4, TABLE, VALUES, ()))
    assert row == dict.fromkeys(up_to(TABLE), 1 / 60)


@pytest.mark.parametrize("opponent", EVERYONE, ids=lambda opponent: opponent.name)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_opponent_knows_a_legal_demand_for_every_deal_and_after_forfeits(opponent, preset):
    game = ItemNegotiation(**PRESETS[preset])
    for table in possible_tables(game.worth)[::5]:
        for values in values_for(table, game.worth)[::3]:
            for past in ((), ((0, 0, 0),), (table,), ((0, 0, 0), table)):
                history = tuple(Seen((0, 0, 0), theirs, values) for theirs in past)
                seen = Observation(1, 4, table, values, history)
                opponent.probabilities(seen, up_to(table))


def test_no_opponent_of_one_pool_plays_as_one_of_another():
    """One round is enough: the first demands already differ."""
    check_disjoint(POOLS.values(), ItemNegotiation(rounds=1, tables=(TABLE, (4, 3, 3))))


def test_the_published_pools_overlap():
    game = ItemNegotiation(rounds=1, tables=((4, 3, 3),))
    with pytest.raises(ValueError, match="'fair' of pool 'train' and 'fair' of pool 'collusive'"):
        check_disjoint(PAPER_POOLS.values(), game)


def test_names_are_unique_and_every_opponent_has_a_citation():
    listed = [o for pool in POOLS.values() for o in pool.opponents]
    assert len({o.name for o in listed}) == len(listed)
    assert all(len(o.citation) > 10 for o in EVERYONE)


def test_the_published_mixture_of_demonstrators_sums_to_one():
    assert sum(weight for _, weight in DEMONSTRATORS) == pytest.approx(1)


def row_of(pool: str, opponent: Opponent) -> list[str]:
    asked = ["drawn"]
    if opponent is not RANDOM:
        asked = [",".join(map(str, demand(opponent, *past))) for past in ((), ((1, 3, 1),))]
    return [pool, opponent.name, "; ".join(asked), opponent.citation]


def test_the_page_prints_what_the_code_plays():
    """If this fails, put the expected rows into docs/opponents.md; the column "plays" is prose."""
    rows = [line.strip("| ").split(" | ") for line in SECTION.splitlines() if line[:2] == "| "][1:]
    listed = [(pool.name, o) for pool in POOLS.values() for o in pool.opponents]
    listed += [("demonstrators", o) for o, _ in DEMONSTRATORS]
    assert [row[:3] + row[4:] for row in rows] == [row_of(pool, o) for pool, o in listed]
