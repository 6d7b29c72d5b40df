"""Batched play equals ordinary play, move by move."""

import gc
import weakref
from bisect import bisect
from itertools import accumulate
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opponents.kuhn_poker import ALWAYS_BET, NASH, UNIFORM
from opponents.prisoners_dilemma import ALWAYS_DEFECT, RANDOM, TIT_FOR_TAT
from sepo_envs.batch import AT_ONCE, MOST_ASKED, Board
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.choices import Weights
from sepo_envs.draws import DEAL, Draws, seat_stream
from sepo_envs.episode import begin
from sepo_envs.exact.tree import GameTree
from sepo_envs.find_opponent import known_opponents
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_envs.games.repeated_auction.rules import RepeatedAuction

OPTIONS = {
    "kuhn_poker": ({}, {"hands": 3}),
    "prisoners_dilemma": ({}, {"noise": 0.1, "continuation": 0.7}),
    "repeated_auction": ({}, {"bidders": 3, "rounds": 3}),
    "split_negotiation": ({},),
    "item_negotiation": ({"rounds": 2}, {"rounds": 2, "worth": "one of each", "redrawn": (1,)}),
}
TABLES = [(name, options) for name in CATALOGUE for options in OPTIONS[name]]


def one_by_one(game, policies, seed, number=0):
    """The match as the ordinary rules play it, one draw at a time."""
    deals = Draws(seed, number, DEAL)
    draws = [Draws(seed, number, seat_stream(seat)) for seat in range(game.seats)]
    episode = begin(game).deal(deals)
    while (seat := episode.actor) is not None:
        seen, legal = game.observe(episode.state, seat), game.legal_moves(episode.state, seat)
        move = policies[seat].act(seen, legal, draws[seat])
        episode = episode.play(move).deal(deals)
    return episode


@pytest.mark.parametrize(("name", "options"), TABLES, ids=lambda part: str(part))
def test_every_move_is_that_of_ordinary_play(name, options):
    game = domain(name).make(**options)
    opponents = list(known_opponents(name).values())
    board, rng = Board(game), Random(0)
    for _ in range(8):
        policies = rng.choices(opponents, k=game.seats)
        seeds = [rng.randrange(2**64) for _ in range(20)]
        played = board.play(policies, seeds)
        for row, seed in enumerate(seeds):
            expected = one_by_one(game, policies, seed)
            assert played.episode(row).entries == expected.entries
            assert tuple(played.returns[row]) == expected.returns
            assert tuple(played.fouls[row]) == expected.fouls


class Fixed:
    """Answers one row whatever happens, and counts how often it is asked."""

    name = "fixed"

    def __init__(self, row):
        self.row, self.asked = row, []

    def probabilities(self, observation, legal):
        self.asked.append(observation)
        return self.row


def test_one_seed_and_many_numbers_are_the_episodes_after_one_another():
    game, policies = KuhnPoker(hands=2), (NASH, UNIFORM)
    played = Board(game).play(policies, 11, numbers=range(30))
    for number, episode in enumerate(played.episodes()):
        assert episode.entries == one_by_one(game, policies, 11, number).entries
    assert played.seeds.tolist() == [11] * 30
    assert played.numbers.tolist() == list(range(30))
    assert len({episode.entries for episode in played.episodes()}) > 10


def test_an_episode_does_not_depend_on_its_batch():
    seeds = np.arange(2 * AT_ONCE + 100)
    whole = Board(KuhnPoker()).play((NASH, UNIFORM), seeds)
    some = Board(KuhnPoker()).play((NASH, UNIFORM), seeds[::-7])
    assert (whole.returns[::-7] == some.returns).all()
    assert [end.entries for end in some.episodes()] == [
        whole.episode(row).entries for row in range(len(seeds))[::-7]
    ]


def test_a_board_that_must_forget_in_between_plays_the_same():
    policies, seeds = (RANDOM, RANDOM), np.arange(2 * AT_ONCE + 5)
    game = PrisonersDilemma(rounds=3)
    forgetful, roomy = Board(game, most_nodes=10), Board(game)
    for _ in range(2):
        short, whole = forgetful.play(policies, seeds), roomy.play(policies, seeds)
        assert (short.returns == whole.returns).all()
        assert [e.entries for e in short.episodes()] == [e.entries for e in whole.episodes()]
    assert len(set(whole.endings)) == len(whole.endings) == 64
    assert len(short.endings) > len(set(short.endings)) == 64


