"""The prisoner's dilemma's rules: the payoff table, laws of every match, and its equilibria."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_spiel.python.algorithms import exploitability

from sepo_envs.episode import begin, dumps
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.exact.bridge import OpenSpielGame, tabular_policy
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.prisoners_dilemma.rules import (
    MOVES,
    Luck,
    Move,
    PrisonersDilemma,
    Round,
    State,
)

C, D = MOVES
F = FORFEIT
VARIANTS = (
    {},
    {"noise": 0.1},
    {"continuation": 0.75},
    {"noise": 0.5, "continuation": 0.5},
    {"reward": 2.0, "sucker": -3.0, "temptation": 4.5, "punishment": -1.0},
)


@st.composite
def matches(draw, finished=True):
    """A match of one to four rounds in any variant, played anyhow, forfeits included."""
    options = draw(st.sampled_from(VARIANTS))
    episode = begin(PrisonersDilemma(rounds=draw(st.integers(1, 4)), **options))
    stop = 99 if finished else draw(st.integers(0, 12))
    while episode.actor is not None and len(episode.entries) < stop:
        if episode.actor == CHANCE:
            choices = [luck for luck, _ in episode.game.chance_outcomes(episode.state)]
        else:
            choices = [*episode.game.legal_moves(episode.state, episode.actor), FORFEIT]
        episode = episode.play(draw(st.sampled_from(choices)))
    return episode


def played(*rounds, game=None):
    """The episode in which each round's two moves were these."""
    episode = begin(game or PrisonersDilemma())
    for move in [move for moves in rounds for move in moves]:
        episode = episode.play(move)
    return episode


@pytest.mark.parametrize(
    ("moves", "points"),
    [
        ((C, C), (3, 3)),
        ((C, D), (0, 5)),
        ((D, C), (5, 0)),
        ((D, D), (1, 1)),
        ((F, C), (0, 5)),
        ((F, D), (0, 5)),
        ((C, F), (5, 0)),
        ((D, F), (5, 0)),
        ((F, F), (1, 1)),
    ],
)
def test_a_round_pays_as_the_rulebook_says(moves, points):
    assert played(moves).game.payoffs(played(moves).state) == (points,)


@pytest.mark.parametrize("theirs", [C, D, F])
def test_a_forfeit_never_earns_more_than_defecting_would_have(theirs):
    forfeited, defected = (played((mine, theirs)).returns[0] for mine in (F, D))
    assert forfeited <= defected


def test_a_match_is_eight_rounds():
    episode = played(*[(C, C)] * 8)
    assert episode.actor is None
    assert episode.returns == (24.0, 24.0)


@given(matches())
def test_swapping_the_seats_swaps_the_points(episode):
    swapped = begin(episode.game)
    mirrored = tuple(Round(done.chosen[::-1], done.luck[::-1]) for done in episode.state.played)
    state = State(mirrored, goes_on=False)
    assert swapped.game.payoffs(state) == tuple(
        pay[::-1] for pay in episode.game.payoffs(episode.state)
    )
    for seat in (0, 1):
        seen, other = (
            episode.game.observe(episode.state, seat),
            episode.game.observe(state, 1 - seat),
        )
        assert (seen.mine, seen.theirs, seen.meant) == (other.mine, other.theirs, other.meant)


@given(matches(finished=False))
def test_both_seats_act_together_and_nobody_acts_at_a_chance_node(episode):
    actors = episode.game.actors(episode.state)
    assert actors in ((), (CHANCE,), (0, 1))
    for seat in (CHANCE, 0, 1):
        legal = episode.game.legal_moves(episode.state, seat)
        assert legal == (MOVES if actors == (0, 1) and seat != CHANCE else ())


def test_features_say_what_their_names_say():
    game = PrisonersDilemma(rounds=2)
    state = played((C, D), game=game).state
    ones = {
        name
        for name, number in zip(game.feature_names, game.features(state, 1), strict=True)
        if number == 1
    }
    assert ones == {"round 1: I defect", "round 1: they cooperate"}
    assert game.features(state, 1)[0] == 0.5


