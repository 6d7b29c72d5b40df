"""One game of a run: its stage, its pools as they meet the policy, and how the policy stands in it.

A run of one game has one course; a joint run has several, which share the policy and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

import numpy as np
from transformers import PreTrainedModel

from opponents.adaptive import every_seat, fictitious_play, quantal_response
from opponents.opponent import Adaptive, Opponent, from_table
from sepo_envs.episode import begin
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.game import Weights
from sepo_trainer.courses.action_table import ActionTableReader
from sepo_trainer.courses.arena import Arena
from sepo_trainer.courses.duals import WEIGHTS_OF, ascended
from sepo_trainer.courses.prices import charged_share, chosen_weights, first_multipliers
from sepo_trainer.courses.risk import emphasis, value
from sepo_trainer.courses.scores import Against, Scores, meet, score
from sepo_trainer.courses.snapshots import Snapshots, SnapshotWriter
from sepo_trainer.learning.counterfactual import plays_in_rounds
from sepo_trainer.learning.learner import Pull
from sepo_trainer.policy.model import LanguageModel
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.processes import from_main
from sepo_trainer.samplers import Sampler, TextOpponent
from sepo_trainer.samplers.choice import MakeSampler
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.stage import Stage, set_stage

ITSELF = "itself"
"""The policy as it stands, as its own opponent."""
DECAY = 0.8
"""Of the running means that say how the policy stands to an opponent."""


@dataclass(slots=True)
class Standing:
    """What a course has come to, besides the tensors that it shares with others."""

    baselines: dict[str, float] = field(default_factory=dict)
    """Running means of `advantage = "rae"`."""
    past_responses: list[ActionTable] = field(default_factory=list)
    """Best responses met so far, for the averaged exploiter."""
    margins: dict[str, float] = field(default_factory=dict)
    """Running means of what each opponent earned beyond the policy, where that is known by play."""
    payoffs: dict[str, float] = field(default_factory=dict)
    """Running means of what the policy earned against each opponent, likewise."""
    multipliers: dict[str, float] = field(default_factory=dict)
    """The weights that keep a budget, as they stand."""

    def notice(self, scores: Scores) -> None:
        """Take the results of an iteration into the running means."""
        for name, found in {**scores.against, **scores.selves}.items():
            for means, seen in ((self.margins, found.margin), (self.payoffs, found.payoff)):
                means[name] = DECAY * means.get(name, seen) + (1 - DECAY) * seen


class Reading(NamedTuple):
    """What is known of the policy before an iteration is played."""

    opponents: dict[str, tuple[Opponent | TextOpponent, ...]]
    """The pools that are trained on, as they meet this policy."""
    gates: dict[str, float]
    """By opponent, 1 where it earns more than the policy in expectation, else 0. None of it comes
    from the episodes that it gates, which would bias the gradient."""
    emphasis: dict[str, float]
    """By opponent of the train pool, how many times its payoffs count, likewise."""
    selves: tuple[str, ...]
    """Those of the train pool that are the policy itself, now or earlier."""
    table: ActionTable | None
    scores: Scores | None
    """Exact ones; None where only play can tell."""


@dataclass(slots=True)
class Course:
    """One game of a run: everything about it, and the policy as it plays this game."""

    config: RunConfig
    """The run's, as it holds for this game."""
    stage: Stage
    model: PreTrainedModel
    """The policy, which all courses of a run share."""
    renderer: Renderer
    reader: ActionTableReader | None
    """None where the game's tree is too large to be read out."""
    sampler: Sampler
    arena: Arena
    weights: Weights
    standing: Standing
    snapshots: Snapshots
    """Of the policy, which all courses share too."""

    def table(self) -> ActionTable | None:
        """The policy's action table as it stands; None where it cannot be read out."""
        return None if self.reader is None else self._read(self.reader, self.model)

    def _read(self, reader: ActionTableReader, model: PreTrainedModel) -> ActionTable:
        """The table of ``model``, of several processes the main one's: what hangs on its last digit
        (who answers best, who is ahead) is then the same in all."""
        return from_main(lambda: reader.read(model, pad_id=self.renderer.pad_id))

    def read(self) -> Reading:
        """What can be known of the policy before it plays."""
        table = self.table()
        pools, selves = self.opponents(table), self.selves()
        opponents: dict[str, tuple[Opponent | TextOpponent, ...]] = {**pools}
        opponents["train"] = (*pools["train"], *selves.values())
        scores = None
        if table is None or self.stage.tree is None:
            # An opponent not met yet is taken to exploit the policy: that is what its pool is for.
            margins, payoffs = self.standing.margins, self.standing.payoffs
            gates = {o.name: float(margins.get(o.name, 1.0) > 0) for o in pools.get("exploit", ())}
        else:
            scores = score(self.stage.tree, table, pools, self.weights)
            scores = scores._replace(selves=self._stand_to_selves(table, selves))
            gates = {name: float(result.margin > 0) for name, result in scores.against.items()}
            met = {**scores.against, **scores.selves}
            payoffs = {name: result.payoff for name, result in met.items()}
        objective = self.config.objective
        counts = emphasis(
            [opponent.name for opponent in opponents["train"]],
            payoffs,
            objective.risk,
            objective.risk_aversion,
        )
        return Reading(opponents, gates, counts, tuple(selves), table, scores)

    def selves(self) -> dict[str, TextOpponent]:
        """By name, who joins the train pool from the policy's own present or past."""
        match self.config.selfplay.kind:
            case "off":
                return {}
            case "latest":
                return {ITSELF: TextOpponent(ITSELF, self.sampler)}
            case "snapshots":
                return {
                    name: TextOpponent(name, SnapshotWriter(snapshot, self.sampler))
                    for name, snapshot in self.snapshots.kept.items()
                }

    def _stand_to_selves(self, table: ActionTable, selves: Collection[str]) -> dict[str, Against]:
        """The exact results against them, each by its own table."""
        assert self.stage.tree is not None
        assert self.reader is not None
        found = {}
        for name in selves:
            snapshot = self.snapshots.kept.get(name)
            with nullcontext(self.model) if snapshot is None else snapshot.speaking() as model:
                read = self._read(self.reader, model)
            theirs = from_table(name, read, name)
            found[name] = meet(self.stage.tree, table, theirs)
        return found

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
            self.standing.past_responses.append(every_seat(self.stage.tree, table))

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
        average = fictitious_play(tree, [*self.standing.past_responses, every_seat(tree, table)])
        return [from_table("average-response", average, "Brown, fictitious play (1951)")]

    def prices(self, iteration: int) -> Weights:
        """The weights in the loss: those of J, but for the multipliers that keep a budget, and less
        in a curriculum that has not come to its end."""
        full = asdict(self.weights) | self.standing.multipliers
        share = charged_share(self._rising, iteration)
        return replace(self.weights, **{name: share * full[name] for name in WEIGHTS_OF})

    @property
    def _rising(self) -> float:
        """Iterations over which the penalties rise."""
        return self.config.objective.curriculum * self.config.learning.iterations

    def climbed(self, known: Reading, scores: Scores, iteration: int) -> dict[str, float]:
        """What is in the loss for parts of J: the weights of the penalties that are defined, and u
        at risk."""
        objective = self.config.objective
        prices = self.prices(iteration)
        charges = objective.penalty_credit != "reward_only"
        defined = ("exploitability",) if self.stage.domain.zero_sum else WEIGHTS_OF
        found = {f"lambda_{name}": charges * getattr(prices, name) for name in defined}
        if objective.risk != "mean":
            met = {**scores.against, **scores.selves}
            payoffs = np.array([met[each.name].payoff for each in known.opponents["train"]])
            found["u_at_risk"] = value(payoffs, objective.risk, objective.risk_aversion)
        return found

    def settle(self, scores: Scores, iteration: int) -> None:
        """Move the multipliers by what ``iteration`` has shown, once it has been learned from; not
        while a curriculum charges less than they say, which would drive them too high."""
        objective = self.config.objective
        budget = objective.budget
        if iteration >= max(budget.delay, self._rising):
            self.standing.multipliers = ascended(
                self.standing.multipliers, scores, budget.allowed, step=budget.step, cap=budget.cap
            )

    def pull(self, iteration: int) -> Pull:
        """What weighs in the update of ``iteration``; the entropy bonus falls to 0 in a line."""
        reference, learning = self.config.reference, self.config.learning
        left = 1 - iteration / max(1, learning.iterations - 1)
        return Pull(
            learning.clip,
            reference.kl_talk,
            reference.kl_move,
            learning.entropy * left,
            learning.loss,
            learning.clip_high,
            self.config.rollout.max_new_tokens,
        )

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of this course, ready for JSON."""
        return {
            "weights": asdict(self.weights),
            "baselines": self.standing.baselines,
            "past_responses": [_to_json(table) for table in self.standing.past_responses],
            "margins": self.standing.margins,
            "payoffs": self.standing.payoffs,
            "multipliers": self.standing.multipliers,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` took."""
        self.weights = Weights(**state["weights"])
        self.standing = Standing(
            dict(state["baselines"]),
            [self._from_json(rows) for rows in state["past_responses"]],
            dict(state["margins"]),
            dict(state["payoffs"]),
            dict(state["multipliers"]),
        )

    def _from_json(self, rows: Mapping[str, Mapping[str, float]]) -> ActionTable:
        moves = {str(move): move for move in self.stage.game.moves}
        return ActionTable(
            {key: {moves[name]: p for name, p in row.items()} for key, row in rows.items()}
        )


