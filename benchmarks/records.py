"""A result and its birth certificate, as one readable JSON file that is checked when it is read.

    benchmarks/results/<benchmark>/<name>.json

A record holds series of values (one per seed, or per repeat) with what is said about them: mean,
median, range, and a 95 % bootstrap interval or the reason why there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import inf, isclose
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from benchmarks.bootstrap import CONFIDENCE, METHOD, mean_interval, paired_differences
from benchmarks.certificate import ROOT, Certificate, Digest, Strict

Kind = TypeVar("Kind", bound=BaseModel)

RESULTS = ROOT / "benchmarks" / "results"
SCHEMA = 1
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Setting = str | int | float | bool | dict[str, str | int | float] | None


class RecordError(ValueError):
    """A record cannot be read; the message says where, why and how to mend it."""


class Interval(Strict):
    low: float
    high: float
    confidence: float
    method: str


class Measure(Strict):
    """One series of values and what is said about it."""

    unit: str
    over: Literal["seeds", "pairs", "repeats"]
    """What the values run over; `seeds` in the order of the record's."""
    values: tuple[float | None, ...]
    missing: Literal["none", "not reached", "not measured"] = "none"
    """What None means among the values."""
    mean: float | None
    """None, as the interval, where values are missing: a mean of the others would flatter."""
    median: float | None
    """A value that was not reached counts as above all others."""
    low: float | None
    """Smallest value."""
    high: float | None
    """Largest value; None where one was not reached."""
    interval: Interval | None
    """Of the mean."""
    no_interval: str | None = None

    @model_validator(mode="after")
    def _says_what_its_values_say(self) -> Measure:
        if not self.values:
            raise ValueError("has no values.")
        if (None in self.values) != (self.missing != "none"):
            raise ValueError(f"`missing` is {self.missing!r}, and the values say otherwise.")
        told = _summary(self.values, self.missing)
        for name, right in told._asdict().items():
            given = getattr(self, name)
            if (given is None) != (right is None) or (
                given is not None and not isclose(given, right, rel_tol=1e-9, abs_tol=1e-12)
            ):
                raise ValueError(
                    f"`{name}` is {given}, but of the values it is {right}. Was the file edited?"
                )
        if (self.interval is None) != (self.no_interval is not None):
            raise ValueError("needs either an interval or, in `no_interval`, the reason for none.")
        if self.interval is not None and (
            self.mean is None or not self.interval.low <= self.mean <= self.interval.high
        ):
            raise ValueError("the interval does not hold the mean.")
        return self


class Curve(Strict):
    """How something went while each seed trained."""

    columns: tuple[str, ...] = Field(min_length=2)
    """What every point holds, in this order; the first says where on the curve it is."""
    seeds: dict[str, tuple[tuple[float, ...], ...]]
    """Each seed's points, thinned."""

    @model_validator(mode="after")
    def _a_number_per_column(self) -> Curve:
        for seed, points in self.seeds.items():
            if any(len(point) != len(self.columns) for point in points):
                raise ValueError(f"seed {seed} has a point that is not {', '.join(self.columns)}.")
        return self


class GameId(Strict):
    id: str
    version: Annotated[int, Field(ge=0)]


class Record(Strict):
    """One file under `benchmarks/results`. The order of the fields is the order in the file."""

    schema_version: Literal[1] = 1
    benchmark: Name
    name: Name
    summary: str
    """What was measured, in a sentence."""
    notes: tuple[str, ...] = ()
    """What a reader must know to take the numbers for what they are."""
    game: GameId
    settings: dict[str, Setting]
    """Those of the run that differ from the defaults, as `a.b`."""
    config_digest: Digest
    """Of all settings but the seed and the places of files."""
    seeds: tuple[int, ...] = Field(min_length=1)
    measures: dict[str, dict[str, Measure]]
    """By group (an arm, a side, a subject) and quantity."""
    certificate: Certificate
    curves: dict[str, Curve] = Field(default_factory=dict)
    """By group (an arm, a quantity)."""

    @model_validator(mode="after")
    def _one_value_per_seed(self) -> Record:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"`seeds` {list(self.seeds)} names one twice.")
        for group, quantities in self.measures.items():
            for quantity, measure in quantities.items():
                if measure.over == "seeds" and len(measure.values) != len(self.seeds):
                    raise ValueError(
                        f"measures.{group}.{quantity} has {len(measure.values)} values "
                        f"for {len(self.seeds)} seeds."
                    )
        for group, curve in self.curves.items():
            if not set(curve.seeds) <= {str(seed) for seed in self.seeds}:
                raise ValueError(f"curves.{group} is of other seeds than the record.")
        return self


