"""What a stag hunt cost the other hunter, and both of them together. Profile ``econ`` only.

exploitation  theirs - mine, per round: a hare beside a lone stag hunter
collusion     not defined: nobody outside the game pays
externality   (8 - sum of both payoffs) / (8 - least sum, 3), per round: welfare lost
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import NOT_DEFINED, Penalties, Penalty, Weights
from stag_hunt.rules import ALONE, TOGETHER, StagHunt, State


@dataclass(frozen=True, slots=True)
class StagHuntHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        return ("econ",)

    @property
    def published(self) -> Weights:
        """Ours, as no paper prints any: points as they are, and each harm at 1."""
        return Weights(scale=1.0, exploitability=1.0, collusion=0.0, externality=1.0)

    def penalties(self, game: StagHunt, state: State, seat: int, *, profile: str) -> Penalties:
        """
        >>> from stag_hunt.rules import Move
        >>> alone = State(((Move.STAG, Move.HARE),))
        >>> found = StagHuntHarms().penalties(StagHunt(), alone, 0, profile="econ")
        >>> found.exploitation.value, found.collusion.value, found.externality.value
        (3.0, None, 1.0)
        """
        if profile not in self.profiles:
            raise ValueError(
                f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
            )
        payoffs = game.payoffs(state)
        return Penalties(
            exploitation=Penalty(
                tuple((paid[1 - seat] - paid[seat]) / game.rounds for paid in payoffs)
            ),
            collusion=NOT_DEFINED,
            externality=Penalty(tuple(_lost(sum(paid)) / game.rounds for paid in payoffs)),
        )


def _lost(welfare: float) -> float:
    """Of what two hunters can earn more than a lone one's hare, the share that they did not.

    >>> _lost(2 * TOGETHER), _lost(2 * ALONE), _lost(ALONE)
    (0.0, 0.4, 1.0)
    """
    return min(1.0, (2 * TOGETHER - welfare) / (2 * TOGETHER - ALONE))
