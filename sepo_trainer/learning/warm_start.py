"""Stage one: supervised learning on expert traces, so that the policy speaks and moves legally."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sepo_trainer.learning.learner import Learner
from sepo_trainer.records import Trace
from sepo_trainer.seeding import seed

RISE = 20
"""Steps until the learning rate is full."""
FALL = 0.3
"""Share of the steps, at the end, over which it falls to 0."""


def mixture(traces: Sequence[Mapping[Trace, int]], weights: Sequence[float]) -> dict[Trace, float]:
    """The traces of several games as one, with how often each is to be met: those of a game
    together as its weight has it, relative to the first game's own number.

    >>> a, b = Trace((1,), (2,), (True,)), Trace((3,), (4,), (True,))
    >>> list(mixture([{a: 6}, {b: 2}], [1, 0.5]).values())
    [6.0, 3.0]
    """
    totals = [sum(found.values()) / weight for found, weight in zip(traces, weights, strict=True)]
    return {
        trace: count * totals[0] / total
        for found, total in zip(traces, totals, strict=True)
        for trace, count in found.items()
    }


def warm_start(
    learner: Learner,
    traces: Mapping[Trace, float],
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    run_seed: int,
    progress: Callable[[int, float], None],
) -> None:
    """Imitate ``traces`` for ``steps`` steps, each trace weighted by how often it occurs.

    Args:
        batch: traces per step, drawn by their weights; all of them where they are no more.
        progress: called after each step with its number and the loss in nats per reply token.
    """
    distinct = list(traces)
    counts = np.array([traces[trace] for trace in distinct], dtype=np.float64)
    rng = np.random.default_rng(seed(run_seed, "shuffle", group="warm start"))
    for step in range(steps):
        rate = learning_rate * min(1.0, (step + 1) / RISE, (steps - step) / (FALL * steps))
        drawn = counts
        if len(distinct) > batch:
            drawn = rng.multinomial(batch, counts / counts.sum()).astype(np.float64)
        mine = np.flatnonzero(drawn)
        loss = learner.imitate(
            [distinct[n] for n in mine], [float(drawn[n]) for n in mine], learning_rate=rate
        )
        progress(step, loss)
