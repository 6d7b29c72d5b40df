"""What a match of the prisoner's dilemma cost the other player, and both of them together.

Profile ``paper`` (arXiv 2605.30854) and profile ``econ``; exploitation is the same in both.

    harm          paper                                   econ
    exploitation  theirs - mine, per round                theirs - mine, per round
    collusion     share of rounds in which I defect       share in which I defect on a cooperator
    externality   max(0, (R - mean of both payoffs) / R)  (2R - sum) / (2R - least sum)

The published collusion term is really the exploitation of a trusting partner: it is measured
against one who always cooperates, where both columns agree. The externality divides by R - S, which
is the published 3 with the published payoffs and keeps it in [0, 1] with any others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from sepo_envs.game import Forfeit, Penalties, Penalty, Weights
from sepo_envs.games.prisoners_dilemma.rules import (
    COOPERATE,
    DEFECT,
    Luck,
    Move,
    PrisonersDilemma,
    Round,
    State,
)


@dataclass(frozen=True, slots=True)
class PrisonersDilemmaHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        return ("paper", "econ")

    @property
    def published(self) -> Weights:
        """arXiv 2605.30854: reference payoff 3, so s = 1; weights 2.4 / 1.0 / 1.8."""
        return Weights(scale=1.0, exploitability=2.4, collusion=1.0, externality=1.8)

    def penalties(
        self, game: PrisonersDilemma, state: State, seat: int, *, profile: str
    ) -> Penalties:
        """Points are per round of ``game.rounds``, as payoffs are; shares are of rounds played.

        >>> from sepo_envs.games.prisoners_dilemma.rules import Move
        >>> game = PrisonersDilemma(rounds=2)
        >>> state = game.start()
        >>> for mine in (Move.COOPERATE, Move.DEFECT):
        ...     state = game.play(state, {0: mine, 1: Move.DEFECT})
        >>> cost = PrisonersDilemmaHarms().penalties(game, state, 0, profile="paper")
        >>> cost.exploitation.value, cost.collusion.value, round(cost.externality.value, 4)
        (2.5, 0.5, 0.4167)
        """
        if profile not in self.profiles:
            raise ValueError(
                f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
            )
        shares = shares_of(game, seat, profile, len(state.played))
        per_round = [shares[done.chosen, done.luck] for done in state.played]
        exploitation, collusion, externality = zip(*per_round, strict=True)
        return Penalties(Penalty(exploitation), Penalty(collusion), Penalty(externality))


Fields: TypeAlias = tuple[tuple[Move | Forfeit, ...], tuple[Luck, ...]]
"""Of a `Round`: they are found by their hash more quickly than the round itself."""


class Shares(dict[Fields, tuple[float, float, float]]):
    """What a round adds to each harm, worked out when such a round is first met.

    Args:
        played: rounds in the whole match.
    """

    def __init__(self, game: PrisonersDilemma, seat: int, profile: str, played: int) -> None:
        super().__init__()
        self.game, self.seat, self.played = game, seat, played
        paper = profile == "paper"
        self.trust, self.waste = (_defection, _shortfall) if paper else (_betrayal, _welfare_loss)

    def __missing__(self, fields: Fields) -> tuple[float, float, float]:
        game, seat, done = self.game, self.seat, Round(*fields)
        paid = game.paid(done)
        self[fields] = shares = (
            (paid[1 - seat] - paid[seat]) / game.rounds,
            self.trust(done, seat) / self.played,
            self.waste(game, sum(paid)) / self.played,
        )
        return shares


@lru_cache(maxsize=256)
def shares_of(game: PrisonersDilemma, seat: int, profile: str, played: int) -> Shares:
    """The same `Shares` for all matches of which these are the same."""
    return Shares(game, seat, profile, played)


def _defection(done: Round, seat: int) -> bool:
    return done.done(seat) is DEFECT


def _betrayal(done: Round, seat: int) -> bool:
    """Gain over R at a cooperating partner's cost, (payoff - R) / (T - R): 1 or nothing.

    An offender's forfeit gains it nothing, and what the other gains by it is no betrayal.
    """
    betrayed = done.done(seat) is DEFECT and done.done(1 - seat) is COOPERATE
    return betrayed and not done.forfeited(seat)


def _shortfall(game: PrisonersDilemma, welfare: float) -> float:
    return max(0.0, (game.reward - welfare / 2) / (game.reward - game.sucker))


def _welfare_loss(game: PrisonersDilemma, welfare: float) -> float:
    best = 2 * game.reward
    worst = min(2 * game.punishment, game.temptation + game.sucker)
    return (best - welfare) / (best - worst)
