"""What is asked for on the command line: who is scored, where, and how.

`run`, `cross-play` and `submit` share these options.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from benchmarks.command_line import at_least, record_name
from benchmarks.leaderboard.agents import SCRIPTED, SEED, AgentError, agent, scripted_specs
from benchmarks.leaderboard.records import BOARD
from benchmarks.leaderboard.scoring import per_seat
from benchmarks.leaderboard.speaking import Ways
from benchmarks.leaderboard.store import HOME
from sepo_envs.catalogue import CATALOGUE, domain

EPISODES: Final = 1_000


class Entry(NamedTuple):
    """One ``--agent``, with the ``--name`` behind it."""

    spec: str
    """As typed; `SEED` may stand in it, and `SCRIPTED` stands for many."""
    name: str | None = None


class Asked(NamedTuple):
    """What is to be scored, and how."""

    specs: tuple[str, ...]
    """As typed; `SEED` may stand in them."""
    trainings: tuple[int, ...]
    """What it stands for."""
    domains: tuple[str, ...]
    episodes: int
    seed: int
    jobs: int
    home: Path
    ways: Ways
    names: Mapping[str, str] = MappingProxyType({})
    """By spec, of those agents that are not to go by it."""


class _NameTheLast(argparse.Action):
    """Gives the `Entry` before it its name."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if not namespace.agent:
            parser.error(f"--name {values} names the --agent before it: write --agent SPEC --name")
        *before, last = namespace.agent
        if last.name is not None:
            parser.error(f"{last.spec!r} has two names, {last.name} and {values}: keep one")
        namespace.agent = [*before, last._replace(name=values)]


def add_arguments(made: argparse.ArgumentParser) -> None:
    """The options."""
    made.add_argument(
        "--agent",
        action="append",
        type=Entry,
        required=True,
        metavar="SPEC",
        help=f"more than once for several; `{SCRIPTED}` stands for every scripted one",
    )
    made.add_argument(
        "--name",
        action=_NameTheLast,
        type=agent_name,
        help="of the --agent before it, in tables and as its record's file; else from its spec",
    )
    made.add_argument(
        "--domains",
        type=domains,
        default=tuple(CATALOGUE),
        metavar="A,B",
        help="with commas between (all)",
    )
    made.add_argument(
        "--episodes",
        type=at_least(1),
        default=EPISODES,
        metavar="N",
        help="against each opponent, half of them in each seat (%(default)s)",
    )
    made.add_argument(
        "--deal-seed", type=at_least(0), default=0, metavar="S", help="of the deals (%(default)s)"
    )
    made.add_argument(
        "--seeds",
        type=trainings,
        default=(),
        metavar="A,B",
        help="of trainings, for {seed} in an agent; a row is over all of them, and in a round "
        "robin each is an agent of its own",
    )
    made.add_argument(
        "--endpoint",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how endpoints are asked: temperature, max_tokens, at_once, budget and the like",
    )
    made.add_argument(
        "--prices",
        type=prices,
        default={},
        metavar="IN,OUT",
        help="of an endpoint, US dollars per million tokens of prompts and of output",
    )
    made.add_argument(
        "--jobs", type=at_least(1), default=2, metavar="N", help="processes at once (%(default)s)"
    )
    made.add_argument(
        "--home", type=Path, default=HOME, metavar="DIR", help="for matches (%(default)s)"
    )
    made.add_argument(
        "--board",
        type=Path,
        default=BOARD,
        metavar="DIR",
        help="for records (benchmarks/results/leaderboard)",
    )


def asked(given: argparse.Namespace) -> Asked:
    """
    Raises:
        AgentError: there is no such agent, a name is not one agent's, or the episodes cannot be
            shared out.
    """
    specs: dict[str, None] = {}
    for entry in given.agent:
        specs |= dict.fromkeys(playing(given.domains) if entry.spec == SCRIPTED else (entry.spec,))
    for name in given.domains:
        per_seat(given.episodes, domain(name).make().seats)
    if any(SEED in spec for spec in specs) and not given.seeds:
        raise AgentError(f"{SEED} in an agent needs to know which: --seeds 0,1,2,3,4, say.")
    cache = given.home / "replies.sqlite"
    return Asked(
        tuple(specs),
        given.seeds,
        given.domains,
        given.episodes,
        given.deal_seed,
        given.jobs,
        given.home,
        Ways(dict(given.endpoint), given.prices, cache),
        _names(given.agent),
    )


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """By spec.

    Raises:
        AgentError: one is of many agents, or an agent has two.
    """
    names: dict[str, str] = {}
    for spec, name in entries:
        if name is None:
            continue
        if spec == SCRIPTED:
            raise AgentError(
                f"--name {name} is of one agent, and {SCRIPTED} stands for many. Name one by its "
                f"own spec, beside --agent {SCRIPTED}: --agent tit-for-tat --name {name}, say."
            )
        if names.setdefault(spec, name) != name:
            raise AgentError(f"{spec!r} has two names, {names[spec]} and {name}. Keep one.")
    return names


def playing(names: Sequence[str]) -> tuple[str, ...]:
    """Every scripted agent that plays one of these domains at least.

    >>> len(playing(["kuhn_poker"])) < len(scripted_specs())
    True
    """
    return tuple(spec for spec in scripted_specs() if {*agent(spec).domains} & {*names})


def domains(text: str) -> tuple[str, ...]:
    """The names in ``text``, commas between, each a domain."""
    named = tuple(dict.fromkeys(text.split(",")))
    for name in named:
        try:
            domain(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return named


def trainings(text: str) -> tuple[int, ...]:
    """
    >>> trainings("0,1,4")
    (0, 1, 4)
    """
    return tuple(dict.fromkeys(at_least(0)(part) for part in text.split(",")))


def agent_name(text: str) -> str:
    """
    >>> agent_name("joint"), agent_name("joint-{seed}")
    ('joint', 'joint-{seed}')
    """
    record_name(text.replace(SEED, "0"))
    return text


def setting(text: str) -> tuple[str, Any]:
    """
    >>> setting("max_tokens=256"), setting("style=fresh")
    (('max_tokens', 256), ('style', 'fresh'))
    """
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE, such as max_tokens=256")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def prices(text: str) -> dict[str, float]:
    """
    >>> prices("0.15,0.6")
    {'prompt': 0.15, 'output': 0.6}
    """
    try:
        prompt, output = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not two prices, such as 0.15,0.6") from error
    return {"prompt": prompt, "output": output}
