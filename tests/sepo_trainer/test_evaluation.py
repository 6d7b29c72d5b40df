"""Sampled play as a check of the exact numbers, and play against a person."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from opponents.kuhn_poker import UNIFORM
from opponents.opponent import Pool
from opponents.scorecard import Line
from sepo_envs.human import Human
from sepo_trainer.courses.scores import meet, score
from sepo_trainer.run import Run
from sepo_trainer.runs.evaluation import evaluate
from sepo_trainer.runs.play import play
from tests.sepo_trainer.runs import run_with
from tests.sepo_trainer.tabular import changing


@pytest.fixture(scope="module")
def run(warm_model):
    return run_with(warm_model("fresh"))


def off(line: Line, exact: Mapping[str, float]) -> float:
    """How many standard errors the sampled mean lies from the exact one."""
    error = (line.payoff.high - line.payoff.low) / (2 * 1.96)
    return abs(line.payoff.value - exact[line.opponent]) / error


def against_uniform(run: Run) -> Run:
    """The same run with one opponent to evaluate it."""
    return changing(
        run, stage=replace(run.course.stage, pools={"heldout": Pool("heldout", (UNIFORM,))})
    )


def test_sampled_play_agrees_with_enumeration_against_every_opponent(run):
    """Nine opponents; a fortieth of the replies are read only at the second try."""
    card, exact = evaluate(run.course, episodes=960)
    assert len(card.opponents) == len(exact) == 9
    assert all(off(line, exact) < 4 for line in card.opponents)
    assert sum(off(line, exact) > 1.96 for line in card.opponents) <= 2
    assert all(line.matches == 960 for line in card.opponents)
    assert all(line.foul_rate.value < 0.02 for line in card.opponents)


def test_the_parts_of_the_objective_agree_with_enumeration(run):
    """u over train, and e over the mean margins of the two exploiters; both of them gain."""
    card, _ = evaluate(run.course, episodes=960)
    table = run.course.table()
    exact = score(run.course.stage.tree, table, run.course.opponents(table), run.course.weights)
    for sampled, known in ((card.u, exact.u), (card.e, exact.e), (card.safety, exact.objective)):
        assert abs(sampled.value - known) < 4 * (sampled.high - sampled.low) / (2 * 1.96)
    assert exact.e > 0.1


def test_an_odd_number_of_episodes_is_rounded_up_to_both_seats_alike(run):
    """At least as many as were asked for, and every deal from both seats."""
    card, _ = evaluate(against_uniform(run).course, episodes=25)
    [line] = card.opponents
    assert (line.matches, card.deals) == (26, 13)


def test_more_episodes_narrow_the_interval_around_the_exact_value(run):
    """The opponent's own draws are part of the spread: each episode has its own."""
    only = against_uniform(run).course
    (few, exact), (many, _) = evaluate(only, episodes=600), evaluate(only, episodes=9_600)
    [one], [other] = few.opponents, many.opponents
    assert (other.payoff.high - other.payoff.low) == pytest.approx(
        (one.payoff.high - one.payoff.low) / 4, rel=0.2
    )
    assert off(one, exact) < 3
    assert off(other, exact) < 3


def test_evaluation_is_the_same_each_time(run):
    only = against_uniform(run).course
    assert repr(evaluate(only, episodes=24)) == repr(evaluate(only, episodes=24))


def test_all_opponents_meet_the_same_deals_whatever_training_deals(run):
    """Else an interval over deals would hold the difference between opponents' cards too."""
    apart = changing(run, arena=replace(run.course.arena, deals=1, own_deals=True))
    assert repr(evaluate(apart.course, episodes=24)) == repr(evaluate(run.course, episodes=24))


def test_heldout_opponents_are_never_trained_on(run):
    table = run.course.table()
    met = {o.name for pool in run.course.opponents(table).values() for o in pool}
    heldout = {o.name for o in run.course.stage.pools["heldout"].opponents}
    assert met == {"nash", "tight-passive", "loose-aggressive", "always-bet", "best-response"}
    assert not met & heldout


def test_against_oneself_a_zero_sum_game_is_worth_nothing(run):
    """Both seats alike: what one wins the other loses."""
    table = run.course.table()
    me = replace(UNIFORM, name="me", policy=lambda seen: table[seen.situation])
    met = meet(run.course.stage.tree, table, me)
    assert met.payoff == pytest.approx(0.0, abs=1e-12)
    assert met.margin == pytest.approx(0.0, abs=1e-12)


def sit_down(run, *lines: str) -> str:
    """What a person reads who types these lines and then leaves."""
    waiting, shown = iter(lines), []

    def read(prompt):
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    play(
        run.course,
        seed=0,
        write=shown.append,
        human=Human(run.course.stage.words, read=read, write=shown.append),
    )
    return "\n".join(shown)


@pytest.mark.parametrize("style", ["fresh", "conversation"])
def test_a_person_may_play_in_alternating_seats_until_leaving(warm_model, style):
    run = run_with(warm_model(style), style=style)
    shown = sit_down(run, *["bet", "call"] * 12)
    assert "You are player_0. So far: " in shown
    assert "You are player_1. So far: " in shown
    assert "the policy said: " in shown
    assert shown.count("hand 1: ") >= 6
    last = [line for line in shown.splitlines() if "So far: " in line][-1]
    games = sum("So far: " in line for line in shown.splitlines())
    points = last.partition("So far: ")[2].removesuffix(".")  # "-6 points"
    assert shown.endswith(f"You leave with {points}; finished games: {games}.")


def test_the_policy_never_shows_its_card_before_the_hand_is_over(warm_model):
    """All that a person reads before typing is its own prompt."""
    run = run_with(warm_model("fresh"))
    first = sit_down(run)
    assert first.count("dealt the") == 1
    assert "player_1" not in first
    assert "the policy said" not in first