def test_the_situation_tells_the_seat_and_each_round_own_move_first():
    state = played((C, D), (D, D)).state
    situations = [PrisonersDilemma().observe(state, seat).situation for seat in (0, 1)]
    assert situations == ["0:CD,DD", "1:DC,DD"]


def test_a_forfeit_is_seen_as_a_defection_and_remembered_as_a_forfeit():
    seen = PrisonersDilemma().observe(played((F, C), (C, F)).state, 0)
    assert (seen.mine, seen.theirs, seen.forfeits) == ((D, C), (C, D), (False, True))
    assert (seen.situation, seen.infostate) == ("0:DC,CD", "0:FC,CF")


def test_a_slip_is_seen_by_both_and_known_to_the_one_who_slipped():
    game = PrisonersDilemma(noise=0.1)
    episode = played((C, C, Luck.AS_MEANT, Luck.SLIP), game=game)
    mine, theirs = (game.observe(episode.state, seat) for seat in (0, 1))
    assert episode.returns == (0, 5)
    assert (mine.theirs, mine.infostate) == ((D,), "0:CD")
    assert (theirs.mine, theirs.meant, theirs.infostate) == ((D,), (C,), "1:dC")


def test_a_forfeit_does_not_slip():
    game = PrisonersDilemma(noise=0.1)
    assert played((F, F), game=game).actor == 0
    waiting = played((F, C), game=game)
    assert waiting.actor == CHANCE
    assert waiting.play(Luck.SLIP).state.played[0].luck == (Luck.AS_MEANT, Luck.SLIP)


def test_slips_come_as_often_as_the_noise_says():
    game = PrisonersDilemma(rounds=1, noise=0.1)
    tree = GameTree(game)
    cooperating = ActionTable({key: {C: 1.0, D: 0.0} for key in tree.situations})
    expected = 0.81 * 3 + 0.09 * 0 + 0.09 * 5 + 0.01 * 1
    assert tree.returns(cooperating).tolist() == pytest.approx([expected] * 2)


def test_the_length_of_an_open_ended_match_follows_the_continuation_probability():
    """One point a round for all-defect, and 1 + 1/2 + 1/4 rounds."""
    tree = GameTree(PrisonersDilemma(rounds=3, continuation=0.5))
    defecting = ActionTable({key: {C: 0.0, D: 1.0} for key in tree.situations})
    assert tree.returns(defecting).tolist() == [1.75, 1.75]


@pytest.mark.parametrize("options", VARIANTS)
def test_the_exact_solver_and_openspiel_take_every_variant(options):
    game = PrisonersDilemma(rounds=2, **options)
    tree = GameTree(game)
    tilted = ActionTable(
        {
            key: {C: (number % 7) / 7, D: 1 - (number % 7) / 7}
            for number, key in enumerate(tree.situations)
        }
    )
    shown = OpenSpielGame(game)
    theirs = exploitability.nash_conv(shown, tabular_policy(shown, tilted))
    assert tree.nash_conv(tilted) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("options", [VARIANTS[0], VARIANTS[4]])
def test_all_defect_is_the_only_subgame_perfect_equilibrium(rounds, options):
    """Backward induction: in every subgame, given its continuations' values, D strictly dominates,
    so that there is exactly one equilibrium, mixed ones included."""
    game = PrisonersDilemma(rounds=rounds, **options)

    def value(state):
        """The points of the only equilibrium of the rest of the match."""
        if not game.actors(state):
            return (0.0, 0.0)
        after = {pair: game.play(state, dict(enumerate(pair))) for pair in product(MOVES, repeat=2)}
        total = {
            pair: [
                now + later for now, later in zip(game.payoffs(then)[-1], value(then), strict=True)
            ]
            for pair, then in after.items()
        }
        for other in MOVES:
            assert total[D, other][0] > total[C, other][0]
            assert total[other, D][1] > total[other, C][1]
        return total[D, D]

    assert value(game.start()) == [rounds * game.punishment] * 2


