"""Submissions: an honest one stands, and every way to cheat that we could think of is caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from benchmarks.leaderboard.__main__ import main
from benchmarks.leaderboard.validation import validate

FEW = ["--episodes", "4", "--domains", "prisoners_dilemma", "--jobs", "1"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of lenient, who draws its moves."""
    place = tmp_path_factory.mktemp("submission")
    main(
        ["submit", "--agent", "lenient", "--to", str(place / "it"), "--home", str(place), *FEW],
    )
    return place / "it"


def test_an_honest_one_stands_and_says_what_was_checked(
    honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["validate", str(honest), "--all"])
    said = capsys.readouterr().out
    assert "It stands." in said
    assert "52 matches played again by the rules" in said
    assert "chance, opponents and the agent asked again in 52 matches" in said


Lines = list[dict[str, Any]]
Forgery = Callable[[dict[str, Any], Lines], object]


def find(lines: Lines, opponent: str) -> dict[str, Any]:
    return next(one for one in lines if one["about"]["opponent"] == opponent)


def raise_safety(record: dict[str, Any], lines: Lines) -> None:
    record["domains"]["prisoners_dilemma"]["safety"][0] += 0.25


def shrink_an_interval(record: dict[str, Any], lines: Lines) -> None:
    record["domains"]["prisoners_dilemma"]["opponents"][3]["focal"][1] += 0.1


def hide_exploitability(record: dict[str, Any], lines: Lines) -> None:
    record["domains"]["prisoners_dilemma"]["exploitability"]["value"] = 0.0


def drop_a_match(record: dict[str, Any], lines: Lines) -> None:
    find(lines, "grim")["about"]["deals"].pop()


def drop_an_opponent(record: dict[str, Any], lines: Lines) -> None:
    score = record["domains"]["prisoners_dilemma"]
    score["opponents"] = [one for one in score["opponents"] if one["opponent"] != "alternator"]
    lines[:] = [one for one in lines if one["about"]["opponent"] != "alternator"]


def play_a_match_twice(record: dict[str, Any], lines: Lines) -> None:
    find(lines, "grim")["about"]["deals"].append(find(lines, "grim")["about"]["deals"][0])


def alter_an_opponents_move(record: dict[str, Any], lines: Lines) -> None:
    """Always-defect cooperates once; the returns are those of the altered moves."""
    one = find(lines, "always-defect")
    opponent = 1 - one["about"]["seat"]
    place = next(n for n, (actor, _) in enumerate(one["moves"]) if actor == opponent)
    mine = next(move for actor, move in one["moves"][:2] if actor == 1 - opponent)
    one["moves"][place][1] = "cooperate"
    gained = 3 if mine == "cooperate" else 4
    lost = 2 if mine == "cooperate" else 1
    one["returns"][1 - opponent] += gained
    one["returns"][opponent] -= lost


def alter_the_agents_move(record: dict[str, Any], lines: Lines) -> None:
    """It defects on always-cooperate in the last round, for two more points."""
    one = find(lines, "always-cooperate")
    seat = one["about"]["seat"]
    place = max(n for n, (actor, _) in enumerate(one["moves"]) if actor == seat)
    assert one["moves"][place][1] == "cooperate"
    one["moves"][place][1] = "defect"
    one["returns"][seat] += 2
    one["returns"][1 - seat] -= 3


def claim_other_returns(record: dict[str, Any], lines: Lines) -> None:
    find(lines, "grim")["returns"][0] += 1


def swap_the_deals(record: dict[str, Any], lines: Lines) -> None:
    """Both matches are real, but each is told of the other's deal."""
    mine = [one for one in lines if one["about"]["opponent"] == "random"]
    first, second = [one for one in mine if one["about"]["seat"] == 0][:2]
    first["about"]["deals"], second["about"]["deals"] = (
        second["about"]["deals"],
        first["about"]["deals"],
    )


def claim_another_agent(record: dict[str, Any], lines: Lines) -> None:
    record["agent"]["fingerprint"] = "0" * 64


def claim_another_seed(record: dict[str, Any], lines: Lines) -> None:
    record["seed"] = 1


def play_other_rules(record: dict[str, Any], lines: Lines) -> None:
    record["domains"]["prisoners_dilemma"]["options"]["temptation"] = 4.5


def leave_a_domain_out(record: dict[str, Any], lines: Lines) -> None:
    record["domains"].pop("prisoners_dilemma")


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        (raise_safety, "prisoners_dilemma: safety[0] is "),
        (shrink_an_interval, "opponents[3].focal[1] is "),
        (hide_exploitability, "exploitability.value is 0.0, but its matches give 13.68"),
        (drop_a_match, "grim (heldout), agent in seat 0: 1 of 2 deals are missing"),
        (drop_an_opponent, "alternator of our pools was not met"),
        (play_a_match_twice, "is there twice"),
        (alter_an_opponents_move, "of always-defect in seat 1 is cooperate, and its draws give"),
        (alter_the_agents_move, "of lenient in seat 0 is defect, and its draws give cooperate"),
        (claim_other_returns, "claims returns"),
        (swap_the_deals, "and its draws give"),
        (claim_another_agent, "another strategy, or another version of it"),
        (claim_another_seed, "and its draws give"),
        (play_other_rules, "other rules than the default ones"),
        (leave_a_domain_out, "there is nothing to judge"),
    ],
)
def test_a_forged_one_falls(
    honest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    forged: Forgery,
    said: str,
) -> None:
    copy = copytree(honest, tmp_path / "forged")
    matches = copy / "matches" / "prisoners_dilemma.jsonl"
    record = json.loads((copy / "record.json").read_text())
    lines = [json.loads(line) for line in matches.read_text().splitlines()]
    forged(record, lines)
    (copy / "record.json").write_text(json.dumps(record))
    matches.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verdict = validate(copy, sample=None)
    assert not verdict.stands
    assert any(said in finding for finding in verdict.findings), verdict.findings
    with pytest.raises(SystemExit, match="1"):
        main(["validate", str(copy), "--all"])
    assert "It does not stand." in capsys.readouterr().out


def test_an_empty_folder_is_no_submission(tmp_path: Path) -> None:
    assert "cannot be read as a record" in validate(tmp_path).findings[0]
