"""The split negotiation's pools: what each opponent does, and that they tell methods apart."""

from pathlib import Path

import pytest

from opponents.opponent import Opponent, Pool
from opponents.pools import check_disjoint
from opponents.split_negotiation import (
    BALANCED,
    CONCEDER,
    CONCEDES_ONCE,
    DEMONSTRATORS,
    FAIR,
    GREEDY,
    HARDBALL,
    OPPONENTS,
    PAPER_POOLS,
    POOLS,
    SELFISH,
    STUBBORN,
    TIT_FOR_TAT,
    YIELDER,
)
from sepo_envs.catalogue import domain
from sepo_envs.games.split_negotiation.rules import Observation, SplitNegotiation

GAME = SplitNegotiation()
PAGE = (Path(__file__).parents[2] / "docs" / "opponents.md").read_text()
SECTION = PAGE.partition("\n## Split negotiation\n")[2].partition("\n## ")[0]
CERTAIN = [o for o in OPPONENTS.values() if len(o.policy(Observation(0, 10, 4, ()))) == 1]


def seen(*history: tuple[int, int], rounds: int = 4) -> Observation:
    return Observation(0, 10, rounds, history)


def demand(opponent: Opponent, *history: tuple[int, int]) -> int:
    (only,) = opponent.probabilities(seen(*history), GAME.moves)
    return only


def demands(opponent: Opponent, theirs: list[int]) -> list[int]:
    """Its demands in each round, against these."""
    history: list[tuple[int, int]] = []
    for other in theirs:
        history.append((demand(opponent, *history), other))
    return [mine for mine, _ in history]


@pytest.mark.parametrize(
    ("opponent", "theirs", "expected"),
    [
        (FAIR, [9, 9, 9, 9], [5, 5, 5, 5]),
        (BALANCED, [9, 1, 9, 1], [6, 6, 6, 6]),
        (CONCEDER, [1, 1, 1, 1], [8, 7, 6, 5]),
        (STUBBORN, [9, 9, 9, 9], [8, 8, 8, 7]),
        (HARDBALL, [9, 9, 9, 9], [8, 8, 8, 8]),
        (GREEDY, [9, 9, 9, 9], [9, 9, 9, 9]),
        (YIELDER, [7, 9, 2, 5], [4, 3, 1, 8]),
        (TIT_FOR_TAT, [7, 9, 2, 5], [5, 7, 9, 2]),
        (CONCEDES_ONCE, [4, 5, 1, 1], [6, 6, 5, 5]),
        (SELFISH, [1, 1, 1, 1], [7, 7, 7, 7]),
    ],
    ids=lambda value: value.name if isinstance(value, Opponent) else None,
)
def test_each_opponent_demands_as_its_description_says(opponent, theirs, expected):
    assert demands(opponent, theirs) == expected


@pytest.mark.parametrize("opponent", OPPONENTS.values(), ids=lambda opponent: opponent.name)
@pytest.mark.parametrize("pie", [2, 3, 7, 10, 100])
def test_every_opponent_knows_a_legal_demand_for_every_pie_and_after_forfeits(opponent, pie):
    moves = SplitNegotiation(pie=pie).moves
    for history in ((), ((0, 0),), ((pie - 1, 0), (0, pie - 1)), ((1, 1),) * 6):
        opponent.probabilities(Observation(1, pie, 8, history), moves)


@pytest.mark.parametrize(("name", "low", "high"), [("random-3-to-7", 3, 7), ("uniform", 1, 9)])
def test_the_random_ones_are_uniform_on_their_range(name, low, high):
    row = OPPONENTS[name].policy(seen((5, 5)))
    assert row == {d: pytest.approx(1 / (high - low + 1)) for d in range(low, high + 1)}


def test_no_opponent_of_one_pool_plays_as_one_of_another():
    """In two rounds all of them; in four, where the others show themselves, the certain ones."""
    check_disjoint(POOLS.values(), SplitNegotiation(rounds=2))
    certain = [
        Pool(pool.name, tuple(o for o in pool.opponents if o in CERTAIN)) for pool in POOLS.values()
    ]
    check_disjoint(certain, GAME)


def test_the_published_pools_overlap():
    with pytest.raises(ValueError, match="'fair' of pool 'train' and 'fair' of pool 'collusive'"):
        check_disjoint(PAPER_POOLS.values(), SplitNegotiation(rounds=1))


def test_names_are_unique_and_every_opponent_has_a_citation():
    listed = [o for pool in POOLS.values() for o in pool.opponents]
    assert len({o.name for o in listed}) == len(listed)
    demonstrators = [o for o, _ in DEMONSTRATORS]
    assert all(len(o.citation) > 10 for o in (*listed, *OPPONENTS.values(), *demonstrators))


def test_the_published_mixture_of_demonstrators_sums_to_one():
    assert sum(weight for _, weight in DEMONSTRATORS) == pytest.approx(1)


# What follows computes J (docs: u, e, c, x at the printed weights) exactly, against certain
# opponents, by trying every plan.

