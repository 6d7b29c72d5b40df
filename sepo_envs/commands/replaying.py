"""Read a replay file: play every line again, and tell what happened.

Without --episode, one row for each line; what is no replay is told on stderr by file and line,
and the exit status is 1. With it, that line's episode move by move.

examples:
  python -m sepo_envs replay matches.jsonl
  python -m sepo_envs replay matches.jsonl --episode 3
  python -m sepo_envs replay matches.jsonl --episode 3 --picture end.png
  python -m sepo_envs replay mine.jsonl --game my_package.nim:NIM
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from sepo_envs import replays
from sepo_envs.catalogue import CATALOGUE, Domain
from sepo_envs.commands.outcome import outcome
from sepo_envs.commands.targets import UsageError, as_usage, named_domain
from sepo_envs.episode import begin
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Move
from sepo_envs.replays import Replay, ReplayError

SUMMARY = "what happened in a file of episodes, verified"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="JSON lines, as `play --save` writes them")
    parser.add_argument("--episode", metavar="LINE", type=int, help="show the one in this line")
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="draw how it stands at its end, as a .png say"
    )
    parser.add_argument(
        "--game",
        metavar="MODULE:NAME",
        action="append",
        default=[],
        help="a Domain of your own that the file may hold; may be given several times",
    )


def run(given: argparse.Namespace) -> int:
    domains = CATALOGUE | {own.name: own for own in map(named_domain, given.game)}
    if given.episode is None and given.picture is None:
        return table(given.file, domains)
    replay = chosen(given.file, given.episode, domains)
    if given.picture is not None:
        with as_usage(ImportError, ValueError):
            replay.domain.draw(replay.episode.game, replay.episode.state).save(given.picture)
        print(f"{given.picture} shows line {replay.line} of {given.file}")
    if given.episode is not None:
        print("\n".join(story(replay)))
    return 0


def table(file: Path, domains: Mapping[str, Domain]) -> int:
    """Print one row per line; the exit status."""
    form = "{:>5}  {:<18} {:<32} {:>5}  {:>5}  {}"
    file.open("rb").close()  # what cannot be read is told before the heading
    print(form.format("line", "game", "players", "moves", "fouls", "returns"))
    good = wrong = 0
    for found in replays.check(file, domains):
        if isinstance(found, ReplayError):
            wrong += 1
            print(found, file=sys.stderr)
            continue
        good += 1
        episode = found.episode
        moves = sum(entry.actor != CHANCE for entry in episode.entries)
        returns = ", ".join(f"{points:+g}" for points in episode.returns)
        ended = returns if episode.actor is None else f"{returns} so far, not over"
        who = ", ".join(names(found))
        print(form.format(found.line, found.domain.name, who, moves, sum(episode.fouls), ended))
    told = f"{good} episode{'' if good == 1 else 's'} verified by playing every move again"
    print(told + (f", {wrong} wrong line{'' if wrong == 1 else 's'}." if wrong else "."))
    return 1 if wrong else 0


def chosen(file: Path, line: int | None, domains: Mapping[str, Domain]) -> Replay:
    """The episode in that line; the only one of the file if no line is given.

    Raises:
        UsageError: there is no episode in that line, or there are several to choose from.
    """
    kept: list[Replay] = []
    for found in replays.check(file, domains):
        if isinstance(found, ReplayError):
            if line is None or str(found).startswith(f"{file}:{line}: "):
                raise UsageError(str(found))
        elif line in (None, found.line):
            kept.append(found)
        if line is None and len(kept) > 1:
            raise UsageError(f"{file} holds several episodes. Choose one: --episode LINE.")
        if line is not None and kept:
            break
    if not kept:
        which = "no episode" if line is None else f"no episode in line {line}"
        raise UsageError(f"{file} holds {which}. See them all: python -m sepo_envs replay {file}")
    return kept[0]


def names(replay: Replay) -> list[str]:
    """Who sat in each seat, as far as the file tells; what cannot be printed is a ``?``."""
    seats, told = replay.episode.game.seats, replay.about.get("players")
    if isinstance(told, list) and len(told) == seats:
        return ["".join(c if c.isprintable() else "?" for c in str(name)[:30]) for name in told]
    return [f"player_{seat}" for seat in range(seats)]


def story(replay: Replay) -> Iterator[str]:
    """What each entry did, followed by the lines of the open table that it changed."""
    game = replay.episode.game
    words, who = replay.domain.words(game), names(replay)
    options = ", ".join(f"{k}={v}" for k, v in replay.episode.save()["options"].items())
    yield f"line {replay.line}: {replay.domain.name} ({options}), {' against '.join(who)}"
    episode, shown = begin(game), set(words.show(game.start()).splitlines())
    for number, (actor, move) in enumerate(replay.episode.entries, 1):
        if actor == CHANCE:
            told = f"chance: {_name(move)}"
        else:
            said = "forfeit" if move is FORFEIT else words.say(move, episode.state, actor)
            told = f"player_{actor} ({who[actor]}): {said}"
        yield f"{number:>4}  {told}"
        episode = episode.play(move)
        lines = words.show(episode.state).splitlines()
        yield from (f"        {line}" for line in lines if line not in shown)
        shown = set(lines)
    yield ""
    yield outcome(replay.domain, episode, who)


def _name(outcome: Move | Forfeit) -> str:
    """What chance said: an enum's name in small letters, or the number or vector itself."""
    return outcome.name.lower().replace("_", " ") if isinstance(outcome, Enum) else str(outcome)
