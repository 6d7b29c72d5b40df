"""Agents by one spec string.

    tit-for-tat                a scripted strategy, in every domain that has one of that name
    kuhn_poker/always-bet      the same in one domain only
    nash                       an equilibrium of every domain (`benchmarks.leaderboard.equilibria`)
    random                     every legal move equally likely, in every domain
    run:PATH[@last|best|N]     a training run; and hf:, vllm:, openai: and human, as
                               `benchmarks.leaderboard.speaking` tells them

In a path, ``{domain}`` stands for the domain's name and ``{seed}`` for a training's seed: so one
agent may be a policy per domain, and one row of a leaderboard the policies of several seeds.

>>> agent("tit-for-tat").domains
('prisoners_dilemma', 'repeated_auction', 'split_negotiation', 'item_negotiation')
>>> agent("generous-tit-for-tit")
Traceback (most recent call last):
    ...
benchmarks.leaderboard.agents.AgentError: there is no scripted agent 'generous-tit-for-tit'. Did \
you mean 'generous-tit-for-tat'? `python -m benchmarks.leaderboard agents` lists all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from benchmarks.command_line import BenchmarkError
from benchmarks.leaderboard import speaking
from benchmarks.leaderboard.equilibria import cfr_equilibrium, equilibrium
from benchmarks.leaderboard.speaking import Ways
from opponents import (
    item_negotiation,
    kuhn_poker,
    prisoners_dilemma,
    repeated_auction,
    split_negotiation,
)
from opponents.matches import Player
from opponents.opponent import Adaptive, Opponent, Pool
from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.exact.reading import Policy
from sepo_envs.find_opponent import known_opponents
from sepo_envs.game import Move
from sepo_envs.hints import did_you_mean

Kind: TypeAlias = Literal["scripted", "run", "hf", "vllm", "openai", "human"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

LIBRARIES: Final[Mapping[str, Any]] = {
    "kuhn_poker": kuhn_poker,
    "prisoners_dilemma": prisoners_dilemma,
    "repeated_auction": repeated_auction,
    "split_negotiation": split_negotiation,
    "item_negotiation": item_negotiation,
}
"""Each domain's pools and demonstrators."""
RANDOM: Final = "random"
NASH: Final = "nash"
CFR: Final = "cfr"
SCRIPTED: Final[Literal["scripted"]] = "scripted"
"""As a spec it stands for all scripted agents."""
HUMAN: Final = "human"
SEED: Final = "{seed}"
"""In a spec: of several trainings, each by its seed."""
PROBES: Final = 24
"""Episodes of uniform play in which a scripted agent is asked for its fingerprint."""
DIGITS: Final = 9
"""Of a probability, in a fingerprint."""


class AgentError(BenchmarkError):
    """A spec names no agent that can be had; the message says why and how to mend it."""


@dataclass(frozen=True)
class Agent:
    """Whoever is scored."""

    spec: str
    """As typed."""
    name: str
    """As tables print it, and as its record's file is called."""
    kind: Kind
    fingerprint: str
    """64 hexadecimal digits: of a scripted agent a digest of its answers in fixed situations, of a
    policy that of its weights, of an endpoint that of its model's name and URL."""
    about: str
    """What it is, in a line: a citation, a path, a model's name."""
    domains: tuple[str, ...]
    """Those it plays."""
    players: Callable[[str], Player] = field(repr=False, compare=False)
    policies: Callable[[str], Policy | None] = field(
        default=lambda domain: None, repr=False, compare=False
    )

    def player(self, domain: str) -> Player | None:
        """Who sits down; None in a domain that it does not play."""
        return self.players(domain) if domain in self.domains else None

    def policy(self, domain: str) -> Policy | None:
        """Its exact move probabilities, for solvers; None where they cannot be read."""
        return self.policies(domain) if domain in self.domains else None


