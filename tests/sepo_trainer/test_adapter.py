"""Adapters: where they go, what they add, who learns, and what others load of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from sepo_trainer.policy import adapter
from sepo_trainer.policy.forward import forget_in_between, hidden_states
from tests.sepo_trainer.adapted import IDS, built, logits, stacked, teach
from tests.sepo_trainer.real_models import FAMILIES, qwen35_with_eyes

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)
"""PEFT asks transformers by the old name."""

ATTENTION = {f"self_attn.{part}_proj" for part in "qkvo"}
MLP = {f"mlp.{part}_proj" for part in ("gate", "up", "down")}
LINEAR = {
    f"linear_attn.{part}"
    for part in ("in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj")
}
SHARING = {"self_attn.q_proj", "self_attn.o_proj"}
"""A layer of Gemma 4 that takes an earlier one's keys and values."""


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_and_mlp_of_every_layer_get_adapters_and_nothing_else(family):
    """So no head, no embedding, and none of Gemma's maps of embeddings per layer."""
    model = built(family)
    config = model.config
    sharing = config.num_hidden_layers - getattr(config, "num_kv_shared_layers", 0)
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    expected = {
        f"model.layers.{number}.{part}"
        for number, kind in enumerate(kinds)
        for part in MLP
        | (LINEAR if kind == "linear_attention" else SHARING if number >= sharing else ATTENTION)
    }
    assert set(adapter.targets(model)) == expected
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)
    assert {name for name, _ in adapter.layers(model)} == expected
    assert set(adapter.targets(model)) == expected  # a second adapter goes to the same places


def test_routers_of_experts_are_left_alone():
    model = built("llama")
    model.model.layers[0].mlp.gate = nn.Linear(32, 4)
    assert "model.layers.0.mlp.gate" not in adapter.targets(model)
    assert len(adapter.targets(model)) == 14


def test_towers_for_pictures_are_left_alone():
    """Qwen 3.5 as it is published: its tower has attention and MLP too."""
    model = qwen35_with_eyes()
    places = adapter.targets(model)
    assert {name.split(".layers.")[0] for name in places} == {"model.language_model"}
    assert len(places) == len(adapter.targets(built("qwen3.5")))


def test_a_model_without_such_layers_is_refused():
    model = built("llama")
    model.model.layers = nn.ModuleList()
    with pytest.raises(ValueError, match=r"LlamaForCausalLM has no linear layer.*adapter\.kind"):
        adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_adds_nothing_before_it_has_learned_to_the_last_bit(family):
    model = built(family)
    plain = logits(model)
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)
    adapter.speak(model, "warm")
    assert adapter.adds_nothing(model, "warm")
    assert torch.equal(logits(model), plain)
    teach(model, "warm")
    assert not adapter.adds_nothing(model, "warm")
    assert float((logits(model) - plain).abs().max()) > 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_what_two_adapters_add_is_w_plus_scaling_times_b_a(family):
    """Written out in double precision, in a model without adapters."""
    model = stacked(family)
    plain = built(family, torch.float64)
    with torch.no_grad():
        for name, scaling in (("warm", 8 / 4), ("policy", 8 / 2)):
            found = adapter.tensors(model, name)
            for place in adapter.targets(model):
                a, b = (found[f"{place}.lora_{part}"] for part in "AB")
                plain.get_submodule(place).weight += scaling * (b @ a)
    torch.testing.assert_close(logits(model), logits(plain), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_two_as_one_speak_alike_in_the_hands_of_peft(family, tmp_path):
    """vLLM reads the same folder: a single adapter, whose rank is the sum, and scaling 1."""
    model = stacked(family)
    adapter.save_adapter(model, tmp_path, base="models/base")
    loaded = PeftModel.from_pretrained(built(family), str(tmp_path)).double()
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=1e-5)
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["bias"]) == (6, 6, "none")
    assert settings["base_model_name_or_path"] == "models/base"
    names = {place.rpartition(".")[2] for place in adapter.targets(model)}
    assert settings["target_modules"] == sorted(names)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert {weight.dtype for weight in saved.values()} == {torch.float32}
    assert {w.shape[0] if "lora_A" in name else w.shape[1] for name, w in saved.items()} == {6}


def test_the_same_adapters_write_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        adapter.save_adapter(stacked(), tmp_path / name, base="base")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_what_is_written_is_what_the_model_speaks_with_or_what_is_named(tmp_path):
    model = stacked()
    with adapter.speaking(model, "warm"):
        adapter.save_adapter(model, tmp_path / "spoken", base="base")
        warm = logits(model)
    adapter.save_adapter(model, tmp_path / "named", "warm", base="base")
    for folder in ("spoken", "named"):
        loaded = PeftModel.from_pretrained(built("qwen3"), str(tmp_path / folder)).double()
        torch.testing.assert_close(logits(loaded), warm, rtol=0, atol=1e-5)


