"""Forward, backward, step: the weights and what moves them. Knows tokens, no game.

Rows that are equal are read once, rows with one prompt share its reading, and a row's result does
not depend on the rows beside it, so any cut into microbatches gives the same gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.forward import Distributions, next_token_logprobs, pad_right
from sepo_trainer.loss import clipped_policy_loss, entropy, kl_to_reference, weighted_sum
from sepo_trainer.records import Ids, Row, Trace


class DivergedError(ValueError):
    """A gradient is infinite, or not a number."""


class Batch(NamedTuple):
    """What one game has to teach in an update."""

    rows: Sequence[Row]
    pull: Pull
    weight: float = 1.0
    """Of its loss among those of the other games."""


class Pull(NamedTuple):
    """What the update is weighed by, beside the advantages."""

    clip: float
    kl_talk: float
    """Weight per nat of KL to the reference on everything but the choice of move: it holds the
    format, also where a move is due and anything else but a legal one would be said. An average
    over distinct sequences: one that is seldom played counts like any other."""
    kl_move: float
    """The same on the choice among the legal moves' tokens."""
    entropy: float
    """Bonus per nat of entropy on the move's tokens."""


@dataclass(slots=True)
class Learner:
    """One policy, its optimiser and its reference.

    Args:
        temperature: that of the sampler, so that log-probs agree with those it wrote.
        microbatch: at most this many distinct rows in one forward pass.
    """

    model: PreTrainedModel
    reference: PreTrainedModel | None
    optimizer: torch.optim.Optimizer
    pad_id: int
    temperature: float = 1.0
    microbatch: int = 1024
    gradient_clip: float = 1.0

    def update(self, batches: Sequence[Batch], *, learning_rate: float) -> list[dict[str, float]]:
        """One step on all ``batches``; returns of each what is worth a line in the log.

        Raises:
            DivergedError: the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        stats = [self.accumulate(batch) for batch in batches]
        norm = self._step(learning_rate)
        return [found | {"gradient_norm": norm} for found in stats]

    def accumulate(self, batch: Batch) -> dict[str, float]:
        """Add the gradient of a batch's loss to the parameters, in microbatches of rows."""
        rows = batch.rows
        sequences = list(dict.fromkeys((row.prompt_ids, row.rest_ids) for row in rows))
        # Like lengths together make less padding, like beginnings fewer nodes.
        sequences.sort(key=lambda sequence: (len(sequence[0]), sequence))
        distinct = {(row.prompt_ids, row.rest_ids): row.turns for row in rows}
        totals = _Totals(
            turns=sum(row.turns for row in rows),
            distinct_turns=sum(distinct.values()),
            tokens=sum(sum(row.written) for row in rows),
        )
        stats: dict[str, float] = {}
        for start in range(0, len(sequences), self.microbatch):
            chunk = sequences[start : start + self.microbatch]
            number = {sequence: index for index, sequence in enumerate(chunk)}
            mine = [row for row in rows if (row.prompt_ids, row.rest_ids) in number]
            which = torch.tensor([number[row.prompt_ids, row.rest_ids] for row in mine])
            part = self._backward(chunk, mine, which, batch, of=totals)
            for name, value in part.items():
                stats[name] = stats.get(name, 0.0) + value
        return stats | {"distinct_rows": float(len(sequences))}

    def imitate(
        self, traces: Sequence[Trace], weights: Sequence[float], *, learning_rate: float
    ) -> float:
        """One supervised step on weighted conversations; returns nats per token of the expert's.

        Raises:
            DivergedError: the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        spoken = [sum(trace.written) for trace in traces]
        total = sum(weight * tokens for weight, tokens in zip(weights, spoken, strict=True))
        loss = 0.0
        for start in range(0, len(traces), self.microbatch):
            chunk = traces[start : start + self.microbatch]
            rows = [(trace.prompt_ids, trace.rest_ids) for trace in chunk]
            written = [trace.written for trace in chunk]
            seen = next_token_logprobs(self.model, rows, pad_id=self.pad_id, wanted=written)
            ids = pad_right([trace.rest_ids for trace in chunk], 0)
            mask = pad_right(written, 0).bool()
            share = torch.tensor(weights[start : start + self.microbatch]) / total
            device = self.model.device
            part = -weighted_sum(seen.of(ids.to(device)), mask.to(device), share.to(device))
            part.backward()
            loss += float(part.detach())
        self._step(learning_rate)
        return loss

    def _step(self, learning_rate: float) -> float:
        """Move the weights by their gradients; returns the norm of these.

        Raises:
            DivergedError: it is not finite. The weights are left as they are.
        """
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_clip))
        if not isfinite(norm):
            raise DivergedError(
                f"the gradient's norm is {norm}, so a step would ruin the weights; what was "
                "saved before stands. Use a lower rate (learning.learning_rate, "
                "warm_start.learning_rate) or a slower rise (learning.rise), in a new run; if it "
                "happens at the first step, look for a weight in the model that is not finite."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        return norm

    def refresh_reference(self) -> None:
        """Make the policy as it stands the reference."""
        self.reference = frozen_copy(self.model)

    def _backward(
        self,
        sequences: Sequence[tuple[Ids, Ids]],
        rows: Sequence[Row],
        which: Tensor,
        batch: Batch,
        *,
        of: _Totals,
    ) -> dict[str, float]:
        device, pull = self.model.device, batch.pull
        first = {int(index): row for index, row in reversed(list(zip(which, rows, strict=True)))}
        said = [first[n].written for n in range(len(sequences))]
        seen = self._read(self.model, sequences, said)
        ids = pad_right([rest for _, rest in sequences], 0).to(device)
        length = ids.shape[1]

        def column(values: Sequence[Sequence[float]], kind: torch.dtype) -> Tensor:
            padded = [(*row, *(0,) * (length - len(row))) for row in values]
            return torch.tensor(padded, dtype=kind, device=device)

        written = column([row.written for row in rows], torch.bool)
        old = column([row.old_logprobs for row in rows], torch.float32)
        advantages = column([row.advantages for row in rows], torch.float32)
        weights = torch.tensor([row.weight for row in rows], device=device)
        now = seen.of(ids)[which]
        loss = clipped_policy_loss(now, old, advantages, written, weights, clip=pull.clip)

        # Over the distinct sequences, each as often as it was played: an average over the replies.
        times = torch.bincount(which, minlength=len(sequences)).to(device) / of.turns
        spoken = column(said, torch.bool)
        moves = column([first[n].is_move for n in range(len(sequences))], torch.bool) & spoken
        spread = weighted_sum(entropy(seen.logprobs)[seen.where], moves, times)
        stats = {"move_entropy": float(spread.detach())}
        loss = loss - pull.entropy * spread
        if self.reference is not None and (pull.kl_talk or pull.kl_move):
            with torch.no_grad():
                held = self._read(self.reference, sequences, said)
            kl = kl_to_reference(seen.logprobs, held.logprobs)[seen.where]
            free = _choices([first[n].choices for n in range(len(sequences))], length).to(device)
            counts, free = free >= 0, free.clamp(min=0)
            at = seen.where[..., None]
            apart = kl_to_reference(
                seen.logprobs[at, free][..., None], held.logprobs[at, free][..., None]
            )
            choice = torch.where(counts, apart, 0.0).sum(-1)
            # The format is held alike wherever it was spoken, however seldom that was.
            evenly = torch.full_like(times, 1 / of.distinct_turns)
            kl_talk = weighted_sum(kl - choice, spoken, evenly)
            kl_move = weighted_sum(choice, moves, times)
            loss = loss + pull.kl_talk * kl_talk + pull.kl_move * kl_move
            stats |= {"kl_talk": float(kl_talk.detach()), "kl_move": float(kl_move.detach())}
        (batch.weight * loss).backward()
        drift = torch.where(written, now.detach() - old, 0.0)
        outside = (drift.exp() - 1).abs() > pull.clip
        stats["loss"] = float(loss.detach())
        stats["clipped_share"] = float((outside & written).sum()) / of.tokens
        return stats

    def _read(
        self,
        model: PreTrainedModel,
        sequences: Sequence[tuple[Ids, Ids]],
        wanted: Sequence[Sequence[bool]],
    ) -> Distributions:
        return next_token_logprobs(
            model, sequences, pad_id=self.pad_id, wanted=wanted, temperature=self.temperature
        )


class _Totals(NamedTuple):
    """Of a whole batch, whatever its cut: what averages are taken over."""

    turns: int
    distinct_turns: int
    """Each distinct sequence's once."""
    tokens: int


def _choices(rows: Sequence[Sequence[Ids]], length: int) -> Tensor:
    """``(rows, length, most choices)``: each token's choices, -1 where it has fewer or none."""
    most = max((len(ids) for row in rows for ids in row), default=0)
    blank = (-1,) * most
    padded = [
        [(*ids, *blank[len(ids) :]) for ids in row] + [blank] * (length - len(row)) for row in rows
    ]
    return torch.tensor(padded, dtype=torch.long).reshape(len(rows), length, most)


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The same weights in a model of their own that never learns."""
    copy: PreTrainedModel = deepcopy(model)
    copy.eval()
    copy.requires_grad_(False)
    return copy
