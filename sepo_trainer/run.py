"""A run put together from its configuration: the parts that the loop in `sepo_trainer.train` turns.

One policy with its optimiser and what holds it, and the courses that it is trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import Checkpoint, CheckpointError
from sepo_trainer.courses.course import Course, set_out
from sepo_trainer.courses.snapshots import Snapshots
from sepo_trainer.learning.importance import check_drift, corrected
from sepo_trainer.learning.learner import Learner
from sepo_trainer.learning.optimizer import adamw, optimizer
from sepo_trainer.learning.readback import Written, read_back
from sepo_trainer.policy import adapter
from sepo_trainer.policy.base import check_base, weights_digest
from sepo_trainer.policy.model import LanguageModel, load, tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.policy.split import gather, split
from sepo_trainer.policy.weights import WARM, Adapted, AllWeights, Policy
from sepo_trainer.processes import check_alike, whole_in_main, worked_out
from sepo_trainer.records import Row
from sepo_trainer.samplers.choice import most_drift, sampler_maker, writes_with_the_learner
from sepo_trainer.settings.config import ConfigError, RunConfig

BETAS = (0.9, 0.999)
"""Adam's. The second is long on purpose: on a nearly deterministic policy a short one forgets how
large gradients can be, and one rare episode then throws the weights."""
WARM_BETAS = (0.9, 0.95)
REFERENCE, MAGNET = "reference", "magnet"
BASE = "base"
"""In a checkpoint's state, beside the courses: the digest of the weights that its adapters lie on,
where these are from a folder."""


@dataclass(slots=True)
class Run:
    """The parts of one run."""

    config: RunConfig
    language: LanguageModel
    policy: Policy
    """What of its model learns."""
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
        """Let every course play with the weights as they stand.

        Raises:
            ApartError: they are not the same in all processes of the run.
        """
        gather(self.language.model)
        check_alike(
            f"what was learned before iteration {self.iteration}",
            self._fingerprint,
            mend="They are to run on machines of one kind, with one build of torch. What was saved "
            "before stands; go on with --resume.",
        )
        for course in self.courses:
            course.sampler.publish(self.iteration)

    def _fingerprint(self) -> str:
        """What shows that processes have come apart: sums of weights, and how courses stand."""
        sums = [weight.detach().double().sum() for weight in self.policy.learning().values()]
        state = [course.state() for course in self.courses]
        return json.dumps([torch.stack(sums).tolist(), state])

    def rest(self) -> None:
        """Nothing is played until the next `publish`: leave the memory to what learns."""
        for course in self.courses:
            course.sampler.rest()

    def corrected(self, rows: Sequence[Row]) -> tuple[Sequence[Row], dict[str, float]]:
        """What was played, weighed for a sampler that writes not quite as the model that learns;
        and how far the two are apart. Nothing where they are the same.

        Raises:
            DriftError: they are farther apart than is allowed.
        """
        settings, model = self.config.sampler, self.language.model
        if writes_with_the_learner(settings, model.dtype, model.device):
            return rows, {}
        again = worked_out(
            [Written(row.prompt_ids, row.rest_ids, row.written) for row in rows],
            (len(row.prompt_ids + row.rest_ids) for row in rows),
            lambda mine: read_back(
                model,
                mine,
                pad_id=self.learner.pad_id,
                temperature=self.learner.temperature,
                at_once=self.learner.microbatch,
            ),
        )
        found, agreed = corrected(rows, again, cap=settings.importance_cap)
        most, where = most_drift(settings, model.dtype), f"in iteration {self.iteration}"
        check_drift(agreed, most=most, where=where, engine=settings.engine)
        return found, agreed.stats()

    def begin_iteration(self) -> None:
        """Keep the policy as it stands for later, where that is due."""
        if self.config.selfplay.kind == "snapshots":
            self.snapshots.take(self.policy, self.iteration)

    def begin_learning(self) -> None:
        """After the warm start: a fresh optimiser, and the policy as it stands as the reference."""
        self.policy.begin_learning()
        self.learner.optimizer = self._optimizer()
        if self.config.reference.kind != "off":
            self.learner.reference = self.policy.freeze(REFERENCE)

    def _optimizer(self) -> Optimizer:
        weights = self.policy.learning().values()
        return optimizer(self.config.learning.optimizer, self.language.model, weights, betas=BETAS)

    def renew_magnet(self) -> None:
        """From now on moves are pulled to those of the policy as it stands."""
        self.learner.magnet = None  # so that never more than one is in memory
        self.learner.magnet = self.policy.freeze(MAGNET)

    def checkpoint(self) -> Checkpoint:
        """The run as it stands between two iterations. All processes take part; the main one has
        it whole."""
        tensors: dict[str, dict[str, Tensor]] = {
            **self.policy.tensors(),
            "optimizer": checkpoints.optimizer_tensors(self.learner.optimizer),
        }
        for name, frozen in ((REFERENCE, self.learner.reference), (MAGNET, self.learner.magnet)):
            if frozen is not None:
                tensors[name] = frozen.tensors()
        tensors |= self.snapshots.tensors()
        state: dict[str, Any] = {one.stage.domain.name: one.state() for one in self.courses}
        if self.policy.lies_on is not None:
            state[BASE] = self.policy.lies_on
        parts = {file: whole_in_main(found) for file, found in tensors.items()}
        settings = self.config.model_dump(mode="json", exclude={"name", "runs"})
        return Checkpoint(self.iteration, parts, state, settings)

    def check_base(self, saved: Checkpoint, *, source: Path) -> None:
        """Hold the frozen weights against those on which ``saved`` was trained.

        Raises:
            CheckpointError: they are others.
        """
        if saved.state.get(BASE) != self.policy.lies_on:
            raise CheckpointError(
                f"the adapters in {source} were trained on other weights than those under "
                f"{self.config.model.path} now. Put the model back that the run was started with, "
                "or start a new run with another --name."
            )

    def restore(self, saved: Checkpoint, *, source: Path) -> None:
        """Go back to where ``saved`` was taken.

        Raises:
            CheckpointError: it is of another model, or its adapters lie on other weights.
        """
        self.check_base(saved, source=source)
        self.policy.restore(saved.tensors, source=source)
        self.learner.optimizer = self._optimizer()
        checkpoints.restore_optimizer(self.learner.optimizer, saved.tensors["optimizer"])
        self.learner.reference, self.learner.magnet = (
            self.policy.restore_frozen(name, saved.tensors[name], source=source)
            if name in saved.tensors
            else None
            for name in (REFERENCE, MAGNET)
        )
        self.snapshots.restore(saved.tensors, policy=self.policy, source=source)
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
    language, policy = _models(config)
    if config.model.sharded:
        split(language.model)
    # Not all of CUDA's are, so a run goes on bit for bit on the CPU alone.
    torch.use_deterministic_algorithms(language.model.device.type == "cpu")
    # torch would fill all memory that it takes, to show who reads before writing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    renderer = Renderer(
        language.tokenizer, thinking=config.model.thinking, end_ids=language.end_ids
    )
    snapshots = Snapshots(config.selfplay.every, config.selfplay.keep)
    alone = [config.alone(game) for game in config.games]
    temperature = alone[0].rollout.temperature
    make_sampler = sampler_maker(config.sampler, language, renderer, temperature=temperature)
    courses = tuple(set_out(one, language, renderer, snapshots, make_sampler) for one in alone)
    learner = Learner(
        language.model,
        None,
        adamw(policy.learning().values(), betas=WARM_BETAS),
        renderer.pad_id,
        temperature=temperature,
        microbatch=config.learning.microbatch,
        gradient_clip=config.learning.gradient_clip,
    )
    return Run(config, language, policy, renderer, learner, courses, snapshots)


def _models(config: RunConfig) -> tuple[LanguageModel, Policy]:
    """The model that the run begins with, and what of it learns.

    Raises:
        ConfigError: all weights would learn in half precision, or the warm start's adapter has a
            shape of its own beside the one that is asked for.
        ValueError: what `model.path` names cannot be loaded.
    """
    path = config.model.path
    warm = path if path is not None and adapter.is_adapter(path) else None
    base = path if warm is None else adapter.base_of(warm)
    given, settings = config.model, config.adapter
    if warm is not None:
        for name in settings.changed("warm_rank", "warm_alpha"):
            raise ConfigError(
                f"adapter.{name} is {getattr(settings, name)}, but the adapter in {warm} is the "
                f"warm start's, and has its own. Leave adapter.{name} out."
            )
    digest = None
    if base is not None and (warm is not None or settings.kind == "lora"):
        digest = weights_digest(base)
        if warm is not None:
            check_base(warm, base, digest)
    if base is not None:
        language = load(
            base,
            dtype=given.dtype,
            device=given.device,
            attention=given.attention,
            gradient_checkpointing=given.gradient_checkpointing,
            trust_remote_code=given.trust_remote_code,
        )
    else:
        language = tiny(
            hidden=given.hidden,
            layers=given.layers,
            heads=given.heads,
            run_seed=config.seed,
            device="cpu" if given.device == "auto" else given.device,
        )
    if settings.kind == "none":
        if language.model.dtype != torch.float32:
            raise ConfigError(
                f"all weights of {path} would learn, but they are in {language.model.dtype}, where "
                "steps as small as these vanish: nothing would move. Set model.dtype to 'float32', "
                "or adapter.kind to 'lora', which learns in single precision on such weights."
            )
        if warm is not None:
            adapter.attach_saved(language.model, WARM, warm)
            adapter.merge(language.model, WARM)
            language.model.requires_grad_(True)
        return language, AllWeights(language.model)
    adapted = Adapted(
        language.model,
        settings.rank,
        settings.alpha,
        config.seed,
        merged=settings.warm == "merged",
        base=base,
        save_merged=settings.save_merged,
        lies_on=digest,
    )
    adapted.begin_warm_start(warm or (settings.warm_rank, settings.warm_alpha))
    return language, adapted
