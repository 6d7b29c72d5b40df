"""Curves, marks and seconds of a study, from runs that were written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import time_to_equilibrium
from benchmarks.command_line import BenchmarkError, settings
from benchmarks.plots import MOST_BYTES, median_curve
from benchmarks.records import load, thinned
from benchmarks.time_to_equilibrium import RunCurve, read_curve
from benchmarks.training_runs import study

ARGUMENTS = ["--learning.iterations", "5", "--runs", "runs", "--results", "results"]


def record(*options):
    time_to_equilibrium.main([*ARGUMENTS, *options])
    (path,) = (time_to_equilibrium.Path("results") / "time_to_equilibrium").glob("*.json")
    return load(path)


def test_a_policy_is_timed_when_the_update_that_made_it_was_done(tmp_path):
    """Warm start 10 s, then 1 s and 2 s: the policies are there after 10, 11 and 13 s."""
    lines = [
        {"iteration": 0, "exploitability": 0.3, "uncovered": 0.0, "foul_rate": 0.5},
        {"iteration": 1, "exploitability": 0.01, "uncovered": 0.2, "foul_rate": 0.1},
    ]
    seconds = [
        {"iteration": -1, "seconds": {"warm_start": 10}},
        {"iteration": 0, "seconds": {"read": 0.25, "play": 0.25, "learn": 0.5}},
        {"iteration": 1, "seconds": {"read": 0.5, "play": 0.5, "learn": 1.0}},
    ]
    for name, rows in (("metrics", lines), ("timings", seconds)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "result.json").write_text('{"exploitability": 0.02, "uncovered": 0.0}')
    curve = read_curve(tmp_path)
    assert curve.points == [(0, 10, 0.3), (1, 11, 0.01), (2, 13, 0.02)]
    assert curve.train_seconds == 13
    assert curve.foul_rate == pytest.approx(0.3)
    assert curve.first_below(0.3) == 10
    assert curve.first_below(0.02) == 13, "at 11 s it was there, but the score was not exact"
    assert curve.first_below(0.001) is None


def test_a_thinned_curve_keeps_its_ends():
    points = [(number, float(number), 0.5) for number in range(1_000)]
    kept = thinned(points, 120)
    assert (len(kept), kept[0], kept[-1]) == (120, points[0], points[-1])
    assert thinned(points[:7], 120) == tuple(points[:7])


def test_the_median_curve_is_over_seeds_at_equal_iterations():
    middle = median_curve(
        {
            "0": [(0, 1, 0.1), (2, 3, 0.2)],
            "1": [(0, 2, 0.3), (1, 9, 9), (2, 4, 0.4)],
            "2": [(0, 3, 0.5), (2, 9, 0.3)],
        }
    )
    assert middle.seconds.tolist() == [2, 4]
    assert middle.exploitability.tolist() == [0.3, 0.3]


def test_a_study_of_three_seeds(fake_trainer):
    """Seed s starts at .1 (1 + s) and halves it each second, five times, after 10 s of warming."""
    made = record("--seeds", "3", "--name", "small")
    ends, seconds = made.measures["exploitability"], made.measures["seconds"]
    assert ends["start"].values == pytest.approx((0.1, 0.2, 0.3))
    assert ends["final"].values == pytest.approx((0.1 / 32, 0.2 / 32, 0.3 / 32))
    assert seconds["to 0.02"].values == (13, 14, 14)
    assert seconds["to 0.005"].values == (15, None, None)
    assert seconds["to 0.005"].median is None
    assert seconds["training"].values == (15, 15, 15)
    assert made.seeds == (0, 1, 2)
    assert made.certificate.wall_seconds == pytest.approx(
        sum(seconds["whole process"].values), abs=0.1
    )
    assert made.certificate.command == (
        "python -m benchmarks.time_to_equilibrium --seeds 3 --name small --learning.iterations 5"
    )
    assert [len(points) for points in made.curves["exploitability"].seeds.values()] == [6, 6, 6]
    assert len(made.notes) == 1


def test_the_picture_shows_every_seed_and_stays_small(fake_trainer):
    record("--seeds", "2")
    picture = fake_trainer / "results" / "time_to_equilibrium" / "default.svg"
    first = picture.read_bytes()
    assert len(first) < MOST_BYTES
    assert b"each of 2 seeds" in first
    record("--seeds", "2")
    assert picture.read_bytes() == first, "the same record has the same picture"


def test_a_seed_that_was_killed_with_its_study_is_recorded_without_its_whole_time(fake_trainer):
    (fake_trainer / "fail").touch()
    with pytest.raises(ValueError, match="the disk is full"):
        record("--seeds", "1")
    (fake_trainer / "fail").unlink()
    [spent] = fake_trainer.rglob("*.cost.json")
    spent.unlink()
    made = record("--seeds", "1")
    assert made.measures["seconds"]["whole process"].missing == "not measured"
    assert made.measures["seconds"]["training"].values == (15,)
    assert (made.certificate.wall_seconds, made.certificate.peak_memory_mib) == (None, None)
    assert "killed with the study and resumed" in made.notes[-1]


def test_a_study_that_is_being_made_is_not_begun_a_second_time(fake_trainer):
    place = study(Path("runs"), "time_to_equilibrium", settings(["--learning.iterations", "5"]))
    with place.held(), pytest.raises(BenchmarkError, match="another process is training in"):
        record("--seeds", "1")
    assert not list(place.home.glob("*.log"))


def test_a_curve_without_an_exact_end_never_counts_as_there():
    curve = RunCurve([(0, 1.0, 0.0)], uncovered=[1.0], foul_rate=1.0)
    assert curve.first_below(0.02) is None