def agent(spec: str, ways: Ways = Ways()) -> Agent:  # noqa: B008, it is frozen
    """The agent that ``spec`` names.

    Args:
        ways: how endpoints are asked.

    Raises:
        AgentError, UnavailableError: it names none, or one that cannot be had here.
    """
    kind = _kind(spec)
    if kind == SCRIPTED:
        return _scripted(spec)
    found = speaking.speaker(kind, spec, ways)
    return Agent(
        spec=spec,
        name=found.name,
        kind=kind,
        fingerprint=found.fingerprint,
        about=found.about,
        domains=found.domains,
        players=found.player,
        policies=found.policy,
    )


def name_of(spec: str, ways: Ways = Ways()) -> str:  # noqa: B008, it is frozen
    """What `agent` would call it. No model is loaded for this: so much can be said of all agents
    before the first is played.

    Raises:
        AgentError, UnavailableError: as `agent` does, but for what only loading can tell.
    """
    kind = _kind(spec)
    return _scripted(spec).name if kind == SCRIPTED else speaking.name_of(kind, spec, ways)


def _kind(spec: str) -> Kind:
    """
    Raises:
        AgentError: it is of no kind, or stands for several agents.
    """
    if SEED in spec:
        raise AgentError(
            f"{spec!r} stands for several policies. Say which seeds: --seeds 0,1,2,3,4."
        )
    if is_scripted(spec):
        return SCRIPTED
    kind = spec.partition(":")[0]
    prefixes = [known for known in KINDS if known not in (SCRIPTED, HUMAN)]
    if spec != HUMAN and kind not in prefixes:
        known_kinds = [f"{known}:" for known in prefixes]
        raise AgentError(
            f"{spec!r} begins with {kind + ':'!r}, which is no kind of agent."
            f"{did_you_mean(kind + ':', known_kinds)} Kinds are {', '.join(known_kinds)}; "
            "a scripted agent goes by its bare name."
        )
    return cast(Kind, kind)


def is_scripted(spec: str) -> bool:
    """Whether the spec has the form of a scripted agent's."""
    return ":" not in spec and spec != HUMAN


@cache
def scripted_specs() -> tuple[str, ...]:
    """Of every scripted agent that plays by itself: pools, demonstrators, equilibria, random.

    Strategies of different domains that share a name are one agent. Of agents that play alike the
    first stands for all, and `random` for those that are random wherever they play.
    """
    names = (RANDOM, NASH, *(name for game in CATALOGUE for name in strategies(game)))
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        known = agent(name)
        is_random = name != RANDOM and all(
            answers(strategies(game)[name], game) == answers(_UNIFORM[game], game)
            for game in known.domains
        )
        if not is_random:
            found.setdefault(known.fingerprint, name)
    return tuple(found.values())


def pools_of(game: str) -> Mapping[str, Pool]:
    """The pools that agents meet in the domain ``game``."""
    pools: Mapping[str, Pool] = LIBRARIES[domain(game).name].POOLS
    return pools


def pools_with(found: Agent, game: str) -> tuple[str, ...]:
    """The pools of ``game`` in which the agent stands itself, or one that plays as it does."""
    mine = found.player(game)
    if not isinstance(mine, Opponent):
        return ()
    mark = answers(mine, game)
    return tuple(
        name
        for name, pool in pools_of(game).items()
        if any(isinstance(one, Opponent) and answers(one, game) == mark for one in pool.opponents)
    )


def _scripted(spec: str) -> Agent:
    where, slash, name = spec.rpartition("/")
    if slash and where not in CATALOGUE:
        raise AgentError(
            f"{spec!r} names the domain {where!r}, which there is not."
            f"{did_you_mean(where, CATALOGUE)} Known: {', '.join(CATALOGUE)}."
        )
    games = (where,) if slash else tuple(CATALOGUE)
    players = {game: strategies(game)[name] for game in games if name in strategies(game)}
    if not players:
        _refuse(spec, name, games)
    marks = [f"{game}\n{answers(player, game)}" for game, player in players.items()]
    sources = dict.fromkeys(player.citation for player in players.values())
    return Agent(
        spec=spec,
        name=spec.replace("/", "."),
        kind="scripted",
        fingerprint=sha256("\n".join(marks).encode()).hexdigest(),
        about="; ".join(sources),
        domains=tuple(players),
        players=players.__getitem__,
        policies=players.__getitem__,
    )


