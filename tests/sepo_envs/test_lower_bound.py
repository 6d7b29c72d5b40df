"""Lower bounds from trained exploiters, held against exact exploitability where that is known."""

from random import Random

import numpy as np
import pytest

from opponents import item_negotiation as items
from opponents import kuhn_poker as kuhn
from opponents import prisoners_dilemma as dilemma
from opponents import repeated_auction as auction
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import begin
from sepo_envs.exact import solver
from sepo_envs.exact.lower_bound import empirical_bernstein, lower_bound, tokens, total_range
from sepo_envs.game import CHANCE, FORFEIT, BoundedGame
from sepo_envs.games.item_negotiation.rules import ItemNegotiation
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.split_negotiation.rules import SplitNegotiation

KNOWN = [
    (KuhnPoker(), kuhn.OPPONENTS["tight-passive"]),
    (KuhnPoker(), kuhn.OPPONENTS["uniform"]),
    (PrisonersDilemma(rounds=3), dilemma.RANDOM),
    (PrisonersDilemma(rounds=4), dilemma.TIT_FOR_TAT),
    (PrisonersDilemma(rounds=4), dilemma.GRADUAL),
    (RepeatedAuction(rounds=1), auction.ALWAYS_1),
    (RepeatedAuction(rounds=2), auction.QUANTAL),
]
IDS = [f"{game.name}-{game.rounds}-{policy.name}" for game, policy in KNOWN]


@pytest.mark.parametrize(("game", "policy"), KNOWN, ids=IDS)
def test_the_lower_limit_is_below_the_truth_in_nearly_every_repetition(game, policy):
    """The law of a 95 % interval. It is short enough to fail: at least 0.4 of the truth is certain
    in every repetition, and what was measured lies on both sides of the truth or at it."""
    exact = solver(game).exploitability(policy)
    found = [lower_bound(game, policy, seed=seed, episodes=2_000) for seed in range(20)]
    assert np.mean([bound.low <= exact + 1e-9 for bound in found]) >= 0.95
    assert min(bound.low for bound in found) >= 0.4 * exact
    assert max(bound.value for bound in found) >= exact
    assert {bound.kind for bound in found} == {"lower bound"}


@pytest.mark.parametrize(("game", "policy"), KNOWN, ids=IDS)
def test_most_of_what_a_best_response_gains_is_found(game, policy):
    exact = solver(game).exploitability(policy)
    found = lower_bound(game, policy, seed=0, episodes=10_000)
    assert found.low >= 0.6 * exact
    assert found.value == pytest.approx(exact, rel=0.15)


def test_the_whole_match_of_the_dilemma_is_exploited_as_far_as_possible():
    """Against tit-for-tat the exact 2 points, against random all but a hundredth of 6."""
    game = PrisonersDilemma()
    assert lower_bound(game, dilemma.TIT_FOR_TAT, seed=0, episodes=2_000).value == 2.0
    found = lower_bound(game, dilemma.RANDOM, seed=0, episodes=4_000)
    assert found.value == pytest.approx(6.0, abs=0.2)


def test_nothing_is_found_against_an_equilibrium():
    for alpha in (0.0, 1 / 3):
        policy = kuhn.from_table("nash", kuhn.nash_table(alpha), "Kuhn 1950")
        assert lower_bound(KuhnPoker(), policy, seed=0, episodes=4_000).low == 0.0


def test_the_yielder_of_the_items_gives_up_nearly_all():
    """Four rounds are worth 40 points, of which an even split keeps some 20 for each. Whoever
    demands everything has it from the second round on."""
    game = ItemNegotiation()
    found = lower_bound(game, items.YIELDER, seed=0, episodes=600, candidates=items.OPPONENTS)
    assert found.low > 20
    assert "greedy-by-value, 600 episodes, 95 % CI" in str(found)


def test_six_rounds_against_always_1_are_exploited_as_computed_by_hand():
    """By hand, in a round: who bids 1 as well has half of 1 and half of 3, on average 1; the best
    reply bids 1 with a value of 2 and 2 with one of 4, half of 1 and all of 2, on average 1.25.
    Always-1 remembers nothing, so each round gains 0.25, as the solver says where it can."""
    for rounds in (1, 2):
        small = solver(RepeatedAuction(rounds=rounds))
        assert small.exploitability(auction.ALWAYS_1) == pytest.approx(0.25 * rounds)
    found = lower_bound(RepeatedAuction(rounds=6), auction.ALWAYS_1, seed=0, episodes=2_000)
    assert 0.7 * 1.5 <= found.low <= 1.5 <= found.high
    assert found.value == pytest.approx(1.5, abs=0.1)


def test_the_yielder_of_the_items_is_exploited_by_who_learned_it_from_play_alone():
    """Nobody is offered, so what is found was learned; less than who knows the game finds above."""
    found = lower_bound(ItemNegotiation(), items.YIELDER, seed=0, episodes=600)
    assert "tabular exploiter" in found.how
    assert 4 < found.low < found.value < 20


