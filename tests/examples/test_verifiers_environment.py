"""The environment through ``verifiers`` itself, with models behind a local server: what it pays
equals what was worked out by hand, and what the moves in its traces are worth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import shares
import torch
import verifiers.v1 as vf
import verifiers_environment
from shares import Match, Table
from verifiers.v1.cli.eval.main import main as vf_eval
from verifiers_environment import MatchConfig, MatchTaskset

from sepo_envs import domain, restore
from sepo_envs.hooks import HarmsHook
from tests.examples.conftest import Answer, served

OF_J = {"payoff": 1.5, "exploitation": -2.25, "fouls": -0.75}


def played(answer: Answer, rows: list[Match], monkeypatch, **settings: Any) -> list[vf.Episode]:
    """An episode of each row, played by whoever gives ``answer``."""
    monkeypatch.setattr(verifiers_environment, "matches", lambda *_: rows)
    raw = {"taskset": {"id": "verifiers_environment"}, **settings}
    env = vf.load_environment(vf.resolve_env_config(raw))

    async def all_of_them(address: str) -> list[vf.Episode]:
        client = vf.EvalClientConfig(base_url=address)
        model = vf.ModelContext(client=client, model="m", sampling=vf.SamplingConfig())
        async with env.serving():
            return [await env.run_episode(task, model) for task in env.taskset]

    with served(answer) as address:
        return asyncio.run(all_of_them(address))


def in_turn(*replies: str) -> Answer:
    left = list(replies)
    return lambda _: left.pop(0)


@pytest.mark.parametrize(
    ("replies", "points", "fouls"),
    [
        (["I check. [check]", "[call]"], 2, 0),
        (["[check]", "[fold]"], -1, 0),
        (["[bet]"], 2, 0),
        (["I bet", "[raise]", "[call]"], 2, 1),  # checked for it after two tries
    ],
)
def test_a_rollout_is_paid_what_paper_and_pencil_say(
    king_first, monkeypatch, replies, points, fouls
):
    [episode] = played(in_turn(*replies), [king_first], monkeypatch)
    [trace] = episode.traces
    assert episode.ok
    assert {name: (r.score, r.weight) for name, r in trace.rewards.items()} == {
        "exploitation": (-2 * points, -2.25),
        "fouls": (fouls, -0.75),
    }
    assert trace.reward == 4.5 * points - 0.75 * fouls
    assert [message.content for message in trace.assistant_messages] == replies
    assert trace.info["match"]["returns"] == [points, -points]


def test_the_model_reads_the_chat_that_our_environment_holds(king_first, monkeypatch):
    heard = []

    def answer(messages: list[dict[str, str]]) -> str:
        heard.append([(message["role"], message["content"]) for message in messages])
        return ["hm", "[check]", "[fold]"][len(heard) - 1]

    played(answer, [king_first], monkeypatch)
    table, told = Table(king_first), []
    for reply in ("hm", "[check]", "[fold]"):
        told += [("user", table.question), ("assistant", reply)]
        table.hear(reply)
    assert heard == [told[:1], told[:3], told[:5]]
    assert "could not be read" in told[2][1]


def test_a_server_that_fails_has_not_moved(king_first, monkeypatch):
    def failing(messages: list[dict[str, str]]) -> str:
        if len(messages) > 1:
            raise RuntimeError("out of memory")
        return "[check]"

    [episode] = played(failing, [king_first], monkeypatch)
    [trace] = episode.traces
    assert not episode.ok
    assert not trace.ok
    assert "out of memory" in trace.errors[-1].message
    assert trace.rewards == {}


def test_a_limit_ends_the_talk_and_the_rest_is_forfeited(king_first, monkeypatch):
    """A check, and then a forfeit, which folds: -1 point, so e is 2; and one foul."""
    [episode] = played(in_turn("[check]"), [king_first], monkeypatch, player={"max_turns": 1})
    [trace] = episode.traces
    assert episode.ok
    assert trace.stop_condition == "max_turns"
    assert trace.reward == -4.5 - 0.75
    assert trace.info["match"]["moves"][-1] == [0, {"forfeit": True}]


def test_what_an_opponent_raises_is_the_episodes_error(king_first, monkeypatch):
    def broken(*_: Any) -> None:
        raise ValueError("no such card")

    monkeypatch.setattr(shares.SingleAgentTextEnv, "step", broken)
    [episode] = played(in_turn("[bet]"), [king_first], monkeypatch)
    assert not episode.ok
    assert "no such card" in episode.errors[-1].message
    assert not any(trace.rewards for trace in episode.traces)


def test_the_tiny_model_plays_and_is_paid_what_its_moves_are_worth(player, monkeypatch):
    model, tokenizer = player.model, player.tokenizer
    torch.manual_seed(0)

    def answer(messages: list[dict[str, str]]) -> str:
        ids = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = model.generate(**ids, max_new_tokens=16, do_sample=True)
        return tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)

    rows = shares.matches("kuhn_poker", 6)
    episodes = played(answer, rows, monkeypatch)
    assert len(episodes) == 12
    moved = 0
    for row, episode in zip(rows, episodes, strict=True):
        [trace] = episode.traces
        assert episode.ok
        assert trace.task.data.match == row
        match = restore(domain("kuhn_poker").make(), trace.info["match"])
        margin = HarmsHook(domain("kuhn_poker").harms)(match, row.seat)["exploitation"]["value"]
        fouls = match.fouls[row.seat]
        measured = (
            {"payoff": match.returns[row.seat]} if row.pool == "train" else {"exploitation": margin}
        )
        found = {name: reward.score for name, reward in trace.rewards.items()}
        assert found == measured | {"fouls": fouls}
        assert trace.reward == sum(OF_J[name] * value for name, value in found.items())
        moved += sum(actor == row.seat for actor, _ in match.entries) - fouls
    assert moved > 6


@pytest.mark.parametrize("name", ["kuhn_poker", "prisoners_dilemma"])
def test_the_tasks_are_the_rows_of_the_data(name):
    config = MatchConfig(id="verifiers_environment", domain=name, each=4)
    tasks = list(MatchTaskset(config))
    assert [task.data.match for task in tasks] == shares.matches(name, 4)
    assert len({task.key for task in tasks}) == len(tasks)
    assert type(tasks[0].data).model_validate_json(tasks[0].data.model_dump_json()) == tasks[0].data
    assert asdict(tasks[0].data.match)["opponent"] in tasks[0].data.name


def test_vf_eval_runs_it_from_the_command_line(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said: Callable[[list[dict[str, str]]], str] = lambda messages: (  # noqa: E731
        "[call]" if "[call]" in messages[-1]["content"] else "[bet]"
    )
    with served(said) as address:
        words = "verifiers_environment --no-push --no-rich -n 2 -r 2 --model m --client.base-url"
        vf_eval([*words.split(), address, "--env.taskset.each", "1", "--run.name", "a-run"])
    [traces] = Path("outputs").rglob("traces.jsonl")
    assert len(traces.read_text().splitlines()) == 4
    assert "always-bet (exploit), seat 0, deal 0" in capsys.readouterr().out