@pytest.mark.slow
def test_the_whole_match_has_21845_histories_a_seat_and_all_defect_is_an_equilibrium():
    """Sum of 4^k over the 8 rounds; the best reply to tit-for-tat earns 26, itself 24."""
    tree = GameTree(PrisonersDilemma())
    assert len(tree.situations) == 2 * sum(4**k for k in range(8)) == 2 * 21_845
    defecting = ActionTable({key: {C: 0.0, D: 1.0} for key in tree.situations})
    assert tree.nash_conv(defecting) == 0.0

    def answer(key):
        return D if key[-1] == "D" else C

    tit_for_tat = ActionTable(
        {key: {move: float(move is answer(key)) for move in MOVES} for key in tree.situations}
    )
    assert tree.returns(tit_for_tat).tolist() == [24.0, 24.0]
    assert [tree.best_response(tit_for_tat, seat).value for seat in (0, 1)] == [26.0, 26.0]


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        ({0: C}, "(0,) moved, but it is (0, 1)'s turn"),
        ({0: C, 1: "betray"}, "'betray' is no move of the prisoner's dilemma; the moves are coop"),
        ({CHANCE: Luck.SLIP}, "it is (0, 1)'s turn"),
    ],
)
def test_an_impossible_move_is_refused_in_words(moves, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        PrisonersDilemma().play(State(), moves)


def test_chance_cannot_end_a_match_while_choices_are_being_carried_out():
    waiting = played((C, C), game=PrisonersDilemma(noise=0.1))
    with pytest.raises(ValueError, match=r"cannot say <Luck\.STOP: 'stop'> here, only as meant"):
        waiting.play(Luck.STOP)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rounds": 0}, "rounds is 0, but a match has at least 1 round"),
        (
            {"temptation": 7.0},
            "T=7.0, R=3.0, P=1.0, S=0.0 is not a prisoner's dilemma: defection must dominate, and "
            "cooperating must beat taking turns to defect. "
            "Choose payoffs with T > R > P > S and 2R > T + S.",
        ),
        ({"temptation": 6.0}, "T=6.0, R=3.0, P=1.0, S=0.0 is not"),
        ({"temptation": 3.0}, "T=3.0, R=3.0"),
        ({"punishment": 3.0}, "P=3.0"),
        ({"sucker": 1.0}, "S=1.0"),
        ({"sucker": float("-inf")}, "sucker is -inf, but a payoff is in points: write a finite"),
        ({"reward": float("nan")}, "reward is nan"),
        ({"temptation": "5"}, "temptation is '5'"),
        ({"punishment": None}, "punishment is None"),
        ({"rounds": True}, "rounds is True, but a match has at least 1 round, and a whole number"),
        ({"rounds": "8"}, "rounds is '8'"),
        ({"continuation": None}, "continuation is None, but it is a probability: write a finite"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"continuation": 0.0}, "continuation is 0.0, but a probability above 0"),
        ({"continuation": 1.1}, "continuation is 1.1"),
        ({"noise": 0.6}, "noise is 0.6, but a choice can slip with probability 0 to 0.5 only"),
        ({"noise": -0.1}, "noise is -0.1"),
    ],
)
def test_a_game_that_is_no_dilemma_is_refused_with_the_mend(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        PrisonersDilemma(**options)


def test_a_move_may_be_named_by_its_word():
    assert played(("cooperate", "defect")).state.played[0].chosen == (Move.COOPERATE, Move.DEFECT)


def test_whole_and_decimal_payoffs_are_one_game_to_the_last_byte_of_a_record():
    whole, decimal = PrisonersDilemma(reward=3, noise=0), PrisonersDilemma(reward=3.0)
    assert whole == decimal
    assert dumps(begin(whole)) == dumps(begin(decimal))
