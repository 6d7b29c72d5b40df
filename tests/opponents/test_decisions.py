"""All policies against a pool at once: by hand, against brute force, and without forgetting."""

from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest

from opponents.decisions import decisions, linear, objective, terms_of
from opponents.opponent import Opponent
from opponents.tables import TABLES
from sepo_envs.catalogue import domain
from sepo_envs.episode import begin
from sepo_envs.game import Weights

SHORT = {
    "prisoners_dilemma": {"rounds": 3},
    "repeated_auction": {"rounds": 2},
    "split_negotiation": {"rounds": 3},
    "item_negotiation": {"rounds": 2, "tables": ((2, 3, 3),)},
}
BY_DOMAIN = pytest.mark.parametrize("name", TABLES)


@BY_DOMAIN
def test_forgetting_changes_nothing_that_any_policy_can_reach(name):
    """The same game once more with every history kept apart."""
    table = TABLES[name](**SHORT[name])
    whole = replace(table, forget=lambda state, seat, players: state, _known={})
    weights, rng = domain(name).harms.published, np.random.default_rng(0)
    short, long = decisions(table), decisions(whole)
    for _ in range(4):
        wanted = linear(weights, rng.random(table.width - 3))
        assert short.best(wanted) @ wanted == pytest.approx(long.best(wanted) @ wanted, abs=1e-12)


@BY_DOMAIN
def test_what_is_forgotten_changes_nothing_that_an_opponent_does(name):
    """Over whole matches of drawn moves, for every opponent and demonstrator."""
    table, rng = TABLES[name](), Random(1950)
    game = table.game
    fixed = {o.name: o for o in (*[o for o, _ in table.met], *[o for o, _ in table.demonstrators])}
    for _ in range(30):
        episode = begin(game).deal(rng)
        while episode.actor is not None:
            state = episode.state
            for opponent, seat in product(fixed.values(), table.seats):
                held = table.forget(state, seat, {1 - seat: opponent})
                legal = game.legal_moves(state, 1 - seat)
                told, known = (game.observe(each, 1 - seat) for each in (held, state))
                if opponent.name in {o.name for o, _ in table.met}:
                    assert opponent.probabilities(told, legal) == opponent.probabilities(
                        known, legal
                    )
                partner = rng.choice(list(fixed.values()))
                held = table.forget(state, seat, {seat: opponent, 1 - seat: partner})
                told = game.observe(held, seat)
                assert opponent.probabilities(told, legal) == opponent.probabilities(
                    game.observe(state, seat), legal
                )
            for _ in range(2):
                episode = episode.play(rng.choice(game.legal_moves(episode.state, episode.actor)))
            episode = episode.deal(rng)


@BY_DOMAIN
def test_a_fixed_policy_is_worth_no_more_than_the_best(name):
    table = TABLES[name](**SHORT[name])
    choices, weights = decisions(table), domain(name).harms.published
    for policy, _ in table.demonstrators:
        terms = terms_of(table, policy)
        for gates in product((0.0, 1.0), repeat=table.width - 3):
            wanted = linear(weights, np.array(gates))
            assert terms @ wanted <= choices.best(wanted) @ wanted + 1e-12
            assert objective(terms, weights) <= terms @ wanted + 1e-12


def test_one_round_of_the_split_by_hand():
    """Train demands 5, 6, 8 and, its last round being the first, 7; hardball 8 and greedy 9; the
    yielder 4. Demanding 4 earns 8/4 = 2 of train and loses nothing to the exploiters, who demand
    too much; of six opponents four refuse it."""
    table = TABLES["split_negotiation"](rounds=1)
    four = Opponent("four", lambda seen: {4: 1.0}, "by hand")
    assert terms_of(table, four).tolist() == pytest.approx([2, 0, 4 / 6, 0, 0])
    u = {d: d * sum(d + theirs <= 10 for theirs in (5, 6, 8, 7)) / 4 for d in range(1, 10)}
    assert decisions(table).best(np.eye(5)[0])[0] == max(u.values())


def test_of_equal_rewards_only_the_moves_that_maximise_them_stay():
    """By hand: against 5, 6, 8 and 7 a demand of 3 earns 9/4 and any other less."""
    table = TABLES["split_negotiation"](rounds=1)
    left = decisions(table).only_best(np.eye(5)[0])
    assert len(left.levels[0].gains) == 1
    assert left.roots @ left.levels[0].gains == pytest.approx([9 / 4, 0, 3 / 6, 0, 0])


def test_j_clips_each_exploiter_alone():
    """By hand: 1 * 2 - 1 * 2 * (1 + 0) / 2 - 1 * .5."""
    assert objective(np.array([2.0, 0.5, 0.0, 1.0, -4.0]), Weights(1.0, 2.0, 1.0, 9.0)) == 0.5
