"""The arms of the ablation share what they should, and are compared seed by seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import credit_ablation, outcomes, readme
from benchmarks.arm_records import best_objective
from benchmarks.arms import ARMS, TRAINED, settings_of
from benchmarks.command_line import BenchmarkError, settings
from benchmarks.paper_tables import beside
from benchmarks.records import RESULTS, load
from benchmarks.training_runs import study
from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import read_toml, resolve, to_toml

ARGUMENTS = ["--learning.iterations", "3", "--runs", "runs", "--results", "results"]


def record(*options, name="kuhn_poker"):
    credit_ablation.main([*ARGUMENTS, *options])
    return load(Path(f"results/credit_ablation/{name}.json"))


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
    picture = Path("results/credit_ablation/kuhn_poker.svg").read_text()
    assert all(arm in picture for arm in ARMS if arm != "base")


@pytest.mark.parametrize("game", [*CATALOGUE, "joint"])
def test_every_arm_of_every_game_can_be_read_back(game, tmp_path):
    """A job reads its settings from a file, where what is impossible is refused."""
    config = resolve(None, ["--game.name", game])
    for arm in TRAINED:
        settings = settings_of(config, arm)
        (tmp_path / f"{arm}.toml").write_text(to_toml(settings))
        assert read_toml(tmp_path / f"{arm}.toml") == settings
    assert settings_of(config, "credited").learning == config.learning


def test_every_arm_starts_from_its_seeds_one_warm_start(fake_trainer):
    record("--seeds", "2", "--first-seed", "4", "--shared-in-full")
    (home,) = Path("runs/credit_ablation").iterdir()
    assert {path.name for path in home.glob("warm-?")} == {"warm-4", "warm-5"}
    configs = {path.stem: read_toml(path) for path in home.glob("*.toml")}
    arms = [arm for arm in ARMS if arm != "base"]
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
            assert config.objective.penalty_credit == arm.partition("-")[0]
            assert config.learning.advantage == (
                "std" if arm.endswith("-std") else RunConfig().learning.advantage
            )
            assert config.reference.kind == (
                "refresh" if arm.endswith("-refreshed") else RunConfig().reference.kind
            )
        base = configs.pop(f"base-{seed}")
        assert (base.seed, base.warm_start.steps, base.model.path) == (seed, 0, None)
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


@pytest.fixture
def by_play(fake_trainer):
    """A study of three seeds of a game with J* = .975 whose policies are measured by play."""
    best = Path("results/optimum/split_negotiation.json")
    best.parent.mkdir(parents=True)
    best.write_text((RESULTS / "optimum" / best.name).read_text())
    split = ["--seeds", "3", "--game.name", "split_negotiation"]
    return record(*split, name="split_negotiation")


def test_policies_that_cannot_be_read_out_are_compared_by_what_they_earn_in_play(by_play):
    """Seed s starts at J = -.1 (1 + s), credited ends at .5, the untrained model is at -3."""
    found = by_play.measures
    assert found["warm start"]["objective"].values == pytest.approx((-0.1, -0.2, -0.3))
    paired = found["credited - warm start"]["objective"]
    assert paired.values == pytest.approx((0.6, 0.7, 0.8))
    assert found["credited - base"]["objective"].values == pytest.approx((3.5, 3.5, 3.5))
    way = found["credited"]["share of the way to J*"].values
    assert way == pytest.approx([(0.5 + j) / (0.975 + j) for j in (0.1, 0.2, 0.3)])
    assert "exploitability" not in found["credited"]
    table = readme.tables([by_play])
    assert "| credited |" in table
    assert "final J, mean [95 %]" in table


def test_what_the_scorecard_says_of_a_policy_is_recorded(by_play):
    """By hand from the fake's card: fouls in one pool of three, econ's harms, held-out payoff."""
    found = by_play.measures["auxiliary"]
    expected = {
        **{"held-out payoff": 3.0, "NRA, train": 0.25, "NRA, heldout": 0.25},
        **{"foul rate": 0.125 / 3, "c, econ": 0.5, "x, econ": 0.75, "safety": 0.0},
    }
    for quantity, value in expected.items():
        assert found[quantity].values == pytest.approx((value,) * 3), quantity
    assert "overbidding" not in found, "that is the auction's"


def test_how_exploitable_a_policy_is_at_least_is_recorded_where_it_is_not_read_out(by_play):
    """The fake's bound is 4 and the seed; nobody asks how exploitable an untrained model is."""
    found = by_play.measures
    for arm in ("warm start", "credited", "auxiliary"):
        assert found[arm]["exploitability, at least"].values == (4.0, 5.0, 6.0)
    assert "exploitability, at least" not in found["base"]
    [row] = [row for row in beside(by_play).rows if row[0] == "auxiliary"]
    assert row[1] == "5.00+ [4.00, 6.00]"


def test_a_match_that_is_read_out_has_its_exact_exploitability(fake_trainer):
    dilemma = record("--seeds", "2", "--game.name", "prisoners_dilemma", name="prisoners_dilemma")
    found = dilemma.measures["credited"]
    assert found["exploitability of a match"].values == (4.0, 5.0)
    assert found["exploitability, at least"].values == (4.0, 5.0), "what is exact is a bound too"
    [row] = [row for row in beside(dilemma).rows if row[0] == "auxiliary"]
    assert row[1] == "4.50"


