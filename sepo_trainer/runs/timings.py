"""What an iteration cost: seconds, tokens per second, empty places, memory.

All that depends on the machine and the hour stands in ``timings.jsonl``, apart from the metrics,
which are the same however often a run was stopped. Nothing here decides anything.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch

from sepo_trainer.records import Rollout
from sepo_trainer.train import Step


def timings_line(steps: Sequence[Step], memory: Mapping[str, int]) -> dict[str, Any]:
    """One iteration of all courses.

    Args:
        memory: as `peak_memory` says.
    """
    rollouts = [r for step in steps for group in step.groups for r in group.rollouts]
    tokens = sum(len(turn.output_ids) for rollout in rollouts for turn in rollout.turns)
    played = [[r for group in step.groups for r in group.rollouts] for step in steps]
    seconds = {part: sum(step.seconds[part] for step in steps) for part in steps[0].seconds}
    return {
        "iteration": steps[0].iteration,
        "seconds": seconds,
        "tokens_per_second": {
            part: tokens / seconds[part] for part in ("play", "learn") if seconds.get(part)
        },
        "idle_share": idle_share(played),
        "waiting_share": waiting_share(played),
        "memory_bytes": dict(memory),
    }


def idle_share(played: Sequence[Sequence[Rollout]]) -> float:
    """Of the places in a sampler's batches, the share left empty as their episodes had ended.

    An arena plays its episodes in waves; each that still runs has one reply written in a wave. So
    there are as many waves as the longest episode has replies, and every other one waits for it.

    Args:
        played: by course, all its episodes; every course has waves of its own.
    """
    replies = [[len(rollout.turns) for rollout in episodes] for episodes in played]
    places = sum(max(numbers, default=0) * len(numbers) for numbers in replies)
    return 1 - sum(map(sum, replies)) / places if places else 0.0


def waiting_share(played: Sequence[Sequence[Rollout]]) -> float:
    """Of the passes through the model that write token by token, the share that a sampler which
    lets no episode wait for another's reply would not need.

    A wave takes as many passes as its longest reply has tokens. All episodes are at it from the
    beginning, so who waits for nobody takes as many as the longest episode has tokens.

    Args:
        played: as `idle_share` takes it.
    """
    passes = needed = 0
    for episodes in played:
        lengths = [[len(turn.output_ids) for turn in rollout.turns] for rollout in episodes]
        passes += sum(map(max, zip_longest(*lengths, fillvalue=0)))
        needed += max(map(sum, lengths), default=0)
    return 1 - needed / passes if passes else 0.0


def peak_memory() -> dict[str, int]:
    """Most bytes held so far: by this process, and by torch on its CUDA device."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2) of macOS counts in bytes
    found = {"host_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    if torch.cuda.is_available():
        found["device_peak"] = torch.cuda.max_memory_allocated()
    return found
