"""The tokens learned from are the tokens that were sampled, with the log-probs they had."""

from dataclasses import replace

import pytest
import torch

from sepo_trainer.learning.learner import Batch, Pull
from sepo_trainer.learning.measure import measure
from sepo_trainer.learning.rows import stretches
from sepo_trainer.policy.forward import hidden_states
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.policy.tokenizer import ASSISTANT, USER
from tests.sepo_trainer.runs import UNTRAINED, rows_played, run_with, turns_of
from tests.sepo_trainer.tabular import changing

TEMPERATURE = 0.8
"""Not 1, so that a log-prob taken without it would show."""
SAME = 1e-5
"""Nats: what single precision leaves of agreement over a few dozen tokens."""
HELD = Pull(clip=0.2, kl_talk=1.0, kl_move=0.5, entropy=0.1)


class Played:
    def __init__(self, model, style):
        self.run = run_with(model, style=style, rollout={"temperature": TEMPERATURE})
        self.groups, self.rows = rows_played(self.run)
        self.turns = turns_of(self.groups)


@pytest.fixture(
    scope="module",
    params=[(style, trained) for style in ("fresh", "conversation") for trained in (True, False)],
    ids=lambda param: f"{param[0]}-{'warm' if param[1] else 'babbling'}",
)
def played(request, warm_model) -> Played:
    style, trained = request.param
    return Played(warm_model(style) if trained else UNTRAINED, style)


def gradient(run, rows, pull=HELD) -> torch.Tensor:
    run.learner.optimizer.zero_grad(set_to_none=True)
    run.learner.accumulate(Batch(rows, pull))
    return torch.cat([p.grad.flatten() for p in run.language.model.parameters()])


@torch.no_grad()
def test_teacher_forcing_gives_the_samplers_logprobs(played):
    """On every trained position; so each ratio is 1 before any update."""
    pairs = [(row.prompt_ids, row.rest_ids) for row in played.rows]
    run = played.run
    seen = hidden_states(run.language.model, pairs, pad_id=run.renderer.pad_id)
    size = seen.where.shape[1]
    ids = torch.tensor([(*row.rest_ids, *(0,) * (size - len(row.rest_ids))) for row in played.rows])
    now = measure(seen, ids[..., None], temperature=TEMPERATURE).logprobs[..., 0]
    for row, logprobs in zip(played.rows, now.tolist(), strict=True):
        for written, old, new in zip(row.written, row.old_logprobs, logprobs, strict=False):
            assert not written or abs(new - old) < SAME


def test_the_learner_finds_no_ratio_off_one_before_an_update(played):
    """Read at the sampler's temperature: a clip of a ten-thousandth catches nothing."""
    narrow = HELD._replace(clip=1e-4)
    stats = played.run.learner.accumulate(Batch(played.rows[::3], narrow))
    assert stats["clipped_share"] == 0.0
    hotter = replace(played.run.learner, temperature=1.1 * TEMPERATURE)
    assert hotter.accumulate(Batch(played.rows[::3], narrow))["clipped_share"] > 0.5


@torch.no_grad()
def test_sharing_what_rows_have_in_common_changes_no_logprob(played):
    """The second implementation: one row at a time, read from its first token to its last."""
    model, rows = played.run.language.model, played.rows[::17]
    pairs = [(row.prompt_ids, row.rest_ids) for row in rows]
    seen = hidden_states(model, pairs, pad_id=played.run.renderer.pad_id)
    every = torch.arange(model.config.vocab_size).expand(*seen.where.shape, -1)
    found = measure(seen, every, temperature=TEMPERATURE).logprobs
    for number, (prompt, rest) in enumerate(pairs):
        logits = model(torch.tensor([prompt + rest])).logits[0, len(prompt) - 1 : -1]
        plain = torch.log_softmax(logits / TEMPERATURE, dim=-1)
        tree = found[number, : len(rest)]
        torch.testing.assert_close(tree.exp(), plain.exp(), rtol=0, atol=SAME)
        tokens = torch.tensor(rest)[:, None]
        torch.testing.assert_close(
            tree.gather(1, tokens), plain.gather(1, tokens), rtol=0, atol=SAME
        )