def test_a_board_may_be_kept_for_other_policies():
    kept = Board(KuhnPoker())
    for policies in ((NASH, UNIFORM), (UNIFORM, NASH), (ALWAYS_BET, UNIFORM), (NASH, UNIFORM)):
        again = kept.play(policies, range(500))
        fresh = Board(KuhnPoker()).play(policies, range(500))
        assert [e.entries for e in again.episodes()] == [e.entries for e in fresh.episodes()]


class Tabular:
    """Random probabilities of its own in every situation."""

    def __init__(self, seed):
        self.seed = seed

    def probabilities(self, observation, legal):
        cooperate = Random(f"{self.seed} {observation.situation}").random()
        return dict(zip(legal, (cooperate, 1 - cooperate), strict=True))


def test_what_a_board_keeps_of_policies_is_bounded_and_results_are_unchanged():
    """Policies that nobody else holds, so that a new one may get the id of one that is gone."""
    game, kept = PrisonersDilemma(rounds=3), Board(PrisonersDilemma(rounds=3))
    gone = []
    for seed in range(4 * MOST_ASKED):
        policy = Tabular(seed)
        gone.append(weakref.ref(policy))
        played = kept.play((policy, TIT_FOR_TAT), range(200))
        fresh = Board(game).play((Tabular(seed), TIT_FOR_TAT), range(200))
        assert [e.entries for e in played.episodes()] == [e.entries for e in fresh.episodes()]
        del policy
    gc.collect()
    assert sum(each() is not None for each in gone) <= MOST_ASKED
    assert sum(each.rows.nbytes for each in kept._tables.values()) <= MOST_ASKED * len(kept) * 4
    assert sum(len(each.by_turn) for each in kept._asked.values()) <= MOST_ASKED * len(kept)


def test_policies_that_are_dropped_in_between_are_asked_anew_and_answer_the_same():
    pool = [Tabular(seed) for seed in range(MOST_ASKED + 3)]
    kept = Board(PrisonersDilemma(rounds=3))
    first, second = (
        [kept.play((each, pool[0]), range(100)).returns.tolist() for each in pool] for _ in range(2)
    )
    assert first == second


def test_a_board_forgets_distinct_answers_as_it_forgets_nodes():
    game = PrisonersDilemma(rounds=2)
    kept, most = Board(game, most_nodes=100), 0
    for seed in range(60):
        policy = Tabular(seed)
        played = kept.play((policy, policy), range(50))
        fresh = Board(game).play((policy, policy), range(50))
        assert [e.entries for e in played.episodes()] == [e.entries for e in fresh.episodes()]
        most = max(most, len(kept._weights))
    assert 100 < most < 100 + 2 * (1 + 4) * 2  # what one more policy may answer


def test_a_policy_is_asked_once_per_information_set():
    policy = Fixed({Move.PASS: 0.5, Move.BET: 0.5})
    board = Board(KuhnPoker())
    for _ in range(2):
        board.play((policy, policy), range(1_000))
    assert len(policy.asked) == len(set(policy.asked)) == 12
    dilemma, player = PrisonersDilemma(rounds=2), Fixed({"cooperate": 0.5, "defect": 0.5})
    Board(dilemma).play((player, player), range(1_000))
    assert len(player.asked) == 2 * (1 + 4)


def test_mean_returns_are_the_exact_ones_within_chance():
    """OpenSpiel-checked expected returns of the tree; 40,000 matches, 5 standard errors."""
    tree = GameTree(KuhnPoker())
    played = Board(KuhnPoker()).play((UNIFORM, UNIFORM), range(40_000))
    exact = tree.returns(tree.uniform())
    off = abs(played.returns.mean(0) - exact) / (played.returns.std(0) / 200)
    assert off.max() < 5


def test_tit_for_tat_meets_always_defect_as_by_hand():
    played = Board(PrisonersDilemma(rounds=8)).play((TIT_FOR_TAT, ALWAYS_DEFECT), range(3))
    assert played.returns.tolist() == [[7.0, 12.0]] * 3
    assert played.ending.tolist() == [0, 0, 0]


