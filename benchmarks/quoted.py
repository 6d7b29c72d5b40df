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
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from benchmarks.leaderboard.records import Exploitability, load_agent
from benchmarks.records import Measure, load

ALL: Final = "<!-- every number has its source -->"
COMMENT: Final = re.compile(r"<!--\s*(=|from)\s+(.*?)\s*-->", re.DOTALL)
NUMBER: Final = re.compile(r"(?<![\w.])[-+\N{MINUS SIGN}]?(?:\d[\d,]*)?\.?\d+(?:\s?%)?")
ROWS: Final = "leaderboard/agents/"
NOT_PROSE: Final = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)


def mistakes(page: str, results: Path) -> list[str]:
    """What is wrong in ``page``, a sentence each: numbers that are not their record's, sources that
    are not there and, where `ALL` is asked for, numbers without a source."""
    found, at = [], 0
    strict = ALL in page
    text = NOT_PROSE.sub(lambda code: " " * len(code[0]), page.replace(ALL, " " * len(ALL)))
    for comment in COMMENT.finditer(text):
        said = NUMBER.findall(text[at : comment.start()])
        at = comment.end()
        if comment[1] == "from":
            continue
        # What is code in the prose may be a name in a source, so that is read from the page itself.
        source = page[comment.start(2) : comment.end(2)]
        try:
            values = quoted(source, results)
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
            found.append(f"{' '.join(quotes) or 'no number'} is said to be {source}: {told}.")
        if strict:
            found += _unsourced(said[: -len(values)])
    return found + (_unsourced(NUMBER.findall(text[at:])) if strict else [])


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


def _unsourced(numbers: list[str]) -> list[str]:
    return [
        f"{number.strip()} has no source." for number in numbers if "." in number or "%" in number
    ]
