"""TRL's GRPOTrainer on the same batch: its own loss code, held against ours in value and gradient.

The batch has what tells losses apart: rows of unequal length, tokens in their midst that the policy
did not write, and ratios past the clip on both sides with advantages of both signs.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import NamedTuple

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from sepo_trainer.learning.learner import Batch, Learner, Pull
from sepo_trainer.learning.loss import clipped_tokens, mean_length, policy_loss
from sepo_trainer.policy.model import tiny
from sepo_trainer.records import Row

LONGEST, CLIP, CLIP_HIGH = 16, 0.2, 0.28
KINDS = ("dr_grpo", "dapo", "gspo", "cispo")
THEIRS = {
    "dr_grpo": {"loss_type": "dr_grpo"},
    "dapo": {"loss_type": "dapo"},
    # As its own page on the paper has it: the mean over rows of the mean over tokens.
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
    "cispo": {"loss_type": "cispo", "epsilon_high": 1 + CLIP_HIGH},
}


class Written(NamedTuple):
    """Rows that a policy wrote, some of whose tokens it was told; ``(rows, tokens)`` all."""

    ids: Tensor
    real: Tensor
    """False on padding."""
    mask: Tensor
    """True where the policy wrote."""
    old: Tensor
    advantages: Tensor
    """``(rows,)``, TRL's."""

    @property
    def weights(self) -> Tensor:
        return torch.full((len(self.ids),), 1 / len(self.ids), dtype=torch.float64)

    @property
    def mean_length(self) -> float:
        return mean_length(self.mask.sum(1).tolist(), self.weights.tolist())


def written(seed: int, now: Tensor | None = None) -> tuple[Written, Tensor]:
    """A batch, and its log-probs now: ``now``, or made up as well."""
    lengths = torch.tensor([3, 9, 5, 9, 1, 7])
    some = torch.Generator().manual_seed(seed)
    shape = (len(lengths), int(lengths.max()))
    ids = torch.randint(5, 60, shape, generator=torch.Generator().manual_seed(0))
    real = torch.arange(shape[1]) < lengths[:, None]
    told = (torch.arange(shape[1]) % 4 == 2) & (lengths[:, None] > 4)
    if now is None:
        now = -2 + torch.randn(shape, dtype=torch.float64, generator=some) / 2
    moved = 0.4 * torch.randn(shape, dtype=now.dtype, generator=some)
    moved += torch.tensor([0.5, -0.5, 0.02, 0.6, -0.6, 0.0])[:, None]  # a row's mean, past the clip
    advantages = torch.tensor([1.0, -2.0, 0.5, -0.5, 3.0, -1.0], dtype=now.dtype)
    return Written(ids, real, real & ~told, now.detach() - moved, advantages), now


@cache
def trainer(kind: str, folder: str) -> GRPOTrainer:
    """TRL's, on a tiny model in double precision."""
    language = tiny(hidden=16, layers=1, heads=2, run_seed=0)
    args = GRPOConfig(
        output_dir=folder,
        **{"epsilon_high": CLIP_HIGH, **THEIRS[kind]},
        epsilon=CLIP,
        max_completion_length=LONGEST,
        num_generations=2,
        per_device_train_batch_size=2,
        activation_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
    )
    made = GRPOTrainer(
        language.model.double(),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=args,
        train_dataset=Dataset.from_dict({"prompt": ["?"] * 2}),
        processing_class=language.tokenizer,
    )
    made.model.train()
    made.current_gradient_accumulation_steps = 1
    return made


def their_loss(theirs: GRPOTrainer, batch: Written, prompt: Tensor) -> Tensor:
    inputs = {
        "prompt_ids": prompt,
        "prompt_mask": torch.ones_like(prompt),
        "completion_ids": batch.ids,
        "completion_mask": batch.real.long(),
        "tool_mask": (batch.mask | ~batch.real).long(),
        "old_per_token_logps": batch.old,
        "advantages": batch.advantages,
        "num_items_in_batch": batch.mask.sum(),
    }
    return theirs.compute_loss(theirs.model, inputs)


