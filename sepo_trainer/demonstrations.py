"""Expert traces for the warm start: cited demonstrators play, and say a true reason first.

One demonstrator per episode and seat, drawn by the published mixture. A trace is a stretch of chat
with all the expert's replies in it: a whole conversation, or one decision with fresh prompts.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

from sepo_envs.episode import begin
from sepo_envs.protocol import Style, Talk
from sepo_trainer.records import Ids, Trace
from sepo_trainer.rendering import Renderer, Speaker
from sepo_trainer.rows import stretches
from sepo_trainer.seeding import generator
from sepo_trainer.stage import Stage


class _Said(NamedTuple):
    prompt_ids: Ids
    output_ids: Ids


def write_traces(
    stage: Stage,
    renderer: Renderer,
    *,
    run_seed: int,
    episodes: int,
    style: Style,
    thoughts: bool = True,
) -> Counter[Trace]:
    """What demonstrators say in ``episodes`` episodes, and how often they said it.

    Args:
        thoughts: let them give a reason before a move, as often as each other reason and none.
    """
    traces: Counter[Trace] = Counter()
    for number in range(episodes):
        rng = generator(run_seed, "deal", group=f"demonstrations/{stage.domain.name}/{number}")
        for said in _one_episode(stage, renderer, style, thoughts, rng):
            traces.update(_trace(stretch) for stretch in stretches(said))
    return traces


def _trace(said: list[_Said]) -> Trace:
    prompt = said[0].prompt_ids
    rest: Ids = ()
    written: tuple[bool, ...] = ()
    for asked, answered in said:
        told = asked[len(prompt) + len(rest) :]
        rest += told + answered
        written += (False,) * len(told) + (True,) * len(answered)
    return Trace(prompt, rest, written)


def _one_episode(
    stage: Stage, renderer: Renderer, style: Style, thoughts: bool, rng: Random
) -> list[list[_Said]]:
    """What each seat said, in order."""
    game, words = stage.game, stage.words
    experts, weights = zip(*stage.demonstrators, strict=True)
    seats = rng.choices(experts, weights, k=game.seats)
    speakers = [Speaker(Talk(words, seat, style)) for seat in range(game.seats)]
    said: list[list[_Said]] = [[] for _ in range(game.seats)]
    episode = begin(game).deal(rng)
    while (seat := episode.actor) is not None:
        legal = game.legal_moves(episode.state, seat)
        move = seats[seat].act(game.observe(episode.state, seat), legal, rng)
        reasons = words.thoughts(episode.state, seat) if thoughts else ()
        thought = rng.choice(("", *reasons))
        text = f"{thought} {words.say(move, episode.state, seat)}".strip()
        speaker, reply = speakers[seat].hears(episode), renderer.reply(text)
        said[seat].append(_Said(speaker.prompt(renderer), reply))
        speakers[seat], read_back = speaker.says(reply, episode, renderer)
        assert read_back == move, f"{text!r} is not read as {move!r}"
        episode = episode.play(move).deal(rng)
    return said
