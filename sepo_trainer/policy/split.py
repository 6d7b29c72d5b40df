"""A model whose weights are split over the processes of a run: PyTorch's FSDP2.

Each process keeps its part of every weight, and of what learns also its part of the gradient and of
the optimiser's state. While the policy learns, a layer's weights are gathered when they are due and
let go right after: so processes pass through the model together, equally often. While it plays they
do not keep step, so all weights are gathered before, and the model is then as one that was never
split. Adapters are small and stay whole in every process.

Source: `torch.distributed.fsdp.fully_shard`; Y. Zhao et al., PyTorch FSDP: experiences on scaling
fully sharded data parallel, arXiv 2304.11277.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from sepo_trainer.policy import adapter
from sepo_trainer.processes import count, gathered

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule

READ = "read_together"
"""The method by which processes pass through a split model."""
GATHERED = "is_gathered"
"""Whether every process has all of its weights at the moment."""


def split(model: PreTrainedModel) -> None:
    """Leave each process its part of every weight of ``model`` that is no adapter's.

    Raises:
        ValueError: there is one process only.
    """
    if count() == 1:
        raise ValueError(
            "model.sharded splits the weights over the processes of a run, but this is the only "
            "one. Start several, such as: torchrun --nproc-per-node 2 -m sepo_trainer train ...; "
            "or go on with --model.sharded false."
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(model.device.type, (count(),))
    names = adapter.attached(model)
    small: set[Any] = {w for name in names for w in adapter.tensors(model, name).values()}
    layers: Any = model.get_decoder().layers
    for layer in layers:
        fully_shard(layer, mesh=mesh, ignored_params=small)
    # The head is asked for logits after the pass, so what is in no layer stays until the way back.
    fully_shard(model, mesh=mesh, ignored_params=small, reshard_after_forward=False)
    rest, *parts = _parts(model)
    for part, next_back in zip([*parts, rest], [rest, *parts], strict=True):
        # Else the order of past passes decides, which is each process's own while it plays.
        part.set_modules_to_backward_prefetch([next_back])
        part.set_gradient_divide_factor(1.0)  # a sum over processes, and no mean
        part.set_force_sum_reduction_for_comms(True)
    setattr(model, GATHERED, False)
    setattr(model, READ, lambda **inputs: model.base_model(**inputs))
    register_fsdp_forward_method(model, READ)
    with torch.no_grad():  # what belongs together is settled by the first pass
        reading(model)(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
    let_go(model)


def is_split(model: PreTrainedModel) -> bool:
    """Whether it has been."""
    return hasattr(model, READ)


def in_step(model: PreTrainedModel) -> bool:
    """Whether a pass through ``model`` as it stands takes all processes."""
    return is_split(model) and not getattr(model, GATHERED)


def reading(model: PreTrainedModel) -> Callable[..., Any]:
    """What takes tokens to last hidden states; with parts of the weights, of all processes."""
    found: Callable[..., Any] = getattr(model, READ) if in_step(model) else model.base_model
    return found


def missed(model: PreTrainedModel, passes: int) -> int:
    """By how many ``passes`` of this process another one is ahead, if they have to keep step."""
    return max(gathered(passes)) - passes if in_step(model) else 0


def gather(model: PreTrainedModel) -> None:
    """Give every process all weights, until `let_go`. Nothing where they are not split."""
    _hold(model, everything=True)


def let_go(model: PreTrainedModel) -> None:
    """Keep this process's part alone."""
    _hold(model, everything=False)


def _hold(model: PreTrainedModel, *, everything: bool) -> None:
    if not is_split(model):
        return
    setattr(model, GATHERED, everything)
    rest, *layers = _parts(model)
    for part in (rest, *layers):
        if part is not rest:
            part.set_reshard_after_forward(not everything, recurse=False)
        if everything:
            part.unshard()
        else:
            part.reshard()


def _parts(model: PreTrainedModel) -> Iterator[FSDPModule]:
    """What is gathered at a time: what is in no layer, and then each layer."""
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            yield module


def twin(model: PreTrainedModel) -> PreTrainedModel:
    """Another model with the weights of ``model``, which is split and let go; it is split too."""
    from torch.distributed.fsdp import FSDPModule

    kind: Any = next(each for each in type(model).__mro__ if not issubclass(each, FSDPModule))
    with no_init_weights():
        made = kind(deepcopy(model.config))
    made.tie_weights()
    made = made.to(model.device, model.dtype).eval()
    split(made)
    with torch.no_grad():
        for weight, theirs in zip(made.parameters(), model.parameters(), strict=True):
            weight.copy_(theirs)
        for buffer, known in zip(made.buffers(), model.buffers(), strict=True):
            buffer.copy_(known)
    return cast("PreTrainedModel", made)
