"""TRL's own trainer on the examples' matches: what it pays, what it trains on, and that it learns.

Replies are scripted where a number was worked out by hand, and the tiny model's own elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import shares
import tiny_model
import torch
import trl_grpo
from shares import Match, Table
from tiny_model import THANKS
from trl_grpo import Seat, from_single_replies, options, rewards, rows, trainer

from sepo_envs import CATALOGUE, domain, restore
from sepo_envs.hooks import HarmsHook
from sepo_trainer.policy.model import load


def call(text: str) -> str:
    """As the tiny model's template writes a call of the tool."""
    return f"<reply text>{text}</call><|end|>"


THANK = f"{THANKS}<|end|>"
SCRIPTS = (
    (call("[check]"), call("[call]"), THANK),  # wins 2
    (call("The King. [bet]"), THANK),  # wins 2
    (call("[check]"), call("[fold]"), THANK),  # loses 1
    ("[bet]<|end|>",),  # not by the tool: forfeits both decisions, and loses 1
)
WORTH = torch.tensor([9.0, 9.0, -4.5, -4.5 - 1.5])
"""-9/4 (theirs - mine), and 3/4 off for each of two fouls."""


class Watched:
    """TRL's trainer of the tiny model, and what it sampled and learned from."""

    def __init__(self, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trainer = made
        self.sampled: list[list[int]] = []
        self.batches: list[dict[str, torch.Tensor]] = []
        write, score = made._generate_single_turn, made._generate_and_score_completions

        def writing(*args: Any, **settings: Any) -> Any:
            ids, logprobs = write(*args, **settings)
            self.sampled += [list(written) for written in ids]
            return ids, logprobs

        def scoring(inputs: Any) -> Any:
            self.batches.append(score(inputs))
            return self.batches[-1]

        monkeypatch.setattr(made, "_generate_single_turn", writing)
        monkeypatch.setattr(made, "_generate_and_score_completions", scoring)

    def learned(self, batch: dict[str, torch.Tensor], row: int) -> list[int]:
        """The tokens of a row that are trained on."""
        return batch["completion_ids"][row][lit(batch)[row]].tolist()


def lit(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Where the loss of a batch looks, ``(rows, tokens)``."""
    return (batch["completion_mask"] * batch.get("tool_mask", 1)).bool()


def log_probs(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Of each row's trained tokens, ``(rows,)``, by the model's own logits."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    real = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    with torch.no_grad():
        of_all = model.eval()(input_ids=ids, attention_mask=real).logits.log_softmax(-1)
    begin = batch["prompt_ids"].shape[1]
    each = of_all[:, begin - 1 : -1].gather(-1, batch["completion_ids"][..., None])[..., 0]
    return (each * lit(batch)).sum(1)


@pytest.fixture
def make(player, tmp_path, monkeypatch) -> Callable[..., Watched]:
    def made(*only: Match, **settings: Any) -> Watched:
        if only:
            monkeypatch.setattr(trl_grpo, "matches", lambda *_, **__: list(only))
        few = {"steps": 1, "groups": 1, "replicates": 4}
        its = trainer(
            player.model, "kuhn_poker", tmp_path, tokenizer=player.tokenizer, **few | settings
        )
        return Watched(its, monkeypatch)

    return made


@pytest.fixture
def scripted(make, king_first, monkeypatch) -> Watched:
    """One group on one hand, in which replicate n writes ``SCRIPTS[n]``."""
    turns, talking = [iter(script) for script in SCRIPTS], list(range(len(SCRIPTS)))

    def write(_, prompt_ids, *__, **___):
        assert len(prompt_ids) == len(talking)
        texts = [next(turns[who]) for who in talking]
        talking[:] = [who for who, text in zip(talking, texts, strict=True) if "</call>" in text]
        return [tokenizer(text)["input_ids"] for text in texts], None

    monkeypatch.setattr(trl_grpo.GRPOTrainer, "_generate_single_turn", write)
    watched = make(king_first)
    tokenizer = watched.trainer.processing_class
    return watched


@pytest.mark.parametrize("shared", [0.0, 100.0])
def test_a_replicate_is_paid_its_own_share_and_what_all_share_cancels(
    scripted, monkeypatch, shared
):
    parts = Table.parts
    monkeypatch.setattr(
        Table,
        "parts",
        lambda table: parts(table) | {"exploitation": parts(table)["exploitation"] + shared},
    )
    scripted.trainer.train()
    [batch] = scripted.batches
    torch.testing.assert_close(batch["advantages"].flatten(), WORTH - WORTH.mean())
    [log, _] = scripted.trainer.state.log_history
    assert log["rewards/exploitation/mean"] == pytest.approx((-4 - 4 + 2 + 2) / 4 + shared)
    assert log["rewards/fouls/mean"] == 0.5
    assert log["reward"] == pytest.approx(float(WORTH.mean()) - 2.25 * shared)


def test_it_trains_on_what_the_model_wrote_and_never_on_what_it_was_told(scripted):
    scripted.trainer.train()
    [batch] = scripted.batches
    text = scripted.trainer.processing_class.decode
    for row, script in enumerate(SCRIPTS):
        assert text(scripted.learned(batch, row)) == "".join(script)
    told = batch["completion_mask"].bool() & ~batch["tool_mask"].bool()
    heard = [text(batch["completion_ids"][row][told[row]]) for row in range(len(SCRIPTS))]
    assert "Your opponent bets." in heard[0]
    assert "The game is over." in heard[0]
    assert "Your opponent bets." not in heard[1]
    assert "The game is over." in heard[1]
    assert heard[3] == ""


def test_a_step_makes_what_paid_likelier(scripted, folder):
    scripted.trainer.train()
    [batch] = scripted.batches
    before = load(folder, device="cpu").model
    gain = log_probs(scripted.trainer.model, batch) - log_probs(before, batch)
    assert float(gain @ (WORTH - WORTH.mean())) > 0.1
    assert float(gain[3]) < 0  # it paid least


@pytest.mark.parametrize("single", [False, True], ids=["whole matches", "single decisions"])
def test_the_tiny_model_plays_is_paid_what_its_records_say_and_learns(make, player, single):
    before = [weight.clone() for weight in player.model.parameters()]
    watched = make(single=single, steps=2, groups=2, learning_rate=1e-3)
    played: list[Table] = []
    fouls = watched.trainer.reward_funcs[-1]

    def remembered(**batch: Any) -> Any:
        find = from_single_replies if single else trl_grpo.in_environments
        played.extend(find(**batch))
        return fouls(**batch)

    watched.trainer.reward_funcs[-1] = remembered
    watched.trainer.train()

    assert len(played) == 16
    paid = [by_the_record(table) for table in played]
    logged = [log["reward"] for log in watched.trainer.state.log_history if "reward" in log]
    assert logged == pytest.approx([sum(paid[:8]) / 8, sum(paid[8:]) / 8], abs=1e-5)
    assert len(set(paid)) > 1

    learned = [
        watched.learned(b, row) for b in watched.batches for row in range(len(b["advantages"]))
    ]
    assert sum(map(len, learned)) == sum(map(len, watched.sampled))
    if single:
        assert learned == watched.sampled
    else:
        assert len(watched.sampled) > 16  # some had more than one turn
    after = player.model.parameters()
    assert any(not new.equal(old) for new, old in zip(after, before, strict=True))


def by_the_record(table: Table) -> float:
    """A match's share in Kuhn poker's J, from its moves alone."""
    record, row = table.record(), table.match
    episode = restore(domain("kuhn_poker").make(), record)
    margin = HarmsHook(domain("kuhn_poker").harms)(episode, row.seat)["exploitation"]["value"]
    worth = 1.5 * episode.returns[row.seat] if row.pool == "train" else -2.25 * margin
    return worth - 0.75 * episode.fouls[row.seat]


def test_single_replies_are_paid_by_hand():
    """The King facing a bet, from always-bet and from a player of the train pool."""
    columns = {
        "domain": ["kuhn_poker"] * 3,
        "pool": ["exploit"] * 3,
        "opponent": ["always-bet"] * 3,
        "seat": [1] * 3,
        "deal": [4] * 3,
    }
    said = ["It is the best card. [call]", "[fold]", "I call"]
    completions = [[{"role": "assistant", "content": text}] for text in said]
    paid = {f.__name__: f(completions=completions, **columns) for f in rewards(from_single_replies)}
    assert paid == {
        "payoff": [None] * 3,
        "exploitation": [-4.0, 2.0, 2.0],
        "collusion": [None] * 3,
        "externality": [None] * 3,
        "fouls": [0.0, 0.0, 1.0],
    }
    train = columns | {"pool": ["train"] * 3, "opponent": ["loose-aggressive"] * 3}
    payoff, exploitation, *_ = (
        f(completions=completions, **train) for f in rewards(from_single_replies)
    )
    assert exploitation == [None] * 3
    assert payoff[1:] == [-1.0, -1.0]


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_single_decision_ends_every_match_that_is_offered_as_one(name):
    data = rows(name, 6, single=True)
    assert len(data) >= 12
    for row in data:
        match = trl_grpo.match_of(row)
        for least_or_most in (0, -1):
            table = Table(match, **options(name, single=True))
            assert row["prompt"] == [{"role": "user", "content": table.question}]
            table.hear(table.legal_replies()[least_or_most])
            assert table.over


def test_what_the_game_raises_ends_the_training_and_is_not_told_to_the_model(
    king_first, monkeypatch
):
    def broken(*_):
        raise RuntimeError("the opponent has left the building")

    seat = Seat()
    seat.reset(**vars(king_first), prompt="unread")
    monkeypatch.setattr(shares.SingleAgentTextEnv, "step", broken)
    with pytest.raises(RuntimeError, match="building"):
        seat.reply("[bet]")
    with pytest.raises(RuntimeError, match="building"):
        rewards(trl_grpo.in_environments)[0](environments=[seat])
    seat.reset(**vars(king_first))  # the next match of the same replicate starts afresh
    monkeypatch.undo()
    assert "could not be read" in seat.reply(7)
    assert seat.reply("[bet]") == "The game is over."
    assert seat.played.parts()["exploitation"] == -4.0


def test_the_command_line_trains_the_model_of_a_folder(folder, tmp_path, monkeypatch, capsys):
    def run(main: Callable[[], None], *words: str) -> None:
        monkeypatch.setattr("sys.argv", ["example", *words])
        main()

    out = tmp_path / "run"
    run(trl_grpo.main, str(folder), "--steps", "1", "--out", str(out))
    new, old = (load(where, device="cpu").model.state_dict() for where in (out, folder))
    assert new.keys() == old.keys()
    assert not any(new[name].equal(old[name]) for name in new)
    for main in (tiny_model.main, trl_grpo.main):
        with pytest.raises(SystemExit, match="0"):
            run(main, "--help")
    assert "--single-decisions" in capsys.readouterr().out
