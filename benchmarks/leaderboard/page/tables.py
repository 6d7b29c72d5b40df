"""Tables of agents as the page shows them: one row each, every number with its interval, drawn."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from string import ascii_lowercase
from typing import Final, NamedTuple

from markupsafe import Markup

from benchmarks.leaderboard.page import shown
from benchmarks.leaderboard.page.columns import RANK, RANK_SAYS, RATING, RATING_SAYS, Column
from benchmarks.leaderboard.page.drawings import NARROW, WIDE, whisker
from benchmarks.leaderboard.page.shown import Scale, Shown
from benchmarks.leaderboard.records import AgentRecord, CrossPlay, Measured, Score

NO_CROSS_PLAY: Final = (
    "nobody of this name took part in cross-play, where each training is an agent of its own"
)


class Cell(NamedTuple):
    """One number, or the mark of the note that says why there is none."""

    text: str
    limits: str = ""
    """Its interval, in brackets."""
    key: float | None = None
    """What it is sorted by; None stands last, whatever the direction."""
    tag: str = ""
    """How sure it is, where its neighbours may be otherwise."""
    how: str = ""
    """What makes it so sure."""
    note: str = ""
    drawn: Markup = Markup("")


class Badge(NamedTuple):
    """A remark on a row."""

    text: str
    title: str


class Row(NamedTuple):
    name: str
    kind: str
    badges: tuple[Badge, ...]
    cells: tuple[Cell, ...]
    domains: str = ""
    """Names of those it plays, for the filter."""


class Head(NamedTuple):
    key: str
    text: str
    title: str
    anchor: str
    """In the page's glossary."""
    ends: tuple[str, str] = ("", "")
    """What the left and the right of the drawings stand for."""


class Table(NamedTuple):
    key: str
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    sorted_by: str
    """The head by which the rows are in order, descending; of `RANK` ascending."""
    notes: tuple[tuple[str, str], ...]
    """(mark, reason) of the numbers that there are not."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(heads, reason) of the columns in which nobody has a number, all for one reason."""