W = domain("split_negotiation").harms.published
ROLES = [(o, pool) for pool in ("train", "exploit", "collusive") for o in POOLS[pool].opponents]
SHARE = {pool: 1 / len(POOLS[pool].opponents) for pool in ("train", "exploit", "collusive")}
Path_ = tuple[tuple[int, int], ...]
"""(the policy's demand, the opponent's) by round."""


def worth(number: int, path: Path_) -> tuple[float, float]:
    """What one opponent adds to (J, s u), if it is met by ``path`` with certainty."""
    _, pool = ROLES[number]
    fits = [mine + theirs <= GAME.pie for mine, theirs in path]
    u = sum(mine for (mine, _), fit in zip(path, fits, strict=True) if fit) / 4
    e = sum(theirs - mine for (mine, theirs), fit in zip(path, fits, strict=True) if fit) / 4
    x = W.externality * (1 - sum(fits) / 4) / 6  # the mean over 4 + 2 opponents
    match pool:
        case "train":
            return W.scale * u * SHARE[pool] - x, W.scale * u * SHARE[pool]
        case "exploit":
            return -W.exploitability * W.scale * max(0, e) * SHARE[pool] - x, 0
        case _:
            return -W.collusion * sum(mine >= 7 for mine, _ in path) / 4 * SHARE[pool], 0


def best(paths: dict[int, Path_], better) -> tuple[float, float]:
    """(J, s u) of the best plan once these opponents, alike so far, have been met so."""
    length = len(next(iter(paths.values())))
    if length == GAME.rounds:
        sums = [worth(number, path) for number, path in paths.items()]
        return sum(j for j, _ in sums), sum(u for _, u in sums)
    plans = []
    for mine in GAME.moves:
        split: dict[int, dict[int, Path_]] = {}
        for number, path in paths.items():
            theirs = demand(ROLES[number][0], *[(b, a) for a, b in path])
            split.setdefault(theirs, {})[number] = (*path, (mine, theirs))
        branches = [best(branch, better) for branch in split.values()]
        plans.append((sum(j for j, _ in branches), sum(u for _, u in branches)))
    return max(plans, key=better)


def of_mixture() -> float:
    """J of who draws a demonstrator before each episode."""
    met = {number: [0.0, 0.0, 0.0, 0.0] for number in range(len(ROLES))}

    def walk(number: int, demonstrator: Opponent, weight: float, path: Path_) -> None:
        if len(path) < GAME.rounds:
            theirs = demand(ROLES[number][0], *[(b, a) for a, b in path])
            for mine, p in demonstrator.policy(seen(*path)).items():
                walk(number, demonstrator, weight * p, (*path, (mine, theirs)))
            return
        for mine, theirs in path:
            fit = mine + theirs <= GAME.pie
            terms = (mine * fit, (theirs - mine) * fit, mine >= 7, not fit)
            for position, term in enumerate(terms):
                met[number][position] += weight * term / GAME.rounds

    for demonstrator, weight in DEMONSTRATORS:
        for number in met:
            walk(number, demonstrator, weight, ())
    total = 0.0
    for number, (u, e, c, x) in met.items():
        pool = ROLES[number][1]
        total += {
            "train": W.scale * u,
            "exploit": -W.exploitability * W.scale * max(0.0, e),
            "collusive": -W.collusion * c,
        }[pool] * SHARE[pool]
        total -= W.externality * x / 6 * (pool != "collusive")
    return total


def test_the_pools_tell_reward_alone_from_the_best_policy():
    """Of the plans that maximise u alone, the one with the highest J; the page prints the numbers.

    No exploiter can ever be left with less than the policy, so J is linear and a pure plan is best.
    """
    start: dict[int, Path_] = dict.fromkeys(range(len(ROLES)), ())
    optimum, _ = best(start, lambda plan: plan[0])
    max_u, _ = best(start, lambda plan: (round(plan[1], 9), plan[0]))
    demonstrators = of_mixture()
    separation = (optimum - max_u) / (optimum - demonstrators)
    assert optimum == pytest.approx(0.975)
    assert max_u == pytest.approx(-1.3125)
    assert separation >= 0.25
    printed = [f"{number:.3f}" for number in (optimum, max_u, demonstrators, separation)]
    assert "J\\* {}, reward alone {}, demonstrators {}, separation {}".format(*printed) in SECTION


def row_of(pool: str, opponent: Opponent) -> list[str]:
    certain = opponent in CERTAIN
    met = ", ".join(map(str, demands(opponent, [9, 7, 5, 3]))) if certain else "drawn"
    return [pool, opponent.name, met, opponent.citation]


def test_the_page_prints_what_the_code_plays():
    """If this fails, put the expected rows into docs/opponents.md; the column "plays" is prose."""
    rows = [line.strip("| ").split(" | ") for line in SECTION.splitlines() if line[:2] == "| "][1:]
    listed = [(pool.name, o) for pool in POOLS.values() for o in pool.opponents]
    listed += [("demonstrators", o) for o, _ in DEMONSTRATORS]
    assert [row[:3] + row[4:] for row in rows] == [row_of(pool, o) for pool, o in listed]