def test_inside_it_speaks_with_others_and_afterwards_as_before():
    model = stacked()
    adapter.learn(model, "policy")
    both, plain = logits(model), logits(built("qwen3", torch.float64))
    with adapter.speaking(model):
        assert torch.equal(logits(model), plain)
        with adapter.speaking(model, "warm"):
            alone = logits(model)
        assert torch.equal(logits(model), plain)
    assert not torch.allclose(alone, both, atol=1e-3)
    assert torch.equal(logits(model), both)
    with pytest.raises(KeyError), adapter.speaking(model, "warm"):
        raise KeyError
    assert torch.equal(logits(model), both)
    assert (adapter.speaks_with(model), adapter.learning(model)) == (
        ("warm", "policy"),
        ("policy",),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_flow_into_the_one_that_learns_alone(family):
    model = stacked(family)
    adapter.learn(model, "policy")
    model(IDS, use_cache=False).logits.square().sum().backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, _ in model.named_parameters() if ".policy." in name}
    assert all(p.grad.any() for p in adapter.tensors(model, "policy").values())


def test_to_speak_otherwise_between_the_forward_and_the_backward_pass_changes_no_gradient():
    """As the reference does, whose log-probs are read in between."""

    def gradients(interrupted: bool):
        model = stacked()
        adapter.learn(model, "policy")
        loss = model(IDS, use_cache=False).logits.square().sum()
        if interrupted:
            with torch.no_grad(), adapter.speaking(model, "warm"):
                model(IDS, use_cache=False)
        loss.backward()
        return [p.grad for p in adapter.tensors(model, "policy").values()]

    assert all(map(torch.equal, gradients(True), gradients(False)))


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_checkpointing_over_frozen_weights_gives_the_same_gradients(family):
    """It works layers out again from inputs that need no gradient themselves."""
    rows = [((5, 6, 7), (8, 9)), ((5, 6, 7), (8, 10))]

    def gradients(forgetting: bool):
        model, read = stacked(family), []
        adapter.learn(model, "policy")
        if forgetting:
            forget_in_between(model)
        states = hidden_states(model, rows, pad_id=0).states
        first = model.model.layers[0].input_layernorm
        first.register_forward_hook(lambda *_: read.append(1))
        states.sin().sum().backward()
        assert bool(read) == forgetting
        return torch.cat([p.grad.flatten() for p in adapter.tensors(model, "policy").values()])

    plain = gradients(False)
    assert float((gradients(True) - plain).norm() / plain.norm()) < 1e-6


def test_a_new_adapter_leaves_what_speaks_and_learns_as_it_is():
    model = stacked()
    adapter.learn(model, "policy")
    before = logits(model)
    adapter.attach(model, "reference", rank=2, alpha=6, weights_seed=0)
    assert torch.equal(logits(model), before)
    assert adapter.learning(model) == ("policy",)
    assert adapter.attached(model) == ("warm", "policy", "reference")
    adapter.detach(model, "reference")
    assert torch.equal(logits(model), before)
    assert adapter.learning(model) == ("policy",)
    assert adapter.attached(model) == ("warm", "policy")


