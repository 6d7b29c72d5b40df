"""What a new record may write over: nothing that holds more, unless that is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from benchmarks.leaderboard.agents import AgentError
from benchmarks.leaderboard.records import (
    Who,
    agent_path,
    cross_play_path,
    load_agent,
    load_cross_play,
)


def check_row(given: argparse.Namespace, row: Who, domains: Collection[str]) -> None:
    """Hold a row that is about to be made, in these domains, against the one that is there.

    Raises:
        AgentError: that one is of another agent, of more episodes or of more domains.
    """
    path = agent_path(row.name, given.board)
    if given.replace or not path.exists():
        return
    old = load_agent(path)
    more = [name for name in old.domains if name not in domains]
    if old.agent.spec != row.spec:
        _refuse(path, f"is of {old.agent.spec!r}, and this is {row.spec!r}")
    if old.episodes > given.episodes:
        _refuse(path, _fewer(old.episodes, given.episodes))
    if more:
        _refuse(path, f"also holds {', '.join(more)}")


def check_round_robin(given: argparse.Namespace, domain: str, names: Collection[str]) -> None:
    """`check_row`, of the cross-play in ``domain`` of the agents of these names.

    Raises:
        AgentError: what is there is of more episodes or of more agents.
    """
    path = cross_play_path(domain, given.board)
    if given.replace or not path.exists():
        return
    old = load_cross_play(path)
    more = [who.name for who in old.agents if who.name not in names]
    if old.episodes > given.episodes:
        _refuse(path, _fewer(old.episodes, given.episodes))
    if more:
        _refuse(path, f"also ranks {', '.join(more[:4])}{' and others' if more[4:] else ''}")


def _fewer(there: int, here: int) -> str:
    return f"is of {there:,} episodes against each opponent, and this is of {here:,}"


def _refuse(path: Path, why: str) -> None:
    raise AgentError(
        f"{path} {why}. Keep this in a board of its own, --board DIR, or write over that one with "
        "--replace."
    )
