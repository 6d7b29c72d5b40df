"""Which matches J is made of, and what each of them adds to it. Knows no trainer.

    J = s u - s lambda_e e - lambda_c c - lambda_x x

Each part is a mean over the matches against certain pools (`MEASURED_ON`): u over the train pool, e
over the exploit pool, and so on. So every match has a share in J of its own, worked out from that
match alone, and a trainer that maximises the mean share maximises J.

That the share is the match's own is what lets it teach anything. GRPO compares the replicates of a
group: what each earned, less their mean. A penalty that is measured elsewhere, such as the mean
harm of the batch, is the same number for every replicate. It cancels in that difference, and its
weight changes nothing, whatever it is set to.

For the same reason a group must be one row of `matches`: same deal, same opponent, same seat. Then
replicates differ in what the policy said and in nothing else. With different deals in one group,
what is learned is who was dealt the King.

Two things are simpler here than in `sepo_trainer`, which can ask its policy's whole table.
Opponents that answer the policy (``best-response``) are left out. And e is charged as it stands,
where J counts only opponents that earn more than the policy *in expectation*: no match can know
that, and clipping each match at 0 would charge for bad luck. So once the policy beats an opponent
of the exploit pool, leave that one out.

>>> matches("kuhn_poker", 1)[1]
Match(domain='kuhn_poker', pool='exploit', opponent='always-bet', seat=0, deal=0)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sepo_envs.catalogue import domain as named_domain
from sepo_envs.episode import dumps
from sepo_envs.find_opponent import Opponent, known_opponents, known_pools
from sepo_envs.single_agent import SingleAgentTextEnv

MEASURED_ON: Final[Mapping[str, tuple[str, ...]]] = {
    "payoff": ("train",),
    "exploitation": ("exploit",),
    "collusion": ("collusive",),
    "externality": ("train", "exploit"),
    "fouls": ("train", "exploit", "collusive"),
}
"""The pools over which each part of J is a mean. Fouls are no part of J, but of training."""
POOLS: Final = MEASURED_ON["fouls"]
FOUL_PENALTY: Final = 0.5
"""Points off per forfeited move."""


@dataclass(frozen=True)
class Match:
    """A row of the data, and all that a group's replicates have in common."""

    domain: str
    pool: str
    opponent: str
    seat: int
    deal: int
    """The seed of everything that chance and the opponent draw."""


@cache
def fixed_opponents(domain: str) -> Mapping[str, Opponent]:
    """By name, but for those that answer the policy."""
    return known_opponents(domain)


@cache
def opponents(domain: str) -> Mapping[str, tuple[str, ...]]:
    """The names of a domain's fixed opponents, by pool."""
    fixed, pools = fixed_opponents(domain), known_pools(domain)
    return {pool: tuple(name for name in pools.get(pool, ()) if name in fixed) for pool in POOLS}


def matches(domain: str, each: int, *, seats: Sequence[int] = (0, 1)) -> list[Match]:
    """``each`` matches against every pool, whose opponents and ``seats`` take turns.

    Every pool has as many rows, since every part of J is a mean over its pool.
    """
    pairings = {
        pool: [(name, seat) for seat in seats for name in names]
        for pool, names in opponents(domain).items()
        if names
    }
    return [
        Match(domain, pool, *pairs[deal % len(pairs)], deal)
        for deal in range(each)
        for pool, pairs in pairings.items()
    ]


def weights(domain: str) -> dict[str, float]:
    """What J multiplies each part with: the published weights of the domain."""
    published = named_domain(domain).harms.published
    return {
        "payoff": published.scale,
        "exploitation": -published.scale * published.exploitability,
        "collusion": -published.collusion,
        "externality": -published.externality,
        "fouls": -published.scale * FOUL_PENALTY,
    }


class Table:
    """One match, played in text.

    Args:
        match: whom the policy meets, where and on which deal.
        options: of `SingleAgentTextEnv`: of the rules, or ``max_retries``.

    >>> table = Table(Match("kuhn_poker", "exploit", "always-bet", seat=1, deal=4))
    >>> print(table.question.splitlines()[-2])
    You are dealt the King. Your opponent bets.
    >>> table.hear("The King beats everything. [call]")
    'The game is over.'
    >>> table.parts()["exploitation"]  # the opponent's -2 less the policy's 2
    -4.0
    """

    def __init__(self, match: Match, **options: Any) -> None:
        self.match = match
        opponent = fixed_opponents(match.domain).get(match.opponent, match.opponent)
        self._env = SingleAgentTextEnv(match.domain, opponent=opponent, seat=match.seat, **options)
        self.question, _ = self._env.reset(seed=match.deal)
        """What the policy has to answer."""
        self._end: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        return self._end is not None

    def legal_replies(self) -> list[str]:
        """Every legal move as the shortest reply that makes it."""
        state, seat = self._env.episode.state, self.match.seat
        words = self._env.inner.table.words
        return [words.say(move, state, seat) for move in self._env.game.legal_moves(state, seat)]

    def hear(self, reply: str) -> str:
        """What the policy is told next. A reply after the end changes nothing."""
        if not self.over:
            self.question, _, over, _, info = self._env.step(reply)
            self._end = info if over else None
        return self.question

    def leave(self) -> None:
        """The policy says no more: every move that it still has to make is forfeited, a foul each.

        Only for a policy that has stopped talking. If its server failed, drop the match.
        """
        while not self.over:
            self.hear("")

    def parts(self) -> dict[str, float | None]:
        """This match's value of each part of J, per round; None of a part that is not measured on
        its pool, or has no meaning in its game. Their sum, each times its weight, is the share.

        Raises:
            ValueError: the match is not over.
        """
        if self._end is None:
            raise ValueError("the match is not over: let it hear() more replies, or leave() it.")
        pool, rounds = self.match.pool, self._env.game.rounds
        met, me = opponents(self.match.domain), self._env.inner.agent
        found = {name: harm["value"] for name, harm in self._end["penalties"].items()}
        found["payoff"] = self._end["returns"][me] / rounds
        found["fouls"] = self._end["fouls"][me] / rounds
        if found["externality"] is not None:  # its mean is over opponents of both pools alike
            of_both = sum(len(met[other]) for other in MEASURED_ON["externality"])
            found["externality"] *= len(met[pool]) / of_both
        return {part: found[part] if pool in on else None for part, on in MEASURED_ON.items()}

    def record(self) -> dict[str, Any]:
        """Every move, in the types of JSON: `sepo_envs.restore` plays it again."""
        saved: dict[str, Any] = json.loads(dumps(self._env.episode))
        return saved
