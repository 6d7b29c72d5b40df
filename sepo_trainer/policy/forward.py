"""Teacher forcing. Knows tokens only: no game, no loss.

Where a model attends to all that came before, in every layer, the rows of a batch are read as a
tree. What all prompts begin with (the rules of the game) is read once; each distinct prompt's
remainder and everything written after it is one sequence of tree nodes, in which a token sees its
ancestors alone. So a batch costs its distinct tokens, however many rows repeat them.

Layers that see a window of tokens, or keep a state instead, have no such masks: their models read
each distinct row once, from its first token to its last. `reads_trees` says which way a model goes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.modeling_layers import GradientCheckpointingLayer

from sepo_trainer.policy.split import in_step, reading
from sepo_trainer.records import Ids

Item = TypeVar("Item")

MOST_NODES = 512
"""Tokens that one tree may hold beyond its prompt, unless a single row is longer. Attention within
a tree costs their square, so text that hardly repeats is better read in several trees."""
MOST_TOKENS = 2**14
"""Tokens that are read at once as plain rows, padding included, unless a single row is longer."""
TAKES_MASKS = "sdpa"
"""The implementation of attention in transformers that takes a mask of yes and no for each pair of
tokens. `eager` adds what it is given to the scores, and flash attention takes none."""


class HiddenStates(NamedTuple):
    """What a model made of a batch of rows: its last hidden states at their distinct places. What
    their next-token distributions are, `sepo_trainer.learning.measure` says."""

    states: Tensor
    """``(nodes, width)``."""
    where: Tensor
    """``(rows, longest rest)``: the node whose distribution ``rest_ids[t]`` is drawn from. Past a
    row's end, and where no distribution was wanted, it is some node that means nothing."""
    model: PreTrainedModel


def hidden_states(
    model: PreTrainedModel,
    rows: Sequence[tuple[Ids, Ids]],
    *,
    pad_id: int,
    wanted: Sequence[Sequence[bool]] | None = None,
) -> HiddenStates:
    """The model's reading at every wanted token of each row's continuation.

    Args:
        rows: ``(prompt_ids, rest_ids)`` each; ``rest_ids`` is not empty.
        wanted: for each row, at which tokens of ``rest_ids``; at all of them unless given. What the
            policy was told needs no distribution, and is most of a conversation.

    Where processes have parts of the model's weights, each of their calls is a single pass.
    """
    forgetful = _forgetful_layers(model)
    with _in_training(forgetful):
        if reads_trees(model):
            cached = not forgetful and not in_step(model)
            states, paths = _read_trees(model, rows, pad_id, cached=cached)
        else:
            states, paths = _read_rows(model, rows, pad_id)
    at = pad_right(paths, -1)
    if wanted is not None:
        at = torch.where(pad_right(wanted, 0).bool(), at, -1)
    nodes, where = torch.unique(at, return_inverse=True)  # -1, where nothing is wanted, is node 0
    device = model.device
    return HiddenStates(states[nodes.clamp(min=0).to(device)], where.to(device), model)


def logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """What ``model`` makes of last hidden states ``(..., width)``: ``(..., vocabulary)``, in single
    precision, scaled and capped as its configuration says."""
    found: Tensor = model.get_output_embeddings()(hidden).float()
    config = model.config.get_text_config(decoder=True)
    scale = getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    cap: float | None = getattr(config, "final_logit_softcapping", None)
    if scale != 1.0:
        found = found * scale
    return found if cap is None else cap * torch.tanh(found / cap)


def reads_trees(model: PreTrainedModel) -> bool:
    """Whether ``model`` reads a batch as trees of tokens, or else as plain rows.

    A tree needs attention to everything before in all layers, with a mask of its own for each
    token, and positions that are told and not counted.
    """
    config = model.config.get_text_config(decoder=True)
    return (
        all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
        and getattr(config, "rope_parameters", None) is not None
        and not getattr(config, "alibi", False)
        and config._attn_implementation == TAKES_MASKS
    )


