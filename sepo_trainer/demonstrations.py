"""Expert traces for the warm start: cited demonstrators play, and say a true reason first.

One demonstrator per episode and seat, drawn by the published mixture; every trace is a chat with
one reply to learn.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from sepo_envs.episode import begin
from sepo_envs.protocol import Style, Talk
from sepo_trainer.records import Ids
from sepo_trainer.rendering import Renderer, Speaker
from sepo_trainer.seeding import generator
from sepo_trainer.stage import Stage

Trace = tuple[Ids, Ids]
"""(prompt, reply) of one decision."""


def write_traces(
    stage: Stage, renderer: Renderer, *, run_seed: int, episodes: int, style: Style
) -> Counter[Trace]:
    """The decisions of ``episodes`` episodes between demonstrators, and how often each was made."""
    traces: Counter[Trace] = Counter()
    for number in range(episodes):
        rng = generator(run_seed, "deal", group=f"demonstrations/{stage.domain.name}/{number}")
        for prompt, reply in _one_episode(stage, renderer, style, rng):
            traces[prompt, reply] += 1
    return traces


def _one_episode(stage: Stage, renderer: Renderer, style: Style, rng: Random) -> list[Trace]:
    game, words = stage.game, stage.words
    experts, weights = zip(*stage.demonstrators, strict=True)
    seats = rng.choices(experts, weights, k=game.seats)
    speakers = [Speaker(Talk(words, seat, style)) for seat in range(game.seats)]
    traces = []
    episode = begin(game).deal(rng)
    while (seat := episode.actor) is not None:
        legal = game.legal_moves(episode.state, seat)
        move = seats[seat].act(game.observe(episode.state, seat), legal, rng)
        thought = rng.choice(("", *words.thoughts(episode.state, seat)))
        text = f"{thought} {words.say(move, episode.state, seat)}".strip()
        speaker, reply = speakers[seat].hears(episode), renderer.reply(text)
        traces.append((speaker.prompt(renderer), reply))
        speakers[seat], read_back = speaker.says(reply, episode, renderer)
        assert read_back == move, f"{text!r} is not read as {move!r}"
        episode = episode.play(move).deal(rng)
    return traces
