"""Both trainers play the same games to the same end, and the record says what each took."""

from __future__ import annotations

import pytest

from benchmarks import speed, trainer_speed
from benchmarks.command_line import BenchmarkError, settings
from benchmarks.records import load_all

TINY = [
    *("--model.hidden", "16", "--model.layers", "1", "--model.heads", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "3", "--warm-start.steps", "0"),
    *("--game.options.rounds", "2", "--rollout.max-retries", "0"),
]
MANY_TURNS = ["--game.name", speed.MANY_TURNS, *TINY]

pytestmark = [
    pytest.mark.slow,
    # TRL's own: of what it offers, and of what it calls.
    pytest.mark.filterwarnings("ignore:You are using 'rollout_func':UserWarning"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def test_both_play_the_same_games_when_nothing_is_left_to_chance(tmp_path):
    """Near temperature 0 both write the likeliest tokens, so the same episodes come about."""
    config = trainer_speed.settings_for(settings([*MANY_TURNS, "--rollout.temperature", "1e-4"]), 1)
    ours, theirs = speed._assembled(config), speed._assembled(config)
    trainer = trainer_speed.peer(theirs, tmp_path, [], steps=1)
    groups, found = trainer_speed.conversations(theirs, trainer)
    known = ours.course.read()
    mine = ours.course.arena.play(ours.course.sampler, known.opponents, iteration=0)
    assert [group.key for group in groups] == [group.key for group in mine]
    for group, other in zip(groups, mine, strict=True):
        for one, another in zip(group.rollouts, other.rollouts, strict=True):
            assert one.episode == another.episode
            assert [turn.output_ids for turn in one.turns] == [
                turn.output_ids for turn in another.turns
            ]
    assert len(found["prompt_ids"]) == sum(len(group.rollouts) for group in mine)
    spoken = [
        sum(len(turn.output_ids) for turn in rollout.turns)
        for group in mine
        for rollout in group.rollouts
    ]
    assert [sum(mask) for mask in found["env_mask"]] == spoken
    assert [len(ids) for ids in found["completion_ids"]] == [len(m) for m in found["env_mask"]]


def test_rollouts_and_steps_are_raced_in_pairs_and_recorded(tmp_path):
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    speed.main([*TINY, "--trainer", "--pairs", "2", "--name", "tiny", *places])
    [record] = load_all(tmp_path / "results")
    assert record.name == "trainer-tiny"
    assert record.game.id == speed.MANY_TURNS
    assert "--game.name prisoners_dilemma" in record.certificate.command
    for what in ("rollouts", "rollouts and update"):
        sides = [record.measures[f"{side}, {what}"] for side in ("sepo", "TRL")]
        assert sides[0]["episodes"].values == sides[1]["episodes"].values
        rates = [
            [
                tokens / seconds
                for tokens, seconds in zip(
                    side["new tokens"].values, side["seconds"].values, strict=True
                )
            ]
            for side in sides
        ]
        ratios = [mine / theirs for mine, theirs in zip(*rates, strict=True)]
        told = record.measures[f"sepo / TRL, {what}"]["new tokens per second"]
        assert told.values == pytest.approx(ratios)
        assert len(ratios) == 2


def test_episodes_of_several_conversations_are_refused(tmp_path):
    config = trainer_speed.settings_for(settings([*MANY_TURNS, "--rollout.style", "fresh"]), 1)
    run = speed._assembled(config)
    trainer = trainer_speed.peer(run, tmp_path, [], steps=1)
    with pytest.raises(BenchmarkError, match=r"one growing conversation.*rollout\.style"):
        trainer_speed.conversations(run, trainer)
