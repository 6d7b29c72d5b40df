"""What a best response would have done: by hand, and against the exact solvers."""

from random import Random

import pytest

from opponents import (
    item_negotiation,
    kuhn_poker,
    prisoners_dilemma,
    repeated_auction,
    split_negotiation,
)
from opponents.hindsight import ImpossibleError, hindsight
from opponents.memory import LIBRARIES, everything, forgetting
from opponents.opponent import Opponent, from_table
from sepo_envs.catalogue import domain
from sepo_envs.episode import begin
from sepo_envs.exact.solver import solver
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import FORFEIT
from sepo_envs.games.item_negotiation.rules import values_for
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move

CHOICE = prisoners_dilemma.Move


def played(game, opponent, seat, choose, rng):
    """An episode in which ``choose(legal)`` moves for ``seat``."""
    episode = begin(game).deal(rng)
    while (actor := episode.actor) is not None:
        legal = game.legal_moves(episode.state, actor)
        move = (
            choose(legal)
            if actor == seat
            else opponent.act(game.observe(episode.state, actor), legal, rng)
        )
        episode = episode.play(move).deal(rng)
    return episode


def judged(name, opponent, seat, *, choose=None, seed=0, forget=None, options=None):
    rng = Random(seed)
    game = domain(name).make(**(options or {}))
    episode = played(game, opponent, seat, choose or rng.choice, rng)
    forget = forget or forgetting(name, [opponent])
    return episode, hindsight(episode, seat, {1 - seat: opponent}, forget=forget)


def test_defecting_on_tit_for_tat_costs_what_it_costs_by_hand():
    """With n rounds left V(n) is 3(n - 1) + 5 where it cooperates next, 26 at the start, and
    3(n - 2) + 5 where it defects next, or 1 at the end: so a first defection, 5 + V, costs 1; a
    further one 2, the last but one 3, and the last nothing."""
    episode, all_eight = judged(
        "prisoners_dilemma", prisoners_dilemma.TIT_FOR_TAT, 0, choose=lambda legal: legal[1]
    )
    assert all_eight[0].options == {CHOICE.COOPERATE: 26.0, CHOICE.DEFECT: 25.0}
    assert [decision.cost for decision in all_eight] == [1, 2, 2, 2, 2, 2, 3, 0]
    assert [decision.best for decision in all_eight] == [CHOICE.COOPERATE] * 7 + [CHOICE.DEFECT]
    assert episode.returns[0] == 26 - 14


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("name", sorted(kuhn_poker.OPPONENTS))
def test_kuhns_first_decisions_are_worth_a_best_response_in_the_mean(name, seat):
    """Over all deals and the opponent's openings, as the game tree has it."""
    opponent, total = kuhn_poker.OPPONENTS[name], 0.0
    for first in Card:
        for second in set(Card) - {first}:
            dealt = begin(KuhnPoker()).play(first).play(second)
            opened = [(dealt, 1.0)]
            if seat == 1:
                seen = dealt.game.observe(dealt.state, 0)
                row = opponent.probabilities(seen, tuple(Move))
                opened = [(dealt.play(move), p) for move, p in row.items() if p]
            for episode, likely in opened:
                over = episode.play(Move.PASS)
                rng = Random(0)
                while over.actor is not None:
                    over = over.play(rng.choice(tuple(Move)))
                try:
                    decision = hindsight(over, seat, {1 - seat: opponent})[0]
                except ImpossibleError:  # what was drawn for the opponent later, not at the first
                    over = episode.play(Move.BET).play(Move.BET)
                    decision = hindsight(over, seat, {1 - seat: opponent})[0]
                total += likely / 6 * max(decision.options.values())
    tree = GameTree(KuhnPoker())
    assert total == pytest.approx(tree.best_response(opponent, seat).value, abs=1e-12)


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize(
    ("name", "options", "opponents"),
    [
        ("prisoners_dilemma", {"rounds": 5}, prisoners_dilemma.OPPONENTS),
        ("prisoners_dilemma", {"rounds": 4, "continuation": 0.7}, prisoners_dilemma.OPPONENTS),
        ("split_negotiation", {"rounds": 2}, split_negotiation.OPPONENTS),
    ],
    ids=["dilemma", "may end", "split"],
)
def test_in_the_open_the_first_decision_is_worth_the_solvers_best_response(
    name, options, opponents, seat
):
    exact = solver(domain(name).make(**options))
    for opponent in opponents.values():
        _, (first, *_) = judged(name, opponent, seat, options=options)
        best = exact.best_response(opponent, seat).value
        assert max(first.options.values()) == pytest.approx(best, abs=1e-9), opponent.name


