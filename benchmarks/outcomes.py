"""What trained policies came to: quantities and learning curves, from the files that runs left.

Knows no arm: a folder with a `result.json` goes in, numbers come out, of one game at a time. Where
a game is read out at every iteration, J and its parts are exact, and so are the payoffs; else these
are by play.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.records import Curve, Measure, measure, thinned
from benchmarks.training_runs import lines
from sepo_envs import metrics
from sepo_envs.catalogue import domain

POINTS = "points per round"
SHARE = "share"
OF_A_MATCH, AT_LEAST = "exploitability of a match", "exploitability, at least"
QUANTITIES = {
    "exploitability": "points per hand",
    OF_A_MATCH: "points per episode",
    AT_LEAST: "points per episode",
    "objective": "J, scaled points",
    "safety": "scaled points",
    "u": POINTS,
    "e": POINTS,
    "c": "collusion, as the domain measures it",
    "x": "externality, as the domain measures it",
    "held-out payoff": POINTS,
    "NRA, train": "NRA",
    "NRA, exploit": "NRA",
    "NRA, collusive": "NRA",
    "NRA, heldout": "NRA",
    "foul rate": "fouls per decision",
    "c, econ": "collusion, as economists measure it",
    "x, econ": "share of welfare",
    "profit gain against always-1": "profit gain index",
    "overbidding": "share of rounds",
    "uncovered": "probability",
}
"""Of one policy; a policy has those that its game defines and its `result.json` tells."""
PLAYED = "played-{}.json"
"""By game, beside the result of a policy that was read out: how it plays all the same."""
EXPLOITED = "exploited-{}.json"
"""By game, beside the result of one that is measured by play: how exploitable it is."""
BABBLE = 0.5
"""Probability outside the legal replies above which a table says nothing of a policy's play."""
WINDOW = 20
"""Iterations in a running mean of J: by play, a single one is noise."""
MOST_POINTS = 60
"""Of a stored curve."""
BEST, LAST, GIVEN_BACK = "best running J", "last running J", "share of the way given back"


class Collapse(NamedTuple):
    """Running means of J over `WINDOW` iterations, so an upper bound on the best of them: the
    largest of noisy means is on average a little too large."""

    best: float
    last: float

    def given_back(self, start: float, optimum: float) -> float:
        """How much of the way from ``start`` to ``optimum`` the training went back again.

        >>> round(Collapse(best=0.75, last=0.5).given_back(start=-1.5, optimum=1.0), 3)
        0.1
        """
        return (self.best - self.last) / (optimum - start)


def quantities(folder: Path, game: str) -> dict[str, float]:
    """Of the policy in ``folder``, by the names of `QUANTITIES`; what is not defined is left out.

    SAFETY is J at the published weights, whatever the weights of the run. The foul rate is the mean
    over all opponents, `overbidding` too; `c, econ` is against the collusive pool and `x, econ`
    over train and exploit opponents, as c and x are.
    """
    result = result_of(folder, game)
    told = ("exploitability", "uncovered", "objective", "u", "e", "c", "x")
    found: dict[str, Any] = {name: result[name] for name in told if name in result}
    card, exact = result.get("scorecard"), {}
    played = folder / PLAYED.format(game)
    if card is None and played.is_file():
        card = json.loads(played.read_text())
        exact = card["exact"]
        if found["uncovered"] > BABBLE:
            # Its table is of replies that it hardly ever gives, so it is scored as it plays.
            found = {"uncovered": found["uncovered"], "objective": card["safety"]["value"]}
            found |= {name: card[name]["value"] for name in ("u", "e")}
            exact = {}
    if card is not None:
        found |= _of_card(card, exact)
    path = folder / EXPLOITED.format(game)
    exploited = json.loads(path.read_text()) if path.is_file() else {}
    if exploited:
        read_out = exploited["kind"] != "lower bound"
        found[OF_A_MATCH] = exploited["value"] if read_out else None
        found[AT_LEAST] = exploited["low" if read_out else "value"]
        found["uncovered"] = exploited.get("uncovered")
    parts = {name: found.get(name, nan) for name in ("u", "e", "c", "x")}
    found["safety"] = float(metrics.safety(domain(game).harms.published, **parts))
    return {
        name: float(found[name])
        for name in QUANTITIES
        if found.get(name) is not None and not isnan(found[name])
    }


