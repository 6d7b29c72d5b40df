"""Kuhn poker beside OpenSpiel's own, history by history and number by number."""

import importlib
import subprocess
import sys

import numpy as np
import pyspiel
import pytest
from open_spiel.python.algorithms import best_response, expected_game_score, exploitability

from opponents.kuhn_poker import SITUATIONS, bets, nash_table
from sepo_envs.exact import ActionTable, GameTree, bridge
from sepo_envs.exact.bridge import OpenSpielGame, action_table, tabular_policy
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move

OURS = OpenSpielGame(KuhnPoker())
THEIRS = pyspiel.load_game("kuhn_poker")
TREE = GameTree(KuhnPoker())


def random_tables(count: int) -> list[ActionTable]:
    """Seeded; every fifth one is deterministic, where ties and unreached sets live."""
    rng = np.random.default_rng(1950)
    draws = [rng.random(12) for _ in range(count)]
    return [
        bets(**dict(zip(SITUATIONS, draw.round() if n % 5 == 0 else draw, strict=True)))
        for n, draw in enumerate(draws)
    ]


def in_their_words(table: ActionTable) -> dict[str, list[tuple[int, float]]]:
    """OpenSpiel writes the Queen after pass-bet as "1pb"."""
    return {
        f"{'JQK'.index(key[0])}{key[1:]}": [(0, row[Move.PASS]), (1, row[Move.BET])]
        for key, row in table.rows.items()
    }


def test_all_thirty_histories_agree_with_openspiels_kuhn_step_by_step():
    ends = 0
    together = [(OURS.new_initial_state(), THEIRS.new_initial_state())]
    while together:
        ours, theirs = together.pop()
        assert ours.current_player() == theirs.current_player()
        if theirs.is_terminal():
            assert ours.is_terminal()
            assert ours.returns() == theirs.returns()
            ends += 1
        elif theirs.is_chance_node():
            dealt = ours.episode.game.chance_outcomes(ours.episode.state)
            assert [(int(card), p) for card, p in dealt] == theirs.chance_outcomes()
            together += [
                (ours.child(number), theirs.child(int(card)))
                for number, (card, _) in enumerate(dealt)
            ]
        else:
            assert ours.legal_actions() == theirs.legal_actions()
            name = theirs.information_state_string()
            assert ours.information_state_string() == Card(int(name[0])).letter + name[1:]
            together += [(ours.child(a), theirs.child(a)) for a in theirs.legal_actions()]
    assert ends == 30


def test_three_ways_to_compute_exploitability_agree():
    """Our arrays, OpenSpiel's Python on the bridged game, and C++ on OpenSpiel's own Kuhn."""
    for table in random_tables(100):
        arrays = TREE.exploitability(table)
        bridged = exploitability.exploitability(OURS, tabular_policy(OURS, table))
        native = pyspiel.exploitability(THEIRS, in_their_words(table))
        assert bridged == pytest.approx(arrays, abs=1e-12)
        assert native == pytest.approx(arrays, abs=1e-12)


def test_best_responses_and_returns_are_openspiels():
    for table in random_tables(25):
        policy = tabular_policy(OURS, table)
        root = OURS.new_initial_state()
        returns = expected_game_score.policy_value(root, [policy, policy])
        assert TREE.returns(table) == pytest.approx(returns, abs=1e-12)
        for seat in (0, 1):
            theirs = best_response.BestResponsePolicy(OURS, seat, policy)
            ours = TREE.best_response(table, seat)
            assert ours.value == pytest.approx(theirs.value(root), abs=1e-12)


def test_the_game_is_announced_as_what_it_is():
    kind = OURS.get_type()
    assert kind.utility == pyspiel.GameType.Utility.ZERO_SUM
    assert kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL
    assert (OURS.min_utility(), OURS.max_utility()) == (-2.0, 2.0)
    assert (OURS.max_game_length(), OURS.max_chance_outcomes()) == (3, 3)


def test_openspiels_own_random_playthroughs_find_no_fault():
    pyspiel.random_sim_test(OURS, num_sims=5, serialize=False, verbose=False)


def test_a_copied_state_goes_its_own_way():
    state = OURS.new_initial_state()
    state.apply_action(0)
    copy = state.clone()
    copy.apply_action(0)
    assert len(state.episode.entries) == 1
    assert len(copy.episode.entries) == 2
    assert str(copy) == "0 1"


def test_a_table_survives_the_way_to_openspiel_and_back():
    for table in random_tables(5):
        assert action_table(OURS, tabular_policy(OURS, table)).rows == table.rows


def test_a_match_of_two_hands_loses_what_its_two_hands_lose():
    """No hand tells of the next and each seat opens one, so NashConv simply doubles."""
    match = OpenSpielGame(KuhnPoker(hands=2))
    table = random_tables(2)[1]
    twice = exploitability.nash_conv(match, tabular_policy(match, table))
    assert twice == pytest.approx(2 * TREE.nash_conv(table), abs=1e-12)


def test_a_policy_that_remembers_earlier_hands_does_not_fit_a_table():
    match = OpenSpielGame(KuhnPoker(hands=2))
    policy = tabular_policy(match, nash_table(0))
    policy.policy_for_key("KppJ Qp")[:] = [0.0, 1.0]
    with pytest.raises(ValueError, match=r"'Qp'.*in two ways.*Solve a single hand"):
        action_table(match, policy)


def test_a_table_with_a_hole_is_refused_on_the_way_to_openspiel():
    with pytest.raises(ValueError, match="nothing about situation"):
        tabular_policy(OURS, ActionTable({"Q": {Move.BET: 1.0}}))


def test_a_game_too_large_to_walk_is_refused_with_the_mend():
    with pytest.raises(ValueError, match=r"more than 1,000 histories.*shorter horizon"):
        OpenSpielGame(KuhnPoker(hands=6), most_nodes=1_000)


def test_without_openspiel_the_error_is_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(ImportError, match=r'pip install "sepo\[exact\]"'):
        importlib.reload(bridge)


def test_exact_measures_and_opponents_work_without_openspiel():
    """Run apart, because this process has long imported it."""
    script = (
        "import sys; sys.modules['pyspiel'] = None; import sepo_envs.exact, opponents.kuhn_poker"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
