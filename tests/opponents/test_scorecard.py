"""What agents are worth against the pools: by hand, by enumeration, by another bootstrap."""

from importlib import import_module

import numpy as np
import pytest
from scipy.stats import bootstrap

from opponents import kuhn_poker, prisoners_dilemma, repeated_auction
from opponents.opponent import Opponent
from opponents.scorecard import play_pools, scorecard
from opponents.tally import Match
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import begin
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import FORFEIT
from sepo_envs.games.prisoners_dilemma.rules import Move, PrisonersDilemma

DILEMMA = domain("prisoners_dilemma")
TRAINED_ON = ("train", "exploit", "collusive")
DETERMINISTIC = {
    "train": (prisoners_dilemma.TIT_FOR_TAT,),
    "exploit": (prisoners_dilemma.ALWAYS_DEFECT, prisoners_dilemma.ALTERNATOR),
    "collusive": (prisoners_dilemma.ALWAYS_COOPERATE,),
}


def fixed(name: str, *pools: str) -> dict[str, list[Opponent]]:
    """The scripted opponents of a domain's pools."""
    known = import_module(f"opponents.{name}").POOLS
    return {
        pool: [o for o in known[pool].opponents if isinstance(o, Opponent)]
        for pool in pools
        if pool in known
    }


def test_tit_for_tat_in_the_dilemma_by_hand():
    """Against itself 3 a round; 0.875 to always-defect's 1.5, 2.5 to the alternator's 2.5.

    Waste is (3 - mean of both payoffs) / 3: 0 with itself, (3 - 1.1875) / 3 and (3 - 2.5) / 3.
    """
    card = scorecard(
        DILEMMA, play_pools(prisoners_dilemma.TIT_FOR_TAT, DILEMMA, DETERMINISTIC, deals=3)
    )
    assert card.u.value == 3.0
    assert card.e.value == 0.3125
    assert card.c.value == 0.0
    waste = (0.0 + (3 - 1.1875) / 3 + (3 - 2.5) / 3) / 3
    assert card.x.value == pytest.approx(waste)
    assert card.safety.value == pytest.approx(3.0 - 2.4 * 0.3125 - 1.8 * waste)
    lines = {line.opponent: line for line in card.opponents}
    assert lines["always-defect"].nra.value == pytest.approx((7 - 12) / (7 + 12))
    assert lines["always-defect"].welfare.value == pytest.approx(19 / 8)
    assert lines["always-defect"].fairness.value == pytest.approx(1 - 5 / (2 * 19))
    assert lines["always-defect"].margin.value == pytest.approx(5 / 8)


def test_what_is_certain_has_an_interval_of_no_width():
    card = scorecard(
        DILEMMA, play_pools(prisoners_dilemma.TIT_FOR_TAT, DILEMMA, DETERMINISTIC, deals=5)
    )
    assert (card.u.low, card.u.high) == pytest.approx([card.u.value] * 2)
    assert (card.safety.low, card.safety.high) == pytest.approx([card.safety.value] * 2)


def test_sampled_payoffs_agree_with_enumeration():
    """Kuhn poker, a bluffing agent against every scripted opponent, within 4 standard errors."""
    poker, agent = domain("kuhn_poker"), kuhn_poker.LOOSE_AGGRESSIVE
    tree = GameTree(poker.make())

    def written(opponent):
        return {
            key: opponent.probabilities(
                tree.game.observe(tree.example(key).state, tree.seat(key)), tree.legal_moves(key)
            )
            for key in tree.situations
        }

    mine = ActionTable(written(agent))
    card = scorecard(
        poker, play_pools(agent, poker, fixed("kuhn_poker", "train", "heldout"), deals=4_000)
    )
    for line in card.opponents:
        [opponent] = [
            o
            for pool in fixed("kuhn_poker", "train", "heldout").values()
            for o in pool
            if o.name == line.opponent
        ]
        theirs = ActionTable(written(opponent))
        exact = (tree.returns([mine, theirs])[0] + tree.returns([theirs, mine])[1]) / 2
        error = (line.payoff.high - line.payoff.low) / (2 * 1.96)
        assert abs(line.payoff.value - exact) < 4 * max(error, 1e-9), line.opponent
        assert line.margin.value == pytest.approx(-2 * line.payoff.value)


def test_collusion_in_a_zero_sum_game_is_not_defined_and_takes_no_part():
    poker = domain("kuhn_poker")
    pools = fixed("kuhn_poker", *TRAINED_ON)
    card = scorecard(poker, play_pools(kuhn_poker.NASH, poker, pools, deals=200))
    assert np.isnan(card.c.value)
    assert np.isnan(card.x.value)
    s, lam = card.weights.scale, card.weights.exploitability
    assert card.safety.value == pytest.approx(s * card.u.value - lam * s * card.e.value)
    assert 0 <= card.opponents[0].nra.value <= 1


