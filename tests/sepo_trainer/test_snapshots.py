"""Frozen copies of a policy: which are kept, and that they stay what they were."""

from pathlib import Path

import pytest
import torch

from sepo_trainer.checkpoint import CheckpointError
from sepo_trainer.courses.snapshots import Snapshots
from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.weights import AllWeights


def model(seed=0, *, hidden=32):
    return tiny(hidden=hidden, layers=1, heads=2, run_seed=seed).model


def policy(seed=0, *, hidden=32):
    return AllWeights(model(seed, hidden=hidden))


def weights(one) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in one.parameters()])


def learn(one) -> None:
    with torch.no_grad():
        for p in one.parameters():
            p += 1.0


def test_one_is_taken_every_so_often_and_only_the_last_are_kept():
    """Every third of ten iterations: 0, 3, 6 and 9, of which two stay."""
    learner, snapshots, kept = policy(), Snapshots(every=3, keep=2), []
    for iteration in range(10):
        snapshots.take(learner, iteration)
        kept.append(list(snapshots.kept))
    assert kept[0] == kept[2] == ["snapshot-000000"]
    assert kept[3] == ["snapshot-000000", "snapshot-000003"]
    assert kept[9] == ["snapshot-000006", "snapshot-000009"]


def test_what_the_policy_learns_later_changes_no_snapshot():
    learner, snapshots = policy(), Snapshots(every=1, keep=3)
    before = weights(learner.model)
    snapshots.take(learner, 0)
    learn(learner.model)
    snapshots.take(learner, 1)
    first, second = (snapshot.model for snapshot in snapshots.kept.values())
    assert torch.equal(weights(first), before)
    assert torch.equal(weights(second), before + 1)
    assert not any(p.requires_grad for p in first.parameters())


def test_they_come_back_from_a_checkpoint_as_they_were():
    learner, snapshots = policy(), Snapshots(every=1, keep=3)
    for iteration in range(2):
        snapshots.take(learner, iteration)
        learn(learner.model)
    back = Snapshots(every=1, keep=3)
    back.restore(snapshots.tensors() | learner.tensors(), policy=policy(1), source=Path("run"))
    assert list(back.kept) == ["snapshot-000000", "snapshot-000001"]
    for name, one in back.kept.items():
        assert torch.equal(weights(one.model), weights(snapshots.kept[name].model))


def test_those_of_another_model_are_refused():
    snapshots = Snapshots(every=1, keep=1)
    snapshots.take(policy(), 0)
    with pytest.raises(CheckpointError, match="is of another model"):
        snapshots.restore(snapshots.tensors(), policy=policy(hidden=64), source=Path("run"))
