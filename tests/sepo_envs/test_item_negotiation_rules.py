"""The item negotiation's rules: what is dealt, what a deal pays, and laws that hold always."""

import re
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sepo_envs.episode import begin
from sepo_envs.exact import GameTree
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.item_negotiation.deals import nash_product, pareto_frontier
from sepo_envs.games.item_negotiation.rules import (
    NOTHING,
    PRESETS,
    ItemNegotiation,
    Round,
    State,
    deal,
    possible_tables,
    values_for,
    worth,
)

PAPER = ItemNegotiation(**PRESETS["paper"])
TABLE, VALUES = (1, 2, 3), ((2, 1, 2), (8, 1, 0))


def dealt(game, table=TABLE, values=VALUES):
    episode = begin(game)
    for outcome in (table, *values):
        episode = episode.play(outcome)
    return episode


@st.composite
def episodes(draw):
    """One to three rounds, played anyhow, forfeits included, in any of the variants."""
    game = ItemNegotiation(
        rounds=draw(st.integers(1, 3)),
        worth=draw(st.sampled_from(["table", "one of each"])),
        redrawn=draw(st.sampled_from([(), (0,), (1,), (0, 1)])),
    )
    episode = begin(game)
    while episode.actor is not None:
        if episode.actor == CHANCE:
            choices = [outcome for outcome, _ in game.chance_outcomes(episode.state)]
        else:
            choices = [*game.legal_moves(episode.state, episode.actor), FORFEIT]
        episode = episode.play(draw(st.sampled_from(choices)))
    return episode


def test_values_exist_for_62_of_the_64_tables():
    """By enumeration, apart from the rules': three books, hats and balls are never worth 10."""
    cells = range(1, 5)
    solvable = [
        table
        for table in product(cells, cells, cells)
        if any(
            sum(n * v for n, v in zip(table, values, strict=True)) == 10
            for values in product(range(11), repeat=3)
        )
    ]
    assert len(solvable) == 62
    assert set(product(cells, cells, cells)) - set(solvable) == {(3, 3, 3), (4, 4, 4)}
    assert possible_tables() == tuple(solvable)


def test_the_table_is_worth_10_to_either_seat_and_all_such_values_are_equally_likely():
    game = ItemNegotiation()
    tables = game.chance_outcomes(game.start())
    assert {p for _, p in tables} == {1 / 62}
    for table, _ in tables:
        first = game.play(game.start(), {CHANCE: table})
        outcomes = game.chance_outcomes(first)
        assert all(worth(values, table) == 10 for values, _ in outcomes)
        assert sum(p for _, p in outcomes) == pytest.approx(1)
        second = game.play(first, {CHANCE: outcomes[0][0]})
        assert game.chance_outcomes(second) == outcomes, "seat 1's values hang on seat 0's"


def test_in_the_paper_values_sum_to_10_over_the_types_for_each_of_64_tables():
    assert len(possible_tables("one of each")) == 64
    assert len(values_for((4, 4, 4), "one of each")) == 66
    best = dealt(PAPER, (4, 4, 4), ((10, 0, 0), (0, 10, 0)))
    assert best.play((4, 0, 0)).play((0, 4, 0)).returns == (40, 40)


def test_in_the_paper_only_seat_1s_values_are_drawn_anew_each_round():
    episode = dealt(PAPER, (4, 4, 4), ((10, 0, 0), (0, 10, 0))).play(NOTHING).play(NOTHING)
    assert episode.actor == CHANCE
    episode = episode.play((1, 2, 7))
    assert episode.state.values == ((10, 0, 0), (1, 2, 7))
    seen = PAPER.observe(episode.state, 1)
    assert (seen.values, seen.history[0].values) == ((1, 2, 7), (0, 10, 0))


def test_by_default_values_last_the_whole_episode():
    episode = dealt(ItemNegotiation()).play(NOTHING).play(NOTHING)
    assert episode.actor == 0
    assert episode.state.values == VALUES


@pytest.mark.parametrize(
    ("demands", "paid"),
    [
        (((0, 1, 3), (1, 1, 0)), (7, 9)),
        (((0, 0, 3), (1, 1, 0)), (6, 9)),
        (((1, 2, 3), NOTHING), (10, 0)),
        (((0, 1, 3), (1, 1, 1)), (0, 0)),
        (((1, 0, 0), (1, 0, 0)), (0, 0)),
        ((FORFEIT, (1, 2, 3)), (0, 10)),
        (((0, 2, 0), FORFEIT), (2, 0)),
        ((FORFEIT, FORFEIT), (0, 0)),
    ],
)
def test_a_deal_needs_every_items_demands_to_fit_and_a_forfeit_demands_nothing(demands, paid):
    first, second = demands
    assert dealt(ItemNegotiation(rounds=1)).play(first).play(second).returns == paid


def test_legal_demands_are_what_lies_on_the_table_and_every_move_is_one_of_125():
    game = ItemNegotiation()
    legal = game.legal_moves(dealt(game).state, 0)
    assert legal == tuple(product(range(2), range(3), range(4)))
    assert len(game.moves) == 125
    assert [move for move in game.moves if move in legal] == list(legal)


@given(episodes())
def test_a_round_pays_no_seat_more_than_the_table_is_worth_to_it(episode):
    game, state = episode.game, episode.state
    for paid, (_, values) in zip(game.payoffs(state), state.settled, strict=True):
        for seat in (0, 1):
            most = worth(values[seat], state.table)
            assert paid[seat] <= most
            assert most <= (10 if game.worth == "table" else 40)


