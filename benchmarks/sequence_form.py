"""The best J of any policy against an opponent that answers it: a linear program over plans.

In a two-player zero-sum game u is linear in a policy's realisation plan, and each term of e is the
positive part of a linear function or, for the best response, the value of one: so J is concave and
piecewise linear, and its maximum is a linear program in sequence form.

    python -m benchmarks.sequence_form      a table over lambda_e for Kuhn poker

The table settles what training can reach. From some lambda_e on the penalty is *exact*: the optimum
is an equilibrium, the one that earns most from the train pool, and a larger weight changes nothing.

Sources: von Stengel (1996) for the sequence form; exact penalties as in Han and Mangasarian (1979).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from opponents.opponent import Adaptive, Opponent
from sepo_envs.episode import Episode, begin
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import CHANCE, Weights
from sepo_trainer.courses.scores import meet
from sepo_trainer.stage import set_stage

Sequence_ = tuple[str, Any] | None
"""A seat's last decision on the way: (situation, move), or None before its first."""


class Optimum(NamedTuple):
    """The best policy by J, and what it is worth."""

    objective: float
    table: ActionTable


@dataclass(frozen=True, slots=True)
class _Leaf:
    chance: float
    last: tuple[Sequence_, Sequence_]
    returns: tuple[float, ...]
    path: tuple[tuple[str, Any], ...]


def best_policy(
    tree: GameTree,
    train: Sequence[Opponent],
    exploit: Sequence[Opponent | Adaptive],
    weights: Weights,
    *,
    least_u: float | None = None,
) -> Optimum:
    """The policy that maximises s u - lambda_e s e in a two-player zero-sum game.

    Args:
        exploit: fixed opponents, and `Adaptive` ones, each taken to be the best response.
        least_u: only policies that earn at least this from the train pool, in points.
    """
    leaves = list(_leaves(begin(tree.game), 1.0, (None, None), ()))
    plans: dict[tuple[str, Any], int] = {}
    parent: dict[str, Sequence_] = {}
    for situation in tree.situations:
        for move in tree.legal_moves(situation):
            plans[situation, move] = len(plans)
    for leaf in leaves:
        before: list[Sequence_] = [None, None]
        for situation, move in leaf.path:
            seat = tree.seat(situation)
            parent[situation] = before[seat]
            before[seat] = (situation, move)

    n_plans, n_values = len(plans), len(tree.situations)
    value = {situation: n_plans + number for number, situation in enumerate(tree.situations)}
    # After the plans and the best responder's values at its situations: its values at the two
    # roots, and one positive part for each fixed exploiter.
    fixed = [opponent for opponent in exploit if isinstance(opponent, Opponent)]
    adaptive = len(exploit) - len(fixed)
    size = n_plans + n_values + 2 + len(fixed)
    root = (n_plans + n_values, n_plans + n_values + 1)

    def payoff(opponent: Opponent) -> tuple[NDArray[np.float64], float]:
        """The policy's payoff averaged over seats, linear in its plans, and the constant."""
        theirs, row, constant = tree.written_out(opponent), np.zeros(size), 0.0
        for leaf in leaves:
            for seat in range(2):
                weight = leaf.chance * leaf.returns[seat] / 2
                for situation, move in leaf.path:
                    if tree.seat(situation) != seat:
                        weight *= theirs[situation][move]
                last = leaf.last[seat]
                if last is None:
                    constant += weight
                else:
                    row[plans[last]] += weight
        return row, constant

    # Minimise -J.
    earned, without = np.zeros(size), 0.0
    for opponent in train:
        row, extra = payoff(opponent)
        earned += row / len(train)
        without += extra / len(train)
    cost, constant = -weights.scale * earned, weights.scale * without
    share = weights.scale * weights.exploitability / len(exploit)
    upper: list[NDArray[np.float64]] = []
    limit: list[float] = []
    if least_u is not None:
        upper.append(-earned)
        limit.append(without - least_u)
    for number, opponent in enumerate(fixed):
        row, extra = payoff(opponent)  # zero sum: the margin is minus twice the payoff
        excess = -2 * row
        excess[root[1] + 1 + number] = -1
        upper.append(excess)
        limit.append(2 * extra)
        cost[root[1] + 1 + number] += share
    for seat in range(2):  # the best response's margin, averaged over seats, is the sum of values
        cost[root[seat]] += share * adaptive

    # The best responder in each seat: its value at a situation is at least that of every move.
    followers: dict[Sequence_, list[str]] = {}
    for situation in tree.situations:
        followers.setdefault(parent.get(situation), []).append(situation)
    for seat in range(2):
        options: list[tuple[int, Sequence_]] = [(root[seat], None)]
        options += [
            (value[situation], (situation, move))
            for situation in tree.situations
            if tree.seat(situation) == seat
            for move in tree.legal_moves(situation)
        ]
        for held, sequence in options:
            row, bound = np.zeros(size), 0.0
            row[held] -= 1
            for situation in followers.get(sequence, []):
                if tree.seat(situation) == seat:
                    row[value[situation]] += 1
            for leaf in leaves:
                if leaf.last[seat] == sequence:
                    weight = leaf.chance * leaf.returns[seat]
                    other = leaf.last[1 - seat]
                    if other is None:
                        bound -= weight
                    else:
                        row[plans[other]] += weight
            upper.append(row)
            limit.append(bound)

    equal, right = [], []
    for situation in tree.situations:
        row = np.zeros(size)
        for move in tree.legal_moves(situation):
            row[plans[situation, move]] = 1
        came_from = parent[situation]
        if came_from is not None:
            row[plans[came_from]] = -1
        equal.append(row)
        right.append(0.0 if came_from is not None else 1.0)
    bounds = [(0.0, 1.0)] * n_plans + [(None, None)] * (n_values + 2) + [(0.0, None)] * len(fixed)
    solved = linprog(cost, A_ub=upper, b_ub=limit, A_eq=equal, b_eq=right, bounds=bounds)
    if not solved.success or solved.fun is None or solved.x is None:
        raise RuntimeError(f"the linear program of {tree.game.name} has no solution: {solved}")
    return Optimum(float(constant - solved.fun), _behaviour(tree, plans, solved.x))


