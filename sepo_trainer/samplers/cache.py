"""A key-value cache with room to grow, behind the cache interface of transformers.

transformers' own layers grow by concatenation: at each token all that was read is copied, which in
a long conversation takes longer than the model does. Here keys and values lie in buffers longer
than what they hold, and a token is written behind the last one. What a model is handed is a view.

Knows tensors only: no token, no request.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

LEAST_ROOM = 64
"""Tokens that a new buffer has room for beyond those it begins with, and at least ..."""
SHARE_OF_ROOM = 0.25
"""... this share of them: so a cache is copied a few times, and not with each token."""


def roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """An empty cache for ``model``, which attends to all that it has read, in every layer."""
    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer() for _ in cache.layers]
    return cache


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer. They are written in place, and so carry no gradient.

    What else is done to them, such as a choice of rows, is that of transformers; the next `update`
    takes what is there over into new buffers.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._buffers = _Buffer(), _Buffer()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take up ``(rows, heads, new tokens, size of a head)`` of each; returns all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        keys, values = self._buffers
        self.keys = keys.append(self.keys, key_states)
        self.values = values.append(self.values, value_states)
        return self.keys, self.values

    def take(self, other: RoomyLayer, rows: Tensor, places: Tensor) -> None:
        """Begin with what ``other`` holds at ``places``, ``(rows, tokens)``, of its ``rows``."""
        keys, values = self._buffers
        their_keys, their_values = other._buffers
        self.keys = keys.take(their_keys, rows, places)
        self.values = values.take(their_values, rows, places)
        self.dtype, self.device = self.keys.dtype, self.keys.device
        self.is_initialized = True

    @property
    def nbytes(self) -> int:
        """All that it takes, room included."""
        return sum(buffer.whole.nbytes for buffer in self._buffers)


class _Buffer:
    """Where the keys of a layer lie, or its values."""

    def __init__(self) -> None:
        self.whole = torch.empty(0, 0, 0, 0)
        """``(rows, tokens, heads, size of a head)``: all of a token lies together."""
        self._held: Tensor | None = None
        """What was handed out last: the first tokens, ``(rows, heads, tokens, size of a head)``."""

    def append(self, held: Tensor, news: Tensor) -> Tensor:
        """``held`` and then ``news``, each as they are handed out."""
        known = held.shape[2] if held.numel() else 0
        length = known + news.shape[2]
        if held is not self._held or length > self.whole.shape[1]:
            rows, heads, _, size = news.shape
            self.whole = news.new_empty((rows, _with_room(length), heads, size))
            if known:
                self.whole[:, :known] = held.transpose(1, 2)
        self.whole[:, known:length] = news.transpose(1, 2)
        return self._hand_out(length)

    def take(self, other: _Buffer, rows: Tensor, places: Tensor) -> Tensor:
        """Begin with what ``other`` has at ``places`` of ``rows``."""
        length = places.shape[1]
        most, heads, size = other.whole.shape[1:]
        room = places.new_zeros((len(rows), _with_room(length) - length))  # to be written over
        tokens = (rows[:, None] * most + torch.cat([places, room], dim=1)).flatten()
        whole = other.whole.new_empty((len(tokens), heads * size))
        torch.index_select(other.whole.flatten(0, 1).flatten(1), 0, tokens, out=whole)
        self.whole = whole.view(len(rows), -1, heads, size)
        return self._hand_out(length)

    def _hand_out(self, length: int) -> Tensor:
        self._held = self.whole[:, :length].transpose(1, 2)
        return self._held


def _with_room(length: int) -> int:
    return length + max(LEAST_ROOM, int(SHARE_OF_ROOM * length))