def measure(
    values: Sequence[float | None],
    unit: str,
    *,
    over: Literal["seeds", "pairs", "repeats"] = "seeds",
    missing: Literal["not reached", "not measured"] = "not measured",
) -> Measure:
    """A series with its summary; ``missing`` says what None means, where there is one."""
    series = tuple(None if value is None else float(value) for value in values)
    kept = [value for value in series if value is not None]
    meaning = missing if len(kept) < len(series) else "none"
    bounds = mean_interval(kept) if meaning == "none" else f"some values were {missing}"
    if isinstance(bounds, str):
        interval, reason = None, bounds
    else:
        interval = Interval(low=bounds.low, high=bounds.high, confidence=CONFIDENCE, method=METHOD)
        reason = None
    return Measure(
        unit=unit,
        over=over,
        values=series,
        missing=meaning,
        **_summary(series, meaning)._asdict(),
        interval=interval,
        no_interval=reason,
    )


def difference(mine: Measure, theirs: Measure) -> Measure:
    """The paired differences ``mine - theirs``, seed by seed."""
    if (mine.unit, mine.over) != (theirs.unit, theirs.over):
        raise ValueError(f"{mine.unit} over {mine.over} cannot be paired with {theirs.unit}.")
    return measure(paired_differences(_whole(mine), _whole(theirs)), mine.unit, over=mine.over)


def thinned(
    points: Sequence[tuple[float, ...]], most: int, *, digits: int = 6
) -> tuple[tuple[float, ...], ...]:
    """At most ``most`` of ``points``, evenly spread, the first and the last among them, rounded.

    >>> [number for number, _ in thinned([(n, 0.0) for n in range(9)], 3)]
    [0, 4, 8]
    """
    picks = np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int)
    return tuple(tuple(round(number, digits) for number in points[pick]) for pick in picks)


def record_path(benchmark: str, name: str, results: Path) -> Path:
    """Where under ``results`` the record of that name is, or will be."""
    return results / benchmark / f"{name}.json"


def save(record: Record, *, results: Path = RESULTS) -> Path:
    """Write ``record`` to its place under ``results``, over an older one of that name."""
    return write(record, record_path(record.benchmark, record.name, results))


def load(path: Path) -> Record:
    """The record in ``path``.

    Raises:
        RecordError: as `read` does, or it lies elsewhere than its benchmark and name say.
    """
    record = read(path, Record, schema=SCHEMA)
    if (record.benchmark, record.name) != (path.parent.name, path.stem):
        raise RecordError(
            f"{path} says it is {record.benchmark}/{record.name}.json. Move it there."
        )
    return record


def write(record: BaseModel, path: Path) -> Path:
    """Write a record, over an older one; whoever reads meanwhile reads the old one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(pretty(record.model_dump(mode="json")) + "\n")
    draft.replace(path)
    return path


def read(path: Path, kind: type[Kind], *, schema: int) -> Kind:
    """A record of that kind.

    Raises:
        RecordError: it is no JSON, is of another schema version, or a field is missing, unknown or
            impossible.
    """
    mend = "Measure it again with the command it names, or restore the file from git."
    try:
        tree = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} cannot be read as a record: {error}. {mend}") from error
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if version != schema:
        raise RecordError(
            f"{path} has schema_version {version!r}, and this code reads {schema}. {mend}"
        )
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise RecordError(f"{path}: {explained(error)} {mend}") from error


def load_all(results: Path = RESULTS) -> list[Record]:
    """Every record under ``results``, by benchmark and name."""
    return [load(path) for path in sorted(results.glob("*/*.json"))]


class _Summary(NamedTuple):
    mean: float | None
    median: float | None
    low: float | None
    high: float | None


def _summary(values: Sequence[float | None], missing: str) -> _Summary:
    kept = [value for value in values if value is not None]
    if len(kept) == len(values):
        return _Summary(fmean(kept), median(kept), min(kept), max(kept))
    if missing == "not reached":
        middle = median([inf if value is None else value for value in values])
        return _Summary(None, None if middle == inf else middle, min(kept, default=None), None)
    return _Summary(None, None, None, None)


def _whole(measured: Measure) -> list[float]:
    kept = [value for value in measured.values if value is not None]
    if len(kept) < len(measured.values):
        raise ValueError("a series with missing values cannot be paired.")
    return kept


def explained(error: ValidationError) -> str:
    """The first thing wrong, as a person would say it."""
    first: ErrorDetails = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    match first["type"]:
        case "extra_forbidden":
            return f"there is no field {where!r} in a record."
        case "missing":
            return f"the field {where!r} is missing."
        case "value_error":
            return f"{where} {what}".strip()
    return f"{where} is {first['input']!r}, but: {what[0].lower()}{what[1:]}."


def pretty(value: Any, indent: int = 0) -> str:
    """JSON with one field per line, but a list of numbers in one line: a point, a row of seeds."""
    inner = " " * (indent + 1)
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{json.dumps(key)}: {pretty(v, indent + 1)}" for key, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"
    if isinstance(value, list) and any(isinstance(item, Mapping | list | str) for item in value):
        lines = [inner + pretty(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{' ' * indent}]"
    return json.dumps(value, ensure_ascii=False)