class Notes:
    """Reasons by the mark that stands for each in a table."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._letters = (_lettered(number) for number in count())

    def mark(self, reason: str) -> str:
        if reason not in self._marks:
            self._marks[reason] = next(self._letters)
        return self._marks[reason]

    @property
    def all(self) -> tuple[tuple[str, str], ...]:
        return tuple((mark, reason) for reason, mark in self._marks.items())


def cell(
    found: Shown, scale: Scale, notes: Notes, *, width: int = NARROW, others: Sequence[float] = ()
) -> Cell:
    """The number as it stands in a table; drawn if it has a width."""
    if found.value is None:
        return Cell("none", note=notes.mark(found.reason), how=found.reason)
    sure = "" if found.sure in ("estimate", "count") else found.sure
    if found.sure == "count":
        return Cell(scale.write(found.value), key=found.value)
    return Cell(
        scale.write(found.value),
        limits="" if sure == "exact" and found.low == found.high else limits(found, scale),
        key=found.value,
        tag=sure,
        how=found.how,
        drawn=whisker(found, scale, width=width, others=others) if width else Markup(""),
    )


def domain_table(
    scores: Mapping[str, tuple[AgentRecord, Score]],
    columns: Sequence[Column],
    ratings: Mapping[str, Measured] | None,
    *,
    key: str,
    caption: str,
) -> Table:
    """Everybody in one domain, the safest first.

    Args:
        ratings: from the domain's cross-play, if a column is to show them.
    """
    order = sorted(scores, key=lambda agent: _descending(shown.of(scores[agent][1].safety), agent))
    kept, left_out = _columns(columns, [scores[agent][1] for agent in order])
    readings: list[tuple[Head, list[Shown], int]] = []
    for column in kept:
        numbers = [column.read(scores[agent][1]) for agent in order]
        wide = WIDE if column.key == "safety" else NARROW
        readings.append((_head(column, numbers), numbers, wide))
    if ratings is not None:
        numbers = [shown.of(ratings.get(agent, NO_CROSS_PLAY)) for agent in order]
        head = Head(RATING, "Rating", RATING_SAYS, RATING, _ends(numbers))
        readings.append((head, numbers, NARROW))
    notes, unlike = Notes(), _unlike(scores)
    return Table(
        key=key,
        caption=caption,
        heads=tuple(head for head, _, _ in readings),
        rows=tuple(
            Row(agent, record.agent.kind, badges(score) + unlike.get(agent, ()), cells)
            for agent, cells in zip(order, _cells(readings, notes), strict=True)
            for record, score in [scores[agent]]
        ),
        sorted_by="safety",
        notes=notes.all,
        left_out=left_out,
    )


def overall_table(
    records: Sequence[AgentRecord],
    overall: CrossPlay | None,
    domains: Sequence[str],
    safety: Column,
    title: Callable[[str], str],
) -> Table:
    """Those who play several domains, with rank and rating over all and SAFETY in each."""
    records = [record for record in records if len(record.domains) > 1 or len(domains) == 1]
    given = {} if overall is None else {rating.name: rating for rating in overall.ratings}

    def no_rank(record: AgentRecord) -> str:
        if overall is None:
            return "no cross-play over all domains has been recorded"
        if all(name in record.domains for name in domains):
            return NO_CROSS_PLAY
        return "ranks over all domains are among those who play every one of them"

    ranks = {
        r.agent.name: shown.of(given[r.agent.name].rank) for r in records if r.agent.name in given
    }
    order = sorted(records, key=lambda r: _ascending(ranks.get(r.agent.name), r.agent.name))
    readings: list[tuple[Head, list[Shown], int]] = []
    for key, text, says, width in (
        (RANK, "Rank", RANK_SAYS, NARROW),
        (RATING, "Rating", RATING_SAYS, WIDE),
    ):
        numbers = [
            shown.of(getattr(given[record.agent.name], key))
            if record.agent.name in given
            else Shown(None, reason=no_rank(record))
            for record in order
        ]
        readings.append((Head(key, text, says, key, _ends(numbers)), numbers, width))
    for name in domains:
        numbers = [
            safety.read(record.domains[name])
            if name in record.domains
            else Shown(None, reason=record.not_played.get(name, "it was not scored there"))
            for record in order
        ]
        head = _head(safety, numbers)._replace(key=f"safety-{name}", text=f"SAFETY, {title(name)}")
        readings.append((head, numbers, NARROW))
    notes = Notes()
    return Table(
        key="overall",
        caption="Agents of several domains",
        heads=tuple(head for head, _, _ in readings),
        rows=tuple(
            Row(
                record.agent.name,
                record.agent.kind,
                _over_seeds(record),
                cells,
                " ".join(record.domains),
            )
            for record, cells in zip(order, _cells(readings, notes), strict=True)
        ),
        sorted_by=RANK if given else "",
        notes=notes.all,
    )


def badges(score: Score) -> tuple[Badge, ...]:
    """What a reader must know of a row before comparing it."""
    found = [
        Badge(f"in {pool}", f"It stands in the {pool} pool itself, or one that plays alike does.")
        for pool in score.stands_in
    ]
    if score.over == "seeds":
        found.append(SEEDS)
    if score.left_out:
        names = "; ".join(f"{name}: {why}" for name, why in score.left_out.items())
        found.append(
            Badge(f"{len(score.left_out)} not met", f"Opponents that were not met: {names}")
        )
    if score.notes:
        found.append(Badge("note", " ".join(score.notes)))
    return tuple(found)


SEEDS: Final = Badge(
    "over seeds",
    "Its intervals are over the policies of several trainings, all others over resampled deals.",
)


def _unlike(
    scores: Mapping[str, tuple[AgentRecord, Score]],
) -> dict[str, tuple[Badge, ...]]:
    """A badge for whoever was measured otherwise than most."""
    settings = {
        name: (record.seed, record.episodes, score.version, json.dumps(score.options))
        for name, (record, score) in scores.items()
    }
    usual, _ = Counter(settings.values()).most_common(1)[0]
    return {
        name: (
            Badge(
                "other deals",
                f"Measured on seed {its[0]}, {its[1]} episodes, version {its[2]}, {its[3]}; most "
                f"others on seed {usual[0]}, {usual[1]} episodes, version {usual[2]}, {usual[3]}.",
            ),
        )
        for name, its in settings.items()
        if its != usual
    }


def _over_seeds(record: AgentRecord) -> tuple[Badge, ...]:
    return (SEEDS,) if any(score.over == "seeds" for score in record.domains.values()) else ()


def _columns(
    columns: Sequence[Column], scores: Sequence[Score]
) -> tuple[list[Column], tuple[tuple[str, str], ...]]:
    """Those in which somebody has a number, or in which reasons differ; and the others."""
    kept, left_out = [], []
    for column in columns:
        numbers = [column.read(score) for score in scores]
        reasons = {number.reason for number in numbers}
        if len(reasons) == 1 and all(number.value is None for number in numbers):
            left_out.append((column.head, reasons.pop()))
        else:
            kept.append(column)
    return kept, by_reason(left_out)


def by_reason(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """(head, reason) of what there is not, heads of one reason together.

    >>> by_reason([("c", "zero-sum"), ("Cost", "no words"), ("x", "zero-sum")])
    (('c, x', 'zero-sum'), ('Cost', 'no words'))
    """
    heads: dict[str, list[str]] = {}
    for head, reason in found:
        heads.setdefault(reason, []).append(head)
    return tuple((", ".join(named), reason) for reason, named in heads.items())


def _cells(
    readings: Sequence[tuple[Head, Sequence[Shown], int]], notes: Notes
) -> list[tuple[Cell, ...]]:
    """Row by row."""
    scales = [shown.scale(numbers) for _, numbers, _ in readings]
    rows = zip(*(numbers for _, numbers, _ in readings), strict=True)
    return [
        tuple(
            cell(number, scale, notes, width=width)
            for number, scale, (_, _, width) in zip(row, scales, readings, strict=True)
        )
        for row in rows
    ]


def _head(column: Column, numbers: Iterable[Shown]) -> Head:
    drawn = [number for number in numbers if number.sure != "count"]
    return Head(column.key, column.head, column.title, column.key, _ends(drawn))


def _ends(numbers: Sequence[Shown]) -> tuple[str, str]:
    if not any(number.ends for number in numbers):
        return "", ""
    scale = shown.scale(numbers)
    return scale.write(scale.low), scale.write(scale.high)


def limits(found: Shown, scale: Scale) -> str:
    """Its interval, in brackets."""
    if found.low is None or found.high is None:
        return "no interval"
    return f"[{scale.write(found.low)}, {scale.write(found.high)}]"


def _descending(found: Shown, name: str) -> tuple[bool, float, str]:
    return found.value is None, -(found.value or 0.0), name


def _ascending(found: Shown | None, name: str) -> tuple[bool, float, str]:
    value = None if found is None else found.value
    return value is None, value or 0.0, name


def _lettered(number: int) -> str:
    """
    >>> _lettered(0), _lettered(25), _lettered(26)
    ('a', 'z', 'aa')
    """
    letters = len(ascii_lowercase)
    before = _lettered(number // letters - 1) if number >= letters else ""
    return before + ascii_lowercase[number % letters]
