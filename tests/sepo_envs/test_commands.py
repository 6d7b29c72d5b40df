"""python -m sepo_envs: what is printed, what is saved, and how slips are answered."""

import io
import re
import subprocess
import sys

import pytest

from sepo_envs import list_envs
from sepo_envs.commands import COMMANDS, main
from sepo_envs.find_opponent import known_opponents, known_pools
from sepo_envs.replays import read
from sepo_envs.single_agent import SingleAgentEnv


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_teaches_with_examples(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([*filter(None, [command]), "--help"])
    assert done.value.code == 0
    told = capsys.readouterr().out
    assert f"python -m sepo_envs {command}" in told
    assert re.search(r"examples?:\n  python -m sepo_envs ", told)


def test_list_names_every_id_option_and_opponent(typed):
    status, told = typed("list")
    assert status == 0
    words = re.split(r"[\s,]+", told.out)
    for name, ids in list_envs().items():
        assert {each.removeprefix("sepo_envs:") for each in words} >= set(ids)
        assert set(words) >= known_opponents(name).keys()
        assert f"{name}: " in told.out
    assert "hands=1" in words
    assert "values=(2, 4)" in told.out


def test_list_shows_who_is_in_which_pool_and_who_cannot_be_had_by_name(typed):
    _, told = typed("list kuhn_poker")
    assert "  exploit pool   always-bet, best-response (*)\n" in told.out
    assert "  in no pool     nash-approx\n" in told.out
    assert "prisoners" not in told.out


def test_the_pools_on_show_are_those_of_the_opponents_package():
    assert known_pools("kuhn_poker")["train"] == ("nash", "tight-passive", "loose-aggressive")
    assert known_pools("chess") == {}


def test_a_game_without_opponents_says_what_to_install(typed, monkeypatch):
    monkeypatch.setattr("sepo_envs.commands.listing.known_opponents", lambda game: {})
    _, told = typed("list kuhn_poker")
    assert "none installed; `pip install sepo` brings some" in told.out


@pytest.mark.parametrize("arguments", ["play kuhn_poker", "play kuhn_poker --against ask"])
def test_play_without_an_opponent_lists_them(typed, arguments):
    status, told = typed(arguments)
    assert status == 0
    assert "tight-passive" in told.out
    assert told.out.endswith("Choose one of them: --against NAME.\n")


def test_a_whole_episode_is_played_shown_and_saved(typed, tmp_path):
    file = tmp_path / "mine.jsonl"
    status, told = typed(
        f"play prisoners_dilemma --against tit-for-tat --seat 1 --seed 5 --save {file} "
        "--option rounds=2",
        "C",
        "[cooperate]",
        "defect",
    )
    assert status == 0
    assert "[c] is not legal here; the legal moves are [cooperate] or [defect]." in told.out
    assert "The match lasts exactly 2 rounds." in told.out
    assert "round 2: player_0 cooperate, player_1 defect -> player_0 +0, player_1 +5" in told.out
    assert "player_1 (human): +8 points" in told.out
    assert "paper penalties: exploitation -2.5, collusion 0.5, externality" in told.out
    assert "econ penalties: exploitation -2.5" in told.out
    assert "You leave with +8 points after 1 finished episode." in told.out
    [replay] = read(file)
    assert replay.episode.returns == (3.0, 8.0)
    assert replay.about == {"players": ["tit-for-tat", "human"], "seed": 5, "episode": 0}


def test_seats_alternate_and_nothing_is_lost_by_leaving_in_mid_episode(typed, tmp_path):
    file = tmp_path / "mine.jsonl"
    _, told = typed(
        f"play split_negotiation --against fair --seed 1 --save {file} --option rounds=1",
        *["5", "5", "4"],
    )
    assert [r.about["players"] for r in read(file)] == [
        ["human", "fair"],
        ["fair", "human"],
        ["human", "fair"],
    ]
    assert "=== episode 4: you are player_1 ===" in told.out
    assert "You leave with +14 points after 3 finished episodes." in told.out
    assert f"python -m sepo_envs replay {file}" in told.out


@pytest.mark.parametrize(
    ("save", "text"),
    [
        ("/dev/full", "/dev/full is no ordinary file"),
        ("docs", "'docs'"),
        ("no_such_folder/f.jsonl", "No such file or directory: 'no_such_folder/f.jsonl'"),
        ("README.md", "README.md is there, and no line of it is an episode"),
    ],
)
def test_a_file_that_cannot_be_saved_to_is_refused_before_anything_is_played(typed, save, text):
    status, told = typed(f"play kuhn_poker --against nash --save {save}", "check", "fold")
    assert (status, told.out) == (2, "")
    assert text in told.err


def test_ctrl_c_leaves_like_ctrl_d(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Interrupting())
    assert main(["play", "kuhn_poker", "--against", "nash"]) == 0
    assert "You leave with 0 points after 0 finished episodes." in capsys.readouterr().out


class Interrupting(io.StringIO):
    def readline(self, *args):
        raise KeyboardInterrupt


def test_the_same_seed_deals_the_same_cards_to_both_and_as_the_environments_do(typed, tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        typed(
            f"play kuhn_poker --against uniform --seat 0 --seed 11 --save {file}",
            *["check", "fold"] * 9,
        )
    first, again = (file.read_text() for file in files)
    assert first == again
    table = SingleAgentEnv("kuhn_poker", opponent="uniform", seat=0)
    cards = []
    for number, replay in enumerate(read(files[0])):
        table.reset(seed=11 if number == 0 else None)
        cards.append(replay.episode.state.settled[0].cards)
        assert table.episode.state.hand.cards == cards[-1]
    assert len(set(cards)) > 1


def test_without_a_seed_the_one_that_was_drawn_is_told(typed):
    _, told = typed("play kuhn_poker --against nash")
    assert re.search(r"To be dealt the same again: --seed \d+\n", told.out)


def test_an_auction_of_three_is_played_with_the_opponent_in_both_other_seats(typed):
    _, told = typed(
        "play repeated_auction --against always-1 --seat 2 --option bidders=3 --option rounds=1",
        "3",
    )
    assert "player_0 (always-1)" in told.out
    assert "player_1 (always-1)" in told.out
    assert "player_2 (human)" in told.out


def test_a_game_and_an_opponent_of_ones_own_are_named_by_their_module(typed, tmp_path, monkeypatch):
    (tmp_path / "own_games.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    _, told = typed("play own_games:SMALL --against own_games:TAKER", "1")
    assert "player_1 (taker): +2 points" in told.out
    status, told = typed("check own_games:SMALL own_games:TAKER --game split_negotiation")
    assert (status, told.out) == (
        0,
        "game split_negotiation: keeps every law\n"
        + "".join(
            f"opponent {name} of split_negotiation: keeps every law\n"
            for name in (*known_opponents("split_negotiation"), "taker")
        ),
    )


OWN = """
from dataclasses import replace
from functools import partial
from sepo_envs.catalogue import domain
from sepo_envs.games.split_negotiation.rules import SplitNegotiation

class Taker:
    name, citation = "taker", "a test"

    def act(self, observation, legal, rng):
        return legal[-1]

class Greedy(Taker):
    name = "greedy"

    def act(self, observation, legal, rng):
        return 10

SMALL = replace(domain("split_negotiation"), make=partial(SplitNegotiation, rounds=1, pie=3))
TAKER, NO_OPPONENT = Taker(), 7
OPPONENTS = {"taker": TAKER, "misnamed": Greedy()}
"""


def test_check_prints_what_is_broken_and_how_to_mend_it(typed, tmp_path, monkeypatch):
    (tmp_path / "own_games.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    status, told = typed("check own_games:OPPONENTS --game split_negotiation --episodes 3")
    assert status == 1
    assert "opponent taker of split_negotiation: keeps every law" in told.out
    assert "opponent misnamed of split_negotiation: 2 broken" in told.out
    assert "it is called 'greedy', but is offered under another name" in told.out
    assert "it acts 10 in Observation(" in told.out
    assert "mend   return one of the legal moves that act is given." in told.out


def test_check_takes_options(typed):
    status, told = typed("check kuhn_poker --option hands=2 --episodes 2")
    assert status == 0
    assert told.out.startswith("game kuhn_poker: keeps every law\n")
    assert "opponent nash of kuhn_poker: keeps every law\n" in told.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("list khun_poker", "there is no domain 'khun_poker'. Did you mean 'kuhn_poker'?"),
        ("play chess --against nash", "there is no domain 'chess'."),
        (
            "play kuhn_poker --against nahs",
            "no opponent 'nahs' for kuhn_poker. Did you mean 'nash'?",
        ),
        (
            "play kuhn_poker --against nash --seat 2",
            "--seat is 2, but kuhn_poker has seats 0 to 1.",
        ),
        ("play kuhn_poker --against nash --seed -1", "--seed is -1, but must be a whole number"),
        (
            "play kuhn_poker --option hand=2",
            "kuhn_poker has no option 'hand'. Did you mean 'hands'?",
        ),
        (
            "play kuhn_poker --option hands",
            "--option hands has no value. Write --option hands=VALUE",
        ),
        ("play kuhn_poker --option hands=0", "hands is 0"),
        ("play kuhn_poker --option hands=two", "hands is 'two'"),
        (
            "play no_such_module:GAME",
            "there is no module 'no_such_module'. Python looks in the fold",
        ),
        ("play sepo_envs.catalogue:CATALOGE", "has no 'CATALOGE'. Did you mean 'CATALOGUE'?"),
        ("play sepo_envs.catalogue:CATALOGUE", "is a dict, not a sepo_envs.Domain"),
        ("play kuhn_poker --against sepo_envs.catalogue:CATALOGUE", "has no name and no act("),
        ("check opponents.kuhn_poker:NASH", "say of which game: --game kuhn_poker"),
        ("check sepo_envs.game:CHANCE --game kuhn_poker", "opponent -1 has no name and no act"),
        ("check kuhn_poker --episodes 0", "--episodes is 0, but nothing is found in none"),
        ("replay none.jsonl", "No such file or directory: 'none.jsonl'"),
    ],
)
def test_a_slip_is_answered_in_one_line_with_the_near_miss(typed, arguments, text):
    status, told = typed(arguments)
    assert status == 2
    assert text in told.err
    assert told.err.startswith(f"python -m sepo_envs {arguments.split()[0]}: ")
    assert told.err.count("\n") == 1


def test_a_module_that_itself_fails_to_import_is_not_taken_for_a_missing_one(tmp_path, monkeypatch):
    (tmp_path / "own_broken.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        main(["check", "own_broken:GAME"])


def test_whoever_reads_only_the_first_line_gets_no_traceback():
    run = subprocess.run(
        f"{sys.executable} -m sepo_envs list | head -1", shell=True, capture_output=True, text=True
    )
    assert run.stdout.startswith("kuhn_poker: ")
    assert run.stderr == ""