def test_who_is_offered_as_an_exploiter_is_chosen_if_it_earns_most():
    """Who always bids 3 wins each round at a mean profit of 0, and bidding 1 itself earns more."""
    game = RepeatedAuction(rounds=2)
    answer = {"best": auction.ADAPTIVE, "worst": auction.ALWAYS_3}
    found = lower_bound(game, auction.ALWAYS_1, seed=3, episodes=50, candidates=answer)
    assert "worst" not in found.how
    assert found.how.endswith("50 episodes, 95 % CI")


def test_the_same_seed_gives_the_same_bound_and_another_one_does_not():
    game, policy = KNOWN[0]
    one, again, other = (lower_bound(game, policy, seed=s, episodes=200) for s in (1, 1, 2))
    assert one == again != other


def test_the_interval_holds_the_mean_as_often_as_it_says():
    """A rare event, where an interval from the normal distribution fails: 1 in 100, 200 draws."""
    rng = np.random.default_rng(2009)
    held = 0
    for _ in range(500):
        draws = (rng.random(200) < 0.01).astype(float)
        low, high = empirical_bernstein(draws, span=1.0)
        held += low <= 0.01 <= high
    assert held / 500 >= 0.95


def test_more_draws_make_the_interval_shorter():
    few, many = (empirical_bernstein(np.tile([0.0, 1.0], n), span=1.0) for n in (50, 5_000))
    assert many.high - many.low < (few.high - few.low) / 5


DEAR = {"sucker": 10.0, "punishment": 11.0, "reward": 12.0, "temptation": 13.0}
COSTLY = {"sucker": -9.0, "punishment": -8.0, "reward": -7.0, "temptation": -6.0}


def every_return(game, episode=None):
    """What each way through ``game`` pays each seat."""
    episode = begin(game) if episode is None else episode
    if episode.actor is None:
        yield from episode.returns
    elif episode.actor == CHANCE:
        for outcome, _ in game.chance_outcomes(episode.state):
            yield from every_return(game, episode.play(outcome))
    else:
        for move in game.legal_moves(episode.state, episode.actor):
            yield from every_return(game, episode.play(move))


@pytest.mark.parametrize(
    "game",
    [
        PrisonersDilemma(rounds=3, **DEAR),
        PrisonersDilemma(rounds=3, continuation=0.5, **DEAR),
        PrisonersDilemma(rounds=3, continuation=0.5, **COSTLY),
        PrisonersDilemma(rounds=2, continuation=0.5, noise=0.1, **DEAR),
        PrisonersDilemma(rounds=3, continuation=0.5),
        SplitNegotiation(rounds=2, pie=4),
    ],
    ids=str,
)
def test_the_range_of_totals_is_that_of_all_episodes_short_ones_included(game):
    paid = list(every_return(game))
    assert total_range(game, game.payoff_range()) == (min(paid), max(paid))


def test_the_interval_is_as_wide_as_short_and_long_episodes_differ():
    """By hand: from 10 to 39 points are 29, in either direction; were all episodes long, 9. Nobody
    gains on who always defects, so only the range is in the limits."""
    game = PrisonersDilemma(rounds=3, continuation=0.5, **DEAR)
    found = lower_bound(game, dilemma.ALWAYS_DEFECT, seed=0, episodes=100_000)
    wide = empirical_bernstein(np.zeros(100_000), span=2 * 29)
    assert (found.value, found.low, found.high) == (0.0, 0.0, wide.high)


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_round_of_any_episode_pays_outside_of_the_games_range(name):
    game, rng = CATALOGUE[name].make(), Random(0)
    assert isinstance(game, BoundedGame)
    least, most = game.payoff_range()
    for _ in range(100):
        episode = begin(game).deal(rng)
        while episode.actor is not None:
            legal = [*game.legal_moves(episode.state, episode.actor), FORFEIT]
            episode = episode.play(rng.choice(legal)).deal(rng)
        paid = [points for round_ in game.payoffs(episode.state) for points in round_]
        assert least <= min(paid) <= max(paid) <= most


def test_a_game_that_does_not_say_what_is_at_stake_is_asked_to():
    class Silent:
        name, seats, rounds = "silent", 2, 1

    with pytest.raises(ValueError, match=r"silent does not say what a round can pay.*least, most"):
        lower_bound(Silent(), kuhn.OPPONENTS["uniform"], seed=0)


def test_too_few_episodes_are_refused():
    with pytest.raises(ValueError, match="3 episodes are too few"):
        lower_bound(KuhnPoker(), kuhn.OPPONENTS["uniform"], seed=0, episodes=3)


@pytest.mark.parametrize(
    ("infostate", "pieces"),
    [("Q", ("Q",)), ("0: 6-4 6-5", ("0:", "6-4", "6-5")), ("1:CC,CD", ("1:CC", "CD"))],
)
def test_an_infostate_falls_into_its_rounds(infostate, pieces):
    assert tokens(infostate) == pieces