def _read_trees(
    model: PreTrainedModel, rows: Sequence[tuple[Ids, Ids]], pad_id: int, *, cached: bool
) -> tuple[Tensor, list[list[int]]]:
    """The states ``(nodes, width)`` of some trees, and the nodes of each row, in order.

    Args:
        cached: whether what all prompts begin with is read once, for the trees to go on from it.
    """
    device = model.device
    shared = shared_prefix([prompt for prompt, _ in rows]) if cached else 0
    trees, places = _plant(rows, shared)

    size = max(len(tree.tokens) for tree in trees)
    ids = torch.full((len(trees), size), pad_id, device=device)
    depth = torch.zeros((len(trees), size), dtype=torch.long, device=device)
    sees = np.ones((len(trees), 1, size, shared + size), dtype=bool)
    for number, tree in enumerate(trees):
        ids[number, : len(tree.tokens)] = torch.tensor(tree.tokens)
        depth[number, : len(tree.tokens)] = torch.tensor(tree.depths)
        sees[number, 0, :, shared:] = tree.ancestors(size)
    cache = DynamicCache(config=model.config) if cached else None
    if cache is not None:
        read_shared(model, rows[0][0][:shared], cache, copies=len(trees))
    out = reading(model)(
        input_ids=ids,
        attention_mask=torch.from_numpy(sees).to(device),
        position_ids=shared + depth,
        past_key_values=cache,
        use_cache=cached,
    )
    paths = [[tree * size + node for node in path] for tree, path in places]
    return out.last_hidden_state.flatten(0, 1), paths


def _read_rows(
    model: PreTrainedModel, rows: Sequence[tuple[Ids, Ids]], pad_id: int
) -> tuple[Tensor, list[list[int]]]:
    """The states ``(nodes, width)`` of the distinct rows' continuations, and the nodes of each row.

    Padding stands at the end, which nothing before it sees: it needs no mask.
    """
    states = []
    first_node: dict[tuple[Ids, Ids], int] = {}
    nodes = 0
    distinct = dict.fromkeys(rows)
    most = sys.maxsize if in_step(model) else MOST_TOKENS
    for batch in of_like_length(distinct, lambda row: len(row[0] + row[1]), most=most):
        ids = pad_right([prompt + rest[:-1] for prompt, rest in batch], pad_id)
        out = reading(model)(input_ids=ids.to(model.device), use_cache=False)
        for row, (prompt, rest) in zip(out.last_hidden_state, batch, strict=True):
            states.append(row[len(prompt) - 1 : len(prompt) - 1 + len(rest)])
            first_node[prompt, rest] = nodes
            nodes += len(rest)
    paths = [list(range(first_node[row], first_node[row] + len(row[1]))) for row in rows]
    return torch.cat(states), paths


def of_like_length(
    items: Iterable[Item], length: Callable[[Item], int], *, most: int
) -> Iterator[list[Item]]:
    """``items`` in batches of like length, each of at most ``most`` tokens with its padding, unless
    a single one is longer.

    >>> list(of_like_length(["aaa", "b", "cc", "dddddd"], len, most=6))
    [['b', 'cc'], ['aaa'], ['dddddd']]
    """
    batch: list[Item] = []
    for item in sorted(items, key=length):
        if batch and (len(batch) + 1) * length(item) > most:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def forget_in_between(model: PreTrainedModel) -> None:
    """Gradient checkpointing: layers of ``model`` are worked out twice, once on the way back, so
    that memory need not hold what is in between.

    Raises:
        ValueError: its layers cannot.
    """
    layers = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not layers:
        raise ValueError(
            "the model's layers cannot be worked out twice. Leave model.gradient_checkpointing out."
        )
    twice = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    for layer in layers:
        # What the model's own method sets, whose name differs by the version of transformers.
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = twice  # type: ignore[assignment]


