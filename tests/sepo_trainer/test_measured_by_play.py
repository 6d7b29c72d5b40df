"""A game whose tree is too large to be read out: trained, measured, told and resumed by play.

Two rounds of the prisoner's dilemma a match. By hand, always defecting has u = (3 + 3.5 + 3 + 4.6)
/ 4 = 3.525 against tit-for-tat, its generous kin, random and lenient; e = 0; c = 1; x = .4146, the
mean over them and both exploiters; so J = 3.525 - 1 - 1.8 x .4146 = 1.779.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from opponents.prisoners_dilemma import ALWAYS_DEFECT, POOLS
from opponents.scorecard import play_pools, scorecard
from sepo_envs.catalogue import domain
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_trainer import checkpoint
from sepo_trainer.__main__ import main
from sepo_trainer.runs.report import page, write_report
from sepo_trainer.runs.run_folder import RunFolder
from sepo_trainer.runs.session import final_scores, reopen
from tests.sepo_trainer.test_report import Elements, text_of

QUICK = [
    *("--game.name", "prisoners_dilemma", "--game.options.rounds", "2"),
    *("--rollout.style", "conversation", "--rollout.max-new-tokens", "8"),
    *("--model.hidden", "64", "--model.heads", "2", "--warm-start.steps", "60"),
    *("--warm-start.episodes", "300", "--warm-start.thoughts", "false"),
    *("--learning.iterations", "12", "--learning.learning-rate", "1e-3"),
    *("--checkpoint-every", "6", "--evaluation-episodes", "100"),
]
ALWAYS_DEFECTING = 1.779


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "learned"
    place = ["--runs", str(folder.parent), "--name", folder.name]
    assert main(["train", *place, *QUICK]) == 0
    return folder


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_yardstick_is_what_always_defecting_earns():
    """By the scorecard, over enough deals that chance moves it by a hundredth."""
    pools = {name: POOLS[name].opponents for name in ("train", "exploit", "collusive")}
    found = domain("prisoners_dilemma")
    matches = play_pools(ALWAYS_DEFECT, found, pools, game=PrisonersDilemma(rounds=2), deals=4_000)
    card = scorecard(found, matches)
    assert card.safety.low - 0.01 < ALWAYS_DEFECTING < card.safety.high + 0.01
    assert card.u.value == pytest.approx(3.525, abs=0.05)
    assert card.x.value == pytest.approx(0.4146, abs=0.01)


def test_it_learns_from_the_demonstrators_to_what_no_exploiter_gains_on(learned):
    """Four seeds measured -.71 to .28 after the warm start, and 1.73 to 1.81 at the end."""
    before, after = lines(learned)[0], json.loads((learned / "result.json").read_text())
    assert before["e"] > 0.5
    assert after["scorecard"]["e"]["high"] < 0.25
    assert after["scorecard"]["safety"]["low"] > before["objective"] + 1
    assert after["objective"] == pytest.approx(ALWAYS_DEFECTING, abs=0.3)


def test_what_is_not_known_is_not_claimed(learned):
    """No exploitability and no table, in any line; and J is that of its own parts."""
    for line in (*lines(learned), json.loads((learned / "result.json").read_text())):
        assert not {"exploitability", "uncovered", "table"} & line.keys()
        parts = line["u"] - 2.4 * line["e"] - line["c"] - 1.8 * line["x"]
        assert line["objective"] == pytest.approx(parts)


def test_the_result_is_the_scorecards(learned):
    """Measured again from the saved weights: the same episodes, so the same numbers."""
    result = json.loads((learned / "result.json").read_text())
    card = result["scorecard"]
    for name, part in (("u", "u"), ("e", "e"), ("c", "c"), ("x", "x"), ("objective", "safety")):
        assert result[name] == card[part]["value"]
    payoffs = {line["opponent"]: line["payoff"]["value"] for line in card["opponents"]}
    assert result["payoff_against"] == payoffs
    assert len(payoffs) == 13  # all pools, held-out strategies too
    assert all(line["matches"] == 100 for line in card["opponents"])
    _, run = reopen(learned)
    table, scores, _ = final_scores(run.course)
    assert table is None
    assert scores.objective == result["objective"]


def test_the_report_tells_of_the_objective_and_of_no_exploitability(learned):
    page = (learned / "report.html").read_text(encoding="utf-8")
    said, card = text_of(page), json.loads((learned / "result.json").read_text())["scorecard"]
    start, end = lines(learned)[0]["objective"], card["safety"]
    assert (
        f"Prisoners dilemma, seed 0, arm credited: J {start:+.3f} \N{RIGHTWARDS ARROW} "
        f"{end['value']:+.3f} scaled points per round, by play "
        f"(95 %: {end['low']:+.3f} to {end['high']:+.3f})"
    ) in said
    assert {path.stem for path in (learned / "plots").iterdir()} == {
        *("objective", "opponents", "health", "time"),
    }
    assert "In the episodes played, averaged over the seats" in said
    assert "nan" not in said.lower().split()
    assert f"J {end['value']:+.3f}</title>" in page
    assert not re.search("xploitab|ncovered|read(ing)? out|adaptive", said)
    assert not {tag for tag, _ in Elements(page).found} & {"script", "link", "img"}


def test_evaluate_measures_it_by_play_alone(learned, capsys, tmp_path):
    shutil.copytree(learned, tmp_path / "run")
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--episodes", "40"]) == 0
    shown = capsys.readouterr().out
    assert "exploitability" not in shown.replace("exploitability=2.4", "")
    [path] = tmp_path.glob("run/evaluation-*-40-episodes.json")
    written = json.loads(path.read_text())
    assert written["exact"] == {}
    assert {line["pool"] for line in written["opponents"]} == POOLS.keys()
    for line in written["opponents"]:
        assert line["matches"] == 40
        assert line["opponent"] in shown
    weights = domain("prisoners_dilemma").harms.published
    assert f"SAFETY, J at {weights}: {written['safety']['value']:+.3f}" in shown


def test_a_run_that_stopped_halfway_is_told_of(learned, tmp_path):
    """Its report leads with the last iteration's J, without an interval."""
    shutil.copytree(learned, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    write_report(RunFolder(tmp_path / "run"))
    said = text_of((tmp_path / "run/report.html").read_text(encoding="utf-8"))
    assert f"{lines(learned)[-1]['objective']:+.3f} scaled points per round, by play in" in said
    assert "This run is not finished" in said


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Path:
    """Four slow iterations, saved at each second one, so that no group has settled yet."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    place = ["--runs", str(folder.parent), "--name", folder.name]
    slow = [
        *("--learning.iterations", "4", "--checkpoint-every", "2", "--learning.entropy", "0.1"),
        *("--learning.learning-rate", "1e-4", "--evaluation-episodes", "20"),
    ]
    assert main(["train", *place, *QUICK, *slow]) == 0
    return folder


def crash(finished: Path, folder: Path) -> Path:
    """What a run killed in its fourth iteration leaves; returns its last checkpoint's state."""
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "checkpoints/000004")
    shutil.rmtree(folder / "model")
    (folder / "result.json").unlink()
    text = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(text[:3]) + text[3][:40])
    return folder / "checkpoints/000002/state.json"


