"""What an iteration cost: whom the waves wait for, and how fast tokens were written and learned."""

import sys
from pathlib import Path

import pytest

from sepo_trainer.records import Turn
from sepo_trainer.runs.timings import idle_share, peak_memory, timings_line, waiting_share
from sepo_trainer.train import Step
from tests.sepo_trainer.runs import UNTRAINED, play, run_with, turns_of


class Replied:
    """An episode in which the policy has replied with so many tokens, turn by turn."""

    def __init__(self, *lengths: int) -> None:
        self.turns = [Turn((), (1,) * n, (0.0,) * n, (), 0, 0) for n in lengths]


@pytest.mark.parametrize(
    ("replies", "share"),
    [
        ([[3, 3, 3]], 0.0),
        ([[1, 1, 4]], 0.5),  # four waves of three places; six of the twelve are filled
        ([[2], [1, 1]], 0.0),  # two games do not wait for one another
        ([[1, 2], [1, 1]], 1 / 6),
        ([[]], 0.0),
        ([[0, 0]], 0.0),
    ],
)
def test_the_idle_share_is_the_empty_places_of_the_waves_by_hand(replies, share):
    played = [[Replied(*[1] * number) for number in course] for course in replies]
    assert idle_share(played) == pytest.approx(share)


@pytest.mark.parametrize(
    ("lengths", "share"),
    [
        ([[[3, 1], [3, 1]]], 0.0),
        ([[[1], [3]]], 0.0),  # the longer one waits for nobody
        ([[[3, 1], [1, 3]]], 1 / 3),  # three passes and three; each has four tokens to write
        ([[[1, 5], [3]]], 1 / 4),
        ([[[1, 5], [3]], [[8]]], 1 / 8),
        ([[]], 0.0),
        ([[[]]], 0.0),
    ],
)
def test_the_waiting_share_is_the_passes_spent_on_others_by_hand(lengths, share):
    played = [[Replied(*turns) for turns in course] for course in lengths]
    assert waiting_share(played) == pytest.approx(share)


def test_the_arena_fills_just_the_places_that_are_counted():
    """Every batch that the sampler is given is one wave."""
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 4})
    sampler, batches, passes = run.course.sampler, [], []
    real = sampler.generate

    class Watched:
        version = 0

        def generate(self, requests):
            batches.append(len(requests))
            replies = real(requests)
            passes.append(max(len(reply.output_ids) for reply in replies))
            return replies

    groups = run.course.arena.play(Watched(), run.course.opponents(run.course.table()), iteration=0)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    filled = sum(batches) / (len(batches) * len(rollouts))
    assert len(set(batches)) > 1, "some episodes end before others"
    assert idle_share([rollouts]) == pytest.approx(1 - filled)
    longest = max(sum(len(turn.output_ids) for turn in rollout.turns) for rollout in rollouts)
    assert waiting_share([rollouts]) == pytest.approx(1 - longest / sum(passes))


def test_tokens_per_second_are_those_written_by_the_seconds_of_each_part():
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 4})
    groups, scores = play(run)
    seconds = {"read": 1.0, "play": 2.0, "learn": 4.0}
    step = Step(7, "kuhn_poker", None, scores, groups, {}, seconds)
    tokens = sum(len(turn.output_ids) for turn in turns_of(groups))
    line = timings_line([step], {"host_peak": 5})
    assert (line["iteration"], line["seconds"]) == (7, seconds)
    assert line["tokens_per_second"] == {"play": tokens / 2, "learn": tokens / 4}
    assert line["memory_bytes"] == {"host_peak": 5}
    both = timings_line([step, step], {})
    assert both["seconds"]["learn"] == 8.0, "two courses' seconds are summed"
    assert both["tokens_per_second"] == line["tokens_per_second"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux says it in /proc")
def test_the_peak_of_memory_is_what_the_kernel_says_in_bytes():
    """VmHWM, proc(5): in units of 1024 bytes."""
    told = Path("/proc/self/status").read_text()
    kernel = int(told.split("VmHWM:")[1].split()[0]) * 1024
    assert peak_memory()["host_peak"] == pytest.approx(kernel, rel=0.02)