@pytest.fixture
def theirs(request, tmp_path_factory):
    return trainer(request.param, str(tmp_path_factory.mktemp("trl")))


def each_kind(test):
    return pytest.mark.parametrize(
        ("kind", "theirs"), [(kind, kind) for kind in KINDS], ids=KINDS, indirect=["theirs"]
    )(test)


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_loss_and_slope_at_each_log_prob_are_trls(kind, theirs, seed, monkeypatch):
    batch, now = written(seed)
    rows = now, batch.old, batch.advantages[:, None].expand_as(now), batch.mask, batch.weights

    ratio = (now - batch.old).exp()
    up, down = ratio > 1 + CLIP_HIGH, ratio < 1 - CLIP
    assert (up & batch.mask).any()
    assert (down & batch.mask).any()
    out = clipped_tokens(kind, now, batch.old, batch.mask, clip=CLIP, clip_high=CLIP_HIGH)
    assert out.any()
    assert (batch.mask & ~out).any()

    leaf = now.clone().requires_grad_()
    monkeypatch.setattr(
        theirs, "_get_per_token_logps_and_entropies", lambda *_, **__: (leaf, 0 * now, None)
    )
    expected = their_loss(theirs, batch, torch.full((len(now), 1), 5))
    (slope,) = torch.autograd.grad(expected, leaf)

    mine = now.clone().requires_grad_()
    loss = policy_loss(
        kind,
        mine,
        *rows[1:],
        clip=CLIP,
        clip_high=CLIP_HIGH,
        longest=LONGEST,
        mean_length=batch.mean_length,
    )
    (found,) = torch.autograd.grad(loss, mine)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    torch.testing.assert_close(found, slope, rtol=0, atol=1e-9)
    assert slope.abs().max() > 1e-3
    assert not slope[~batch.mask].any()


@each_kind
def test_the_whole_update_has_trls_loss_and_gradient_of_the_weights(kind, theirs):
    """Through the model, by TRL's own reading of log-probs and by our learner's of rows."""
    model, prompt = theirs.model, (5, 6, 7)
    batch, _ = written(0)
    ids = torch.cat([torch.tensor(prompt).expand(len(batch.ids), -1), batch.ids], dim=1)
    with torch.no_grad():
        logits = model(ids).logits[:, len(prompt) - 1 : -1]
        now = logits.log_softmax(-1).gather(-1, batch.ids[..., None])[..., 0]
    batch, _ = written(0, now)

    model.zero_grad(set_to_none=True)
    expected = their_loss(theirs, batch, ids[:, : len(prompt)])
    expected.backward()
    slope = [weight.grad.clone() for weight in model.parameters()]

    rows = [
        Row(
            prompt,
            tuple(batch.ids[n, : batch.real[n].sum()].tolist()),
            tuple(batch.mask[n, : batch.real[n].sum()].tolist()),
            (False,) * int(batch.real[n].sum()),
            ((),) * int(batch.real[n].sum()),
            tuple(batch.old[n, : batch.real[n].sum()].tolist()),
            (float(batch.advantages[n]),) * int(batch.real[n].sum()),
            float(batch.weights[n]),
            1,
        )
        for n in range(len(batch.ids))
    ]
    pull = Pull(CLIP, 0.0, 0.0, 0.0, loss=kind, clip_high=CLIP_HIGH, longest=LONGEST)
    learner = Learner(model, None, torch.optim.SGD(model.parameters()), pad_id=0)
    for microbatch in (1, 2, len(rows)):
        model.zero_grad(set_to_none=True)
        learner.microbatch = microbatch
        stats = learner.accumulate(Batch(Random(microbatch).sample(rows, len(rows)), pull))
        assert stats["loss"] == pytest.approx(expected.item(), abs=1e-6)
        for weight, theirs_at in zip(model.parameters(), slope, strict=True):
            torch.testing.assert_close(weight.grad, theirs_at, rtol=0, atol=1e-6)
    assert max(float(part.abs().max()) for part in slope) > 1e-2
