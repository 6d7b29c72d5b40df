"""Replay files: every line is played again, and a wrong one is told by file and line."""

import json
import re
import tracemalloc
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs import replays
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import begin, dumps
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.replays import ReplayError, append, check, check_appendable, read


def played(name, seed=0, **options):
    """A finished episode, one move in five forfeited."""
    game, rng = domain(name).make(**options), Random(seed)
    episode = begin(game)
    while episode.actor is not None:
        if episode.actor == CHANCE:
            episode = episode.deal(rng)
        else:
            legal = game.legal_moves(episode.state, episode.actor)
            episode = episode.play(FORFEIT if rng.random() < 0.2 else rng.choice(legal))
    return episode


EPISODES = [played(name, seed) for seed in range(3) for name in CATALOGUE]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "matches.jsonl"
    for number, episode in enumerate(EPISODES):
        append(path, episode, {"players": ["a", "b"], "seed": number})
    return path


def test_what_was_written_is_read_back_with_what_was_told_about_it(file):
    found = list(read(file))
    assert [replay.episode for replay in found] == EPISODES
    assert [replay.line for replay in found] == list(range(1, len(EPISODES) + 1))
    assert [replay.about["seed"] for replay in found] == list(range(len(EPISODES)))
    assert [replay.domain.name for replay in found] == [e.game.name for e in EPISODES]


def test_the_options_travel_with_the_episode(tmp_path):
    episode = played("repeated_auction", bidders=3, values=(1, 5, 9), bids=(0, 7), rounds=2)
    append(tmp_path / "f", episode)
    [replay] = read(tmp_path / "f")
    assert replay.episode == episode
    assert replay.about == {}


def test_lines_of_dumps_and_episodes_that_go_on_are_replays_too(tmp_path):
    running = begin(domain("split_negotiation").make()).play(3)
    (tmp_path / "f").write_text(f"{dumps(EPISODES[0])}\n\n{dumps(running)}")
    assert [(r.line, r.episode) for r in read(tmp_path / "f")] == [(1, EPISODES[0]), (3, running)]


def test_a_game_of_ones_own_is_found_by_its_name(tmp_path):
    own = replace(domain("split_negotiation"), name="split_negotiation", title="Mine")
    append(tmp_path / "f", played("split_negotiation"))
    [replay] = read(tmp_path / "f", {"split_negotiation": own})
    assert replay.domain.title == "Mine"


GOOD = dumps(played("kuhn_poker", 1))


def record(**changes):
    return json.dumps({**json.loads(GOOD), **changes})


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("not json", "the line is no JSON (Expecting value: line 1 column 1 (char 0)). Delete it"),
        (GOOD[:-9], "the line is no JSON"),
        ("[" * 100_000, "the line is no JSON (maximum recursion depth"),
        ("9" * 10_000, "the line is no JSON (Exceeds the limit"),
        ("[]", "the record is [], which is no dictionary"),
        ("{}", "the record has no 'game'"),
        (record(game="khun_poker"), "there is no domain 'khun_poker'. Did you mean 'kuhn_poker'?"),
        (record(game="stag_hunt"), "A game of your own is passed in domains, or named by `replay"),
        (record(options={"hand": 1}), "unexpected keyword argument 'hand'"),
        (record(options={"hands": 0}), "hands is 0"),
        (record(options={}), "played with options {}, but the game has {'hands': 1}"),
        (record(options={"hands": 10**9}), "option hands goes beyond 100,000, and is refused"),
        (record(moves=[[-1, 7]]), "move 0 cannot be played: 7 is no move"),
        (record(returns=[9.0, -9.0]), "claims returns [9.0, -9.0], but its moves give"),
        (record(about=["me"]), "about is a list; it must be a dictionary, or be left out"),
        ("x" * 2_500_000, "the line is longer than 1,000,000 bytes, and no episode is"),
        (b"\xff\xfe".decode("latin-1"), "the line is no JSON"),
    ],
)
def test_a_wrong_line_is_told_by_file_and_line_and_the_others_are_read(tmp_path, line, text):
    path = tmp_path / "matches.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}\n", encoding="latin-1")
    first, wrong, last = check(path)
    assert isinstance(wrong, ReplayError)
    assert str(wrong).startswith(f"{path}:2: ")
    assert text in str(wrong)
    assert len(str(wrong)) < 600
    assert first.episode == last.episode
    with pytest.raises(ReplayError, match=re.escape(f"{path}:2: ")):
        list(read(path))


def test_a_last_line_that_was_cut_short_is_told_as_that(tmp_path):
    path = tmp_path / "matches.jsonl"
    path.write_text(f"{GOOD}\n{GOOD[:40]}")
    _, wrong = check(path)
    assert "has no line break, so its writer was cut short" in str(wrong)


@pytest.mark.parametrize("last", [GOOD[:40], GOOD])
def test_a_last_line_without_its_end_takes_no_other_with_it(tmp_path, last):
    path = tmp_path / "matches.jsonl"
    path.write_text(f"{GOOD}\n{last}")
    append(path, EPISODES[0], {"seed": 5})
    _, cut, added = check(path)
    assert isinstance(cut, ReplayError) == (last != GOOD)
    assert (added.line, added.episode, added.about) == (3, EPISODES[0], {"seed": 5})


def test_a_file_to_play_for_is_tried_without_a_trace(tmp_path):
    check_appendable(tmp_path / "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()
    for content in ("", "\n", f"{GOOD[:40]}\n{GOOD}\n", dumps(EPISODES[1])):
        (tmp_path / "f").write_text(content)
        check_appendable(tmp_path / "f")
        assert (tmp_path / "f").read_text() == content


def test_a_file_of_something_else_is_not_added_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("All of it.\n[1, 2]\n")
    with pytest.raises(ValueError, match="no line of it is an episode"):
        check_appendable(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/dev/full", ValueError),
        ("/dev/null", ValueError),
        (".", OSError),
        ("no_such_folder/f.jsonl", FileNotFoundError),
    ],
)
def test_what_cannot_be_saved_to_is_refused(path, error):
    with pytest.raises(error):
        check_appendable(path)


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_no_single_changed_letter_goes_unnoticed_or_crashes(tmp_path_factory, place, letter):
    """The line is refused, or tells an episode that does end as it says: another card, say."""
    path = tmp_path_factory.mktemp("r") / "f"
    path.write_text(GOOD[:place] + letter + GOOD[place + 1 :], encoding="utf-8")
    for found in check(path):
        if not isinstance(found, ReplayError):
            assert list(found.episode.returns) == json.loads(GOOD).get("returns")


def test_a_large_file_is_read_line_by_line(tmp_path):
    """2,000 lines of 5 kB are 10 MB; a reader that held them all would show."""
    path = tmp_path / "matches.jsonl"
    line = record(about={"padding": "x" * 5_000}) + "\n"
    path.write_text(line * 2_000)
    tracemalloc.start()
    assert sum(1 for _ in read(path)) == 2_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_file_that_is_not_there_is_an_error_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "none.jsonl"))


def test_a_line_too_long_is_never_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(replays, "LONGEST_LINE", 1_000)
    path = tmp_path / "matches.jsonl"
    path.write_text("x" * 5_000_000 + f"\n{GOOD}\n")
    tracemalloc.start()
    wrong, good = check(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(wrong, ReplayError)
    assert good.line == 2
    assert peak < 1_000_000
