"""Policies on this machine as players: of a run's checkpoint, or of a model folder.

They sit down wherever `opponents.matches` seats somebody, and where a game's tree is small enough
to be read out they say with which probability they make each move. What a policy does hangs on how
it is asked, so its manner belongs to it: style, temperature and the room for a reply are the run's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from sepo_envs.catalogue import CATALOGUE
from sepo_envs.exact import ActionTable
from sepo_envs.protocol import Style
from sepo_trainer.courses.action_table import ActionTableReader
from sepo_trainer.policy import adapter
from sepo_trainer.policy.base import check_base, digest_of, weights_digest
from sepo_trainer.policy.model import LanguageModel, load
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.runs.session import reopen
from sepo_trainer.samplers import Sampler
from sepo_trainer.samplers.chat import SampledChat
from sepo_trainer.samplers.choice import sampler_maker
from sepo_trainer.settings.sampler import SamplerConfig
from sepo_trainer.stage import set_stage

Engine: TypeAlias = Literal["transformers", "vllm"]
ADAPTER: Final = "policy"
"""Name in the model of the adapter that a folder holds."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a policy is asked in one domain."""

    style: Style = "conversation"
    temperature: float = 1.0
    """Of the softmax; 0 takes the likeliest token."""
    max_new_tokens: int = 512
    """Of a reply; one that has not ended by then is cut off."""


USUAL = Manner()


@dataclass(frozen=True)
class LocalPolicy:
    """A policy, with everything that it needs to play."""

    name: str
    language: LanguageModel = field(repr=False)
    renderer: Renderer = field(repr=False)
    manners: Mapping[str, Manner]
    """By domain, of those that it plays."""
    samplers: Mapping[str, Sampler] = field(repr=False)
    """By domain."""
    _players: dict[str, SampledChat] = field(default_factory=dict, repr=False)
    _tables: dict[str, ActionTable | None] = field(default_factory=dict, repr=False)

    @property
    def domains(self) -> tuple[str, ...]:
        """Those that it plays."""
        return tuple(self.manners)

    def player(self, domain: str) -> SampledChat:
        """Who sits down in ``domain``.

        Raises:
            KeyError: it does not play that.
        """
        if domain not in self._players:
            self._players[domain] = SampledChat(
                self.name, self.samplers[domain], self.renderer, style=self.manners[domain].style
            )
        return self._players[domain]

    def table(self, domain: str) -> ActionTable | None:
        """Its exact move probabilities under the default rules; None where the game's tree is too
        large to be read out, or the likeliest token is taken, which has no probabilities.

        Raises:
            KeyError: it does not play that.
        """
        if domain not in self._tables:
            self._tables[domain] = self._read(domain, self.manners[domain])
        return self._tables[domain]

    def _read(self, domain: str, manner: Manner) -> ActionTable | None:
        stage = set_stage(domain)
        if stage.tree is None or manner.temperature == 0:
            return None
        reader = ActionTableReader(stage, stage.tree, self.renderer, **asdict(manner))
        return reader.read(self.language.model, pad_id=self.renderer.pad_id)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that determines what it says: its weights, with the adapters that it
        speaks with, its chat template, and how it is asked."""
        model, template = self.language.model, self.language.tokenizer.chat_template
        weights = adapter.plain_weights(model, *adapter.speaks_with(model))
        told: dict[str, Any] = {
            "weights": digest_of(sorted(weights.items(), key=lambda weight: weight[0])),
            "template": template,
            "manners": {domain: asdict(manner) for domain, manner in self.manners.items()},
        }
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def policy_of_run(
    path: Path,
    *,
    at: str = "last",
    engine: Engine = "transformers",
    trust_remote_code: bool = False,
) -> LocalPolicy:
    """The policy of a checkpoint of the run in ``path``, in the games that it was trained on and
    as it was asked there.

    Args:
        at, engine, trust_remote_code: as `reopen` takes them.

    Raises:
        ConfigError, CheckpointError: as `reopen` does.
    """
    folder, run = reopen(path, at=at, engine=engine, trust_remote_code=trust_remote_code)
    courses = {course.stage.domain.name: course for course in run.courses}
    rollouts = {domain: course.config.rollout for domain, course in courses.items()}
    return LocalPolicy(
        f"{folder.path.name}@{run.iteration}",
        run.language,
        run.renderer,
        {
            domain: Manner(rollout.style, rollout.temperature, rollout.max_new_tokens)
            for domain, rollout in rollouts.items()
        },
        {domain: course.sampler for domain, course in courses.items()},
    )


def policy_of_folder(
    path: Path,
    manner: Manner = USUAL,
    *,
    engine: Engine = "transformers",
    dtype: str = "auto",
    device: str = "auto",
    thinking: bool | None = None,
    trust_remote_code: bool = False,
) -> LocalPolicy:
    """The model in a Hugging Face folder, or the one that the PEFT adapter in it belongs to, with
    it; in every game of the catalogue.

    Args:
        manner: in which it is asked everywhere.
        engine: who writes the replies. vLLM does so with a copy, of which it proves that it is one.
        dtype, device, trust_remote_code: as `load` takes them.
        thinking: as `Renderer` takes it.

    Raises:
        ValueError: the folder holds no such model or adapter, the engine is not installed, or it
            is to take the likeliest token, of which nothing can be proved.
    """
    if engine == "vllm" and manner.temperature == 0:
        raise ValueError(
            "at temperature 0 nothing shows whether vLLM writes with the model that it was given. "
            "Use a temperature above 0, or the engine 'transformers'."
        )
    adapted = adapter.is_adapter(path)
    base = adapter.base_of(path) if adapted else path
    language = load(base, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
    if adapted:
        check_base(path, base, weights_digest(base))
        adapter.attach_saved(language.model, ADAPTER, path)
        adapter.speak(language.model, ADAPTER)
    renderer = Renderer(language.tokenizer, thinking=thinking, end_ids=language.end_ids)
    settings = SamplerConfig(engine=engine)
    make = sampler_maker(settings, language, renderer, temperature=manner.temperature)
    sampler = make(manner.max_new_tokens)
    sampler.publish(0)
    games = tuple(CATALOGUE)
    return LocalPolicy(
        path.name,
        language,
        renderer,
        dict.fromkeys(games, manner),
        dict.fromkeys(games, sampler),
    )
