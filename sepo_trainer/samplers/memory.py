"""What a sampler has just read and written, kept so that a conversation goes on where it ended.

Each prompt of a conversation begins with the last one and the reply to it. Reading all of it again
at every turn costs the square of its length; remembered, only the news is read. Caches are those
of transformers; the tokens of one conversation may lie anywhere among its tree's.

Knows tokens and caches only: no draw, no request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from sepo_trainer.records import Ids

MOST_BYTES = 2**30
"""Of caches that are kept. What does not fit is read again."""


class Beginning(NamedTuple):
    """What some prompts begin with, as it was read before."""

    cache: DynamicCache
    """A batch row for each prompt."""
    mask: Tensor
    """``(prompts, tokens)``, bool: which of the cached tokens are the prompt's own."""
    lengths: list[int]
    """How many tokens of each prompt these are."""


class _Grown(NamedTuple):
    """The cache of trees that have been written, and where each sequence lies in it."""

    cache: DynamicCache
    trees: dict[Ids, int]
    """By sequence, the tree that it stands in."""
    paths: dict[Ids, Tensor]
    """By sequence, the places of its tokens in that tree, in order."""


@dataclass(slots=True)
class Memory:
    """The sequences of the last batch of replies, and their caches."""

    _grown: list[_Grown] = field(default_factory=list)
    _of: dict[Ids, int] = field(default_factory=dict)
    """By sequence, its place in ``_grown``."""
    _bytes: int = 0

    def keep(
        self,
        cache: DynamicCache,
        sequences: Sequence[Ids],
        trees: Sequence[int],
        sees: Sequence[Tensor],
    ) -> None:
        """Remember ``sequences``, as far as there is room.

        Args:
            trees: of each, its batch row.
            sees: of each, bool, which of the first tokens of its row are its own.
        """
        size = sum(keys.nbytes + values.nbytes for keys, values in _layers(cache))
        if self._bytes + size > MOST_BYTES:
            return
        self._bytes += size
        self._of |= dict.fromkeys(sequences, len(self._grown))
        self._grown.append(
            _Grown(
                cache,
                dict(zip(sequences, trees, strict=True)),
                dict(zip(sequences, (mask.nonzero()[:, 0] for mask in sees), strict=True)),
            )
        )

    def find(self, prompts: Sequence[Ids]) -> list[tuple[int, int]]:
        """For each prompt ``(place, length)``: how many of its tokens are remembered, and among
        which caches; ``(-1, 0)`` where none are. One token at least is left to read."""
        lengths = sorted({len(sequence) for sequence in self._of}, reverse=True)
        return [
            next(
                (
                    (self._of[prompt[:length]], length)
                    for length in lengths
                    if length < len(prompt) and prompt[:length] in self._of
                ),
                (-1, 0),
            )
            for prompt in prompts
        ]

    def recall(self, place: int, beginnings: Sequence[Ids], model: PreTrainedModel) -> Beginning:
        """The caches of ``beginnings``, all of them remembered at ``place``, side by side."""
        grown = self._grown[place]
        paths = [grown.paths[sequence] for sequence in beginnings]
        longest, device = max(map(len, paths)), paths[0].device
        where = torch.zeros((len(paths), longest), dtype=torch.long, device=device)
        mask = torch.zeros(where.shape, dtype=torch.bool, device=device)
        for row, path in enumerate(paths):
            where[row, longest - len(path) :] = path
            mask[row, longest - len(path) :] = True
        tree = torch.tensor([grown.trees[sequence] for sequence in beginnings], device=device)
        cache = DynamicCache(config=model.config)
        for number, layer in enumerate(_layers(grown.cache)):
            keys, values = (of[tree[:, None], :, where].transpose(1, 2) for of in layer)
            cache.update(keys, values, number)
        return Beginning(cache, mask, list(map(len, paths)))


def _layers(cache: DynamicCache) -> Iterator[tuple[Tensor, Tensor]]:
    """Keys and values of each layer, ``(rows, heads, tokens, size of a head)``."""
    for layer in cache.layers:
        assert isinstance(layer, DynamicLayer), "`model.load` lets no other attention pass"
        assert layer.keys is not None
        assert layer.values is not None
        yield layer.keys, layer.values
