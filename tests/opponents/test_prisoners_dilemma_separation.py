"""Can the pools tell methods apart? J and J*, apart from `opponents.decisions`, over histories.

Every policy is a function of the 21,845 histories, written (own move, other's move) by round and
numbered in base 4, oldest round first: CC, CD, DC, DD. J is linear in what the policy does on each
path, except that exploitation is clipped at 0 per opponent. Nobody can take points from always-
defect, so only the alternator's clip matters: it is a weight g on its term, chosen in [0, 1] to
make J smallest. For each g the best policy follows by dynamic programming, and its value bounds J*
from above; the best mixture of the policies found bounds it from below.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from opponents.opponent import Opponent
from opponents.prisoners_dilemma import ALTERNATOR, ALWAYS_DEFECT, DEMONSTRATORS, POOLS
from sepo_envs.catalogue import domain
from sepo_envs.games.prisoners_dilemma.rules import MOVES, Observation, PrisonersDilemma

GAME = PrisonersDilemma()
W = domain("prisoners_dilemma").harms.published
PAGE = Path(__file__).parents[2] / "docs" / "opponents.md"
PAIRS = [(mine, theirs) for mine in MOVES for theirs in MOVES]
MINE = np.array([3.0, 0.0, 5.0, 1.0])
THEIRS = np.array([3.0, 5.0, 0.0, 1.0])
DEFECTED = np.array([0.0, 0.0, 1.0, 1.0])
SHORT = np.maximum(0.0, (3 - (MINE + THEIRS) / 2) / 3)

TRAIN, EXPLOIT, (FRIEND,) = (POOLS[name].opponents for name in ("train", "exploit", "collusive"))
MET = (*TRAIN, *EXPLOIT, FRIEND)


class Terms(NamedTuple):
    """What J is made of, per round; ``taken`` is what the alternator gains, before the clip."""

    u: float
    taken: float
    rest: float
    """Everything else that J subtracts, weighted."""

    def j(self, gate: float | None = None) -> float:
        clipped = max(0.0, self.taken) if gate is None else gate * self.taken
        return W.scale * (self.u - W.exploitability * clipped / 2) - self.rest


def per_round(opponent: Opponent) -> np.ndarray:
    """A row of (u, taken, rest) for each of the four outcomes of a round with ``opponent``."""
    rows = np.zeros((3, 4))
    if opponent in TRAIN:
        rows[0] = MINE / len(TRAIN)
    if opponent is ALTERNATOR:
        rows[1] = THEIRS - MINE
    if opponent is ALWAYS_DEFECT:
        rows[2] = W.scale * W.exploitability * (THEIRS - MINE) / 2
    if opponent is FRIEND:
        rows[2] = W.collusion * DEFECTED
    else:
        rows[2] += W.externality * SHORT / (len(TRAIN) + len(EXPLOIT))
    return rows / GAME.rounds


def cooperates(opponent: Opponent, *, swapped: bool) -> list[np.ndarray]:
    """The probability of C at each history of each length, seen by the other side if swapped."""
    return [
        np.array(
            [
                opponent.policy(seen(number, length, swapped=swapped))[MOVES[0]]
                for number in range(4**length)
            ]
        )
        for length in range(GAME.rounds)
    ]


def seen(number: int, length: int, *, swapped: bool) -> Observation:
    digits = [number // 4**place % 4 for place in reversed(range(length))]
    mine, theirs = (tuple(PAIRS[digit][side] for digit in digits) for side in (0, 1))
    if swapped:
        mine, theirs = theirs, mine
    return Observation(0, mine, theirs, mine, (False,) * length, GAME.rounds)


def gains() -> list[np.ndarray]:
    """``(histories, outcomes, terms)`` by length: reached by the opponents' own moves, summed."""
    found = [np.zeros((4**length, 4, 3)) for length in range(GAME.rounds)]
    for opponent in MET:
        reach, value = np.ones(1), per_round(opponent).T
        for length, p in enumerate(cooperates(opponent, swapped=True)):
            reached = reach[:, None] * np.stack([p, 1 - p, p, 1 - p], axis=1)
            found[length] += reached[:, :, None] * value
            reach = reached.ravel()
    return found


GAINS = gains()


