"""Files of episodes: one JSON line each, and every line is played again when it is read.

A line is what `Episode.save` returns and, under ``about``, whatever its writer wants to tell: the
players' names, the seed. The moves are the episode; all that follows from them, such as penalties,
is worked out again by whoever reads them, so nothing in a file has to be believed.

>>> from sepo_envs.episode import begin
>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
>>> from tempfile import mkdtemp
>>> file = Path(mkdtemp(), "matches.jsonl")
>>> episode = begin(KuhnPoker())
>>> for move in (Card.KING, Card.JACK, Move.BET, Move.PASS):
...     episode = episode.play(move)
>>> append(file, episode, {"players": ["nash", "uniform"], "seed": 7})
>>> [replay] = read(file)
>>> replay.episode == episode, replay.about["players"]
(True, ['nash', 'uniform'])

Source of the format: https://jsonlines.org.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from sepo_envs.catalogue import CATALOGUE, Domain, domain
from sepo_envs.episode import Episode, check_form, restore

LONGEST_LINE: Final = 1_000_000
"""Bytes. The longest match that anybody plays takes a tenth of it."""
LARGEST_OPTION: Final = 100_000
"""Larger numbers among a game's options would make a stranger's file a way to fill the memory."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One line of a file, played again."""

    line: int
    """Its number in the file, from 1."""
    domain: Domain
    episode: Episode
    about: Mapping[str, Any]
    """What the writer told beside the moves. Nobody has checked it."""


class ReplayError(ValueError):
    """A line that is no replay. The message says where it is, what is wrong and how to mend it."""


def append(path: Path | str, episode: Episode, about: Mapping[str, Any] | None = None) -> None:
    """Add ``episode`` to the file, which is made if need be; it is on disk when this returns.

    A last line without its end, whose writer was cut short, is ended first, so that it spoils no
    other; `check` names it.
    """
    file, added = Path(path), line(episode, about)
    with file.open("ab") as end:
        end.write(("\n" + added if _cut_short(file) else added).encode())


def line(episode: Episode, about: Mapping[str, Any] | None = None) -> str:
    """What `append` adds, with its line break, for whoever writes a whole file at once."""
    bare = json.dumps(episode.save(), separators=(",", ":")) + "\n"
    return telling(bare, about) if about else bare


def telling(bare: str, about: Mapping[str, Any]) -> str:
    """A line that tells nothing yet, as `line` makes it, with something to tell."""
    told = json.dumps(dict(about), separators=(",", ":"))
    return bare.removesuffix("}\n") + f',"about":{told}}}\n'


def check_appendable(path: Path | str) -> None:
    """Refuse a file that `append` could not add to, before anything is played for it.

    Raises:
        OSError: it cannot be written: its folder is missing, say, or it is a folder itself.
        ValueError: it is there and holds something else than episodes, or cannot be read back.
    """
    file = Path(path)
    if file.is_dir() or not file.exists():
        file.open("xb").close()
        file.unlink()
        return
    if not file.is_file():
        raise ValueError(
            f"{file} is no ordinary file, so that nothing saved there is kept. Name a file."
        )
    file.open("ab").close()
    with file.open("rb") as content:
        records = (_is_record(line) for line in _lines(content) if line.strip())
        foreign = not next(records, True) and not any(records)
    if foreign:
        raise ValueError(
            f"{file} is there, and no line of it is an episode; nothing is added to a file of "
            "something else. Name another file."
        )


def read(path: Path | str, domains: Mapping[str, Domain] = CATALOGUE) -> Iterator[Replay]:
    """Every episode of the file, one at a time, however large it is.

    Args:
        domains: by name, the games to play them with.

    Raises:
        ReplayError: a line is no replay. `check` goes on behind it.
        OSError: there is no such file.
    """
    for found in check(path, domains):
        if isinstance(found, ReplayError):
            raise found
        yield found


def check(
    path: Path | str, domains: Mapping[str, Domain] = CATALOGUE
) -> Iterator[Replay | ReplayError]:
    """As `read`, but wrong lines are among the results and the lines after them too."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(_lines(file), 1):
            if not line.strip():
                continue
            try:
                yield _replay(line, number, domains)
            except ValueError as error:
                wrong = ReplayError(f"{path}:{number}: {error}")
                wrong.__cause__ = error
                yield wrong


def _cut_short(file: Path) -> bool:
    """Whether the last line lacks its line break."""
    if not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as content:
        content.seek(-1, os.SEEK_END)
        return content.read() != b"\n"


def _is_record(line: bytes) -> bool:
    """Whether it has the form of an episode, whatever its game."""
    try:
        check_form(json.loads(line))
    except (ValueError, RecursionError):
        return False
    return True


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Each line; of one that is too long only its beginning, too long as well."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line


def _replay(line: bytes, number: int, domains: Mapping[str, Domain]) -> Replay:
    if len(line) > LONGEST_LINE:
        raise ValueError(
            f"the line is longer than {LONGEST_LINE:,} bytes, and no episode is. "
            "Write one episode a line, each ended by a line break."
        )
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else " It has no line break, so its writer was cut short."
        raise ValueError(
            f"the line is no JSON ({error}).{cut} Delete it, or write it again with "
            "sepo_envs.replays.append."
        ) from error
    check_form(record)
    about = record.get("about", {})
    if not isinstance(about, dict):
        raise ValueError(
            f"about is a {type(about).__name__}; it must be a dictionary, or be left out."
        )
    found = _domain(record["game"], domains)
    return Replay(number, found, restore(_game(found, record["options"]), record), about)


def _domain(name: str, domains: Mapping[str, Domain]) -> Domain:
    if name in domains:
        return domains[name]
    try:
        return domain(name)
    except ValueError as error:
        raise ValueError(
            f"{error} A game of your own is passed in domains, or named by "
            "`replay FILE --game package.module:NAME`."
        ) from error


def _game(found: Domain, options: dict[str, Any]) -> Any:
    for name, value in options.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(n, int | float) and abs(n) > LARGEST_OPTION for n in numbers):
            raise ValueError(
                f"option {name} goes beyond {LARGEST_OPTION:,}, and is refused because a game of "
                "that size may not fit into memory. Restore the record yourself if you trust it."
            )
    try:
        return found.make(**options)
    except TypeError as error:
        raise ValueError(
            f"{found.name} cannot be made with options {options}: {error}. "
            "The record was edited, or saved by another version."
        ) from error
