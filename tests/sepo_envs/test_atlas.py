"""Moments are episodes that remember; nothing else about them may differ."""

import pickle
from dataclasses import dataclass, replace
from random import Random

import pytest

from sepo_envs import moments
from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.draws import DEAL, Draws
from sepo_envs.episode import begin
from sepo_envs.game import CHANCE, FORFEIT, Penalty
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.moments import moment_of
from sepo_envs.text import TextEnv


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_moment_tells_what_its_episode_tells(name):
    game, choices = CATALOGUE[name].make(), Random(0)
    for seed in range(12):
        by_rules, by_memory = Draws(seed, 0, DEAL), Draws(seed, 0, DEAL)
        episode, moment = begin(game).deal(by_rules), moment_of(begin(game)).deal(by_memory)
        while episode.actor is not None:
            legal = game.legal_moves(episode.state, episode.actor)
            assert (moment.episode, moment.actor, moment.legal) == (episode, episode.actor, legal)
            assert moment.rounds == game.payoffs(episode.state)
            for seat in range(game.seats):
                assert moment.features[seat] == game.features(episode.state, seat)
            move = choices.choice([*legal, FORFEIT])
            episode, moment = episode.play(move).deal(by_rules), moment.after(move).deal(by_memory)
        assert (moment.episode, moment.actor, moment.legal) == (episode, None, ())
        assert by_rules.index == by_memory.index


def test_tables_of_equal_rules_share_their_moments_and_others_do_not():
    first, again, longer = (moment_of(begin(KuhnPoker(hands))) for hands in (1, 1, 2))
    assert first is again
    assert first.after(2) is again.after(2)
    assert longer is not first


def test_a_moment_is_pickled_as_its_episode_alone():
    moment = moment_of(begin(KuhnPoker())).after(2).after(0)
    saved = pickle.dumps(moment)
    assert pickle.loads(saved) is moment
    moment_of(begin(KuhnPoker())).deal(Random(0))
    assert len(pickle.dumps(moment)) == len(saved)


def test_what_is_too_much_to_remember_is_played_all_the_same(monkeypatch):
    monkeypatch.setattr(moments, "MOST", 3)
    game = KuhnPoker(hands=7)  # of no other test, so that nothing of it is remembered yet
    moment = moment_of(begin(game))
    for move in (2, 0, "bet", "bet"):
        moment = moment.after(move)
    assert moment.actor == CHANCE
    assert moment.rounds == ((2.0, -2.0),)
    assert moment_of(moment.episode).episode == moment.episode
    assert moment_of(moment.episode) is not moment


def test_an_illegal_move_is_refused_and_not_remembered():
    moment = moment_of(begin(KuhnPoker())).after(2).after(0)
    for _ in range(2):
        with pytest.raises(ValueError, match="no move of Kuhn poker"):
            moment.after("raise")


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


class Fickle(KuhnPokerHarms):
    """Harms that somebody changes between two games."""

    price = 1.0

    def penalties(self, game, state, seat, *, profile):
        found = KuhnPokerHarms.penalties(self, game, state, seat, profile=profile)
        return replace(found, exploitation=Penalty((self.price,)))


def test_harms_of_ones_own_are_asked_anew_at_every_end():
    harms = Fickle()
    table = GameEnv(replace(CATALOGUE["kuhn_poker"], harms=harms))
    for price in (1.0, 2.0):
        type(harms).price = price
        table.reset(seed=0)
        while not table.over:
            table.step(0)
        assert table.infos["player_0"]["penalties"]["exploitation"]["value"] == price