@pytest.mark.parametrize(
    ("name", "options", "opponent"),
    [
        ("prisoners_dilemma", {"rounds": 2, "noise": 0.2}, prisoners_dilemma.EXTORT_2),
        ("repeated_auction", {"rounds": 2}, repeated_auction.LADDER),
        ("repeated_auction", {"rounds": 2}, repeated_auction.QUANTAL),
        ("item_negotiation", {"rounds": 1, "tables": ((2, 3, 3),)}, item_negotiation.FIRM),
    ],
    ids=["noise", "ladder", "quantal", "firm"],
)
def test_a_tree_agrees_where_something_is_hidden(name, options, opponent):
    """The first decision's worth, over all that a seat may hold then, all alike likely."""
    game = domain(name).make(**options)
    best, by_sight, seed = GameTree(game).best_response(opponent, 0).value, {}, 0
    holdings = {"repeated_auction": 2, "item_negotiation": len(values_for((2, 3, 3)))}.get(name, 1)
    while len(by_sight) < holdings:
        _, (first, *_) = judged(name, opponent, 0, options=options, seed=seed)
        by_sight[game.observe(first.state, 0).infostate] = max(first.options.values())
        seed += 1
    assert sum(by_sight.values()) / holdings == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", LIBRARIES)
def test_forgetting_changes_no_number(name):
    options = {
        "kuhn_poker": {"hands": 2},
        "prisoners_dilemma": {"rounds": 2, "noise": 0.1},
        "repeated_auction": {"rounds": 2},
        "split_negotiation": {"rounds": 2},
        "item_negotiation": {"rounds": 2, "tables": ((2, 3, 3),)},
    }[name]
    opponents = LIBRARIES[name].module.OPPONENTS.values()
    if name == "item_negotiation":  # 36 demands in two rounds: a few players are enough
        opponents = [item_negotiation.TIT_FOR_TAT, item_negotiation.GREEDY_UNTIL_LAST]
    for seat, opponent in enumerate(opponents):
        few, all_kept = (
            judged(name, opponent, seat % 2, options=options, seed=seat, forget=forget)[1]
            for forget in (None, everything)
        )
        for forgot, kept in zip(few, all_kept, strict=True):
            assert forgot.options == pytest.approx(kept.options, abs=1e-9), opponent.name
            assert forgot.looked_ahead is kept.looked_ahead is None


def test_without_luck_what_was_earned_is_the_best_less_what_the_moves_cost():
    for seed, opponent in enumerate(split_negotiation.POOLS["train"].opponents):
        episode, all_four = judged("split_negotiation", opponent, seed % 2, seed=seed)
        lost = sum(decision.cost for decision in all_four)
        assert episode.returns[seed % 2] == max(all_four[0].options.values()) - lost


def test_where_the_steps_do_not_suffice_it_looks_less_far_ahead_and_says_so():
    """One round ahead a defection is worth 5, with a second one 5 + 1 and with cooperation 5."""
    opponent = prisoners_dilemma.TIT_FOR_TAT
    episode, _ = judged("prisoners_dilemma", opponent, 0, choose=lambda legal: legal[1])
    short = hindsight(episode, 0, {1: opponent}, most_steps=0)
    assert [decision.looked_ahead for decision in short] == [1] * 7 + [None]
    assert short[0].options == {CHOICE.COOPERATE: 3.0, CHOICE.DEFECT: 5.0}
    longer = hindsight(episode, 0, {1: opponent}, most_steps=14)
    assert (longer[0].looked_ahead, longer[0].options[CHOICE.DEFECT]) == (2, 6.0)


def test_a_forfeit_is_judged_beside_the_legal_moves():
    """Folding a King to a bet loses 1 where calling wins 2: three points."""
    episode = begin(KuhnPoker())
    for move in (Card.KING, Card.JACK, Move.PASS, Move.BET, FORFEIT):
        episode = episode.play(move)
    _, forfeited = hindsight(episode, 0, {1: kuhn_poker.ALWAYS_BET})
    assert forfeited.options == {Move.PASS: -1.0, Move.BET: 2.0, FORFEIT: -1.0}
    assert (forfeited.best, forfeited.cost) == (Move.BET, 3.0)


def test_of_equal_moves_the_seats_own_is_best():
    always = Opponent("always-folds", lambda seen: {Move.PASS: 1.0}, "by hand")
    episode = begin(KuhnPoker())
    for move in (Card.KING, Card.JACK, Move.BET, Move.PASS):
        episode = episode.play(move)
    [decision] = hindsight(episode, 0, {1: always})
    assert decision.options == {Move.PASS: 1.0, Move.BET: 1.0}
    assert (decision.best, decision.cost) == (Move.BET, 0.0)


def test_play_that_the_probabilities_rule_out_is_told():
    quiet = from_table("quiet", kuhn_poker.bets(), "by hand")
    episode = begin(KuhnPoker())
    for move in (Card.KING, Card.JACK, Move.PASS, Move.BET, Move.BET):
        episode = episode.play(move)
    with pytest.raises(ImpossibleError, match="cannot have come about with quiet"):
        hindsight(episode, 0, {1: quiet})
