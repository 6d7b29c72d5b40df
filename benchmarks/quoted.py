"""Numbers in prose, held against the records that they are quoted from.

A number says where it comes from in a comment behind it, which the rendered page does not show:

    goes 97% <!-- = credit_ablation/split_negotiation | credited | share of the way to J* | mean -->
    of the way, to 0.94 [0.91, 0.96] <!-- = ... | mean interval -->; .77 <!-- from the paper -->

The statistic is one of ``mean``, ``median``, ``low``, ``high`` (smallest and largest value),
``first`` (that of the first seed), or ``interval``, two numbers, or ``mean interval``, three. A
number stands for the record's if that, written with as many decimals, is it. Of a row of the
leaderboard the domain is the group, and a score the quantity: ``leaderboard/agents/sepo-joint |
kuhn_poker | exploitability | mean``. A page with the
comment `ALL` has no decimal and no percentage without a source outside of code and links.

``python -m benchmarks.quoted`` tells what is wrong on the project's pages (exit status 1 if
anything); ``--write`` first puts the numbers of the records, as they are now, in place of those
that are quoted. What the words around them say is for somebody to read again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.certificate import ROOT
from benchmarks.command_line import BenchmarkError, guarded
from benchmarks.leaderboard.records import Exploitability, load_agent
from benchmarks.records import RESULTS, Measure, load

ALL: Final = "<!-- every number has its source -->"
COMMENT: Final = re.compile(r"<!--\s*(=|from)\s+(.*?)\s*-->", re.DOTALL)
NUMBER: Final = re.compile(r"(?<![\w.])[-+\N{MINUS SIGN}]?(?:\d[\d,]*)?\.?\d+(?:\s?%)?")
ROWS: Final = "leaderboard/agents/"
NOT_PROSE: Final = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)


def main(arguments: Sequence[str]) -> None:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.quoted",
        description=(__doc__ or "").splitlines()[0],
        allow_abbrev=False,
    )
    made.add_argument("--write", action="store_true", help="first make them those of the records")
    made.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="of records")
    made.add_argument(
        "page", type=Path, nargs="*", default=pages(), help="Markdown (all of the project's)"
    )
    given = made.parse_args(arguments)
    if missing := [path for path in given.page if not path.is_file()]:
        raise BenchmarkError(f"there is no page {missing[0]}. Name none, and all are read.")
    wrong = []
    for path in given.page:
        page = path.read_text()
        if given.write and (anew := as_recorded(page, given.results)) != page:
            path.write_text(anew)
            print(f"{path} is written anew.")
            page = anew
        wrong += [f"{path}: {mistake}" for mistake in mistakes(page, given.results)]
    if wrong:
        sys.exit("\n".join(wrong))
    print("Every number that is quoted is its record's.")


def pages() -> list[Path]:
    """The project's own."""
    return sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md"))


def mistakes(page: str, results: Path) -> list[str]:
    """What is wrong in ``page``, a sentence each: numbers that are not their record's, sources that
    are not there and, where `ALL` is asked for, numbers without a source."""
    found = []
    for numbers, comment in _said(page):
        said = [number[0] for number in numbers]
        values: list[float] = []
        if comment and comment[1] == "=":
            try:
                values = quoted(comment[2], results)
            except ValueError as error:
                found.append(str(error))
                continue
            quotes = said[-len(values) :]
            agree = len(quotes) == len(values) and all(
                written(value, like=quote) == plain(quote)
                for value, quote in zip(values, quotes, strict=True)
            )
            if not agree:
                told = ", ".join(f"{value:.6g}" for value in values)
                claimed = " ".join(quotes) or "no number"
                found.append(f"{claimed} is said to be {comment[2]}: {told}.")
        elif comment:
            continue
        if ALL in page:
            found += _unsourced(said[: len(said) - len(values)])
    return found


def as_recorded(page: str, results: Path) -> str:
    """``page`` with the records' numbers in place of those quoted, written as those are. A source
    that is not there, or that has more numbers than are said, changes nothing."""
    parts, at = [], 0
    for numbers, comment in _said(page):
        if not comment or comment[1] != "=":
            continue
        try:
            values = quoted(comment[2], results)
        except ValueError:
            continue
        if len(numbers) >= len(values):
            for number, value in zip(numbers[-len(values) :], values, strict=True):
                parts += [page[at : number.start()], _styled(value, like=number[0])]
                at = number.end()
    return "".join((*parts, page[at:]))


