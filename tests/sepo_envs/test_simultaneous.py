"""The exact solver and the bridge on small games in which both seats move at once.

The game is written here against the `Game` protocol, so what holds for it does not hang on Kuhn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python.algorithms import best_response, expected_game_score, exploitability

from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.exact.bridge import OpenSpielGame, action_table, pyspiel, tabular_policy
from sepo_envs.exact.equilibria import cfr


@dataclass(frozen=True)
class Seen:
    infostate: str

    @property
    def situation(self) -> str:
        return self.infostate


@dataclass(frozen=True)
class Matrix:
    """A 2x2 game, ``rounds`` times over; a state is the rounds played, each as two letters."""

    name: str
    moves: tuple[str, str]
    cells: Mapping[str, tuple[float, float]]
    rounds: int = 1
    seats: int = 2

    def start(self):
        return ()

    def actors(self, state):
        return () if len(state) == self.rounds else (0, 1)

    def chance_outcomes(self, state):
        return ()

    def legal_moves(self, state, seat):
        return self.moves if seat in self.actors(state) else ()

    def play(self, state, moves):
        return (*state, moves[0] + moves[1])

    def payoffs(self, state):
        return tuple(self.cells[played] for played in state)

    def observe(self, state, seat):
        return Seen(f"{seat}:{','.join(state)}")


PENNIES = Matrix(
    "matching_pennies", ("h", "t"), {"hh": (1, -1), "ht": (-1, 1), "th": (-1, 1), "tt": (1, -1)}
)
DILEMMA_CELLS = {"cc": (3, 3), "cd": (0, 5), "dc": (5, 0), "dd": (1, 1)}


def dilemma(rounds: int) -> Matrix:
    return Matrix("dilemma", ("c", "d"), DILEMMA_CELLS, rounds)


TREES = [GameTree(game) for game in (PENNIES, dilemma(1), dilemma(2))]


def table_of(tree: GameTree, firsts) -> ActionTable:
    """Each situation's probability of the first move, in the tree's order."""
    first, second = tree.game.moves
    return ActionTable(
        {key: {first: p, second: 1 - p} for key, p in zip(tree.situations, firsts, strict=True)}
    )


def scripted(tree: GameTree, choose) -> ActionTable:
    """A deterministic policy: ``choose(own moves, other's moves)`` gives the next."""

    def row(key: str) -> dict[str, float]:
        seat, _, past = key.partition(":")
        mine, theirs = (
            [played[position] for played in past.split(",") if played]
            for position in (int(seat), 1 - int(seat))
        )
        return {move: float(move == choose(mine, theirs)) for move in tree.game.moves}

    return ActionTable({key: row(key) for key in tree.situations})


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.game.name}-{tree.game.rounds}")
def test_openspiel_agrees_on_random_policies(tree):
    shown, rng = OpenSpielGame(tree.game), np.random.default_rng(0)
    root = shown.new_initial_state()
    for _ in range(20):
        table = table_of(tree, rng.random(len(tree.situations)))
        policy = tabular_policy(shown, table)
        assert action_table(shown, policy).rows == table.rows
        nash_conv = exploitability.nash_conv(shown, policy)
        assert tree.nash_conv(table) == pytest.approx(nash_conv, abs=1e-12)
        returns = expected_game_score.policy_value(root, [policy, policy])
        assert tree.returns(table) == pytest.approx(returns, abs=1e-12)
        for seat in (0, 1):
            value = best_response.BestResponsePolicy(shown, seat, policy).value(root)
            assert tree.best_response(table, seat).value == pytest.approx(value, abs=1e-12)


def test_the_second_seat_does_not_see_the_move_that_waits():
    root = OpenSpielGame(dilemma(2)).new_initial_state()
    after = [root.child(action) for action in (0, 1)]
    assert [state.current_player() for state in after] == [1, 1]
    assert {state.information_state_string() for state in after} == {"1:"}


def test_the_bridge_announces_sums_and_chance_as_they_are():
    utility, chance = pyspiel.GameType.Utility, pyspiel.GameType.ChanceMode
    pie = Matrix("pie", ("a", "b"), {"aa": (5, 5), "ab": (9, 1), "ba": (1, 9), "bb": (5, 5)})
    kinds = [OpenSpielGame(game).get_type() for game in (PENNIES, pie, dilemma(1))]
    sums = [utility.ZERO_SUM, utility.CONSTANT_SUM, utility.GENERAL_SUM]
    assert [kind.utility for kind in kinds] == sums
    assert kinds[0].chance_mode == chance.DETERMINISTIC


def test_matching_pennies_is_unexploitable_only_at_half():
    """By hand: heads with p gives the matcher |2p - 1| and its opponent as much."""
    tree = TREES[0]
    assert tree.nash_conv(tree.uniform()) == 0.0
    assert tree.nash_conv(table_of(tree, [0.75, 0.75])) == pytest.approx(1.0)


def test_cfr_mixes_the_pennies_evenly():
    for row in cfr(PENNIES).rows.values():
        assert row["h"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_each_cooperator_leaves_two_points_a_round_to_gain(rounds):
    """T - R = 5 - 3 per player and round against one who never answers; defection leaves 0."""
    tree = GameTree(dilemma(rounds))
    assert tree.nash_conv(scripted(tree, lambda mine, theirs: "c")) == 4.0 * rounds
    assert tree.nash_conv(scripted(tree, lambda mine, theirs: "d")) == 0.0


@pytest.mark.parametrize("rounds", [2, 3, 6])
def test_the_best_reply_to_tit_for_tat_defects_once_at_the_end(rounds):
    """Axelrod 1984: it cannot be met by more than cooperation until there is no tomorrow."""
    tree = GameTree(dilemma(rounds))
    tit_for_tat = scripted(tree, lambda mine, theirs: theirs[-1] if theirs else "c")
    assert tree.best_response(tit_for_tat, 1).value == 3 * (rounds - 1) + 5
    assert tree.returns(tit_for_tat).tolist() == [3 * rounds] * 2


@settings(deadline=None)
@given(st.data())
def test_the_interval_holds_where_payoffs_do_not_sum_to_a_constant(data):
    tree = TREES[2]
    size = len(tree.situations)
    draw = st.lists(st.floats(0, 1), min_size=size, max_size=size)
    read, rest, missed = data.draw(draw), data.draw(draw), data.draw(draw)
    slips = dict(zip(tree.situations, (m / 4 for m in missed), strict=True))
    table = ActionTable(table_of(tree, read).rows, slips)
    truth = [(1 - m / 4) * p + m / 4 * q for p, q, m in zip(read, rest, missed, strict=True)]
    interval = tree.exploitability_interval(table)
    assert interval.low - 1e-9 <= tree.exploitability(table_of(tree, truth)) <= interval.high + 1e-9


def test_a_repeated_games_average_policy_earns_the_average():
    """Kuhn's theorem again: half cooperate throughout, half defect throughout."""
    tree = TREES[2]
    saint, sinner = (scripted(tree, lambda mine, theirs, m=m: m) for m in "cd")
    average = tree.average([saint, sinner], [1, 1])
    met = (tree.returns([saint, saint]) + tree.returns([sinner, saint])) / 2
    assert tree.returns([average, saint]) == pytest.approx(met)
    assert average["0:cc"]["c"] == 1.0
