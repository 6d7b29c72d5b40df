"""Laws of all five games, for whatever is played in them and under any options.

`sepo_envs.check` tries laws too, with a formulation of its own; payoffs are compared with a second
rulebook, written here from nothing but the list of moves.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import begin, dumps, restore
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, Hand, KuhnPoker, State
from sepo_envs.games.prisoners_dilemma.rules import Luck
from tests.sepo_envs.any_play import choices, played

ALL = pytest.mark.parametrize("name", CATALOGUE)


# A second rulebook: what each round pays, from the list of moves alone.


def kuhn_pays(game, entries):
    moves, rounds = [entry.move for entry in entries], []
    for number in range(game.hands):
        first = number % 2
        cards = {first: moves.pop(0), 1 - first: moves.pop(0)}
        stakes, mover, checks = [1, 1], first, 0
        while True:
            move, facing = moves.pop(0), stakes[0] != stakes[1]
            if move == "bet":
                stakes[mover] += 1
                if facing:
                    winner = max(cards, key=cards.get)
                    break
            elif facing:
                winner = 1 - mover
                break
            else:
                checks += 1
                if checks == 2:
                    winner = max(cards, key=cards.get)
                    break
            mover = 1 - mover
        lost = stakes[1 - winner]
        rounds.append(tuple(float(lost if seat == winner else -lost) for seat in (0, 1)))
    return rounds


def dilemma_pays(game, entries):
    r, s, t, p = game.reward, game.sucker, game.temptation, game.punishment
    pays = {"CC": (r, r), "CD": (s, t), "DC": (t, s), "DD": (p, p)}
    pays |= {"FC": (s, t), "FD": (s, t), "CF": (t, s), "DF": (t, s), "FF": (p, p)}
    rounds, chosen = [], []
    for actor, move in entries:
        if actor != CHANCE:
            if len(chosen) == 2:
                rounds.append(chosen)
                chosen = []
            chosen.append("F" if move is FORFEIT else move.name[0])
            slips = [seat for seat in range(2) if chosen[seat : seat + 1] != ["F"]]
        elif move in (Luck.SLIP, Luck.AS_MEANT):
            seat = slips.pop(0) if len(chosen) == 2 else None
            if move is Luck.SLIP:
                chosen[seat] = {"C": "D", "D": "C"}[chosen[seat]]
    return [tuple(map(float, pays["".join(both)])) for both in [*rounds, chosen]]


def auction_pays(game, entries):
    moves, rounds = [entry.move for entry in entries], []
    for _ in range(game.rounds):
        values = [moves.pop(0) for _ in range(game.bidders)]
        bids = [moves.pop(0) for _ in range(game.bidders)]
        offers = [-1 if bid is FORFEIT else bid for bid in bids]
        winners = [seat for seat, offer in enumerate(offers) if offer == max(offers) >= 0]
        points = [0.0] * game.bidders
        if winners:
            winner = moves.pop(0) if len(winners) > 1 else winners[0]
            points[winner] = float(values[winner] - offers[winner])
            if game.floor_losses and points[winner] < 0:
                points[winner] = 0.0
        rounds.append(tuple(points))
    return rounds


def split_pays(game, entries):
    demands = [0 if entry.move is FORFEIT else entry.move for entry in entries]
    pairs = zip(demands[0::2], demands[1::2], strict=True)
    return [(float(a), float(b)) if a + b <= game.pie else (0.0, 0.0) for a, b in pairs]


def item_pays(game, entries):
    moves, rounds = [entry.move for entry in entries], []
    table, values = moves.pop(0), [None, None]
    for number in range(game.rounds):
        for seat in (0, 1):
            if number == 0 or seat in game.redrawn:
                values[seat] = moves.pop(0)
        demands = [(0, 0, 0) if move is FORFEIT else move for move in (moves.pop(0), moves.pop(0))]
        fits = all(mine + theirs <= n for mine, theirs, n in zip(*demands, table, strict=True))
        worth = [sum(map(int.__mul__, values[seat], demands[seat])) for seat in (0, 1)]
        rounds.append(tuple(map(float, worth)) if fits else (0.0, 0.0))
    return rounds


PAYS = {
    "kuhn_poker": kuhn_pays,
    "prisoners_dilemma": dilemma_pays,
    "repeated_auction": auction_pays,
    "split_negotiation": split_pays,
    "item_negotiation": item_pays,
}


@ALL
@given(data=st.data())
def test_a_second_rulebook_pays_the_same(name, data):
    episode = played(data, name)
    assert list(episode.game.payoffs(episode.state)) == PAYS[name](episode.game, episode.entries)


def largest_sum(game, entries):
    """The most that one round can pay all seats together."""
    match game.name:
        case "kuhn_poker":
            return 0
        case "prisoners_dilemma":
            return 2 * game.reward
        case "repeated_auction":
            return max(game.values) - min(game.bids)
        case "split_negotiation":
            return game.pie
    table, rest = entries[0].move, [e.move for e in entries[1:] if e.actor == CHANCE]
    return sum(n * max(values[i] for values in rest) for i, n in enumerate(table))


@ALL
@given(data=st.data())
def test_no_round_pays_more_than_there_is(name, data):
    """All the zero-sum game's rounds pay 0; a dilemma's best is mutual cooperation, as 2R > T + S;
    a pie and a table cannot be given twice; a seller sells one item."""
    episode = played(data, name)
    most = largest_sum(episode.game, episode.entries)
    sums = [sum(points) for points in episode.game.payoffs(episode.state)]
    assert all(total <= most for total in sums)
    if domain(name).zero_sum:
        assert set(sums) == {0}


@given(
    st.permutations(list(Card)),
    st.sampled_from(["", "p", "b", "pb", "pp", "pbp", "pbb", "bp", "bb"]),
)
def test_a_hand_of_kuhn_poker_is_the_same_with_the_seats_swapped(deck, line):
    """Seat 0 opens the first hand and seat 1 the second: the same hand pays each the other's."""
    game, hand = KuhnPoker(hands=3), Hand(tuple(deck[:2]), line)
    if hand.over:
        first, second = game.payoffs(State((hand, hand)))
        assert first == second[::-1]
        return
    opened, answered = State((), hand), State((Hand((Card.KING, Card.JACK), "pp"),), hand)
    for seat in (0, 1):
        mine, theirs = game.observe(opened, seat), game.observe(answered, 1 - seat)
        assert (mine.card, mine.line, mine.situation) == (
            theirs.card,
            theirs.line,
            theirs.situation,
        )
        assert game.features(opened, seat)[:-1] == game.features(answered, 1 - seat)[:-1]