def test_the_seed_draws_an_adapter_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    drawn = []
    for seed in (0, 0, 1):
        model = built("qwen3")
        adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=seed)
        drawn.append(next(iter(adapter.tensors(model, "warm").values())).detach())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_over_weights_in_bf16_adapters_are_in_fp32():
    model = built("qwen3").bfloat16()
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)
    assert {p.dtype for p in adapter.tensors(model, "warm").values()} == {torch.float32}
    adapter.speak(model, "warm")
    assert logits(model).dtype == torch.bfloat16


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_for_good_it_speaks_alike_and_with_one_adapter_less(family):
    """But for the rounding to fp32, which the double-precision model of this test then shows."""
    model = stacked(family)
    both = logits(model)
    adapter.merge(model, "warm")
    assert adapter.attached(model) == ("policy",)
    apart = logits(model) - both
    assert float(apart.abs().max()) < 1e-3 * float(both.abs().max())
    adapter.merge(model, "policy")
    assert [type(part) for part in model.modules()] == [
        type(part) for part in built(family).modules()
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merging_is_done_in_fp32_and_rounded_once(dtype):
    """Against the sum in double precision, rounded at the end: but for ties the nearest number."""
    model = built("qwen3", dtype)
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)
    teach(model, "warm")
    place = adapter.targets(model)[0]
    a, b = (adapter.tensors(model, "warm")[f"{place}.lora_{part}"].double() for part in "AB")
    before = dict(adapter.layers(model))[place].base_layer.weight.double()
    exact = before + 2 * (b @ a)
    adapter.merge(model, "warm")
    after = model.get_submodule(place).weight
    assert after.dtype == dtype
    if dtype == torch.bfloat16:
        assert float((after != exact.to(dtype)).double().mean()) < 0.001
    else:
        torch.testing.assert_close(after.double(), exact, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_weights_by_their_plain_names_are_a_model_without_adapters(family):
    model = stacked(family)
    plain = built(family)
    untouched = {name: weight.clone() for name, weight in plain.state_dict().items()}
    found = {name: weight.clone() for name, weight in adapter.plain_weights(model).items()}
    assert found.keys() == untouched.keys()
    assert all(torch.equal(found[name], weight.double()) for name, weight in untouched.items())
    merged = adapter.plain_weights(model, "warm", "policy")
    for name in ("warm", "policy"):
        adapter.merge(model, name)
    again = model.state_dict()
    assert merged.keys() == again.keys()
    for name, weight in merged.items():
        torch.testing.assert_close(weight, again[name], rtol=1e-6, atol=1e-7)
    assert sum(not torch.equal(merged[name], found[name]) for name in found) == len(
        adapter.targets(model)
    )


def peft_folder(tmp_path: Path, **settings) -> Path:
    """An adapter that PEFT itself made and saved."""
    theirs = get_peft_model(built("qwen3"), LoraConfig(task_type="CAUSAL_LM", **settings))
    draw = torch.Generator().manual_seed(0)
    for name, weight in theirs.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(weight, std=0.3, generator=draw)
    theirs.save_pretrained(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
        {"r": 4, "target_modules": "all-linear", "use_rslora": True},
        {
            **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]},
            **{"rank_pattern": {"down_proj": 2}, "alpha_pattern": {"q_proj": 2}},
        },
    ],
    ids=["two kinds of layers", "rank-stabilised on all", "ranks by layer"],
)
def test_an_adapter_that_peft_saved_is_loaded_and_joined_with_one_on_all_layers(tmp_path, settings):
    folder = peft_folder(tmp_path / "theirs", lora_dropout=0.5, **settings)
    model = built("qwen3")
    adapter.attach_saved(model, "warm", folder)
    adapter.speak(model, "warm")
    theirs = PeftModel.from_pretrained(built("qwen3"), str(folder)).double()
    model.double()
    torch.testing.assert_close(logits(model), logits(theirs), rtol=0, atol=1e-5)
    model.train()  # and no dropout is left in it
    torch.testing.assert_close(logits(model), logits(theirs), rtol=0, atol=1e-5)
    adapter.attach(model, "policy", rank=2, alpha=8, weights_seed=2)
    teach(model, "policy")
    adapter.speak(model.double(), "warm", "policy")
    adapter.save_adapter(model, tmp_path / "both", base="base")
    loaded = PeftModel.from_pretrained(built("qwen3"), str(tmp_path / "both")).double()
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"use_dora": True, "target_modules": ["q_proj"]}, "no plain LoRA: it has use_dora"),
        (
            {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
            "no plain LoRA: it has modules_to_save",
        ),
        ({"target_modules": ["per_layer"], "r": 4}, "is for 'model.per_layer'"),
    ],
)
def test_an_adapter_that_is_more_than_that_is_refused_with_a_way_out(tmp_path, settings, said):
    base = built("qwen3")
    if "per_layer" in settings["target_modules"]:
        base.model.per_layer = nn.Linear(32, 32)
    get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings)).save_pretrained(
        str(tmp_path)
    )
    with pytest.raises(ValueError, match=f"{said}.*with PEFT's merge_and_unload"):
        adapter.attach_saved(built("qwen3"), "warm", tmp_path)


@pytest.mark.parametrize("how", ["no weights", "cut short", "a tensor lost", "another rank"])
def test_a_damaged_adapter_is_refused(tmp_path, how):
    folder = peft_folder(tmp_path, r=4, target_modules=["q_proj", "v_proj"])
    weights = folder / "adapter_model.safetensors"
    match how:
        case "no weights":
            weights.unlink()
        case "cut short":
            weights.write_bytes(weights.read_bytes()[:-9])
        case "a tensor lost":
            found = load_file(weights)
            save_file(dict(list(found.items())[1:]), weights)
        case "another rank":
            settings = json.loads((folder / "adapter_config.json").read_text())
            (folder / "adapter_config.json").write_text(json.dumps(settings | {"r": 2}))
    with pytest.raises(ValueError, match=r"cannot be loaded|is damaged: .* does not fit"):
        adapter.attach_saved(built("qwen3"), "warm", folder)
