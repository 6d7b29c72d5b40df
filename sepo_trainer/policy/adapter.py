"""Low-rank adapters in a frozen model, and the only file that speaks PEFT. Knows no game.

An adapter adds ``B A x * scaling`` to what a linear layer makes of ``x``. A model carries several
by name and speaks with those that are switched on: the warm start's, the policy's, that of an
earlier policy. They lie in the model itself, whose class and weights stay what they were, so
whoever holds the model meets it as it speaks.

There is no dropout: a reply is written without, so with it the log-probs that are trained on would
not be those of the policy that wrote.

Source: E. Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, arXiv 2106.09685.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

if TYPE_CHECKING:  # it takes seconds to import, and most runs have no adapter
    from peft import LoraConfig
    from peft.tuners.lora import Linear as AdaptedLinear

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of a PEFT folder."""
BASE_DIGEST = "base.sha256"
"""A file beside them, where it is known: the digest of the weights that the adapter belongs on."""
PREFIX = "base_model.model."
"""Of the names in it."""
PLACES = frozenset(("self_attn", "linear_attn", "attention", "attn", "mlp", "feed_forward"))
"""What models call the attention, linear attention and MLP of a layer."""
ROUTERS = frozenset(("gate", "router", "shared_expert_gate"))
"""Linear maps in there that choose experts. They stay as they are."""


def layers(model: nn.Module) -> Iterator[tuple[str, AdaptedLinear]]:
    """The linear layers that carry adapters, by name, in the order of the model."""
    for name, module in model.named_modules():
        if isinstance(getattr(module, "lora_A", None), nn.ModuleDict):
            yield name, cast("AdaptedLinear", module)


def targets(model: PreTrainedModel) -> list[str]:
    """The linear maps of attention and MLP in the layers of the text decoder, by name.

    Not the head, the embeddings, routers of experts, or anything of a tower for pictures or sound.

    Raises:
        ValueError: it has none where `PLACES` says.
    """
    decoder = {id(part) for part in getattr(model.get_decoder(), "layers", nn.Module()).modules()}
    carrying = tuple(f"{name}." for name, _ in layers(model))
    found = [
        name
        for name, module in model.named_modules()
        for *above, leaf in [name.split(".")]
        if id(module) in decoder and PLACES & set(above) and leaf not in ROUTERS
        if f"{name}." in carrying
        or (isinstance(module, nn.Linear) and not name.startswith(carrying))
    ]
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no linear layer under {', '.join(sorted(PLACES))} in its "
            "decoder, so there is nothing to put an adapter on. Set adapter.kind to 'none', or "
            "choose another model."
        )
    return found


def attach(model: PreTrainedModel, name: str, *, rank: int, alpha: int, weights_seed: int) -> None:
    """Add the adapter ``name`` to all `targets`, in fp32, switched off. It adds nothing before it
    has learned: its A is drawn, and its B is 0.

    Args:
        alpha: ``rank`` times its scaling.
        weights_seed: draws A.
    """
    from peft import LoraConfig

    where = targets(model)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=where)
    _inject(model, name, config, weights_seed)


def attach_saved(model: PreTrainedModel, name: str, folder: Path) -> None:
    """Add what the PEFT ``folder`` holds as the adapter ``name``, in fp32, switched off.

    Raises:
        ValueError: it is damaged, of another model, or more than LoRA on `targets`.
    """
    from peft import LoraConfig, PeftConfig

    try:
        config = PeftConfig.from_pretrained(str(folder))
        saved = load_file(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ValueError(f"the adapter in {folder} cannot be loaded: {error}") from error
    if not isinstance(config, LoraConfig) or (beyond := _beyond_plain(config)):
        what = beyond if isinstance(config, LoraConfig) else f"peft_type {config.peft_type}"
        raise ValueError(
            f"the adapter in {folder} is no plain LoRA: it has {what}. Merge it into its model "
            "first, with PEFT's merge_and_unload, and give that model."
        )
    wanted = {key.removeprefix(PREFIX).rpartition(".lora_")[0] for key in saved}
    if foreign := sorted(wanted - set(targets(model))):
        raise ValueError(
            f"the adapter in {folder} is for {foreign[0]!r} (and {len(foreign) - 1} more), which "
            f"{type(model).__name__} has not among the attention and MLP layers of its language "
            f"model. Check base_model_name_or_path in {SETTINGS}; if it is right, merge the "
            "adapter into that model first, with PEFT's merge_and_unload, and give the result."
        )
    plain = LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        rank_pattern=config.rank_pattern,
        alpha_pattern=config.alpha_pattern,
        use_rslora=config.use_rslora,
        target_modules=sorted(wanted),
    )
    _inject(model, name, plain, 0)
    found = {
        key.removeprefix(PREFIX).removesuffix(".weight"): weight for key, weight in saved.items()
    }
    own = tensors(model, name)
    wrong = sorted(own.keys() ^ found.keys()) or [
        key for key, weight in own.items() if weight.shape != found[key].shape
    ]
    if wrong:
        raise ValueError(f"the adapter in {folder} is damaged: {wrong[0]} does not fit {SETTINGS}.")
    with torch.no_grad():
        for key, weight in own.items():
            weight.copy_(found[key])


