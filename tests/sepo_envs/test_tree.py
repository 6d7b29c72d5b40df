"""The exact solver on Kuhn poker: published and computed numbers, laws, and brute force."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opponents.kuhn_poker import SITUATIONS, bets, nash_table
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import MOVES, KuhnPoker, Move

TREE = GameTree(KuhnPoker())
ALWAYS_BET = bets(**dict.fromkeys(SITUATIONS, 1))
ALWAYS_PASS = bets()
UNIFORM = bets(**dict.fromkeys(SITUATIONS, 0.5))
K_ONLY = bets(K=1, Kp=1, Kb=1, Kpb=1)
K_AND_Q = bets(**{key: 1 for key in SITUATIONS if key[0] in "KQ"})
K_AND_J_CALL_K = bets(K=1, Kp=1, Kb=1, Kpb=1, J=1, Jp=1)
NASH_APPROX = bets(J=1 / 3, K=1, Qpb=1 / 3, Kpb=1, Jp=1 / 3, Kp=1, Qb=1 / 3, Kb=1)

FIRST = [key for key in SITUATIONS if TREE.seat(key) == 0]
SECOND = [key for key in SITUATIONS if TREE.seat(key) == 1]


def table_of(chances) -> ActionTable:
    return bets(**dict(zip(SITUATIONS, chances, strict=True)))


chances = st.lists(st.floats(0, 1), min_size=12, max_size=12)
tables = chances.map(table_of)


@cache
def plans(seat: int) -> list[ActionTable]:
    """The 64 deterministic plans of one seat; the other's situations pass."""
    own = (FIRST, SECOND)[seat]
    return [bets(**dict(zip(own, plan, strict=True))) for plan in product((0, 1), repeat=6)]


@pytest.mark.parametrize(
    ("table", "points"),
    [
        (UNIFORM, 11 / 24),
        (ALWAYS_BET, 1 / 3),
        (K_ONLY, 1 / 4),
        (K_AND_Q, 1 / 6),
        (ALWAYS_PASS, 1.0),
        (NASH_APPROX, 1 / 18),
    ],
    ids=["uniform", "always bet", "K only", "K and Q", "always pass", "published NashApprox"],
)
def test_exploitability_is_the_golden_number(table, points):
    """Computed apart from this code: .4583, .3333, .25, .1667, 1.0 and .0556, here as fractions."""
    assert TREE.exploitability(table) == pytest.approx(points, abs=1e-12)


def test_the_first_mover_loses_one_eighteenth_at_equilibrium():
    """Kuhn 1950."""
    assert TREE.returns(nash_table(1 / 5)) == pytest.approx([-1 / 18, 1 / 18])
    assert TREE.best_response(nash_table(0), 0).value == pytest.approx(-1 / 18)


@given(st.floats(0, 1 / 3))
def test_nothing_beats_any_member_of_kuhns_family(alpha):
    assert abs(TREE.nash_conv(nash_table(alpha))) < 1e-12


def test_the_first_players_king_must_be_bet_three_times_as_often_as_its_jack():
    table = bets(**{key: nash_table(1 / 6)[key][Move.BET] for key in SITUATIONS} | {"K": 0.4})
    assert TREE.exploitability(table) > 1e-3


def test_winning_against_five_scripts_is_not_being_an_equilibrium():
    """456 of the 4,096 deterministic policies lose to none of never bet, always bet, a coin, bet
    the King only, and bet King and Jack but call with the King only; yet a best response takes
    .167 to .583 points a hand from them (both numbers were computed apart from this code)."""
    scripts = (ALWAYS_BET, ALWAYS_PASS, UNIFORM, K_ONLY, K_AND_J_CALL_K)
    first = np.array([[TREE.returns([plan, s])[0] for s in scripts] for plan in plans(0)])
    second = np.array([[TREE.returns([s, plan])[1] for s in scripts] for plan in plans(1)])
    loses_to_none = (first[:, None] + second[None] > -1e-12).all(-1)
    taken = np.add.outer(
        [TREE.best_response(plan, 1).value for plan in plans(0)],
        [TREE.best_response(plan, 0).value for plan in plans(1)],
    )
    exploitability = taken[loses_to_none] / 2
    assert loses_to_none.sum() == 456
    assert exploitability.min() == pytest.approx(1 / 6)
    assert exploitability.max() == pytest.approx(7 / 12)