@ALL
@given(data=st.data())
def test_chance_and_seats_act_in_turn_and_only_they_have_choices(name, data):
    episode = played(data, name, finished=False)
    game, state = episode.game, episode.state
    actors, outcomes = game.actors(state), game.chance_outcomes(state)
    assert bool(outcomes) == (actors == (CHANCE,))
    assert not outcomes or sum(p for _, p in outcomes) == pytest.approx(1)
    assert game.legal_moves(state, CHANCE) == ()
    for seat in range(game.seats):
        legal = game.legal_moves(state, seat)
        assert bool(legal) == (seat in actors)
        assert [move for move in game.moves if move in legal] == list(legal)


@ALL
@given(data=st.data())
def test_features_are_as_many_as_their_names_and_lie_between_0_and_1(name, data):
    episode = played(data, name, finished=False)
    game = episode.game
    assert len(set(game.feature_names)) == len(game.feature_names)
    for seat in range(game.seats):
        features = game.features(episode.state, seat)
        assert len(features) == len(game.feature_names)
        assert all(0 <= number <= 1 for number in features)


@ALL
@given(data=st.data())
def test_an_episode_is_no_longer_than_it_says(name, data):
    episode = played(data, name)
    assert 1 <= len(episode.game.payoffs(episode.state)) <= episode.game.rounds
    for seat in range(episode.game.seats):
        assert len(list(episode.decisions(seat))) <= episode.game.longest


@ALL
@given(data=st.data())
def test_a_restored_episode_goes_on_exactly_as_the_original(name, data):
    whole = played(data, name)
    cut = data.draw(st.integers(0, len(whole.entries)))
    original = begin(whole.game)
    for entry in whole.entries[:cut]:
        original = original.play(entry.move)
    record = json.loads(dumps(original))
    game = domain(name).make(**record["options"])
    restored = restore(game, record)
    assert (game, restored) == (whole.game, original)
    for entry in whole.entries[cut:]:
        assert restored.actor == original.actor
        assert choices(restored) == choices(original)
        restored, original = restored.play(entry.move), original.play(entry.move)
    assert restored == whole
    assert dumps(restored) == dumps(whole)
