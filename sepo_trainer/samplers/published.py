"""A policy in an engine with weights of its own: its copies are numbered, and each is tried out.

What an engine writes with is not what learns but a copy of it. A copy can go wrong without a sound:
an adapter that is ignored, keys and values of earlier weights, a precision nobody asked for. So
after every publish, and whenever the engine has slept, it replies to some fixed prompts, and the
model that learns says how likely each token was; a run stops where the two disagree. That they
agree says nothing of how the tokens were drawn where an engine reports log-probs from before the
temperature; so the first copy is also tried at another temperature, which would show it.

Knows tokens only, and no engine in particular.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from transformers import PreTrainedModel

from sepo_trainer.learning.importance import Agreement, agreement, check_drift
from sepo_trainer.learning.readback import Written, read_back
from sepo_trainer.records import Ids, Reply, Request
from sepo_trainer.samplers.transformers import TransformersSampler

CANARY_TOKENS = 8
"""Of each reply to a fixed prompt."""
HOT = 2.0
"""The temperature that the first copy is tried at besides the run's: far from 1, where log-probs
from before the temperature are those from after it."""
UNBENT: dict[str, float | int] = {
    **{"top_p": 1.0, "top_k": 0, "min_p": 0.0, "min_tokens": 0},
    **{"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
}
"""By vLLM's names, all that would bend the softmax or cut it short, switched off. What a request
leaves out, a server takes from the model's `generation_config.json`."""


class Sampling(NamedTuple):
    """How an engine is to write: besides this, with `UNBENT`. What it reports is then the log-prob
    of a draw from the softmax at this temperature."""

    temperature: float
    max_new_tokens: int
    end_ids: tuple[int, ...]


class Engine(Protocol):
    """Writes replies with weights of its own."""

    def take(self, model: PreTrainedModel, number: int) -> None:
        """Take over the weights of ``model``, and forget what was read under earlier ones.

        Args:
            number: of the publish, counted from 1; none comes twice to one engine.
        """

    def write(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        """One reply per request, in order."""

    def sleep(self) -> None:
        """Give memory back until `wake`, where the engine shares it with the learner."""

    def wake(self) -> None:
        """Be ready again, with the weights as they were."""


class PublishedPolicy:
    """The learner's model in an engine, as the samplers of all courses share it.

    Args:
        model: the learner's.
        temperature: of the softmax, above 0.
        prompts: the fixed ones that each copy is tried with. Long ones tell more: what an engine
            keeps of a prompt, it keeps in whole blocks of tokens.
        most_drift: nats per token between engine and learner in the mean; beyond it a run stops.
    """

    def __init__(
        self,
        engine: Engine,
        model: PreTrainedModel,
        *,
        end_ids: tuple[int, ...],
        pad_id: int,
        temperature: float,
        prompts: Sequence[Ids],
        most_drift: float,
    ) -> None:
        self.engine, self.model = engine, model
        self.end_ids, self.pad_id, self.temperature = end_ids, pad_id, temperature
        self.prompts, self.most_drift = prompts, most_drift
        self.version: int | None = None
        """Of the weights in the engine; None before the first, and after one that failed."""
        self._count = 0
        self._asleep = False

    def publish(self, version: int) -> None:
        """Copy the weights as they stand into the engine, unless ``version`` is there already.

        Raises:
            DriftError: the engine does not write with them.
        """
        if version == self.version:
            return
        self.version = None
        self._count += 1
        self._wake()
        self.engine.take(self.model, self._count)
        if self._count == 1:
            self.try_out(f"after publish 1 and at temperature {HOT:g}", temperature=HOT)
        self.try_out(f"after publish {self._count}")
        self.version = version

    def write(self, requests: Sequence[Request], max_new_tokens: int) -> list[Reply]:
        self.published()
        if self._asleep:
            self._wake()
            self.try_out("after the engine has slept")
        if not requests:
            return []
        return self.engine.write(requests, self._sampling(max_new_tokens))

    def published(self) -> int:
        """The version of the weights in the engine.

        Raises:
            RuntimeError: none were published, or what was did not agree with the learner's.
        """
        if self.version is None:
            raise RuntimeError("a run publishes, and with success, before it plays")
        return self.version

    def rest(self) -> None:
        """Until the next publish, or request, the learner may have the engine's memory."""
        if not self._asleep and self.version is not None:
            self.engine.sleep()
            self._asleep = True

    def try_out(self, when: str, *, temperature: float | None = None) -> Agreement:
        """Ask the engine for replies to the fixed prompts, and the learner what it makes of them.

        Args:
            when: begins the message.
            temperature: another one than the run's.

        Raises:
            DriftError: they disagree.
        """
        requests = [Request(ids, number) for number, ids in enumerate(self.prompts)]
        sampling = self._sampling(CANARY_TOKENS)
        if temperature is not None:
            sampling = sampling._replace(temperature=temperature)
        replies = self.engine.write(requests, sampling)
        again = read_back(
            self.model,
            [
                Written(request.prompt_ids, reply.output_ids, (True,) * len(reply.output_ids))
                for request, reply in zip(requests, replies, strict=True)
            ],
            pad_id=self.pad_id,
            temperature=sampling.temperature,
        )
        sampled = np.concatenate([reply.logprobs for reply in replies])
        found = agreement(np.concatenate(again), sampled, cap=1.0)
        where = f"{when}, on fixed prompts"
        check_drift(found, most=self.most_drift, where=where, engine="vllm")
        return found

    def _wake(self) -> None:
        if self._asleep:
            self.engine.wake()
            self._asleep = False

    def _sampling(self, max_new_tokens: int) -> Sampling:
        return Sampling(self.temperature, max_new_tokens, self.end_ids)


class PublishedSampler:
    """A `Sampler` over a policy that was published.

    Args:
        max_new_tokens: a reply that has not ended by then is cut off there.
    """

    def __init__(self, policy: PublishedPolicy, *, max_new_tokens: int) -> None:
        self.policy, self.max_new_tokens = policy, max_new_tokens

    @property
    def version(self) -> int:
        return self.policy.published()

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        return self.policy.write(requests, self.max_new_tokens)

    def publish(self, version: int) -> None:
        self.policy.publish(version)

    def rest(self) -> None:
        self.policy.rest()

    def with_weights_of(self, model: PreTrainedModel) -> TransformersSampler:
        """One that writes likewise, with another model of the same tokens: in this process, since
        an engine holds the policy alone."""
        return TransformersSampler(
            model,
            end_ids=self.policy.end_ids,
            pad_id=self.policy.pad_id,
            temperature=self.policy.temperature,
            max_new_tokens=self.max_new_tokens,
        )


def fresh_name() -> str:
    """Of one engine: no other, here or in another process, had it or will have it."""
    return f"sepo-{secrets.token_hex(8)}"


def adapter_name(engine: str, number: int) -> str:
    """Of the adapter that a publish brings to the engine of that name. vLLM takes a name for what
    it knew by that name, and keeps what was read under it; so none comes twice, not even from a
    resumed run, which counts from 1 again.

    >>> adapter_name("sepo-3f", 12)
    'sepo-3f-000012'
    """
    return f"{engine}-{number:06d}"