def set_out(
    config: RunConfig,
    language: LanguageModel,
    renderer: Renderer,
    snapshots: Snapshots,
    make_sampler: MakeSampler,
) -> Course:
    """The course over the game of ``config``, before its first step.

    Raises:
        ValueError: there is no such game, or it lacks what is asked of it.
    """
    stage = set_stage(config.game.name, dict(config.game.options), preset=config.game.preset)
    _check_risk(config)
    if config.learning.credit == "counterfactual":
        _check_every_move_is_known(stage, renderer)
    if config.warm_start.notes:
        _ = stage.noting  # refuses now, and not after the warm start has begun
    rollout = config.rollout
    weights = chosen_weights(config, stage)
    return Course(
        config=config,
        stage=stage,
        model=language.model,
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
        sampler=make_sampler(rollout.max_new_tokens),
        arena=Arena(
            stage,
            renderer,
            config.seed,
            rollout.group_size,
            deals=rollout.deals,
            own_deals=rollout.own_deals,
            style=rollout.style,
            max_retries=rollout.max_retries,
            team=config.sampler.tensor_parallel,
        ),
        weights=weights,
        standing=Standing(multipliers=first_multipliers(config, stage, weights)),
        snapshots=snapshots,
    )


def _check_every_move_is_known(stage: Stage, renderer: Renderer) -> None:
    """Refuse to credit moves that were not made where nobody can tell what they would have earned,
    or which token would have made them.

    Raises:
        ValueError: it is so.
    """
    instead = (
        "Set learning.credit to 'turn', which credits the moves that were made, with a "
        "learning.discount of 1 if later rounds matter."
    )
    if not plays_in_rounds(stage.game):
        raise ValueError(
            f"learning.credit is 'counterfactual', but {stage.domain.title} is not played in "
            "rounds in which all move at once, so what another move would have earned hangs on "
            f"replies that were never given. {instead}"
        )
    state = begin(stage.game).deal(Random(0)).state
    said = tuple(stage.words.say(m, state, 0) for m in stage.game.legal_moves(state, 0))
    for reply in said:
        if not renderer.beside(reply, said):
            raise ValueError(
                f"learning.credit is 'counterfactual', but {reply!r} differs from every other "
                "legal reply in more than one token of this model, so it is decided nowhere. "
                f"{instead}"
            )


def _check_risk(config: RunConfig) -> None:
    """Refuse a risk over opponents that would do nothing.

    Raises:
        ValueError: it is such a one.
    """
    if config.objective.risk != "mean" and config.learning.advantage == "std":
        raise ValueError(
            f"objective.risk is {config.objective.risk!r}, but learning.advantage = 'std' divides "
            "every group by its own spread, and with it the opponents' weights away. "
            "Use 'centered', or the risk 'mean'."
        )


def _to_json(table: ActionTable) -> dict[str, Any]:
    return {key: {str(move): p for move, p in row.items()} for key, row in table.rows.items()}
