"""Both sides of each race play the same game for as many decisions as they say."""

from __future__ import annotations

import sys

import pyspiel
import pytest

from benchmarks import environment_speed as speeds
from benchmarks import speed
from benchmarks.command_line import BenchmarkError
from benchmarks.records import load
from sepo_envs.batch import Board
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma

POKER = "Your available actions are: '[check]', '[bet]'"


def test_a_reply_is_one_of_those_that_the_prompt_offered_last():
    assert speeds.poker_reply(POKER, heads=True) == "[bet]"
    assert speeds.poker_reply(POKER, heads=False) == "[check]"
    assert speeds.poker_reply(f"{POKER} ... [fold] or [call].", heads=True) == "[call]"
    assert speeds.poker_reply(f"{POKER} ... [fold] or [call].", heads=False) == "[fold]"


def test_no_reply_is_a_foul_on_either_side():
    """Twenty choices of ours in ten rounds; forty there, where talk comes before each choice. A
    hand of poker has 2.25 decisions on average, and a foul would add one there."""
    dilemma = speeds.in_text(*speeds.DILEMMA, 0, games=3, rounds=speeds.ROUNDS)
    assert (dilemma.steps, dilemma.games) == (3 * 20, 3)
    theirs = speeds.in_textarena(*speeds.DILEMMA_THERE, 0, games=3)
    assert (theirs.steps, theirs.games) == (3 * 40, 3)
    for done in (
        speeds.in_text(*speeds.POKER, 0, games=200, hands=speeds.HANDS),
        speeds.in_textarena(*speeds.POKER_THERE, 0, games=200),
    ):
        assert done.steps / done.games == pytest.approx(3 * 2.25, abs=0.3)


def test_decisions_of_openspiels_games_are_counted_exactly():
    """By hand: two moves after a bet or two checks, three after a check and a bet, 3/4 and 1/4."""
    assert speeds.decisions_per_game(pyspiel.load_game("kuhn_poker")) == pytest.approx(2.25)
    dilemma = pyspiel.create_repeated_game(
        pyspiel.load_game("matrix_pd"), {"num_repetitions": speeds.REPETITIONS}
    )
    assert speeds.decisions_per_game(dilemma) == 16


def test_tables_and_batches_play_whole_hands(monkeypatch):
    monkeypatch.setattr(speeds, "STRUCTURED", 400)
    for done in (
        speeds.in_integers(1),
        speeds.in_shimmy(1),
        speeds.in_batch(1, Board(KuhnPoker()), 4_000),
    ):
        assert done.steps / done.games == pytest.approx(2.25, abs=0.12)
        assert done.seconds > 0


def test_a_large_batch_on_a_new_board_is_raced_beside_the_small_one(monkeypatch):
    """Eight rounds are sixteen decisions; both races are of whole matches on a board of their own,
    and the same seeds on the same board would be the work of one of them only."""
    monkeypatch.setattr(speeds, "BATCHED", 500)
    monkeypatch.setattr(speeds, "LARGE", 4_000)
    played = {race.name: race.ours for race in speeds.races() if race.name.startswith("IPD, 8")}
    small = played["IPD, 8 rounds, batch on a new board"]
    large = played["IPD, 8 rounds, 4,000 episodes on a new board"]
    for _ in range(2):
        assert small(1)[:2] == (500 * 16, 500)
        assert large(1)[:2] == (4_000 * 16, 4_000)


def test_the_cost_of_exploring_is_paid_once_per_board():
    """By hand: k rounds can have gone 4 ways each, and then 3 nodes lead on, in the last 1."""
    board = Board(PrisonersDilemma(rounds=3))
    speeds.in_batch(1, board, 20_000)
    reached = len(board)
    speeds.in_batch(2, board, 20_000)
    assert len(board) == reached == 3 * (1 + 4 + 16) + 64


def test_the_record_tells_rates_and_their_ratios_pair_by_pair(tmp_path, monkeypatch):
    works = iter([speeds.Work(100, 10, s) for s in (9.0, 1.0, 2.0, 4.0)])
    theirs = iter([speeds.Work(50, 10, s) for s in (9.0, 1.0, 1.0, 1.0)])
    race = speeds.Race("a race", "them", lambda _: next(works), lambda _: next(theirs))
    monkeypatch.setattr(speeds, "races", lambda: iter([race]))
    monkeypatch.setattr(speeds, "best_response", lambda: 0.5)
    monkeypatch.setattr(speeds, "import_seconds", lambda: 0.25)
    speed.main(["--environments", "--pairs", "3", "--results", str(tmp_path)])
    record = load(tmp_path / "speed" / "environments.json")
    found = record.measures["a race"]
    assert found["sepo"].values == (100, 50, 25)
    assert found["them"].values == (50, 50, 50)
    assert found["sepo / them"].values == (2, 1, 0.5)
    assert found["sepo / them, games"].values == (1, 0.5, 0.25)
    assert record.measures["import sepo_envs in a fresh process"]["seconds"].values == (0.25,) * 3
    assert record.certificate.command.endswith("--environments --pairs 3")
    assert record.game.id == "kuhn_poker, prisoners_dilemma"


def test_an_import_and_a_best_response_take_time():
    assert speeds.import_seconds() > 0
    assert speeds.best_response() > 0


def test_a_missing_peer_is_answered_with_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "textarena", None)
    with pytest.raises(
        BenchmarkError, match=r'textarena, which is not.* pip install "sepo\[dev\]"'
    ):
        next(speeds.races())
