"""What nobody may read: a hidden card, a private value, a slip of the other's, a move that waits.

Each test changes the hidden thing and demands that every prompt, in both styles, stays the same.
"""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import Entry, begin
from sepo_envs.game import CHANCE, FORFEIT, NotingWords
from sepo_envs.games.item_negotiation.rules import values_for
from sepo_envs.games.kuhn_poker.rules import Card
from sepo_envs.games.prisoners_dilemma.rules import Luck
from sepo_envs.protocol import Style, Talk
from tests.sepo_envs.any_play import choices, played

SIMULTANEOUS = [name for name, entry in CATALOGUE.items() if entry.simultaneous]


def read_by(episode, seat, style):
    """Every prompt that ``seat`` reads on the way, retries included, and what it may think."""
    words = domain(episode.game.name).words(episode.game)
    talk, replay, read = Talk(words, seat, style), begin(episode.game), []
    for actor, move in episode.entries:
        if actor == seat:
            talk = talk.hear(replay)
            read += [message.content for message in talk.messages if message.role == "user"]
            read += words.thoughts(replay.state, seat)
            read += [words.notes(replay.state, seat)] if isinstance(words, NotingWords) else []
            replies = ["?", "?"] if move is FORFEIT else [words.say(move, replay.state, seat)]
            for reply in replies:
                talk, _ = talk.reply(reply, replay)
                read += [message.content for message in talk.messages if message.role == "user"]
        replay = replay.play(move)
    return read


def hide_kuhn(data, episode, seat):
    """The other's card becomes the one that was not dealt."""
    entries = []
    for number, state in enumerate(episode.state.settled):
        position = (1 - seat + number) % 2
        cards = list(state.cards)
        [cards[position]] = set(Card) - set(cards)
        entries += [Entry(CHANCE, card) for card in cards]
        entries += moves_of_hand(episode, number)
    return entries


def moves_of_hand(episode, number):
    """The entries of the seats, FORFEITs included, in that hand."""
    dealt = [place for place, entry in enumerate(episode.entries) if entry.actor == CHANCE][1::2]
    after = episode.entries[dealt[number] + 1 :]
    ends = [place for place, entry in enumerate(after) if entry.actor == CHANCE]
    return after[: ends[0]] if ends else after


def hide_dilemma(data, episode, seat):
    """Where the other's choice can slip, it meant the opposite, and slipped if it had not."""
    entries, waiting = list(episode.entries), []
    for place, (actor, move) in enumerate(entries):
        if actor != CHANCE:
            waiting = [] if len(waiting) == 2 else waiting
            waiting.append(place)
            free = [at for at in waiting if entries[at].move is not FORFEIT]
        elif move in (Luck.SLIP, Luck.AS_MEANT):
            chosen = free.pop(0)
            if entries[chosen].actor != seat and data.draw(st.booleans()):
                entries[chosen] = Entry(1 - seat, entries[chosen].move.other)
                luck = Luck.AS_MEANT if move is Luck.SLIP else Luck.SLIP
                entries[place] = Entry(CHANCE, luck)
    return entries


def hide_auction(data, episode, seat):
    """The others' values are any others; lots still fall as they fell."""
    game, entries, dealt = episode.game, list(episode.entries), 0
    for place, (actor, _) in enumerate(entries):
        if actor != CHANCE:
            dealt = 0
        elif dealt < game.bidders and not (
            place and entries[place - 1].actor != CHANCE and tie(entries, place, game)
        ):
            if dealt != seat:
                entries[place] = Entry(CHANCE, data.draw(st.sampled_from(game.values)))
            dealt += 1
    return entries


def tie(entries, place, game):
    bids = [entry.move for entry in entries[place - game.bidders : place]]
    offers = [-1 if bid is FORFEIT else bid for bid in bids]
    return offers.count(max(offers)) > 1 and max(offers) >= 0


def hide_items(data, episode, seat):
    """The other's values are any that fit the table."""
    game, entries, table = episode.game, list(episode.entries), episode.entries[0].move
    replay = begin(game)
    for place, (actor, move) in enumerate(entries):
        if actor == CHANCE and place > 0:
            whose = 0 if replay.state.values[0] is None else 1
            if whose != seat:
                other = data.draw(st.sampled_from(values_for(table, game.worth)))
                entries[place] = Entry(CHANCE, other)
        replay = replay.play(move)
    return entries


HIDE = {
    "kuhn_poker": hide_kuhn,
    "prisoners_dilemma": hide_dilemma,
    "repeated_auction": hide_auction,
    "item_negotiation": hide_items,
}
"""What can be changed without ``seat`` knowing; the split negotiation has nothing private."""


@pytest.mark.parametrize("name", HIDE)
@settings(max_examples=60)
@given(data=st.data())
def test_no_word_that_a_seat_reads_hangs_on_what_is_hidden_from_it(name, data):
    episode = played(data, name)
    seat = data.draw(st.integers(0, episode.game.seats - 1))
    changed = begin(episode.game)
    for entry in HIDE[name](data, episode, seat):
        assert changed.actor == entry.actor
        changed = changed.play(entry.move)
    assert changed.actor is None
    for style in get_args(Style):
        assert read_by(changed, seat, style) == read_by(episode, seat, style)


@pytest.mark.parametrize("name", HIDE)
@settings(max_examples=40)
@given(data=st.data())
def test_no_picture_for_a_seat_hangs_on_what_is_hidden_from_it(name, data):
    """Wherever it has seen the same, it is shown the same; the open picture tells them apart."""
    episode = played(data, name)
    game, seat = episode.game, data.draw(st.integers(0, episode.game.seats - 1))
    one = other = begin(game)
    for entry, hidden in zip(episode.entries, HIDE[name](data, episode, seat), strict=True):
        one, other = one.play(entry.move), other.play(hidden.move)
        if game.observe(one.state, seat) == game.observe(other.state, seat):
            shown = [domain(name).draw(game, e.state, seat).svg() for e in (one, other)]
            assert shown[0] == shown[1]


@pytest.mark.parametrize("name", SIMULTANEOUS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_word_and_no_observation_hangs_on_a_move_that_waits(name, data):
    episode = played(data, name, finished=False)
    while episode.actor == CHANCE or episode.pending:
        episode = episode.play(data.draw(st.sampled_from(choices(episode))))
    if episode.actor is None:
        return
    game, words = episode.game, domain(name).words(episode.game)
    told = set()
    for move in choices(episode):
        waiting = episode.play(move)
        for style in get_args(Style):
            talk = Talk(words, 1, style).hear(waiting)
            told.add((style, talk.messages, talk.reply("?", waiting)[0].messages))
        told.add(repr((game.observe(waiting.state, 1), game.features(waiting.state, 1))))
    assert len(told) == len(get_args(Style)) + 1


@pytest.mark.parametrize("name", ["kuhn_poker", "repeated_auction", "item_negotiation"])
@given(data=st.data())
def test_what_is_hidden_from_a_seat_is_there_to_be_leaked(name, data):
    """A spectator does see the change, unless it left everything as it was."""
    episode = played(data, name)
    changed = begin(episode.game)
    for entry in HIDE[name](data, episode, 0):
        changed = changed.play(entry.move)
    show = domain(name).words(episode.game).show
    assert (show(changed.state) == show(episode.state)) == (changed.entries == episode.entries)
