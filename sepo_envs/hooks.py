"""Penalties of a finished episode: hooks measure them, wrappers charge them. Knows no game.

A hook sees a finished episode and a seat, and names what the seat's play cost others. The
environments put its report under ``info["penalties"]`` of the terminal step:

    {"exploitation": {"value": 4.0, "defined": True},
     "collusion": {"value": None, "defined": False}, ...}

A harm that has no meaning in a game is reported as ``None`` with ``defined`` False, never as a
silent 0. None equals itself, so infos of equal seeds stay equal (a NaN would not), and Gymnasium's
vector environments collect the pair as two arrays: an undefined value is None there, or NaN where
another environment's value is defined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, SupportsFloat, TypeAlias, cast

import gymnasium
from pettingzoo.utils.wrappers import BaseWrapper

from sepo_envs.atlas import Journey
from sepo_envs.episode import Episode
from sepo_envs.game import Harms, Penalties, RoundHarms, Shares, Weights

Report: TypeAlias = dict[str, dict[str, float | bool | None]]
"""Each harm's ``value``, in the harm's own unit, and whether it is ``defined``."""


class PenaltyHook(Protocol):
    """Anything that measures a finished episode: a function, or a value with ``__call__``."""

    def __call__(self, episode: Episode, seat: int) -> Report:
        """What ``seat`` cost others in the finished ``episode``."""


@dataclass(frozen=True, slots=True)
class HarmsHook:
    """The default hook: the domain's own harms in one of their profiles, the first unless named.

    >>> from sepo_envs.catalogue import domain
    >>> from sepo_envs.episode import begin
    >>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
    >>> lost = begin(KuhnPoker())
    >>> for move in (Card.JACK, Card.KING, Move.BET, Move.BET):
    ...     lost = lost.play(move)
    >>> report = HarmsHook(domain("kuhn_poker").harms)(lost, seat=0)
    >>> report["exploitation"], report["collusion"]
    ({'value': 4.0, 'defined': True}, {'value': None, 'defined': False})
    """

    harms: Harms
    profile: str | None = None
    by_round: RoundHarms | None = field(init=False, repr=False, compare=False)
    """The harms, where each round's can be told alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_round", by_round(self.harms))
        if self.profile is not None and self.profile not in self.harms.profiles:
            raise ValueError(
                f"no penalty profile {self.profile!r}; "
                f"choose one of {', '.join(self.harms.profiles)}."
            )

    def __call__(self, episode: Episode, seat: int) -> Report:
        return report(self._penalties(episode, seat))

    def of_journey(self, journey: Journey, seat: int) -> Report:
        """The same of a finished journey. What is kept of others on the same ways is not worked out
        anew, so this is for harms that are known to answer alike whenever they are asked."""
        key = self.profile, seat
        if self.by_round is None:
            return report(journey.recall(key, self._penalties, journey, seat))
        e, c, x = zip(*journey.of_rounds(key, self._shares, journey, seat), strict=True)
        return {"exploitation": _summed(e), "collusion": _summed(c), "externality": _summed(x)}

    @property
    def measured(self) -> str:
        """The profile in which it measures."""
        return self.profile or self.harms.profiles[0]

    def _penalties(self, episode: Episode | Journey, seat: int) -> Penalties:
        return self.harms.penalties(episode.game, episode.state, seat, profile=self.measured)

    def _shares(self, points: tuple[float, ...], journey: Journey, seat: int) -> Shares:
        assert self.by_round is not None
        return self.by_round.of_round(journey.game, points, seat, profile=self.measured)


def by_round(harms: Harms) -> RoundHarms | None:
    """``harms``, if their class itself says what each round adds; None else."""
    says = {"penalties", "of_round"} <= vars(type(harms)).keys()
    return cast(RoundHarms, harms) if says else None


def _summed(parts: tuple[Any, ...]) -> dict[str, float | bool | None]:
    """One harm of a report, from what the rounds add to it, or None."""
    defined = None not in parts
    return {"value": sum(parts) if defined else None, "defined": defined}


def checked_hook(hook: PenaltyHook) -> PenaltyHook:
    """``hook``, if it can be called.

    Raises:
        TypeError: it cannot, or it is a class instead of a hook made from it.
    """
    if isinstance(hook, type):
        raise TypeError(f"hook is the class {hook.__name__}. Make one of it: {hook.__name__}(...).")
    if not callable(hook):
        raise TypeError(
            f"hook is {hook!r}, which cannot be called. Give a function of (episode, seat) that "
            "returns a report, or leave it out for the domain's own harms."
        )
    return hook


def report(penalties: Penalties) -> Report:
    """The penalties as plain dictionaries, fresh ones each time."""
    found = {
        "exploitation": penalties.exploitation,
        "collusion": penalties.collusion,
        "externality": penalties.externality,
    }
    if penalties.also:
        found |= penalties.also
    return {name: {"value": harm.value, "defined": harm.defined} for name, harm in found.items()}


def price(found: Report, weights: Weights) -> float:
    """What J subtracts for one episode: s*lambda_e*e + lambda_c*c + lambda_x*x, where defined.

    ``e`` is the episode's own, signed difference: J clips the *expectation* at 0, and clipping each
    episode instead would charge for bad luck.

    >>> cost = {"exploitation": {"value": 4.0, "defined": True},
    ...         "collusion": {"value": None, "defined": False}}
    >>> price(cost, Weights(scale=1.5, exploitability=1.5, collusion=2.4, externality=0.0))
    9.0
    """
    per_unit = {
        "exploitation": weights.scale * weights.exploitability,
        "collusion": weights.collusion,
        "externality": weights.externality,
    }
    return sum(
        weight * float(found[name]["value"] or 0.0)
        for name, weight in per_unit.items()
        if name in found and found[name]["defined"]
    )


class PenaltyReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Rewards that sum, over an episode, to the agent's share of J: s*u - price of its penalties.

    Every reward is multiplied by s / rounds, so that the points sum to s*u, with u in points per
    round; the terminal one then loses `price`. A truncated episode has no penalties to charge.

    Args:
        env: a single-agent environment of this package, wrapped or not.
        weights: the published weights of the game's domain unless given.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], *, weights: Weights | None = None) -> None:
        super().__init__(env)
        self.weights = weights or env.unwrapped.domain.harms.published  # type: ignore[attr-defined]
        self.rounds: int = env.unwrapped.game.rounds  # type: ignore[attr-defined]

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, points, terminated, truncated, info = self.env.step(action)
        reward = self.weights.scale * float(points) / self.rounds
        if terminated:
            reward -= price(info["penalties"], self.weights)
        return observation, reward, terminated, truncated, info


class AECPenaltyReward(BaseWrapper):  # type: ignore[misc]
    """`PenaltyReward` for every agent of an AEC environment of this package."""

    def __init__(self, env: Any, *, weights: Weights | None = None) -> None:
        super().__init__(env)
        self.weights = weights or self.unwrapped.domain.harms.published
        self.rounds = self.unwrapped.game.rounds

    def step(self, action: Any) -> None:
        table = self.unwrapped
        already_over = any(table.terminations.values()) or any(table.truncations.values())
        unread = {**table._cumulative_rewards, table.agent_selection: 0.0}
        super().step(action)
        if already_over:
            return
        for agent, points in table.rewards.items():
            reward = self.weights.scale * points / self.rounds
            if table.terminations[agent]:
                reward -= price(table.infos[agent]["penalties"], self.weights)
            table.rewards[agent] = reward
            table._cumulative_rewards[agent] = unread[agent] + reward
