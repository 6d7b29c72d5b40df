"""Training by our trainer and by TRL's ``GRPOTrainer``, for `benchmarks.speed --trainer`.

Both play the same games by the same arena, against the same opponents, for the same rewards, from
the same weights, and take a step on what they played. Who writes the replies, and what makes an
update of them, is each side's own. TRL plays through its ``rollout_func`` and writes as its own
loop of tool calls does: at every turn, all conversations that go on, whole and padded on the left,
in one call of ``generate``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import PrinterCallback, TrainerCallback

from benchmarks.command_line import BenchmarkError
from benchmarks.records import Measure, measure
from sepo_trainer.records import Group, Reply, Request
from sepo_trainer.run import Run
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.train import Step, learnable, train

if TYPE_CHECKING:
    from trl.trainer.grpo_trainer import GRPOTrainer

RATE = 1e-6
"""Of learning: so low that every step is one of the same policy."""


class Work(NamedTuple):
    """What was done in one go."""

    seconds: float
    """Of the process's CPU, so that what else the machine does counts little."""
    episodes: int
    tokens: int
    """That the policy wrote."""


class InLockstep:
    """What the arena asks of a sampler, done by TRL's call of ``generate``: the next turn of all
    conversations at once. It has no log-probs; TRL works them out in its update."""

    version = 0

    def __init__(self, trainer: GRPOTrainer) -> None:
        self._trainer = trainer

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        prompts = [list(request.prompt_ids) for request in requests]
        written, _ = self._trainer._generate_single_turn(prompts, None, {}, num_generations=1)
        return [Reply(tuple(ids), (0.0,) * len(ids), finished=True) for ids in written]


class _PausedError(Exception):
    """Raised to have one step of our loop at a time, which goes on where it stopped."""


def settings_for(config: RunConfig, pairs: int) -> RunConfig:
    """``config`` for so many steps of one policy, without what TRL does not do by default: a
    reference."""
    learning = {"iterations": pairs + 1, "learning_rate": RATE, "final_rate": 1.0, "rise": 0}
    off = {"kind": "off", "kl_talk": 0.0, "kl_move": 0.0}
    return config.model_copy(
        update={
            "learning": config.learning.model_copy(update=learning),
            "reference": config.reference.model_copy(update=off),
        }
    )


def measured(
    assembled: Callable[[RunConfig], Run], settings: RunConfig, pairs: int
) -> dict[str, dict[str, Measure]]:
    """Rollouts alone and then whole steps, in turn with TRL's, each after one that does not count.

    Args:
        assembled: makes a new run, with weights of its own.

    Raises:
        BenchmarkError: TRL is not installed, or an episode is no single conversation.
    """
    ours, theirs = assembled(settings), assembled(settings)
    ours.begin_learning()
    with TemporaryDirectory() as folder:
        extents: list[tuple[int, int]] = []
        trainer = peer(theirs, Path(folder), extents, steps=pairs + 1)
        rollouts = []
        for number in range(pairs + 1):
            ours.publish()
            mine = rollout(ours, ours.course.sampler, number)
            with _any_algorithm():
                rollouts.append((mine, rollout(theirs, InLockstep(trainer), number)))
        steps = in_turn(ours, trainer, extents)
    return {
        **_compared("rollouts", rollouts[1:]),
        **_compared("rollouts and update", steps[1:]),
    }


def notes(settings: RunConfig) -> tuple[str, ...]:
    """What a reader must know, with the peer's version and settings."""
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"TRL {version('trl')}, in turn on one core; seconds are of the process's CPU. Other work "
        f"ran on the machine, its load averages at the end {load}: take the ratios, pair by pair, "
        "and no side's seconds alone.",
        "On both sides the same arena plays the same games (opponents, deals, rewards and credit "
        f"are our code), in one conversation of {settings.game.name} per episode, against the "
        f"game's own pools. The learning rate is {RATE:g}, so that the policy stays what it was; "
        "no side has a reference.",
        "TRL as fast as its settings made it: `rollout_func` in the place of tool calls to "
        "environments, which parse every reply besides; the whole batch in one call of `generate` "
        "per turn and in one forward pass per update; single precision, no gradient checkpointing, "
        "no second reading for old log-probs, no log, no checkpoint; deterministic algorithms, "
        "which ours asks torch for, switched off during its steps.",
        "TRL reads each conversation anew at every turn, and every row of a batch for itself. Ours "
        "goes on from what it has read and reads what rows share once, so its lead is largest "
        "where games go alike, as they do between a warm-started policy and scripted opponents.",
    )


