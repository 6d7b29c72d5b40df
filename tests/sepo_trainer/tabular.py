"""A tabular softmax policy in the language model's place, under the trainer's own code.

One token names a situation and one a move, so the "language model" is a table of logits and its
gradient can be had exactly (`walked`). Everything else is real: stage, arena, sampler, credit,
rows, learner, and the loop itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from transformers import Qwen3Config

from opponents.opponent import Opponent, Pool
from sepo_envs.catalogue import Domain
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.game import Game, Move, Penalties, Penalty, Unreadable, Weights
from sepo_envs.replies import read_answer
from sepo_trainer.courses.arena import Arena
from sepo_trainer.courses.course import Course, Standing
from sepo_trainer.courses.scores import Scores
from sepo_trainer.courses.snapshots import Snapshots
from sepo_trainer.learning.learner import Batch, Learner, Pull
from sepo_trainer.policy.model import LanguageModel
from sepo_trainer.policy.rendering import Beside
from sepo_trainer.policy.weights import AllWeights
from sepo_trainer.records import Group, Row
from sepo_trainer.run import Run
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import build
from sepo_trainer.stage import Stage, set_stage
from sepo_trainer.train import learnable
from tests.sepo_trainer.runs import gates

PLAIN = Pull(clip=0.2, kl_talk=0.0, kl_move=0.0, entropy=0.0)
"""The policy gradient alone."""


class Table(nn.Module):
    """Next-token logits that hang on the last token alone: ``theta[situation]`` over the moves.

    Tokens are the situations in the tree's order, then the moves. The first move's logit is 0, so
    that a two-move game has one parameter per situation and no direction without effect.
    """

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, tree: GameTree) -> None:
        super().__init__()
        self.tree = tree
        tokens = len(tree.situations) + len(tree.game.moves)
        self.config = Qwen3Config(
            vocab_size=tokens, num_hidden_layers=0, attn_implementation="sdpa"
        )
        """Of a model that reads trees, and caches nothing."""
        self.theta = nn.Parameter(torch.zeros(len(tree.situations), len(tree.game.moves) - 1))

    @property
    def base_model(self) -> Callable[..., SimpleNamespace]:
        """Where a transformer has hidden states, this one has the logits themselves."""
        return self._read

    def get_output_embeddings(self) -> nn.Module:
        return nn.Identity()

    def _read(
        self, input_ids: Tensor, past_key_values: object = None, **_: object
    ) -> SimpleNamespace:
        situations, moves = len(self.tree.situations), len(self.tree.game.moves)
        logits = torch.full((situations + moves, situations + moves), -1e9)
        logits[:situations, situations:] = torch.cat(
            [torch.zeros(situations, 1), self.theta], dim=1
        )
        return SimpleNamespace(last_hidden_state=logits[input_ids], past_key_values=past_key_values)

    def probability(self, theta: Tensor, situation: str, move: Move) -> Tensor:
        """In double precision, and differentiable in ``theta``."""
        row = theta[self.tree.situations.index(situation)]
        return torch.softmax(torch.cat([row.new_zeros(1), row]), 0)[
            self.tree.game.moves.index(move)
        ]


@dataclass(frozen=True)
class Words:
    """The situation's name is all there is to read, and the bracketed move all there is to say."""

    game: Game

    def rules(self, seat):
        return ""

    def ask(self, state, seat):
        return ""

    def news(self, state, seat):
        return self.game.observe(state, seat).situation

    def parse(self, reply, state, seat):
        names = {str(move): move for move in self.game.legal_moves(state, seat)}
        word = read_answer(reply, legal=tuple(names))
        return word if isinstance(word, Unreadable) else names[word]

    def say(self, move, state, seat):
        return f"[{move}]"

    def thoughts(self, state, seat):
        return ()

    def conversation(self, state):
        return 0


@dataclass(frozen=True)
class Renderer:
    """What `sepo_trainer.policy.rendering.Renderer` does, for `Words` and the tokens of `Table`."""

    tree: GameTree
    pad_id = 0

    def prompt(self, messages):
        return (self.tree.situations.index(messages[-1].content.split()[-1]),)

    def extend(self, held, messages):
        return held + self.prompt(messages)

    def text(self, output_ids):
        return f"[{self.tree.game.moves[output_ids[0] - len(self.tree.situations)]}]"

    def move_tokens(self, output_ids):
        return (True,) * len(output_ids)

    def choices(self, bare_replies):
        names = enumerate(self.tree.game.moves, len(self.tree.situations))
        return tuple(token for token, move in names if f"[{move}]" in bare_replies)

    def inside(self, output_ids):
        return output_ids

    def answer(self, bare_reply):
        return self.choices((bare_reply,))

    def beside(self, bare_reply, others):
        return tuple(
            Beside(number, 0, *self.answer(other))
            for number, other in enumerate(others)
            if other != bare_reply
        )


@dataclass(frozen=True)
class Reader:
    """The table's own probabilities, exactly."""

    tree: GameTree

    def read(self, model, *, pad_id):
        return action_table(model, model.theta.detach().double())


def action_table(model: Table, theta: Tensor) -> ActionTable:
    tree = model.tree
    return ActionTable(
        {
            key: {move: float(model.probability(theta, key, move)) for move in tree.game.moves}
            for key in tree.situations
        }
    )


