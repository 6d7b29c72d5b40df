"""Sampling row by row with the model's own cache, for models that read no trees.

A window of tokens, or a state that stands for all that was read, cannot be shared by rows that go
apart. So each distinct prompt is read once, its cache is copied to the replies that begin with it,
and these are written side by side until each has ended. Draws come from the same streams as those
of trees: a reply depends on its request alone, up to the last digits of floating point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.policy.forward import logits, of_like_length
from sepo_trainer.records import Ids, Reply, Request
from sepo_trainer.samplers.draws import draw_tokens
from sepo_trainer.seeding import uniforms

MOST_TOKENS = 2**16
"""Read and to be written by the replies that are written at once, unless a single one has more:
what caches take grows with them."""
DRAWN_AT_ONCE = 64
"""Rows whose distributions are held at once while tokens are drawn."""


def write_rows(
    model: PreTrainedModel,
    requests: Sequence[Request],
    *,
    end_ids: Sequence[int],
    pad_id: int,
    temperature: float,
    max_new_tokens: int,
) -> list[Reply]:
    """One reply per request, in order; each ends with the first of ``end_ids`` that it writes."""
    replies: dict[Request, Reply] = {}
    distinct = dict.fromkeys(requests)
    for batch in of_like_length(
        distinct, lambda request: len(request.prompt_ids) + max_new_tokens, most=MOST_TOKENS
    ):
        seeds = np.array([request.seed for request in batch], dtype=np.uint64)
        rows = _Rows(model, [request.prompt_ids for request in batch], pad_id)
        draws = torch.from_numpy(uniforms(seeds, max_new_tokens)).to(model.device)
        ends = torch.tensor(end_ids, dtype=torch.long, device=model.device)

        active = torch.arange(len(batch), device=model.device)
        tokens = torch.full((len(batch), max_new_tokens), -1, device=model.device)
        logprobs = torch.zeros(tokens.shape, device=model.device)
        for step in range(max_new_tokens):
            chosen, logp = rows.draw(draws[active, step], temperature)
            tokens[active, step], logprobs[active, step] = chosen, logp
            going = ~torch.isin(chosen, ends)
            active = active[going]
            if not len(active) or step + 1 == max_new_tokens:
                break
            rows.go_on(going, chosen)
        for request, row, scores in zip(batch, tokens.tolist(), logprobs.tolist(), strict=True):
            ids = tuple(token for token in row if token >= 0)
            replies[request] = Reply(ids, tuple(scores[: len(ids)]), ids[-1] in end_ids)
    return [replies[request] for request in requests]


class _Rows:
    """Rows that are written at once, and the model's cache of them."""

    def __init__(self, model: PreTrainedModel, prompts: Sequence[Ids], pad_id: int) -> None:
        self._model = model
        distinct = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
        length = max(map(len, distinct))
        ids = [(*(pad_id,) * (length - len(prompt)), *prompt) for prompt in distinct]
        own = [[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in distinct]
        self._mask = torch.tensor(own, device=model.device)
        out = model.base_model(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=self._mask,
            position_ids=(self._mask.cumsum(1) - 1).clamp(min=0),
            use_cache=True,
        )
        self._cache = out.past_key_values
        self._states: Tensor = out.last_hidden_state[:, -1]
        self._keep(torch.tensor([distinct[prompt] for prompt in prompts], device=model.device))

    def draw(self, draws: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """A token for each row, and its log-prob."""
        drawn = [
            draw_tokens(
                logits(self._model, states),
                torch.arange(len(states), device=states.device),
                some,
                temperature=temperature,
            )
            for states, some in zip(
                self._states.split(DRAWN_AT_ONCE), draws.split(DRAWN_AT_ONCE), strict=True
            )
        ]
        chosen, logprobs = zip(*drawn, strict=True)
        return torch.cat(chosen), torch.cat(logprobs)

    def go_on(self, going: Tensor, chosen: Tensor) -> None:
        """Read what was drawn, in the rows that are ``going``; the others are done."""
        if not going.all():
            self._keep(going.nonzero()[:, 0])
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        out = self._model.base_model(
            input_ids=chosen[going][:, None],
            attention_mask=self._mask,
            position_ids=self._mask.sum(1, keepdim=True) - 1,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._states = out.last_hidden_state[:, -1]

    def _keep(self, rows: Tensor) -> None:
        """Go on with ``rows`` of these, in that order."""
        self._cache.reorder_cache(rows)
        self._mask, self._states = self._mask[rows], self._states[rows]
