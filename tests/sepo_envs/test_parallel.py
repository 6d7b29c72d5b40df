"""Any simultaneous game as a PettingZoo parallel environment, tried on every one in the catalogue
and on a game with three seats of which one sits out."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test
from pettingzoo.utils.conversions import parallel_to_aec

from sepo_envs import prisoners_dilemma_v0
from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import CATALOGUE, Domain
from sepo_envs.game import FORFEIT, NOT_DEFINED, Penalties, Weights
from sepo_envs.parallel import ParallelGameEnv, parallel_env

SIMULTANEOUS = [name for name, domain in CATALOGUE.items() if domain.simultaneous]


@dataclass(frozen=True)
class OddOneOut:
    """Three seats and one turn each of two of them: seat 2 sits out the first, seat 0 the second.

    Whoever plays "odd" gets a point; "even" is never legal.
    """

    name: str = "odd_one_out"
    seats: int = 3
    rounds: int = 2
    longest: int = 2
    moves: tuple[str, ...] = ("odd", "even")
    feature_names: tuple[str, ...] = ("share of rounds played", "share left")

    def start(self):
        return ()

    def actors(self, state):
        return ((0, 1), (1, 2), ())[len(state)]

    def chance_outcomes(self, state):
        return ()

    def legal_moves(self, state, seat):
        return ("odd",) if seat in self.actors(state) else ()

    def play(self, state, moves):
        return (*state, tuple(float(moves.get(seat) == "odd") for seat in range(3)))

    def payoffs(self, state):
        return state

    def observe(self, state, seat):
        return (seat, state)

    def features(self, state, seat):
        return (len(state) / 2, 1 - len(state) / 2)


ODD_ONE_OUT = Domain(
    name="odd_one_out",
    title="OddOneOut",
    version=0,
    make=OddOneOut,
    words=lambda game: SimpleNamespace(show=str),
    harms=SimpleNamespace(
        profiles=("paper",),
        published=Weights(1.0, 1.0, 1.0, 1.0),
        penalties=lambda *_, profile: Penalties(NOT_DEFINED, NOT_DEFINED, NOT_DEFINED),
    ),
    zero_sum=False,
    simultaneous=True,
)


def everyone(table, action):
    return dict.fromkeys(table.agents, action)


def test_a_game_in_which_a_seat_sits_out_passes_pettingzoos_api_test(capsys):
    """As those of the catalogue do: tests/proofs/test_pettingzoo.py."""
    parallel_api_test(parallel_env(ODD_ONE_OUT), num_cycles=100)
    assert "Passed Parallel API test" in capsys.readouterr().out


@pytest.mark.parametrize("game", SIMULTANEOUS)
def test_both_apis_play_the_same_game_by_the_same_seed(game):
    """Also past the first turn, where PettingZoo's own seed test stops."""
    table, turns = parallel_env(game), GameEnv(game)
    table.reset(seed=7)
    turns.reset(seed=7)
    rng = np.random.default_rng(7)
    while table.agents:
        actions = {agent: int(rng.integers(len(table.game.moves))) for agent in table.agents}
        seen, rewards, over, _, infos = table.step(actions)
        for action in actions.values():
            turns.step(action)
        assert turns.episode == table.episode
        assert turns.rewards == rewards
        assert turns.infos == infos
        for agent in turns.agents:
            there = turns.observe(agent)["observation"]
            assert np.array_equal(seen[agent]["observation"], there)
    assert all(over.values())
    assert set(infos["player_0"]) >= {"returns", "fouls", "penalties"}


@pytest.mark.parametrize("convert", [False, True], ids=["own aec", "parallel_to_aec"])
def test_the_second_mover_never_sees_the_firsts_choice(convert):
    """Whatever the first has chosen, a foul included, everyone sees the same until both have."""
    told = set()
    for choice in (0, 1, 7):
        table = (
            parallel_to_aec(prisoners_dilemma_v0.parallel_env())
            if convert
            else prisoners_dilemma_v0.raw_env()
        )
        table.reset(seed=0)
        table.step(choice)
        second = table.agent_selection
        told.add(str([second, table.last(), table.observe("player_0"), table.infos[second]]))
    assert len(told) == 1


@pytest.mark.parametrize("action", [2, -1, 99, None, "defect", 1.0, float("nan"), [1]])
def test_an_illegal_action_is_a_forfeit_and_one_foul_and_never_a_crash(action):
    table = prisoners_dilemma_v0.parallel_env()
    table.reset(seed=0)
    _, rewards, _, _, infos = table.step({"player_0": 1, "player_1": action})
    assert table.episode.entries[-1].move is FORFEIT
    assert "is not legal here" in infos["player_1"]["foul"]
    assert infos["player_0"] == {}
    assert table.episode.fouls == (0, 1)
    assert rewards == {"player_0": 5.0, "player_1": 0.0}