def _refuse(spec: str, name: str, games: Sequence[str]) -> None:
    if any(name in _adaptive(game) for game in games):
        raise AgentError(
            f"{spec!r} is worked out against whoever it meets, so it is no agent by itself. It "
            "stands in the exploit pool, and every agent of Kuhn poker meets it there."
        )
    known = dict.fromkeys(known for game in games for known in strategies(game))
    place = f" in {games[0]}" if len(games) == 1 else ""
    raise AgentError(
        f"there is no scripted agent {name!r}{place}.{did_you_mean(name, known)} "
        "`python -m benchmarks.leaderboard agents` lists all."
    )


@cache
def strategies(game: str) -> Mapping[str, Opponent]:
    """Every fixed strategy of the domain ``game`` by name; those of other packages too."""
    library = LIBRARIES[game]
    offered = {n: o for n, o in known_opponents(game).items() if isinstance(o, Opponent)}
    shown = {player.name: player for player, _ in library.DEMONSTRATORS}
    anybody = replace(_UNIFORM[game], name=RANDOM)
    found = {**shown, **offered, RANDOM: anybody, NASH: equilibrium(game)}
    if game == "kuhn_poker":
        found[CFR] = _late(CFR, cfr_equilibrium, "O. Tammelin, arXiv 1407.5042; by OpenSpiel")
    return found


def twin(player: Opponent, game: str) -> Opponent | None:
    """The strategy of our pools or demonstrators that plays by the very same function."""
    library = LIBRARIES[game]
    known = (*library.OPPONENTS.values(), *(player for player, _ in library.DEMONSTRATORS))
    return next((one for one in known if one.policy is player.policy), None)


def _late(name: str, made: Callable[[], Opponent], citation: str) -> Opponent:
    """An opponent that is worked out when it is first asked."""
    found = cache(made)
    return Opponent(name, lambda seen: found().policy(seen), citation)


def _adaptive(game: str) -> set[str]:
    pools = pools_of(game).values()
    return {o.name for pool in pools for o in pool.opponents if isinstance(o, Adaptive)}


@cache
def _asked(game: str) -> tuple[tuple[Any, tuple[Move, ...]], ...]:
    """What seats see in some episodes of uniform play, and what they may do."""
    rules = domain(game).make()
    board, anybody = Board(rules), _UNIFORM[game]
    played = board.play([anybody] * rules.seats, seeds=range(PROBES))
    return tuple(
        (rules.observe(state, seat), tuple(rules.legal_moves(state, seat)))
        for episode in played.endings
        for seat in range(rules.seats)
        for state, _ in episode.decisions(seat)
    )


@cache
def answers(player: Opponent, game: str) -> str:
    """A digest of what ``player`` does in fixed situations of the domain ``game``: those that seats
    see in some episodes of uniform play."""
    digest = sha256()
    for seen, legal in _asked(game):
        row = player.probabilities(seen, legal)
        digest.update(json.dumps([round(row.get(move, 0.0), DIGITS) for move in legal]).encode())
    return digest.hexdigest()


_UNIFORM: Final[Mapping[str, Opponent]] = {
    "kuhn_poker": kuhn_poker.UNIFORM,
    "prisoners_dilemma": prisoners_dilemma.RANDOM,
    "repeated_auction": repeated_auction.UNIFORM,
    "split_negotiation": split_negotiation.UNIFORM,
    "item_negotiation": item_negotiation.RANDOM,
}
