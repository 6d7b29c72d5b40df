"""One policy on several games: every course counts, and none knows of another."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w
import torch

from sepo_trainer.commands import main
from sepo_trainer.courses.course import Course
from sepo_trainer.learning.learner import Batch
from sepo_trainer.learning.warm_start import mixture
from sepo_trainer.records import Group, Trace
from sepo_trainer.run import Run, put_together
from sepo_trainer.runs.session import final_worth, save_model
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.settings.resolve import build, resolve, to_toml
from sepo_trainer.train import learnable, prepare
from tests.sepo_trainer.runs import UNTRAINED, run_with

TWO = ("kuhn_poker", "prisoners_dilemma")
NOT_THEM = ("repeated_auction", "split_negotiation", "item_negotiation")
SMALL = {"group_size": 4, "style": "conversation"}
ROUNDS = {"prisoners_dilemma": {"rounds": 2}}


def settings(**weights: float) -> dict[str, object]:
    """Of a joint run on Kuhn poker and a dilemma of two rounds."""
    courses = {
        game: {"options": ROUNDS.get(game, {}), "weight": weights.get(game, 1)} for game in TWO
    }
    return {
        "game": {"name": "joint"},
        "rollout": SMALL,
        "courses": courses | {game: {"weight": 0} for game in NOT_THEM},
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A small policy that has heard both games for a few steps."""
    warm = {"steps": 40, "episodes": 300, "batch": 32, "thoughts": False}
    run = put_together(build({"model": UNTRAINED, "warm_start": warm, **settings()}, source="test"))
    prepare(run, lambda step, loss: None)
    folder = tmp_path_factory.mktemp("joint") / "model"
    save_model(run, folder, final_worth(run))
    return folder


def lessons(run: Run) -> list[Batch]:
    """What each course has to teach in the first iteration."""
    found = []
    for course in run.courses:
        known = course.read()
        groups = course.arena.play(course.sampler, known.opponents, iteration=0)
        rows, _ = learnable(course, groups, known.gates)
        found.append(Batch(rows, course.pull(0), run.config.weight(course.stage.domain.name)))
    return found


def gradient(run: Run, batch: Batch) -> torch.Tensor:
    run.learner.optimizer.zero_grad(set_to_none=True)
    run.learner.accumulate(batch)
    return torch.cat([p.grad.flatten() for p in run.learner.model.parameters()])


def weights(run: Run) -> torch.Tensor:
    return torch.cat([p.detach().clone().flatten() for p in run.learner.model.parameters()])


@pytest.mark.parametrize("clip", [1e9, 0.5])
def test_a_step_is_the_weighted_sum_of_those_of_the_courses_each_clipped_alone(model, clip):
    """Plain gradient descent of rate 1 moves by the gradient itself."""
    run = run_with(model, **settings(prisoners_dilemma=2.5))
    run.learner.optimizer = torch.optim.SGD(run.learner.model.parameters(), lr=1.0)
    run.learner.gradient_clip = clip
    poker, dilemma = lessons(run)
    apart = [gradient(run, each) for each in (poker, dilemma)]
    norms = [float(each.norm()) for each in apart]
    assert max(norms) > 1.5 * min(norms) > 1.5 * 0.5  # so clipping the sum would be something else
    clipped = [each * min(1.0, clip / norm) for each, norm in zip(apart, norms, strict=True)]
    before = weights(run)
    stats = run.learner.update([poker, dilemma], learning_rate=1.0)
    together = clipped[0] + 2.5 * clipped[1]
    torch.testing.assert_close(before - weights(run), together, rtol=1e-3, atol=1e-6)
    assert [each["gradient_norm"] for each in stats] == pytest.approx(norms, rel=1e-4)


@pytest.mark.parametrize("game", TWO)
def test_a_course_plays_the_very_episodes_that_it_plays_alone(model, game):
    run = run_with(model, **settings())
    [course] = [each for each in run.courses if each.stage.domain.name == game]
    options = {"name": game, "options": ROUNDS.get(game, {})}
    alone = run_with(model, game=options, rollout=SMALL | {"deals": "all"}).course
    assert playing(course) == playing(alone)
    assert course.weights == alone.weights


def playing(course: Course) -> list[Group]:
    return course.arena.play(course.sampler, course.read().opponents, iteration=3)


def test_a_course_is_credited_as_it_is_alone(model):
    """The dilemma by all moves beside poker, which nobody can credit so."""
    ways = {"credit": "counterfactual", "discount": 0.0}
    given = settings()
    given["courses"]["prisoners_dilemma"] |= ways
    poker, dilemma = lessons(run_with(model, **given))
    options = {"name": "prisoners_dilemma", "options": ROUNDS["prisoners_dilemma"]}
    rollout = SMALL | {"deals": "all"}
    [alone] = lessons(run_with(model, game=options, rollout=rollout, learning=ways))
    assert dilemma.rows == alone.rows
    assert any(any(turn) for row in dilemma.rows for turn in row.gains)
    assert not any(row.gains for row in poker.rows)


def test_one_update_moves_the_policy_of_both_courses(model):
    run = run_with(model, **settings())
    before = [playing(course) for course in run.courses]
    run.learner.update(lessons(run), learning_rate=0.05)
    after = [playing(course) for course in run.courses]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_mixture_weighs_games_and_not_how_many_traces_each_has():
    """By hand: 8 traces of the first, so 8 as much of the second at weight 1, however it counts."""
    one, other, third = (Trace((n,), (n,), (True,)) for n in range(3))
    mixed = mixture([{one: 8}, {other: 100, third: 300}], [1.0, 1.0])
    assert mixed == {one: 8.0, other: 2.0, third: 6.0}
    assert mixture([{one: 8}, {other: 100, third: 300}], [1.0, 0.5])[third] == 3.0


