"""Forward, backward, step: the weights and what moves them. Knows tokens, no game.

Rows that are equal are read once, rows with one prompt share its reading, and a row's result does
not depend on the rows beside it, so any cut into microbatches gives the same gradient. So does any
share of them among processes: each is given all rows and reads some, what a loss is divided by is
counted over all, and gradients are summed before the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.learning.columns import choices_of, column, gains_of, known
from sepo_trainer.learning.loss import (
    LossKind,
    clipped_tokens,
    expected_gain,
    kl_to_reference,
    mean_length,
    policy_loss,
    weighted_sum,
)
from sepo_trainer.learning.measure import Measured, measure
from sepo_trainer.policy.forward import HiddenStates, hidden_states, pad_right
from sepo_trainer.policy.split import let_go, missed
from sepo_trainer.policy.weights import Frozen
from sepo_trainer.processes import add_up, added_up, count, is_part, own_share, whole
from sepo_trainer.records import Ids, Row, Trace

Item = TypeVar("Item")


class DivergedError(ValueError):
    """A gradient is infinite, or not a number."""


class Batch(NamedTuple):
    """What one game has to teach in an update."""

    rows: Sequence[Row]
    pull: Pull
    weight: float = 1.0
    """Of its clipped gradient among those of the other games."""


class Pull(NamedTuple):
    """What the update is weighed by, beside the advantages."""

    clip: float
    kl_talk: float
    """Weight per nat of KL to the reference on everything but the choice of move: it holds the
    format, also where a move is due and anything else but a legal one would be said. An average
    over distinct sequences: one that is seldom played counts like any other."""
    kl_move: float
    """The same on the choice among the legal moves' tokens, to the magnet where there is one; but
    each sequence counts as often as it was played."""
    entropy: float
    """Bonus per nat of entropy on the move's tokens."""
    loss: LossKind = "clipped"
    clip_high: float | None = None
    """``clip`` upwards; the same, unless given."""
    longest: int = 1
    """Most tokens of one reply, which `dr_grpo` divides by."""


