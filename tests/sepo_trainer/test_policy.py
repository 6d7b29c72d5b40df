"""Which weights of a policy learn, and copies of it that never do: all of them, or adapters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sepo_trainer.checkpoint import CheckpointError
from sepo_trainer.learning.learner import Batch, Learner, Pull
from sepo_trainer.policy import adapter
from sepo_trainer.policy.forward import forget_in_between
from sepo_trainer.policy.weights import Adapted, AllWeights
from sepo_trainer.records import Request, Row
from tests.sepo_trainer.adapted import built, logits, teach
from tests.sepo_trainer.real_models import FAMILIES
from tests.sepo_trainer.runs import rows_played, run_with

EVERYTHING = Pull(clip=0.2, kl_talk=1.0, kl_move=0.5, entropy=0.1)


def adapted(*, merged=False, warm=True, dtype=torch.float32, **settings) -> Adapted:
    """A policy whose warm start is over, and has taught it something, or not."""
    policy = Adapted(built("qwen3").to(dtype), 2, 6, 0, merged=merged, **settings)
    policy.begin_warm_start((4, 8))
    if warm:
        teach(policy.model, "warm")
    policy.begin_learning()
    return policy


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def changed(before, after) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def step(policy) -> None:
    """Plain descent on something."""
    optimizer = torch.optim.SGD(policy.learning().values(), lr=1.0)
    policy.model(torch.arange(5, 17)[None]).logits.square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("merged", [False, True])
def test_the_policy_begins_as_the_warm_start_left_it_and_only_its_own_adapter_moves(merged):
    policy = Adapted(built("qwen3"), 2, 6, 0, merged=merged)
    policy.begin_warm_start((4, 8))
    assert policy.learning().keys() == adapter.tensors(policy.model, "warm").keys()
    teach(policy.model, "warm")
    warm = logits(policy.model)
    policy.begin_learning()
    torch.testing.assert_close(logits(policy.model), warm, rtol=0, atol=1e-5 if merged else 0)
    assert adapter.attached(policy.model) == (("policy",) if merged else ("warm", "policy"))
    before = weights(policy.model)
    step(policy)
    moved = changed(before, weights(policy.model))
    assert moved
    assert all(".policy." in name for name in moved)


def test_a_warm_start_that_taught_nothing_leaves_no_adapter_behind():
    policy = adapted(warm=False)
    assert adapter.attached(policy.model) == ("policy",)
    assert torch.equal(logits(policy.model), logits(built("qwen3")))


def test_the_last_gradient_of_the_warm_start_is_not_among_those_of_the_policy():
    policy = Adapted(built("qwen3"), 2, 6, 0)
    policy.begin_warm_start((4, 8))
    step(policy)
    policy.begin_learning()
    assert all(weight.grad is None for weight in policy.model.parameters())


def test_what_the_policy_began_with_is_at_hand_without_a_copy():
    policy = adapted()
    size = sum(weight.numel() for weight in policy.model.parameters())
    warm = logits(policy.model)
    reference = policy.freeze("reference")
    assert reference.tensors() == {}
    assert sum(weight.numel() for weight in policy.model.parameters()) == size
    step(policy)
    assert not torch.allclose(logits(policy.model), warm, atol=1e-4)
    with reference.speaking() as model:
        assert torch.equal(logits(model), warm)


@pytest.mark.parametrize("merged", [False, True])
def test_a_later_copy_is_a_copy_of_the_adapter_and_stays_what_it_was(merged):
    policy = adapted(merged=merged)
    step(policy)
    then = logits(policy.model)
    size = sum(weight.numel() for weight in policy.model.parameters())
    frozen = policy.freeze("snapshot-000003")
    assert sum(w.numel() for w in frozen.tensors().values()) == sum(
        w.numel() for w in policy.learning().values()
    )
    copied = sum(weight.numel() for weight in frozen.tensors().values())
    assert sum(weight.numel() for weight in policy.model.parameters()) == size + copied
    assert torch.equal(logits(policy.model), then)
    step(policy)
    now = logits(policy.model)
    assert not torch.allclose(now, then, atol=1e-4)
    with frozen.speaking() as model:
        assert torch.equal(logits(model), then)
    assert torch.equal(logits(policy.model), now)
    assert policy.learning().keys() == adapter.tensors(policy.model, "policy").keys()
    policy.forget("snapshot-000003")
    assert torch.equal(logits(policy.model), now)
    assert sum(weight.numel() for weight in policy.model.parameters()) == size


def test_a_copy_under_the_same_name_takes_the_place_of_the_earlier_one():
    policy = adapted()
    for _ in range(2):
        step(policy)
        then = logits(policy.model)
        reference = policy.freeze("reference")
    assert adapter.attached(policy.model) == ("warm", "policy", "reference")
    step(policy)
    with reference.speaking() as model:
        assert torch.equal(logits(model), then)


@pytest.mark.parametrize("merged", [False, True])
def test_what_has_learned_comes_back_on_the_same_weights(merged):
    policy = adapted(merged=merged)
    started = policy.freeze("snapshot-000000")
    step(policy)
    frozen = policy.freeze("reference")
    step(policy)
    saved = {
        file: {key: weight.detach().clone() for key, weight in found.items()}
        for file, found in policy.tensors().items()
    }
    assert saved.keys() == {"model", "warm"}

    again = Adapted(built("qwen3"), 2, 6, 0, merged=merged)
    again.begin_warm_start((4, 8))
    again.restore(saved, source=Path("run"))
    back = again.restore_frozen("reference", frozen.tensors(), source=Path("run"))
    start = again.restore_frozen("snapshot-000000", started.tensors(), source=Path("run"))
    assert torch.equal(logits(again.model), logits(policy.model))
    for one, other in ((back, frozen), (start, started)):
        with one.speaking() as mine, other.speaking() as theirs:
            assert torch.equal(logits(mine), logits(theirs))
    assert again.learning().keys() == policy.learning().keys()


@pytest.mark.parametrize("own", [{"rank": 3}, {"warm": (3, 8)}])
def test_adapters_of_another_shape_are_refused(own):
    saved = adapted().tensors()
    other = Adapted(built("qwen3"), own.get("rank", 2), 6, 0)
    other.begin_warm_start(own.get("warm", (4, 8)))
    with pytest.raises(CheckpointError, match=r"is of another model.*adapter settings"):
        other.restore(saved, source=Path("run"))


def test_in_half_precision_trainer_and_sampler_share_the_merged_weights_as_rounded():
    """What is merged once is what every later reading meets: nothing is rounded twice."""
    policy = adapted(merged=True, dtype=torch.bfloat16)
    place = adapter.targets(policy.model)[0]
    merged = dict(adapter.layers(policy.model))[place].base_layer.weight.clone()
    step(policy)
    assert merged.dtype == torch.bfloat16
    assert torch.equal(dict(adapter.layers(policy.model))[place].base_layer.weight, merged)
    assert {weight.dtype for weight in policy.learning().values()} == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_in_its_policys_adapter_alone_and_starts_at_its_reference(family):
    """Trees of tokens or plain rows, sliding windows or linear attention."""
    policy = Adapted(built(family), 2, 8, 0)
    policy.begin_warm_start((4, 8))
    teach(policy.model, "warm")
    policy.begin_learning()
    learner = Learner(
        policy.model,
        policy.freeze("reference"),
        torch.optim.SGD(policy.learning().values(), lr=1.0),
        pad_id=0,
    )
    rows = [
        Row(
            (5, 6, 7), (8, 9), (True,) * 2, (False, True), ((), (9, 10)), (-7.0,) * 2, gains, 0.5, 1
        )
        for gains in ((1.0, 1.0), (0.5, -1.0))
    ]
    stats = learner.accumulate(Batch(rows, EVERYTHING))
    assert (stats["kl_talk"], stats["kl_move"]) == (0.0, 0.0)
    moved = {name for name, p in policy.model.named_parameters() if p.grad is not None}
    assert moved == {name for name, _ in policy.model.named_parameters() if ".policy." in name}
    ups = [p.grad for key, p in policy.learning().items() if key.endswith("B")]
    assert all(grad.any() for grad in ups)  # A moves once B has
    with torch.no_grad():
        for weight in policy.learning().values():
            weight -= weight.grad
    assert learner.accumulate(Batch(rows, EVERYTHING))["kl_talk"] > 0


LORA = {
    "adapter": {"kind": "lora", "rank": 4, "alpha": 8},
    "rollout": {"max_new_tokens": 16},
}


@pytest.fixture
def played(warm_model):
    """A run with adapters on a model that speaks, and rows that it has played."""
    run = run_with(warm_model("fresh"), **LORA)
    return run, rows_played(run)[1]


def test_before_the_first_step_the_policy_is_its_reference_exactly(played):
    """And the tokens have the log-probs that they were sampled with."""
    run, rows = played
    stats = run.learner.accumulate(Batch(rows, EVERYTHING))
    assert (stats["kl_talk"], stats["kl_move"]) == (0.0, 0.0)
    assert stats["clipped_share"] == 0.0


def test_the_reference_stays_the_warm_start_while_the_policy_learns(played):
    """Table, sampler and learner hold one model, and all meet the policy as it learns."""
    run, rows = played
    before = run.course.table()
    base = {n: w for n, w in weights(run.language.model).items() if ".policy." not in n}
    for _ in range(3):
        run.learner.update([Batch(rows, EVERYTHING)], learning_rate=1e-2)
    [stats] = run.learner.update([Batch(rows, EVERYTHING)], learning_rate=1e-2)
    assert stats["kl_talk"] > 1e-4
    after = weights(run.language.model)
    assert changed(base, {name: after[name] for name in base}) == set()
    assert run.course.table().rows != before.rows
    with run.learner.reference.speaking() as model:
        read = run.course.reader.read(model, pad_id=run.renderer.pad_id)
    assert read.rows == before.rows


@pytest.mark.parametrize("forgetful", [False, True])
def test_the_gradient_is_that_of_a_reference_with_weights_of_its_own(played, forgetful):
    """A second implementation: a whole model as it was, which nothing switches. Layers that are
    worked out again on the way back are so after the reference has spoken."""
    run, rows = played
    if forgetful:
        forget_in_between(run.language.model)
    run.learner.update([Batch(rows, EVERYTHING)], learning_rate=1e-2)

    def gradient() -> list[torch.Tensor]:
        run.learner.optimizer.zero_grad(set_to_none=True)
        run.learner.accumulate(Batch(rows, EVERYTHING))
        return [weight.grad.clone() for weight in run.policy.learning().values()]

    switched = gradient()
    with run.learner.reference.speaking() as model:
        whole = AllWeights(model).freeze("reference")
    run.learner.reference = whole
    assert any(bool(part.any()) for part in switched)
    for one, other in zip(switched, gradient(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_only_adapters_are_optimised_and_saved(played):
    run, rows = played
    run.learner.update([Batch(rows, EVERYTHING)], learning_rate=1e-2)
    run.renew_magnet()
    own = adapter.tensors(run.language.model, "policy")
    saved = run.checkpoint().tensors
    assert saved["model"].keys() == saved["magnet"].keys() == own.keys()
    moments = [name for name in saved["optimizer"] if name.endswith("exp_avg")]
    assert len(moments) == len(own)
    total = sum(weight.numel() for found in saved.values() for weight in found.values())
    whole = sum(weight.numel() for weight in run.language.model.parameters())
    assert total < whole / 2


def test_snapshots_are_adapters_in_the_same_model_and_write_with_their_own(warm_model):
    """Their replies are those of a whole model that was put aside at the same time."""
    run = run_with(
        warm_model("fresh"), **LORA, selfplay={"kind": "snapshots", "every": 1, "keep": 2}
    )
    rows, asides = rows_played(run)[1], []
    for iteration in range(2):
        run.iteration = iteration
        run.begin_iteration()
        asides.append(AllWeights(run.language.model).freeze("aside").model)
        run.learner.update([Batch(rows, EVERYTHING)], learning_rate=3e-2)
    run.publish()
    selves = run.course.selves()
    assert list(selves) == ["snapshot-000000", "snapshot-000001"]
    prompts = list(dict.fromkeys(row.prompt_ids for row in rows))[:8]
    requests = [Request(prompt, seed) for seed, prompt in enumerate(prompts)]
    for opponent, aside in zip(selves.values(), asides, strict=True):
        apart = run.course.sampler.with_weights_of(aside)
        assert opponent.sampler.generate(requests) == apart.generate(requests)
    mine = run.course.sampler.generate(requests)
    assert mine != selves["snapshot-000000"].sampler.generate(requests)
    assert mine == run.course.sampler.generate(requests)