def is_adapter(folder: Path) -> bool:
    """Whether ``folder`` holds an adapter rather than a model."""
    return (folder / SETTINGS).is_file()


def base_of(folder: Path) -> Path:
    """Where the model lies that the adapter in the PEFT ``folder`` belongs to: the path in its
    settings, as seen from ``folder`` or else from here.

    Raises:
        ValueError: there is no such folder.
    """
    try:
        named = json.loads((folder / SETTINGS).read_text())["base_model_name_or_path"]
        found = [base for base in (folder / named, Path(named)) if base.is_dir()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / SETTINGS} does not say which model it is for: {error}"
        ) from error
    if not found:
        raise ValueError(
            f"the adapter in {folder} is for the model {named!r}, and there is no such folder. "
            f"Download that model, and put its path into base_model_name_or_path in {SETTINGS}."
        )
    return found[0]


def _beyond_plain(config: LoraConfig) -> str:
    """What an adapter has besides A and B of linear layers; empty if nothing."""
    settings = (
        "use_dora",
        "modules_to_save",
        "target_parameters",
        "lora_bias",
        "layer_replication",
    )
    also = [name for name in settings if getattr(config, name)]
    if config.bias != "none":
        also.append(f"bias {config.bias!r}")
    if config.init_lora_weights not in (True, False, "gaussian", "orthogonal", "eva"):
        also.append(f"init_lora_weights {config.init_lora_weights!r}, which changes its model too")
    return ", ".join(also)


def _inject(model: PreTrainedModel, name: str, config: LoraConfig, weights_seed: int) -> None:
    from peft.functional import cast_adapter_dtype, inject_adapter_in_model

    before, kept = speaks_with(model), learning(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights_seed)
        inject_adapter_in_model(config, model, name)
    del model.peft_config  # or PEFT warns of two adapters when the next one comes
    cast_adapter_dtype(model, name)
    speak(model, *before)
    learn(model, *kept)


def detach(model: nn.Module, name: str) -> None:
    """Take the adapter ``name`` away; a layer that carries none any more is what it once was."""
    speak(model, *(other for other in speaks_with(model) if other != name))
    for place, layer in list(layers(model)):
        layer.delete_adapter(name)
        if not layer.lora_A:
            model.set_submodule(place, layer.get_base_layer())


def merge(model: nn.Module, name: str) -> None:
    """Add the adapter to the weights for good, in fp32, and take it away."""
    with torch.no_grad():
        for _, layer in layers(model):
            weight = _weight(layer)
            weight.copy_(_with(weight, layer, [name]))
    detach(model, name)


def _weight(layer: AdaptedLinear) -> Tensor:
    """``(out, in)``: that of the layer itself."""
    base = layer.get_base_layer()
    assert isinstance(base, nn.Linear)
    return base.weight


def _with(weight: Tensor, layer: AdaptedLinear, names: Sequence[str]) -> Tensor:
    """``weight`` with the adapters ``names`` added in fp32, in its own type again."""
    added = [layer.get_delta_weight(name).float() for name in names if name in layer.lora_A]
    return sum(added, weight.float()).to(weight.dtype) if added else weight


def attached(model: nn.Module) -> tuple[str, ...]:
    """The names of the adapters that ``model`` carries, in the order they came."""
    return tuple(dict.fromkeys(name for _, layer in layers(model) for name in layer.lora_A))


def speaks_with(model: nn.Module) -> tuple[str, ...]:
    """The names of those that are switched on."""
    return next((tuple(layer.active_adapters) for _, layer in layers(model)), ())


def tensors(model: nn.Module, name: str) -> dict[str, Tensor]:
    """A ``(rank, in)`` and B ``(out, rank)`` of one adapter in each layer: the parameters."""
    return {
        f"{place}.lora_{part}": weight
        for place, layer in layers(model)
        if name in layer.lora_A
        for part, weight in zip("AB", _pair(layer, name), strict=True)
    }


def _pair(layer: AdaptedLinear, name: str) -> tuple[Tensor, Tensor]:
    a, b = layer.lora_A[name], layer.lora_B[name]
    assert isinstance(a, nn.Linear)
    assert isinstance(b, nn.Linear)
    return a.weight, b.weight


def adds_nothing(model: nn.Module, name: str) -> bool:
    """Whether every B of the adapter is 0, as before its first step."""
    return not any(w.any() for key, w in tensors(model, name).items() if key.endswith("B"))


def learning(model: nn.Module) -> tuple[str, ...]:
    """The names of those that gradients flow into."""
    return tuple(
        name
        for name in attached(model)
        if any(weight.requires_grad for weight in tensors(model, name).values())
    )