@dataclass(slots=True)
class Learner:
    """One policy, its optimiser and what holds it.

    Args:
        reference: it holds the format, and it pulls moves while there is no ``magnet``.
        magnet: pulls moves in its place; nothing does without a reference.
        temperature: that of the sampler, so that log-probs agree with those it wrote.
        microbatch: at most this many distinct rows in one forward pass.
    """

    model: PreTrainedModel
    reference: Frozen | None
    optimizer: torch.optim.Optimizer
    pad_id: int
    temperature: float = 1.0
    microbatch: int = 1024
    gradient_clip: float = 1.0
    magnet: Frozen | None = None

    def update(self, batches: Sequence[Batch], *, learning_rate: float) -> list[dict[str, float]]:
        """One step on all ``batches``; returns of each what is worth a line in the log.

        The gradient of each is clipped alone, as if it were the only one, and only then weighed and
        added to the others: points are large in one game and small in another, and the clipped sum
        would be the gradient of the largest and hardly any of the rest.

        Raises:
            DivergedError: a gradient is not finite.
        """
        stats: list[dict[str, float]] = []
        total: dict[torch.nn.Parameter, Tensor] = {}
        for batch in batches:
            self.optimizer.zero_grad(set_to_none=True)
            found = self.accumulate(batch)
            stats.append(found | {"gradient_norm": self._clip()})
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    part = parameter.grad.mul_(batch.weight)
                    total[parameter] = total[parameter] + part if parameter in total else part
        for parameter, gradient in total.items():
            parameter.grad = gradient
        self._step(learning_rate)
        return stats

    def accumulate(self, batch: Batch) -> dict[str, float]:
        """Add the gradient of a batch's loss to the parameters, in microbatches of rows; of several
        processes each adds that of its share. Returns what is said of all."""
        rows = batch.rows
        sequences = list(dict.fromkeys((row.prompt_ids, row.rest_ids) for row in rows))
        # Like lengths together make less padding, like beginnings fewer nodes.
        sequences.sort(key=lambda sequence: (len(sequence[0]), sequence))
        distinct = {(row.prompt_ids, row.rest_ids): row.turns for row in rows}
        lengths = [sum(row.written) for row in rows]
        totals = _Totals(
            turns=sum(row.turns for row in rows),
            distinct_turns=sum(distinct.values()),
            tokens=sum(lengths),
            mean_length=mean_length(lengths, [row.weight for row in rows]),
        )
        stats: dict[str, float] = {}
        mine = own_share(sequences, _costs(sequences))
        for chunk, counts in self._microbatches(mine, sequences):
            number = {sequence: index for index, sequence in enumerate(chunk)}
            those = [row for row in rows if (row.prompt_ids, row.rest_ids) in number]
            which = torch.tensor([number[row.prompt_ids, row.rest_ids] for row in those])
            part = self._backward(chunk, those, which, batch, counts, of=totals)
            for name, value in part.items():
                stats[name] = stats.get(name, 0.0) + counts * value
        for frozen in (self.reference, self.magnet):
            if frozen is not None:  # its last pass gathered what is in no layer
                let_go(frozen.model)
        return added_up(stats)

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
        weighed = list(zip(traces, weights, strict=True))
        mine = own_share(weighed, (len(trace.prompt_ids + trace.rest_ids) for trace in traces))
        for some, counts in self._microbatches(mine, weighed):
            chunk, times = zip(*some, strict=True)
            rows = [(trace.prompt_ids, trace.rest_ids) for trace in chunk]
            written = [trace.written for trace in chunk]
            device = self.model.device
            ids = pad_right([trace.rest_ids for trace in chunk], 0).to(device)
            mask = pad_right(written, 0).bool().to(device)
            share = counts * torch.tensor(times, device=device) / total
            seen = hidden_states(self.model, rows, pad_id=self.pad_id, wanted=written)
            part = -weighted_sum(measure(seen, ids[..., None]).logprobs[..., 0], mask, share)
            part.backward()
            loss += float(part.detach())
        self._clip()
        self._step(learning_rate)
        return added_up({"loss": loss})["loss"]

    def _clip(self) -> float:
        """Shorten the gradient where it is too long; returns the norm that it had.

        Raises:
            DivergedError: it is not finite. The weights are left as they are.
        """
        self.sum_gradients()
        found = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_clip)
        norm = float(whole(found))
        if not isfinite(norm):
            raise DivergedError(
                f"the gradient's norm is {norm}, so a step would ruin the weights; what was "
                "saved before stands. Use a lower rate (learning.learning_rate, "
                "warm_start.learning_rate) or a slower rise (learning.rise), in a new run; if it "
                "happens at the first step, look for a weight in the model that is not finite."
            )
        return norm

    def _step(self, learning_rate: float) -> None:
        """Move the weights by their gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()

    def _microbatches(
        self, own: Sequence[Item], every: Sequence[Item]
    ) -> Iterator[tuple[Sequence[Item], float]]:
        """This process's share, cut up, and what each part counts: all, but for those that it reads
        to no effect, as it has parts of weights that another one still needs."""
        let_go(self.model)
        starts = range(0, len(own), self.microbatch)
        idle = missed(self.model, len(starts))
        for start in starts:
            yield own[start : start + self.microbatch], 1.0
        for _ in range(idle):
            yield every[:1], 0.0

    def sum_gradients(self) -> None:
        """Give every process the gradients of all; those in parts were summed on the way back."""
        weights = [w for w in self.model.parameters() if w.requires_grad and not is_part(w)]
        if count() == 1 or not weights:
            return
        has = torch.tensor([float(weight.grad is not None) for weight in weights])
        add_up([has])
        felt = [weight for weight, found in zip(weights, has.tolist(), strict=True) if found]
        for weight in felt:
            if weight.grad is None:  # this process had nothing to read that moves it
                weight.grad = torch.zeros_like(weight)
        add_up([weight.grad for weight in felt if weight.grad is not None])

    def _backward(
        self,
        sequences: Sequence[tuple[Ids, Ids]],
        rows: Sequence[Row],
        which: Tensor,
        batch: Batch,
        counts: float,
        *,
        of: _Totals,
    ) -> dict[str, float]:
        """Add the gradient of what these rows contribute to a batch's loss; returns what they
        contribute to what is said of it.

        Args:
            which: ``(rows,)``, the number of each one's sequence.
            counts: times the gradient.
        """
        device, pull = self.model.device, batch.pull
        first = {int(index): row for index, row in reversed(list(zip(which, rows, strict=True)))}
        played = [first[n] for n in range(len(sequences))]
        ids = pad_right([rest for _, rest in sequences], 0).to(device)
        choices = choices_of([row.choices for row in played], ids.shape[1]).to(device)
        found, pulled_to = self._measured(sequences, played, ids, choices, pull)

        which = which.to(device)
        now, told = found.logprobs[which, :, 0], known(rows, like=ids)
        clip_high = pull.clip if pull.clip_high is None else pull.clip_high
        loss = policy_loss(
            pull.loss,
            *(now, told.old_logprobs, told.advantages, told.written, told.weights),
            clip=pull.clip,
            clip_high=clip_high,
            longest=pull.longest,
            mean_length=of.mean_length,
        )
        if any(row.gains for row in rows):
            gains = gains_of(rows, which.tolist(), like=found.logprobs[..., 1:])
            loss = loss - expected_gain(found.logprobs[..., 1:], gains)
        times = torch.bincount(which, minlength=len(sequences)) / of.turns
        loss, stats = _held(loss, found, pulled_to, played, choices, times, pull, of)
        (counts * loss).backward()
        clipped = clipped_tokens(
            pull.loss,
            *(now, told.old_logprobs, told.written),
            clip=pull.clip,
            clip_high=clip_high,
        )
        stats["loss"] = float(loss.detach())
        stats["clipped_share"] = float(clipped.sum()) / of.tokens
        return stats

    def _measured(
        self,
        sequences: Sequence[tuple[Ids, Ids]],
        played: Sequence[Row],
        ids: Tensor,
        choices: Tensor,
        pull: Pull,
    ) -> tuple[Measured, Tensor | None]:
        """What the policy says at each place of the distinct sequences, and the reference where it
        holds: of the token that was written there, and of those that were its choices; and the
        log-probs of these under what pulls moves."""
        asked = torch.cat([ids[..., None], choices.clamp(min=0)], dim=-1)
        said = [row.written for row in played]
        seen = self._read(self.model, sequences, said)
        held = None
        if self.reference is not None and (pull.kl_talk or pull.kl_move):
            with torch.no_grad(), self.reference.speaking() as reference:
                held = self._read(reference, sequences, said)
        found = measure(seen, asked, temperature=self.temperature, spread=True, reference=held)
        if self.magnet is None or not pull.kl_move:
            return found, found.reference_logprobs
        with torch.no_grad():
            with self.magnet.speaking() as magnet:
                pulling = self._read(magnet, sequences, said)
            return found, measure(pulling, asked, temperature=self.temperature).logprobs

    def _read(
        self,
        model: PreTrainedModel,
        sequences: Sequence[tuple[Ids, Ids]],
        wanted: Sequence[Sequence[bool]],
    ) -> HiddenStates:
        return hidden_states(model, sequences, pad_id=self.pad_id, wanted=wanted)


class _Totals(NamedTuple):
    """Of a whole batch, whatever its cut: what averages are taken over."""

    turns: int
    distinct_turns: int
    """Each distinct sequence's once."""
    tokens: int
    mean_length: float
    """Of a row, as `sepo_trainer.learning.loss.mean_length` has it."""