def peer(run: Run, folder: Path, extents: list[tuple[int, int]], *, steps: int) -> GRPOTrainer:
    """TRL's trainer over the policy of ``run``, with the fastest of its settings.

    Args:
        extents: takes up, rollout by rollout, how many episodes and tokens were played.

    Raises:
        BenchmarkError: it is not installed.
    """
    try:
        from datasets import Dataset
        from trl.trainer.grpo_config import GRPOConfig
        from trl.trainer.grpo_trainer import GRPOTrainer
    except ImportError as error:
        raise BenchmarkError(
            f"--trainer compares with TRL's, and {error.name} is not installed. "
            'Get it with: pip install "sepo[dev]"'
        ) from error
    config, course = run.config, run.course
    groups = sum(1 for _ in course.arena.plans(course.read().opponents, iteration=0))
    args = GRPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        num_generations=config.rollout.group_size,
        per_device_train_batch_size=groups * config.rollout.group_size,
        max_completion_length=config.rollout.max_new_tokens,
        temperature=config.rollout.temperature,
        loss_type="dr_grpo",
        scale_rewards="none",
        epsilon=config.learning.clip,
        max_grad_norm=config.learning.gradient_clip,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        seed=config.seed,
        bf16=False,
        use_cpu=True,
        activation_checkpointing=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )

    def rollouts(_: Any, trainer: GRPOTrainer) -> dict[str, Any]:
        groups, found = conversations(run, trainer)
        extents.append(_extent(groups))
        return found

    trainer = GRPOTrainer(
        run.language.model,
        reward_funcs=lambda earned, **_: earned,
        args=args,
        # One per group. Its prompts are never read: what is asked comes from the game.
        train_dataset=Dataset.from_dict({"prompt": ["?"] * groups}),
        processing_class=run.language.tokenizer,
        rollout_func=rollouts,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def conversations(run: Run, trainer: GRPOTrainer) -> tuple[list[Group], dict[str, Any]]:
    """An iteration's episodes, and these as a ``rollout_func`` returns them: a row each, in order.

    TRL takes one number per episode, and here it is the first turn's advantage, which is centred
    already and so stays as it is.

    Raises:
        BenchmarkError: an episode is not one growing conversation.
    """
    known = run.course.read()
    number = trainer.state.global_step
    writer: Any = InLockstep(trainer)
    groups = run.course.arena.play(writer, known.opponents, iteration=number)
    rows, _ = learnable(run.course, groups, known.gates, known.emphasis, iteration=number)
    if len(rows) != sum(len(group.rollouts) for group in groups):
        raise BenchmarkError(
            "--trainer compares on episodes that are one growing conversation, which is what TRL "
            "learns from. Set rollout.style to 'conversation'."
        )
    return groups, {
        "prompt_ids": [list(row.prompt_ids) for row in rows],
        "completion_ids": [list(row.rest_ids) for row in rows],
        "env_mask": [[int(written) for written in row.written] for row in rows],
        "logprobs": None,
        "earned": [row.advantages[row.written.index(True)] for row in rows],
    }


def rollout(run: Run, sampler: Any, number: int) -> Work:
    """One iteration's episodes."""
    opponents = run.course.read().opponents
    began = process_time()
    groups = run.course.arena.play(sampler, opponents, iteration=number)
    return Work(process_time() - began, *_extent(groups))


def in_turn(
    ours: Run, trainer: GRPOTrainer, extents: list[tuple[int, int]]
) -> list[tuple[Work, Work]]:
    """TRL's own training loop, and after each of its steps one of ours; ours come first in each."""
    done: list[tuple[Work, Work]] = []

    class InTurn(TrainerCallback):
        began = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            torch.use_deterministic_algorithms(False)
            self.began = process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            theirs = Work(process_time() - self.began, *extents[-1])
            torch.use_deterministic_algorithms(True)
            done.append((step(ours), theirs))

    trainer.add_callback(InTurn())
    trainer.train()
    return done


def step(run: Run) -> Work:
    """One step of our loop."""
    seen: list[Step] = []

    def pause(steps: Sequence[Step]) -> None:
        seen.extend(steps)
        raise _PausedError

    began = process_time()
    with suppress(_PausedError):
        train(run, pause)
    [found] = seen
    return Work(process_time() - began, *_extent(found.groups))


@contextmanager
def _any_algorithm() -> Iterator[None]:
    """Without what a run of ours asks torch for so that it can be resumed bit for bit."""
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(True)


def _extent(groups: Sequence[Group]) -> tuple[int, int]:
    """How many episodes, and how many tokens the policy wrote in them."""
    turns = [turn for group in groups for played in group.rollouts for turn in played.turns]
    episodes = sum(len(group.rollouts) for group in groups)
    return episodes, sum(len(turn.output_ids) for turn in turns)


def _compared(what: str, pairs: Sequence[tuple[Work, Work]]) -> dict[str, dict[str, Measure]]:
    """Both sides, and how many times as many tokens a second are ours, pair by pair."""
    found = {
        f"{side}, {what}": {
            "seconds": measure([work.seconds for work in done], "seconds", over="pairs"),
            "episodes": measure([work.episodes for work in done], "episodes", over="pairs"),
            "new tokens": measure([work.tokens for work in done], "tokens", over="pairs"),
        }
        for side, done in zip(("sepo", "TRL"), zip(*pairs, strict=True), strict=True)
    }
    ratios = [(a.tokens / a.seconds) / (b.tokens / b.seconds) for a, b in pairs]
    return found | {
        f"sepo / TRL, {what}": {"new tokens per second": measure(ratios, "ratio", over="pairs")}
    }
