"""One domain's scores of some agents: played, measured and put into the form of a record.

All agents meet the same opponents on the same deals, with the same draws of chance and of the
opponents, in every seat. Two agents that meet are played once for both, and every match goes to the
store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from benchmarks.leaderboard.agents import Agent, AgentError, answers, pools_of
from benchmarks.leaderboard.competency import knowledge
from benchmarks.leaderboard.exploitability import exploitability, solved
from benchmarks.leaderboard.records import Competency, Score
from benchmarks.leaderboard.sheet import UNDEFINED, Sheet, Use, told
from benchmarks.leaderboard.store import Kept, Sitter, Store
from opponents.language_model import ChatModel
from opponents.matches import Player
from opponents.opponent import Adaptive, Opponent
from sepo_envs.batch import Board
from sepo_envs.catalogue import Domain
from sepo_envs.catalogue import domain as named_domain
from sepo_envs.exact import Certified, GameTree, Policy

ITSELF: Final = "itself"
"""Stands for the pool and the opponent where an agent meets itself."""
QUESTIONS: Final = 50
"""Of each kind, about each domain's rules."""
SCRIPTED: Final = "scripted agents read no words"


def scores(
    game: str,
    agents: Sequence[Agent],
    store: Store,
    *,
    episodes: int,
    seen: Callable[[str, Use, Sequence[Kept]], object] = lambda game, use, kept: None,
) -> dict[str, Score]:
    """Of every agent that plays the domain ``game``, by spec.

    Args:
        episodes: against each opponent, shared out evenly among the seats.
        seen: told of all matches, with what they were played for.

    Raises:
        AgentError: ``episodes`` cannot be shared out.
    """
    domain = named_domain(game)
    board = Board(domain.make())
    deals = range(per_seat(episodes, board.game.seats))
    playing = [one for one in agents if game in one.domains]
    sheets = [Sheet(one, domain) for one in playing]
    for seats, uses in _seatings(game, playing, board).items():
        kept = store.matches(domain, board, seats, deals)
        for use in uses:
            sheets[use.agent].add(use, kept)
            seen(game, use, kept)
    found = {}
    for one, sheet in zip(playing, sheets, strict=True):
        mine = sitter(one, game)
        for use, seats in adaptive(sheet, mine, one.policy(game), board):
            kept = store.matches(domain, board, seats, deals)
            sheet.add(use, kept)
            seen(game, use, kept)
        if one.policy(game) is None:
            kept = store.matches(domain, board, [mine] * board.game.seats, deals)
            sheet.itself = np.array([match.episode.returns for match in kept])
            seen(game, Use(0, ITSELF, ITSELF, 0), kept)
        exact = certified(game, one, store, board)
        competency = asked_about_rules(domain, mine.player, store.seed)
        found[one.spec] = sheet.score(board, len(deals), exact, competency)
    return found


def to_play(game: str, one: Agent, *, episodes: int) -> int:
    """How many matches `scores` needs of one agent."""
    board = Board(named_domain(game).make())
    seats = board.game.seats
    met = len(_seatings(game, [one], board)) + (one.policy(game) is None)
    worked_out = [
        each
        for pool in pools_of(game).values()
        for each in pool.opponents
        if isinstance(each, Adaptive)
    ]
    if worked_out and isinstance(solved(game), GameTree):
        met += seats * len(worked_out)
    return met * per_seat(episodes, seats)


def certified(game: str, one: Agent, store: Store, board: Board) -> Certified | None:
    """How exploitable the agent is, where that is known otherwise than from its matches."""
    return store.certified(
        named_domain(game),
        board,
        sitter(one, game),
        lambda: exploitability(game, one, seed=store.seed),
    )


def adaptive(
    sheet: Sheet, mine: Sitter, policy: Policy | None, board: Board
) -> Iterator[tuple[Use, tuple[Sitter, ...]]]:
    """Seatings with those opponents that are worked out against the agent.

    Args:
        sheet: holds the matches against all others; who cannot be met is noted there.
        policy: the agent's move probabilities; without them the frequencies of its moves stand in.
    """
    game = sheet.domain.name
    for pool in pools_of(game).values():
        for one in pool.opponents:
            if not isinstance(one, Adaptive):
                continue
            tree = solved(game)
            if not isinstance(tree, GameTree):
                sheet.left_out[one.name] = "it is worked out on a game tree, which this game is not"
                continue
            table = sheet.frequencies(tree) if policy is None else tree.written_out(policy)
            if policy is None:
                count = sum(moves.total() for moves in sheet.seen.values())
                sheet.notes.append(
                    f"{one.name} answers the frequencies of {count:,} moves, as the probabilities "
                    "of the agent's moves cannot be read."
                )
            met = one.against(tree, table)
            opponent = Sitter(one.name, answers(met, game), met)
            for seat in range(board.game.seats):
                use = Use(0, pool.name, one.name, seat)
                yield use, around(mine, opponent, seat, board)


def asked_about_rules(domain: Domain, player: Player, seed: int) -> Competency | str:
    """Whether who is asked in words knows the rules."""
    if isinstance(player, Opponent):
        return SCRIPTED
    if not isinstance(player, ChatModel):
        return "people are not asked about the rules"
    known = knowledge(player, domain, count=QUESTIONS, seed=seed)
    return Competency(
        questions=known.questions,
        legal_moves=told(known.legal_moves, UNDEFINED),
        payoffs=told(known.payoffs, UNDEFINED),
        unreadable=known.unreadable,
    )


def per_seat(episodes: int, seats: int) -> int:
    """How many deals there are.

    >>> per_seat(1_000, 2)
    500
    """
    if episodes < seats or episodes % seats:
        raise AgentError(
            f"{episodes} episodes against each opponent cannot be shared out evenly among {seats} "
            f"seats. Use a multiple of {seats}."
        )
    return episodes // seats


def sitter(found: Agent, game: str) -> Sitter:
    """The agent as it sits down in the domain ``game``."""
    player = found.player(game)
    assert player is not None, "only agents that play the domain sit down"
    if isinstance(player, Opponent):
        return Sitter(found.name, answers(player, game), player)
    return Sitter(found.name, f"{found.kind} {found.fingerprint}", player)


def fixed(game: str) -> Iterator[tuple[str, Sitter]]:
    """Every opponent that plays alike against everybody, and its pool."""
    for pool in pools_of(game).values():
        for one in pool.opponents:
            if isinstance(one, Opponent):
                yield pool.name, Sitter(one.name, answers(one, game), one)


def _seatings(
    game: str, agents: Sequence[Agent], board: Board
) -> dict[tuple[Sitter, ...], list[Use]]:
    """Who is to sit where, each once, and what for."""
    found: dict[tuple[str, ...], tuple[tuple[Sitter, ...], list[Use]]] = {}
    for number, one in enumerate(agents):
        mine = sitter(one, game)
        for pool, opponent in fixed(game):
            for seat in range(board.game.seats):
                seats = around(mine, opponent, seat, board)
                marks = tuple(each.mark for each in seats)
                _, uses = found.setdefault(marks, (seats, []))
                uses.append(Use(number, pool, opponent.name, seat))
    return dict(found.values())


def around(mine: Sitter, opponent: Sitter, seat: int, board: Board) -> tuple[Sitter, ...]:
    """Who sits where if ``mine`` sits in ``seat`` and the opponent in all others."""
    return tuple(mine if place == seat else opponent for place in range(board.game.seats))
