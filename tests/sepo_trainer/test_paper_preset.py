"""The pipeline as published, faults included: its numbers, and the fault that is its point."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.__main__ import main
from sepo_trainer.learning.learner import Pull
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Reply
from sepo_trainer.run import put_together
from sepo_trainer.runs import session
from sepo_trainer.settings.resolve import ConfigError, read_toml, resolve, to_toml
from sepo_trainer.train import learnable
from tests.sepo_trainer.runs import UNTRAINED
from tests.sepo_trainer.tabular import changing

POOLS = {
    "prisoners_dilemma": {
        "train": ("tit-for-tat", "generous-tit-for-tat", "random", "grim"),
        "exploit": ("always-defect", "alternator"),
        "collusive": ("always-cooperate",),
    },
    "repeated_auction": {
        "train": ("truthful", "conservative", "shaded", "adaptive"),
        "exploit": ("aggressive",),
        "collusive": ("low",),
    },
    "split_negotiation": {
        "train": ("fair", "balanced", "concedes-once", "hardball"),
        "exploit": ("selfish", "hardball"),
        "collusive": ("fair",),
    },
    "item_negotiation": {
        "train": ("fair", "tit-for-tat", "conceder"),
        "exploit": ("greedy-by-value", "hardball"),
        "collusive": ("fair",),
    },
    "kuhn_poker": {
        "train": ("nash-approx", "tight-passive", "loose-aggressive"),
        "exploit": ("nash-approx", "always-bet"),
    },
}
SHAPE = [f"--model.{name}={value}" for name, value in UNTRAINED.items()]


def published(name: str, *more: str):
    return resolve(None, ["--game.name", name, *more], preset="paper")


@pytest.mark.parametrize("name", CATALOGUE)
def test_it_has_the_published_numbers(name):
    """arXiv 2605.30854: 4 rollouts an opponent, 100 iterations, clip .2, KL .1 (Kuhn .2) to the
    supervised model, AdamW at a constant 1e-5 (Kuhn 3e-6), gradients clipped at 1, temperature .8,
    512 new tokens."""
    config, kuhn = published(name), name == "kuhn_poker"
    rollout, learning = config.rollout, config.learning
    assert (rollout.group_size, rollout.deals, rollout.style) == (4, 1, "fresh")
    assert (rollout.own_deals, learning.optimizer) == (False, "adamw")
    assert (rollout.temperature, rollout.max_new_tokens) == (0.8, 512)
    assert (config.warm_start.thoughts, config.warm_start.notes) == (True, False)
    assert config.objective.penalty_credit == "shared"
    assert config.objective.exploiter == "none"
    assert (learning.iterations, learning.epochs, learning.clip) == (100, 1, 0.2)
    assert (learning.advantage, learning.credit) == ("std", "episode")
    assert (learning.entropy, learning.gradient_clip) == (0.0, 1.0)
    assert learning.learning_rate == (3e-6 if kuhn else 1e-5)
    run = put_together(published(name, *SHAPE))
    assert {run.learning_rate(n) for n in range(100)} == {learning.learning_rate}
    strength = 0.2 if kuhn else 0.1
    pull = Pull(0.2, strength, strength, 0.0, loss="clipped", clip_high=None, longest=512)
    assert run.course.pull(0) == run.course.pull(99) == pull
    assert config.reference.kind == "fixed"


@pytest.mark.parametrize("name", CATALOGUE)
def test_it_meets_the_published_pools_and_nobody_who_answers_the_policy(name):
    course = put_together(published(name, *SHAPE)).course
    met = course.read().opponents
    assert {pool: tuple(o.name for o in members) for pool, members in met.items()} == POOLS[name]


def test_it_plays_the_published_rules():
    """The auction pays no less than nothing; in the item game one of each is worth 10 together."""
    rules = {
        name: put_together(published(name, *SHAPE)).course.stage.game
        for name in ("repeated_auction", "item_negotiation", "split_negotiation")
    }
    assert rules["repeated_auction"].floor_losses is True
    assert (rules["item_negotiation"].worth, rules["item_negotiation"].redrawn) == (
        "one of each",
        (1,),
    )
    assert rules["split_negotiation"] == CATALOGUE["split_negotiation"].make()
    longer = published("repeated_auction", *SHAPE, "--game.options.rounds", "3")
    game = put_together(longer).course.stage.game
    assert (game.rounds, game.floor_losses) == (3, True)


def test_a_file_and_the_command_line_go_over_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[learning]\nclip = 0.3\niterations = 7\n")
    found = resolve(path, ["--learning.clip", "0.4"], preset="paper").learning
    assert (found.clip, found.iterations, found.advantage) == (0.4, 7, "std")


def test_without_it_nothing_of_it_is_there():
    assert resolve(None, []).objective.penalty_credit == "credited"
    assert resolve(None, []).game.preset == "default"


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_a_run_saves_of_it_is_read_back_as_it_was(name, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(to_toml(published(name)))
    assert read_toml(path) == published(name)


def test_a_joint_run_has_it_in_every_course():
    config = published("joint")
    for name in CATALOGUE:
        alone = config.alone(name)
        assert (alone.game.preset, alone.rollout.group_size) == ("paper", 4)
        assert alone.objective.penalty_credit == "shared"
        assert alone.rollout.style == "fresh"


def test_a_preset_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match=r"there is no preset 'papr'. Known: paper."):
        resolve(None, [], preset="papr")


@dataclass
class Replies:
    """Says one of several things, by the request's seed."""

    renderer: Renderer
    texts: tuple[str, ...]
    version: int = 0

    @property
    def pad_id(self):
        return self.renderer.pad_id

    def generate(self, requests):
        ids = [self.renderer.reply(self.texts[r.seed % len(self.texts)]) for r in requests]
        return [Reply(one, (0.0,) * len(one), True) for one in ids]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("kuhn_poker", ("[bet]", "[check]", "[call]", "[fold]")),
        ("prisoners_dilemma", ("[cooperate]", "[defect]")),
        ("split_negotiation", ("[4]", "[6]", "[8]")),
    ],
)
def test_in_it_the_gradient_of_lambda_is_zero_to_the_last_bit(name, texts):
    """The known fault: what is learned is the same at any weights; with credit it is not."""

    def advantages(weight: float, *settings: str):
        run = put_together(published(name, *SHAPE, *settings))
        course = run.course
        weights = replace(
            course.weights, exploitability=weight, collusion=weight, externality=weight
        )
        run = changing(run, weights=weights, sampler=Replies(run.renderer, texts))
        known = run.course.read()
        groups = run.course.arena.play(run.course.sampler, known.opponents, iteration=0)
        open_ = dict.fromkeys(known.gates, 1.0)
        rows, _ = learnable(run.course, groups, open_, known.emphasis)
        return np.array([gain for row in rows for gain in row.advantages])

    cheap, dear = advantages(0.3), advantages(77.7)
    assert abs(cheap).max() > 0.5
    assert (cheap == dear).all()
    mended = ("--objective.penalty_credit", "credited", "--learning.advantage", "centered")
    cheap, dear = advantages(0.3, *mended), advantages(77.7, *mended)
    assert abs(cheap - dear).max() > 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_iteration_of_it_runs(name, tmp_path, monkeypatch):
    """With a model that babbles, so with short replies."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)
    command = [
        *("train", "--preset", "paper", "--game.name", name, "--runs", str(tmp_path), *SHAPE),
        *("--name", "run", "--warm-start.steps", "2", "--warm-start.episodes", "20"),
        *("--learning.iterations", "1", "--rollout.max-new-tokens", "4"),
        *("--rollout.most-fouls", "1", "--evaluation-episodes", "2"),
    ]
    assert main(command) == 0
    assert (tmp_path / "run/result.json").exists()
    saved = read_toml(tmp_path / "run/config.toml")
    assert (saved.game.preset, saved.learning.advantage) == ("paper", "std")
