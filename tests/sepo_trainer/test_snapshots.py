"""Frozen copies of a policy: which are kept, and that they stay what they were."""

from pathlib import Path

import pytest
import torch

from sepo_trainer.checkpoint import CheckpointError
from sepo_trainer.model import tiny
from sepo_trainer.snapshots import Snapshots


def model(seed=0, *, hidden=32):
    return tiny(hidden=hidden, layers=1, heads=2, run_seed=seed).model


def weights(one) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in one.parameters()])


def learn(one) -> None:
    with torch.no_grad():
        for p in one.parameters():
            p += 1.0


def test_one_is_taken_every_so_often_and_only_the_last_are_kept():
    """Every third of ten iterations: 0, 3, 6 and 9, of which two stay."""
    learner, snapshots, kept = model(), Snapshots(every=3, keep=2), []
    for iteration in range(10):
        snapshots.take(learner, iteration)
        kept.append(list(snapshots.models))
    assert kept[0] == kept[2] == ["snapshot-000000"]
    assert kept[3] == ["snapshot-000000", "snapshot-000003"]
    assert kept[9] == ["snapshot-000006", "snapshot-000009"]


def test_what_the_policy_learns_later_changes_no_snapshot():
    learner, snapshots = model(), Snapshots(every=1, keep=3)
    before = weights(learner)
    snapshots.take(learner, 0)
    learn(learner)
    snapshots.take(learner, 1)
    first, second = snapshots.models.values()
    assert torch.equal(weights(first), before)
    assert torch.equal(weights(second), before + 1)
    assert not any(p.requires_grad for p in first.parameters())


def test_they_come_back_from_a_checkpoint_as_they_were():
    learner, snapshots = model(), Snapshots(every=1, keep=3)
    for iteration in range(2):
        snapshots.take(learner, iteration)
        learn(learner)
    back = Snapshots(every=1, keep=3)
    tensors = snapshots.tensors() | {"model": dict(learner.named_parameters())}
    back.restore(tensors, like=model(1), source=Path("run"))
    assert list(back.models) == ["snapshot-000000", "snapshot-000001"]
    for name, one in back.models.items():
        assert torch.equal(weights(one), weights(snapshots.models[name]))


def test_those_of_another_model_are_refused():
    snapshots = Snapshots(every=1, keep=1)
    snapshots.take(model(), 0)
    with pytest.raises(CheckpointError, match="is of another model"):
        snapshots.restore(snapshots.tensors(), like=model(hidden=64), source=Path("run"))
