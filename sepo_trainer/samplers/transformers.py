"""Sampling from a transformers model in this process, each distinct prefix written once.

Rollouts of one group read the same prompt and, once trained, mostly write the same words. So the
cache is a tree: what all prompts begin with is read once, each distinct prompt's remainder once,
and rows that have written the same tokens so far are one node until their draws differ. Nodes stay
where they are and a new token attends to its ancestors alone, so nothing is ever copied from row to
row. Every row still draws for itself, from its own counter-based stream: a reply depends on its
request and not on its neighbours. Where a prompt goes on from what was written last, only its end
is read (`sepo_trainer.samplers.memory`). Models that read no trees write row by row instead
(`sepo_trainer.samplers.plain`).

Knows tokens only: no game, no chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.policy.forward import logits, read_shared, reads_trees, shared_prefix
from sepo_trainer.records import Ids, Reply, Request
from sepo_trainer.samplers.cache import roomy_cache
from sepo_trainer.samplers.draws import draw_tokens
from sepo_trainer.samplers.memory import Beginning, Memory
from sepo_trainer.samplers.plain import write_rows
from sepo_trainer.seeding import uniforms

MOST_TREES = 256
"""Trees that grow at once, which bounds the memory that they take."""
MOST_ROWS = 32
"""Replies that grow in one tree. Attention costs their square where they all differ."""


class TransformersSampler:
    """Samples from ``model``, the learner's own, so publishing copies no weights; it forgets what
    earlier ones have read, and so has to follow every change of them.

    Args:
        end_ids: tokens that end a reply; each of them is written.
        temperature: of the softmax; 0 takes the likeliest token.
        max_new_tokens: a reply that has not ended by then is cut off there.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        end_ids: tuple[int, ...],
        pad_id: int,
        temperature: float = 1.0,
        max_new_tokens: int = 64,
    ) -> None:
        self.model = model
        self.end_ids, self.pad_id = end_ids, pad_id
        self.temperature, self.max_new_tokens = temperature, max_new_tokens
        self.version = 0
        self._memory = Memory()

    def with_weights_of(self, model: PreTrainedModel) -> TransformersSampler:
        """One that writes likewise, with another model of the same tokens."""
        return TransformersSampler(
            model,
            end_ids=self.end_ids,
            pad_id=self.pad_id,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
        )

    def publish(self, version: int) -> None:
        self.version = version
        self._memory = Memory()  # what other weights have read is worth nothing now

    def rest(self) -> None:
        self._memory = Memory()

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        if not reads_trees(self.model):
            return write_rows(
                self.model,
                requests,
                end_ids=self.end_ids,
                pad_id=self.pad_id,
                temperature=self.temperature,
                max_new_tokens=self.max_new_tokens,
            )
        prompts, tree_of = _share_out(requests)
        found = self._memory.find(prompts)
        memory, replies = Memory(), dict[int, Reply]()
        for grove in _groves([cache for cache, _ in found]):
            beginning = self._begin([prompts[n] for n in grove], [found[n] for n in grove])
            row_of = {tree: row for row, tree in enumerate(grove)}
            mine = [n for n, tree in enumerate(tree_of) if tree in row_of]
            grown = self._grow(
                [requests[n] for n in mine],
                [prompts[n] for n in grove],
                [row_of[tree_of[n]] for n in mine],
                beginning,
                memory,
            )
            replies.update(zip(mine, grown, strict=True))
        self._memory = memory
        return [replies[number] for number in range(len(requests))]

    def _begin(self, prompts: Sequence[Ids], found: Sequence[tuple[int, int]]) -> Beginning:
        """What ``prompts`` begin with: as it is remembered, or else what all of them share."""
        if found[0] != (-1, 0):
            beginnings = [ids[:known] for ids, (_, known) in zip(prompts, found, strict=True)]
            return self._memory.recall(beginnings, self.model)
        shared, copies = shared_prefix(prompts), len(prompts)
        cache = roomy_cache(self.model)
        read_shared(self.model, prompts[0][:shared], cache, copies=copies)
        mask = torch.ones((copies, shared), dtype=torch.bool, device=self.model.device)
        return Beginning(cache, mask, [shared] * copies)

    def _grow(
        self,
        requests: Sequence[Request],
        prompts: Sequence[Ids],
        tree_of: Sequence[int],
        beginning: Beginning,
        memory: Memory,
    ) -> list[Reply]:
        """The replies of one grove; request i stands in tree ``tree_of[i]``. What they and their
        prompts come to is kept in ``memory``."""
        device = self.model.device
        seeds = np.array([request.seed for request in requests], dtype=np.uint64)
        draws = torch.from_numpy(uniforms(seeds, self.max_new_tokens)).to(device)
        ends = torch.tensor(self.end_ids, dtype=torch.long, device=device)
        grove = _Grove(self.model, prompts, beginning, pad_id=self.pad_id)

        # A row stands at a node: (tree, slot) among the nodes written in the last step.
        tree = torch.tensor(tree_of, device=device)
        slot = torch.zeros_like(tree)
        active = torch.arange(len(requests), device=device)
        tokens = torch.full((len(requests), self.max_new_tokens), -1, device=device)
        logprobs = torch.zeros(tokens.shape, device=device)
        read: dict[int, Tensor] = {}  # by request, which nodes it has come through
        for step in range(self.max_new_tokens):
            width, vocabulary = grove.logits.shape[1:]
            node = tree * width + slot
            chosen, logp = self._draw(grove.logits.flatten(0, 1), node, draws[active, step])
            tokens[active, step], logprobs[active, step] = chosen, logp
            going = ~torch.isin(chosen, ends) & (step + 1 < self.max_new_tokens)
            done = ~going
            read.update(zip(active[done].tolist(), grove.sees[tree[done], slot[done]], strict=True))
            if not going.any():
                break
            active, tree = active[going], tree[going]
            written, which = torch.unique(
                node[going] * vocabulary + chosen[going], return_inverse=True
            )
            slot = grove.grow(written // vocabulary, written % vocabulary)[which]
        replies = [
            Reply(ids, tuple(row_logprobs[: len(ids)]), ids[-1] in self.end_ids)
            for row, row_logprobs in zip(tokens.tolist(), logprobs.tolist(), strict=True)
            for ids in [tuple(token for token in row if token >= 0)]
        ]
        # The last token of a reply was drawn and never read.
        known = {prompts[tree_of[n]] + reply.output_ids[:-1]: n for n, reply in enumerate(replies)}
        memory.keep(
            grove.cache,
            list(known),
            [tree_of[n] for n in known.values()],
            [read[n] for n in known.values()],
        )
        return replies

    def _draw(self, logits: Tensor, node: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """A token for each row and its log-prob; row i stands at ``node[i]``."""
        here, which = torch.unique(node, return_inverse=True)
        return draw_tokens(logits[here], which, draws, temperature=self.temperature)


class _Grove:
    """Trees of tokens with one cache: a batch row is a tree, its sequence the nodes so far."""

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Ids],
        beginning: Beginning,
        *,
        pad_id: int,
    ) -> None:
        self._model, self._pad_id = model, pad_id
        self.cache = beginning.cache
        device = model.device
        tails = [ids[known:] for ids, known in zip(prompts, beginning.lengths, strict=True)]
        length = max(map(len, tails))
        ids = torch.tensor([(pad_id,) * (length - len(t)) + t for t in tails], device=device)
        news = torch.tensor([[0] * (length - len(t)) + [1] * len(t) for t in tails], device=device)
        mask = torch.cat([beginning.mask, news.bool()], dim=1)
        out = model.base_model(
            input_ids=ids,
            attention_mask=mask.long(),
            position_ids=(mask.cumsum(1) - 1)[:, -length:].clamp(min=0),
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = logits(model, out.last_hidden_state[:, -1:])
        """``(trees, slots, vocabulary)`` after the nodes of the last step."""
        self.sees = mask[:, None]
        """``(trees, slots, nodes)``: what each node of the last step attends to."""
        self._depth = mask.sum(1, keepdim=True)
        """``(trees, slots)``: how many tokens lead to it, itself included."""

    def grow(self, parents: Tensor, written: Tensor) -> Tensor:
        """Write one token behind each parent, all at once.

        Args:
            parents: flat ``tree * slots + slot`` of the last step's nodes, in ascending order.
            written: the tokens.

        Returns:
            the slot of each new node in its tree.
        """
        trees, width = self.sees.shape[:2]
        tree = parents // width
        first = torch.searchsorted(tree, torch.arange(trees, device=tree.device))
        slot = torch.arange(len(tree), device=tree.device) - first[tree]
        slots = int(slot.max()) + 1

        ids = torch.full((trees, slots), self._pad_id, device=tree.device)
        ids[tree, slot] = written
        origin = torch.zeros_like(ids)
        origin[tree, slot] = parents % width
        rows = torch.arange(trees, device=tree.device)[:, None]
        itself = torch.eye(slots, dtype=torch.bool, device=tree.device).expand(trees, -1, -1)
        self.sees = torch.cat([self.sees[rows, origin], itself], dim=2)
        self._depth = self._depth[rows, origin] + 1
        out = self._model.base_model(
            input_ids=ids,
            attention_mask=self.sees[:, None],
            position_ids=self._depth - 1,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = logits(self._model, out.last_hidden_state)
        return slot


def _groves(caches: Sequence[int]) -> Iterator[list[int]]:
    """Which trees grow at once: those whose beginnings lie in one cache, and not too many.

    >>> list(_groves([-1, 0, -1]))
    [[0, 2], [1]]
    """
    for cache in dict.fromkeys(caches):
        trees = [number for number, its in enumerate(caches) if its == cache]
        for first in range(0, len(trees), MOST_TREES):
            yield trees[first : first + MOST_TREES]


def _share_out(requests: Sequence[Request]) -> tuple[list[Ids], list[int]]:
    """A tree for each distinct prompt, or several where many requests have it.

    Returns:
        the prompts of the trees, and the tree of each request.
    """
    prompts: list[Ids] = []
    open_tree: dict[Ids, tuple[int, int]] = {}
    tree_of = []
    for request in requests:
        tree, rows = open_tree.get(request.prompt_ids, (-1, MOST_ROWS))
        if rows == MOST_ROWS:
            tree, rows = len(prompts), 0
            prompts.append(request.prompt_ids)
        open_tree[request.prompt_ids] = (tree, rows + 1)
        tree_of.append(tree)
    return prompts, tree_of
