"""What the page tells of one agent: who it is, every measure beside everybody else's, every
opponent, its moves beside an equilibrium's, its worst matches, and how the numbers came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from benchmarks.leaderboard.agents import RANDOM
from benchmarks.leaderboard.page import shown
from benchmarks.leaderboard.page.columns import COLUMNS, Column
from benchmarks.leaderboard.page.curves import exploitability_curves
from benchmarks.leaderboard.page.drawings import WIDE
from benchmarks.leaderboard.page.equilibrium_moves import Range, Rows, equilibrium_moves
from benchmarks.leaderboard.page.replayed import Transcript, transcript
from benchmarks.leaderboard.page.shown import Scale, Shown
from benchmarks.leaderboard.page.tables import Badge, Cell, Notes, badges, by_reason, cell
from benchmarks.leaderboard.records import AgentRecord, Exploitability, Line, Score
from sepo_envs.catalogue import domain
from sepo_trainer.runs.report.landmarks import landmarks

EVERYBODY: Final = "everybody"
START: Final = "start"
"""The situation that comes before all others."""


class Measure(NamedTuple):
    """One number of the agent, drawn on the scale of all agents, with a tick for each of them."""

    key: str
    head: str
    unit: str
    cell: Cell
    place: str
    """Among all who have such a number: ``2 of 11``, the best first."""


class Met(NamedTuple):
    """A row of the table of opponents; of a pool as a whole, or of everybody, if ``whole``."""

    name: str
    pool: str
    whole: bool
    mine: bool
    """Whether the agent, or one that plays alike, stands in this pool itself."""
    matches: int
    cells: tuple[Cell, ...]


class Share(NamedTuple):
    """How often a move was made; ``None`` and no text where it never was."""

    text: str
    shade: int
    """Of 100."""


class Situation(NamedTuple):
    """One kind of situation: the agent's shares, and an equilibrium's, move by move."""

    name: str
    decisions: int
    agent: tuple[Share, ...]
    equilibrium: tuple[Share, ...]
    """Empty where none is known."""


class Played(NamedTuple):
    """One agent in one domain."""

    domain: str
    title: str
    deals: int
    matches: int
    over: str
    badges: tuple[Badge, ...]
    remarks: tuple[str, ...]
    measures: tuple[Measure, ...]
    undefined: tuple[tuple[str, str], ...]
    """(heads, reason) of the measures that there are not."""
    harms: tuple[tuple[str, Cell], ...]
    """Every harm by name, against everybody."""
    met: tuple[Met, ...]
    notes: tuple[tuple[str, str], ...]
    moves: tuple[str, ...]
    situations: tuple[Situation, ...]
    trainings: int
    """Whose exploitability is drawn."""
    curves: Markup
    worst: tuple[Transcript, ...]


class Section(NamedTuple):
    """One agent."""

    record: AgentRecord
    played: tuple[Played, ...]


def section(
    record: AgentRecord, everybody: Mapping[str, Mapping[str, Score]], titles: Mapping[str, str]
) -> Section:
    """
    Args:
        everybody: by domain, by agent, to hold this one against.
        titles: of the domains, in the order of the page.

    Raises:
        RecordError: a match of the record cannot be played again.
    """
    return Section(
        record,
        tuple(
            _played(record, name, title, everybody[name])
            for name, title in titles.items()
            if name in record.domains
        ),
    )


def _played(record: AgentRecord, name: str, title: str, everybody: Mapping[str, Score]) -> Played:
    score, notes = record.domains[name], Notes()
    moves, situations = _moves(name, record.seed, score)
    return Played(
        domain=name,
        title=title,
        deals=score.deals,
        matches=score.overall.matches,
        over=score.over,
        badges=badges(score),
        remarks=(
            *score.notes,
            *(f"{opponent} was not met: {why}." for opponent, why in score.left_out.items()),
        ),
        measures=tuple(
            _measure(column, score, everybody, notes)
            for column in COLUMNS.values()
            if column.read(score).value is not None
        ),
        undefined=_undefined(score),
        harms=_harms(score, notes),
        met=_met(score, notes),
        notes=notes.all,
        moves=moves,
        situations=situations,
        trainings=len(score.courses),
        curves=_curves(score, everybody),
        worst=tuple(transcript(domain(name), replay, record.agent.name) for replay in score.worst),
    )


def _curves(score: Score, everybody: Mapping[str, Score]) -> Markup:
    """Of a run that noted its exploitability, beside uniform play if that is on the board."""
    if not score.courses:
        return Markup("")
    uniform = everybody.get(RANDOM)
    known = None if uniform is None else uniform.exploitability
    levels = {"uniform play": known.value} if isinstance(known, Exploitability) else {}
    return exploitability_curves(score.courses, levels)


def _measure(column: Column, score: Score, everybody: Mapping[str, Score], notes: Notes) -> Measure:
    mine = column.read(score)
    numbers = [column.read(other) for other in everybody.values()]
    values = [number.value for number in numbers if number.value is not None]
    drawn = cell(mine, shown.scale(numbers), notes, width=WIDE, others=sorted(set(values)))
    return Measure(column.key, column.head, column.unit, drawn, _place(mine, values, column))


def _undefined(score: Score) -> tuple[tuple[str, str], ...]:
    numbers = [(column.head, column.read(score)) for column in COLUMNS.values()]
    return by_reason((head, found.reason) for head, found in numbers if found.value is None)


def _place(mine: Shown, values: Sequence[float], column: Column) -> str:
    if mine.value is None or column.better == "neither":
        return ""
    sign = 1 if column.better == "more" else -1
    before = sum(sign * value > sign * mine.value for value in values)
    return f"{before + 1} of {len(values)}"


def _harms(score: Score, notes: Notes) -> tuple[tuple[str, Cell], ...]:
    """Each on a scale of its own, as their units differ."""
    return tuple(
        (name, cell(found, shown.scale([found]), notes, width=0))
        for name, measured in score.overall.harms.items()
        for found in [shown.of(measured)]
    )


def _met(score: Score, notes: Notes) -> tuple[Met, ...]:
    """Pool by pool, its opponents first and all of them together last; everybody at the end."""
    lines = [*score.opponents, *score.pools, score.overall]
    readings = [
        [
            shown.of(number)
            for number in (line.focal, line.background, line.margin, line.nra, line.foul_rate)
        ]
        for line in lines
    ]
    columns = list(zip(*readings, strict=True))
    points = shown.scale([*columns[0], *columns[1]])
    margins = shown.scale([*columns[2], Shown(0.0)])
    scales = (points, points, margins, shown.scale(columns[3]), shown.scale(columns[4]))
    widths = (0, 0, WIDE, 0, 0)
    rows = [
        _row(
            line,
            score,
            tuple(
                cell(number, scale, notes, width=width)
                for number, scale, width in zip(row, scales, widths, strict=True)
            ),
        )
        for line, row in zip(lines, readings, strict=True)
    ]
    pools = [line.pool for line in score.pools]
    return tuple(
        sorted(rows, key=lambda row: pools.index(row.pool) if row.pool in pools else len(pools))
    )


def _row(line: Line, score: Score, cells: tuple[Cell, ...]) -> Met:
    whole = line.opponent is None
    name = line.opponent or (f"all of {line.pool}" if line.pool != "all" else EVERYBODY)
    return Met(name, line.pool, whole, line.pool in score.stands_in, line.matches, cells)


def _moves(name: str, seed: int, score: Score) -> tuple[tuple[str, ...], tuple[Situation, ...]]:
    known = equilibrium_moves(name, seed, score.deals) if score.moves else {}
    moves = sorted(
        {move for row in score.moves.values() for move in row if move != "n"}
        | {move for kind in score.moves for move in known.get(kind, {})},
        key=_in_order,
    )
    names = {cell.situation: f"{cell.column}, {cell.row}" for cell in landmarks(name).cells}
    others = [kind for kind in score.moves if kind not in names]
    order = [*names, *sorted(others, key=lambda kind: (kind != START, kind))]
    return tuple(moves), tuple(
        _situation(names.get(kind, kind), score.moves[kind], known, kind, moves)
        for kind in order
        if kind in score.moves
    )


def _situation(
    name: str, row: Mapping[str, float], known: Rows, kind: str, moves: Sequence[str]
) -> Situation:
    agent = tuple(_share(Range(row.get(move, 0.0), row.get(move, 0.0))) for move in moves)
    there = known.get(kind)
    equilibrium = (
        () if there is None else tuple(_share(there.get(move, Range(0.0, 0.0))) for move in moves)
    )
    return Situation(name, round(row["n"]), agent, equilibrium)


SHARES: Final = Scale(0.0, 1.0)


def _share(found: Range) -> Share:
    """
    >>> _share(Range(0.25, 0.25)).text, _share(Range(0.0, 1 / 3)).text, _share(Range(0, 0)).text
    ('0.25', '0.00 to 0.33', '0')
    """
    low, high = (SHARES.write(end) for end in found)
    text = low if low == high else f"{low} to {high}"
    return Share("0" if found.high == 0 else text, round(50 * (found.low + found.high)))


def _in_order(move: str) -> tuple[bool, float, str]:
    """Numbers by their size, words after them."""
    is_number = move.isdigit()
    return not is_number, float(move) if is_number else 0.0, move
