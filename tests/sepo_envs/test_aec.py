"""Any game as a PettingZoo AEC environment, tried on Kuhn poker and on a simultaneous toy game."""

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from sepo_envs import aec, kuhn_poker_v0, text
from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import Domain
from sepo_envs.game import FORFEIT, NOT_DEFINED, Forfeit, Penalties, Unreadable, Weights
from sepo_envs.games.kuhn_poker.rules import Card

PENNIES_MOVES = ("heads", "tails", "edge")


@dataclass(frozen=True)
class Pennies:
    """Matching pennies, both at once: seat 0 wins 1 if they match. Nobody may play the edge."""

    rounds: int = 2
    name: str = "pennies"
    seats: int = 2
    longest: int = 9
    moves: tuple[str, ...] = PENNIES_MOVES
    feature_names: tuple[str, ...] = ("share of rounds played", "share left")

    def start(self):
        return ()

    def actors(self, state):
        return (0, 1) if len(state) < self.rounds else ()

    def chance_outcomes(self, state):
        return ()

    def legal_moves(self, state, seat):
        return PENNIES_MOVES[:2] if seat in self.actors(state) else ()

    def play(self, state, moves):
        return (*state, tuple("heads" if moves[s] is FORFEIT else moves[s] for s in (0, 1)))

    def payoffs(self, state):
        return tuple((1.0, -1.0) if mine == theirs else (-1.0, 1.0) for mine, theirs in state)

    def observe(self, state, seat):
        return (seat, state)

    def features(self, state, seat):
        return (len(state) / self.rounds, 1 - len(state) / self.rounds)


@dataclass(frozen=True)
class PenniesWords:
    game: Pennies

    def rules(self, seat):
        return "Matching pennies."

    def news(self, state, seat):
        return f"So far: {state}."

    def ask(self, state, seat):
        return "Heads or tails?"

    def parse(self, reply, state, seat):
        return reply if reply in PENNIES_MOVES[:2] else Unreadable("it is no side of a coin")

    def say(self, move, state, seat):
        return move

    def conversation(self, state):
        return 0

    def show(self, state):
        return str(state)


class PenniesHarms:
    profiles = ("paper",)
    published = Weights(1.0, 1.0, 1.0, 1.0)

    def penalties(self, game, state, seat, *, profile):
        return Penalties(NOT_DEFINED, NOT_DEFINED, NOT_DEFINED)


PENNIES = Domain("pennies", "Pennies", 0, Pennies, PenniesWords, PenniesHarms(), True, True)


def play_out(table, act):
    """What every agent saw, was paid and did until the end."""
    trace = []
    for agent in table.agent_iter():
        seen, reward, terminated, truncated, info = table.last()
        action = None if terminated or truncated else act(agent, seen)
        trace.append((agent, str(seen), reward, terminated, truncated, str(info), action))
        table.step(action)
    return trace


def first_legal(agent, seen):
    return int(np.argmax(seen["action_mask"]))


@pytest.mark.parametrize("max_cycles", [1, 2, 4])
def test_an_episode_is_truncated_once_any_agent_has_made_max_cycles_moves(max_cycles):
    """The law of PettingZoo's `max_cycles_test`, which itself needs a ``parallel_env`` and so
    cannot take a sequential game."""
    table = kuhn_poker_v0.env(hands=20, max_cycles=max_cycles)
    table.reset(seed=3)
    trace = play_out(table, first_legal)
    moves = Counter(agent for agent, *_, action in trace if action is not None)
    assert max(moves.values()) == max_cycles
    assert [truncated for *_, truncated, _, action in trace if action is None] == [True, True]


def test_both_sides_of_a_simultaneous_turn_count_before_it_is_truncated():
    table = aec.env(PENNIES, rounds=5, max_cycles=3)
    table.reset()
    trace = play_out(table, first_legal)
    assert Counter(agent for agent, *_ in trace) == {"player_0": 4, "player_1": 4}