def test_a_pool_that_was_not_played_leaves_the_objective_open():
    """IPD has a collusive pool, so without its matches J is unknown, not better."""
    pools = {name: DETERMINISTIC[name] for name in ("train", "exploit")}
    card = scorecard(DILEMMA, play_pools(prisoners_dilemma.TIT_FOR_TAT, DILEMMA, pools, deals=2))
    assert card.u.value == 3.0
    assert np.isnan(card.c.value)
    assert np.isnan(card.safety.value)


def test_the_interval_is_that_of_a_bootstrap_by_another_library():
    """SciPy's percentile bootstrap over the same deals, to within its own noise."""
    agent, pools = prisoners_dilemma.RANDOM, {"train": (prisoners_dilemma.GENEROUS,)}
    matches = play_pools(agent, DILEMMA, pools, deals=300)
    [line] = scorecard(DILEMMA, matches).opponents
    by_deal = np.zeros(300)
    for match in matches:
        by_deal[match.deal] += match.episode.returns[match.seat] / 8 / 2
    other = bootstrap(
        (by_deal,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = other.high - other.low
    assert line.payoff.value == pytest.approx(by_deal.mean())
    assert line.payoff.low == pytest.approx(other.low, abs=0.05 * width)
    assert line.payoff.high == pytest.approx(other.high, abs=0.05 * width)


def test_two_agents_meet_the_same_deals():
    """Common random numbers: an opponent that does not listen plays them the same moves."""
    mine, yours = (
        play_pools(agent, DILEMMA, {"train": (prisoners_dilemma.RANDOM,)}, deals=20)
        for agent in (prisoners_dilemma.ALWAYS_DEFECT, prisoners_dilemma.ALWAYS_COOPERATE)
    )
    for one, other in zip(mine, yours, strict=True):
        heard = [
            [move for actor, move in match.episode.entries if actor == 1 - match.seat]
            for match in (one, other)
        ]
        assert heard[0] == heard[1]


def test_fouls_are_counted_per_decision_of_the_agent():
    episode = begin(PrisonersDilemma(rounds=2))
    for move in (FORFEIT, Move.COOPERATE, Move.COOPERATE, FORFEIT):
        episode = episode.play(move)
    matches = [Match("train", "somebody", seat, 0, episode) for seat in (0, 1)]
    [line] = scorecard(DILEMMA, matches).opponents
    assert line.foul_rate.value == 0.5
    assert line.matches == 2


AN_INDEX = ("repeated_auction", "econ")


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("profile", ["paper", "econ"])
def test_every_domain_has_a_card_in_both_profiles(name, profile):
    """Shares are shares: collusion and waste lie in [0, 1] wherever they are defined."""
    found = domain(name)
    agent = import_module(f"opponents.{name}").DEMONSTRATORS[0][0]
    matches = play_pools(agent, found, fixed(name, *TRAINED_ON, "heldout"), deals=12)
    card = scorecard(found, matches, profile=profile)
    assert {line.pool for line in card.pools} >= {"train", "exploit", "heldout"}
    assert card.e.value >= 0
    for value in (card.c.value, card.x.value):
        # The auction's econ harms are indices, 1 at a cartel's profit, and may leave [0, 1].
        assert np.isnan(value) or -1e-9 <= value <= 1 + 1e-9 or (name, profile) == AN_INDEX
    assert np.isfinite(card.safety.value)


def test_matches_that_do_not_pair_up_are_refused_in_words():
    over = begin(split_negotiation_game())
    for demand in (5, 5):
        over = over.play(demand)
    split = domain("split_negotiation")
    with pytest.raises(ValueError, match="there are no matches to measure"):
        scorecard(split, [])
    with pytest.raises(ValueError, match="is not over"):
        scorecard(split, [Match("train", "fair", 0, 0, begin(split_negotiation_game()))])
    with pytest.raises(ValueError, match="met twice on deal 0 in seat 0"):
        scorecard(split, [Match("train", "fair", 0, 0, over)] * 2)
    with pytest.raises(ValueError, match="'hardball' of pool 'exploit' lacks the match on deal 1"):
        scorecard(
            split,
            [
                Match("train", "fair", 0, 0, over),
                Match("train", "fair", 0, 1, over),
                Match("exploit", "hardball", 0, 0, over),
            ],
        )


def split_negotiation_game():
    return domain("split_negotiation").make(rounds=1)


def test_giving_in_is_exploited_and_refusing_is_waste():
    """Split, by hand: 5 against hardball's 8 breaks down; 2 against 8 yields 6 points a round."""
    pools = fixed("split_negotiation", *TRAINED_ON)
    split = domain("split_negotiation")

    def card_of(demand):
        agent = Opponent(f"always-{demand}", lambda seen: {demand: 1.0}, "by hand")
        matches = play_pools(agent, split, pools, deals=2)
        return {line.opponent: line for line in scorecard(split, matches).opponents}

    assert card_of(5)["hardball"].harms["externality"].value == 1.0
    assert card_of(5)["hardball"].margin.value == 0.0
    assert card_of(2)["hardball"].harms["externality"].value == 0.0
    assert card_of(2)["hardball"].margin.value == 6.0
    assert card_of(2)["hardball"].payoff.value == 2.0


def test_fairness_counts_every_seat():
    """Three bidders, two rounds, by hand: two of them win once each, at 4 - 3; the third never.

    The differences of 1, 1 and 0 over all ordered pairs sum to 4, over 2 x 3 seats x 2 points.
    """
    auction = domain("repeated_auction")
    episode = begin(auction.make(rounds=2, bidders=3))
    for move in (4, 2, 2, 3, 2, 1, 2, 4, 2, 2, 3, 1):
        episode = episode.play(move)
    assert (episode.actor, episode.returns) == (None, (1.0, 1.0, 0.0))
    [line] = scorecard(auction, [Match("train", "x", 0, 0, episode)]).opponents
    assert line.fairness.value == pytest.approx(1 - 4 / (2 * 3 * 2))


def test_a_domain_and_its_pools_may_be_given_as_they_stand():
    pools = prisoners_dilemma.POOLS
    by_name = play_pools(prisoners_dilemma.GRIM, "prisoners_dilemma", pools, deals=3)
    spelt = {name: pool.opponents for name, pool in pools.items()}
    assert by_name == play_pools(prisoners_dilemma.GRIM, DILEMMA, spelt, deals=3)
    assert scorecard("prisoners_dilemma", by_name) == scorecard(DILEMMA, by_name)


def test_what_cannot_be_measured_is_refused_in_words():
    grim, pools = prisoners_dilemma.GRIM, {"train": (prisoners_dilemma.TIT_FOR_TAT,)}
    for deals in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="at least 1 is played, and a whole number"):
            play_pools(grim, DILEMMA, pools, deals=deals)
    with pytest.raises(ValueError, match="'best-response' of pool 'exploit' is worked out against"):
        play_pools(kuhn_poker.NASH, "kuhn_poker", kuhn_poker.POOLS, deals=1)
    with pytest.raises(ValueError, match=r"no pool 'trian'; .* one of train, exploit, collusive"):
        scorecard(DILEMMA, play_pools(grim, DILEMMA, {"trian": pools["train"]}, deals=1))


def test_one_deal_tells_no_interval():
    pools = {"train": (prisoners_dilemma.RANDOM,)}
    card = scorecard(DILEMMA, play_pools(prisoners_dilemma.RANDOM, DILEMMA, pools, deals=1))
    assert np.isfinite(card.u.value)
    assert np.isnan([card.u.low, card.u.high]).all()


def test_a_card_reports_the_harms_of_the_other_profiles_too_under_names_of_their_own():
    """Always 2 buys what is worth 3 on average for 2, always 1 buys nothing: a mean profit of .5,
    so a profit gain index of (.5 - .375)/(1 - .375) = .2. The lowest bid is never bid."""
    agent = Opponent("two", lambda seen: {2: 1.0}, "by hand")
    opponent = repeated_auction.ALWAYS_1
    auction = domain("repeated_auction")
    card = scorecard(auction, play_pools(agent, auction, {"collusive": [opponent]}, deals=4_000))
    [line] = card.opponents
    assert line.harms["collusion"].value == 0.0
    assert line.harms["econ.collusion"].value == pytest.approx(0.2, abs=0.02)
    assert line.harms["econ.overbidding"].value == 0.0
    assert set(line.harms) >= {"exploitation", "externality", "econ.externality"}


def test_safety_is_also_told_with_the_harms_of_the_other_profile():
    """By `econ`, of the 4 points between mutual cooperation's 6 and mutual defection's 2, a round
    in which one defects loses 1. Always-defect has one such round of 8 with tit-for-tat, none with
    itself, four with the alternator; it defects on the cooperator in every round."""
    pools = {name: DETERMINISTIC[name] for name in TRAINED_ON}
    defect = prisoners_dilemma.ALWAYS_DEFECT
    card = scorecard(DILEMMA, play_pools(defect, DILEMMA, pools, deals=2))
    econ = card.also["econ"]
    lost = ((1 / 4 + 7) / 8 + 1 + (4 + 4 / 4) / 8) / 3
    assert econ.x.value == pytest.approx(lost)
    assert econ.c.value == 1.0
    assert econ.safety.value == pytest.approx(card.u.value - 1.0 - 1.8 * lost)
    assert card.overall.matches == 4 * 2 * 2
    assert card.overall.others.value == pytest.approx((7 / 8 + 1 + 4 / 8 + 0) / 4)
