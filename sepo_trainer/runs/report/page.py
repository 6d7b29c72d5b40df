"""A run as one HTML page that needs nothing else: no network, no script, no other file.

Works on a half-finished run too, and on one whose last lines a crash cut short. Everything that
comes from a run's files is escaped, what a model wrote above all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from sepo_envs.exact import EXACT_BELOW
from sepo_trainer.runs.report import multipliers, plots
from sepo_trainer.runs.report.landmarks import Cell, Landmarks, landmarks
from sepo_trainer.runs.report.plots import NARROW, WIDE, Gauge, Panel
from sepo_trainer.runs.report.run_record import Record, read_record
from sepo_trainer.runs.run_folder import RunFolder, write_whole
from sepo_trainer.settings.config import RunConfig

MOST_PANELS: Final = 24
"""Situations that are drawn; the table lists all of them."""


class Drawing(NamedTuple):
    """A picture that is to be drawn, and what the page says of it."""

    name: str
    title: str
    caption: str
    draw: Callable[[float], Figure]
    """Takes the width in inches."""
    half: bool = False
    """Two of these stand side by side on a wide screen."""


def write_page(folder: RunFolder, to: Path, game: str, config: RunConfig) -> str:
    """Draw ``plots/*.svg`` and write the page of one of the run's games.

    Returns:
        its verdict, in a sentence.
    """
    record = read_record(folder, game)
    known = landmarks(game)
    plotted = folder.of_game(folder.plots, game, config)
    plotted.mkdir(parents=True, exist_ok=True)
    pictures = [_render(drawing, plotted) for drawing in _drawings(record, known)]
    verdict = _verdict(record, known, folder.path.name)
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("sepo_trainer.runs.report") / "page.html.jinja").read_text(encoding="utf-8")
    )
    page = template.render(
        **verdict,
        notes=_notes(record),
        pictures=pictures,
        table=_table(record, known),
        transcripts=_transcripts(folder.of_game(folder.transcripts, game, config)),
        config=folder.config.read_text(),
        colors=plots.COLORS,
    )
    write_whole(to, page)
    return str(verdict["verdict"])


def _verdict(record: Record, known: Landmarks, name: str) -> dict[str, Any]:
    config = record.config
    game = config.game.name.replace("_", " ").capitalize()
    arm = config.objective.penalty_credit
    planned = config.learning.iterations
    if not record.policies:
        said = f"{game}, seed {config.seed}, arm {arm}: no iteration has ended yet."
        return {"title": f"Run {name}", "verdict": said, "final": "nothing yet", "facts": []}
    start, (done, final) = record.policies[0][1], record.policies[-1]
    done = done if record.result else done + 1
    headline = _exploitability(start, final, known) if record.is_read else _objective(start, final)
    took = _duration(record.seconds)
    said = (
        f"{game}, seed {config.seed}, arm {arm}: {headline.name} "
        f"{headline.start}\N{NO-BREAK SPACE}\N{RIGHTWARDS ARROW}\N{NO-BREAK SPACE}{headline.end} "
        f"{headline.unit} in {took}"
        f"{'' if record.result else f', after {done} of {planned} iterations'}."
    )
    facts = {
        "At the start": headline.start,
        "At the end" if record.result else "So far": headline.end,
        **headline.facts,
        "Objective J": f"{final['objective']:+.4f}",
        "Iterations": f"{done} of {planned}",
        "Time": took,
    }
    if known.family and record.is_read:
        nearest = known.family.nearest(final["table"])
        facts["Off the nearest equilibrium"] = f"{nearest.distance:.3f} at most"
    final_said = f"{headline.name} {headline.end}"
    return {"title": f"Run {name}", "verdict": said, "final": final_said, "facts": facts.items()}


class _Headline(NamedTuple):
    """The number that says how a run went."""

    name: str
    start: str
    end: str
    unit: str
    facts: dict[str, str]


def _exploitability(start: dict[str, Any], final: dict[str, Any], known: Landmarks) -> _Headline:
    exact = final["uncovered"] < EXACT_BELOW
    interval = f"{_number(final['exploitability_low'])} to {_number(final['exploitability_high'])}"
    return _Headline(
        "exploitability",
        _number(start["exploitability"]),
        _number(final["exploitability"]),
        f"{known.unit} ({interval}, {'exact' if exact else 'not exact'})",
        {
            "Interval": interval,
            "Exact": f"{'yes' if exact else 'no'} ({final['uncovered']:.1e} uncovered)",
        },
    )


def _objective(start: dict[str, Any], final: dict[str, Any]) -> _Headline:
    safety = final.get("scorecard", {}).get("safety", {})
    interval = ""
    if safety.get("low") is not None:  # one deal has no interval
        interval = f"{safety['low']:+.3f} to {safety['high']:+.3f}"
    return _Headline(
        "J",
        f"{start['objective']:+.3f}",
        f"{final['objective']:+.3f}",
        f"scaled points per round, by play{f' (95 %: {interval})' if interval else ''}",
        {"Interval": interval} if interval else {},
    )


def _notes(record: Record) -> list[str]:
    notes = []
    if record.result is None:
        notes.append(
            f"This run is not finished: {len(record.lines)} of "
            f"{record.config.learning.iterations} iterations are done. A policy is measured before "
            "the update of its iteration, so the latest update does not count yet."
        )
    if record.is_read and not record.policies[-1][1]["uncovered"] < EXACT_BELOW:
        notes.append(
            f"The {record.newest} number is not exact: in some situation {EXACT_BELOW:g} or more "
            "of the policy's probability was not covered when it was read. Trust the interval."
        )
    notes += multipliers.restless(record)
    if record.damaged:
        lines = "1 line" if record.damaged == 1 else f"{record.damaged} lines"
        notes.append(f"Left out: {lines} of the run's records, damaged.")
    return notes


def _drawings(record: Record, known: Landmarks) -> Iterator[Drawing]:
    """Every picture that the record has the numbers for, in the order of the page."""
    if not record.policies:
        return
    if record.is_read:
        yield from _read_out(record, known)
    objective = [
        Gauge("u, mean payoff against the train pool", "points", record.curve("u")),
        Gauge("e, margin of the exploit pool", "points", record.curve("e")),
        Gauge("c, collusion", "share", record.curve("c")),
        Gauge("x, externality", "share", record.curve("x")),
        Gauge("J, the objective", "scaled points", record.curve("objective")),
    ]
    objective = [gauge for gauge in objective if gauge.curve.values]
    yield Drawing(
        "objective",
        "Objective",
        "J: what is earned, less what an exploiter earns from it and what it costs others.",
        lambda width: plots.gauges(objective, columns=1, width=width),
        half=True,
    )
    if weights := multipliers.gauges(record):
        yield Drawing(
            "multipliers",
            "Multipliers",
            f"What each penalty weighed in the loss. {multipliers.told(record)}".strip(),
            lambda width: plots.gauges(weights, columns=1, width=width),
            half=True,
        )
    names = dict.fromkeys(name for _, line in record.policies for name in line["payoff_against"])
    if names:
        payoffs = {name: record.curve("payoff_against", name) for name in names}
        yield Drawing(
            "opponents",
            "Payoff against each opponent",
            "Exact, averaged over the seats. An adaptive opponent is worked out anew against every "
            "policy."
            if record.is_read
            else "In the episodes played, averaged over the seats.",
            lambda width: plots.against(payoffs, unit=known.unit, width=width),
            half=True,
        )
    health = [
        Gauge("Entropy of moves", "nats per decision", record.curve("move_entropy")),
        Gauge("Foul rate", "fouls per decision", record.curve("foul_rate")),
        Gauge("Uncovered", "probability", record.curve("uncovered"), (EXACT_BELOW, "exact below")),
        Gauge("KL of the talk", "nats per decision", record.curve("kl_talk")),
    ]
    health = [gauge for gauge in health if gauge.curve.values]
    yield Drawing(
        "health",
        "Health",
        "At an entropy near 0 nothing is tried any more. Fouls"
        f"{', uncovered probability' if record.is_read else ''} and the distance (KL) of all but "
        "the moves from the reference should stay small.",
        lambda width: plots.gauges(health, columns=2, width=width),
        half=True,
    )
    parts, tokens = record.speed()
    if parts:
        yield Drawing(
            "time",
            "Time",
            f"{_duration(record.seconds)} in all: "
            f"{'reading the policy out, ' if record.is_read else ''}playing and learning.",
            lambda width: plots.time(parts, tokens, width=width),
            half=True,
        )


def _read_out(record: Record, known: Landmarks) -> Iterator[Drawing]:
    """The pictures of a policy whose every situation was read."""
    low, high = record.curve("exploitability_low"), record.curve("exploitability_high")
    yield Drawing(
        "exploitability",
        "Exploitability",
        "How much a best response gains on the policy, averaged over the seats; an equilibrium has "
        "0. Shaded: how far off the number can be, given what was not covered.",
        lambda width: plots.exploitability(
            record.curve("exploitability"),
            low,
            high,
            unit=known.unit,
            uniform=known.uniform,
            width=width,
        ),
    )
    panels, columns, caption = _panels(record, known)
    yield Drawing(
        "moves", "Moves", caption, lambda width: plots.moves(panels, columns=columns, width=width)
    )


def _cells(record: Record, known: Landmarks) -> list[Cell]:
    """The situations in order, with the moves to show: the known layout, or any."""
    if known.cells:
        return list(known.cells)
    rows = record.policies[-1][1]["table"]
    return [
        Cell(situation, move, move, situation, "")
        for situation, row in rows.items()
        for move in (list(row)[1:] if len(row) == 2 else row)
    ]


def _panels(record: Record, known: Landmarks) -> tuple[list[Panel], int, str]:
    cells, final = _cells(record, known), record.policies[-1][1]["table"]
    family = known.family
    if not known.cells:
        shown = list(dict.fromkeys(cell.situation for cell in cells))
        panels = [
            Panel(
                {
                    c.move: record.probability(situation, c.move)
                    for c in cells
                    if c.situation == situation
                },
                title=situation,
                label="probability",
            )
            for situation in shown[:MOST_PANELS]
        ]
        left = f", the first {MOST_PANELS} of {len(shown)}" if len(shown) > MOST_PANELS else ""
        return panels, known.columns, f"Move probabilities in each situation{left}."
    nearest = family.nearest(final) if family else None
    panels = [
        Panel(
            {cell.move: record.probability(cell.situation, cell.move)},
            title=cell.column if number < known.columns else "",
            label=f"{cell.row}\nP({cell.verb})" if number % known.columns == 0 else "",
            band=family.band(cell.situation, cell.move) if family else None,
            nearest=nearest.rows[cell.situation][cell.move] if nearest else None,
        )
        for number, cell in enumerate(cells)
    ]
    caption = "The policy's probability in each situation."
    if family and nearest:
        caption += (
            " Green: what an equilibrium may play there. Each equilibrium has one "
            f"{family.parameter} from {family.low:.3g} to {family.high:.3g} for all situations. "
            f"Dashed: the one nearest to the {record.newest} policy, {family.parameter} = "
            f"{nearest.parameter:.3f}; no probability is off by more than {nearest.distance:.3f}."
        )
    return panels, known.columns, caption


def _table(record: Record, known: Landmarks) -> dict[str, Any] | None:
    """The final policy in numbers, next to the nearest equilibrium where one is known."""
    if not record.is_read:
        return None
    final = record.policies[-1][1]["table"]
    cells, family = _cells(record, known), known.family
    nearest = family.nearest(final) if family else None
    head, rows = ["Situation: move", "Policy"], []
    if family and nearest:
        head += [
            "Nearest equilibrium",
            "Any equilibrium",
            "Off by",
        ]
    for cell in cells:
        p = final.get(cell.situation, {}).get(cell.move, 0.0)
        row = [f"{cell.column} {cell.row}".strip() + f": {cell.verb}", f"{p:.3f}"]
        if family and nearest:
            goal = nearest.rows[cell.situation][cell.move]
            ends = dict.fromkeys(f"{end:.3f}" for end in family.band(cell.situation, cell.move))
            row += [f"{goal:.3f}", " to ".join(ends), f"{p - goal:+.3f}"]
        rows.append((nearest is not None and cell.situation == nearest.situation, row))
    caption = "Probability of the move that is named."
    if family and nearest:
        caption += (
            f" The nearest equilibrium has {family.parameter} = {nearest.parameter:.3f}. "
            f"The largest difference is {nearest.distance:.3f}, in the marked row."
        )
    return {"title": f"The {record.newest} policy", "caption": caption, "head": head, "rows": rows}


def _transcripts(folder: Path) -> list[tuple[str, str]]:
    """The first one and the last one."""
    found = sorted(folder.glob("*.txt"))
    return [
        (
            f"After iteration {int(path.stem) if path.stem.isdecimal() else path.stem}",
            path.read_text(errors="replace"),
        )
        for path in dict.fromkeys(found[:1] + found[-1:])
    ]


def _render(drawing: Drawing, folder: Path) -> dict[str, Any]:
    """Draw for a wide page and for a phone; a half picture fits both. The first becomes a file."""
    widths = {"any": NARROW} if drawing.half else {"wide": WIDE, "narrow": NARROW}
    sizes: dict[str, Markup] = {}
    for size, width in widths.items():
        picture = plots.render(f"{drawing.name}-{size}", partial(drawing.draw, width))
        if not sizes:
            write_whole(folder / f"{drawing.name}.svg", picture.file)
        label = escape(f"{drawing.title}. {drawing.caption}")
        sizes[size] = Markup(
            picture.inline.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
        )
    return {
        "title": drawing.title,
        "caption": drawing.caption,
        "half": drawing.half,
        "sizes": sizes,
    }


def _number(value: float) -> str:
    """Four decimals, or two digits of what is smaller.

    >>> _number(0.1673346), _number(0.00001234), _number(0.0)
    ('0.1673', '1.2e-05', '0.0000')
    """
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


def _duration(seconds: float) -> str:
    """As a person says it, in one piece.

    >>> [_duration(s).replace("\N{NO-BREAK SPACE}", " ") for s in (2.31, 18.04, 754, 7500)]
    ['2.3 s', '18 s', '12 min 34 s', '2 h 5 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        said = f"{minutes // 60} h {minutes % 60} min"
    elif minutes:
        said = f"{minutes} min {rest} s"
    else:
        said = f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return said.replace(" ", "\N{NO-BREAK SPACE}")