def play(policy: list[np.ndarray]) -> Terms:
    """The terms of a policy, given as its probability of C by history."""
    reach, total = np.ones(1), np.zeros(3)
    for gain, p in zip(GAINS, policy, strict=True):
        reached = reach[:, None] * np.stack([p, p, 1 - p, 1 - p], axis=1)
        total += (reached[:, :, None] * gain).sum((0, 1))
        reach = reached.ravel()
    return Terms(*map(float, total))


def best(weights: np.ndarray) -> list[np.ndarray]:
    """The policy with the highest weighted sum of terms."""
    ahead, policy = np.zeros(4**GAME.rounds), []
    for gain in reversed(GAINS):
        value = gain @ weights + ahead.reshape(-1, 4)
        by_move = value.reshape(-1, 2, 2).sum(2)
        policy.append((by_move[:, 0] >= by_move[:, 1]).astype(float))
        ahead = by_move.max(1)
    return policy[::-1]


def j_weights(gate: float) -> np.ndarray:
    return np.array([W.scale, -W.scale * W.exploitability * gate / 2, -1.0])


def optimum() -> tuple[float, float]:
    """J* from below and from above."""
    gates = [0.0, 1.0]
    for _ in range(40):  # a policy's slope in g is minus what is taken of it: bisect on its sign
        middle = sum(gates) / 2
        gates[0 if play(best(j_weights(middle))).taken > 0 else 1] = middle
    found = [play(best(j_weights(gate))) for gate in gates]
    above = min(terms.j(gate) for terms, gate in zip(found, gates, strict=True))
    return mixed(*found), above


def mixed(one: Terms, other: Terms) -> float:
    """The best J of drawing one of two policies before each episode."""
    shares = [0.0, 1.0]
    if one.taken * other.taken < 0:
        shares.append(other.taken / (other.taken - one.taken))
    return max(
        Terms(*(s * a + (1 - s) * b for a, b in zip(one, other, strict=True))).j() for s in shares
    )


def test_the_pools_tell_reward_alone_from_the_best_policy():
    """Reward alone defects on cooperators. Of the policies that maximise u, the best by J is taken.

    The page prints the numbers too.
    """
    low, high = optimum()
    assert low == pytest.approx(high, abs=1e-6)
    assert 2.48 <= low <= high <= 2.53
    u_alone = [play(best(np.array([1, 0, 0]) + 1e-6 * j_weights(gate))).j() for gate in (0, 0.5, 1)]
    assert max(u_alone) == pytest.approx(1.92, abs=0.005)
    terms = [(play(cooperates(o, swapped=False)), weight) for o, weight in DEMONSTRATORS]
    mixture = Terms(*(sum(w * t[i] for t, w in terms) for i in range(3))).j()
    separation = (low - max(u_alone)) / (low - mixture)
    assert separation >= 0.25
    printed = [f"{number:.3f}" for number in (low, max(u_alone), mixture, separation)]
    line = "J\\* {}, reward alone {}, demonstrators {}, separation {}".format(*printed)
    assert line in PAGE.read_text(), line


def test_tit_for_tat_has_the_j_that_its_golden_numbers_give():
    """e = .3125; u over TFT, generous, random, lenient by hand; no defection on always-cooperate.

    Random: 3 or 0 at first, then each round is any of the four outcomes. Lenient: C at first, then
    C with .9. The externality is a sixth of each opponent's: random's (0, 1/6) at first, then the
    mean of (0, 1/6, 1/6, 2/3); always-defect 1/6, then 2/3; the alternator 1/6 throughout.
    """
    tit_for_tat = play(cooperates(DEMONSTRATORS[0][0], swapped=False))
    random = (1.5 + 7 * 9 / 4) / 8
    later = 0.81 * 3 + 0.09 * 5 + 0.01 * 1
    lenient = (0.9 * 3 + 7 * later) / 8
    u = (3 + 3 + random + lenient) / 4
    assert tit_for_tat.u == pytest.approx(u)
    assert tit_for_tat.taken == 0.0
    by_random = (1 / 12 + 7 * (1 / 6 + 1 / 6 + 2 / 3) / 4) / 8
    by_lenient = (0.1 / 6 + 7 * (0.18 / 6 + 0.01 * 2 / 3)) / 8
    by_defector = (1 / 6 + 7 * 2 / 3) / 8
    x = (by_random + by_lenient + by_defector + 1 / 6) / 6
    assert tit_for_tat.j() == pytest.approx(u - 2.4 * 0.3125 - 1.8 * x)