def test_a_truncated_episode_reports_returns_and_fouls_but_no_penalties():
    table = GameEnv("kuhn_poker", hands=2, max_cycles=1)
    table.reset(seed=0)
    table.step(7)
    assert set(table.infos["player_0"]) == {"foul", "returns", "fouls"}
    assert table.infos["player_1"]["fouls"] == {"player_0": 1, "player_1": 0}


def test_points_are_paid_when_a_hand_settles():
    table = GameEnv("kuhn_poker", hands=2)
    table.reset(options={"episode": record([[-1, Card.KING], [-1, Card.JACK]], hands=2)})
    table.step(1)
    assert table.rewards == {"player_0": 0.0, "player_1": 0.0}
    table.step(1)
    assert table.rewards == {"player_0": 2.0, "player_1": -2.0}
    assert not any(table.terminations.values())


def test_the_end_is_told_to_every_agent_with_its_own_penalties():
    table = GameEnv("kuhn_poker")
    table.reset(options={"episode": record([[-1, Card.KING], [-1, Card.JACK], [0, "bet"]])})
    table.step(1)
    mine, theirs = table.infos["player_0"], table.infos["player_1"]
    assert mine["returns"] == theirs["returns"] == {"player_0": 2.0, "player_1": -2.0}
    assert mine["penalties"]["exploitation"] == {"value": -4.0, "defined": True}
    assert theirs["penalties"]["exploitation"] == {"value": 4.0, "defined": True}
    assert mine["penalties"]["collusion"] == {"value": None, "defined": False}


@pytest.mark.parametrize("action", [2, -1, 99, None, "bet", 1.0, float("nan"), [1]])
def test_an_illegal_action_is_a_forfeit_and_one_foul_and_never_a_crash(action):
    table = GameEnv("kuhn_poker")
    table.reset(seed=0)
    table.step(action)
    assert table.episode.entries[-1].move is FORFEIT
    assert "is not legal here; the legal ones are [0, 1]" in table.infos["player_0"]["foul"]
    assert table.episode.fouls == (1, 0)


@pytest.mark.parametrize("action", [1, np.int32(1), np.int64(1), np.array(1)])
def test_an_action_may_be_any_kind_of_integer(action):
    table = GameEnv("kuhn_poker")
    table.reset(seed=0)
    table.step(action)
    assert table.episode.entries[-1].move == "bet"


def test_the_reason_of_a_foul_goes_when_the_agent_moves_again():
    table = GameEnv("kuhn_poker", hands=2)
    table.reset(seed=0)
    table.step(7)
    table.step(1)
    assert "foul" in table.infos["player_0"]
    table.step(0)
    assert "foul" not in table.infos["player_0"]


def test_a_move_that_waits_for_the_other_seat_reaches_nobody():
    """Whatever player_0 has chosen, legal or foul, everyone else sees the same until both have."""
    seen = set()
    for action in (0, 1, 2):
        table, words = aec.env(PENNIES), text.env(PENNIES, max_retries=0)
        for env, move in ((table, action), (words, ("heads", "tails", "?")[action])):
            env.reset(seed=0)
            env.step(move)
        seen.add(
            str(
                [
                    (env.agent_selection, env.last(), env.observe("player_0"), env.rewards)
                    for env in (table, words)
                ]
                + [table.state(), table.unwrapped.infos["player_1"], words.infos["player_1"]]
            )
        )
    assert len(seen) == 1


def test_only_the_agent_on_turn_has_a_mask():
    table = GameEnv(PENNIES)
    table.reset()
    assert table.observe("player_0")["action_mask"].tolist() == [1, 1, 0]
    assert table.observe("player_1")["action_mask"].tolist() == [0, 0, 0]


