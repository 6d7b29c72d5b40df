"""What a sampler has just read and written, kept so that a conversation goes on where it ended.

Each prompt of a conversation begins with the last one and the reply to it. Reading all of it again
at every turn costs the square of its length; remembered, only the news is read. Caches are those
of transformers; the tokens of one conversation may lie anywhere among its tree's.

Knows tokens and caches only: no draw, no request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from sepo_trainer.records import Ids
from sepo_trainer.samplers.cache import RoomyLayer, roomy_cache

MOST_BYTES = 2**30
"""Of caches that are kept; what does not fit is read again. While a batch is written, the caches of
the last one are held as well, so the most that is held is twice this and the trees that grow."""


class Beginning(NamedTuple):
    """What some prompts begin with, in a cache."""

    cache: DynamicCache
    """A batch row for each prompt."""
    mask: Tensor
    """``(prompts, tokens)``, bool: which of the cached tokens are the prompt's own."""
    lengths: list[int]
    """How many tokens of each prompt these are."""


class _Lies(NamedTuple):
    """Where a sequence lies in the caches."""

    cache: int
    tree: int
    """Its batch row."""
    path: Tensor
    """The places of its tokens in that row, in order."""


@dataclass(slots=True)
class Memory:
    """The sequences of the last batch of replies, and their caches. A conversation that sits out a
    batch, as one does where two seats are asked in turn, is forgotten and read again."""

    _caches: list[DynamicCache] = field(default_factory=list)
    _known: dict[Ids, _Lies] = field(default_factory=dict)
    _bytes: int = 0

    def keep(
        self,
        cache: DynamicCache,
        sequences: Sequence[Ids],
        trees: Sequence[int],
        sees: Sequence[Tensor],
    ) -> None:
        """Remember ``sequences``, if there is room for their cache.

        Args:
            trees: of each, its batch row.
            sees: of each, bool, which of the first tokens of its row are its own.
        """
        size = sum(layer.nbytes for layer in _layers(cache))
        if self._bytes + size > MOST_BYTES:
            return
        self._bytes += size
        for sequence, tree, mask in zip(sequences, trees, sees, strict=True):
            self._known[sequence] = _Lies(len(self._caches), tree, mask.nonzero()[:, 0])
        self._caches.append(cache)

    def find(self, prompts: Sequence[Ids]) -> list[tuple[int, int]]:
        """For each prompt ``(cache, tokens)``: in which cache how many of its tokens are known, at
        most all but one; ``(-1, 0)`` where none are."""
        lengths = sorted({len(sequence) for sequence in self._known}, reverse=True)
        return [
            next(
                (
                    (self._known[prompt[:length]].cache, length)
                    for length in lengths
                    if length < len(prompt) and prompt[:length] in self._known
                ),
                (-1, 0),
            )
            for prompt in prompts
        ]

    def recall(self, beginnings: Sequence[Ids], model: PreTrainedModel) -> Beginning:
        """The caches of ``beginnings``, all of them known from one cache, side by side."""
        lies = [self._known[sequence] for sequence in beginnings]
        longest, device = max(len(each.path) for each in lies), model.device
        where = torch.zeros((len(lies), longest), dtype=torch.long, device=device)
        mask = torch.zeros(where.shape, dtype=torch.bool, device=device)
        for row, each in enumerate(lies):
            where[row, longest - len(each.path) :] = each.path
            mask[row, longest - len(each.path) :] = True
        tree = torch.tensor([each.tree for each in lies], device=device)
        cache = roomy_cache(model)
        known = self._caches[lies[0].cache]
        for layer, its in zip(_layers(cache), _layers(known), strict=True):
            layer.take(its, tree, where)
        return Beginning(cache, mask, list(map(len, beginnings)))


def _layers(cache: DynamicCache) -> list[RoomyLayer]:
    layers = [layer for layer in cache.layers if isinstance(layer, RoomyLayer)]
    assert len(layers) == len(cache.layers), "a model that reads trees has no other layers"
    return layers
