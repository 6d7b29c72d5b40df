"""`submit`: results for others to check, as a folder with the record and every match behind it.

    <folder>/record.json              as `run` writes it
    <folder>/matches/<domain>.jsonl   replays; ``about`` says pool, opponent, seat and deals

`benchmarks.leaderboard.validation` judges such a folder.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks.command_line import BenchmarkError
from benchmarks.leaderboard.agents import SEED, AgentError, agent
from benchmarks.leaderboard.asking import asked
from benchmarks.leaderboard.records import AgentRecord
from benchmarks.leaderboard.run import alone, made_now, named, row_name, who
from benchmarks.leaderboard.sheet import Use
from benchmarks.leaderboard.store import Kept, Store, alike, spoken_as_told
from benchmarks.leaderboard.validation import MATCHES, RECORD, Place
from benchmarks.records import pretty
from sepo_envs.replays import telling


def submit(given: argparse.Namespace, console: Console) -> Path:
    """Score one agent, as `run` does, and pack what came of it into ``given.to``.

    Raises:
        BenchmarkError: it is not one agent, or the folder holds something already.
    """
    what, started = asked(given), perf_counter()
    if len(what.specs) != 1 or SEED in what.specs[0]:
        raise AgentError("a submission is of one agent, one policy: give one --agent.")
    check_empty(given.to)
    name = row_name(what.specs[0], what)
    loaded = agent(what.specs[0], what.ways)
    places: dict[str, dict[Place, Sequence[Kept]]] = defaultdict(dict)

    def keep(name: str, use: Use, kept: Sequence[Kept]) -> None:
        places[name][use.pool, use.opponent, use.seat] = kept

    found = alone(loaded, what, Store(what.home, what.seed), console, keep)
    record = AgentRecord(
        agent=named(who(loaded), name),
        seed=what.seed,
        episodes=what.episodes,
        domains=found,
        not_played={
            name: "it does not play this domain" for name in what.domains if name not in found
        },
        certificate=made_now(perf_counter() - started, given, what),
    )
    pack(record, places, given.to)
    console.print(f"packed into {given.to}; whoever wants to check it runs: ", end="")
    console.print(f"python -m benchmarks.leaderboard validate {given.to}", markup=False)
    return Path(given.to)


def check_empty(folder: Path) -> None:
    """
    Raises:
        BenchmarkError: it holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BenchmarkError(
            f"{folder} is there and not empty. Name a folder that there is not yet."
        )


def pack(
    record: AgentRecord, places: Mapping[str, Mapping[Place, Sequence[Kept]]], to: Path
) -> None:
    """Write a submission.

    Args:
        places: by domain, all matches of the record.

    Raises:
        BenchmarkError: the folder holds something already.
    """
    check_empty(to)
    (to / MATCHES).mkdir(parents=True)
    for name, met in places.items():
        with (to / MATCHES / f"{name}.jsonl").open("w") as file:
            for (pool, opponent, seat), kept in met.items():
                for deals, match in alike(kept):
                    about: dict[str, Any] = {"pool": pool, "opponent": opponent, "seat": seat}
                    about |= {"deals": deals} | spoken_as_told(match.spoken)
                    file.write(telling(match.moves, about))
    (to / RECORD).write_text(pretty(record.model_dump(mode="json")) + "\n")
