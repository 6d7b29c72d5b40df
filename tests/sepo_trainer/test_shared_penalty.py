"""The published fault, shown whole: a penalty shared by the group changes no weight at all."""

import torch

from sepo_trainer.train import train
from tests.sepo_trainer.runs import run_with


def weights_after_training(model, arm):
    run = run_with(
        model, learning={"iterations": 3}, objective={"penalty_credit": arm, "exploitability": 50.0}
    )
    train(run, lambda step: None)
    return run.language.model.state_dict()


def test_a_shared_penalty_of_any_size_trains_the_very_weights_of_no_penalty(warm_model):
    shared = weights_after_training(warm_model("fresh"), "shared")
    without = weights_after_training(warm_model("fresh"), "reward_only")
    credited = weights_after_training(warm_model("fresh"), "credited")
    assert all(torch.equal(shared[name], without[name]) for name in shared)
    assert not all(torch.equal(shared[name], credited[name]) for name in shared)
