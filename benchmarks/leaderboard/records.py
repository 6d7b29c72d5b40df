"""What a leaderboard keeps: JSON files with their birth certificate, checked when they are read.

    benchmarks/results/leaderboard/agents/<agent>.json        one agent, on every domain it plays
    benchmarks/results/leaderboard/cross_play/<domain>.json   every pair of agents, with ratings
    benchmarks/results/leaderboard/cross_play/overall.json    ratings over all domains

A measured number is ``[value, low, high]`` with its 95 % interval, whose ends are null where none
can be given, or a sentence: the reason why the number is not defined. So a 0 is always a 0.

Every number is rounded to `DIGITS` digits behind the point, and two runs of equal seeds, agents and
code write equal files but for what the certificate says of hours, seconds and memory.
"""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from benchmarks.certificate import Certificate, Digest, Strict
from benchmarks.leaderboard.agents import Kind
from benchmarks.records import RESULTS, Name, read, write
from sepo_envs.exact.certified import Certified
from sepo_envs.exact.certified import Kind as Certainty

BOARD: Final = RESULTS / "leaderboard"
SCHEMA: Final = 1
DIGITS: Final = 6
OVERALL: Final = "overall"
"""Stands for a domain where ratings are over all of them."""

Measured: TypeAlias = tuple[float, float | None, float | None] | Annotated[str, Field(min_length=1)]
"""``(value, low, high)``, or why there is no value."""
Number: TypeAlias = Annotated[float, Field(ge=0)]


class Who(Strict):
    """An agent, as it was when it played."""

    spec: str
    name: Name
    kind: Kind
    fingerprint: Digest
    about: str
    domains: tuple[str, ...]
    """Those it plays."""


class Exploitability(Strict):
    """What a best response gains, in points per episode, and what makes that sure."""

    value: float
    low: float
    high: float
    kind: Certainty
    how: str = ""


class Priced(Strict):
    """The harms by another penalty profile, and SAFETY with them at the same printed weights."""

    c: Measured
    x: Measured
    safety: Measured


class Line(Strict):
    """Against one opponent, or all of a pool alike, or everybody; points are per round."""

    pool: str
    opponent: str | None
    """None for the pool as a whole."""
    matches: Annotated[int, Field(ge=1)]
    focal: Measured
    """What the agent earns."""
    background: Measured
    """What each of the others earns."""
    margin: Measured
    """``background`` less ``focal``: above 0 where the agent is taken advantage of."""
    nra: Measured
    n_effective: Annotated[int, Field(ge=0)]
    welfare: Measured
    fairness: Measured
    foul_rate: Measured
    harms: dict[str, Measured]
    """By name; those of the second profile as ``econ.name``."""


class Competency(Strict):
    """Whether a text agent knows the rules: share of questions that it answers rightly."""

    questions: Annotated[int, Field(ge=1)]
    """Of each kind."""
    legal_moves: Measured
    payoffs: Measured
    unreadable: Annotated[int, Field(ge=0)]
    """Answers of both kinds that could not be read; they count as wrong."""


class Spent(Strict):
    """What a text agent read and wrote in all its matches."""

    prompt_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]
    dollars: Number


class Replay(Strict):
    """One match, as `sepo_envs.episode.restore` plays it again."""

    pool: str
    opponent: str
    seat: int
    deal: int
    focal: float
    """Points per round."""
    background: float
    record: dict[str, Any]
    """What `Episode.save` returns."""
    said: dict[str, list[tuple[str, str]]] = Field(default_factory=dict)
    """By seat, (role, words) of those that were asked in words."""


class Score(Strict):
    """One agent on one domain."""

    version: Annotated[int, Field(ge=0)]
    """Of the domain."""
    options: dict[str, Any]
    """Of its rules."""
    weights: dict[str, float]
    """Of SAFETY: the scale and the three lambdas, as printed."""
    profile: str
    """Of the harms that J is defined on."""
    deals: Annotated[int, Field(ge=1)]
    """Each met by every opponent, in every seat."""
    over: Literal["deals", "seeds"] = "deals"
    """What the intervals are over: resampled deals, or the policies of several trainings."""
    stands_in: tuple[str, ...]
    """The pools that hold this agent itself, or one that plays alike."""
    left_out: dict[str, str]
    """Opponents that could not be met, each with the reason."""
    notes: tuple[str, ...] = ()
    """What a reader must know to take the numbers for what they are."""
    u: Measured
    e: Measured
    exploitability: Exploitability | Annotated[str, Field(min_length=1)]
    c: Measured
    x: Measured
    safety: Measured
    also: dict[str, Priced]
    """By the domain's other penalty profiles."""
    held_out: Measured
    """Payoff against the held-out pool."""
    competency: Competency | Annotated[str, Field(min_length=1)]
    spent: Spent | Annotated[str, Field(min_length=1)]
    overall: Line
    pools: tuple[Line, ...]
    opponents: tuple[Line, ...]
    moves: dict[str, dict[str, float]]
    """In each kind of situation how often each move was made; see `benchmarks.leaderboard.habits`.
    The row's ``n`` is how many decisions it rests on."""
    worst: tuple[Replay, ...]
    """The matches in which the agent earned least in comparison, of different opponents."""
    courses: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    """Of a training run whose exploitability was read while it trained, by the training's seed:
    (updates, points per episode)."""
    replays: Digest
    """Of all matches: moves and deals, in order of opponents, seats and deals."""


