"""An arm that is added to a record later belongs there, or is not added."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import pytest

from benchmarks import credit_ablation
from benchmarks.command_line import BenchmarkError
from benchmarks.records import load, measure, save

PLACES = ["--learning.iterations", "3", "--runs", "runs", "--results", "results"]
SPLIT = [*PLACES, "--game.name", "split_negotiation", "--seeds", "2"]
FEW = ["--arms", "credited,reward_only"]
MORE = ["--arms", "base,credited,shared,auxiliary,reward_only"]
PATH = Path("results/credit_ablation/split_negotiation.json")


@pytest.fixture
def of_two_arms(fake_trainer):
    """A record of credited and reward_only, whose runs are gone."""
    credit_ablation.main([*SPLIT, *FEW])
    rmtree("runs")
    return load(PATH)


def test_what_is_added_is_what_would_have_been_measured_at_once(of_two_arms):
    credit_ablation.main([*SPLIT, *MORE, "--add"])
    later = load(PATH)
    credit_ablation.main([*SPLIT, *MORE])
    at_once = load(PATH)
    assert later.measures == at_once.measures
    assert later.curves == at_once.curves
    assert later.certificate.command == at_once.certificate.command
    assert later.certificate.date >= of_two_arms.certificate.date


def test_only_what_is_new_is_trained_and_what_it_is_held_against(of_two_arms):
    credit_ablation.main([*SPLIT, *MORE, "--add"])
    (home,) = Path("runs/credit_ablation").iterdir()
    assert {path.stem for path in home.glob("*.log")} == {
        *("warm-0", "warm-1", "base-0", "base-1", "auxiliary-0", "auxiliary-1"),
        *("credited-0", "reward_only-0", "shared-0"),
    }
    notes = load(PATH).notes
    assert "shared was trained for seed 0 alone" in notes[2]
    assert "credited and reward_only of seed 0, were trained again and came to the" in notes[3]
    assert "base and shared and auxiliary came in then" in notes[3]


def test_a_record_can_be_held_against_the_code_as_it_is(of_two_arms):
    credit_ablation.main([*SPLIT, *FEW, "--add"])
    held = load(PATH)
    assert held.measures == of_two_arms.measures
    assert held.notes[-1].endswith(
        "credited of seed 0, were trained again and came to the same numbers."
    )


@pytest.mark.parametrize(
    ("arm", "values", "told"),
    [
        ("credited", (0.25, 0.5), r"credited of seed 0 does not end as the record .* objective"),
        ("warm start", (-0.1, -0.3), r"warm start of seed 0, 1 does not end as the record"),
    ],
)
def test_code_that_ends_elsewhere_adds_nothing(of_two_arms, arm, values, told):
    """By the fake, credited ends at .5 with each seed, and warm starts are at -.1 and -.2."""
    changed = of_two_arms.measures[arm] | {"objective": measure(values, "J, scaled points")}
    measures = of_two_arms.measures | {arm: changed}
    save(of_two_arms.model_copy(update={"measures": measures}), results=Path("results"))
    before = PATH.read_text()
    with pytest.raises(BenchmarkError, match=told):
        credit_ablation.main([*SPLIT, *MORE, "--add"])
    assert PATH.read_text() == before


def test_code_that_gets_there_another_way_adds_nothing(of_two_arms):
    curve = of_two_arms.curves["credited"]
    other = curve.model_copy(update={"seeds": curve.seeds | {"0": ((0.0, 0.5), (2.0, 0.1))}})
    curves = of_two_arms.curves | {"credited": other}
    save(of_two_arms.model_copy(update={"curves": curves}), results=Path("results"))
    with pytest.raises(BenchmarkError, match="came there another way"):
        credit_ablation.main([*SPLIT, *MORE, "--add"])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (["--name", "nowhere"], r"no record results/credit_ablation/nowhere\.json to add to"),
        (["--seeds", "3"], r"is of other seeds or settings: of seeds \(0, 1\)"),
        (["--learning.clip", "0.3"], "is of other seeds or settings"),
    ],
)
def test_there_must_be_something_to_add_to(of_two_arms, other, told):
    with pytest.raises(BenchmarkError, match=told):
        credit_ablation.main([*SPLIT, *MORE, "--add", *other])
    assert not Path("runs").exists()
