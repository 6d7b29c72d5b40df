"""Every domain as an environment of ``verifiers`` (0.4), to evaluate models and to train them.

    PYTHONPATH=examples vf-eval verifiers_environment --no-push -n 12 -r 4 \\
        -o runs/verifiers --model NAME --client.base-url http://localhost:8000/v1 \\
        --env.taskset.domain kuhn_poker

plays the first 12 rows of `shares.matches` 4 times each, with the model of any server that speaks
OpenAI's protocol; ``--no-push`` keeps the results here. Trainers on top of ``verifiers`` make a
group of a row's rollouts: same deal, same opponent, same seat.

* `MatchTaskset` is the data: whom the policy meets, where and on which deal.
* `MatchEnv` is the match: it asks, hears, and asks on, by our text protocol and foul rule.
* `TalkHarness` passes messages to the model and does nothing else, so that no program is installed
  or started per turn, as those that come with ``verifiers`` do.

The rewards are the parts of J, under their published weights; `shares` says what each is a mean of,
and why a harm must be in the reward of the very rollout that did it. Every trace keeps the match
under ``info["match"]``, and `sepo_envs.restore` plays it again.

A model whose server fails has not moved: that rollout ends with an error and without a reward. One
that is cut off by a limit of its own (``--env.player.max-turns``) has left the table, and forfeits
what it still had to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import httpx
import verifiers.v1 as vf
from shares import Match, Table, matches, weights
from verifiers.v1.dialects.chat import message_to_wire

__all__ = ["MatchEnv", "MatchTaskset", "TalkHarness"]

LONGEST_WAIT: Final = 600.0
"""Seconds for one reply."""


class MatchConfig(vf.TasksetConfig):
    """``--env.taskset.*``"""

    domain: str = "kuhn_poker"
    each: int = 64
    """Matches against every pool."""


class MatchData(vf.TaskData):
    match: Match


class MatchTask(vf.Task[MatchData, vf.State, vf.TaskConfig]):
    """One row. `MatchEnv` asks all questions, the first too, and gives the rewards."""


class MatchTaskset(vf.Taskset[MatchTask, MatchConfig]):
    def load(self) -> Iterator[MatchTask]:
        for match in matches(self.config.domain, self.config.each):
            name = "{domain}: {opponent} ({pool}), seat {seat}, deal {deal}".format(**asdict(match))
            yield MatchTask(MatchData(name=name, match=match), self.config.task)


class MatchEnvConfig(vf.EnvConfig):
    """``--env.*``"""

    player: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    max_retries: int = 1
    """After an unreadable reply, before it is a foul."""


class MatchEnv(vf.Env[MatchEnvConfig]):
    async def run(self, task: MatchTask, agents: vf.Agents) -> None:
        table = Table(task.data.match, max_retries=self.config.max_retries)
        async with agents.player.interaction(task) as talk:
            while not table.over:
                said = await talk.turn(table.question)
                if said.terminated:
                    break
                table.hear(said.last_reply)
        if not talk.trace.ok:
            return
        table.leave()
        of_j = weights(task.data.match.domain)
        for part, value in table.parts().items():
            if value is not None:
                talk.trace.record_reward(part, value, of_j[part])
        talk.trace.info["match"] = table.record()


class TalkConfig(vf.HarnessConfig):
    """``--env.player.harness.*``"""


class TalkHarness(vf.Harness[TalkConfig]):
    """The conversation so far to the model, its answer to the trace."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        system, prompt = self.resolve_prompt(data)
        told = [vf.UserMessage(content=prompt)] if isinstance(prompt, str) else prompt or []
        messages = [message_to_wire(message) for message in told]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        async with httpx.AsyncClient(timeout=LONGEST_WAIT) as server:
            answer = await server.post(
                f"{endpoint}/chat/completions",
                headers={"Authorization": f"Bearer {secret}"},
                json={"model": ctx.model, "messages": messages},
            )
        failed = "" if answer.is_success else answer.text
        return vf.ProgramResult(exit_code=int(answer.is_error), stdout="", stderr=failed)
