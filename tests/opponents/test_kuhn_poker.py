from pathlib import Path

import pytest

from opponents.kuhn_poker import (
    DEMONSTRATORS,
    NASH,
    NASH_CHECKING,
    OPPONENTS,
    PAPER_POOLS,
    POOLS,
    SITUATIONS,
)
from opponents.opponent import Adaptive, Opponent
from opponents.pools import behaviour, check_disjoint
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move

GAME = KuhnPoker()
TREE = GameTree(GAME)
PAGE = Path(__file__).parents[2] / "docs" / "opponents.md"
LISTED = [
    *((pool.name, opponent) for pool in POOLS.values() for opponent in pool.opponents),
    *(("demonstrators", opponent) for opponent, _ in DEMONSTRATORS),
]
FIXED = [*OPPONENTS.values(), *(opponent for opponent, _ in DEMONSTRATORS)]


def table_of(opponent: Opponent) -> ActionTable:
    rows = {}
    for key in SITUATIONS:
        episode = TREE.example(key)
        seen = GAME.observe(episode.state, TREE.seat(key))
        rows[key] = opponent.probabilities(seen, TREE.legal_moves(key))
    return ActionTable(rows)


def test_no_opponent_of_one_pool_plays_as_one_of_another():
    check_disjoint(POOLS.values(), GAME)


def test_the_published_pools_overlap_as_they_did():
    with pytest.raises(ValueError, match="'nash-approx' of pool 'train' and 'nash-approx' of pool"):
        check_disjoint(PAPER_POOLS.values(), GAME)


@pytest.mark.parametrize(("pool", "opponent"), LISTED, ids=lambda x: getattr(x, "name", x))
def test_every_opponent_has_a_citation(pool, opponent):
    assert len(opponent.citation) > 10


def test_names_are_unique():
    names = [opponent.name for pool in POOLS.values() for opponent in pool.opponents]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("opponent", FIXED, ids=lambda opponent: opponent.name)
def test_every_fixed_opponent_knows_what_to_do_in_every_situation_of_either_seat(opponent):
    assert table_of(opponent).rows.keys() == set(SITUATIONS) == set(TREE.situations)


@pytest.mark.parametrize("opponent", FIXED, ids=lambda opponent: opponent.name)
def test_in_a_match_an_opponent_plays_each_hand_as_if_it_were_the_only_one(opponent):
    """Twelve situations describe it, whichever seat opens and whatever was shown before."""
    table = table_of(opponent)
    for infostate, row in behaviour(opponent, KuhnPoker(hands=2)).items():
        situation = infostate.split()[-1]
        assert row.get(Move.BET, 0.0) == table[situation][Move.BET]


def test_there_is_no_collusive_pool_in_a_zero_sum_game():
    assert set(POOLS) == {"train", "exploit", "heldout"}


@pytest.mark.parametrize("opponent", [NASH, NASH_CHECKING], ids=lambda opponent: opponent.name)
def test_the_equilibrium_opponents_cannot_be_exploited(opponent):
    assert abs(TREE.nash_conv(table_of(opponent))) < 1e-12


def row_of(pool: str, opponent: Opponent | Adaptive) -> str:
    if isinstance(opponent, Adaptive):
        strategy, exploitability = "recomputed from the action table of the policy it meets", "-"
    else:
        table = table_of(opponent)
        bets = {key: f"{table[key][Move.BET]:.3g}" for key in SITUATIONS}
        strategy = ", ".join(f"{key} {bet}" for key, bet in bets.items() if bet != "0")
        exploitability = f"{abs(TREE.exploitability(table)):.4f}"
    return f"| {pool} | {opponent.name} | {strategy} | {exploitability} | {opponent.citation} |"


def test_the_page_prints_what_the_code_plays():
    """If this fails, put the expected rows into docs/opponents.md."""
    section = PAGE.read_text().partition("\n## Kuhn poker\n")[2].partition("\n## ")[0]
    printed = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert printed == [row_of(pool, opponent) for pool, opponent in LISTED]
