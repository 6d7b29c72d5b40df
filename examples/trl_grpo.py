"""GRPO with TRL's ``GRPOTrainer``: whole matches through a tool, or single decisions.

    python examples/tiny_model.py runs/tiny
    python examples/trl_grpo.py runs/tiny
    python examples/trl_grpo.py runs/tiny --single-decisions

Any model of Hugging Face takes the place of ``runs/tiny``: for whole matches one that calls tools,
for single decisions any that chats.

* Whole matches go through ``environment_factory``. TRL gives every replicate a `Seat`, whose one
  tool is `Seat.reply`: what the model says in a call is heard at the table, and what it is told
  next comes back as the tool's result, which TRL does not train on.
* Single decisions need no tools: each prompt is all that the policy has to answer in its match, and
  the reward functions play the rest.

The rewards are the parts of J, one function each, so that TRL logs each by itself; their weights
are the published ones. `shares` says why a harm must be in the reward of the very replicate that
did it, and why all replicates of a group play the same deal against the same opponent: TRL makes a
group of each row. Rewards are not divided by a group's standard deviation (``scale_rewards``),
which would give a penalty of .01 the force of one of 10, and so undo the weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import torch
from datasets import Dataset
from shares import MEASURED_ON, Match, Table, matches, weights
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer, RewardFunc

from sepo_envs.catalogue import CATALOGUE, domain

BY_TOOL: Final = {"role": "system", "content": "Whatever you say, say it with the tool `reply`."}
RETRIES: Final = 1
"""After an unreadable reply, before it is a foul."""


class Seat:
    """One replicate's place in a match, as ``environment_factory`` wants it: its public methods,
    but for ``reset``, are the model's tools."""

    def reset(self, **row: Any) -> None:
        """TRL gives the row of the data; its prompt has asked the first question already."""
        self._table = Table(match_of(row), max_retries=RETRIES)
        self._failure: Exception | None = None

    def reply(self, text: str) -> str:
        """Say something at the table, and hear what is said to you next.

        Args:
            text: What you say. It ends with exactly one move in square brackets.

        Returns:
            What you are told next.
        """
        try:
            return self._table.hear(str(text))
        except Exception as failure:
            self._failure = failure  # TRL would tell the model of it, and go on
            raise

    @property
    def played(self) -> Table:
        """The match, finished. Whoever stopped calling the tool has left the table.

        Raises:
            Exception: what an opponent, or the game, raised while it was played.
        """
        if self._failure is not None:
            raise self._failure
        self._table.leave()
        return self._table


def match_of(row: Mapping[str, Any]) -> Match:
    """What `Match` has of a row that has more."""
    return Match(**{field.name: row[field.name] for field in fields(Match)})


def options(name: str, *, single: bool) -> dict[str, Any]:
    """Of the rules, if every match is to be over after a single decision."""
    return {"max_retries": 0} | ({} if name == "kuhn_poker" else {"rounds": 1}) if single else {}


def rows(name: str, each: int, *, single: bool) -> Dataset:
    """The matches with their first questions. A seat that decides once in Kuhn poker is the
    second."""
    seats = (1,) if single and name == "kuhn_poker" else (0, 1)
    before = [] if single else [BY_TOOL]
    return Dataset.from_list(
        [
            {**asdict(match), "prompt": [*before, {"role": "user", "content": table.question}]}
            for match in matches(name, each, seats=seats)
            for table in [Table(match, **options(name, single=single))]
        ]
    )


def in_environments(*, environments: Sequence[Seat], **_: Any) -> list[Table]:
    """The matches that were played through `Seat`."""
    return [seat.played for seat in environments]


def from_single_replies(*, completions: Sequence[Any], **columns: Any) -> list[Table]:
    """The matches in which each completion is all that the policy says."""
    tables = []
    for number, completion in enumerate(completions):
        match = Match(*(columns[field.name][number] for field in fields(Match)))
        table = Table(match, **options(match.domain, single=True))
        table.hear(completion[-1]["content"])
        tables.append(table)
    return tables


def rewards(played: Callable[..., list[Table]]) -> list[RewardFunc]:
    """A reward function for each part of J, from what plays or finds a batch's matches."""

    def reward(part: str) -> RewardFunc:
        def value(**batch: Any) -> list[float | None]:
            return [table.parts()[part] for table in played(**batch)]

        value.__name__ = part  # what TRL logs it as
        return value

    return [reward(part) for part in MEASURED_ON]


def trainer(
    model: Any,
    name: str,
    folder: Path,
    *,
    single: bool = False,
    steps: int = 12,
    groups: int = 4,
    replicates: int = 8,
    learning_rate: float = 3e-4,
    longest: int = 256,
    tokenizer: Any = None,
) -> GRPOTrainer:
    """TRL's trainer of ``model`` on the domain ``name``.

    Args:
        model: a folder or a name of Hugging Face, or the model itself, with its ``tokenizer``.
        groups: rows, each played by all its replicates, per step.
        longest: tokens of a whole match, the tool's results included; or of a single reply. A model
            that is cut off has left the table.
    """
    gpu = torch.cuda.is_available()
    return GRPOTrainer(
        model,
        reward_funcs=rewards(from_single_replies if single else in_environments),
        args=GRPOConfig(
            str(folder),
            reward_weights=[weights(name)[part] for part in MEASURED_ON],
            scale_rewards="none",
            loss_type="dr_grpo",
            num_generations=replicates,
            per_device_train_batch_size=groups * replicates,
            max_completion_length=longest,
            max_tool_calling_iterations=domain(name).make().longest * (1 + RETRIES),
            learning_rate=learning_rate,
            max_steps=steps,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=not gpu,
            bf16=gpu,
            activation_checkpointing=gpu,
        ),
        train_dataset=rows(name, groups * steps, single=single),
        processing_class=tokenizer,
        environment_factory=None if single else Seat,
    )


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read.add_argument("model", help="a folder, or a name on the Hugging Face Hub")
    read.add_argument("--domain", choices=CATALOGUE, default="kuhn_poker")
    read.add_argument("--single-decisions", action="store_true", help="no tools: a prompt, a reply")
    read.add_argument("--steps", type=int, default=12)
    read.add_argument("--learning-rate", type=float, default=3e-4, help="large models: 1e-6")
    read.add_argument("--longest", type=int, default=256, help="tokens of a match, or of a reply")
    read.add_argument("--out", type=Path, default=Path("runs/trl"), help="where it is written")
    asked = read.parse_args()
    made = trainer(
        asked.model,
        asked.domain,
        asked.out,
        single=asked.single_decisions,
        steps=asked.steps,
        learning_rate=asked.learning_rate,
        longest=asked.longest,
    )
    made.train()
    made.save_model()


if __name__ == "__main__":
    main()
