"""Sampled play as a check of the exact numbers, and play against a person."""

from dataclasses import replace

import pytest

from opponents.kuhn_poker import UNIFORM
from opponents.opponent import Pool
from sepo_envs.human import Human
from sepo_trainer.evaluation import evaluate
from sepo_trainer.play import play
from sepo_trainer.scores import meet
from tests.sepo_trainer.runs import run_with


@pytest.fixture(scope="module")
def run(warm_model):
    return run_with(warm_model("fresh"))


def off(pair) -> float:
    """How many standard errors the sampled mean lies from the exact one."""
    error = (pair.high - pair.low) / (2 * 1.96)
    return abs(pair.payoff - pair.exact) / error


def test_sampled_play_agrees_with_enumeration_against_every_opponent(run):
    """Nine opponents; a fortieth of the replies are read only at the second try."""
    pairs = evaluate(run, episodes=960)
    assert len(pairs) == 9
    assert all(off(pair) < 4 for pair in pairs)
    assert sum(off(pair) > 1.96 for pair in pairs) <= 2
    assert all(pair.episodes == 960 for pair in pairs)
    assert all(pair.foul_rate < 0.02 for pair in pairs)


def test_more_episodes_narrow_the_interval_around_the_exact_value(run):
    """The opponent's own draws are part of the spread: each episode has its own."""
    only = replace(run, stage=replace(run.stage, pools={"heldout": Pool("heldout", (UNIFORM,))}))
    [few], [many] = evaluate(only, episodes=600), evaluate(only, episodes=9_600)
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 4, rel=0.2)
    assert off(few) < 3
    assert off(many) < 3


def test_evaluation_is_the_same_each_time(run):
    only = replace(run, stage=replace(run.stage, pools={"heldout": Pool("heldout", (UNIFORM,))}))
    assert evaluate(only, episodes=24) == evaluate(only, episodes=24)


def test_heldout_opponents_are_never_trained_on(run):
    table = run.table()
    met = {o.name for pool in run.opponents(table).values() for o in pool}
    heldout = {o.name for o in run.stage.pools["heldout"].opponents}
    assert met == {"nash", "tight-passive", "loose-aggressive", "always-bet", "best-response"}
    assert not met & heldout


def test_against_oneself_a_zero_sum_game_is_worth_nothing(run):
    """Both seats alike: what one wins the other loses."""
    table = run.table()
    me = replace(UNIFORM, name="me", policy=lambda seen: table[seen.situation])
    met = meet(run.stage.tree, table, me)
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
        run, seed=0, write=shown.append, human=Human(run.stage.words, read=read, write=shown.append)
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
