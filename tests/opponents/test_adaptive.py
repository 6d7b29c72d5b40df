import pytest

from opponents.adaptive import (
    BEST_RESPONSE,
    every_seat,
    fictitious_play,
    quantal_equilibrium,
    quantal_response,
)
from opponents.kuhn_poker import NASH_APPROX, UNIFORM, bets
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move

TREE = GameTree(KuhnPoker())


def table_of(opponent) -> ActionTable:
    """What the opponent plays in each of the tree's situations."""
    rows = {}
    for situation in TREE.situations:
        episode = TREE.example(situation)
        seen = episode.game.observe(episode.state, episode.actor)
        rows[situation] = opponent.probabilities(seen, TREE.legal_moves(situation))
    return ActionTable(rows)


@pytest.mark.parametrize("victim", [UNIFORM, NASH_APPROX], ids=lambda opponent: opponent.name)
def test_the_best_response_opponent_takes_exactly_the_exploitability(victim):
    table = table_of(victim)
    shark = table_of(BEST_RESPONSE.against(TREE, table))
    for seat in (0, 1):
        assert {key: shark[key] for key in TREE.situations if TREE.seat(key) == seat} == dict(
            TREE.best_response(table, seat).table.rows
        )
    taken = TREE.returns([shark, table])[0] + TREE.returns([table, shark])[1]
    assert taken / 2 == pytest.approx(TREE.exploitability(table))


def test_a_colder_opponent_takes_more():
    table = table_of(UNIFORM)

    def taken(temperature: float) -> float:
        noisy = table_of(quantal_response(temperature).against(TREE, table))
        return TREE.returns([noisy, table])[0] + TREE.returns([table, noisy])[1]

    assert taken(2) < taken(1) < taken(0.25) < taken(0.05) < 2 * TREE.exploitability(table)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 2.0])
def test_a_quantal_equilibrium_responds_to_itself_with_itself(temperature):
    """The definition: a fixed point of the logit response (McKelvey and Palfrey 1995)."""
    equilibrium = quantal_equilibrium(TREE, temperature=temperature)
    response = every_seat(TREE, equilibrium, temperature=temperature)
    for situation, row in equilibrium.rows.items():
        assert dict(response[situation]) == pytest.approx(dict(row), abs=1e-8)


def test_a_hot_quantal_equilibrium_is_uniform_and_a_cooler_one_nearer_nash():
    hot = quantal_equilibrium(TREE, temperature=1e4)
    assert hot["J"][Move.BET] == pytest.approx(0.5, abs=1e-3)
    cool, cooler = (
        TREE.exploitability(quantal_equilibrium(TREE, temperature=t)) for t in (1.0, 0.25)
    )
    assert cooler < cool < TREE.exploitability(hot)


def test_an_equilibrium_that_does_not_settle_is_refused_with_the_mend():
    with pytest.raises(ValueError, match="use a higher temperature or more rounds"):
        quantal_equilibrium(TREE, temperature=0.5, rounds=2)


def test_fictitious_play_comes_to_be_hard_to_exploit():
    """Brown 1951, Robinson 1951: in a zero-sum game the averages converge to equilibrium."""
    past = [TREE.uniform()]
    for _ in range(200):
        past.append(every_seat(TREE, fictitious_play(TREE, past)))
    assert TREE.exploitability(fictitious_play(TREE, past)) < 0.03 < TREE.exploitability(past[-1])


def test_the_average_of_two_pure_policies_is_half_of_each():
    average = fictitious_play(TREE, [bets(), bets(J=1)])
    assert average["J"][Move.BET] == 0.5