def _forgetful_layers(model: PreTrainedModel) -> list[GradientCheckpointingLayer]:
    """Those that are worked out twice, where a gradient is wanted; nothing may be cached then."""
    if not torch.is_grad_enabled():
        return []
    return [
        part
        for part in model.modules()
        if isinstance(part, GradientCheckpointingLayer) and part.gradient_checkpointing
    ]


@contextmanager
def _in_training(layers: Sequence[GradientCheckpointingLayer]) -> Iterator[None]:
    """Layers forget in training mode only. A policy is always in evaluation mode, since what learns
    must read as what played; so these alone change over, and nothing in them."""
    try:
        for layer in layers:
            layer.training = True
        yield
    finally:
        for layer in layers:
            layer.training = False


def _plant(
    rows: Sequence[tuple[Ids, Ids]], shared: int
) -> tuple[list[_Tree], list[tuple[int, list[int]]]]:
    """The rows as trees, one for each prompt or, where a tree would grow too large, several.

    Returns:
        the trees, and for each row its tree and the nodes in it whose distributions its tokens are
        drawn from.
    """
    trees: list[_Tree] = []
    growing: dict[Ids, int] = {}
    places = []
    for prompt, rest in rows:
        number = growing.get(prompt)
        if number is None or not trees[number].has_room_for(rest):
            number = growing[prompt] = len(trees)
            trees.append(_Tree(prompt[shared:]))
        places.append((number, trees[number].insert(rest)))
    return trees, places


class _Tree:
    """One prompt's tail and continuations of it, each distinct prefix one node."""

    def __init__(self, tail: Ids) -> None:
        self.tokens = list(tail)
        self.parents = list(range(-1, len(tail) - 1))
        self.depths = list(range(len(tail)))
        self._children: dict[tuple[int, int], int] = {}
        self._root = len(tail) - 1

    def has_room_for(self, rest: Ids) -> bool:
        """Whether ``rest`` fits, however little of it is here already; a lone row always does."""
        grown = len(self.tokens) - self._root - 1
        return grown == 0 or grown + len(rest) <= MOST_NODES

    def insert(self, rest: Ids) -> list[int]:
        """The nodes whose distributions the tokens of ``rest`` are drawn from, in order."""
        node = self._root
        path = [node]
        for token in rest[:-1]:
            key = (node, token)
            if key not in self._children:
                self._children[key] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(node)
                self.depths.append(self.depths[node] + 1)
            node = self._children[key]
            path.append(node)
        return path

    def ancestors(self, size: int) -> NDArray[np.bool_]:
        """``(size, size)``: what each node sees, itself included; a padding node sees itself."""
        sees = np.eye(size, dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


def read_shared(model: PreTrainedModel, prefix: Ids, cache: DynamicCache, *, copies: int) -> None:
    """Have ``cache``, which is empty, hold ``prefix``: read once and repeated ``copies`` times."""
    if prefix:
        head = torch.tensor([prefix], device=model.device)
        model.base_model(input_ids=head, past_key_values=cache, use_cache=True)
        cache.batch_select_indices(torch.zeros(copies, dtype=torch.long, device=model.device))


def shared_prefix(prompts: Sequence[Ids]) -> int:
    """How many tokens all prompts begin with, at least one of each left over.

    >>> shared_prefix([(7, 8, 1), (7, 8, 2, 3)])
    2
    >>> shared_prefix([(7, 8), (7, 8)])
    1
    """
    low, high = min(prompts), max(prompts)  # what these two share, all share
    same = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return min(same, min(map(len, prompts)) - 1)


def pad_right(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """``(rows, longest)``, each row followed by ``value``.

    >>> pad_right([(1, 2), (3,)], 0).tolist()
    [[1, 2], [3, 0]]
    """
    length = max(map(len, rows))
    return torch.tensor([(*row, *(value,) * (length - len(row))) for row in rows])
