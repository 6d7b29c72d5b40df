"""What is learned from a reply that not quite the learner's distribution wrote.

A sampler may compute with weights of its own, in another precision, by other kernels. Its log-probs
then differ from those of the model that learns, and a gradient that takes its replies for the
learner's own is biased. So each token is weighed by how much likelier the learner is to write it,
truncated above so that no token counts for many; and beyond a stated drift a run stops, for then
something is wrong that no weight mends. Most tokens are format, which both are sure of, so the
moves are looked at alone as well: a drift in them alone would vanish in the mean over all.

The weight goes into the advantage, which every policy loss is linear in. The clipped ratio of the
loss is then taken between the learner's log-probs before and after an update, as it should be.

Source: the truncation, E. L. Ionides, "Truncated importance sampling", J. Comput. Graph. Stat. 17
(2008); between sampler and learner, token by token, F. Yao et al., "Your efficient RL framework
secretly brings you off-policy RL training" (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepo_trainer.records import Row

Logprobs = NDArray[np.float64]
MOVES = 5.0
"""How much farther apart the two may be on the tokens of moves than on all. A token in doubt moves
by more than one that is certain, whatever the cause: a log-prob moves by 1 - p per logit."""


Engine = Literal["transformers", "vllm"]
CAUSES: dict[Engine, str] = {
    "transformers": "The same weights wrote them, so it is the precision: token by token they "
    "round otherwise than all at once. Set model.dtype to float32 where it is not, or raise "
    "sampler.most_drift if that much rounding is to be expected of this model.",
    "vllm": "It does not write with the weights that learn: a publish went wrong, the two compute "
    "in different precisions, or the engine renders log-probs otherwise (a server needs "
    "--logprobs-mode processed_logprobs). Compare them on one reply; go on with --sampler.engine "
    "transformers, or raise sampler.most_drift if the precision explains it.",
}
"""What to look for, by who wrote."""


class DriftError(ValueError):
    """The sampler writes with other probabilities than the learner's, by more than is allowed."""


class Agreement(NamedTuple):
    """How a sampler and the learner stand to each other over some tokens."""

    drift: float
    """Mean absolute difference of their log-probs, nats per token."""
    move_drift: float
    """The same over the tokens of moves alone; 0 where there are none."""
    ratio_mean: float
    """Mean of the learner's probability over the sampler's; 1 in expectation where they agree."""
    ratio_max: float
    capped_share: float
    """Of the tokens, how many have a ratio above the cap."""

    def stats(self) -> dict[str, float]:
        """As they stand in a line of the metrics."""
        return {f"sampler_{name}": value for name, value in self._asdict().items()}


def truncated_ratio(learner: Logprobs, sampler: Logprobs, *, cap: float) -> Logprobs:
    """min(learner's probability / sampler's, cap), token by token.

    Args:
        learner, sampler: nats, of the same tokens.
        cap: at least 1.

    >>> truncated_ratio(np.log([0.5, 0.3, 0.9]), np.log([0.5, 0.6, 0.1]), cap=2.0).round(6).tolist()
    [1.0, 0.5, 2.0]
    """
    return np.exp(np.minimum(learner - sampler, np.log(cap)))


def agreement(
    learner: Logprobs, sampler: Logprobs, *, cap: float, moves: NDArray[np.bool_] | None = None
) -> Agreement:
    """How much the log-probs of the same tokens differ; of no tokens, not at all.

    Args:
        moves: which of the tokens say a move; without it, none.

    >>> agreement(np.log([0.2, 0.2]), np.log([0.1, 0.4]), cap=1.5)._asdict()["ratio_mean"]
    1.25
    """
    if not len(learner):
        return Agreement(0.0, 0.0, 1.0, 1.0, 0.0)
    apart = learner - sampler
    ratio = np.exp(apart)
    of_moves = np.zeros(0) if moves is None else np.abs(apart[moves])
    return Agreement(
        float(np.abs(apart).mean()),
        float(of_moves.mean()) if len(of_moves) else 0.0,
        float(ratio.mean()),
        float(ratio.max()),
        float((ratio > cap).mean()),
    )


def corrected(
    rows: Sequence[Row], learner: Sequence[Sequence[float]], *, cap: float
) -> tuple[list[Row], Agreement]:
    """The rows as the learner would have written them, as far as weights can make them so.

    Args:
        learner: for each row, the learner's log-probs of ``rest_ids`` before the update.

    Returns:
        rows whose old log-probs are the learner's and whose advantages are weighed; and how the two
        agreed over every written token.
    """
    found, theirs, ours = [], [np.empty(0)], [np.empty(0)]
    moves = [np.empty(0, dtype=bool)]
    for row, again in zip(rows, learner, strict=True):
        written = np.array(row.written, dtype=bool)
        sampled = np.where(written, row.old_logprobs, 0.0)
        now = np.where(written, again, 0.0)
        weights = truncated_ratio(now, sampled, cap=cap)
        gains = (np.array(row.advantages) * weights).tolist()
        found.append(replace(row, old_logprobs=tuple(now.tolist()), advantages=tuple(gains)))
        theirs.append(sampled[written])
        ours.append(now[written])
        moves.append(np.array(row.is_move, dtype=bool)[written])
    return found, agreement(
        np.concatenate(ours), np.concatenate(theirs), cap=cap, moves=np.concatenate(moves)
    )


def check_drift(found: Agreement, *, most: float, where: str, engine: Engine) -> None:
    """Refuse to go on with a sampler that writes something else than the learner would.

    Args:
        most: nats per token; on the tokens of moves, `MOVES` times as many.
        where: what was compared, for the message.
        engine: that wrote, for the message.

    Raises:
        DriftError: the drift is above ``most``, or not a number.
    """
    if found.drift <= most and found.move_drift <= MOVES * most:
        return
    far, of, allowed = found.drift, "token", f"{most:g}"
    if far <= most:
        far, of, allowed = (
            found.move_drift,
            "token of a move",
            f"{most:g}, {MOVES:g} times for these",
        )
    raise DriftError(
        f"{where}, the sampler's log-probs differ from the trainer's by {far:.2g} nats per {of} in "
        f"the mean (largest ratio {found.ratio_max:.3g}), more than sampler.most_drift allows "
        f"({allowed}). {CAUSES[engine]}"
    )
