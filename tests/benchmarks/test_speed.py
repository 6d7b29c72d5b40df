"""Both sides of the sampler's race do the same work, and the records say what was done."""

from __future__ import annotations

import pytest

from benchmarks import sampler_speed, speed
from benchmarks.command_line import settings
from benchmarks.records import load_all

TINY = [
    *("--model.hidden", "16", "--model.layers", "1", "--model.heads", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "5", "--warm-start.steps", "0"),
]


def test_both_samplers_write_the_same_when_nothing_is_left_to_chance():
    """Near temperature 0 both take the likeliest tokens, to the same end."""
    run = speed._assembled(settings([*TINY, "--rollout.temperature", "1e-4"]))
    prompts = sampler_speed.distinct_prompts(run)
    assert len(set(prompts)) == 12
    ours, theirs = (
        sampler_speed.sample(run, prompts, 0),
        sampler_speed.peer_generate(run, prompts, 0),
    )
    assert ours.tokens == theirs.tokens <= 12 * 5
    assert min(ours.seconds, theirs.seconds) > 0


def test_all_three_of_the_model_are_measured_and_recorded(tmp_path):
    options = [
        "--sampler",
        "--step",
        "--exact",
        "--pairs",
        "3",
        "--steps",
        "1",
        "--repeats",
        "3",
        "--name",
        "tiny",
    ]
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    speed.main([*TINY, *options, *places])
    records = {record.name: record for record in load_all(tmp_path / "results")}
    assert set(records) == {"sampler-random-tiny", "step-tiny", "exact-tiny"}
    race = records["sampler-random-tiny"].measures
    ratios = [
        a / b
        for a, b in zip(race["sepo"]["speed"].values, race["generate"]["speed"].values, strict=True)
    ]
    assert race["sepo / generate"]["speed"].values == pytest.approx(ratios)
    steps = records["step-tiny"].measures
    assert steps["192 games"]["games"].values == (192,)
    assert steps["settings as given"]["games"].values == (120,)
    parts = [steps["192 games"][part].values[0] for part in ("read", "play", "learn")]
    assert steps["192 games"]["whole step"].values[0] == pytest.approx(sum(parts))
    assert records["exact-tiny"].measures["exact score"]["together"].unit == "ms"
    for record in records.values():
        assert "--warm_start.steps 0" in record.certificate.command
        assert record.certificate.peak_memory_mib > 0
