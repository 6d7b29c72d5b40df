"""python -m sepo_envs replay: what it tells of a file, in a table and move by move."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sepo_envs.canvas import HEIGHT, WIDTH
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import dumps
from tests.sepo_envs.test_replays import played


@pytest.fixture
def file(tmp_path) -> Path:
    """One episode of each game, and between them a line that claims other returns."""
    path = tmp_path / "matches.jsonl"
    lines = [dumps(played(name, 3)) for name in CATALOGUE]
    lines.insert(2, json.dumps({**json.loads(lines[0]), "returns": [9.0, -9.0]}))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_replay_verifies_every_line_and_tells_the_wrong_one(typed, file):
    status, told = typed(f"replay {file}")
    assert status == 1
    assert told.err.startswith(f"{file}:3: the record claims returns [9.0, -9.0], but its moves")
    rows = told.out.splitlines()
    assert [row.split()[1] for row in rows[1:-1]] == list(CATALOGUE)
    assert [row.split()[0] for row in rows[1:-1]] == ["1", "2", "4", "5", "6"]
    assert rows[-1] == "5 episodes verified by playing every move again, 1 wrong line."


def test_replay_shows_an_episode_move_by_move(typed, tmp_path):
    (tmp_path / "f").write_text(
        '{"game":"kuhn_poker","options":{"hands":1},'
        '"moves":[[-1,2],[-1,0],[0,"bet"],[1,{"forfeit":true}]],"returns":[1.0,-1.0],'
        '"about":{"players":["ann","bob"]}}\n'
    )
    status, told = typed(f"replay {tmp_path}/f --episode 1")
    assert status == 0
    assert told.out == (
        "line 1: kuhn_poker (hands=1), ann against bob\n"
        "   1  chance: king\n"
        "        hand 1: player_0 King\n"
        "   2  chance: jack\n"
        "        hand 1: player_0 King, player_1 Jack\n"
        "   3  player_0 (ann): [bet]\n"
        "        hand 1: player_0 King, player_1 Jack: bet\n"
        "   4  player_1 (bob): forfeit\n"
        "        hand 1: player_0 King, player_1 Jack: bet fold (cards not shown) "
        "-> player_0 +1, player_1 -1\n"
        "\n"
        "hand 1: player_0 King, player_1 Jack: bet fold (cards not shown) "
        "-> player_0 +1, player_1 -1\n"
        "\n"
        "player_0 (ann): +1 point\n"
        "  paper penalties: exploitation -2, collusion not defined, externality not defined\n"
        "  econ penalties: exploitation -2, collusion not defined, externality not defined\n"
        "player_1 (bob): -1 point, 1 foul\n"
        "  paper penalties: exploitation 2, collusion not defined, externality not defined\n"
        "  econ penalties: exploitation 2, collusion not defined, externality not defined\n"
    )


def test_a_file_that_is_not_there_has_no_table(typed):
    status, told = typed("replay none.jsonl")
    assert (status, told.out) == (2, "")


@pytest.mark.parametrize("line", [1, 2, 4, 5, 6])
def test_replay_tells_every_game(typed, file, line):
    status, told = typed(f"replay {file} --episode {line}")
    assert status == 0
    assert "econ penalties: exploitation" in told.out


def test_an_episode_that_is_not_over_is_shown_without_penalties(typed, tmp_path):
    (tmp_path / "f").write_text('{"game":"kuhn_poker","options":{"hands":1},"moves":[[-1,2]]}')
    _, told = typed(f"replay {tmp_path}/f --episode 1")
    assert told.out.endswith("The episode is not over.\n")
    assert "penalties" not in told.out
    _, told = typed(f"replay {tmp_path}/f")
    assert "so far, not over" in told.out


def test_replay_draws_the_end_of_an_episode(typed, file, tmp_path):
    status, told = typed(f"replay {file} --episode 4 --picture {tmp_path}/end.png")
    assert status == 0
    assert np.asarray(Image.open(tmp_path / "end.png")).shape == (HEIGHT, WIDTH, 3)
    assert f"{tmp_path}/end.png shows line 4 of {file}" in told.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--episode 3", ":3: the record claims returns"),
        ("--episode 99", "holds no episode in line 99. See them all: python -m sepo_envs replay"),
        ("--picture out.png", "holds several episodes. Choose one: --episode LINE."),
        ("--episode 1 --picture out.nonsense", "unknown file extension: .nonsense"),
    ],
)
def test_an_episode_that_cannot_be_shown_is_told(typed, file, arguments, text):
    status, told = typed(f"replay {file} {arguments}")
    assert status == 2
    assert text in told.err


def test_control_characters_of_a_file_do_not_reach_the_terminal(typed, tmp_path):
    record = {**json.loads(dumps(played("kuhn_poker"))), "about": {"players": ["\x1b[31m", "b"]}}
    (tmp_path / "f").write_text(json.dumps(record))
    _, told = typed(f"replay {tmp_path}/f")
    assert "\x1b" not in told.out


def test_a_saved_game_of_ones_own_is_shown_by_the_command_that_play_prints(
    typed, tmp_path, monkeypatch
):
    (tmp_path / "own_named.py").write_text(OWN_NAMED)
    monkeypatch.syspath_prepend(tmp_path)
    _, told = typed(f"play own_named:SMALL --against own_named:TAKER --save {tmp_path}/f", *"1" * 9)
    [command] = re.findall("python -m sepo_envs (.*)", told.out)
    status, told = typed(command)
    assert status == 0
    assert "small_split" in told.out
    status, told = typed(f"replay {tmp_path}/f")
    assert status == 1
    assert "named by `replay FILE --game package.module:NAME`" in told.err


OWN_NAMED = """
from dataclasses import replace
from sepo_envs.catalogue import domain
from sepo_envs.games.split_negotiation.rules import SplitNegotiation

class Small(SplitNegotiation):
    name = "small_split"

class Taker:
    name = "taker"

    def act(self, observation, legal, rng):
        return legal[-1]

SMALL, TAKER = replace(domain("split_negotiation"), name="small_split", make=Small), Taker()
"""
