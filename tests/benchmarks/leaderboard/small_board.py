"""A board of five agents on two domains, written by hand, so that a test knows every number.

What is known of these strategies is true: uniform play of Kuhn poker is exploitable by 11/24, the
equilibrium by 0; in the prisoner's dilemma tit-for-tat earns 0.875 against always-defect's 1.5, and
two of it 3. The other numbers are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from benchmarks.certificate import Certificate, Hardware
from benchmarks.leaderboard.records import (
    OVERALL,
    AgentRecord,
    CrossPlay,
    Exploitability,
    Line,
    Measured,
    Priced,
    Rating,
    Replay,
    Score,
    Who,
)
from sepo_envs.catalogue import domain
from sepo_envs.episode import Episode, begin
from sepo_envs.games.kuhn_poker.rules import Card
from sepo_envs.games.kuhn_poker.rules import Move as Bet
from sepo_envs.games.prisoners_dilemma.rules import Move

KUHN, DILEMMA = "kuhn_poker", "prisoners_dilemma"
C, D = Move.COOPERATE, Move.DEFECT
DEALS = 2
ZERO_SUM = "not defined in a zero-sum game"

CERTIFICATE = Certificate(
    commit="0" * 40,
    dirty=False,
    source="0" * 64,
    hardware=Hardware(cpu="a processor", cores=2, memory_gib=4.0, device="cpu"),
    versions={"python": "3.11.2"},
    threads=1,
    jobs=2,
    date=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    wall_seconds=61.0,
    peak_memory_mib=100.0,
    command="python -m benchmarks.leaderboard run --agent scripted",
)


def around(value: float, by: float = 0.125) -> Measured:
    return (value, value - by, value + by)


def sure(value: float) -> Measured:
    return (value, value, value)


def exact(value: float) -> Exploitability:
    return Exploitability(value=value, low=value, high=value, kind="exact")


def betrayed() -> Episode:
    """Tit-for-tat against always-defect."""
    match = begin(domain(DILEMMA).make())
    for mine in (C, *[D] * 7):
        match = match.play(mine).play(D)
    return match


def bluffed() -> Episode:
    """The King bets, the Jack calls."""
    match = begin(domain(KUHN).make())
    for move in (Card.JACK, Card.KING, Bet.PASS, Bet.BET, Bet.BET):
        match = match.play(move)
    return match


def line(pool: str, opponent: str | None, focal: float, background: float) -> Line:
    return Line(
        pool=pool,
        opponent=opponent,
        matches=4,
        focal=around(focal),
        background=around(background),
        margin=around(background - focal),
        nra=around(-0.25),
        n_effective=4,
        welfare=sure(focal + background),
        fairness=(0.875, None, None),
        foul_rate=sure(0.0),
        harms={"exploitation": around(0.5)},
    )


def score(
    game: str,
    *,
    safety: Measured,
    exploitability: float,
    e: Measured,
    stands_in: tuple[str, ...],
    moves: dict[str, dict[str, float]],
    opponents: Mapping[str, tuple[str, float, float]],
) -> Score:
    zero_sum = domain(game).zero_sum
    worst = bluffed() if zero_sum else betrayed()
    harm = ZERO_SUM if zero_sum else around(0.25)
    opponent, (pool, focal, background) = next(iter(opponents.items()))
    weights = domain(game).harms.published
    return Score(
        version=0,
        options=worst.save()["options"],
        weights={
            "scale": weights.scale,
            "exploitability": weights.exploitability,
            "collusion": weights.collusion,
            "externality": weights.externality,
        },
        profile="paper",
        deals=DEALS,
        stands_in=stands_in,
        left_out={},
        u=around(1.5),
        e=e,
        exploitability=exact(exploitability),
        c=harm,
        x=harm,
        safety=safety,
        also={"econ": Priced(c=harm, x=harm, safety=safety)},
        held_out=around(1.25),
        competency="scripted agents read no words",
        spent="scripted agents read no words",
        overall=line("all", None, 1.5, 1.75),
        pools=tuple(
            line(name, None, 1.0, 1.25)
            for name in dict.fromkeys(p for p, _, _ in opponents.values())
        ),
        opponents=tuple(line(p, name, a, b) for name, (p, a, b) in opponents.items()),
        moves=moves,
        worst=(
            Replay(
                pool=pool,
                opponent=opponent,
                seat=0,
                deal=1,
                focal=focal,
                background=background,
                record=worst.save(),
            ),
        ),
        replays=sha256(game.encode()).hexdigest(),
    )


def kuhn(safety: Measured, exploitability: float, *stands_in: str, bet: float = 0.25) -> Score:
    return score(
        KUHN,
        safety=safety,
        exploitability=exploitability,
        e=around(0.5),
        stands_in=stands_in,
        moves={"J": {"n": 4, "bet": bet, "pass": 1 - bet}, "Qb": {"n": 8, "pass": 1.0}},
        opponents={"always-bet": ("exploit", -2.0, 2.0), "nash": ("train", 0.0, 0.0)},
    )


def dilemma(
    safety: Measured, exploitability: float, *stands_in: str, e: Measured, move: str
) -> Score:
    return score(
        DILEMMA,
        safety=safety,
        exploitability=exploitability,
        e=e,
        stands_in=stands_in,
        moves={"after CC": {"n": 14, move: 1.0}, "start": {"n": 4, move: 1.0}},
        opponents={"always-defect": ("exploit", 0.875, 1.5), "tit-for-tat": ("train", 3.0, 3.0)},
    )


def agent(name: str, scores: Mapping[str, Score]) -> AgentRecord:
    return AgentRecord(
        agent=Who(
            spec=name,
            name=name,
            kind="scripted",
            fingerprint=sha256(name.encode()).hexdigest(),
            about=f"the strategy {name}",
            domains=tuple(scores),
        ),
        seed=0,
        episodes=2 * DEALS,
        domains=dict(scores),
        not_played={
            game: "it does not play this domain" for game in (KUHN, DILEMMA) if game not in scores
        },
        certificate=CERTIFICATE,
    )


def agents() -> list[AgentRecord]:
    """By name."""
    five_sixteenths = sure(0.3125)  # (0.625 + 0) / 2, in docs/metrics.md
    return [
        agent(
            "always-defect",
            {DILEMMA: dilemma(around(1.0), 0.0, "exploit", e=sure(0.0), move="D")},
        ),
        agent(
            "nash",
            {
                KUHN: kuhn(around(0.0625), 0.0, "train", bet=0.0),
                DILEMMA: dilemma(around(1.25), 0.0, e=sure(0.0), move="D"),
            },
        ),
        agent(
            "random",
            {
                KUHN: kuhn(around(-0.75), 11 / 24, "heldout", bet=0.5),
                DILEMMA: dilemma(around(-1.5), 4.5, "train", e=around(1.125), move="C"),
            },
        ),
        agent("tight-passive", {KUHN: kuhn(around(-0.5), 0.25, "train")}),
        agent(
            "tit-for-tat",
            {DILEMMA: dilemma(around(1.75), 2.0, "train", e=five_sixteenths, move="C")},
        ),
    ]


PAYOFFS = {
    "tit-for-tat": {"tit-for-tat": 3.0, "always-defect": 0.875, "nash": 0.875, "random": 2.25},
    "always-defect": {"tit-for-tat": 1.5, "always-defect": 1.0, "nash": 1.0, "random": 2.875},
    "nash": {"tit-for-tat": 1.5, "always-defect": 1.0, "nash": 1.0, "random": 2.75},
    "random": {"tit-for-tat": 2.125, "always-defect": 0.5, "nash": 0.5, "random": 2.375},
}
"""In the dilemma, of the row's agent against the column's."""


def cross_plays() -> list[CrossPlay]:
    """Of the dilemma, and of both domains together."""
    known: dict[str, Any] = {
        "version": 0,
        "seed": 0,
        "episodes": 2 * DEALS,
        "deals": DEALS,
        "certificate": CERTIFICATE,
    }
    who = {record.agent.name: record.agent for record in agents()}
    strongest = ("always-defect", "nash", "tit-for-tat", "random")
    return [
        CrossPlay(
            domain=DILEMMA,
            agents=tuple(who[name] for name in PAYOFFS),
            payoffs=tuple(tuple(around(p) for p in row.values()) for row in PAYOFFS.values()),
            wins=tuple(tuple(sure(0.5) for _ in row) for row in PAYOFFS.values()),
            ratings=ratings(*strongest),
            **known,
        ),
        CrossPlay(
            domain=OVERALL,
            agents=(who["nash"], who["random"]),
            payoffs=(),
            wins=((sure(0.5), sure(0.75)), (sure(0.25), sure(0.5))),
            ratings=ratings("nash", "random"),
            **known,
        ),
    ]


def ratings(*strongest: str) -> tuple[Rating, ...]:
    return tuple(
        Rating(name=name, rating=around(200.0 - 100 * place, 50.0), rank=around(place, 0.0))
        for place, name in enumerate(strongest, 1)
    )