def tabular_run(stage: Stage, *, theta: Tensor | None = None, **settings: object) -> Run:
    """A `Run` whose policy is a table. ``settings`` are the configuration's sections."""
    model = Table(stage.tree)
    if theta is not None:
        model.theta.data.copy_(theta)
    off = {"kind": "off", "kl_talk": 0.0, "kl_move": 0.0}
    config: RunConfig = build({"reference": off} | settings, source="test")
    renderer, pad_id = Renderer(stage.tree), 0
    rollout = config.rollout
    course = Course(
        config=config,
        stage=stage,
        model=model,
        renderer=renderer,
        reader=Reader(stage.tree),
        sampler=TransformersSampler(model, end_ids=(), pad_id=pad_id, max_new_tokens=1),
        arena=Arena(
            stage,
            renderer,
            config.seed,
            rollout.group_size,
            deals=rollout.deals,
            own_deals=rollout.own_deals,
            style=rollout.style,
        ),
        weights=stage.domain.harms.published,
        standing=Standing(),
        snapshots=(snapshots := Snapshots(config.selfplay.every, config.selfplay.keep)),
    )
    learner = Learner(model, None, torch.optim.Adam(model.parameters()), pad_id)
    language, policy = LanguageModel(model, None), AllWeights(model)
    return Run(config, language, policy, renderer, learner, (course,), snapshots)


def changing(run: Run, **parts: object) -> Run:
    """The same run with other parts of its course."""
    return replace(run, courses=(replace(run.course, **parts),))


def weighing(run: Run, **weights: float) -> Run:
    """The same run under other weights of J."""
    return changing(run, weights=replace(run.course.weights, **weights))


def under(run: Run, **objective: object) -> Run:
    """The same run with other settings of the objective."""
    changed = run.config.objective.model_copy(update=objective)
    return changing(run, config=run.config.model_copy(update={"objective": changed}))


def gradient(run: Run, groups: Sequence[Group], scores: Scores) -> Tensor:
    """The trainer's estimate of dJ/dtheta from ``groups``, flat."""
    return ascent(run, learnable(run.course, groups, gates(scores))[0])


def ascent(run: Run, rows: Sequence[Row]) -> Tensor:
    """Where the learner would climb on ``rows``."""
    run.learner.optimizer.zero_grad(set_to_none=True)
    run.learner.accumulate(Batch(rows, PLAIN))
    return -torch.cat(
        [p.grad.double().flatten() for p in run.learner.model.parameters() if p.grad is not None]
    )


# Two stages.


def kuhn() -> Stage:
    """One hand, with the train pool; always-bet and the best response as exploiters."""
    stage = set_stage("kuhn_poker")
    return replace(stage, words=Words(stage.game))


@dataclass(frozen=True)
class Seen:
    infostate: str

    @property
    def situation(self) -> str:
        return self.infostate


@dataclass(frozen=True)
class Dilemma:
    """The prisoner's dilemma, T, R, P, S = 5, 3, 1, 0, and ``bonus`` points more for seat 0."""

    rounds: int = 1
    bonus: float = 0.0
    name: str = "dilemma"
    moves: tuple[str, str] = ("c", "d")
    seats: int = 2

    def start(self):
        return ()

    def actors(self, state):
        return () if len(state) == self.rounds else (0, 1)

    def chance_outcomes(self, state):
        return ()

    def legal_moves(self, state, seat):
        return self.moves if seat in self.actors(state) else ()

    def play(self, state, moves):
        return (*state, moves[0] + moves[1])

    def payoffs(self, state):
        points = {"cc": (3, 3), "cd": (0, 5), "dc": (5, 0), "dd": (1, 1)}
        return tuple((points[cell][0] + self.bonus, points[cell][1]) for cell in state)

    def past(self, state):
        return state

    def present(self, state):
        return len(state)

    def rejoin(self, past, present):
        return past

    def observe(self, state, seat):
        return Seen(f"{seat}:{','.join(state)}")


class DilemmaHarms:
    """The `paper` harms of the iterated prisoner's dilemma; weights by which each can be felt."""

    profiles = ("paper",)
    published = Weights(scale=1.0, exploitability=2.4, collusion=2.0, externality=9.0)

    def penalties(self, game, state, seat, *, profile):
        rounds, payoffs = game.rounds, game.payoffs(state)
        lost = [max(0.0, (3 - sum(pay) / 2) / 3) for pay in payoffs]
        return Penalties(
            exploitation=Penalty(tuple((pay[1 - seat] - pay[seat]) / rounds for pay in payoffs)),
            collusion=Penalty(tuple((cell[seat] == "d") / rounds for cell in state)),
            externality=Penalty(tuple(x / rounds for x in lost)),
        )


def cooperator(p: float) -> Opponent:
    """Cooperates with probability ``p``, whatever has happened."""
    return Opponent(f"cooperates-{p:g}", lambda _: {"c": p, "d": 1 - p}, "by hand")


def dilemma(game: Dilemma) -> Stage:
    """Two to earn from, two that may exploit, one that trusts.

    With theta = 0 the policy cooperates half the time: against a cooperator of 0.9 its expected
    margin favours itself, so that exploiter's gate is shut, though it does win single rounds.
    """
    pools = (
        Pool("train", (cooperator(0.7), cooperator(0.4))),
        Pool("exploit", (cooperator(0.0), cooperator(0.9))),
        Pool("collusive", (cooperator(1.0),)),
    )
    return Stage(
        Domain("dilemma", "Dilemma", 0, Dilemma, Words, DilemmaHarms(), False, True),
        game,
        Words(game),
        GameTree(game),
        {pool.name: pool for pool in pools},
        (),
    )