def _held(
    loss: Tensor,
    found: Measured,
    pulled_to: Tensor | None,
    played: Sequence[Row],
    choices: Tensor,
    times: Tensor,
    pull: Pull,
    of: _Totals,
) -> tuple[Tensor, dict[str, float]]:
    """``loss`` less the bonus on entropy, and with what holds the format and what pulls moves; and
    how much there is of each.

    Args:
        pulled_to: log-probs like those of ``found``, under what moves are pulled to.
        times: ``(sequences,)``, each as often as it was played: an average over the replies.
    """
    spoken = column([row.written for row in played], torch.bool, choices)
    moves = column([row.is_move for row in played], torch.bool, choices) & spoken
    assert found.entropy is not None
    spread = weighted_sum(found.entropy, moves, times)
    stats = {"move_entropy": float(spread.detach())}
    if pull.entropy:
        loss = loss - pull.entropy * spread
    if found.kl is not None and found.reference_logprobs is not None and pulled_to is not None:
        # The format is held alike wherever it was spoken, however seldom that was.
        evenly = torch.full_like(times, 1 / of.distinct_turns)
        talk = found.kl - _choice_kl(found.logprobs, found.reference_logprobs, choices)
        kl_talk = weighted_sum(talk, spoken, evenly)
        kl_move = weighted_sum(_choice_kl(found.logprobs, pulled_to, choices), moves, times)
        loss = loss + pull.kl_talk * kl_talk + pull.kl_move * kl_move
        stats |= {"kl_talk": float(kl_talk.detach()), "kl_move": float(kl_move.detach())}
    return loss, stats


def _choice_kl(logprobs: Tensor, others: Tensor, choices: Tensor) -> Tensor:
    """KL over the tokens of the legal moves alone, ``(sequences, longest rest)``.

    Args:
        logprobs, others: of the written token and of ``choices``, ``(..., 1 + most choices)``.
    """
    apart = kl_to_reference(logprobs[..., 1:, None], others[..., 1:, None])
    return torch.where(choices >= 0, apart, 0.0).sum(-1)


def _costs(sequences: Sequence[tuple[Ids, Ids]]) -> Iterator[int]:
    """Tokens to read for each, where neighbours with one prompt share its reading."""
    before: Ids = ()
    for prompt, rest in sequences:
        yield len(rest) + (len(prompt) if prompt != before else 0)
        before = prompt
