"""Stage one: supervised learning on expert traces, so that the policy speaks and moves legally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sepo_trainer.demonstrations import Trace
from sepo_trainer.learner import Learner

RISE = 20
"""Steps until the learning rate is full."""
FALL = 0.3
"""Share of the steps, at the end, over which it falls to 0."""


def warm_start(
    learner: Learner,
    traces: Counter[Trace],
    *,
    steps: int,
    learning_rate: float,
    progress: Callable[[int, float], None],
) -> None:
    """Imitate all ``traces`` at once for ``steps`` steps, each trace weighted by how often it
    occurs.

    Args:
        progress: called after each step with its number and the loss in nats per reply.
    """
    pairs = list(traces)
    weights = [float(traces[pair]) for pair in pairs]
    for step in range(steps):
        rate = learning_rate * min(1.0, (step + 1) / RISE, (steps - step) / (FALL * steps))
        progress(step, learner.imitate(pairs, weights, learning_rate=rate))
