"""A model folder to try the other examples with: a decoder so small that it can just talk.

    python examples/tiny_model.py runs/tiny

builds a tiny decoder with random weights, and teaches it with TRL's ``SFTTrainer`` how to answer:
in words, or by calling the tool ``reply`` where it is told to. Its teachers pick every legal move
equally often, so it can talk and cannot play: a beginning that leaves everything to the rewards.

The folder is an ordinary one of Hugging Face. Beside the weights it has what TRL needs of a model
that plays through tools: a chat template that tells tool calls and what tools say
(``chat_template``), and how to find a call in what the model wrote (``response_template``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from datasets import Dataset
from shares import Table, matches
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from trl_grpo import BY_TOOL

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.policy.model import LanguageModel, tiny

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}<|assistant|>{% generation %}{{ message.content or '' }}"
    "{% for call in message.tool_calls or [] %}"
    "<{{ call.function.name }}"
    "{% for name, value in call.function.arguments.items() %} {{ name }}>{{ value }}{% endfor %}"
    "</call>{% endfor %}<|end|>{% endgeneration %}"
    "{% else %}<|{{ 'user' if message.role == 'tool' else message.role }}|>"
    "{{ message.content }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""What a tool says is told as a user's message. Tools are not described: there is but one."""
RESPONSE_TEMPLATE: Final = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {
        "tool_calls": {
            "open_pattern": r"<(?P<name>\w+) text>",
            "close": "</call>",
            "repeats": True,
            "content": "text",
            "transform": {
                "type": "function",
                "function": {"name": "{name}", "arguments": {"text": "{content}"}},
            },
        },
        "content": {"close": "<|end|>", "content": "text"},
    },
}
THANKS: Final = "Thank you."
"""What is said when the game is over: a message without a tool call ends the talk."""


def lesson(table: Table, rng: Random, *, by_tool: bool) -> dict[str, Any]:
    """A whole match as one conversation, the policy's moves drawn evenly from the legal ones."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": table.question}]
    while not table.over:
        said = rng.choice(table.legal_replies())
        told = table.hear(said)
        if by_tool:
            call = {"name": "reply", "arguments": {"text": said}}
            messages += [
                {"role": "assistant", "tool_calls": [{"type": "function", "function": call}]},
                {"role": "tool", "name": "reply", "content": told},
            ]
        else:
            messages += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": told},
            ]
    if by_tool:
        return {"messages": [BY_TOOL, *messages, {"role": "assistant", "content": THANKS}]}
    return {"messages": messages[:-1]}


def lessons(domain: str, number: int) -> Iterator[dict[str, Any]]:
    """So many conversations, half of them by tool."""
    rows = matches(domain, number)
    Random(0).shuffle(rows)
    for index, row in enumerate(rows[:number]):
        yield lesson(Table(row), Random(index), by_tool=index % 2 == 1)


def taught(domain: str, *, steps: int, seed: int = 0) -> LanguageModel:
    """The tiny model after so many steps of supervised learning on whole matches."""
    language = tiny(hidden=64, layers=2, heads=2, run_seed=seed)
    language.tokenizer.chat_template = CHAT_TEMPLATE
    language.tokenizer.response_template = RESPONSE_TEMPLATE
    with TemporaryDirectory() as folder:
        SFTTrainer(
            language.model,
            args=SFTConfig(
                folder,
                assistant_only_loss=True,
                max_steps=steps,
                per_device_train_batch_size=16,
                learning_rate=5e-3,
                warmup_steps=5,
                seed=seed,
                use_cpu=True,
                bf16=False,
                activation_checkpointing=False,
                logging_steps=10,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list(list(lessons(domain, 128))),
            processing_class=language.tokenizer,
        ).train()
    return language


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read.add_argument("folder", type=Path, help="where the model is written")
    read.add_argument("--domain", choices=CATALOGUE, default="kuhn_poker", help="what it talks of")
    read.add_argument("--steps", type=int, default=60, help="of supervised learning")
    asked = read.parse_args()
    language = taught(asked.domain, steps=asked.steps)
    language.model.save_pretrained(asked.folder)
    language.tokenizer.save_pretrained(asked.folder)


if __name__ == "__main__":
    main()
