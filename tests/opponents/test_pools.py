import pytest

from opponents.adaptive import BEST_RESPONSE, every_seat
from opponents.kuhn_poker import ALWAYS_BET, NASH, SITUATIONS, UNIFORM, bets
from opponents.opponent import Pool, from_table
from opponents.pools import behaviour, check_disjoint
from sepo_envs.exact import GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move

GAME = KuhnPoker()
TWIN = from_table("maniac", bets(**dict.fromkeys(SITUATIONS, 1)), "none")


def test_one_strategy_under_two_names_may_not_stand_in_two_pools():
    with pytest.raises(
        ValueError, match=r"'always-bet' of pool 'train' and 'maniac' of pool 'heldo"
    ):
        check_disjoint([Pool("train", (NASH, ALWAYS_BET)), Pool("heldout", (TWIN,))], GAME)


def test_within_one_pool_a_strategy_may_stand_twice():
    check_disjoint([Pool("train", (ALWAYS_BET, TWIN)), Pool("heldout", (NASH,))], GAME)


def test_a_difference_that_never_comes_to_the_table_is_none():
    """Who always bets a King never has to answer a bet after checking it."""
    folds = from_table("folds", bets(**dict.fromkeys(SITUATIONS, 1) | {"Kpb": 0}), "none")
    with pytest.raises(ValueError, match="play alike everywhere in kuhn_poker"):
        check_disjoint([Pool("train", (ALWAYS_BET,)), Pool("heldout", (folds,))], GAME)


def test_one_different_decision_is_enough():
    timid = from_table("timid", bets(**dict.fromkeys(SITUATIONS, 1) | {"Jb": 0.99}), "none")
    check_disjoint([Pool("train", (ALWAYS_BET,)), Pool("heldout", (timid,))], GAME)


def test_an_adaptive_opponent_is_held_against_the_others_too():
    tree = GameTree(GAME)
    frozen = from_table("frozen", every_seat(tree, tree.uniform()), "none")
    with pytest.raises(ValueError, match="'best-response' of pool 'exploit' and 'frozen'"):
        check_disjoint([Pool("exploit", (BEST_RESPONSE,)), Pool("heldout", (frozen,))], GAME)


def test_behaviour_covers_both_seats_and_only_what_own_play_reaches():
    assert behaviour(UNIFORM, GAME).keys() == set(SITUATIONS)
    rows = behaviour(ALWAYS_BET, GAME)
    assert rows.keys() == {key for key in SITUATIONS if not key.endswith("pb")}
    assert all(row == {Move.BET: 1} for row in rows.values())
