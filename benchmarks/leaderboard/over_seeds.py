"""One row out of several: the scores of policies that differ in their training's seed alone.

Every number becomes the mean over the policies, and its interval that of the mean over trainings
(`benchmarks.bootstrap`), which needs three of them and some difference: what one training's deals
leave open is little beside what the next training may bring. A number that is not defined for one
policy is not for the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from statistics import fmean
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from benchmarks.bootstrap import mean_interval
from benchmarks.leaderboard.records import (
    Exploitability,
    Line,
    Measured,
    Score,
    Spent,
    rounded,
)

Parts = TypeVar("Parts", bound=BaseModel)


def combined(scores: Sequence[Score]) -> Score:
    """The row of these policies, in the order of their seeds.

    Raises:
        ValueError: they were not scored alike.
    """
    first = scores[0]
    for other in scores[1:]:
        alike = (other.version, other.options, other.weights, other.profile, other.deals)
        if alike != (first.version, first.options, first.weights, first.profile, first.deals):
            raise ValueError("the policies of one row were scored by different rules.")
    if len(scores) == 1:
        return first
    changes: dict[str, Any] = {
        name: averaged([getattr(score, name) for score in scores])
        for name in ("u", "e", "c", "x", "safety", "held_out")
    }
    return first.model_copy(
        update={
            **changes,
            "over": "seeds",
            "exploitability": _exploitability([score.exploitability for score in scores]),
            "also": {name: _parts([score.also[name] for score in scores]) for name in first.also},
            "competency": _parts_or_reason([score.competency for score in scores]),
            "spent": _spent([score.spent for score in scores]),
            "overall": _line([score.overall for score in scores]),
            "pools": tuple(map(_line, zip(*[score.pools for score in scores], strict=True))),
            "opponents": tuple(
                map(_line, zip(*[score.opponents for score in scores], strict=True))
            ),
            "moves": _moves([score.moves for score in scores]),
            "notes": tuple(dict.fromkeys(note for score in scores for note in score.notes)),
            "worst": min(
                (score.worst for score in scores),
                key=lambda worst: min((r.focal - r.background for r in worst), default=0.0),
            ),
            "courses": {seed: found for score in scores for seed, found in score.courses.items()},
            "replays": sha256("".join(score.replays for score in scores).encode()).hexdigest(),
        }
    )


def averaged(numbers: Sequence[Measured]) -> Measured:
    """The mean with its interval over the policies.

    >>> averaged([(1.0, 0.5, 1.5), (2.0, 1.5, 2.5)])
    (1.5, None, None)
    >>> averaged([(1.0, 0.5, 1.5), "nobody lost anything"])
    'of one training: nobody lost anything'
    """
    values = []
    for number in numbers:
        if isinstance(number, str):
            return f"of one training: {number}" if len(set(numbers)) > 1 else number
        values.append(number[0])
    bounds = mean_interval(values)
    if isinstance(bounds, str):
        return rounded(fmean(values)), None, None
    return rounded(fmean(values)), rounded(bounds.low), rounded(bounds.high)


def _exploitability(found: Sequence[Exploitability | str]) -> Exploitability | str:
    known = [one for one in found if isinstance(one, Exploitability)]
    if len(known) < len(found):
        return next(one for one in found if isinstance(one, str))
    kinds = dict.fromkeys(one.kind for one in known)
    kind = next((one for one in ("lower bound", "not exact", "exact") if one in kinds), "exact")
    bounds = mean_interval([one.value for one in known])
    mean = rounded(fmean(one.value for one in known))
    if isinstance(bounds, str):
        low, high = min(one.low for one in known), max(one.high for one in known)
        how = "from the lowest to the highest of the trainings"
    else:
        low, high, how = rounded(bounds.low), rounded(bounds.high), "95 % CI over trainings"
    hows = dict.fromkeys(one.how for one in known if one.how)
    return Exploitability(
        value=mean, low=low, high=high, kind=cast(Any, kind), how="; ".join((how, *hows))
    )


def _line(lines: Sequence[Line]) -> Line:
    first = lines[0]
    if any((one.pool, one.opponent) != (first.pool, first.opponent) for one in lines):
        raise ValueError("the policies of one row met different opponents.")
    update: dict[str, Any] = {
        name: averaged([getattr(line, name) for line in lines])
        for name in ("focal", "background", "margin", "nra", "welfare", "fairness", "foul_rate")
    }
    update["harms"] = {name: averaged([line.harms[name] for line in lines]) for name in first.harms}
    update["matches"] = sum(line.matches for line in lines)
    update["n_effective"] = sum(line.n_effective for line in lines)
    return first.model_copy(update=update)


def _parts(parts: Sequence[Parts]) -> Parts:
    """Of a group of measured numbers; counts are added up."""
    update: dict[str, Any] = {}
    for name in type(parts[0]).model_fields:
        values = [getattr(one, name) for one in parts]
        update[name] = sum(values) if isinstance(values[0], int) else averaged(values)
    return parts[0].model_copy(update=update)


def _parts_or_reason(found: Sequence[Any]) -> Any:
    reasons = [one for one in found if isinstance(one, str)]
    return reasons[0] if reasons else _parts(found)


def _spent(found: Sequence[Spent | str]) -> Spent | str:
    known = [one for one in found if isinstance(one, Spent)]
    if len(known) < len(found):
        return next(one for one in found if isinstance(one, str))
    return Spent(
        prompt_tokens=sum(one.prompt_tokens for one in known),
        output_tokens=sum(one.output_tokens for one in known),
        dollars=sum(one.dollars for one in known),
    )


def _moves(found: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """All decisions together."""
    kinds = sorted({kind for one in found for kind in one})
    rows: dict[str, dict[str, float]] = {}
    for kind in kinds:
        here = [one[kind] for one in found if kind in one]
        total = sum(row["n"] for row in here)
        moves = sorted({move for row in here for move in row} - {"n"})
        shares = {m: sum(row["n"] * row.get(m, 0.0) for row in here) / total for m in moves}
        rows[kind] = {"n": total} | {move: rounded(share) for move, share in shares.items()}
    return rows