def test_the_reason_of_a_foul_goes_at_the_next_turn():
    table = prisoners_dilemma_v0.parallel_env()
    table.reset()
    table.step(everyone(table, 9))
    *_, infos = table.step(everyone(table, 0))
    assert infos == {"player_0": {}, "player_1": {}}


@pytest.mark.parametrize("actions", [{}, {"player_0": 0}, {"player_0": 0, "player0": 1}])
def test_a_missing_agent_is_the_callers_slip_and_no_foul(actions):
    table = prisoners_dilemma_v0.parallel_env()
    table.reset()
    with pytest.raises(ValueError, match=r"\['player_0', 'player_1'\] is in play. Give one for ea"):
        table.step(actions)


def test_after_the_end_nobody_is_left_and_an_action_is_refused():
    table = prisoners_dilemma_v0.parallel_env(rounds=1)
    table.reset()
    table.step(everyone(table, 0))
    assert table.agents == []
    assert table.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(ValueError, match=r"but nobody is in play. Reset first"):
        table.step({"player_0": 0})


def test_every_mask_is_open_at_once_and_closed_at_the_end():
    table = prisoners_dilemma_v0.parallel_env(rounds=1)
    seen, _ = table.reset()
    assert [mask["action_mask"].tolist() for mask in seen.values()] == [[1, 1], [1, 1]]
    seen, *_ = table.step(everyone(table, 0))
    assert [mask["action_mask"].tolist() for mask in seen.values()] == [[0, 0], [0, 0]]


def test_a_seat_that_is_not_asked_has_an_empty_mask_and_its_action_does_not_count():
    table = parallel_env(ODD_ONE_OUT)
    seen, _ = table.reset()
    assert [mask["action_mask"].tolist() for mask in seen.values()] == [[1, 0], [1, 0], [0, 0]]
    _, rewards, *_ = table.step(everyone(table, 0))
    assert rewards == {"player_0": 1.0, "player_1": 1.0, "player_2": 0.0}
    *_, over, _, infos = table.step(everyone(table, 1))
    assert all(over.values())
    assert infos["player_2"]["fouls"] == {"player_0": 0, "player_1": 1, "player_2": 1}


def test_a_match_can_be_saved_and_gone_on_with_elsewhere():
    table = prisoners_dilemma_v0.parallel_env()
    table.reset(seed=1)
    table.step({"player_0": 0, "player_1": 1})
    saved = json.loads(json.dumps(table.episode.save()))
    other = prisoners_dilemma_v0.parallel_env()
    other.reset(options={"episode": saved})
    assert other.episode == table.episode
    _, rewards, *_ = other.step(everyone(other, 0))
    assert rewards == {"player_0": 3.0, "player_1": 3.0}


def test_a_record_that_ends_in_mid_turn_is_refused_with_the_way_out():
    turns = prisoners_dilemma_v0.raw_env()
    turns.reset()
    turns.step(0)
    with pytest.raises(
        ValueError, match=r"middle of a simultaneous turn\. Go on with it in the tur"
    ):
        prisoners_dilemma_v0.parallel_env().reset(options={"episode": turns.episode.save()})


def test_seeds_decide_what_slips_and_a_reset_without_one_goes_on_with_the_stream():
    def slips(seed):
        table, found = prisoners_dilemma_v0.parallel_env(noise=0.5, rounds=1), []
        table.reset(seed=seed)
        for _ in range(20):
            table.step(everyone(table, 0))
            found.append(table.episode.state.played[0].luck)
            table.reset()
        return found

    assert slips(4) == slips(4) != slips(5)
    assert len(set(slips(4))) == 4


def test_human_prints_the_table_once_a_turn_and_ansi_returns_it(capsys):
    table = prisoners_dilemma_v0.parallel_env(render_mode="human")
    table.reset()
    table.step({"player_0": 0, "player_1": 1})
    first = "round 1: player_0 cooperate, player_1 defect -> player_0 +0, player_1 +5"
    assert capsys.readouterr().out == f"round 1: not played yet\n{first}\n"
    table = prisoners_dilemma_v0.parallel_env(render_mode="ansi")
    table.reset()
    table.step({"player_0": 0, "player_1": 1})
    assert table.render() == first


def test_a_game_of_turns_has_no_parallel_environment():
    with pytest.raises(ValueError, match=r'in turns, .* Use pettingzoo\.make\("aec", "sepo/kuhn'):
        ParallelGameEnv("kuhn_poker")


def test_a_render_mode_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no render mode 'rgb'; choose one of ansi, human"):
        prisoners_dilemma_v0.parallel_env(render_mode="rgb")