class AgentRecord(Strict):
    """One row of the leaderboard. The order of the fields is the order in the file."""

    schema_version: Literal[1] = 1
    agent: Who
    seed: Annotated[int, Field(ge=0)]
    """Of the deals, and of whatever players draw."""
    episodes: Annotated[int, Field(ge=1)]
    """Against each opponent, shared out evenly among the seats."""
    trainings: tuple[int, ...] = ()
    """What ``{seed}`` in the spec stands for; the row is over their policies."""
    domains: dict[str, Score]
    not_played: dict[str, str]
    """Domains without a score, each with the reason."""
    certificate: Certificate


class Rating(Strict):
    """Of one agent among those it was compared with."""

    name: Name
    rating: Measured
    """Bradley-Terry strength in Elo's points (400 for ten to one), 0 in the mean of all."""
    rank: Measured
    """From 1; the interval is over the same resampled deals."""


class CrossPlay(Strict):
    """Every agent against every other, in both seats, on the same deals."""

    schema_version: Literal[1] = 1
    domain: str
    version: Annotated[int, Field(ge=0)]
    """Of the domain; 0 of `OVERALL`."""
    seed: Annotated[int, Field(ge=0)]
    episodes: Annotated[int, Field(ge=1)]
    """Of each pair, shared out evenly among the seats."""
    deals: Annotated[int, Field(ge=1)]
    agents: tuple[Who, ...]
    payoffs: tuple[tuple[Measured, ...], ...]
    """``payoffs[a][b]``: what a earns per round against b; of a against itself on the diagonal.
    Empty in `OVERALL`."""
    wins: tuple[tuple[Measured, ...], ...]
    """``wins[a][b]``: share of matches in which a earned more than b, draws counted half."""
    ratings: tuple[Rating, ...]
    """The strongest first."""
    certificate: Certificate

    @model_validator(mode="after")
    def _square(self) -> CrossPlay:
        count = len(self.agents)
        for name, rows in (("payoffs", self.payoffs), ("wins", self.wins)):
            if rows and (len(rows) != count or any(len(row) != count for row in rows)):
                raise ValueError(f"`{name}` is not of {count} rows and columns, as `agents` is.")
        if sorted(r.name for r in self.ratings) != sorted(who.name for who in self.agents):
            raise ValueError("`ratings` is not of the very agents in `agents`.")
        return self


def measured(
    value: float, low: float = float("nan"), high: float = float("nan"), *, reason: str
) -> Measured:
    """The number with its interval as records keep it; ``reason`` where it is NaN.

    >>> measured(0.25, 0.1, 0.4, reason="no pool"), measured(float("nan"), reason="no pool")
    ((0.25, 0.1, 0.4), 'no pool')
    """
    if isnan(value):
        return reason
    return (
        rounded(value),
        None if isnan(low) else rounded(low),
        None if isnan(high) else (rounded(high)),
    )


def rounded(value: float) -> float:
    """To `DIGITS`; a 0 has no sign."""
    return round(float(value), DIGITS) + 0.0


def certified(found: Certified) -> Exploitability:
    """As records keep it."""
    return Exploitability(
        value=rounded(found.value),
        low=rounded(found.low),
        high=rounded(found.high),
        kind=found.kind,
        how=found.how,
    )


def save_agent(record: AgentRecord, board: Path = BOARD) -> Path:
    """Write it to its place under ``board``, over an older one of that name."""
    return write(record, agent_path(record.agent.name, board))


def agent_path(name: str, board: Path = BOARD) -> Path:
    """Where the record of the agent of that name is kept."""
    return board / "agents" / f"{name}.json"


def save_cross_play(record: CrossPlay, board: Path = BOARD) -> Path:
    """Write it to its place under ``board``, over an older one of that domain."""
    return write(record, cross_play_path(record.domain, board))


def cross_play_path(domain: str, board: Path = BOARD) -> Path:
    """Where the cross-play in ``domain`` is kept."""
    return board / "cross_play" / f"{domain}.json"


def load_agent(path: Path) -> AgentRecord:
    """
    Raises:
        RecordError: as `benchmarks.records.read` does.
    """
    return read(path, AgentRecord, schema=SCHEMA)


def load_cross_play(path: Path) -> CrossPlay:
    """
    Raises:
        RecordError: as `benchmarks.records.read` does.
    """
    return read(path, CrossPlay, schema=SCHEMA)


def load_board(board: Path = BOARD) -> tuple[list[AgentRecord], list[CrossPlay]]:
    """Every record under ``board``, by name."""
    agents = [load_agent(path) for path in sorted(board.glob("agents/*.json"))]
    return agents, [load_cross_play(path) for path in sorted(board.glob("cross_play/*.json"))]


def without_times(record: AgentRecord | CrossPlay) -> dict[str, Any]:
    """What two runs of equal seeds, agents and code agree on."""
    tree = record.model_dump(mode="json")
    for field in ("date", "wall_seconds", "peak_memory_mib"):
        del tree["certificate"][field]
    return tree