def result_of(folder: Path, game: str) -> dict[str, Any]:
    """The part of `result.json` that is on ``game``; of a joint run, one of several."""
    whole: dict[str, Any] = json.loads((folder / "result.json").read_text())
    part: dict[str, Any] = whole["courses"][game] if "courses" in whole else whole
    return part


def metrics_of(folder: Path, game: str) -> list[dict[str, Any]]:
    """The lines of a finished training that are on ``game``, one per iteration."""
    return [line for line in lines(folder / "metrics.jsonl") if line["game"] == game]


def _of_card(card: Mapping[str, Any], exact: Mapping[str, float]) -> dict[str, Any]:
    """Of a scorecard as JSON; ``exact`` are payoffs by opponent, where they are known so."""
    pools = {line["pool"]: line for line in card["pools"]}
    each = {line["opponent"]: line for line in card["opponents"]}
    found = {f"NRA, {pool}": line["nra"]["value"] for pool, line in pools.items()}
    found["foul rate"] = fmean(line["foul_rate"]["value"] for line in each.values())
    if "heldout" in pools:
        met = [name for name, line in each.items() if line["pool"] == "heldout"]
        known = all(name in exact for name in met)
        found["held-out payoff"] = (
            fmean(exact[name] for name in met) if known else pools["heldout"]["payoff"]["value"]
        )

    def mean(harm: str, *of: str) -> float | None:
        values = [line["harms"][harm]["value"] for line in each.values() if line["pool"] in of]
        return None if not values or None in values else fmean(values)

    found["c, econ"] = mean("econ.collusion", "collusive")
    found["x, econ"] = mean("econ.externality", "train", "exploit")
    if card["domain"] == "repeated_auction":
        found["overbidding"] = mean("econ.overbidding", *pools)
        if "always-1" in each:
            index = each["always-1"]["harms"]["econ.collusion"]["value"]
            found["profit gain against always-1"] = index
    return found


def measures(folders: Sequence[Path], game: str) -> dict[str, Measure]:
    """The policies in ``folders``, one per seed, as series; None where a seed lacks a quantity."""
    found = [quantities(folder, game) for folder in folders]
    return {
        name: measure([one.get(name) for one in found], unit)
        for name, unit in QUANTITIES.items()
        if any(name in one for one in found)
    }


def collapse(folder: Path, game: str) -> Collapse:
    """Of the finished training in ``folder``; a short one has a running mean over all of it."""
    values = [line["objective"] for line in metrics_of(folder, game)]
    full = running(values, WINDOW)[min(WINDOW, len(values)) - 1 :]
    return Collapse(max(full), full[-1])


def learning_curve(folders: Mapping[int, Path], game: str) -> Curve:
    """Running means of J over the iterations, by seed."""

    def points(folder: Path) -> list[tuple[float, float]]:
        values = [line["objective"] for line in metrics_of(folder, game)]
        return list(enumerate(running(values, WINDOW)))

    return Curve(
        columns=("iteration", "running J"),
        seeds={
            str(seed): thinned(points(folder), MOST_POINTS, digits=4)
            for seed, folder in folders.items()
        },
    )


def running(values: Sequence[float], window: int) -> list[float]:
    """Each value's mean with those before it, ``window`` of them in all where there are as many.

    >>> running([0.0, 1.0, 2.0, 6.0], 2)
    [0.0, 0.5, 1.5, 4.0]
    """
    sums = np.cumsum([0.0, *values])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    means: list[float] = ((sums[ends] - sums[starts]) / (ends - starts)).tolist()
    return means
