"""Sampling from a transformers model in this process, one forward pass per distinct prefix.

Rollouts of one group read the same prompt and, once trained, mostly write the same words. So the
batch is a tree: each distinct prompt is read once, and rows that have written the same tokens so
far are one row of the cache until their draws differ. Every row still draws for itself, from its
own counter-based stream, so a reply depends on its request and not on its neighbours.

Knows tokens only: no game, no chat.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from sepo_trainer.forward import read_prompts
from sepo_trainer.records import Reply, Request
from sepo_trainer.seeding import uniforms


class TransformersSampler:
    """Samples from ``model`` as it stands: the learner's own weights, so publishing copies nothing.

    Args:
        temperature: of the softmax; 0 takes the likeliest token.
        max_new_tokens: a reply that has not ended by then is cut off there.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        end_id: int,
        pad_id: int,
        temperature: float = 1.0,
        max_new_tokens: int = 64,
    ) -> None:
        self.model = model
        self.end_id, self.pad_id = end_id, pad_id
        self.temperature, self.max_new_tokens = temperature, max_new_tokens
        self.version = 0

    def publish(self, version: int) -> None:
        self.version = version

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        if not requests:
            return []
        prompts = list(dict.fromkeys(request.prompt_ids for request in requests))
        number = {prompt: index for index, prompt in enumerate(prompts)}
        seeds = np.array([request.seed for request in requests], dtype=np.uint64)
        draws = torch.from_numpy(uniforms(seeds, self.max_new_tokens)).to(self.model.device)

        logits, cache, mask = read_prompts(self.model, prompts, pad_id=self.pad_id)
        node = torch.tensor([number[request.prompt_ids] for request in requests]).to(mask.device)
        active = torch.arange(len(requests), device=mask.device)
        tokens = torch.full((len(requests), self.max_new_tokens), -1, device=mask.device)
        logprobs = torch.zeros(tokens.shape, device=mask.device)
        for step in range(self.max_new_tokens):
            chosen, logp = self._draw(logits, node, draws[active, step])
            tokens[active, step], logprobs[active, step] = chosen, logp
            going = chosen != self.end_id
            if step + 1 == self.max_new_tokens or not going.any():
                break
            active, prefix = active[going], node[going] * logits.shape[1] + chosen[going]
            grown, node = torch.unique(prefix, return_inverse=True)
            parent, written = grown // logits.shape[1], grown % logits.shape[1]
            if len(parent) != len(mask) or not torch.equal(parent, torch.arange(len(mask))):
                cache.batch_select_indices(parent)
                mask = mask[parent]
            mask = torch.cat([mask, mask.new_ones(len(parent), 1)], dim=1)
            out = self.model(
                input_ids=written[:, None],
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            )
            logits, cache = out.logits[:, -1], out.past_key_values
        return [
            Reply(ids, tuple(row_logprobs[: len(ids)]), ids[-1] == self.end_id)
            for row, row_logprobs in zip(tokens.tolist(), logprobs.tolist(), strict=True)
            for ids in [tuple(token for token in row if token >= 0)]
        ]

    def _draw(
        self, logits: torch.Tensor, node: torch.Tensor, draw: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A token for each row and its log-prob; row i stands at prefix ``node[i]``."""
        if self.temperature == 0:
            best = logits.argmax(-1)
            return best[node], torch.zeros(len(node), device=logits.device)
        logprobs = torch.log_softmax(logits.float() / self.temperature, dim=-1)
        cumulative = logprobs.double().exp().cumsum(-1)
        mark = draw * cumulative[node, -1]
        chosen = torch.searchsorted(cumulative[node], mark[:, None], right=True)[:, 0]
        chosen = chosen.clamp(max=logits.shape[1] - 1)
        return chosen, logprobs[node, chosen]