def test_a_policy_may_answer_that_it_forfeits():
    """A foul at the opening, 1/4, checks to a sure bet and so leads to one more decision: 5/16."""
    game = KuhnPoker()
    careless = Fixed({Move.BET: 0.75, FORFEIT: 0.25})
    played = Board(game).play((careless, ALWAYS_BET), range(2_000))
    assert abs(played.fouls[:, 0].mean() - 5 / 16) < 5 * played.fouls[:, 0].std() / np.sqrt(2_000)
    assert not played.fouls[:, 1].any()
    for row, episode in enumerate(played.episodes()):
        assert tuple(played.fouls[row]) == episode.fouls
        assert tuple(played.returns[row]) == episode.returns


def test_a_measure_is_taken_once_per_ending_and_told_to_every_episode():
    measured = []

    def length(ending):
        measured.append(ending)
        return len(ending.entries), ending.returns[0]

    played = Board(KuhnPoker()).play((UNIFORM, UNIFORM), range(3_000))
    found = played.each(length)
    assert len(measured) == len(played.endings) == 30  # OpenSpiel's count of Kuhn's endings
    assert found.tolist() == [[len(e.entries), e.returns[0]] for e in played.episodes()]


def test_no_episodes_are_no_error():
    played = Board(KuhnPoker()).play((NASH, NASH), [])
    assert (len(played), played.returns.shape, played.endings) == (0, (0, 2), ())


def test_an_episode_is_found_on_the_board():
    board, game = Board(RepeatedAuction(rounds=2)), RepeatedAuction(rounds=2)
    episode = begin(game).deal(Draws(3, 0, DEAL)).play(FORFEIT).play(2).deal(Draws(4, 0, DEAL))
    node = board.find(episode)
    assert board.episode(node) == episode
    assert board.find(episode) == node
    assert board.find(begin(game)) == 0


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({Move.BET: 0.5}, "sum to 1, are wanted"),
        ({Move.BET: 1.5, Move.PASS: -0.5}, "at least 0"),
        ({"raise": 1.0}, r"policy 'fixed' answers {'raise': 1.0} in Observation\(.*legal. Mend it"),
        ({Move.BET: float("nan")}, "Mend it"),
        ({}, "Mend it"),
    ],
)
def test_an_answer_that_is_no_distribution_is_refused(row, text):
    with pytest.raises(ValueError, match=text):
        Board(KuhnPoker()).play((Fixed(row), NASH), [0])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Board(KuhnPoker(), most_nodes=0), ValueError, "most_nodes is 0"),
        (lambda: Board(KuhnPoker()).play((NASH,), [0]), ValueError, "1 policies for the 2 seats"),
        (lambda: Board(KuhnPoker()).play((NASH, NASH), [-3]), ValueError, "seed is -3"),
        (lambda: Board(KuhnPoker()).play((NASH, NASH), [0.5]), TypeError, "seed is 0.5, a float"),
        (
            lambda: Board(KuhnPoker()).play((NASH, NASH), 0, numbers=[-1]),
            ValueError,
            "episode number is -1",
        ),
    ],
)
def test_an_impossible_batch_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


UNIFORMS = st.floats(0, 1, exclude_max=True)
PROBABILITIES = st.one_of(st.floats(1e-12, 1), st.just(1 / 3), st.just(0.1))


@given(st.lists(st.lists(PROBABILITIES, min_size=1, max_size=9), min_size=1, max_size=6), UNIFORMS)
def test_a_pick_is_that_of_choices_to_the_last_bit(rows, u):
    """Also where the draw falls on a boundary, and where the weights do not sum to 1."""
    weights = Weights()
    numbers = [weights.row(row, range(len(row))) for row in rows]
    for row, number in zip(rows, numbers, strict=True):
        sums = list(accumulate(row))
        bounds = [s / sums[-1] for s in sums[:-1]]
        draws = [u, *bounds, *np.nextafter(bounds, 0), *np.nextafter(bounds, 1)]
        picked = weights.pick(np.full(len(draws), number, np.int32), np.array(draws)).tolist()
        expected = [bisect(sums, draw * (sums[-1] + 0.0), 0, len(row) - 1) for draw in draws]
        assert picked == expected


def test_the_deal_is_a_draw_of_chance_by_its_probabilities():
    played = Board(KuhnPoker()).play((NASH, NASH), range(30_000))
    first = np.array([end.entries[0].move for end in played.endings])[played.ending]
    assert all(end.entries[0].actor == CHANCE for end in played.endings)
    assert abs(np.bincount(first) / 30_000 - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 30_000)
