"""A record that took hours is not lost to a run of minutes by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import credit_ablation, time_to_equilibrium
from benchmarks.command_line import BenchmarkError
from benchmarks.records import load

PLACES = ["--runs", "runs", "--results", "results"]
THREE = ["--learning.iterations", "3"]
CASES = [
    (credit_ablation, ["--arms", "credited"], "kuhn_poker"),
    (time_to_equilibrium, [], "default"),
]


@pytest.mark.parametrize(("study", "options", "name"), CASES)
def test_a_record_of_other_settings_or_of_more_seeds_stays_unless_it_is_given_up(
    study, options, name, fake_trainer
):
    asked = [*options, *PLACES]
    path = Path("results") / study.BENCHMARK / f"{name}.json"
    study.main([*asked, *THREE, "--seeds", "2"])
    kept, logs = path.read_bytes(), set(Path("runs").rglob("*.log"))
    for other, differs in (
        ([], "of other settings: learning.iterations is 3 there and the default here"),
        (["--learning.iterations", "4"], "learning.iterations is 3 there and 4 here"),
        ([*THREE, "--seeds", "1"], "is of 2 seeds, and this would be of 1"),
    ):
        with pytest.raises(BenchmarkError, match=rf"{path} .*{differs}\. .*--name .*--replace"):
            study.main([*asked, "--seeds", "2", *other])
    assert path.read_bytes() == kept
    assert set(Path("runs").rglob("*.log")) == logs, "it is known before hours are spent"

    study.main([*asked, "--learning.iterations", "4", "--seeds", "1", "--name", "short"])
    study.main([*asked, *THREE, "--seeds", "3"])
    assert (load(path.with_name("short.json")).seeds, load(path).seeds) == ((0,), (0, 1, 2))
    study.main([*asked, "--learning.iterations", "4", "--seeds", "1", "--replace"])
    assert (load(path).settings, load(path).seeds) == ({"learning.iterations": 4}, (0,))


def test_what_cannot_be_read_may_be_worth_keeping_too(fake_trainer):
    path = Path("results/time_to_equilibrium/default.json")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(BenchmarkError, match=r"cannot be read as a record: .* with --replace"):
        time_to_equilibrium.main([*PLACES, *THREE, "--seeds", "1"])
    time_to_equilibrium.main([*PLACES, *THREE, "--seeds", "1", "--replace"])
    assert load(path).seeds == (0,)


def test_no_game_of_a_joint_study_is_written_over(fake_trainer):
    joint = [*PLACES, *THREE, "--game.name", "joint", "--arms", "credited"]
    credit_ablation.main([*joint, "--seeds", "2"])
    folder = Path("results/credit_ablation")
    for game in ("kuhn_poker", "prisoners_dilemma", "repeated_auction", "split_negotiation"):
        (folder / f"joint-{game}.json").unlink()
    with pytest.raises(BenchmarkError, match=r"joint-item_negotiation\.json is of 2 seeds"):
        credit_ablation.main([*joint, "--seeds", "1"])
