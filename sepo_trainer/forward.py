"""Teacher forcing that reads everything once. Knows tokens only: no game, no loss.

The rows of a batch are a tree. What all prompts begin with (the rules of the game) is read once;
each distinct prompt's remainder and everything written after it is one sequence of tree nodes, in
which a token sees its ancestors alone. So a batch costs its distinct tokens, however many rows
repeat them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from sepo_trainer.records import Ids

MOST_NODES = 512
"""Tokens that one tree may hold beyond its prompt, unless a single row is longer. Attention within
a tree costs their square, so text that hardly repeats is better read in several trees."""


class Distributions(NamedTuple):
    """The model's next-token distributions at the distinct positions of a batch of rows."""

    logprobs: Tensor
    """``(nodes, vocabulary)``, nats."""
    where: Tensor
    """``(rows, longest rest)``: the node whose distribution ``rest_ids[t]`` is drawn from. Past a
    row's end, and where no distribution was wanted, it is some node that means nothing."""

    def of(self, ids: Tensor) -> Tensor:
        """Log-probs of the tokens ``ids``, ``(rows, longest rest)``."""
        return self.logprobs[self.where, ids]


def next_token_logprobs(
    model: PreTrainedModel,
    rows: Sequence[tuple[Ids, Ids]],
    *,
    pad_id: int,
    wanted: Sequence[Sequence[bool]] | None = None,
    temperature: float = 1.0,
) -> Distributions:
    """The model's distribution at every wanted token of each row's continuation.

    Args:
        rows: ``(prompt_ids, rest_ids)`` each; ``rest_ids`` is not empty.
        wanted: for each row, at which tokens of ``rest_ids``; at all of them unless given. What the
            policy was told needs no distribution, and is most of a conversation.
        temperature: logits are divided by it first.
    """
    device = model.device
    shared = shared_prefix([prompt for prompt, _ in rows])
    trees, places = _plant(rows, shared)

    size = max(len(tree.tokens) for tree in trees)
    ids = torch.full((len(trees), size), pad_id, device=device)
    depth = torch.zeros((len(trees), size), dtype=torch.long, device=device)
    sees = np.ones((len(trees), 1, size, shared + size), dtype=bool)
    for number, tree in enumerate(trees):
        ids[number, : len(tree.tokens)] = torch.tensor(tree.tokens)
        depth[number, : len(tree.tokens)] = torch.tensor(tree.depths)
        sees[number, 0, :, shared:] = tree.ancestors(size)
    out = model.base_model(
        input_ids=ids,
        attention_mask=torch.from_numpy(sees).to(device),
        position_ids=shared + depth,
        past_key_values=read_shared(model, rows[0][0][:shared], copies=len(trees)),
        use_cache=True,
    )
    at = pad_right([[tree * size + node for node in path] for tree, path in places], -1)
    if wanted is not None:
        at = torch.where(pad_right(wanted, 0).bool(), at, -1)
    nodes, where = torch.unique(at, return_inverse=True)  # -1, where nothing is wanted, is node 0
    hidden = out.last_hidden_state.flatten(0, 1)[nodes.clamp(min=0).to(device)]
    logits = model.get_output_embeddings()(hidden).float()
    return Distributions(torch.log_softmax(logits / temperature, dim=-1), where.to(device))


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


def read_shared(model: PreTrainedModel, prefix: Ids, *, copies: int) -> DynamicCache:
    """The cache of ``prefix``, read once and repeated ``copies`` times."""
    cache = DynamicCache(config=model.config)
    if prefix:
        head = torch.tensor([prefix], device=model.device)
        model(input_ids=head, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_select_indices(torch.zeros(copies, dtype=torch.long, device=model.device))
    return cache


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
