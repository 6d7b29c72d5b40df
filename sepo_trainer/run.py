"""A run put together from its configuration: the parts that the loop in `sepo_trainer.train` turns.

What changes during a run is here too (`Progress`), with what a checkpoint holds of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from opponents.adaptive import every_seat, fictitious_play, quantal_response
from opponents.opponent import Adaptive, Opponent, from_table
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.game import Weights
from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.action_table import ActionTableReader
from sepo_trainer.arena import Arena
from sepo_trainer.checkpoint import Checkpoint
from sepo_trainer.config import RunConfig
from sepo_trainer.learner import Learner, Pull, frozen_copy
from sepo_trainer.model import LanguageModel, load, tiny
from sepo_trainer.rendering import Renderer
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.scores import Scores, score
from sepo_trainer.stage import Stage, set_stage

BETAS = (0.9, 0.999)
"""Adam's. The second is long on purpose: on a nearly deterministic policy a short one forgets how
large gradients can be, and one rare episode then throws the weights."""
WARM_BETAS = (0.9, 0.95)
MARGIN_DECAY = 0.8
"""Of the running mean that says whether an opponent exploits the policy."""


@dataclass(slots=True)
class Progress:
    """What a run has come to, besides its tensors."""

    iteration: int = 0
    baselines: dict[str, float] = field(default_factory=dict)
    """Running means of `advantage = "rae"`."""
    past_responses: list[ActionTable] = field(default_factory=list)
    """Best responses met so far, for the averaged exploiter."""
    margins: dict[str, float] = field(default_factory=dict)
    """Running means of what each opponent earned beyond the policy, where that is known by play."""

    def notice(self, scores: Scores) -> None:
        """Take the margins of an iteration into the running means."""
        for name, found in scores.against.items():
            before = self.margins.get(name, found.margin)
            self.margins[name] = MARGIN_DECAY * before + (1 - MARGIN_DECAY) * found.margin


class Reading(NamedTuple):
    """What is known of the policy before an iteration is played."""

    opponents: dict[str, tuple[Opponent, ...]]
    """The pools that are trained on, as they meet this policy."""
    gates: dict[str, float]
    """By opponent, 1 where it earns more than the policy in expectation, else 0. None of it comes
    from the episodes that it gates, which would bias the gradient."""
    table: ActionTable | None
    scores: Scores | None
    """Exact ones; None where only play can tell."""


@dataclass(slots=True)
class Run:
    """The parts of one run."""

    config: RunConfig
    stage: Stage
    language: LanguageModel
    renderer: Renderer
    reader: ActionTableReader | None
    """None where the game's tree is too large to be read out."""
    sampler: TransformersSampler
    learner: Learner
    arena: Arena
    weights: Weights
    progress: Progress

    @property
    def pad_id(self) -> int:
        return self.learner.pad_id

    def table(self) -> ActionTable | None:
        """The policy's action table as it stands; None where it cannot be read out."""
        if self.reader is None:
            return None
        return self.reader.read(self.language.model, pad_id=self.pad_id)

    def read(self) -> Reading:
        """What can be known of the policy before it plays."""
        table = self.table()
        opponents = self.opponents(table)
        if table is None or self.stage.tree is None:
            # An opponent not met yet is taken to exploit the policy: that is what its pool is for.
            gates = {
                opponent.name: float(self.progress.margins.get(opponent.name, 1.0) > 0)
                for opponent in opponents.get("exploit", ())
            }
            return Reading(opponents, gates, None, None)
        scores = score(self.stage.tree, table, opponents, self.weights)
        gates = {name: float(result.margin > 0) for name, result in scores.against.items()}
        return Reading(opponents, gates, table, scores)

    def opponents(self, table: ActionTable | None) -> dict[str, tuple[Opponent, ...]]:
        """The pools that are trained on, the adaptive exploiter worked out against ``table``."""
        kind = self.config.objective.exploiter
        pools: dict[str, tuple[Opponent, ...]] = {}
        for name in ("train", "exploit", "collusive"):
            if name not in self.stage.pools:
                continue
            members = self.stage.pools[name].opponents
            fixed = [member for member in members if isinstance(member, Opponent)]
            adaptive = [member for member in members if isinstance(member, Adaptive)]
            met = [
                exploiter for member in adaptive for exploiter in self._meet(member, table, kind)
            ]
            pools[name] = (*fixed, *met)
        return pools

    def remember(self, table: ActionTable | None) -> None:
        """Keep the best response to ``table``, if the exploiter is the average of all of them."""
        if self.config.objective.exploiter == "average" and table and self.stage.tree:
            self.progress.past_responses.append(every_seat(self.stage.tree, table))

    def _meet(self, member: Adaptive, table: ActionTable | None, kind: str) -> list[Opponent]:
        tree = self.stage.tree
        if kind == "none":
            return []
        if tree is None or table is None:
            raise ValueError(
                f"opponent {member.name!r} of {self.stage.domain.name} adapts to the policy, which "
                "cannot be read out in so large a game. Put a fixed opponent in its place."
            )
        if kind == "best_response":
            return [member.against(tree, table)]
        if kind == "quantal":
            trembling = quantal_response(self.config.objective.exploiter_temperature)
            return [trembling.against(tree, table)]
        average = fictitious_play(tree, [*self.progress.past_responses, every_seat(tree, table)])
        return [from_table("average-response", average, "Brown, fictitious play (1951)")]

    def learning_rate(self, iteration: int) -> float:
        """Falls linearly from its start to ``final_rate`` of it at the last iteration."""
        settings = self.config.learning
        done = iteration / max(1, settings.iterations - 1)
        return settings.learning_rate * (1 - done * (1 - settings.final_rate))

    def pull(self, iteration: int) -> Pull:
        """What weighs in the update of ``iteration``; the entropy bonus falls to 0 in a line."""
        reference, learning = self.config.reference, self.config.learning
        left = 1 - iteration / max(1, learning.iterations - 1)
        return Pull(learning.clip, reference.kl_talk, reference.kl_move, learning.entropy * left)

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
        state = {
            "weights": asdict(self.weights),
            "baselines": self.progress.baselines,
            "past_responses": [_to_json(table) for table in self.progress.past_responses],
            "margins": self.progress.margins,
        }
        return Checkpoint(self.progress.iteration, tensors, state)

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
        self.weights = Weights(**saved.state["weights"])
        self.progress = Progress(
            saved.iteration,
            dict(saved.state["baselines"]),
            [self._from_json(rows) for rows in saved.state["past_responses"]],
            dict(saved.state["margins"]),
        )
        self.sampler.publish(saved.iteration)

    def _from_json(self, rows: Mapping[str, Mapping[str, float]]) -> ActionTable:
        moves = {str(move): move for move in self.stage.game.moves}
        return ActionTable(
            {key: {moves[name]: p for name, p in row.items()} for key, row in rows.items()}
        )


