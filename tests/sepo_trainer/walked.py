"""The objective of a tabular policy and its gradient, by walking every history.

It shares no code with `sepo_trainer.courses.scores` or `sepo_envs.exact`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from opponents.opponent import Opponent
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, Weights
from sepo_trainer.run import Run
from tests.sepo_trainer.tabular import Table


def expectation(
    model: Table,
    theta: Tensor,
    opponent: Opponent,
    value: Callable[[Episode, int], float],
) -> Tensor:
    """E[value(finished episode, the policy's seat)], every seat alike."""
    game = model.tree.game

    def walk(episode: Episode, seat: int) -> Tensor:
        if episode.actor is None:
            return theta.new_tensor(value(episode, seat))
        if episode.actor == CHANCE:
            odds = dict(game.chance_outcomes(episode.state))
        else:
            seen = game.observe(episode.state, episode.actor)
            legal = game.legal_moves(episode.state, episode.actor)
            odds = (
                {move: model.probability(theta, seen.situation, move) for move in legal}
                if episode.actor == seat
                else opponent.probabilities(seen, legal)
            )
        parts = [p * walk(episode.play(move), seat) for move, p in odds.items()]
        return torch.stack(parts).sum()

    return sum(walk(begin(game), seat) for seat in range(game.seats)) / game.seats


def objective(
    run: Run, opponents: Mapping[str, Sequence[Opponent]], theta: Tensor, weights: Weights
) -> Tensor:
    """J(theta) as `OBJECTIVE` defines it, the opponents held fixed."""
    model, harms = run.language.model, run.course.stage.domain.harms

    def harm(name: str) -> Callable[[Episode, int], float]:
        def value(episode: Episode, seat: int) -> float:
            found = harms.penalties(episode.game, episode.state, seat, profile="paper")
            return getattr(found, name).value or 0.0

        return value

    def over(names: Sequence[str], value: Callable[[Episode, int], float]) -> list[Tensor]:
        return [
            expectation(model, theta, opponent, value)
            for name in names
            for opponent in opponents.get(name, ())
        ]

    def mean(values: Sequence[Tensor]) -> Tensor:
        return torch.stack(values).mean() if values else theta.new_zeros(())

    u = mean(over(["train"], lambda e, seat: e.returns[seat] / e.game.rounds))
    e = mean([margin.clamp(min=0) for margin in over(["exploit"], harm("exploitation"))])
    c = mean(over(["collusive"], harm("collusion")))
    x = mean(over(["train", "exploit"], harm("externality")))
    return (
        weights.scale * (u - weights.exploitability * e)
        - weights.collusion * c
        - weights.externality * x
    )


def exact_gradient(
    run: Run, opponents: Mapping[str, Sequence[Opponent]], weights: Weights
) -> Tensor:
    theta = run.language.model.theta.detach().double().requires_grad_()
    [found] = torch.autograd.grad(objective(run, opponents, theta, weights), theta)
    return found.flatten()