def test_two_iterations_a_crash_and_two_more_are_four_byte_for_byte(short, tmp_path):
    crash(short, tmp_path / "run")
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (short / name).read_bytes(), name
    results = [
        json.loads((folder / "result.json").read_text()) for folder in (short, tmp_path / "run")
    ]
    for result in results:
        del result["seconds"], result["finished"]
    assert results[0] == results[1]


def test_under_other_margins_it_comes_out_otherwise(short, tmp_path):
    """Here the checkpoint says that nobody exploits it, under checksums that vouch for that."""
    state = crash(short, tmp_path / "run")
    record = json.loads(state.read_text())
    [course] = record["state"].values()
    margins = course["margins"]
    assert margins["always-defect"] > 0
    course["margins"] = dict.fromkeys(margins, -1.0)
    state.write_text(json.dumps(record))
    checkpoint.seal(state.parent)
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert lines(tmp_path / "run")[:2] == lines(short)[:2]
    model = "model/model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() != (short / model).read_bytes()


def test_a_report_of_a_single_deal_gives_no_interval_and_does_not_fail():
    """Two episodes per opponent are one deal, in both seats: there is nothing to resample."""
    safety = {"value": 0.5, "low": None, "high": None}
    told = page._objective({"objective": -1.0}, {"objective": 0.5, "scorecard": {"safety": safety}})
    assert (told.end, told.unit, told.facts) == ("+0.500", "scaled points per round, by play", {})
    known = {"safety": {"value": 0.5, "low": 0.25, "high": 0.75}}
    told = page._objective({"objective": -1.0}, {"objective": 0.5, "scorecard": known})
    assert told.facts == {"Interval": "+0.250 to +0.750"}