def test_every_game_keeps_what_it_has_when_it_is_trained_alone():
    whole = resolve(None, ["--game.name", "joint"])
    assert whole.games == ("kuhn_poker", "prisoners_dilemma", *NOT_THEM)
    for game in whole.games:
        alone, course = resolve(None, ["--game.name", game]), whole.alone(game)
        assert course.objective == alone.objective
        assert course.rollout == alone.rollout
        for name in ("credit", "discount", "entropy"):
            assert getattr(course.learning, name) == getattr(alone.learning, name)
        assert course.learning.iterations == whole.learning.iterations
        assert course.game == alone.game


def test_a_setting_of_the_run_holds_for_all_games_and_that_of_one_for_itself():
    told = ["--game.name", "joint", "--objective.penalty_credit", "reward_only"]
    told += ["--courses.kuhn_poker.objective.penalty_credit", "credited"]
    told += ["--courses.split_negotiation.weight", "0", "--rollout.group_size", "4"]
    config = resolve(None, told)
    arms = {game: config.alone(game).objective.penalty_credit for game in config.games}
    assert arms.pop("kuhn_poker") == "credited"
    assert set(arms.values()) == {"reward_only"}
    assert "split_negotiation" not in config.games
    assert {config.alone(game).rollout.group_size for game in config.games} == {4}
    assert build(tomllib.loads(to_toml(config)), source="a test") == config


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (["--courses.kuhn_poker.weight", "1"], "game.name is 'kuhn_poker'"),
        (["--game.name", "joint", "--courses.kuhn_poker.weigth", "1"], "Did you mean 'weight'"),
        (
            ["--game.name", "joint", "--courses.kuhn_poker.rollout.temperature", "0.5"],
            "one policy has one temperature",
        ),
        (
            ["--game.name", "joint", *(f"--courses.{game}.weight=0" for game in (*TWO, *NOT_THEM))],
            "needs a game whose weight is above 0",
        ),
        (
            ["--game.name", "joint", "--learning.advantage", "std"],
            "learning.advantage is 'std', but repeated_auction has the credit 'counterfactual'",
        ),
    ],
)
def test_impossible_courses_are_refused_with_the_reason(told, said):
    with pytest.raises(ConfigError, match=said):
        resolve(None, told)


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory) -> Path:
    """Four iterations of both games, saved at each second one."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    config = tmp_path_factory.mktemp("config") / "both.toml"
    config.write_text(tomli_w.dumps(settings()))
    place = ["--runs", str(folder.parent), "--name", folder.name, "--config", str(config)]
    start = ["--model.path", str(model), "--warm-start.steps", "0", "--learning.iterations", "4"]
    slow = [
        "--rollout.most-fouls",
        "1",
        "--checkpoint-every",
        "2",
        "--evaluation-episodes",
        "20",
        "--rollout.group-size",
        "2",
        "--learning.minibatches",
        "2",
    ]
    assert main(["train", *place, *start, *slow]) == 0
    return folder


def test_a_joint_run_leaves_a_line_a_result_and_a_page_for_every_game(finished):
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [(line["iteration"], line["game"]) for line in lines] == [
        (iteration, game) for iteration in range(4) for game in TWO
    ]
    assert len((finished / "timings.jsonl").read_text().splitlines()) == 5
    result = json.loads((finished / "result.json").read_text())
    assert result["domain"] == "joint"
    assert result["courses"].keys() == set(TWO)
    assert "exploitability" in result["courses"]["kuhn_poker"]
    assert "scorecard" in result["courses"]["prisoners_dilemma"]
    lead = (finished / "report.html").read_text()
    for game in TWO:
        assert f'href="reports/{game}.html"' in lead
        assert "<svg" in (finished / "reports" / f"{game}.html").read_text()
        assert list((finished / "transcripts" / game).glob("*.txt"))
        assert list((finished / "plots" / game).glob("*.svg"))


def test_two_iterations_a_crash_and_two_more_are_four_byte_for_byte(finished, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "checkpoints/000004")
    (folder / "result.json").unlink()
    whole = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(whole[:5]))  # one game of the third is told
    assert main(["train", "--resume", str(folder)]) == 0
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes(), name


def test_one_game_of_a_joint_run_is_evaluated_or_all_of_them(finished, capsys):
    assert main(["evaluate", str(finished), "--episodes", "12"]) == 0
    both = json.loads((finished / "evaluation-000004-12-episodes.json").read_text())
    assert both["courses"].keys() == set(TWO)
    assert main(["evaluate", str(finished), "--episodes", "12", "--game", TWO[1]]) == 0
    one = finished / f"evaluation-{TWO[1]}-000004-12-episodes.json"
    assert json.loads(one.read_text()) == both["courses"][TWO[1]]
    capsys.readouterr()
    assert main(["evaluate", str(finished), "--game", "chess"]) == 2
    assert "no game 'chess'. It has: kuhn_poker, prisoners_dilemma" in capsys.readouterr().err
    assert main(["play", str(finished)]) == 2
    assert "Add --game with one of: kuhn_poker, prisoners_dilemma" in capsys.readouterr().err
