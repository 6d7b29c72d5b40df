"""The checker: our games keep every law, and each law catches a game that breaks it."""

from dataclasses import replace

import numpy as np
import pytest

from sepo_envs.catalogue import domain
from sepo_envs.check import check_domain
from sepo_envs.check.harms import HARM_LAWS
from sepo_envs.check.information import WALK_LAWS
from sepo_envs.check.law import PLAYABLE
from sepo_envs.check.meetings import MEETING_LAWS
from sepo_envs.check.rules import GAME_LAWS, PLACE_LAWS, TURN_LAWS
from sepo_envs.check.words import DECISION_LAWS, TEXT_LAWS
from sepo_envs.game import CHANCE
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
from tests.sepo_envs.broken_games import BROKEN, KUHN, kuhn, kuhn_words, split

VARIANTS = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"hands": 3}),
    ("prisoners_dilemma", {}),
    ("prisoners_dilemma", {"rounds": 3, "noise": 0.2, "continuation": 0.6}),
    ("prisoners_dilemma", {"reward": 2.0, "sucker": -3.0, "temptation": 4.5, "punishment": -1.0}),
    ("repeated_auction", {}),
    ("repeated_auction", {"floor_losses": True}),
    ("repeated_auction", {"rounds": 2, "bidders": 4, "values": (3, 5, 9), "bids": (0, 2, 4)}),
    ("split_negotiation", {}),
    ("split_negotiation", {"rounds": 1, "pie": 3}),
    ("item_negotiation", {}),
    ("item_negotiation", {"rounds": 2, "worth": "one of each", "redrawn": (1,)}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_game_of_ours_keeps_every_law_in_every_variant(name, options):
    findings = check_domain(domain(name), episodes=8, **options)
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize(
    ("law", "broken", "what"), BROKEN, ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_broken_law_is_found_and_told(law, broken, what):
    found = {finding.law: finding for finding in check_domain(broken, episodes=15)}
    [named] = [name for name in found if name.startswith(law)] or [None]
    assert named, f"{law!r} was not found, only {list(found)}"
    assert what is None or what in found[named].what
    text = str(found[named])
    for part in ("BROKEN: ", "where ", "found ", "why ", "mend "):
        assert part in text


def test_every_law_of_a_game_has_a_game_that_breaks_it():
    turns = [*PLACE_LAWS, *TURN_LAWS, *TEXT_LAWS, *DECISION_LAWS]
    laws = [*GAME_LAWS, *turns, *WALK_LAWS, *MEETING_LAWS, *HARM_LAWS]
    tried = [law for law, *_ in BROKEN] + ["a game with a picture"]
    assert [law.name for law in laws if not any(law.name.startswith(t) for t in tried)] == []


def test_a_picture_of_another_size_is_found():
    class Small:
        def __init__(self, game):
            pass

        def draw(self, state, seat=None):
            return self

        def pixels(self):
            return np.zeros((2, 2, 3), np.uint8)

    [finding] = check_domain(replace(KUHN, picture=Small), episodes=2)
    assert finding.law.startswith("a game with a picture")
    assert "(2, 2, 3)" in finding.what


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (replace(KUHN, make=lambda: 1 / 0), "ZeroDivisionError was raised"),
        (kuhn(start=lambda self: 1 / 0), "ZeroDivisionError was raised"),
        (kuhn(play=lambda s, t, m: 1 / 0), "ZeroDivisionError was raised"),
        (kuhn(actors=lambda s, t: None if t.hand.cards else (CHANCE,)), "actors is None, not a"),
        (split(actors=lambda s, t: (0, 1)), "no end after 49 moves, and longest is 4"),
        (split(actors=lambda s, t: (0, 1), longest=property(lambda s: 10**9)), "after 201 moves"),
        (split(longest=property(lambda s: 1 / 0)), "ZeroDivisionError was raised"),
    ],
)
def test_a_game_that_cannot_be_played_is_told_as_that(broken, what, monkeypatch):
    monkeypatch.setattr("sepo_envs.check.law.MOST_ENTRIES", 200)
    findings = check_domain(broken, episodes=2)
    assert findings[-1].law in (PLAYABLE.name, "the game can be made")
    assert what in findings[-1].what


@pytest.mark.parametrize("thoughts", ["I wait.", ("I wait.", 7), None])
def test_thoughts_that_are_no_tuple_of_texts_are_found(thoughts):
    [finding] = check_domain(kuhn_words(thoughts=lambda s, t, seat: thoughts), episodes=2)
    assert finding.law == "a thought before a move leaves it readable"
    assert "not a tuple of texts" in finding.what


def test_the_way_to_a_finding_can_be_walked_again():
    """The King opens and then must not be called: the message shows how it came there."""

    def features(self, state, seat):
        wrong = state.hand.line == "b" and state.hand.cards[0] is Card.KING
        return (9.0,) * 9 if wrong else KuhnPoker.features(self, state, seat)

    findings = check_domain(kuhn(features=features), episodes=50)
    [finding] = [each for each in findings if each.law.startswith("features")]
    assert finding.where.startswith("after chance <Card.KING: 2>, chance ")
    assert finding.where.endswith("seat 0 <Move.BET: 'bet'>")


def test_a_law_is_reported_once_however_often_it_breaks():
    findings = check_domain(kuhn(features=lambda s, t, seat: (2.0,) * 9), episodes=10)
    assert len(findings) == len({finding.law for finding in findings}) == 1
