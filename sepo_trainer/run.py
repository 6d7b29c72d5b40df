"""A run put together from its configuration: the parts that the loop in `sepo_trainer.train` turns.

One policy with its optimiser and its reference, and the courses that it is trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import Checkpoint
from sepo_trainer.config import RunConfig
from sepo_trainer.course import Course, set_out
from sepo_trainer.learner import Learner, frozen_copy
from sepo_trainer.model import LanguageModel, load, tiny
from sepo_trainer.rendering import Renderer
from sepo_trainer.snapshots import Snapshots

BETAS = (0.9, 0.999)
"""Adam's. The second is long on purpose: on a nearly deterministic policy a short one forgets how
large gradients can be, and one rare episode then throws the weights."""
WARM_BETAS = (0.9, 0.95)


@dataclass(slots=True)
class Run:
    """The parts of one run."""

    config: RunConfig
    language: LanguageModel
    renderer: Renderer
    learner: Learner
    courses: tuple[Course, ...]
    snapshots: Snapshots
    """Of the policy, for all courses; none are ever taken without `selfplay`."""
    iteration: int = 0
    """GRPO steps done."""

    @property
    def course(self) -> Course:
        """The only one.

        Raises:
            ValueError: it is a joint run.
        """
        [course] = self.courses
        return course

    def learning_rate(self, iteration: int) -> float:
        """Rises over ``rise`` iterations, and falls all the while in a line to ``final_rate``."""
        settings = self.config.learning
        done = iteration / max(1, settings.iterations - 1)
        risen = min(1.0, (iteration + 1) / (settings.rise + 1))
        return settings.learning_rate * risen * (1 - done * (1 - settings.final_rate))

    def publish(self) -> None:
        """Let every course play with the weights as they stand."""
        for course in self.courses:
            course.sampler.publish(self.iteration)

    def begin_iteration(self) -> None:
        """Keep the policy as it stands for later, where that is due."""
        if self.config.selfplay.kind == "snapshots":
            self.snapshots.take(self.language.model, self.iteration)

    def begin_learning(self) -> None:
        """After the warm start: a fresh optimiser, and the policy as it stands as the reference."""
        self.learner.optimizer = torch.optim.AdamW(
            self.language.model.parameters(), betas=BETAS, weight_decay=0.0
        )
        if self.config.reference.kind != "off":
            self.learner.refresh_reference()

    def checkpoint(self) -> Checkpoint:
        tensors: dict[str, dict[str, Tensor]] = {
            "model": dict(self.language.model.named_parameters()),
            "optimizer": checkpoints.optimizer_tensors(self.learner.optimizer),
        }
        if self.learner.reference is not None:
            tensors["reference"] = dict(self.learner.reference.named_parameters())
        tensors |= self.snapshots.tensors()
        state = {course.stage.domain.name: course.state() for course in self.courses}
        return Checkpoint(self.iteration, tensors, state)

    def restore(self, saved: Checkpoint, *, source: Path) -> None:
        """Go back to where ``saved`` was taken."""
        model = self.language.model
        checkpoints.restore_weights(model, saved.tensors["model"], source=source)
        self.begin_learning()
        checkpoints.restore_optimizer(self.learner.optimizer, saved.tensors["optimizer"])
        if "reference" in saved.tensors:
            self.learner.reference = frozen_copy(model)
            checkpoints.restore_weights(
                self.learner.reference, saved.tensors["reference"], source=source
            )
        self.snapshots.restore(saved.tensors, like=model, source=source)
        for course in self.courses:
            course.restore(saved.state[course.stage.domain.name])
        self.iteration = saved.iteration
        self.publish()


def put_together(config: RunConfig) -> Run:
    """The run that ``config`` describes, before its first step.

    Raises:
        ValueError: a game lacks what is asked of it.
    """
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    if config.model.path is not None:
        language = load(config.model.path)
    else:
        shape = config.model
        language = tiny(
            hidden=shape.hidden, layers=shape.layers, heads=shape.heads, run_seed=config.seed
        )
    renderer = Renderer(language.tokenizer)
    snapshots = Snapshots(config.selfplay.every, config.selfplay.keep)
    courses = tuple(
        set_out(config.alone(game), language, renderer, snapshots) for game in config.games
    )
    learner = Learner(
        language.model,
        None,
        torch.optim.AdamW(language.model.parameters(), betas=WARM_BETAS, weight_decay=0.0),
        renderer.pad_id,
        temperature=courses[0].config.rollout.temperature,
        microbatch=config.learning.microbatch,
        gradient_clip=config.learning.gradient_clip,
    )
    return Run(config, language, renderer, learner, courses, snapshots)