def _said(page: str) -> Iterator[tuple[list[re.Match[str]], re.Match[str] | None]]:
    """The numbers up to each comment, with it; and those behind the last, with none."""
    text = NOT_PROSE.sub(lambda code: " " * len(code[0]), page.replace(ALL, " " * len(ALL)))
    at = 0
    for place in COMMENT.finditer(text):
        # What is code in the prose may be a name in a source, so that is read from the page itself.
        comment = COMMENT.match(page, place.start())
        yield list(NUMBER.finditer(text, at, place.start())), comment
        at = place.end()
    yield list(NUMBER.finditer(text, at)), None


def quoted(source: str, results: Path) -> list[float]:
    """The numbers that ``record | group | quantity | statistic`` names.

    Raises:
        ValueError: there is no such number.
    """
    parts = [part.strip() for part in source.split("|")]
    if len(parts) != 4:
        raise ValueError(f"{source!r} is no source: write record | group | quantity | statistic.")
    name, group, quantity, statistic = parts
    path = results / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"{source!r}: there is no record {path.name} in {path.parent.name}.")
    if name.startswith(ROWS):
        return _of_a_row(path, source, group, quantity, statistic)
    measures = load(path).measures
    if group not in measures:
        raise ValueError(f"{source!r}: the record has no {group!r}, but {', '.join(measures)}.")
    if quantity not in measures[group]:
        known = ", ".join(measures[group])
        raise ValueError(f"{source!r}: {group} has no {quantity!r}, but {known}.")
    values = _statistic(measures[group][quantity], statistic)
    if values is None or None in values:
        raise ValueError(f"{source!r}: there is no {statistic!r}.")
    return [value for value in values if value is not None]


def _of_a_row(path: Path, source: str, domain: str, score: str, statistic: str) -> list[float]:
    """Of the leaderboard: the value, its interval, or both."""
    domains = load_agent(path).domains
    if domain not in domains:
        raise ValueError(f"{source!r}: the row has no {domain!r}, but {', '.join(domains)}.")
    found = getattr(domains[domain], score, None)
    if isinstance(found, Exploitability):
        found = (found.value, found.low, found.high)
    if not isinstance(found, tuple):
        raise ValueError(f"{source!r}: there is no such number.")
    picks = {"mean": slice(0, 1), "interval": slice(1, 3), "mean interval": slice(0, 3)}
    numbers = found[picks.get(statistic, slice(0))]
    if not numbers or None in numbers:
        raise ValueError(f"{source!r}: there is no such number.")
    return list(numbers)


def _statistic(found: Measure, name: str) -> list[float | None] | None:
    ends: list[float | None] = [None, None]
    if found.interval:
        ends = [found.interval.low, found.interval.high]
    known: dict[str, list[float | None]] = {
        **{"mean": [found.mean], "median": [found.median], "low": [found.low]},
        **{
            "high": [found.high],
            "first": [found.values[0]],
            "interval": ends,
            "mean interval": [found.mean, *ends],
        },
    }
    return known.get(name)


def written(value: float, *, like: str) -> str:
    """``value`` with the decimals, and in per cent if so, of a number in prose, without its signs.

    >>> written(0.97444, like="97.4 %"), written(-0.5, like="-.50"), written(1234.4, like="1,234")
    ('97.4', '-0.50', '1234')
    """
    digits = plain(like).partition(".")[2]
    rounded = f"{value * (100 if '%' in like else 1):.{len(digits)}f}"
    return rounded if float(rounded) else rounded.lstrip("-")


def plain(number: str) -> str:
    """A number in prose as Python writes it.

    >>> plain("+1,234.50 %"), plain("-.5")
    ('1234.50', '-0.5')
    """
    bare = re.sub(r"[,+%\s]", "", number).replace("\N{MINUS SIGN}", "-")
    return re.sub(r"^(-?)\.", r"\g<1>0.", bare)


def _styled(value: float, *, like: str) -> str:
    """``value`` as ``like`` is written, signs and all.

    >>> _styled(0.974, like="98 %"), _styled(1234.5, like="+1,000.0"), _styled(-0.25, like=".50")
    ('97 %', '+1,234.5', '-.25')
    """
    number = written(value, like=like)
    sign = "-" if number.startswith("-") else "+" if like.startswith("+") else ""
    whole, point, digits = number.lstrip("-").partition(".")
    if "," in like:
        whole = f"{int(whole):,}"
    if like.lstrip("-+\N{MINUS SIGN}").startswith(".") and whole == "0":
        whole = ""
    if "\N{MINUS SIGN}" in like:
        sign = sign.replace("-", "\N{MINUS SIGN}")
    bare = like.rstrip("%").rstrip()
    return f"{sign}{whole}{point}{digits}{like.removeprefix(bare)}"


def _unsourced(numbers: list[str]) -> list[str]:
    return [
        f"{number.strip()} has no source." for number in numbers if "." in number or "%" in number
    ]


if __name__ == "__main__":
    sys.exit(guarded(main, "benchmarks.quoted"))
