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
    assert list(later.measures) == list(at_once.measures)
    assert later.curves == at_once.curves
    assert later.config_digest == at_once.config_digest
    made, alone = later.certificate, at_once.certificate
    assert (made.command, made.commit, made.source) == (alone.command, alone.commit, alone.source)
    assert made.wall_seconds > of_two_arms.certificate.wall_seconds > 0


def test_only_what_is_new_is_trained_and_what_it_is_held_against(of_two_arms):
    credit_ablation.main([*SPLIT, *MORE, "--add"])
    (home,) = Path("runs/credit_ablation").iterdir()
    assert {path.stem for path in home.glob("*.log")} == {
        *("warm-0", "warm-1", "base-0", "base-1", "auxiliary-0", "auxiliary-1"),
        *("credited-0", "reward_only-0", "shared-0"),
    }
    notes = load(PATH).notes
    assert "shared was trained for seed 0 alone" in notes[2]
    assert "warm start, credited, reward_only: measured on " in notes[3]
    assert "all warm starts and credited and reward_only of seed 0 were trained again" in notes[3]
    assert "came to the same numbers; base and shared and auxiliary came in then" in notes[3]


def test_a_record_can_be_held_against_the_code_as_it_is(of_two_arms):
    credit_ablation.main([*SPLIT, *FEW, "--add"])
    held = load(PATH)
    assert held.measures == of_two_arms.measures
    assert held.notes[-1].endswith(
        "credited of seed 0 were trained again, and came to the same numbers."
    )


def test_settings_that_were_added_since_are_taken_in(of_two_arms):
    """What differs from the defaults is the same; the digest is of all settings there are."""
    save(of_two_arms.model_copy(update={"config_digest": "0" * 64}), results=Path("results"))
    credit_ablation.main([*SPLIT, *FEW, "--add"])
    assert load(PATH).config_digest == of_two_arms.config_digest


def test_shared_in_full_is_trained_and_told_for_itself(of_two_arms, fake_trainer):
    (fake_trainer / "leak").touch()
    credit_ablation.main([*SPLIT, *MORE, "--add", "--shared-in-full"])
    (home,) = Path("runs/credit_ablation").iterdir()
    assert {path.stem for path in home.glob("shared-?.log")} == {"shared-0", "shared-1"}
    assert not list(home.glob("reward_only-?"))
    assert not [note for note in load(PATH).notes if "shared was trained" in note]


def test_a_study_without_a_warm_start_can_be_added_to(fake_trainer):
    bare = [*SPLIT, "--warm-start.steps", "0"]
    credit_ablation.main([*bare, *FEW])
    credit_ablation.main([*bare, *MORE, "--add"])
    made = load(PATH)
    assert "auxiliary" in made.measures
    assert "warm starts" not in made.notes[-1]


def test_all_games_of_a_joint_study_are_added_to(fake_trainer):
    dropped = [f"--courses.{game}.weight" for game in ("repeated_auction", "item_negotiation")]
    joint = [*PLACES, "--game.name", "joint", "--first-seed", "3", "--seeds", "2"]
    joint += [word for flag in dropped for word in (flag, "0")]
    credit_ablation.main([*joint, *FEW])
    rmtree("runs")
    credit_ablation.main([*joint, "--arms", "credited,auxiliary,reward_only", "--add"])
    for game in ("kuhn_poker", "prisoners_dilemma", "split_negotiation"):
        made = load(PATH.with_name(f"joint-{game}.json"))
        assert made.seeds == (3, 4)
        assert len(made.curves["auxiliary"].seeds) == 2
    with pytest.raises(BenchmarkError, match="is of other seeds or settings"):
        credit_ablation.main([*joint, *MORE, "--add", "--courses.kuhn_poker.entropy", "0.5"])


@pytest.mark.parametrize("game", ["split_negotiation", "joint"])
def test_a_record_of_before_a_setting_was_there_is_added_to_if_its_numbers_come_out(
    fake_trainer, game
):
    asked = [*PLACES, "--game.name", game, "--seeds", "2"]
    credit_ablation.main([*asked, *FEW])
    for path in PATH.parent.glob("*.json"):
        older = load(path).model_copy(update={"config_digest": "0" * 64})
        save(older, results=Path("results"))
    credit_ablation.main([*asked, *MORE, "--add"])
    for path in PATH.parent.glob("*.json"):
        made = load(path)
        assert "auxiliary" in made.measures
        assert made.config_digest != "0" * 64, "it is a record of the settings as they are"


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
    assert not list(Path("runs").rglob("auxiliary-*")), "it is known before hours are spent"


def test_code_that_does_not_measure_what_the_record_tells_adds_nothing(of_two_arms):
    exact = {"exploitability of a match": measure((1.0, 1.0), "points per episode")}
    credited = of_two_arms.measures["credited"] | exact
    measures = of_two_arms.measures | {"credited": credited}
    save(of_two_arms.model_copy(update={"measures": measures}), results=Path("results"))
    with pytest.raises(BenchmarkError, match=r"exploitability of a match is None, not \(1\.0,\)"):
        credit_ablation.main([*SPLIT, *MORE, "--add"])


def test_code_that_gets_there_another_way_adds_nothing(of_two_arms):
    curve = of_two_arms.curves["credited"]
    other = curve.model_copy(update={"seeds": curve.seeds | {"0": ((0.0, 0.5), (2.0, 0.1))}})
    curves = of_two_arms.curves | {"credited": other}
    save(of_two_arms.model_copy(update={"curves": curves}), results=Path("results"))
    with pytest.raises(BenchmarkError, match="J went another way"):
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
