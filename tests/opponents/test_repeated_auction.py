from itertools import combinations
from pathlib import Path

import pytest

from opponents.opponent import Opponent, OpponentError
from opponents.pools import behaviour, check_disjoint
from opponents.repeated_auction import (
    ADAPTIVE,
    ALWAYS_1,
    ALWAYS_2,
    ALWAYS_3,
    BID_ROTATION,
    COMPETITIVE,
    CONSERVATIVE,
    DEMONSTRATORS,
    HALF_VALUE,
    LADDER,
    OPPONENTS,
    PAPER_POOLS,
    POOLS,
    QUANTAL,
    SHADED,
    TEMPERATURE,
    TIT_FOR_TAT,
    UNIFORM,
    VALUE_MINUS_1,
    quantal_bids,
)
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.repeated_auction.rules import Observation, RepeatedAuction, Seen, contenders
from sepo_envs.games.repeated_auction.stage import equilibria

GAME = RepeatedAuction()
TWO_ROUNDS = RepeatedAuction(rounds=2)
ONE = GameTree(RepeatedAuction(rounds=1))
PAGE = Path(__file__).parents[2] / "docs" / "opponents.md"
LISTED = [
    *((pool.name, opponent) for pool in POOLS.values() for opponent in pool.opponents),
    *(("demonstrators", opponent) for opponent, _ in DEMONSTRATORS),
]


def look(value, *past, seat=0, tied=0) -> Observation:
    """What seat 0 of 2 sees after rounds in which the seats bid like this; ties go to ``tied``."""
    seen = []
    for bids in past:
        best = contenders(bids)
        seen.append(Seen(value, bids, tied if len(best) > 1 else best[0] if best else None))
    return Observation(seat, value, tuple(seen), GAME.bids)


def bid(opponent: Opponent, seen: Observation) -> int:
    [(move, probability)] = opponent.probabilities(seen, GAME.bids).items()
    assert probability == 1
    return move


def test_no_opponent_of_one_pool_plays_as_one_of_another():
    check_disjoint(POOLS.values(), TWO_ROUNDS)


def test_the_published_pools_overlap_as_they_did():
    with pytest.raises(ValueError, match="'conservative' of pool 'train' and 'low' of pool 'coll"):
        check_disjoint(PAPER_POOLS.values(), TWO_ROUNDS)
    assert behaviour(CONSERVATIVE, TWO_ROUNDS) == behaviour(SHADED, TWO_ROUNDS)


def test_within_the_pools_too_everyone_plays_differently():
    everyone = [o for pool in POOLS.values() for o in pool.opponents if isinstance(o, Opponent)]
    for one, other in combinations(everyone, 2):
        assert behaviour(one, TWO_ROUNDS) != behaviour(other, TWO_ROUNDS), (one.name, other.name)


@pytest.mark.parametrize("opponent", OPPONENTS.values(), ids=lambda opponent: opponent.name)
def test_every_opponent_has_a_name_a_citation_and_a_legal_answer_to_everything(opponent):
    assert OPPONENTS[opponent.name] is opponent
    assert len(opponent.citation) > 10
    for bids in [(None, 1), (3, None), (None, None), (2, 2), (1, 3)]:
        opponent.probabilities(look(2, bids, (1, 3), seat=1), GAME.bids)


@pytest.mark.parametrize("opponent", OPPONENTS.values(), ids=lambda opponent: opponent.name)
def test_every_opponent_sits_down_with_three_too(opponent):
    assert behaviour(opponent, RepeatedAuction(rounds=1, bidders=3))


def test_the_mixture_of_demonstrators_is_the_published_one():
    assert [weight for _, weight in DEMONSTRATORS] == [0.44, 0.28, 0.20, 0.08]
    assert sum(weight for _, weight in DEMONSTRATORS) == pytest.approx(1)


@pytest.mark.parametrize(
    ("opponent", "with_2", "with_4"),
    [
        (HALF_VALUE, 1, 2),
        (VALUE_MINUS_1, 1, 3),
        (COMPETITIVE, 2, 3),
        (ALWAYS_1, 1, 1),
        (ALWAYS_2, 2, 2),
        (ALWAYS_3, 3, 3),
    ],
    ids=lambda it: getattr(it, "name", it),
)
def test_who_looks_at_the_value_alone_bids_the_same_whatever_happened(opponent, with_2, with_4):
    for past in [(), ((1, 1),), ((3, 2), (None, 1))]:
        assert bid(opponent, look(2, *past)) == with_2
        assert bid(opponent, look(4, *past)) == with_4


