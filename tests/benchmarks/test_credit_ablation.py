"""The arms of the ablation share what they should, and are compared seed by seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import credit_ablation
from benchmarks.records import load
from sepo_trainer.config import RunConfig, read_toml

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
    assert set(made.measures) == {"credited", "shared", "credited - shared"}
    assert "--arms credited,shared" in made.certificate.command


def test_without_a_warm_start_the_arms_start_from_the_model_as_it_is(fake_trainer):
    record("--seeds", "1", "--arms", "credited", "--warm-start.steps", "0")
    (home,) = Path("runs/credit_ablation").iterdir()
    assert read_toml(home / "credited-0.toml").model.path is None
    assert not list(home.glob("warm-*"))