@settings(deadline=None, max_examples=20)
@given(tables, st.sampled_from([0, 1]))
def test_a_best_response_earns_what_it_says_and_no_plan_earns_more(table, seat):
    """The second implementation is trying all 64 plans."""

    def earns(plan: ActionTable) -> float:
        return TREE.returns([plan, table] if seat == 0 else [table, plan])[seat]

    response = TREE.best_response(table, seat)
    assert earns(response.table) == pytest.approx(response.value)
    assert max(map(earns, plans(seat))) == pytest.approx(response.value)


@pytest.mark.parametrize(
    ("temperature", "gain"),
    [
        (100, 0.0043),
        (2, 0.1786),
        (1, 0.2755),
        (0.5, 0.3580),
        (0.25, 0.4208),
        (0.1, 0.4564),
        (0.05, 0.4583),
    ],
)
def test_a_quantal_response_to_uniform_play_gains_as_computed_elsewhere(temperature, gain):
    """Averaged over the seats, from formulas written out by hand; a best response gains .4583."""
    responses = [
        TREE.quantal_response(UNIFORM, seat, temperature=temperature).value for seat in (0, 1)
    ]
    assert sum(responses) / 2 == pytest.approx(gain, abs=5e-5)


@given(tables, st.floats(0.05, 5))
def test_a_tremble_never_helps(table, temperature):
    for seat in (0, 1):
        noisy = TREE.quantal_response(table, seat, temperature=temperature).value
        assert noisy <= TREE.best_response(table, seat).value + 1e-12


def test_a_quantal_response_at_no_temperature_points_to_the_best_response():
    with pytest.raises(ValueError, match=r"needs one above 0 points; .* use best_response"):
        TREE.quantal_response(UNIFORM, 0, temperature=0.0)


@settings(deadline=None)
@given(chances, chances, st.lists(st.floats(0, 0.3), min_size=12, max_size=12))
def test_what_the_reading_missed_never_moves_exploitability_out_of_its_interval(read, rest, missed):
    """The truth plays something arbitrary with the uncovered probability of each situation."""
    read_table = ActionTable(table_of(read).rows, dict(zip(SITUATIONS, missed, strict=True)))
    truth = table_of((1 - m) * p + m * q for p, q, m in zip(read, rest, missed, strict=True))
    interval = TREE.exploitability_interval(read_table)
    assert interval.value == TREE.exploitability(read_table)
    assert interval.low - 1e-9 <= TREE.exploitability(truth) <= interval.high + 1e-9