def put_together(config: RunConfig) -> Run:
    """The run that ``config`` describes, before its first step."""
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    stage = set_stage(config.game.name, dict(config.game.options))
    if config.model.path is not None:
        language = load(config.model.path)
    else:
        shape = config.model
        language = tiny(
            hidden=shape.hidden, layers=shape.layers, heads=shape.heads, run_seed=config.seed
        )
    renderer = Renderer(language.tokenizer)
    rollout = config.rollout
    pad_id = language.tokenizer.pad_token_id
    pad_id = renderer.end_id if pad_id is None else pad_id
    optimizer = torch.optim.AdamW(language.model.parameters(), betas=WARM_BETAS, weight_decay=0.0)
    return Run(
        config=config,
        stage=stage,
        language=language,
        renderer=renderer,
        reader=None
        if stage.tree is None
        else ActionTableReader(
            stage,
            stage.tree,
            renderer,
            style=rollout.style,
            temperature=rollout.temperature,
            max_new_tokens=rollout.max_new_tokens,
        ),
        sampler=TransformersSampler(
            language.model,
            end_id=renderer.end_id,
            pad_id=pad_id,
            temperature=rollout.temperature,
            max_new_tokens=rollout.max_new_tokens,
        ),
        learner=Learner(
            language.model,
            None,
            optimizer,
            pad_id,
            temperature=rollout.temperature,
            microbatch=config.learning.microbatch,
            gradient_clip=config.learning.gradient_clip,
        ),
        arena=Arena(
            stage,
            renderer,
            config.seed,
            rollout.group_size,
            deals=rollout.deals,
            style=rollout.style,
            max_retries=rollout.max_retries,
        ),
        weights=_weights(config, stage),
        progress=Progress(),
    )


def _weights(config: RunConfig, stage: Stage) -> Weights:
    """The published weights, but for those that the configuration sets.

    Raises:
        ValueError: a weight is set for a harm that is not defined in this domain.
    """
    chosen = config.objective.model_dump(
        include={"scale", "exploitability", "collusion", "externality"}, exclude_none=True
    )
    idle = sorted({"collusion", "externality"} & {name for name, value in chosen.items() if value})
    if stage.domain.zero_sum and idle:
        raise ValueError(
            f"objective.{idle[0]} is {chosen[idle[0]]:g}, but {idle[0]} is not defined in "
            f"{stage.domain.title}, which is zero sum: the weight would do nothing. Leave it out."
        )
    return replace(stage.domain.harms.published, **chosen)


def _to_json(table: ActionTable) -> dict[str, Any]:
    return {key: {str(move): p for move, p in row.items()} for key, row in table.rows.items()}
