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
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from sepo_trainer.records import Ids


class Distributions(NamedTuple):
    """The model's next-token distributions at the distinct positions of a batch of rows."""

    logprobs: Tensor
    """``(nodes, vocabulary)``, nats."""
    where: Tensor
    """``(rows, longest rest)``: the node whose distribution ``rest_ids[t]`` is drawn from. Past a
    row's end it is some node that means nothing."""

    def of(self, ids: Tensor) -> Tensor:
        """Log-probs of the tokens ``ids``, ``(rows, longest rest)``."""
        return self.logprobs[self.where, ids]


def next_token_logprobs(
    model: PreTrainedModel,
    rows: Sequence[tuple[Ids, Ids]],
    *,
    pad_id: int,
    temperature: float = 1.0,
) -> Distributions:
    """The model's distribution at every token of each row's continuation.

    Args:
        rows: ``(prompt_ids, rest_ids)`` each; ``rest_ids`` is not empty.
        temperature: logits are divided by it first.
    """
    device = model.device
    prompts = list(dict.fromkeys(prompt for prompt, _ in rows))
    shared = shared_prefix(prompts)
    trees = {prompt: _Tree(prompt[shared:]) for prompt in prompts}
    paths = [trees[prompt].insert(rest) for prompt, rest in rows]

    size = max(len(tree.tokens) for tree in trees.values())
    ids = torch.full((len(prompts), size), pad_id, device=device)
    depth = torch.zeros((len(prompts), size), dtype=torch.long, device=device)
    sees = np.zeros((len(prompts), 1, size, shared + size), dtype=bool)
    sees[..., :shared] = True
    for number, tree in enumerate(trees.values()):
        ids[number, : len(tree.tokens)] = torch.tensor(tree.tokens)
        depth[number, : len(tree.tokens)] = torch.tensor(tree.depths)
        sees[number, 0, :, shared:] = tree.ancestors(size)
    out = model(
        input_ids=ids,
        attention_mask=torch.from_numpy(sees).to(device),
        position_ids=shared + depth,
        past_key_values=_read_shared(model, prompts, shared),
        use_cache=True,
    )
    first = {prompt: number * size for number, prompt in enumerate(trees)}
    where = pad_right(
        [
            [first[prompt] + node for node in path]
            for (prompt, _), path in zip(rows, paths, strict=True)
        ],
        0,
    )
    nodes, places = torch.unique(where, return_inverse=True)
    logits = out.logits.flatten(0, 1)[nodes.to(device)]
    return Distributions(torch.log_softmax(logits.float() / temperature, dim=-1), places.to(device))


class _Tree:
    """One prompt's tail and all its continuations, each distinct prefix one node."""

    def __init__(self, tail: Ids) -> None:
        self.tokens = list(tail)
        self.parents = list(range(-1, len(tail) - 1))
        self.depths = list(range(len(tail)))
        self._children: dict[tuple[int, int], int] = {}
        self._root = len(tail) - 1

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

    def ancestors(self, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """``(size, size)``: what each node sees, itself included; a padding node sees itself."""
        sees = np.eye(size, dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


def _read_shared(model: PreTrainedModel, prompts: Sequence[Ids], shared: int) -> DynamicCache:
    """The cache of the first ``shared`` tokens, once for each prompt."""
    cache = DynamicCache(config=model.config)
    if shared:
        head = torch.tensor([prompts[0][:shared]], device=model.device)
        model(input_ids=head, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_select_indices(torch.zeros(len(prompts), dtype=torch.long, device=model.device))
    return cache


def read_prompts(
    model: PreTrainedModel, prompts: Sequence[Ids], *, pad_id: int
) -> tuple[Tensor, DynamicCache, Tensor]:
    """Read each prompt, padded to one length behind what they all begin with.

    Returns:
        ``(prompts, vocabulary)`` logits of the next token, the cache, and the ``(prompts, tokens)``
        attention mask.
    """
    shared = shared_prefix(prompts)
    device = model.device
    cache = _read_shared(model, prompts, shared)
    tails = [tuple(prompt[shared:]) for prompt in prompts]
    length = max(map(len, tails))
    ids = torch.tensor([(pad_id,) * (length - len(t)) + t for t in tails], device=device)
    mask = torch.tensor(
        [[1] * shared + [0] * (length - len(t)) + [1] * len(t) for t in tails], device=device
    )
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1)[:, shared:].clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return out.logits[:, -1], cache, mask


def shared_prefix(prompts: Sequence[Ids]) -> int:
    """How many tokens all prompts begin with, at least one of each left over; 0 for a lone prompt.

    >>> shared_prefix([(7, 8, 1), (7, 8, 2, 3)])
    2
    """
    if len(prompts) == 1:
        return 0
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
