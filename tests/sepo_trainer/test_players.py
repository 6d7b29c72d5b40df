"""Policies of runs and folders at the table: held against enumeration, and against training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from opponents.kuhn_poker import POOLS, TIGHT_PASSIVE
from opponents.language_model import ChatRequest
from opponents.matches import play_matches
from opponents.scorecard import play_pools, scorecard
from sepo_envs.episode import begin
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.protocol import STYLES, Message, Style, Talk
from sepo_trainer.__main__ import main
from sepo_trainer.courses.scores import meet
from sepo_trainer.policy import adapter
from sepo_trainer.policy.base import weights_digest
from sepo_trainer.policy.model import load, tiny
from sepo_trainer.policy.rendering import Renderer, Speaker
from sepo_trainer.records import Reply, Request
from sepo_trainer.runs import session
from sepo_trainer.runs.players import LocalPolicy, Manner, policy_of_folder, policy_of_run
from sepo_trainer.runs.session import reopen
from sepo_trainer.samplers import choice
from sepo_trainer.samplers.chat import SampledChat
from tests.sepo_trainer.runs import run_with
from tests.sepo_trainer.test_published import CopyEngine

SHORT = Manner("fresh", 1.0, 32)


@pytest.fixture(scope="module")
def runs(warm_model, tmp_path_factory):
    """``runs(style)``: the folder of a run of one iteration on the warm model."""
    place, made = tmp_path_factory.mktemp("runs"), dict[Style, Path]()
    patch = pytest.MonkeyPatch()
    patch.setattr(session, "write_report", lambda folder: None)

    def run(style: Style) -> Path:
        if style not in made:
            made[style] = place / style
            settings = ["--runs", str(place), "--name", style, "--rollout.style", style]
            model = ["--model.path", str(warm_model(style)), "--warm-start.steps", "0"]
            quick = ["--learning.iterations", "1", "--rollout.group-size", "2"]
            assert main(["train", *settings, *model, *quick]) == 0
        return made[style]

    yield run
    patch.undo()


@pytest.mark.parametrize("style", STYLES)
def test_a_run_reads_out_as_in_training_and_earns_what_its_table_earns(runs, style) -> None:
    """Every pool, the best response to it among them, within 4 standard errors of enumeration."""
    policy = policy_of_run(runs(style))
    _, run = reopen(runs(style))
    table, tree = run.course.table(), run.course.stage.tree
    assert policy.table("kuhn_poker") == table
    assert policy.domains == ("kuhn_poker",)
    assert policy.name == f"{style}@1"
    pools = {name: pool.met_by(table, tree=tree) for name, pool in POOLS.items()}
    card = scorecard(
        "kuhn_poker", play_pools(policy.player("kuhn_poker"), "kuhn_poker", pools, deals=100)
    )
    exact = {
        one.name: meet(tree, table, one).payoff for members in pools.values() for one in members
    }
    assert len(card.opponents) == len(exact) == 9
    for line in card.opponents:
        error = (line.payoff.high - line.payoff.low) / (2 * 1.96)
        assert abs(line.payoff.value - exact[line.opponent]) < 4 * error


@pytest.mark.parametrize("style", STYLES)
def test_before_its_first_update_a_run_is_the_model_it_was_given_asked_as_it_asks(
    runs, warm_model, style
) -> None:
    begun, learned = (policy_of_run(runs(style), at=at) for at in ("0", "last"))
    given = policy_of_folder(warm_model(style), begun.manners["kuhn_poker"])
    assert begun.name == f"{style}@0"
    assert begun.table("kuhn_poker") == given.table("kuhn_poker")
    assert begun.table("kuhn_poker") != learned.table("kuhn_poker")


class Odd:
    """Writes its move in ids that no encoder gives for that text, letter by letter, and remembers
    what it read."""

    version = 0

    def __init__(self, renderer: Renderer, text: str) -> None:
        self.ids = tuple(token for letter in text for token in renderer.reply(letter)[:-1])
        assert renderer.text(self.ids) == text
        self.ids += (renderer.end_id,)
        self.read: list[Request] = []

    def generate(self, requests):
        self.read += requests
        return [Reply(self.ids, (0.0,) * len(self.ids), True) for _ in requests]


@pytest.mark.parametrize("style", STYLES)
def test_what_it_reads_is_what_it_reads_in_training_id_by_id(style: Style) -> None:
    """It checks, the other bets, it reads on behind what it wrote: as `Speaker`, which training
    plays with, has it."""
    language = tiny(hidden=32, layers=1, heads=2, run_seed=0)
    renderer = Renderer(language.tokenizer)
    writer = Odd(renderer, "[check]")
    player = SampledChat("odd", writer, renderer, style=style)
    words, episode = KuhnPokerWords(KuhnPoker()), begin(KuhnPoker()).play(Card.KING).play(Card.JACK)
    speaker = Speaker(Talk(words, 0, style))
    follows = None
    for number, move in enumerate((Move.PASS, Move.BET)):
        speaker = speaker.hears(episode)
        wanted = speaker.prompt(renderer)
        messages = speaker.talk.messages
        player.reply([ChatRequest(messages, 7 + number, follows)])
        assert writer.read[-1] == Request(wanted, 7 + number)
        follows = 7 + number if style == "conversation" else None
        speaker, _ = speaker.says(writer.ids, episode, renderer)
        episode = episode.play(move)
        if episode.actor == 1:
            episode = episode.play(Move.BET)
    held = writer.read[0].prompt_ids + writer.ids
    anew = renderer.prompt(messages)
    if style == "conversation":
        assert writer.read[1].prompt_ids[: len(held)] == held != anew[: len(held)]
    else:
        assert writer.read[1].prompt_ids == anew


def test_chats_with_the_same_words_go_on_from_their_own_ids() -> None:
    language = tiny(hidden=32, layers=1, heads=2, run_seed=0)
    renderer = Renderer(language.tokenizer)
    letters = Odd(renderer, "[bet]")
    player = SampledChat("odd", letters, renderer, style="conversation")
    ask = (Message("user", "Your move?"),)
    player.reply([ChatRequest(ask, 1)])
    letters.ids = renderer.reply("[bet]")  # the same text, other ids
    player.reply([ChatRequest(ask, 2)])
    said = (*ask, Message("assistant", "[bet]"), Message("user", "Again?"))
    player.reply([ChatRequest(said, 3, follows=1), ChatRequest(said, 4, follows=2)])
    first, second = (request.prompt_ids for request in letters.read[2:])
    assert len(first) > len(second)
    assert second == renderer.prompt(said)
    player.reply([ChatRequest(said, 5, follows=99)])  # of a reply that it never gave
    assert letters.read[-1].prompt_ids == renderer.prompt(said)


def replies_of(policy: LocalPolicy) -> list[str]:
    seats = [policy.player("kuhn_poker"), TIGHT_PASSIVE]
    matches = play_matches("kuhn_poker", seats, deals=range(20), seed=3)
    return [message.content for match in matches for message in match.spoken[0].messages]


def test_a_model_folder_plays_every_game_and_reads_out_as_a_run_on_it(warm_model) -> None:
    folder = warm_model("fresh")
    policy = policy_of_folder(folder, SHORT)
    run = run_with(folder)
    assert policy.table("kuhn_poker") == run.course.table()
    assert set(policy.domains) > {"kuhn_poker", "split_negotiation"}
    assert policy.table("split_negotiation") is None
    assert policy.name == folder.name
    again = policy_of_folder(folder, SHORT)
    assert replies_of(again) == replies_of(policy)
    assert again.fingerprint == policy.fingerprint
    colder = policy_of_folder(folder, Manner("fresh", 0.0, 32))
    assert colder.table("kuhn_poker") is None
    assert colder.fingerprint != policy.fingerprint
    [greedy] = {
        colder.player("kuhn_poker").reply([ChatRequest((Message("user", "Hm?"),), seed)])[0]
        for seed in range(5)
    }
    assert greedy.output_tokens <= 32


def test_an_adapter_is_put_on_its_model_and_told_apart_from_it(warm_model, tmp_path: Path) -> None:
    base = warm_model("fresh")
    model = load(base).model
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=0)
    with torch.no_grad():
        for name, weight in adapter.tensors(model, "warm").items():
            weight.copy_(torch.full_like(weight, 0.05 if name.endswith("B") else 0.1))
    folder = tmp_path / "adapter"
    adapter.save_adapter(model, folder, "warm", base=str(base), digest=weights_digest(base))
    adapter.merge(model, "warm")
    merged = tmp_path / "merged"
    model.save_pretrained(merged)
    load(base).tokenizer.save_pretrained(merged)
    of_adapter, of_merged = policy_of_folder(folder, SHORT), policy_of_folder(merged, SHORT)
    plain = policy_of_folder(base, SHORT)
    assert plain.fingerprint not in (of_adapter.fingerprint, of_merged.fingerprint)
    mine, theirs = (one.table("kuhn_poker") for one in (of_adapter, of_merged))
    for situation, row in mine.rows.items():
        assert row == pytest.approx(theirs.rows[situation], abs=1e-4)
        assert row != pytest.approx(plain.table("kuhn_poker").rows[situation], abs=1e-4)


def test_an_engine_writes_with_a_copy_of_the_folders_model(warm_model, monkeypatch) -> None:
    """The stand-in samples as this process does, so its replies are the same; it takes the model
    over once, and proves it."""
    folder, engine = warm_model("fresh"), CopyEngine()
    monkeypatch.setattr(choice, "_engine", lambda settings: engine)
    through = policy_of_folder(folder, SHORT, engine="vllm")
    assert engine.called == ["take 1", "write", "write"]
    assert replies_of(through) == replies_of(policy_of_folder(folder, SHORT))
    with pytest.raises(ValueError, match="at temperature 0 nothing shows whether vLLM"):
        policy_of_folder(folder, Manner(temperature=0.0), engine="vllm")


def test_places_without_a_policy_are_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        policy_of_folder(tmp_path)
    with pytest.raises(ValueError, match="is no run folder"):
        policy_of_run(tmp_path / "nowhere")
