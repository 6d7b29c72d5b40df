"""The exact action table: against brute force, and against what is really played."""

from collections import Counter
from math import exp

import pytest
import torch
from scipy.stats import chisquare

from opponents.kuhn_poker import ALWAYS_BET, bets
from opponents.opponent import from_table
from sepo_envs.episode import Episode, begin
from sepo_envs.games.kuhn_poker.rules import Card, Move
from sepo_envs.protocol import Message, Talk
from sepo_trainer.policy.tokenizer import ASSISTANT, END
from tests.sepo_trainer.runs import UNTRAINED, run_with

TEMPERATURE = 0.8
NEVER_BETS = from_table("never-bets", bets(), "by hand")
"""With always-bet it leads a policy into all twelve situations."""


def reach(run, situation: str) -> Episode:
    """By hand: the card and the line so far, against some other card."""
    card = {"J": Card.JACK, "Q": Card.QUEEN, "K": Card.KING}[situation[0]]
    other = Card.QUEEN if card != Card.QUEEN else Card.JACK
    line = [Move.BET if letter == "b" else Move.PASS for letter in situation[1:]]
    episode = begin(run.course.stage.game)
    for move in ((card, other) if len(line) != 1 else (other, card)) + tuple(line):
        episode = episode.play(move)
    return episode


def replies(run, episode: Episode) -> dict[Move, list[str]]:
    """Every complete legal reply: each thought, or none, before each move."""
    state, seat = episode.state, episode.actor
    words = run.course.stage.words
    return {
        move: [
            f"{thought} {words.say(move, state, seat)}".strip()
            for thought in ("", *words.thoughts(state, seat))
        ]
        for move in (Move.PASS, Move.BET)
    }


class Forward:
    """How likely a model gives a reply, by one plain forward pass over the written-out chat."""

    def __init__(self, run):
        self.run = run

    @torch.no_grad()
    def __call__(self, messages: tuple[Message, ...], reply: str) -> float:
        tokenizer = self.run.language.tokenizer
        chat = "".join(f"<|{role}|>{content}{END}" for role, content in messages)
        prompt = tokenizer(f"{chat}{ASSISTANT}")["input_ids"]
        ids = [*tokenizer(reply)["input_ids"], tokenizer.eos_token_id]
        logits = self.run.language.model(torch.tensor([prompt + ids])).logits[0].double()
        logprobs = torch.log_softmax(logits[len(prompt) - 1 : -1] / TEMPERATURE, dim=-1)
        return exp(float(sum(logprobs[at, token] for at, token in enumerate(ids))))


def brute_force(run, situation: str, *, weighted: bool = True) -> tuple[dict[Move, float], float]:
    """Each move's probability in ``situation``, and how much of the reply is no legal reply."""
    likely, episode = Forward(run), reach(run, situation)
    seat, style = episode.actor, run.config.rollout.style
    before = [(1.0, Talk(run.course.stage.words, seat, style))]
    if len(situation) == 3 and style == "conversation":
        first = reach(run, situation[0])
        [opened] = [talk.hear(first) for _, talk in before]
        before = [
            (likely(opened.messages, said), opened.reply(said, first)[0])
            for said in replies(run, first)[Move.PASS]
        ]
    mass = dict.fromkeys((Move.PASS, Move.BET), 0.0)
    total = sum(weight if weighted else 1.0 for weight, _ in before)
    for weight, talk in before:
        asked = talk.hear(episode).messages
        for move, texts in replies(run, episode).items():
            share = (weight if weighted else 1.0) / total
            mass[move] += share * sum(likely(asked, text) for text in texts)
    covered = sum(mass.values())
    return {move: p / covered for move, p in mass.items()}, 1 - covered


@pytest.fixture(
    scope="module",
    params=[(style, trained) for style in ("fresh", "conversation") for trained in (True, False)],
    ids=lambda param: f"{param[0]}-{'warm' if param[1] else 'untrained'}",
)
def run(request, warm_model):
    style, trained = request.param
    model = warm_model(style) if trained else UNTRAINED
    return run_with(model, style=style, rollout={"temperature": TEMPERATURE})


def test_the_table_is_what_brute_force_finds(run):
    """Every legal reply scored alone; covered and uncovered probability sum to 1."""
    table = run.course.table()
    assert len(table.rows) == 12
    for situation in table.rows:
        row, uncovered = brute_force(run, situation)
        assert table[situation] == pytest.approx(row, rel=1e-4)
        assert table.uncovered[situation] == pytest.approx(uncovered, abs=1e-5)


def test_in_a_conversation_earlier_replies_count_by_how_likely_they_were():
    """The plain mean over them would be another policy than the one that plays.

    By random weights: a warm-started model hardly minds which reason it gave before.
    """
    wide = UNTRAINED | {"hidden": 64}
    run = run_with(wide, style="conversation", rollout={"temperature": TEMPERATURE})
    table = run.course.table()
    off = [
        abs(brute_force(run, situation, weighted=False)[0][Move.BET] - table[situation][Move.BET])
        for situation in ("Jpb", "Qpb", "Kpb")
    ]
    assert max(off) > 1e-3


@pytest.mark.parametrize("style", ["fresh", "conversation"])
def test_play_has_the_frequencies_of_the_table(warm_model, style):
    """Pearson's chi-squared in each situation over pass, bet and what the table leaves uncovered.

    First tries only; and behind an own earlier reply, only where the table counts that reply.
    """
    run = run_with(warm_model(style), style=style, group_size=200)
    table = run.course.table()
    groups = run.course.arena.play(
        run.course.sampler, {"train": (ALWAYS_BET, NEVER_BETS)}, iteration=0
    )
    seen: dict[str, Counter] = {}
    for group in groups:
        for rollout in group.rollouts:
            decisions = list(rollout.episode.decisions(group.key.seat))
            for (state, _), turn in zip(decisions, rollout.turns, strict=False):
                observation = run.course.stage.game.observe(state, group.key.seat)
                legal = {
                    text: move
                    for move, texts in replies(run, reach(run, observation.situation)).items()
                    for text in texts
                }
                said = legal.get(run.renderer.text(turn.output_ids), "uncovered")
                seen.setdefault(observation.situation, Counter())[said] += 1
                if said == "uncovered":
                    break  # a retry comes next, or a conversation that the table does not follow
    assert seen.keys() == table.rows.keys()
    chances = []
    for situation, counts in seen.items():
        left = table.uncovered[situation]
        expected = {move: p * (1 - left) for move, p in table[situation].items()}
        shares = expected | {"uncovered": left}
        total = counts.total()
        assert total > 50
        likely = [kind for kind, p in shares.items() if p * total >= 5]
        bins = [(counts[kind], shares[kind] * total) for kind in likely]
        rest = (total - sum(n for n, _ in bins), total - sum(e for _, e in bins))
        bins += [rest] if rest[1] > 1e-6 * total else []
        observed, hoped = zip(*bins, strict=True)
        chances.append(chisquare(observed, hoped).pvalue if len(bins) > 1 else 1.0)
    assert min(chances) > 0.001 / len(chances)
    assert sum(chance < 0.05 for chance in chances) <= 3