def speak(model: nn.Module, *names: str) -> None:
    """Switch on the adapters ``names`` and no other."""
    kept = learning(model)
    for _, layer in layers(model):
        layer.set_adapter(list(names), inference_mode=True)
        layer.set_requires_grad(kept)


def learn(model: nn.Module, *names: str) -> None:
    """Let gradients flow into the adapters ``names`` and nothing else. Those that are there go, or
    the last of the warm start would count in every later norm."""
    for _, layer in layers(model):
        layer.zero_grad(set_to_none=True)
        layer.set_requires_grad(tuple(layer.lora_A), False)
        layer.set_requires_grad(names)


@contextmanager
def speaking(model: nn.Module, *names: str) -> Iterator[None]:
    """Inside, and only there, ``model`` speaks with the adapters ``names``."""
    before = speaks_with(model)
    speak(model, *names)
    try:
        yield
    finally:
        speak(model, *before)


def concatenated(model: nn.Module, *names: str) -> dict[str, Tensor]:
    """The adapters ``names`` as a single one whose scaling is 1, on the CPU in fp32.

    Its A is theirs one below the other, its B theirs side by side, each times its scaling: so it
    adds what they add together, and its rank is the sum of theirs. In a layer that one of them
    leaves out it has rows and columns of 0 for it.

    Returns:
        A and B by the names that PEFT has for them in a file.
    """
    found = {}
    carrying = list(layers(model))
    ranks = [max(layer.r.get(name, 0) for _, layer in carrying) for name in names]
    for place, layer in carrying:
        outputs, inputs = _weight(layer).shape
        tall, wide = [], []
        for name, rank in zip(names, ranks, strict=True):
            a, b = torch.zeros(rank, inputs), torch.zeros(outputs, rank)
            if name in layer.lora_A:
                own_a, own_b = _pair(layer, name)
                a[: len(own_a)] = own_a.detach()
                b[:, : len(own_a)] = own_b.detach() * layer.scaling[name]
            tall.append(a)
            wide.append(b)
        found[f"{PREFIX}{place}.lora_A.weight"] = torch.cat(tall)
        found[f"{PREFIX}{place}.lora_B.weight"] = torch.cat(wide, dim=1)
    return found


def save_adapter(
    model: PreTrainedModel, folder: Path, *names: str, base: str, digest: str | None = None
) -> None:
    """Write the adapters ``names``, or without any those it speaks with, into ``folder`` as the
    single adapter that they are together, as PEFT and vLLM load it.

    Args:
        base: path of the model that it belongs to, for whoever loads it.
        digest: of that model's weights, so that it is put on no others.
    """
    from peft import LoraConfig

    joined = concatenated(model, *(names or speaks_with(model)))
    rank = next(weight.shape[0] for key, weight in joined.items() if "lora_A" in key)
    places = [
        key.removeprefix(PREFIX).rpartition(".lora_A")[0] for key in joined if "lora_A" in key
    ]
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        base_model_name_or_path=base,
        task_type="CAUSAL_LM",
        inference_mode=True,
    )
    config.target_modules = _by_last_name(model, places)  # as a list: PEFT's own set has no order
    folder.mkdir(parents=True, exist_ok=True)
    save_file(joined, folder / WEIGHTS, metadata={"format": "pt"})
    if digest is not None:
        (folder / BASE_DIGEST).write_text(f"{digest}\n")
    config.save_pretrained(str(folder))


def _by_last_name(model: nn.Module, places: Sequence[str]) -> list[str]:
    """``places`` by the last part of their names, where nothing else is called so."""
    last = {place.rpartition(".")[2] for place in places}
    alike = [
        name
        for name in plain_weights(model)
        if name.endswith(".weight") and name.split(".")[-2] in last
    ]
    return sorted(last if len(alike) == len(places) else places)


def plain_weights(model: nn.Module, *merged: str) -> dict[str, Tensor]:
    """The weights by the names that they have in a model without adapters.

    Args:
        merged: adapters that are added to them, in fp32; the model stays as it is.
    """
    carrying = dict(layers(model))
    found = {}
    for name, weight in _state(model):
        place, base, rest = name.partition(".base_layer.")
        if ".lora_" in name and name.partition(".lora_")[0] in carrying:
            continue
        if base and rest == "weight":
            weight = _with(weight, carrying[place], merged)
        found[f"{place}.{rest}" if base else name] = weight
    return found


def _state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What `nn.Module.state_dict` has. Asking that one would take a split model apart, which has
    been gathered to be saved."""
    for place, module in model.named_modules(remove_duplicate=False):
        passing = module._non_persistent_buffers_set
        kept = [each for each in module.named_buffers(recurse=False) if each[0] not in passing]
        for name, tensor in (*module.named_parameters(recurse=False), *kept):
            yield f"{place}.{name}" if place else name, tensor.detach()
