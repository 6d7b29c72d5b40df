"""Expert traces for the warm start: cited demonstrators play, and say a true reason first.

One demonstrator per episode and seat, drawn by the published mixture. `demonstrate` plays and
knows no tokens; `write_traces` makes traces of it. A trace is a stretch of chat with all the
expert's replies in it: a whole conversation, or one decision with fresh prompts.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from opponents.opponent import Opponent
from sepo_envs.episode import Episode, begin
from sepo_envs.game import Move
from sepo_envs.protocol import Style, Talk
from sepo_trainer.learning.rows import stretches
from sepo_trainer.policy.rendering import Renderer, Speaker
from sepo_trainer.records import Ids, Trace
from sepo_trainer.seeding import generator
from sepo_trainer.stage import Stage


class Demonstration(NamedTuple):
    """One decision of an expert: what it read, and what it said."""

    expert: Opponent
    episode: Episode
    """In which it is to move."""
    talk: Talk
    """Its chat, ending with the question."""
    text: str
    """Its reply."""
    move: Move
    """What the reply says."""

    @property
    def seat(self) -> int:
        return self.talk.seat


class _Said(NamedTuple):
    prompt_ids: Ids
    output_ids: Ids


def demonstrate(
    stage: Stage,
    number: int,
    *,
    run_seed: int,
    style: Style,
    thoughts: bool = True,
    notes: bool = False,
) -> tuple[list[Demonstration], Episode]:
    """Episode ``number``: every decision in order of play, and how it ended.

    It hangs on the seed, the domain and its number alone, not on the episodes before it.

    Args:
        thoughts: let experts give a reason before a move, as often as each other reason and none.
        notes: let them begin every reply with what the game's words have to note.

    Raises:
        ValueError: there is nothing to note in this game.
    """
    rng = generator(run_seed, "deal", group=f"demonstrations/{stage.domain.name}/{number}")
    game, words = stage.game, stage.words
    experts, weights = zip(*stage.demonstrators, strict=True)
    seats = rng.choices(experts, weights, k=game.seats)
    talks = [Talk(words, seat, style) for seat in range(game.seats)]
    decisions: list[Demonstration] = []
    episode = begin(game).deal(rng)
    while (seat := episode.actor) is not None:
        legal = game.legal_moves(episode.state, seat)
        move = seats[seat].act(game.observe(episode.state, seat), legal, rng)
        reasons = words.thoughts(episode.state, seat) if thoughts else ()
        remarks = rng.choice(("", *reasons))
        if notes:
            remarks = f"{stage.noting.notes(episode.state, seat)} {remarks}".strip()
        text = f"{remarks} {words.say(move, episode.state, seat)}".strip()
        asked = talks[seat].hear(episode)
        decisions.append(Demonstration(seats[seat], episode, asked, text, move))
        talks[seat], read_back = asked.reply(text, episode)
        assert read_back == move, f"{text!r} is not read as {move!r}"
        episode = episode.play(move).deal(rng)
    return decisions, episode


def write_traces(
    stage: Stage,
    renderer: Renderer,
    *,
    run_seed: int,
    episodes: int,
    style: Style,
    thoughts: bool = True,
    notes: bool = False,
) -> Counter[Trace]:
    """What demonstrators say in ``episodes`` episodes, and how often they said it.

    Args:
        thoughts: let them give a reason before a move, as often as each other reason and none.
        notes: let them begin every reply with what the game's words have to note.

    Raises:
        ValueError: there is nothing to note in this game.
    """
    traces: Counter[Trace] = Counter()
    for number in range(episodes):
        decisions, _ = demonstrate(
            stage, number, run_seed=run_seed, style=style, thoughts=thoughts, notes=notes
        )
        for said in _in_tokens(stage, renderer, decisions):
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


def _in_tokens(
    stage: Stage, renderer: Renderer, decisions: list[Demonstration]
) -> list[list[_Said]]:
    """What each seat said, in order."""
    said: list[list[_Said]] = [[] for _ in range(stage.game.seats)]
    held: list[Ids] = [()] * stage.game.seats
    for one in decisions:
        prompt = Speaker(one.talk, held[one.seat]).prompt(renderer)
        reply = renderer.reply(one.text)
        read_back = stage.words.parse(renderer.text(reply), one.episode.state, one.seat)
        assert read_back == one.move, f"{one.text!r} is not read as {one.move!r}"
        said[one.seat].append(_Said(prompt, reply))
        held[one.seat] = prompt + reply
    return said
