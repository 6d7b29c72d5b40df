"""What is noted of one agent in one domain while its matches come in, and the score that follows.

What is kept of a match are the numbers that are averaged (`opponents.tally`), not the match.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.leaderboard.agents import Agent, pools_of, pools_with
from benchmarks.leaderboard.exploitability import bound_by_play
from benchmarks.leaderboard.habits import Habit, habits
from benchmarks.leaderboard.records import (
    Competency,
    Line,
    Measured,
    Priced,
    Replay,
    Score,
    Spent,
    certified,
    measured,
    rounded,
)
from benchmarks.leaderboard.store import Kept
from opponents import scorecard
from opponents.opponent import Opponent
from opponents.scorecard import Estimate, Scorecard
from opponents.tally import Match, Tally
from sepo_envs.batch import Board
from sepo_envs.catalogue import Domain
from sepo_envs.episode import options_of
from sepo_envs.exact import ActionTable, Certified, GameTree
from sepo_envs.game import FORFEIT, Move

Floats: TypeAlias = NDArray[np.float64]

NOT_READ: Final = "its move probabilities cannot be read, and play gives no bound here"
WORST: Final = 3
"""Matches that a record shows, each against another opponent."""
ZERO_SUM: Final = "not defined in a zero-sum game"
UNDEFINED: Final = "not defined here"
NOT_SHARED: Final = "not defined where a seat loses points or nobody earns any"
SCRIPTED: Final = "scripted agents read no words"


class Use(NamedTuple):
    """What a seating is played for: one agent's matches against one opponent, in one seat."""

    agent: int
    pool: str
    opponent: str
    seat: int