def _leaves(
    episode: Episode,
    chance: float,
    last: tuple[Sequence_, Sequence_],
    path: tuple[tuple[str, Any], ...],
) -> Any:
    actor = episode.actor
    if actor is None:
        yield _Leaf(chance, last, episode.returns, path)
    elif actor == CHANCE:
        for outcome, probability in episode.game.chance_outcomes(episode.state):
            yield from _leaves(episode.play(outcome), chance * probability, last, path)
    else:
        situation = episode.game.observe(episode.state, actor).situation
        for move in episode.game.legal_moves(episode.state, actor):
            here = (situation, move)
            after = (here, last[1]) if actor == 0 else (last[0], here)
            yield from _leaves(episode.play(move), chance, after, (*path, here))


def _behaviour(
    tree: GameTree, plans: dict[tuple[str, Any], int], solution: NDArray[np.float64]
) -> ActionTable:
    rows = {}
    for situation in tree.situations:
        legal = tree.legal_moves(situation)
        mass = np.clip([solution[plans[situation, move]] for move in legal], 0, None)
        row = mass / mass.sum() if mass.sum() > 1e-9 else np.full(len(legal), 1 / len(legal))
        rows[situation] = dict(zip(legal, row.tolist(), strict=True))
    return ActionTable(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequence_form", description=__doc__)
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0, 0.25, 0.5, 1, 1.5, 3])
    stage = set_stage("kuhn_poker")
    tree, published = stage.tree, stage.domain.harms.published
    assert tree is not None, "Kuhn poker's tree is always read"
    train = [o for o in stage.pools["train"].opponents if isinstance(o, Opponent)]
    print("lambda_e      J*       u   exploitability   P(bet | J)  P(bet | K)")
    for weight in parser.parse_args().lambdas:
        weights = Weights(published.scale, weight, 0.0, 0.0)
        best = best_policy(tree, train, stage.pools["exploit"].opponents, weights)
        u = np.mean([meet(tree, best.table, opponent).payoff for opponent in train])
        bets = [best.table[s][tree.game.moves[1]] for s in ("J", "K")]
        print(
            f"{weight:8.2f} {best.objective:+8.4f} {u:+7.4f} "
            f"{abs(tree.exploitability(best.table)):16.4f} {bets[0]:12.3f} {bets[1]:11.3f}"
        )


if __name__ == "__main__":
    main()
