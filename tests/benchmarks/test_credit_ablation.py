"""The arms of the ablation share what they should, and are compared seed by seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import credit_ablation, readme
from benchmarks.records import RESULTS, load
from sepo_trainer.config import RunConfig, read_toml, resolve

ARGUMENTS = ["--learning.iterations", "3", "--runs", "runs", "--results", "results"]


def record(*options):
    credit_ablation.main([*ARGUMENTS, *options])
    return load(Path("results/credit_ablation/default.json"))


def test_arms_are_compared_in_pairs(fake_trainer):
    """Seed s starts at .1 (1 + s); credited ends at an eighth of it, the others where they were."""
    made = record("--seeds", "3")
    assert made.measures["credited"]["exploitability"].values == pytest.approx(
        (0.1 / 8, 0.2 / 8, 0.3 / 8)
    )
    for arm in ("shared", "auxiliary", "reward_only"):
        paired = made.measures[f"credited - {arm}"]["exploitability"]
        assert paired.values == pytest.approx((-0.1 * 7 / 8, -0.2 * 7 / 8, -0.3 * 7 / 8))
        assert paired.interval.high < 0
        assert made.measures[f"credited - {arm}"]["objective"].values == (0, 0, 0)
    picture = Path("results/credit_ablation/default.svg").read_text()
    assert all(arm in picture for arm in credit_ablation.ARMS)


def test_every_arm_starts_from_its_seeds_one_warm_start(fake_trainer):
    record("--seeds", "2", "--advantage", "std", "--first-seed", "4")
    (home,) = Path("runs/credit_ablation").iterdir()
    assert {path.name for path in home.glob("warm-?")} == {"warm-4", "warm-5"}
    configs = {path.stem: read_toml(path) for path in home.glob("*.toml")}
    arms = ("credited", "shared", "auxiliary", "reward_only", "credited-std")
    for seed in (4, 5):
        warm = configs.pop(f"warm-{seed}")
        assert (warm.seed, warm.warm_start.steps, warm.model.path) == (
            seed,
            RunConfig().warm_start.steps,
            None,
        )
        for arm in arms:
            config = configs.pop(f"{arm}-{seed}")
            assert config.model.path == home / f"warm-{seed}"
            assert (config.seed, config.warm_start.steps) == (seed, 0)
            assert config.objective.penalty_credit == arm.removesuffix("-std")
            assert config.learning.advantage == (
                "std" if arm.endswith("-std") else RunConfig().learning.advantage
            )
    assert not configs


def test_a_second_call_only_runs_what_is_new(fake_trainer):
    record("--seeds", "1", "--arms", "credited,shared")
    (home,) = Path("runs/credit_ablation").iterdir()
    before = {path: path.stat().st_mtime_ns for path in home.glob("*.log")}
    made = record("--seeds", "2", "--arms", "credited,shared")
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    assert set(made.measures) == {
        *("credited", "shared", "warm start", "credited - shared", "credited - warm start")
    }
    assert "--arms credited,shared" in made.certificate.command


def test_without_a_warm_start_the_arms_start_from_the_model_as_it_is(fake_trainer):
    record("--seeds", "1", "--arms", "credited", "--warm-start.steps", "0")
    (home,) = Path("runs/credit_ablation").iterdir()
    assert read_toml(home / "credited-0.toml").model.path is None
    assert not list(home.glob("warm-*"))


def test_policies_that_cannot_be_read_out_are_compared_by_what_they_earn_in_play(fake_trainer):
    """Seed s starts at J = -.1 (1 + s) and credited ends at .5; with J* = 1 the way is known."""
    best = Path("results/optimum/split_negotiation.json")
    best.parent.mkdir(parents=True)
    best.write_text((RESULTS / "optimum" / best.name).read_text())
    made = record("--seeds", "3", "--game.name", "split_negotiation", "--name", "default")
    assert made.measures["warm start"]["objective"].values == pytest.approx((-0.1, -0.2, -0.3))
    paired = made.measures["credited - warm start"]["objective"]
    assert paired.values == pytest.approx((0.6, 0.7, 0.8))
    highest = load(best).measures["exact"]["J*"].low
    way = made.measures["credited"]["share of the way to J*"].values
    assert way == pytest.approx([(0.5 + j) / (highest + j) for j in (0.1, 0.2, 0.3)])
    assert made.measures["credited"]["held-out payoff"].values == (3.0, 3.0, 3.0)
    assert "exploitability" not in made.measures["credited"]
    table = readme.tables([made])
    assert "| credited |" in table
    assert "final J, mean [95 %]" in table


def test_the_best_j_is_that_of_the_published_weights_and_the_default_rules():
    named = ["--game.name", "split_negotiation"]
    assert credit_ablation.best_objective(resolve(None, named), RESULTS) == pytest.approx(0.975)
    for other in (["--objective.collusion", "1"], ["--game.options.rounds", "2"]):
        assert credit_ablation.best_objective(resolve(None, named + other), RESULTS) is None
