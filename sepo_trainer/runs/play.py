"""A person plays a trained policy in the terminal, in the very words that the policy reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

from sepo_envs.episode import Episode, begin
from sepo_envs.human import Human, HumanLeftError
from sepo_envs.protocol import Talk
from sepo_trainer.courses.course import Course
from sepo_trainer.policy.rendering import Speaker
from sepo_trainer.records import Request


def play(
    course: Course, *, seed: int, write: Callable[[str], object], human: Human | None = None
) -> None:
    """Episodes in alternating seats until the person leaves (Ctrl-D); then the score.

    After each episode every card is shown, and what the policy said.
    """
    person = human or Human(course.stage.words, write=write)
    rng, total = Random(seed), 0.0
    write(f"You play {course.stage.domain.title} against the policy. Ctrl-D ends it.\n")
    for number in count():
        seat = number % 2
        try:
            episode, said = _episode(course, person, seat, rng)
        except HumanLeftError:
            write(f"\nYou leave with {total:+g} points; finished games: {number}.")
            return
        total += episode.returns[seat]
        write(course.stage.words.show(episode.state))
        write("\n".join(f"the policy said: {text}" for text in said))
        write(f"You are player_{seat}. So far: {total:+g} points.\n")


def _episode(course: Course, person: Human, seat: int, rng: Random) -> tuple[Episode, list[str]]:
    episode = begin(course.stage.game).deal(rng)
    settings = course.config.rollout
    talk = Talk(course.stage.words, 1 - seat, settings.style, settings.max_retries)
    policy = Speaker(talk)
    said: list[str] = []
    while (actor := episode.actor) is not None:
        if actor == seat:
            episode = episode.play(person.act_on(episode, seat)).deal(rng)
            continue
        policy, move = policy.hears(episode), None
        while move is None:
            request = Request(policy.prompt(course.renderer), rng.getrandbits(63))
            [reply] = course.sampler.generate([request])
            said.append(course.renderer.text(reply.output_ids))
            policy, move = policy.says(reply.output_ids, episode, course.renderer)
        episode = episode.play(move).deal(rng)
    return episode, said
