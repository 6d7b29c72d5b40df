"""Can a domain's pools tell methods apart? The best J of any policy, and what stands beside it.

    python -m benchmarks.optimum                      all five domains; the items take 20 minutes
    python -m benchmarks.optimum repeated_auction     one of them, in seconds

Under default rules, at the published weights and with the ``paper`` harms, exactly:

    J*              the best J of any policy
    reward alone    the best J among the policies that maximise u, what training on reward tends to
    demonstrators   J of the mixture that writes the traces of the warm start
    separation      (J* - reward alone) / (J* - demonstrators)

J is linear in a policy but for the positive parts in e, so it is the least, over gates in [0, 1],
of sums that `opponents.decisions` maximises. The least of those maxima is J*: each one bounds it
from above, and the best mixture of the policies found, a linear program, from below. Cutting planes
bring the two together. In Kuhn poker an opponent answers the policy, so there J* is the linear
program of `benchmarks.sequence_form`.

Source: J. E. Kelley, "The cutting-plane method for solving convex programs", Journal of SIAM 8
(1960).
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from benchmarks.certificate import certify
from benchmarks.command_line import guarded
from benchmarks.records import GameId, Measure, Record, measure, save
from benchmarks.sequence_form import best_policy
from opponents.decisions import (
    Decisions,
    Table,
    decisions,
    joined,
    linear,
    objective,
    terms_of,
)
from opponents.kuhn_poker import DEMONSTRATORS, POOLS
from opponents.opponent import Opponent
from opponents.tables import TABLES
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.exact import GameTree
from sepo_envs.game import Weights
from sepo_envs.games.item_negotiation.rules import possible_tables
from sepo_trainer.courses.scores import score

CLOSE = 1e-9
"""How near the two sides of a bracket are brought, in units of J."""
MOST_CUTS = 1_000
LEAST_SEPARATION = 0.25
"""What pools must reach to show anything (GAMES.md)."""


class Bracket(NamedTuple):
    """A number lies between these two, the first of which a known policy reaches."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Separation:
    """See the module. In units of J."""

    optimum: Bracket
    reward_alone: Bracket
    demonstrators: float

    @property
    def value(self) -> float:
        """The least that the separation can be, whatever in their brackets the numbers are.

        >>> Separation(Bracket(1.0, 1.0), Bracket(0.0, 0.25), -0.5).value
        0.5
        """
        return min(
            (best - self.reward_alone.high) / (best - self.demonstrators) for best in self.optimum
        )


def highest_j(choices: Decisions, weights: Weights) -> Bracket:
    """The best J of any policy that ``choices`` still allow.

    Raises:
        RuntimeError: the bracket has not closed after `MOST_CUTS` policies.
    """
    gated = len(choices.levels[0].gains[0]) - 3
    share = weights.scale * weights.exploitability / gated
    plain = linear(weights, np.zeros(gated))
    found = [choices.best(plain)]
    high, gates = np.inf, np.ones(gated)
    for _ in range(MOST_CUTS):
        best = choices.best(linear(weights, gates))
        found.append(best)
        high = min(high, float(best @ linear(weights, gates)))
        # The least t at any gates with J(policy, gates) <= t for every policy found.
        cuts = [[*(-share * terms[3:]), -1.0] for terms in found]
        limits = [-float(terms @ plain) for terms in found]
        bounds = [(0.0, 1.0)] * gated + [(None, None)]
        solved = linprog([0.0] * gated + [1.0], A_ub=cuts, b_ub=limits, bounds=bounds)
        if solved.x is None or solved.fun is None:
            raise RuntimeError(f"the linear program of the cuts has no solution: {solved}")
        gates, low = solved.x[:gated], float(solved.fun)
        if high - low < CLOSE:
            return Bracket(low, max(low, high))
    raise RuntimeError(f"J* is still between {low} and {high} after {MOST_CUTS} policies.")


def separation(name: str) -> Separation:
    """That of the domain called ``name``."""
    if name == "kuhn_poker":
        return _of_kuhn()
    weights = domain(name).harms.published
    parts, mixtures = [], []
    for table in _deals_apart(name):
        parts.append(decisions(table))
        played = [weight * terms_of(table, policy) for policy, weight in table.demonstrators]
        mixtures.append(np.sum(played, axis=0))
    choices = joined(parts)
    only_u = np.eye(len(mixtures[0]))[0]
    return Separation(
        highest_j(choices, weights),
        highest_j(choices.only_best(only_u), weights),
        objective(np.mean(mixtures, axis=0), weights),
    )


