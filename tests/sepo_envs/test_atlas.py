"""Journeys are episodes that remember; nothing else about them may differ."""

import pickle
from dataclasses import dataclass, replace
from random import Random

import pytest

from sepo_envs import atlas as module
from sepo_envs.aec import GameEnv
from sepo_envs.atlas import Atlas, Journey, atlas
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.draws import DEAL, Draws
from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT, Penalty
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_envs.games.prisoners_dilemma.words import PrisonersDilemmaWords
from sepo_envs.hooks import HarmsHook
from sepo_envs.protocol import Chat, Talk, asked
from sepo_envs.text import TextEnv

OPTIONS = {
    "kuhn_poker": {"hands": 3},
    "prisoners_dilemma": {"rounds": 4, "noise": 0.2, "continuation": 0.8},
}
"""Under which much of an episode is past."""


def made(name):
    game = CATALOGUE[name].make(**OPTIONS.get(name, {}))
    return game, CATALOGUE[name].words(game)


def journeys(name, style):
    """Random episodes, step by step: how each stands in an atlas, and the episode itself."""
    game, words = made(name)
    places, choices = Atlas(game, words, style), Random(0)
    for seed in range(12):
        by_rules, by_memory = Draws(seed, 0, DEAL), Draws(seed, 0, DEAL)
        episode, journey = begin(game).deal(by_rules), places.start()
        journey.deal(by_memory)
        yield journey, episode
        while episode.actor is not None:
            move = choices.choice([*game.legal_moves(episode.state, episode.actor), FORFEIT])
            episode = episode.play(move).deal(by_rules)
            journey.go(move)
            journey.deal(by_memory)
            yield journey, episode
        assert by_rules.getstate() == by_memory.getstate()