@given(episodes())
def test_swapping_seats_swaps_returns_and_what_the_seats_see(episode):
    game, state = episode.game, episode.state
    mirror = State(
        state.table,
        state.values[::-1],
        tuple(Round(demands[::-1], values[::-1]) for demands, values in state.settled),
    )
    swapped = tuple(paid[::-1] for paid in game.payoffs(mirror))
    assert swapped == game.payoffs(state)
    for seat in (0, 1):
        assert game.features(state, seat) == game.features(mirror, 1 - seat)
        assert game.observe(state, seat).history == game.observe(mirror, 1 - seat).history


@given(episodes(), st.data())
def test_the_others_values_change_nothing_that_a_seat_sees(episode, data):
    game, state = episode.game, episode.state
    seat = data.draw(st.integers(0, 1))
    others = data.draw(st.sampled_from(values_for(state.table, game.worth)))

    def hide(values):
        return tuple(own if s == seat else others for s, own in enumerate(values))

    changed = State(
        state.table,
        hide(state.values),
        tuple(Round(demands, hide(values)) for demands, values in state.settled),
    )
    assert game.observe(changed, seat) == game.observe(state, seat)
    assert game.features(changed, seat) == game.features(state, seat)


@given(episodes())
def test_an_information_set_tells_the_seat_and_all_that_it_saw(episode):
    """Its text can be read back, so that no two observations share it."""
    for seat in (0, 1):
        seen = episode.game.observe(episode.state, seat)
        head, *tail = seen.infostate.split(" ")
        table, *parts = [
            tuple(tuple(map(int, v.split(","))) for v in part.split("-")) for part in tail
        ]
        assert (head, table) == (f"{seat}:", (seen.table,))
        pairs = list(zip(parts[0::2], parts[1::2], strict=False))
        assert parts[-1] == (seen.values,)
        assert pairs == [((past.values,), (past.mine, past.theirs)) for past in seen.history]


def test_against_uniform_demands_the_exact_best_reply_is_the_best_product():
    """By hand: a demand of d out of n units fits a uniform one with probability
    (n - d + 1)/(n + 1), independently by item."""
    table = (4, 3, 3)
    tree = GameTree(ItemNegotiation(rounds=1, tables=(table,)))
    assert len(tree.situations) == 2 * len(values_for(table)) == 6
    best = [
        max(
            worth(values, demand)
            * prod((n - d + 1) / (n + 1) for n, d in zip(table, demand, strict=True))
            for demand in product(range(5), range(4), range(4))
        )
        for values in values_for(table)
    ]
    for seat in (0, 1):
        value = tree.best_response(tree.uniform(), seat).value
        assert value == pytest.approx(sum(best) / 3)


TABLES = st.sampled_from(possible_tables()).flatmap(
    lambda table: st.tuples(
        st.just(table),
        st.tuples(*[st.sampled_from(values_for(table))] * 2),
    )
)


@settings(max_examples=30)
@given(TABLES)
def test_the_frontier_is_what_no_pair_of_fitting_demands_can_better(drawn):
    """Against every pair of demands, not only those that hand out everything."""
    table, values = drawn
    frontier = pareto_frontier(table, values)
    cells = list(product(*(range(count + 1) for count in table)))
    paid = {
        (worth(values[0], mine), worth(values[1], theirs))
        for mine in cells
        for theirs in cells
        if deal(table, (mine, theirs))
    }
    best = {p for p in paid if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in paid)}
    assert {efficient.points for efficient in frontier} == best
    product_ = max(nash_product(table, values, d.demand) for d in frontier)
    assert product_ == max(first * second for first, second in paid)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rounds": 0}, "at least 1 round"),
        ({"worth": "books"}, "worth is 'books'; what is worth 10 points is one of 'table', 'one"),
        ({"redrawn": (2,)}, "redrawn is (2,), but the seats are 0 and 1"),
        ({"tables": ((3, 3, 3),)}, "no table (3, 3, 3): it needs 1 to 4 units of each of books"),
        ({"tables": ((1, 2, 5),)}, "no table (1, 2, 5)"),
        ({"tables": 3}, "tables is 3, but a list of tables such as [1, 2, 3] is wanted"),
        ({"tables": (1, 2, 3)}, "tables is 1, but a list of tables such as [1, 2, 3] is wanted"),
        ({"tables": ((1, 2, "3"),)}, "no table (1, 2, '3')"),
        ({"redrawn": 1}, "redrawn is 1, but a list of seats is wanted, even of one: write [1]"),
        ({"redrawn": (True,)}, "redrawn is (True,), but the seats are 0 and 1"),
        ({"rounds": 2.5}, "rounds is 2.5, but a negotiation has at least 1 round, and a whole"),
        ({"worth": None}, "worth is None"),
    ],
)
def test_impossible_options_are_refused_in_words(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        ItemNegotiation(**options)


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        ({0: NOTHING}, "(0,) moved, but (0, 1) must"),
        ({0: NOTHING, 1: (2, 0, 0)}, "(2, 0, 0) is no demand; demands are up to (1, 2, 3)"),
        ({0: NOTHING, 1: (0, 0)}, "(0, 0) is no demand"),
    ],
)
def test_an_impossible_demand_is_refused_in_words(moves, text):
    game = ItemNegotiation()
    with pytest.raises(ValueError, match=re.escape(text)):
        game.play(dealt(game).state, moves)


def test_chance_deals_only_what_it_can():
    game = ItemNegotiation()
    with pytest.raises(ValueError, match=re.escape("cannot deal (3, 3, 3): it is not a table")):
        game.play(game.start(), {CHANCE: (3, 3, 3)})
    with pytest.raises(ValueError, match=re.escape("it is not values for the table (1, 2, 3)")):
        game.play(game.play(game.start(), {CHANCE: TABLE}), {CHANCE: (1, 1, 1)})
