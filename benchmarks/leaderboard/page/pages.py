"""The page of the leaderboard, from records alone: the same records, the same bytes.

Readable without JavaScript; with it, tables sort and rows are filtered, by `page.js`, the only
script that the page's policy lets a browser run. Everything that comes from a record is escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.certificate import Certificate
from benchmarks.leaderboard.page.agent_sections import section
from benchmarks.leaderboard.page.columns import (
    COLUMNS,
    MAIN,
    MEASURES,
    MORE,
    RANK,
    RANK_SAYS,
    RATING,
    RATING_SAYS,
    SAFETY,
)
from benchmarks.leaderboard.page.matrices import Matrix, matrices
from benchmarks.leaderboard.page.shown import MINUS
from benchmarks.leaderboard.page.tables import Table, domain_table, overall_table
from benchmarks.leaderboard.records import OVERALL, AgentRecord, CrossPlay, Score
from benchmarks.leaderboard.tables import title
from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.runs.report.plots import COLORS

FOLDER: Final = Path(__file__).parent
NBSP: Final = "\N{NO-BREAK SPACE}"
TITLE: Final = "Leaderboard of strategic safety"

MOST_NAMED: Final = 8
"""Rows that one command made; of more the page says how many, as each agent names its own."""


class DomainSection(NamedTuple):
    """One domain: its rules, its tables, its cross-play."""

    name: str
    title: str
    agents: int
    options: str
    weights: str
    tables: tuple[Table, ...]
    matrices: tuple[Matrix, ...]


class Came(NamedTuple):
    """How some records came about: one command's certificate."""

    what: str
    certificate: Certificate


def files(agents: Sequence[AgentRecord], cross_plays: Sequence[CrossPlay]) -> dict[str, str]:
    """Every file of the page, by name.

    Raises:
        RecordError: a match of a record cannot be played again.
    """
    return {"page.html": page(agents, cross_plays)}


def page(agents: Sequence[AgentRecord], cross_plays: Sequence[CrossPlay]) -> str:
    """The whole page.

    Raises:
        RecordError: a match of a record cannot be played again.
    """
    agents = sorted(agents, key=lambda record: record.agent.name)
    met = {record.domain: record for record in cross_plays}
    scored = {name for record in agents for name in record.domains}
    titles = {name: title(name) for name in CATALOGUE if name in scored}
    everybody = {
        name: {r.agent.name: r.domains[name] for r in agents if name in r.domains}
        for name in titles
    }
    script = (FOLDER / "page.js").read_text()
    digest = b64encode(sha256(script.encode()).digest()).decode()
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(FOLDER),
    )
    return environment.get_template("page.html.jinja").render(
        title=TITLE,
        colors=COLORS,
        style=Markup((FOLDER / "page.css").read_text()),
        script=Markup(script),
        policy="default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'",
        measures=MEASURES,
        minus=MINUS,
        titles=titles,
        kinds=sorted({record.agent.kind for record in agents}),
        overall=overall_table(agents, met.get(OVERALL), list(titles), SAFETY, title),
        ranked=len(met[OVERALL].agents) if OVERALL in met else 0,
        alone=sum(len(record.domains) == 1 for record in agents) if len(titles) > 1 else 0,
        domains=[_domain(name, agents, met.get(name)) for name in titles],
        sections=[section(record, everybody, titles) for record in agents],
        glossary=_glossary(),
        came=_came(agents, cross_plays),
    )


def _domain(name: str, agents: Sequence[AgentRecord], met: CrossPlay | None) -> DomainSection:
    scores = {r.agent.name: (r, r.domains[name]) for r in agents if name in r.domains}
    first = next(iter(scores.values()))[1]
    ratings = None if met is None else {one.name: one.rating for one in met.ratings}
    called = title(name)
    return DomainSection(
        name,
        called,
        len(scores),
        _options(first),
        _weights(first),
        (
            domain_table(
                scores,
                MAIN,
                ratings,
                key=name,
                caption=f"{called}: every agent, the safest first",
            ),
            domain_table(
                scores,
                MORE,
                None,
                key=f"{name}-more",
                caption=f"{called}: by the profile econ, and against everybody",
            ),
        ),
        () if met is None else matrices(met),
    )


def _options(score: Score) -> str:
    """Of the rules: ``rounds 8, reward 3``; what is off or empty is left out."""
    told = {
        name: value
        for name, value in score.options.items()
        if not (value is None or value is False or value == [])
    }
    return ", ".join(f"{name.replace('_', ' ')} {_said(value)}" for name, value in told.items())


def _said(value: Any) -> str:
    """
    >>> _said(3.0), _said([1, 2]), _said("table")
    ('3', '1 2', 'table')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _weights(score: Score) -> str:
    names = {"scale": "s", "exploitability": "λe", "collusion": "λc", "externality": "λx"}
    return ", ".join(
        f"{names.get(n, n)}{NBSP}={NBSP}{value:g}" for n, value in score.weights.items()
    )


def _glossary() -> list[dict[str, Any]]:
    terms = [
        {
            "key": column.key,
            "head": column.head,
            "says": column.title,
            "formula": column.formula.replace("-", MINUS),
            "anchor": column.anchor,
        }
        for column in COLUMNS.values()
    ]
    for key, head, says in ((RATING, "Rating", RATING_SAYS), (RANK, "Rank", RANK_SAYS)):
        terms.append({"key": key, "head": head, "says": says, "formula": "", "anchor": ""})
    return terms


def _came(agents: Sequence[AgentRecord], cross_plays: Sequence[CrossPlay]) -> list[Came]:
    """One entry for each command, with what it made: names, where they are few."""
    made = [(record.certificate, "", record.agent.name) for record in agents]
    made += [(record.certificate, "cross-play: ", title(record.domain)) for record in cross_plays]
    made.sort(key=lambda one: (one[0].date, one[0].model_dump_json(), *one[1:]))
    came = []
    for (certificate, what), group in groupby(made, key=lambda one: one[:2]):
        names = [name for _, _, name in group]
        few = what != "" or len(names) <= MOST_NAMED
        came.append(Came(what + ", ".join(names) if few else f"{len(names)} agents", certificate))
    return came
