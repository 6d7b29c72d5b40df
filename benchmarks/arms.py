"""The arms of a study: what each changes in the settings of a run, and the job that trains it."""

from __future__ import annotations

import argparse
from typing import Any, Final, NamedTuple, get_args

from benchmarks.training_runs import Job, Study, seeded
from sepo_trainer.settings.config import CourseConfig, RunConfig
from sepo_trainer.settings.learning import Credit, LearningConfig
from sepo_trainer.settings.objective import ObjectiveConfig

CREDITS: Final[tuple[str, ...]] = get_args(
    ObjectiveConfig.model_fields["penalty_credit"].annotation
)
CREDITED, SHARED, REWARD_ONLY, BASE = "credited", "shared", "reward_only", "base"
WARM = "warm start"
DIVIDED, REFRESHED = "credited-std", "credited-refreshed"
CHANGES: Final[dict[str, dict[str, dict[str, str | int | float]]]] = {
    DIVIDED: {"learning": {"advantage": "std"}},
    "credited-rae": {"learning": {"advantage": "rae"}},
    REFRESHED: {"reference": {"kind": "refresh", "every": 25, "kl_move": 0.1}},
}
"""What the arms beside those of `penalty_credit` change, by section of the settings. One with other
advantages credits the moves that were made alone, as those of other moves have no group."""
TRAINED: Final = (*CREDITS, *CHANGES)
ARMS: Final = (BASE, *CREDITS, DIVIDED, REFRESHED)
"""Those of a study unless it is told otherwise."""
BABBLING_EPISODES = 4
"""Of the untrained model against each opponent, where play measures it. It hardly ever says a legal
move, so nearly all are alike, and to let it talk until it is cut off takes a hundred times as long
as to let a trained one answer."""


class Given(NamedTuple):
    """What a study is asked for, besides the settings of its runs."""

    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    jobs: int = 1
    shared_in_full: bool = False
    """`shared` for every seed, and not only for the first."""
    known: tuple[str, ...] = ()
    """Of `arms`, those of a record: trained for the first seed alone, to be held against it."""
    brief: bool = False
    """A trial: no policy that was played is read out after every history, which takes minutes."""

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """Those that ``arm`` is trained for."""
        told_by_another = arm == SHARED and REWARD_ONLY in self.arms and not self.shared_in_full
        return self.seeds[:1] if arm in self.known or told_by_another else self.seeds

    @property
    def options(self) -> list[str]:
        """Those of the command line that say so."""
        return [
            *("--seeds", str(len(self.seeds))),
            *(("--first-seed", str(self.seeds[0])) if self.seeds[0] else ()),
            *(("--jobs", str(self.jobs)) if self.jobs > 1 else ()),
            *(("--arms", ",".join(self.arms)) if self.arms != ARMS else ()),
            *(("--shared-in-full",) if self.shared_in_full else ()),
        ]


def settings_of(config: RunConfig, arm: str) -> RunConfig:
    """Those of one arm."""
    changes = CHANGES.get(arm, {})
    by_turns = changes.get("learning", {}).get("advantage", "centered") != "centered"

    def credit(of: LearningConfig | CourseConfig) -> Credit:
        return "turn" if by_turns and of.credit == "counterfactual" else of.credit

    def charged(of: RunConfig | CourseConfig) -> ObjectiveConfig:
        kind = arm if arm in CREDITS else of.objective.penalty_credit
        return of.objective.model_copy(update={"penalty_credit": kind})

    update: dict[str, Any] = {
        section: getattr(config, section).model_copy(update=dict(values))
        for section, values in changes.items()
    }
    learning = update.get("learning", config.learning)
    return config.model_copy(
        update=update
        | {
            "learning": learning.model_copy(update={"credit": credit(learning)}),
            "objective": charged(config),
            "courses": {
                game: course.model_copy(
                    update={"credit": credit(course), "objective": charged(course)}
                )
                for game, course in config.courses.items()
            },
        }
    )


def base(place: Study, config: RunConfig, seed: int) -> Job:
    """The model before its warm start, in a folder of its own with what it is worth."""
    update: dict[str, Any] = {"warm_start": config.warm_start.model_copy(update={"steps": 0})}
    if config.model.path is None:
        update["evaluation_episodes"] = min(BABBLING_EPISODES, config.evaluation_episodes)
    return place.warm_start(seeded(config.model_copy(update=update), seed), f"{BASE}-{seed}")


def training(place: Study, settings: RunConfig, arm: str, seed: int, warm: Job | None) -> Job:
    """One arm of one seed, from its warm start where that is a job of its own.

    The supervised stage knows no arm, and a loaded model holds the very weights that were saved, so
    this is the run that would have warmed up by itself, line by line of its metrics.
    """
    config = seeded(settings, seed)
    if warm is not None:
        config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"path": warm.folder}),
                "warm_start": config.warm_start.model_copy(update={"steps": 0}),
            }
        )
    return place.training(config, f"{arm}-{seed}")


def list_of_arms(text: str) -> tuple[str, ...]:
    """Arms by name with commas between, as the command line gives them.

    Raises:
        argparse.ArgumentTypeError: one is unknown or named twice, or credited is missing.
    """
    named = tuple(text.split(","))
    known = (BASE, *TRAINED)
    wrong = [arm for arm in named if arm not in known]
    if wrong or CREDITED not in named or len(set(named)) < len(named):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of arms: name {CREDITED} and any of "
            f"{', '.join(arm for arm in known if arm != CREDITED)}, each once, with commas between"
        )
    return named
