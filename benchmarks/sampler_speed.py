"""Sampling by our sampler and by ``model.generate``, for `benchmarks.speed --sampler`."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.command_line import BenchmarkError
from sepo_envs.exact import GameTree

if TYPE_CHECKING:
    from sepo_trainer.records import Ids
    from sepo_trainer.run import Run


class Timed(NamedTuple):
    """One batch of replies: what was written and how long it took."""

    seconds: float
    tokens: int
    """New ones, up to and including each reply's end token."""


def tree_of(run: Run) -> GameTree:
    """The tree of the run's game.

    Raises:
        BenchmarkError: it is too large to be read out.
    """
    course = run.course
    if course.stage.tree is None:
        raise BenchmarkError(
            f"{course.stage.domain.name} is too large for all of its situations to be asked. "
            "Leave --game.name out: Kuhn poker has twelve."
        )
    return course.stage.tree


def distinct_prompts(run: Run) -> list[Ids]:
    """What the policy is asked in each situation of the game."""
    from sepo_envs.protocol import Talk

    course = run.course
    stage, tree, found = course.stage, tree_of(run), []
    for situation in tree.situations:
        talk = Talk(stage.words, tree.seat(situation), "fresh")
        found.append(run.renderer.prompt(talk.hear(tree.example(situation)).messages))
    return found


def sample(run: Run, prompts: Sequence[Ids], number: int) -> Timed:
    """One batch of our sampler; ``number`` is the draw."""
    from sepo_trainer.records import Request
    from sepo_trainer.seeding import seed

    requests = [
        Request(prompt, seed(run.config.seed, "sample", iteration=number, replicate=place))
        for place, prompt in enumerate(prompts)
    ]
    course = run.course
    started = perf_counter()
    replies = course.sampler.generate(requests)
    return Timed(perf_counter() - started, sum(len(reply.output_ids) for reply in replies))


def peer_generate(run: Run, prompts: Sequence[Ids], number: int) -> Timed:
    """One batch of ``model.generate``, padded on the left, sampling as ours does."""
    import torch

    from sepo_trainer.seeding import seed

    end, pad = run.renderer.end_id, run.renderer.pad_id
    longest = max(map(len, prompts))
    ids = torch.tensor([(pad,) * (longest - len(p)) + tuple(p) for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    model: Any = run.language.model
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed(run.config.seed, "sample", iteration=number))
        started = perf_counter()
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=run.config.rollout.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=run.config.rollout.max_new_tokens,
            eos_token_id=end,
            pad_token_id=pad,
        )
        seconds = perf_counter() - started
    return Timed(seconds, sum(new_tokens(row, end) for row in out[:, longest:].tolist()))


def new_tokens(row: Sequence[int], end: int) -> int:
    """How many of ``row`` were written: all up to the first end token, that one included.

    >>> new_tokens([5, 6, 2, 0, 0], end=2), new_tokens([5, 6], end=2)
    (3, 2)
    """
    return row.index(end) + 1 if end in row else len(row)