def test_the_curve_of_every_arm_and_seed_is_kept_to_its_end(by_play):
    """J of iteration i is i / 10; the running mean of the first three is .1 at the last."""
    assert set(by_play.curves) == {arm for arm in ARMS if arm != "base"}
    curve = by_play.curves["credited-std"]
    assert curve.columns == ("iteration", "running J")
    assert curve.seeds["2"] == ((0.0, 0.0), (1.0, 0.05), (2.0, 0.1))


def test_a_collapse_by_hand(tmp_path):
    """J climbs to 1 for 20 iterations, falls to .5 for 40: half a point is given back of the two
    and a half between the warm start at -1 and J* = 1.5. The one spike to 3 is no best policy: in
    its running mean of 20 it adds (3 - 1) / 20."""
    values = [0.0] * 20 + [1.0] * 10 + [3.0] + [1.0] * 9 + [0.5] * 40
    lines = [f'{{"iteration": {i}, "game": "any", "objective": {values[i]}}}\n' for i in range(80)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    found = outcomes.collapse(tmp_path, "any")
    assert found == pytest.approx((1.1, 0.5))
    assert found.given_back(start=-1.0, optimum=1.5) == pytest.approx(0.6 / 2.5)


def test_a_curve_that_only_rises_gives_nothing_back(by_play):
    assert by_play.measures["credited"]["share of the way given back"].values == (0, 0, 0)


def test_shared_is_trained_once_and_told_to_be_reward_only(by_play):
    (home,) = Path("runs/credit_ablation").iterdir()
    assert [path.name for path in home.glob("shared-?")] == ["shared-0"]
    assert by_play.measures["shared"] == by_play.measures["reward_only"]
    assert "credited - shared" in by_play.measures
    assert "shared was trained for seed 0 alone" in by_play.notes[2]


def test_shared_that_ends_in_other_weights_ends_the_study(fake_trainer):
    (fake_trainer / "leak").touch()
    with pytest.raises(BenchmarkError, match=r"of seed 0 did not end in the same weights"):
        record("--seeds", "2")
    assert not Path("results/credit_ablation").exists()
    made = record("--seeds", "2", "--shared-in-full")
    assert not [note for note in made.notes if "shared was trained" in note]


def test_a_study_that_is_being_made_is_not_begun_a_second_time(fake_trainer):
    """The first keeps the warm start that it may be writing, and no log is begun."""
    place = study(Path("runs"), "credit_ablation", settings(["--learning.iterations", "3"]))
    with place.held():
        started = place.home / "warm-0"
        started.mkdir()
        with pytest.raises(BenchmarkError, match=r"another process is training in .*--runs"):
            record("--seeds", "1")
    assert started.is_dir()
    assert not list(place.home.glob("*.log"))
    record("--seeds", "1")


def test_an_untrained_model_plays_few_episodes_for_it_only_babbles(by_play):
    (home,) = Path("runs/credit_ablation").iterdir()
    assert read_toml(home / "base-0.toml").evaluation_episodes == 4
    assert read_toml(home / "warm-0.toml").evaluation_episodes == RunConfig().evaluation_episodes


def test_the_best_j_is_that_of_the_published_weights_and_the_default_rules():
    named = ["--game.name", "split_negotiation"]
    assert best_objective(resolve(None, named), RESULTS) == pytest.approx(0.975)
    for other in (["--objective.collusion", "1"], ["--game.options.rounds", "2"]):
        assert best_objective(resolve(None, named + other), RESULTS) is None


def test_a_policy_that_is_read_out_plays_too_and_its_payoffs_are_the_exact_ones(fake_trainer):
    """The fake's card: 1 point by play against the one held-out opponent, exactly 2."""
    found = record("--seeds", "1").measures
    assert found["credited"]["held-out payoff"].values == (2.0,)
    assert found["credited"]["foul rate"].values == (0.125 / 2,)
    assert found["credited"]["objective"].values == pytest.approx((-0.1,)), "exact, not -2 by play"


def test_a_table_of_replies_that_are_hardly_ever_given_is_not_taken_for_the_policy(fake_trainer):
    """Of the untrained model all but nothing is uncovered, so J is that of the card, by play."""
    found = record("--seeds", "1").measures["base"]
    assert "exploitability" not in found
    assert found["objective"].values == (-2.0,)
    assert (found["u"].values, found["e"].values) == ((-0.5,), (0.25,))
    assert found["safety"].values == pytest.approx((1.5 * (-0.5 - 1.5 * 0.25),))
    assert found["held-out payoff"].values == (1.0,), "the exact payoffs are of its table"


def test_a_joint_study_has_a_record_for_each_of_its_games(fake_trainer):
    """Both games of one policy, each with the metrics and the result of its own course."""
    courses = [f"--courses.{game}.weight" for game in ("repeated_auction", "item_negotiation")]
    dropped = [word for flag in (*courses, "--courses.kuhn_poker.weight") for word in (flag, "0")]
    joint = ["--game.name", "joint", *dropped, "--arms", "credited,auxiliary", "--seeds", "1"]
    split = record(*joint, name="joint-split_negotiation")
    dilemma = record(*joint, name="joint-prisoners_dilemma")
    assert (split.game.id, dilemma.game.id) == ("split_negotiation", "prisoners_dilemma")
    assert split.settings["courses.item_negotiation.weight"] == 0
    assert split.measures["credited"]["objective"].values == (0.5,)
    assert len(split.curves["auxiliary"].seeds["0"]) == 3
    (home,) = Path("runs/credit_ablation").iterdir()
    configs = read_toml(home / "auxiliary-0.toml")
    assert {course.objective.penalty_credit for course in configs.courses.values()} == {"auxiliary"}