def test_competitive_is_the_equilibrium_that_pays_the_bidders_least():
    least = min(equilibria(GAME), key=lambda play: play.profit)
    assert tuple(bid(COMPETITIVE, look(value)) for value in GAME.values) == least.bids


@pytest.mark.parametrize("theirs", [1, 2, 3])
@pytest.mark.parametrize("value", [2, 4])
def test_adaptive_finds_the_best_reply_to_one_who_never_changes(theirs, value):
    """By the exact solver of one round in which both values are this one; the lowest of several."""
    tree = GameTree(RepeatedAuction(rounds=1, values=(value,)))
    me, them = tree.situations

    def worth(move):
        return tree.returns(ActionTable({me: {move: 1.0}, them: {theirs: 1.0}}))[0]

    best = max(GAME.bids, key=lambda move: (worth(move), -move))
    assert bid(ADAPTIVE, look(value, *[(1, theirs)] * 3)) == best


def test_adaptive_weighs_all_bids_so_far_and_at_first_every_bid_alike():
    assert [bid(ADAPTIVE, look(value)) for value in GAME.values] == [1, 2]
    assert bid(ADAPTIVE, look(4, (2, 2), (2, 2), (2, 3), (2, 3))) == 3  # 1.5 > 1, against 2 it ties
    assert bid(ADAPTIVE, look(4, (1, None))) == 1


def test_bid_rotation_takes_turns_from_seat_0_on():
    rounds = [(1, 1)] * 4
    for seat in (0, 1):
        bids = [bid(BID_ROTATION, look(4, *rounds[:number], seat=seat)) for number in range(4)]
        assert bids == ([2, 1, 2, 1] if seat == 0 else [1, 2, 1, 2])


def test_tit_for_tat_bids_what_the_other_bid_last():
    assert bid(TIT_FOR_TAT, look(4)) == 1
    assert [bid(TIT_FOR_TAT, look(2, (1, 1), (1, theirs))) for theirs in (1, 2, 3)] == [1, 2, 3]
    assert bid(TIT_FOR_TAT, look(4, (2, None))) == 1


@pytest.mark.parametrize(
    ("value", "past", "expected"),
    [
        (4, [], 1),
        (4, [(1, 2)], 2),
        (4, [(1, 2), (2, 3)], 3),
        (4, [(3, 2)], 2),
        (4, [(1, None)], 1),
        (4, [(2, 3), (3, 3)], 2),
        (2, [(2, 3)], 2),
        (4, [(None, 1)], 2),
    ],
)
def test_the_ladder_goes_up_after_a_loss_and_down_after_a_win_never_above_its_value(
    value, past, expected
):
    assert bid(LADDER, look(value, *past)) == expected


def test_quantal_is_its_own_quantal_response():
    table = ActionTable({key: quantal_bids()[int(key[-1])] for key in ONE.situations})
    for seat in (0, 1):
        response = ONE.quantal_response(table, seat, temperature=TEMPERATURE).table
        for key, row in response.rows.items():
            assert row == pytest.approx(dict(table[key]), abs=1e-6)


def test_quantal_says_where_it_cannot_play():
    odd = Observation(0, 7, (), grid=(1, 2, 3))
    with pytest.raises(OpponentError, match=r"knows the default values and bids only, not 7 of"):
        QUANTAL.probabilities(odd, (1, 2, 3))


def test_uniform_bids_anything():
    assert UNIFORM.probabilities(look(2), GAME.bids) == {1: 1 / 3, 2: 1 / 3, 3: 1 / 3}


def first_bids(opponent: Opponent) -> str:
    rows = [opponent.probabilities(look(value), GAME.bids) for value in GAME.values]
    if rows[0] == rows[1] and len(rows[0]) > 1:
        rows = rows[:1]
    return "; ".join(
        ", ".join(f"{move}" if p == 1 else f"{move} ({p:.3f})" for move, p in row.items())
        for row in rows
    )


def test_the_page_prints_who_is_in_which_pool():
    """If this fails, mend the table in docs/opponents.md; what it plays is told in words."""
    section = PAGE.read_text().partition("\n## Repeated auction\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    printed = [(pool, name, first, source) for pool, name, first, _, source in rows[1:]]
    listed = [(pool, o.name, first_bids(o), o.citation) for pool, o in LISTED]
    assert printed == listed