def test_a_policy_known_exactly_has_an_interval_of_no_width():
    found = TREE.exploitability_interval(K_ONLY)
    assert (found.low, found.value, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert str(found) == "0.2500 (exact)"


def test_the_interval_is_as_wide_as_a_slip_can_cost():
    """By hand: the policy misses 1% at each decision, twice at most for the first seat and once for
    the second; payoffs span 4 points; so (.02 + .01) * 4 / 2."""
    table = ActionTable(K_ONLY.rows, dict.fromkeys(SITUATIONS, 0.01))
    interval = TREE.exploitability_interval(table)
    assert (interval.low, interval.high) == pytest.approx((0.25 - 0.06, 0.25 + 0.06))


@given(st.lists(tables, min_size=1, max_size=4), tables, st.data())
def test_the_average_policy_earns_the_average_of_the_returns(mixed, opponent, data):
    """Kuhn's theorem: drawing a policy for the whole hand is playing their average, sets weighted
    by own reach, against anyone and from either seat."""
    size = len(mixed)
    weights = data.draw(st.lists(st.floats(0.1, 1), min_size=size, max_size=size))
    average = TREE.average(mixed, weights)
    for seats in (lambda mine: [mine, opponent], lambda mine: [opponent, mine]):
        expected = np.average([TREE.returns(seats(one)) for one in mixed], axis=0, weights=weights)
        assert TREE.returns(seats(average)) == pytest.approx(expected)


def test_averaging_weighs_a_situation_by_how_often_each_policy_comes_there():
    """By hand: always bet never checks a Queen, so a checked Queen is the other policy's."""
    average = TREE.average([ALWAYS_BET, ALWAYS_PASS], [1, 1])
    assert average["Q"][Move.BET] == 0.5
    assert average["Qpb"][Move.BET] == 0.0


def action_values(table: ActionTable) -> dict[str, np.ndarray]:
    """Each move's expected payoff, others' reach normalised, when all play ``table`` after it."""
    values = {}
    for seat, own in enumerate((FIRST, SECOND)):
        deepest_first = iter(sorted(own, key=lambda key: (-len(key), TREE.situations.index(key))))

        def keep_playing(level, legal, *, order=deepest_first):
            names = [next(order) for _ in level]
            values.update(zip(names, level.copy(), strict=True))
            return np.array([[table[name][move] for move in MOVES] for name in names])

        TREE.respond(table, seat, keep_playing)
    return values


def magnetic_descent(steps: int, *, eta: float, alpha: float, refresh: int) -> ActionTable:
    """Sokota et al., arXiv 2206.05825, with a magnet set to the policy every ``refresh`` steps."""
    policy = {key: np.full(2, 0.5) for key in SITUATIONS}
    magnet = policy
    for step in range(steps):
        if step % refresh == 0:
            magnet = policy
        values = action_values(
            ActionTable({k: dict(zip(MOVES, p, strict=True)) for k, p in policy.items()})
        )
        raised = {
            key: (p * np.exp(eta * values[key]) * magnet[key] ** (eta * alpha))
            ** (1 / (1 + eta * alpha))
            for key, p in policy.items()
        }
        policy = {key: p / p.sum() for key, p in raised.items()}
    return ActionTable({k: dict(zip(MOVES, p, strict=True)) for k, p in policy.items()})


@pytest.mark.parametrize(
    ("alpha", "exploitability", "within"), [(0.0, 0.203, 5e-4), (0.2, 0.00009, 1e-5)]
)
def test_a_refreshed_magnet_turns_cycling_into_convergence(alpha, exploitability, within):
    """Computed apart, 1,000 steps at eta .1: no regulariser .203, refreshed every 50 .00009."""
    table = magnetic_descent(1_000, eta=0.1, alpha=alpha, refresh=50)
    assert TREE.exploitability(table) == pytest.approx(exploitability, abs=within)


def test_every_example_stands_at_its_own_situation():
    for situation in TREE.situations:
        episode = TREE.example(situation)
        assert episode.actor == TREE.seat(situation)
        assert episode.game.observe(episode.state, episode.actor).situation == situation


def test_a_match_of_several_hands_is_refused_with_the_mend():
    with pytest.raises(ValueError, match=r"spans two seats.*Solve a single hand"):
        GameTree(KuhnPoker(hands=2))


def test_a_tree_too_large_is_refused_before_memory_is():
    with pytest.raises(ValueError, match=r"more than 50 histories.*shorter horizon"):
        GameTree(KuhnPoker(), most_nodes=50)


def test_a_table_with_a_hole_is_refused_by_the_situation_it_lacks():
    with pytest.raises(ValueError, match="nothing about situation 'J'"):
        TREE.nash_conv(ActionTable({"Q": {Move.BET: 1.0}}))
