"""The nouns of training: what was read, what was written, and what it earned.

Tokens in, tokens out: what the sampler wrote is kept as ids and log-probs and is never encoded
anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sepo_envs.episode import Episode
from sepo_envs.protocol import Message

Ids = tuple[int, ...]


class Request(NamedTuple):
    """One reply wanted from a sampler."""

    prompt_ids: Ids
    seed: int
    """Address of this reply's randomness; the same request gives the same reply."""


class Reply(NamedTuple):
    """What the sampler wrote, the end token included if it got there."""

    output_ids: Ids
    logprobs: tuple[float, ...]
    """Nats, of each output token under the distribution that it was drawn from."""
    finished: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the policy, in place: the ids it followed and the ids it wrote."""

    prompt_ids: Ids
    output_ids: Ids
    logprobs: tuple[float, ...]
    choices: Ids
    """Every token that says some legal move here: the policy's to weigh; the rest is format."""
    round: int
    """Rounds already settled when it was written: it can be credited with that round onwards."""
    version: int
    """Of the weights that wrote it."""


class Trace(NamedTuple):
    """One conversation to imitate: a prompt, then everything after it, some of it the expert's."""

    prompt_ids: Ids
    rest_ids: Ids
    written: tuple[bool, ...]
    """True where ``rest_ids`` is what the expert said; the rest was told to it."""


class GroupKey(NamedTuple):
    """Rollouts with equal keys differ only in what the policy sampled."""

    domain: str
    pool: str
    opponent: str
    deal: int
    """Its number. With the iteration it fixes all that chance does; under own deals, together with
    the opponent and the seat."""
    seat: int

    @property
    def address(self) -> str:
        """The deal's and the opponent's address: shared by every arm and replicate."""
        return "/".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Rollout:
    """One finished episode of the policy in ``key.seat``, and what it read and wrote there."""

    key: GroupKey
    replicate: int
    episode: Episode
    turns: tuple[Turn, ...]
    messages: tuple[Message, ...] = field(repr=False, default=())

    @property
    def decisions(self) -> int:
        """Moves of the policy, forfeits included; a reply that was asked again is none."""
        return sum(actor == self.key.seat for actor, _ in self.episode.entries)

    @property
    def fouls(self) -> int:
        """Forfeits of the policy."""
        return self.episode.fouls[self.key.seat]


@dataclass(frozen=True, slots=True)
class Group:
    """All replicates of one key, in order."""

    key: GroupKey
    rollouts: tuple[Rollout, ...]
    weight: float
    """Its share of J: 1 over (opponents of the pool x deals x seats)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence to learn from: a prompt, then everything after it, some of it the policy's.

    All lists run over ``rest_ids``. Where ``written`` is False (the opponent's news, the chat
    template) nothing is learned, and the log-prob and advantage there mean nothing.
    """

    prompt_ids: Ids
    rest_ids: Ids
    written: tuple[bool, ...]
    is_move: tuple[bool, ...]
    """True on the tokens of the bracketed answer, where the policy decides rather than talks."""
    choices: tuple[Ids, ...]
    """Where ``is_move``: the tokens that say a legal move there, the policy's to weigh."""
    old_logprobs: tuple[float, ...]
    advantages: tuple[float, ...]
    weight: float
    """Its share of J."""
    turns: int
    """How many replies it holds."""
    episode: int = 0
    """Which it is from, of those that its opponent plays with its seat: over all deals."""
    gains: tuple[tuple[float, ...], ...] = ()
    """Where a move is decided: what each of the ``choices`` would have earned in its round, scaled
    points, NaN for one that says no legal move there; ``()`` elsewhere, and altogether where only
    the moves that were made are credited."""
