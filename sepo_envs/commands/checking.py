"""Check a game or an opponent of your own: does it keep the laws that everything is built on?

Random episodes are played, and at every state each law is tried. What is broken is told with where,
why it matters and how to mend it; then the exit status is 1.

examples:
  python -m sepo_envs check kuhn_poker                       the game, and all opponents on offer
  python -m sepo_envs check my_package.nim:NIM               a Domain
  python -m sepo_envs check my_package.poker:SHARK --game kuhn_poker
  python -m sepo_envs check my_package.poker:OPPONENTS --game kuhn_poker
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from sepo_envs.catalogue import Domain
from sepo_envs.check import Finding, check_domain, check_opponent
from sepo_envs.commands.targets import (
    UsageError,
    add_options,
    as_usage,
    checked_options,
    loaded,
    named_domain,
)
from sepo_envs.find_opponent import checked_opponent, known_opponents

SUMMARY = "does a game or an opponent of your own keep every law?"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="+",
        help="a game's name, or package.module:NAME of a Domain, an opponent, or a mapping of "
        "opponents by name",
    )
    parser.add_argument("--game", help="the game that an opponent plays")
    parser.add_argument("--episodes", type=int, default=50, help="played (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random play (%(default)s)")
    add_options(parser)


def run(given: argparse.Namespace) -> int:
    broken = 0
    for target in given.target:
        for name, findings in results(target, given):
            broken += len(findings)
            print(f"{name}: {'keeps every law' if not findings else f'{len(findings)} broken'}")
            for finding in findings:
                print(f"{finding}\n")
    return 1 if broken else 0


def results(target: str, given: argparse.Namespace) -> Iterator[tuple[str, list[Finding]]]:
    """The findings on everything that ``target`` names."""
    if given.episodes < 1:
        raise UsageError(f"--episodes is {given.episodes}, but nothing is found in none. Use 50.")
    thing = loaded(target) if ":" in target else named_domain(target)
    offered: Mapping[str, Any]
    if isinstance(thing, Domain):
        found, offered = thing, known_opponents(thing.name)
    else:
        found, offered = game_of(target, given.game), opponents_of(target, thing)
    play: dict[str, Any] = {
        "episodes": given.episodes,
        "seed": given.seed,
        **checked_options(found, given.option),
    }
    if isinstance(thing, Domain):
        yield f"game {found.name}", check_domain(found, **play)
    for name, opponent in offered.items():
        findings = check_opponent(opponent, found, known=offered, **play)
        yield f"opponent {name} of {found.name}", findings


def game_of(target: str, game: str | None) -> Domain:
    if game is None:
        raise UsageError(
            f"{target} is no Domain. If it is an opponent, say of which game: --game kuhn_poker."
        )
    return named_domain(game)


def opponents_of(target: str, thing: Any) -> Mapping[str, Any]:
    if isinstance(thing, Mapping):
        return thing
    with as_usage(TypeError):
        return {checked_opponent(thing).name: thing}
