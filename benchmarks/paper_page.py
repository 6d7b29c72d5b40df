"""The page of `benchmarks.paper_table`: its tables with pictures, as Markdown and as HTML.

Everything here is a function of records: the same records, the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from benchmarks import plots
from benchmarks.arm_records import TRIAL, WAY
from benchmarks.arms import CREDITED
from benchmarks.paper_tables import (
    Table,
    as_printed,
    beside,
    in_order,
    named,
    number,
    published,
    reached,
    summary,
)
from benchmarks.records import Record
from sepo_envs.catalogue import domain
from sepo_trainer.runs.report.plots import COLORS

TITLE: Final = "SEPO on every domain, in miniature"
TEMPLATE: Final = Path(__file__).with_name("paper_page.html.jinja")


class Section(NamedTuple):
    """One domain, of a policy of its own or of the joint one."""

    name: str
    title: str
    lead: str
    pictures: tuple[plots.Drawn, ...]
    tables: tuple[Table, ...]


def files(records: Mapping[str, Record], optima: Mapping[str, float]) -> dict[str, str]:
    """Every file of the page, by name.

    Args:
        records: of the studies, by name; at least one.
        optima: J* by game.
    """
    best = {
        name: optima.get(record.game.id) if WAY in record.measures[CREDITED] else None
        for name, record in records.items()
    }
    sections = [section(name, record, best[name]) for name, record in records.items()]
    summaries = [summary(records, best), reached(records), published()]
    drawn = {f"{picture.name}.svg": picture.file for each in sections for picture in each.pictures}
    return {
        "tables.md": _markdown(summaries, sections, records),
        "page.html": _page(summaries, sections, records),
        **drawn,
    }


def section(name: str, record: Record, best: float | None) -> Section:
    """The pictures and tables of one record; ``best`` is J*, if it is known."""
    kind = domain(record.game.id)
    weights = kind.harms.published
    parts = [
        f"s = {weights.scale:g}, lambda_e = {weights.exploitability:g}",
        *([] if kind.zero_sum else [f"lambda_c = {weights.collusion:g}"]),
        *([] if kind.zero_sum else [f"lambda_x = {weights.externality:g}"]),
    ]
    lead = (
        f"J* = {number(best, '{:.3f}')}; J and SAFETY at {', '.join(parts)}; "
        f"{len(record.seeds)} {'seed' if len(record.seeds) == 1 else 'seeds'}."
    )
    return Section(
        name,
        named(name),
        lead,
        (
            plots.objectives(
                record, [arm for arm, _ in in_order(record)], f"{name}-objective", best
            ),
            plots.learning_curves(record, f"{name}-curves", best),
        ),
        (as_printed(record), beside(record)),
    )


def _markdown(
    summaries: Sequence[Table], sections: Sequence[Section], records: Mapping[str, Record]
) -> str:
    warning = [f"**{TRIAL}**"] if _of_trials(records) else []
    parts = [f"# {TITLE}", *warning, READING, *map(_md_table, summaries)]
    for each in sections:
        parts += [f"## {each.title}", each.lead]
        parts += [f"![{picture.says}]({picture.name}.svg)" for picture in each.pictures]
        parts += map(_md_table, each.tables)
        parts += _about(records[each.name], code="`{}`".format)
    return "\n\n".join(parts) + "\n"


def _md_table(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    cells = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{cells}\n\n{table.caption}"


def _page(
    summaries: Sequence[Table], sections: Sequence[Section], records: Mapping[str, Record]
) -> str:
    def about(name: str) -> list[Markup]:
        told = _about(records[name], code=lambda text: f"<code>{escape(text)}</code>")
        return [Markup(text) for text in told]

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    return template.render(
        title=TITLE,
        warning=TRIAL if _of_trials(records) else "",
        reading=READING,
        colors=COLORS,
        summaries=summaries,
        sections=[
            {
                "name": each.name,
                "title": each.title,
                "lead": each.lead,
                "pictures": [
                    {"says": picture.says, "svg": Markup(picture.inline)}
                    for picture in each.pictures
                ],
                "tables": each.tables,
                "about": about(each.name),
            }
            for each in sections
        ],
    )


READING: Final = (
    "A tiny language model, trained through text on each domain under every arm, from the same "
    "warm starts; all numbers are of final policies, and brackets hold 95 % bootstrap intervals "
    "over seeds, which are too short for so few of them. In Kuhn poker u, e and J are exact; "
    "elsewhere all is by play on fresh deals. What is not defined in a game, or was not computed, "
    "is a dash, and never 0."
)


def _of_trials(records: Mapping[str, Record]) -> bool:
    """Whether some of the numbers mean nothing."""
    return any(TRIAL in record.notes for record in records.values())


def _about(record: Record, *, code: Callable[[str], str]) -> list[str]:
    """How the numbers came about; what is not code is plain text without markup."""
    made = record.certificate
    state = " with changes that were not committed" if made.dirty else ""
    took = number(made.wall_seconds, "{:,.0f}")
    return [
        " ".join(record.notes),
        f"Commit {made.commit[:10]}{state}, {made.date:%Y-%m-%d}; {made.hardware.cpu}, "
        f"{made.hardware.cores} cores; {took} s of processes, {made.jobs} at once, at most "
        f"{number(made.peak_memory_mib, '{:,.0f}')} MiB each.",
        code(made.command),
    ]