def _deals_apart(name: str) -> Iterator[Table]:
    """What lies on the table of the item negotiation is open and equally likely, so each is solved
    apart, in less memory; the other domains are one table."""
    if name == "item_negotiation":
        yield from (TABLES[name](tables=(each,)) for each in possible_tables())
    else:
        yield TABLES[name]()


def _of_kuhn() -> Separation:
    found = domain("kuhn_poker")
    tree, weights = GameTree(found.make()), found.harms.published
    train = [o for o in POOLS["train"].opponents if isinstance(o, Opponent)]
    exploit = POOLS["exploit"].opponents
    most_u = best_policy(tree, train, exploit, Weights(1.0, 0.0, 0.0, 0.0)).objective
    best = best_policy(tree, train, exploit, weights).objective
    greedy = best_policy(tree, train, exploit, weights, least_u=most_u - CLOSE).objective
    tables = [tree.written_out(policy) for policy, _ in DEMONSTRATORS]
    mixture = tree.average(tables, [weight for _, weight in DEMONSTRATORS])
    met = {name: POOLS[name].met_by(mixture, tree=tree) for name in ("train", "exploit")}
    demonstrators = score(tree, mixture, met, weights).objective
    return Separation(Bracket(best, best), Bracket(greedy, greedy), demonstrators)


def record(name: str, found: Separation, seconds: float) -> Record:
    """What is stored of one domain."""
    title = domain(name).title
    numbers = {
        "J*": found.optimum,
        "reward alone": found.reward_alone,
        "demonstrators": Bracket(found.demonstrators, found.demonstrators),
        "separation": Bracket(found.value, found.value),
    }
    units = {name: "share" if name == "separation" else "J" for name in numbers}
    return computed(
        "optimum",
        name,
        summary=f"the best J of any policy of {title}, and how far reward alone is from it",
        note="Exact: nothing is drawn, so the seed says nothing. The two values of a measure are "
        "the lower and the upper end of its bracket.",
        measures={
            "exact": {
                name: measure(list(ends), units[name], over="repeats")
                for name, ends in numbers.items()
            }
        },
        command=f"python -m benchmarks.optimum {name} --record",
        seconds=seconds,
    )


def computed(
    benchmark: str,
    name: str,
    *,
    summary: str,
    note: str,
    measures: Mapping[str, Mapping[str, Measure]],
    command: str,
    seconds: float,
) -> Record:
    """The record of what was computed of the domain ``name``, under default rules, at the published
    weights and with the ``paper`` harms; nothing was played."""
    kind = domain(name)
    settings = {"harms": "paper", "rules": "default", **asdict(kind.harms.published)}
    return Record(
        benchmark=benchmark,
        name=name,
        summary=summary,
        notes=(note,),
        game=GameId(id=f"sepo/{kind.title}-v{kind.version}", version=kind.version),
        settings=settings,
        config_digest=sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        seeds=(0,),
        measures={group: dict(found) for group, found in measures.items()},
        certificate=certify(
            command=command,
            threads=1,
            wall_seconds=seconds,
            peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        ),
    )


def main(arguments: Sequence[str]) -> None:
    made = argparse.ArgumentParser(prog="python -m benchmarks.optimum", description=__doc__)
    made.add_argument("domains", nargs="*", metavar="DOMAIN", help=f"of {', '.join(CATALOGUE)}")
    made.add_argument("--record", action="store_true", help="store under benchmarks/results")
    given = made.parse_args(arguments)
    print("domain                   J*   reward alone   demonstrators   separation")
    for name in given.domains or CATALOGUE:
        domain(name)
        began = perf_counter()
        found = separation(name)
        print(
            f"{name:18} {found.optimum.low:+8.4f} {found.reward_alone.high:+14.4f} "
            f"{found.demonstrators:+15.4f} {found.value:12.3f}",
            flush=True,
        )
        if given.record:
            print(f"  stored as {save(record(name, found, perf_counter() - began))}")


if __name__ == "__main__":
    raise SystemExit(guarded(main, "benchmarks.optimum"))