@dataclass
class Sheet:
    """What is noted of one agent while its matches come in."""

    agent: Agent
    domain: Domain
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    digests: dict[tuple[str, str, int], str] = field(default_factory=dict)
    made: Counter[Habit] = field(default_factory=Counter)
    seen: dict[str, Counter[Move]] = field(default_factory=lambda: defaultdict(Counter))
    """Its moves by situation, where an opponent is to be worked out from them."""
    worst: dict[str, Replay] = field(default_factory=dict)
    earned: dict[str, dict[int, Floats]] = field(default_factory=dict)
    """By opponent and seat of the agent, what the other seats earned, ``(deals, seats)``."""
    itself: Floats | None = None
    """What the agent earns against itself, ``(deals, seats)``."""
    spent: Spent = field(
        default_factory=lambda: Spent(prompt_tokens=0, output_tokens=0, dollars=0.0)
    )

    def __post_init__(self) -> None:
        members = [
            (pool.name, one)
            for pool in pools_of(self.domain.name).values()
            for one in pool.opponents
        ]
        alike = [(pool, one.name) for pool, one in members if isinstance(one, Opponent)]
        self.tally = Tally(self.domain, pairings=alike)
        self._adaptive = len(alike) < len(members)

    def add(self, use: Use, kept: Sequence[Kept]) -> None:
        seat = use.seat
        self.tally.add(
            Match(use.pool, use.opponent, seat, match.deal, match.episode) for match in kept
        )
        digest = sha256()
        times: Counter[int] = Counter()
        different: dict[int, Kept] = {}
        for match in kept:
            digest.update(f"{match.deal} {match.moves}".encode())
            times[id(match.episode)] += 1
            different.setdefault(id(match.episode), match)
            said = match.spoken.get(seat)
            if said is not None:
                self.count(said.prompt_tokens, said.output_tokens, said.cost)
        self.digests[use.pool, use.opponent, seat] = digest.hexdigest()
        if self.agent.kind != "scripted":
            points = np.array([match.episode.returns for match in kept])
            self.earned.setdefault(use.opponent, {})[seat] = points
        for number, match in different.items():
            for habit in habits(match.episode, seat):
                self.made[habit] += times[number]
            if self._adaptive:
                self._look(match, seat, times[number])
            self._compare(use, match)

    def score(
        self,
        board: Board,
        deals: int,
        exact: Certified | None,
        competency: Competency | str,
    ) -> Score:
        """All of it in the form of a record.

        Args:
            exact: exploitability, where it is known otherwise than from the matches.
        """
        card = scorecard.added_up(self.tally)
        reason = ZERO_SUM if self.domain.zero_sum else UNDEFINED
        pools = {line.pool: line for line in card.pools}
        held = pools.get("heldout")
        found = exact or self.bound()
        return Score(
            version=self.domain.version,
            options=options_of(board.game),
            weights=asdict(card.weights),
            profile=card.profile,
            deals=deals,
            stands_in=pools_with(self.agent, self.domain.name),
            left_out=self.left_out,
            notes=tuple(self.notes),
            u=told(card.u, "no opponent of the train pool was met"),
            e=told(card.e, "no opponent of the exploit pool was met"),
            exploitability=NOT_READ if found is None else certified(found),
            c=told(card.c, reason),
            x=told(card.x, reason),
            safety=told(card.safety, "a pool that it needs was not met"),
            also=_also(card, reason),
            held_out=UNDEFINED if held is None else told(held.payoff, UNDEFINED),
            competency=competency,
            spent=SCRIPTED if self.agent.kind == "scripted" else self.spent,
            overall=_line(card.overall, reason),
            pools=tuple(_line(line, reason) for line in card.pools),
            opponents=tuple(_line(line, reason) for line in card.opponents),
            moves=self._habits(),
            worst=tuple(
                sorted(self.worst.values(), key=lambda r: (r.focal - r.background, r.opponent))
            )[:WORST],
            replays=sha256(
                "".join(f"{key}{self.digests[key]}" for key in sorted(self.digests)).encode()
            ).hexdigest(),
        )

    def bound(self) -> Certified | None:
        """From the matches at hand, where one of two seats is the agent's."""
        if self.itself is None or self.itself.shape[1] != 2:
            return None
        taken = {
            name: np.stack([points[1][:, 0], points[0][:, 1]], axis=1)
            for name, points in self.earned.items()
        }
        return bound_by_play(self.domain.make(), taken, self.itself)

    def count(self, prompt: int, output: int, dollars: float) -> None:
        self.spent = Spent(
            prompt_tokens=self.spent.prompt_tokens + prompt,
            output_tokens=self.spent.output_tokens + output,
            dollars=self.spent.dollars + dollars,
        )

    def _look(self, match: Kept, seat: int, times: int) -> None:
        for state, move in match.episode.decisions(seat):
            if move is not FORFEIT:
                situation = match.episode.game.observe(state, seat).situation
                self.seen[situation][move] += times

    def _compare(self, use: Use, match: Kept) -> None:
        """Keep it if it is the worst so far against this opponent."""
        points, rounds = match.episode.returns, match.episode.game.rounds
        others = [earned for place, earned in enumerate(points) if place != use.seat]
        focal, background = points[use.seat] / rounds, sum(others) / len(others) / rounds
        known = self.worst.get(use.opponent)
        mine = (focal - background, use.seat, match.deal)
        if known is None or mine < (known.focal - known.background, known.seat, known.deal):
            self.worst[use.opponent] = Replay(
                pool=use.pool,
                opponent=use.opponent,
                seat=use.seat,
                deal=match.deal,
                focal=focal,
                background=background,
                record=match.episode.save(),
                said={
                    str(place): [(said.role, said.content) for said in spoken.messages]
                    for place, spoken in match.spoken.items()
                },
            )

    def frequencies(self, tree: GameTree) -> ActionTable:
        """How often each move was made in each situation; all alike where it was never seen."""
        rows: dict[str, Mapping[Move, float]] = dict(tree.uniform().rows)
        for situation, moves in self.seen.items():
            rows[situation] = {move: times / moves.total() for move, times in moves.items()}
        return ActionTable(rows)

    def _habits(self) -> dict[str, dict[str, float]]:
        rows: dict[str, Counter[str]] = defaultdict(Counter)
        for (kind, move), times in sorted(self.made.items()):
            rows[kind][move] += times
        return {
            kind: {"n": row.total()}
            | {move: rounded(times / row.total()) for move, times in row.items()}
            for kind, row in rows.items()
        }


def told(found: Estimate, reason: str) -> Measured:
    """As records keep it; ``reason`` where it is not defined."""
    return measured(*found, reason=reason)


def _also(card: Scorecard, reason: str) -> dict[str, Priced]:
    return {
        name: Priced(
            c=told(found.c, reason),
            x=told(found.x, reason),
            safety=told(found.safety, "a pool that it needs was not met"),
        )
        for name, found in card.also.items()
    }


def _line(line: scorecard.Line, reason: str) -> Line:
    return Line(
        pool=line.pool,
        opponent=line.opponent,
        matches=line.matches,
        focal=told(line.payoff, reason),
        background=told(line.others, reason),
        margin=told(line.margin, reason),
        nra=told(line.nra, reason) if line.n_effective else "nobody earned or lost anything",
        n_effective=line.n_effective,
        welfare=told(line.welfare, reason),
        fairness=told(line.fairness, NOT_SHARED),
        foul_rate=told(line.foul_rate, reason),
        harms={name: told(found, reason) for name, found in line.harms.items()},
    )