@pytest.mark.parametrize("style", ["conversation", "fresh"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_journey_tells_what_its_episode_tells(name, style):
    game, words = made(name)
    for journey, episode in journeys(name, style):
        state, actor = episode.state, episode.actor
        assert (journey.episode, journey.place.actor) == (episode, actor)
        assert tuple(journey.rounds) == game.payoffs(state)
        assert (journey.returns, journey.fouls) == (episode.returns, episode.fouls)
        for seat in range(game.seats):
            assert journey.features[seat] == game.features(state, seat)
        if actor is None:
            assert journey.place.legal == ()
        else:
            assert journey.place.legal == game.legal_moves(state, actor)
            here, there = asked(words, episode, actor, style), journey.place.atlas.ask(journey)
            assert (there.opening, there.told) == (here.opening, here.told)
            assert there.conversation == here.conversation
            said = [words.say(move, state, actor) for move in journey.place.legal]
            assert [there.read[reply] for reply in said] == list(journey.place.legal)


@pytest.mark.parametrize("style", ["conversation", "fresh"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_chat_is_the_talk_of_the_same_replies(name, style):
    """The chat that grows in place against the talk that is a new value at each step."""
    game, words = made(name)
    choices = Random(0)
    for max_retries in (0, 1):
        episode = begin(game)
        talks = [Talk(words, seat, style, max_retries) for seat in range(game.seats)]
        chats = [Chat(max_retries) for _ in talks]
        while (seat := episode.deal(Random(1)).actor) is not None:
            episode = episode.deal(Random(1))
            question, move = asked(words, episode, seat, style), None
            chats[seat].hear(question)
            talks[seat] = talks[seat].hear(episode)
            while move is None:
                legal = game.legal_moves(episode.state, seat)
                said = words.say(choices.choice(legal), episode.state, seat)
                reply = choices.choice([said, said, "Hmm."])
                talks[seat], move = talks[seat].reply(reply, episode)
                assert chats[seat].reply(reply) == move
                told = [message._asdict() for message in talks[seat].messages]
                assert (chats[seat].messages, chats[seat].tries) == (told, talks[seat].tries)
            episode = episode.play(move)


def places(start):
    """Every place that legal play from ``start`` can come to."""
    found, new = {start}, [start]
    while new:
        place = new.pop()
        for move in place.outcomes or place.legal:
            journey = Journey(place)
            journey.go(move)
            to = journey.place
            if to not in found:
                found.add(to)
                new.append(to)
    return found


def test_journeys_meet_where_all_that_matters_is_the_same():
    """A hand of Kuhn poker has 1 + 3 + 6 * 4 places: nothing, a card, two cards and four lines."""
    game = KuhnPoker(3)
    told = atlas(game, KuhnPokerWords(game))
    assert len(places(told.start().place)) == 3 * (1 + 3 + 6 * 4) + 1


def test_a_dilemma_needs_places_for_its_rounds_and_not_for_its_histories():
    """Four last rounds before each but the first, each with and without a move that waits."""
    game = PrisonersDilemma(rounds=10)
    told = atlas(game, PrisonersDilemmaWords(game))
    assert len(places(told.start().place)) == 3 * (1 + 9 * 4) + 4


def test_tables_of_equal_rules_share_their_places_and_others_do_not():
    first, again, longer = (atlas(KuhnPoker(hands)).start() for hands in (1, 1, 2))
    assert first.place is again.place
    for journey in (first, again):
        journey.go(2)
    assert first.place is again.place
    assert longer.place is not atlas(KuhnPoker(1)).start().place


def test_a_journey_is_pickled_as_its_episode_alone():
    journey = atlas(KuhnPoker()).find(begin(KuhnPoker()).play(2).play(0))
    saved = pickle.dumps(journey)
    assert pickle.loads(saved).place is journey.place
    atlas(KuhnPoker()).start().deal(Random(0))
    assert len(pickle.dumps(journey)) == len(saved)


@pytest.mark.parametrize("words", [None, KuhnPokerWords(KuhnPoker(2))])
def test_what_is_too_much_to_remember_is_played_all_the_same(monkeypatch, words):
    monkeypatch.setattr(module, "MOST", 3)
    game = KuhnPoker(2)
    places = Atlas(game, words, "conversation")
    for _ in range(2):
        journey, episode = places.start(), begin(game)
        for move in (2, 0, "bet", "bet", 1, 2):
            journey.go(move)
            episode = episode.play(move)
        assert journey.place.actor == 1
        assert journey.rounds == [(2.0, -2.0)]
        assert journey.episode == episode
    assert places.find(episode).place is not journey.place


def test_a_way_is_recorded_as_the_rules_name_its_move_however_it_was_first_gone():
    places = Atlas(KuhnPoker(), None, "conversation")
    for card, move in ((2.0, "bet"), (Card.KING, Move.BET)):
        journey = places.start()
        for step in (card, Card.JACK, move, FORFEIT):
            journey.go(step)
        dealt, _, bet, forfeit = journey.entries
        assert (type(dealt.move), type(bet.move), forfeit.move) == (Card, Move, FORFEIT)
        assert journey.fouls == (0, 1)


def test_an_illegal_move_is_refused_and_not_remembered():
    journey = atlas(KuhnPoker()).find(begin(KuhnPoker()).play(2).play(0))
    for _ in range(2):
        with pytest.raises(ValueError, match="no move of Kuhn poker"):
            journey.go("raise")
    assert journey.episode == begin(KuhnPoker()).play(2).play(0)


@dataclass(frozen=True)
class Greeting(KuhnPokerWords):
    """Kuhn poker's words in another tone: a study of prompts would compare such."""

    hello: str = "Hello."

    def ask(self, state, seat):
        return f"{self.hello} {KuhnPokerWords.ask(self, state, seat)}"


def test_words_that_differ_share_no_prompt_though_the_game_is_one():
    for hello in ("Hello.", "Guten Tag.", "Hello."):
        mine = replace(
            CATALOGUE["kuhn_poker"], words=lambda game, hello=hello: Greeting(game, hello)
        )
        table = TextEnv(mine)
        table.reset(seed=0)
        assert hello in table.observe("player_0")["text"]


@dataclass(frozen=True)
class Grudge(KuhnPokerWords):
    """Words that tell of earlier hands, and say nothing of what they remember."""

    def news(self, state, seat):
        return f"{self.game.payoffs(state)} {KuhnPokerWords.news(self, state, seat)}"


def test_words_that_tell_more_than_their_parents_never_tell_another_tables_past():
    table = TextEnv(replace(CATALOGUE["kuhn_poker"], words=Grudge), hands=2)
    for replies, paid in ((("[bet]", "[fold]"), 1.0), (("[check]", "[bet]", "[fold]"), -1.0)):
        table.reset(seed=0)
        for reply in replies:
            table.step(reply)
        assert f"(({paid}, {-paid}),)" in table.observe(table.agent_selection)["text"]


class Fickle(KuhnPokerHarms):
    """Harms that somebody changes between two games."""

    price = 1.0

    def penalties(self, game, state, seat, *, profile):
        found = KuhnPokerHarms.penalties(self, game, state, seat, profile=profile)
        return found._replace(exploitation=Penalty((self.price,)))


def test_harms_of_ones_own_are_asked_anew_at_every_end():
    harms = Fickle()
    table = GameEnv(replace(CATALOGUE["kuhn_poker"], harms=harms))
    for price in (1.0, 2.0):
        type(harms).price = price
        table.reset(seed=0)
        while not table.over:
            table.step(0)
        assert table.infos["player_0"]["penalties"]["exploitation"]["value"] == price


@pytest.mark.parametrize("hands", [1, 3])
@pytest.mark.parametrize(
    ("make", "actions"), [(GameEnv, [0, 1, 7]), (TextEnv, ["[bet]", "[check]", "[call]", "[fold]"])]
)
def test_harms_added_up_on_the_way_are_those_of_the_episode(make, actions, hands):
    """By the harms' other function, on the state; of each episode twice, then as kept."""
    measure = HarmsHook(CATALOGUE["kuhn_poker"].harms)
    assert measure.by_round is not None
    table, seeds = make("kuhn_poker", hands=hands), 2 * list(range(40))
    values = set()
    for seed in seeds:
        table.reset(seed=seed)
        coin = Random(seed)
        while not table.over:
            table.step(coin.choice(actions))
        for seat, agent in enumerate(table.possible_agents):
            found = table.infos[agent]["penalties"]
            assert found == measure(table.episode, seat)
            values.add(found["exploitation"]["value"])
    assert len(values) > 3


def test_harms_that_only_a_parent_tells_by_round_are_not_told_so():
    assert HarmsHook(Fickle()).by_round is None


class Moody:
    """Words that somebody changes between two games: not compared by value."""

    hello = "Hello."

    def __init__(self, game):
        self.words = KuhnPokerWords(game)

    def __getattr__(self, name):
        return getattr(self.words, name)

    def ask(self, state, seat):
        return f"{self.hello} {self.words.ask(state, seat)}"


def test_words_that_change_are_asked_anew_at_every_turn():
    table = TextEnv(replace(CATALOGUE["kuhn_poker"], words=Moody))
    for hello in ("Hello.", "Guten Tag."):
        table.words.hello = hello
        table.reset(seed=0)
        assert hello in table.observe("player_0")["text"]