def test_every_sampled_token_is_trained_in_exactly_one_place(played):
    assert sum(sum(row.written) for row in played.rows) == sum(
        len(turn.output_ids) for turn in played.turns
    )
    rows = iter(played.rows)
    for group in played.groups:
        for rollout in group.rollouts:
            mine = [next(rows) for _ in stretches(rollout.turns)]
            for field, sampled in (("rest_ids", "output_ids"), ("old_logprobs", "logprobs")):
                trained = [
                    value
                    for row in mine
                    for value, written in zip(getattr(row, field), row.written, strict=True)
                    if written
                ]
                assert trained == [v for turn in rollout.turns for v in getattr(turn, sampled)]
    assert next(rows, None) is None


def test_a_row_reads_what_the_policy_read(played):
    """Prompt and rest up to a turn's first token are that turn's prompt, id for id."""
    rows = iter(played.rows)
    for group in played.groups:
        for rollout in group.rollouts:
            for stretch in stretches(rollout.turns):
                row = next(rows)
                ids = row.prompt_ids + row.rest_ids
                for turn in stretch:
                    end = len(turn.prompt_ids) + len(turn.output_ids)
                    assert ids[:end] == turn.prompt_ids + turn.output_ids


def test_a_conversation_is_one_row_and_fresh_prompts_are_one_each(played):
    rollouts = sum(len(group.rollouts) for group in played.groups)
    conversation = played.run.config.rollout.style == "conversation"
    assert len(played.turns) > rollouts
    assert len(played.rows) == (rollouts if conversation else len(played.turns))


def test_every_prompt_ends_where_the_assistant_begins(played):
    """And holds one opening token per message: none is doubled and none is missing."""
    tokenizer = played.run.language.tokenizer
    for turn in played.turns[::7]:
        text = tokenizer.decode(list(turn.prompt_ids))
        assert text.endswith(ASSISTANT)
        assert text.startswith(USER)
        assert f"{USER}{USER}" not in text


def test_what_others_wrote_is_never_trained(played):
    """Neither advantage nor old log-prob at the news and the template moves the gradient."""
    rows = played.rows[::3]
    told = sum(not written for row in rows for written in row.written)
    assert (told > 0) == (played.run.config.rollout.style == "conversation")

    def scrambled(row, *, where):
        def change(values, by):
            return tuple(
                value + by if written == where else value
                for value, written in zip(values, row.written, strict=True)
            )

        old = change(row.old_logprobs, 9.0 if not where else 0.0)
        return replace(row, old_logprobs=old, advantages=change(row.advantages, 50.0))

    before = gradient(played.run, rows)
    after = gradient(played.run, [scrambled(row, where=False) for row in rows])
    assert torch.equal(before, after)
    trained = gradient(played.run, [scrambled(row, where=True) for row in rows])
    assert (trained - before).norm() > before.norm()


def test_a_turn_bears_the_version_of_the_weights_that_wrote_it(played):
    assert {turn.version for turn in played.turns} == {0}
    played.run.course.sampler.publish(3)
    groups, _ = rows_played(played.run)
    assert {turn.version for turn in turns_of(groups)} == {3}


def test_a_template_that_rewrites_replies_opens_a_row_for_every_turn(warm_model):
    """The conversation goes on, but what is learned from is again just what was read."""
    run = run_with(warm_model("conversation"), style="conversation")
    tokenizer = run.language.tokenizer
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ message['content'] }}",
        "{{ message['content'] if loop.last or message['role'] == 'user' else 'I moved.' }}",
    )
    renderer = Renderer(tokenizer)
    run = changing(run, renderer=renderer, arena=replace(run.course.arena, renderer=renderer))
    groups, rows = rows_played(run)
    turns = turns_of(groups)
    later = [turn for turn in turns if "I moved." in tokenizer.decode(list(turn.prompt_ids))]
    assert later
    assert [(row.prompt_ids, row.rest_ids) for row in rows] == [
        (turn.prompt_ids, turn.output_ids) for turn in turns
    ]