def test_the_opponents_card_changes_no_number_that_a_seat_sees():
    seen = set()
    for theirs in (Card.JACK, Card.KING):
        table = GameEnv("kuhn_poker")
        table.reset(options={"episode": record([[-1, Card.QUEEN], [-1, theirs]])})
        seen.add(str(table.observe("player_0")))
    assert len(seen) == 1


def record(moves, *, hands=1):
    return {"game": "kuhn_poker", "options": {"hands": hands}, "moves": moves}


def test_a_match_can_be_saved_and_gone_on_with_elsewhere():
    table = kuhn_poker_v0.env(hands=3)
    table.reset(seed=1)
    for _ in range(4):
        table.step(1)
    saved = json.loads(json.dumps(table.unwrapped.episode.save()))
    other = kuhn_poker_v0.env(hands=3)
    other.reset(options={"episode": saved})
    assert other.unwrapped.episode == table.unwrapped.episode
    assert other.agent_selection == table.agent_selection


def test_points_won_before_the_save_are_not_paid_again():
    moves = [[-1, 2], [-1, 0], [0, "bet"], [1, "bet"], [-1, 2], [-1, 0], [1, "pass"]]
    table = GameEnv("kuhn_poker", hands=2)
    table.reset(options={"episode": record(moves, hands=2)})
    table.step(0)
    assert table.rewards == {"player_0": -1.0, "player_1": 1.0}
    assert table.infos["player_0"]["returns"] == {"player_0": 1.0, "player_1": -1.0}


def test_a_finished_record_is_refused_with_the_way_to_read_it():
    finished = record([[-1, 2], [-1, 0], [0, "bet"], [1, "bet"]])
    with pytest.raises(ValueError, match=r"nothing left to play.*sepo_envs.restore\(game, record"):
        GameEnv("kuhn_poker").reset(options={"episode": finished})


def test_seeds_deal_the_cards_and_a_reset_without_one_goes_on_with_the_stream():
    def deals(seed):
        table = GameEnv("kuhn_poker")
        table.reset(seed=seed)
        dealt = [table.episode.state.hand.cards]
        for _ in range(49):
            table.reset()
            dealt.append(table.episode.state.hand.cards)
        return dealt

    assert deals(4) == deals(4) != deals(5)
    assert len(set(deals(4))) == 6


def test_ansi_returns_the_open_table_and_human_prints_it_at_every_step(capsys):
    table = GameEnv("kuhn_poker", render_mode="ansi")
    table.reset(seed=0)
    shown = table.render()
    assert shown is not None
    assert shown.startswith("hand 1: player_0 ")
    assert capsys.readouterr().out == ""
    table = GameEnv("kuhn_poker", render_mode="human")
    table.reset(seed=0)
    assert table.render() is None
    table.step(0)
    assert capsys.readouterr().out == f"{shown}\n{shown}\n{shown}: check\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"render_mode": "rgb"}, "no render mode 'rgb'; choose one of ansi, human"),
        ({"max_cycles": 0}, "max_cycles is 0, but an agent needs at least 1 move"),
        ({"profile": "papre"}, "no penalty profile 'papre'; choose one of paper, econ"),
        ({"hands": 0}, "hands is 0"),
    ],
)
def test_an_impossible_option_is_refused_where_the_environment_is_made(options, text):
    with pytest.raises(ValueError, match=text):
        GameEnv("kuhn_poker", **options)


def test_forfeits_are_told_apart_from_moves_in_the_record():
    table = GameEnv("kuhn_poker")
    table.reset(seed=0)
    table.step(5)
    assert isinstance(table.episode.entries[-1].move, Forfeit)
    assert table.episode.save()["moves"][-1] == [0, {"forfeit": True}]


def test_a_loop_in_which_nobody_steps_is_told_so_at_once():
    table = GameEnv("kuhn_poker")
    table.reset(seed=0)
    turns = table.agent_iter()
    assert next(turns) == "player_0"
    with pytest.raises(RuntimeError, match=r"player_0 has not acted. Call step in the loop"):
        next(turns)
