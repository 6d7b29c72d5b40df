"""`tables`: the leaderboard as Markdown, made from its records and from nothing else.

The whole of it stands in benchmarks/README.md, between two markers, and a short one in the README
of the project; ``--check`` only says whether both are as the records are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Console

from benchmarks.certificate import ROOT
from benchmarks.command_line import written
from benchmarks.leaderboard.records import (
    OVERALL,
    AgentRecord,
    CrossPlay,
    Exploitability,
    Measured,
    Score,
    load_board,
)
from benchmarks.readme import table, with_tables
from sepo_envs.catalogue import CATALOGUE

BEGIN: Final = "<!-- leaderboard: begin, written by `python -m benchmarks.leaderboard tables` -->"
END: Final = "<!-- leaderboard: end -->"
LONG: Final = ROOT / "benchmarks" / "README.md"
SHORT: Final = ROOT / "README.md"
DASH: Final = "-"
NOTHING: Final = "No records yet."
MOST_MISSED: Final = 1
"""Domains that an agent of the short table may lack."""

LEGEND: Final = (
    "Brackets hold 95 % intervals over deals, and in a row of several trainings over these. "
    "SAFETY is at the printed weights, which its page names, with the harms of the paper's "
    "definitions and, as *econ*, with the economist's. Exploitability is in points per episode: "
    "exact, or, with a +, at least this (a certified lower bound), or, with a ~, as far as replies "
    "could be read. A rating compares agents of one table only: Bradley-Terry over all matches "
    "between them, where who earns more wins. A dash: not defined, and the record says why. "
    "The pool in which an agent stands itself is named behind it."
)


class Ranked(NamedTuple):
    """One row of a domain's table."""

    name: str
    score: Score
    rating: Measured | None


def main(given: argparse.Namespace, console: Console) -> None:
    """Write both tables, or check them.

    Raises:
        SystemExit: one is stale.
    """
    agents, met = load_board(given.board)
    pages = {given.long: whole(agents, met), given.short: short(agents)}
    texts = {
        page: with_tables(page.read_text(), made, page, begin=BEGIN, end=END)
        for page, made in pages.items()
    }
    anew = written(texts, check=given.check, command="python -m benchmarks.leaderboard tables")
    console.print(f"The tables are {'written anew' if anew else 'as the records are'}.")


def whole(agents: Sequence[AgentRecord], met: Sequence[CrossPlay]) -> str:
    """A table for each domain, the best SAFETY first."""
    if not agents:
        return NOTHING
    ratings = {record.domain: {one.name: one.rating for one in record.ratings} for record in met}
    parts = []
    for name in CATALOGUE:
        rows = ranked(name, agents, ratings.get(name, {}))
        if rows:
            parts += [f"### {title(name)}", table(HEAD, [_row(row) for row in rows])]
    overall = next((record for record in met if record.domain == OVERALL), None)
    if overall is not None:
        parts += ["### Over all domains", _overall(overall)]
    return "\n\n".join([LEGEND, *parts, *_certificates(agents, met)])


def short(agents: Sequence[AgentRecord]) -> str:
    """SAFETY of the agents that play all domains, or nearly all."""
    few = [one for one in agents if len(one.domains) >= len(CATALOGUE) - MOST_MISSED]
    if not few:
        return NOTHING
    rows = [
        (
            one.agent.name,
            *(
                interval(one.domains[name].safety) if name in one.domains else DASH
                for name in CATALOGUE
            ),
        )
        for one in few
    ]
    return table(("SAFETY [95 %]", *map(title, CATALOGUE)), rows)


HEAD: Final = (
    *("agent", "SAFETY [95 %]", "econ", "exploitability", "u", "e", "c", "x"),
    *("held-out payoff", "NRA", "focal", "background", "fouls", "rating [95 %]"),
)


def ranked(name: str, agents: Sequence[AgentRecord], ratings: dict[str, Measured]) -> list[Ranked]:
    """The agents of a domain, the best SAFETY first; those without one last."""
    rows = [
        Ranked(one.agent.name, one.domains[name], ratings.get(one.agent.name))
        for one in agents
        if name in one.domains
    ]
    return sorted(rows, key=lambda row: (-_value(row.score.safety), row.name))


def interval(found: Measured | None, form: str = "{:+.3f}") -> str:
    """
    >>> interval((0.25, 0.125, 0.375)), interval((0.5, None, None)), interval("no such pool")
    ('+0.250 [+0.125, +0.375]', '+0.500', '-')
    """
    if found is None or isinstance(found, str):
        return DASH
    value, low, high = found
    ends = "" if low is None or high is None else f" [{form.format(low)}, {form.format(high)}]"
    return form.format(value) + ends


def title(name: str) -> str:
    """
    >>> title("kuhn_poker"), title("prisoners_dilemma")
    ('Kuhn poker', "Prisoner's dilemma")
    """
    return name.replace("prisoners", "prisoner's").replace("_", " ").capitalize()


def _row(row: Ranked) -> tuple[str, ...]:
    score = row.score
    econ = score.also.get("econ")
    pools = f" ({', '.join(score.stands_in)})" if score.stands_in else ""
    return (
        f"[{row.name}](results/leaderboard/agents/{row.name}.json){pools}",
        interval(score.safety),
        DASH if econ is None else interval(econ.safety),
        _exploitability(score.exploitability),
        *(interval(found, "{:.3f}") for found in (score.u, score.e, score.c, score.x)),
        interval(score.held_out, "{:.3f}"),
        interval(score.overall.nra, "{:.3f}"),
        interval(score.overall.focal, "{:.3f}"),
        interval(score.overall.background, "{:.3f}"),
        interval(score.overall.foul_rate, "{:.1%}"),
        interval(row.rating, "{:+.0f}"),
    )


def _exploitability(found: Exploitability | str) -> str:
    if isinstance(found, str):
        return DASH
    if found.kind == "exact" and found.low == found.high:
        return f"{found.value:.4f}"
    before = "~" if found.kind == "not exact" else ""
    after = "+" if found.kind == "lower bound" else ""
    return f"{before}{found.value:.3f}{after} [{found.low:.3f}, {found.high:.3f}]"


def _overall(record: CrossPlay) -> str:
    rows = [
        (one.name, interval(one.rating, "{:+.0f}"), interval(one.rank, "{:g}"))
        for one in record.ratings
    ]
    return table(("agent", "rating [95 %]", "rank [95 %]"), rows)


def _certificates(agents: Sequence[AgentRecord], met: Sequence[CrossPlay]) -> list[str]:
    """How the records came about, each command once."""
    lines = {}
    for made in (*(one.certificate for one in agents), *(one.certificate for one in met)):
        commit = made.commit if made.commit == "unknown" else made.commit[:10]
        dirty = " with changes that were not committed" if made.dirty else ""
        machine = made.hardware
        lines[made.command, made.date] = (
            f"- `{made.command}`: commit {commit}{dirty}, {made.date:%Y-%m-%d}; {machine.cpu}, "
            f"{machine.cores} cores; {made.wall_seconds or 0:,.0f} s with {made.jobs} at once."
        )
    return ["\n".join(lines.values())]


def _value(found: Measured) -> float:
    return float("-inf") if isinstance(found, str) else found[0]
