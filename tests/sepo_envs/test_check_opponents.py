"""The checker: our opponents keep every law, and each law catches an opponent that breaks it."""

import numpy as np
import pytest

from opponents.opponent import Opponent
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.check import check_opponent
from sepo_envs.check.opponents import OPPONENT_LAWS, name_clashes
from sepo_envs.find_opponent import known_opponents
from sepo_envs.game import FORFEIT
from sepo_envs.games.kuhn_poker.rules import Move

KUHN = domain("kuhn_poker")
RISING = iter(range(10**9))


@pytest.mark.parametrize(
    ("name", "opponent"), [(name, each) for name in CATALOGUE for each in known_opponents(name)]
)
def test_every_opponent_of_ours_keeps_every_law(name, opponent):
    known = known_opponents(name)
    findings = check_opponent(known[opponent], domain(name), known=known, episodes=4)
    assert not findings, "\n".join(map(str, findings))


UNIFORM = {Move.PASS: 0.5, Move.BET: 0.5}


class Plain:
    """The least that an opponent may be."""

    name, citation = "plain", "this test"

    def act(self, observation, legal, rng):
        return legal[0]


class Forgetting(Plain):
    """Counts its moves instead of reading the observation."""

    def act(self, observation, legal, rng):
        return legal[next(RISING) % 2]


class Rude(Plain):
    def act(self, observation, legal, rng):
        return "raise"


class Failing(Plain):
    def act(self, observation, legal, rng):
        raise ConnectionError("server gone")


class Mixed(Plain):
    """Half and half, as far as it tells."""

    def probabilities(self, observation, legal):
        return dict.fromkeys(legal, 0.5)


class Biased(Mixed):
    """Tells half and half, and plays nine in ten."""

    def act(self, observation, legal, rng):
        return rng.choices(legal, [0.9, 0.1])[0]


class Wasteful(Mixed):
    """Draws once more than it needs, so that its next draw is another one at a thousand tables."""

    def act(self, observation, legal, rng):
        move = rng.choices(legal, [0.5, 0.5])[0]
        rng.random()
        return move


class Sure(Plain):
    """Draws nothing where nothing is left to chance."""

    def probabilities(self, observation, legal):
        return {legal[0]: 1.0}


class Writing(Plain):
    """Answers with what its pen makes of the first legal move."""

    def __init__(self, pen):
        self.pen = pen

    def act(self, observation, legal, rng):
        return self.pen(legal[0])


def answering(policy, name="odd", citation="this test"):
    return Opponent(name, policy, citation)


def test_an_opponent_needs_no_probabilities():
    assert check_opponent(Plain(), KUHN) == []


class Careless(Plain):
    """Forfeits now and then, as the foul rule lets it."""

    def probabilities(self, observation, legal):
        return {legal[0]: 0.75, FORFEIT: 0.25}

    def act(self, observation, legal, rng):
        row = self.probabilities(observation, legal)
        return rng.choices(list(row), list(row.values()))[0]


def test_an_opponent_may_forfeit_with_a_probability_as_batched_play_lets_it():
    assert check_opponent(Careless(), KUHN) == []


@pytest.mark.parametrize(
    ("law", "opponent", "what"),
    [
        ("an opponent has a name", answering(lambda o: UNIFORM, name=""), "its name is ''"),
        ("an opponent has a name", answering(lambda o: UNIFORM, citation=" "), "the citation ' '"),
        (
            "an opponent has a name",
            answering(lambda o: UNIFORM, name="nash"),
            "another opponent is",
        ),
        ("probabilities are", answering(lambda o: {Move.BET: 0.5}), "must be at least 0 and sum"),
        ("probabilities are", answering(lambda o: {"raise": 1.0}), "plays 'raise'"),
        ("probabilities are", answering(lambda o: {Move.BET: 1.0}[o.line]), "raised KeyError"),
        ("an opponent acts by", Rude(), "it acts 'raise' in Observation("),
        ("an opponent acts by", Failing(), "ConnectionError was raised: server gone"),
        ("an opponent depends on", Forgetting(), "with equal generators, it acts"),
    ],
)
def test_a_broken_opponent_is_found_and_told(law, opponent, what):
    found = check_opponent(opponent, KUHN, known=known_opponents("kuhn_poker"), episodes=10)
    [finding] = [each for each in found if each.law.startswith(law)]
    assert what in finding.what


@pytest.mark.parametrize(
    ("opponent", "what"),
    [
        (Biased(), "where a draw of its probabilities"),
        (Wasteful(), "does not draw exactly once"),
        (Sure(), "does not draw exactly once"),
    ],
)
def test_an_opponent_that_acts_by_other_draws_than_its_probabilities_is_found(opponent, what):
    """Each plays otherwise at one table than in a batch, which is why there is such a law."""
    [finding] = check_opponent(opponent, KUHN, episodes=10)
    assert finding.law.startswith("to act is to draw")
    assert what in finding.what


@pytest.mark.parametrize("pen", [np.int64, float, np.float32], ids=lambda pen: pen.__name__)
def test_a_move_that_only_equals_a_legal_one_is_found(pen):
    [finding] = check_opponent(Writing(pen), domain("repeated_auction"), episodes=2)
    assert finding.law.startswith("a move is of the type")
    assert finding.what.endswith("where the rules write 1")
    assert check_opponent(Writing(int), domain("repeated_auction"), episodes=2) == []


def test_a_move_of_many_numbers_is_looked_into():
    items = domain("item_negotiation")
    [finding] = check_opponent(Writing(lambda move: tuple(map(float, move))), items, episodes=2)
    assert finding.law.startswith("a move is of the type")


def test_every_law_of_an_opponent_has_one_that_breaks_it():
    names = [law.name for law in (name_clashes({}), *OPPONENT_LAWS)]
    starts = (
        *("an opponent has a name", "probabilities are", "an opponent acts", "an opponent dep"),
        *("to act is to draw", "a move is of the type"),
    )
    assert [name for name in names if not name.startswith(starts)] == []


def test_an_opponent_is_asked_only_where_its_own_play_leads():
    """One that always checks never sees a bet called by itself, so it need not know what to do."""
    seen = set()

    def policy(observation):
        seen.add(observation.situation)
        return {Move.PASS: 1.0}

    assert check_opponent(answering(policy), KUHN, episodes=100) == []
    assert seen == {card + line for card in "JQK" for line in ("", "p", "b", "pb")}
