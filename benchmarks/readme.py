"""The tables of benchmarks/README.md, made from the records and from nothing else.

``python -m benchmarks.readme`` writes them between the two markers; ``--check`` only says whether
they are as the records are (exit status 1 if not).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.arm_records import arms_of
from benchmarks.command_line import BenchmarkError, guarded, written
from benchmarks.records import RESULTS, Measure, Record, load_all

README = RESULTS.parent / "README.md"
BEGIN = "<!-- records: begin, written by `python -m benchmarks.readme` -->"
END = "<!-- records: end -->"
NOTHING = "No records yet."
DASH = "-"


def main(arguments: Sequence[str]) -> None:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.readme", description=(__doc__ or "").replace("`", "")
    )
    made.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    made.add_argument("--readme", type=Path, default=README, metavar="FILE")
    made.add_argument("--results", type=Path, default=RESULTS, metavar="DIR")
    given = made.parse_args(arguments)
    before = given.readme.read_text() if given.readme.is_file() else ""
    after = with_tables(before, tables(load_all(given.results), given.results), given.readme)
    anew = written({given.readme: after}, check=given.check, command="python -m benchmarks.readme")
    print(f"{given.readme} is {'written anew' if anew else 'as the records are'}.")


def with_tables(text: str, made: str, readme: Path, *, begin: str = BEGIN, end: str = END) -> str:
    """``text`` with ``made`` between its markers.

    Raises:
        BenchmarkError: the markers are missing or not in order.
    """
    head, opened, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not opened or not closed:
        raise BenchmarkError(
            f"{readme} lacks the markers between which the tables go. Put these two lines into it: "
            f"{begin} and {end}"
        )
    return f"{head}{begin}\n\n{made}\n\n{end}{tail}"


def tables(records: Sequence[Record], results: Path = RESULTS) -> str:
    """All tables, one section per benchmark."""
    if not records:
        return NOTHING
    parts = []
    for benchmark in sorted({record.benchmark for record in records}, key=_place):
        mine = [record for record in records if record.benchmark == benchmark]
        parts.append(f"### {benchmark}")
        parts.append(_TABLES.get(benchmark, _every_measure)(mine))
        for record in mine:
            picture = f"{record.benchmark}/{record.name}.svg"
            if (results / picture).is_file():
                parts.append(f"![{record.summary}](results/{picture})")
        parts.append("\n".join(_certificate(record) for record in mine))
    return "\n\n".join(parts)


def _time_to_equilibrium(records: Sequence[Record]) -> str:
    marks = [key for key in records[0].measures["seconds"] if key.startswith("to ")]
    head = (
        *("record", "seeds", "at the start", "final, mean [95 %]", "median", "worst"),
        *(f"seconds {mark}" for mark in marks),
        *("training, s", "whole process, s", "peak, MiB"),
    )
    rows = []
    for record in records:
        ends, seconds = record.measures["exploitability"], record.measures["seconds"]
        rows.append(
            (
                _link(record),
                str(len(record.seeds)),
                _number(ends["start"].mean, "{:.3f}"),
                _with_interval(ends["final"], "{:.4f}"),
                _number(ends["final"].median, "{:.4f}"),
                _number(ends["final"].high, "{:.4f}"),
                *(_reached(seconds[mark]) for mark in marks),
                _number(seconds["training"].median, "{:.0f}"),
                _number(seconds["whole process"].median, "{:.0f}"),
                _number(record.measures["memory"]["peak"].high, "{:.0f}"),
            )
        )
    legend = (
        "Exploitability in points per hand. Seconds are medians over seeds; in brackets how many "
        "seeds reached the mark. Memory is that of the largest process."
    )
    return f"{table(head, rows)}\n\n{legend}"


def _credit_ablation(records: Sequence[Record]) -> str:
    exact = [r for r in records if "exploitability" in r.measures["credited"]]
    played = [r for r in records if r not in exact]
    tables = [_ablation_read(exact)] if exact else []
    tables += [_ablation_played(played)] if played else []
    return "\n\n".join(tables)


def _ablation_played(records: Sequence[Record]) -> str:
    head = (
        *(
            "record",
            "arm",
            "seeds",
            "final J, mean [95 %]",
            "worst",
            "way to J*",
            "u",
            "e",
            "c",
            "x",
        ),
        *("held out", "credited less this arm, J [95 %]"),
    )
    rows = []
    for record in records:
        for arm in arms_of(record):
            found = record.measures[arm]
            paired = record.measures.get(f"credited - {arm}")
            way = found.get("share of the way to J*")
            rows.append(
                (
                    _link(record),
                    arm,
                    str(len(record.seeds)),
                    _with_interval(found["objective"], "{:+.3f}"),
                    _number(found["objective"].low, "{:+.3f}"),
                    _number(way.mean, "{:.0%}") if way else DASH,
                    *(_mean(found, name, "{:.3f}") for name in ("u", "e", "c", "x")),
                    _mean(found, "held-out payoff", "{:.3f}"),
                    _with_interval(paired["objective"], "{:+.3f}") if paired else DASH,
                )
            )
    legend = (
        "Of the final policies on fresh deals, by play; means over seeds. The way to J* leads from "
        "the warm start to the best J of any policy. The last column is paired by seed: above 0, "
        "credited is worth more."
    )
    return f"{table(head, rows)}\n\n{legend}"


def _ablation_read(records: Sequence[Record]) -> str:
    head = (
        *("record", "arm", "seeds", "final exploitability, mean [95 %]", "worst", "J", "u", "e"),
        "credited less this arm, exploitability [95 %]",
    )
    rows = []
    for record in records:
        for arm in arms_of(record):
            found = record.measures[arm]
            paired = record.measures.get(f"credited - {arm}")
            ends = found.get("exploitability")
            rows.append(
                (
                    _link(record),
                    arm,
                    str(len(record.seeds)),
                    _with_interval(ends, "{:.4f}") if ends else DASH,
                    _number(ends.high, "{:.4f}") if ends else DASH,
                    *(_mean(found, name, "{:+.4f}") for name in ("objective", "u")),
                    _mean(found, "e", "{:.4f}"),
                    _with_interval(paired["exploitability"], "{:+.4f}")
                    if paired and "exploitability" in paired
                    else DASH,
                )
            )
    legend = (
        "Of the final policies, exactly; J, u and e are means over seeds. The last column is "
        "paired by seed: below 0, credited ends nearer to equilibrium."
    )
    return f"{table(head, rows)}\n\n{legend}"


def _every_measure(records: Sequence[Record]) -> str:
    head = ("record", "of", "quantity", "median", "range", "n", "unit")
    rows = [
        (
            _link(record),
            group,
            quantity,
            _digits(found.median),
            f"{_digits(found.low)} to {_digits(found.high)}",
            f"{len(found.values)} {found.over}",
            found.unit,
        )
        for record in records
        for group, quantities in record.measures.items()
        for quantity, found in quantities.items()
    ]
    return table(head, rows)


def _optimum(records: Sequence[Record]) -> str:
    quantities = ("J*", "reward alone", "demonstrators", "separation")
    rows = [
        (_link(record), *(_number(record.measures["exact"][q].low, "{:.4f}") for q in quantities))
        for record in records
    ]
    legend = (
        "Exact. Of J*, the lower end of its bracket; separation is (J* - reward alone) / "
        "(J* - demonstrators), the least that the brackets allow."
    )
    return f"{table(('record', *quantities), rows)}\n\n{legend}"


def _recall(records: Sequence[Record]) -> str:
    rows = [
        (_link(record), memory, _number(found["J"].low, "{:.4f}"))
        for record in records
        for memory, found in record.measures.items()
    ]
    legend = "Exact, of one policy for each memory; of J*, the lower end of its bracket."
    return f"{table(('record', 'what is kept of the other bids', 'J'), rows)}\n\n{legend}"


_TABLES: dict[str, Callable[[Sequence[Record]], str]] = {
    "time_to_equilibrium": _time_to_equilibrium,
    "credit_ablation": _credit_ablation,
    "optimum": _optimum,
    "recall": _recall,
}


def _place(benchmark: str) -> tuple[int, str]:
    known = list(_TABLES)
    return (known.index(benchmark) if benchmark in known else len(known), benchmark)


def _certificate(record: Record) -> str:
    """How the record came about, in a list item."""
    made = record.certificate
    commit = made.commit if made.commit == "unknown" else made.commit[:10]
    state = " with changes that were not committed" if made.dirty else ""
    settings = ", ".join(f"{key} = {value}" for key, value in record.settings.items())
    machine = made.hardware
    seeds = f"seeds {record.seeds[0]} to {record.seeds[-1]}"
    lines = [
        f"- **{record.name}**: {record.summary} Settings: {settings or 'the defaults'}; "
        f"{seeds if len(record.seeds) > 1 else f'seed {record.seeds[0]}'}.",
        f"  Commit {commit}{state}, {made.date:%Y-%m-%d}; {machine.cpu}, {machine.cores} cores, "
        f"{machine.memory_gib:g} GiB, on the {machine.device}; threads {made.threads}, "
        f"at once {made.jobs}; took {_number(made.wall_seconds, '{:,.0f}')} s and at most "
        f"{_number(made.peak_memory_mib, '{:,.0f}')} MiB; "
        f"{', '.join(f'{name} {number}' for name, number in made.versions.items())}.",
        *(f"  {note}" for note in record.notes),
        f"  `{made.command}`",
    ]
    return "\n".join(lines)


def _link(record: Record) -> str:
    return f"[{record.name}](results/{record.benchmark}/{record.name}.json)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _with_interval(found: Measure, form: str) -> str:
    mean = _number(found.mean, form)
    if found.interval is None:
        return f"{mean} [{found.no_interval}]"
    return f"{mean} [{form.format(found.interval.low)}, {form.format(found.interval.high)}]"


def _mean(found: Mapping[str, Measure], quantity: str, form: str) -> str:
    return _number(found[quantity].mean, form) if quantity in found else DASH


def _reached(found: Measure) -> str:
    count = sum(value is not None for value in found.values)
    return f"{_number(found.median, '{:.0f}')} ({count}/{len(found.values)})"


def _digits(value: float | None) -> str:
    """Four digits that count, and no power of ten.

    >>> _digits(56084.2), _digits(0.0078291)
    ('56,084', '0.007829')
    """
    return _number(value, "{:,.0f}" if value is not None and abs(value) >= 1e4 else "{:.4g}")


def _number(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)


if __name__ == "__main__":
    sys.exit(guarded(main, "benchmarks.readme"))
