"""The auction's best policies a second time: by arrays over public histories, over 4 rounds.

Nothing is shared with `opponents.decisions` but the rules and the opponents. Values are drawn anew,
nobody in the pools minds who won a tie, and one's own earlier values tell nothing, so the public
bids and today's value are all a policy needs. Histories are numbered in base 9, oldest round first:
(my bid, theirs).
"""

from itertools import product

import numpy as np
import pytest

from benchmarks.optimum import highest_j
from opponents.decisions import decisions, linear
from opponents.repeated_auction import POOLS
from opponents.tables import TABLES
from sepo_envs.catalogue import domain
from sepo_envs.games.repeated_auction.rules import Observation, RepeatedAuction, Seen, contenders

GAME = RepeatedAuction(rounds=4)
WEIGHTS = domain("repeated_auction").harms.published
TRAIN, EXPLOIT, COLLUSIVE = (POOLS[name].opponents for name in ("train", "exploit", "collusive"))
PAIRS = [*product(GAME.bids, repeat=2)]
VALUES, BIDS = np.array(GAME.values), np.array(GAME.bids)

mine, bid, theirs, other = np.ix_(VALUES, BIDS, VALUES, BIDS)
wins = (bid > other) + (bid == other) / 2
PAYOFF = wins * (mine - bid) + 0.0 * theirs
MARGIN = (1 - wins) * (theirs - other) - PAYOFF
LOWEST = (bid == 1) + 0.0 * PAYOFF
OVERPAID = wins * (mine <= bid) + 0.0 * PAYOFF


def terms(opponent) -> np.ndarray:
    """(my value, my bid, their value, their bid, term), before dividing by the rounds."""
    found = np.zeros((2, 3, 2, 3, 5))
    if opponent in TRAIN:
        found[..., 0] = PAYOFF / len(TRAIN)
    if opponent in COLLUSIVE:
        found[..., 1] = LOWEST / len(COLLUSIVE)
    else:
        found[..., 2] = OVERPAID / (len(TRAIN) + len(EXPLOIT))
    if opponent in EXPLOIT:
        found[..., 3 + EXPLOIT.index(opponent)] = MARGIN
    return found / GAME.rounds


def answers(opponent, seat: int, length: int) -> np.ndarray:
    """(history, their value, their bid): what ``opponent`` does opposite ``seat``."""
    rows = np.zeros((9**length, 2, 3))
    for number, history in enumerate(product(PAIRS, repeat=length)):
        past = []
        for pair in history:
            bids = pair if seat == 0 else pair[::-1]
            past.append(Seen(2, bids, contenders(bids)[0]))
        for place, value in enumerate(GAME.values):
            seen = Observation(1 - seat, value, tuple(past), GAME.bids)
            for made, p in opponent.policy(seen).items():
                rows[number, place, made - 1] = p
    return rows


def gains(seat: int) -> list[np.ndarray]:
    """By length, (history, my value, my bid, their bid, term), by the opponents' own reach."""
    found = [np.zeros((9**length, 2, 3, 3, 5)) for length in range(GAME.rounds)]
    for opponent in (*TRAIN, *EXPLOIT, *COLLUSIVE):
        reach, value = np.ones(1), terms(opponent)
        for length in range(GAME.rounds):
            played = reach[:, None, None] * answers(opponent, seat, length) / 2
            found[length] += np.einsum("hwb,vawbt->hvabt", played, value) / 2
            reach = np.repeat(played.sum(1)[:, None], 3, axis=1).ravel()
    return found


def best(found: list[np.ndarray], weights: np.ndarray) -> float:
    """The largest weighted sum of terms that any policy reaches."""
    ahead = np.zeros(9**GAME.rounds)
    for gain in reversed(found):
        worth = gain @ weights + ahead.reshape(-1, 1, 3, 3) / 2
        ahead = worth.sum(3).max(2).sum(1)
    return float(ahead[0])


def test_arrays_over_public_histories_find_what_beliefs_find():
    """At several gates and for u alone, so that both sides of the bracket of J* are checked."""
    table = TABLES["repeated_auction"](rounds=4)
    choices = decisions(table)
    both = [gains(seat) for seat in (0, 1)]
    tried = [linear(WEIGHTS, np.array(g)) for g in ([0, 0], [1, 1], [1, 0], [0.3, 0.8])]
    for weights in (*tried, np.eye(5)[0]):
        expected = sum(best(found, weights) for found in both) / 2
        assert choices.best(weights) @ weights == pytest.approx(expected, abs=1e-12)
    bracket = highest_j(choices, WEIGHTS)
    assert bracket.low <= min(sum(best(f, w) for f in both) / 2 for w in tried)
