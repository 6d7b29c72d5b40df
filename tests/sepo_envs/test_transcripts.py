"""What models read is a reviewed artefact: whole matches, letter for letter.

Changing one word of a prompt changes a file under ``tests/transcripts/`` in the same commit, and
the environment's version if results would no longer compare. The files are written anew by
``pytest --rewrite-transcripts``.
"""

from typing import get_args

import pytest

from sepo_envs.catalogue import domain
from sepo_envs.episode import begin
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card
from sepo_envs.protocol import Style, Talk

J, Q, K = Card

SCENES = {
    "kuhn_poker": (
        ("check, bet, call", {}, [Q, J], ["The Queen is middling. [check]", "[bet]", "[call]"]),
        (
            "a forfeit (the rules check), then a foul mended at the second try",
            {},
            [K, Q],
            ["I bet.", "[raise]", "[check] or [bet]?", "[bet]", "[call]"],
        ),
        (
            "a match of two hands",
            {"hands": 2},
            [J, K, Q, K],
            ["[bet]", "[call]", "[bet]", "[fold]"],
        ),
    ),
}


def scene(name, style, title, options, deals, replies):
    """One match: what each seat reads, and ``>`` before what it replies."""
    entry = domain(name)
    game = entry.make(**options)
    words = entry.words(game)
    episode, deals, replies = begin(game), iter(deals), iter(replies)
    talks = [Talk(words, seat, style) for seat in range(game.seats)]
    lines = [f"=== {title}, style {style} ==="]
    while (actor := episode.actor) is not None:
        if actor == CHANCE:
            episode = episode.play(next(deals))
            continue
        talk, move = talks[actor].hear(episode), None
        while move is None:
            reply = next(replies)
            lines += [f"--- player_{actor} reads", talk.messages[-1].content, f"> {reply}"]
            talk, move = talk.reply(reply, episode)
        lines += ["(forfeit)"] * (move is FORFEIT)
        talks[actor], episode = talk, episode.play(move)
    assert next(replies, None) is None, f"the scene {title!r} ends before its last reply"
    return "\n".join([*lines, "---", words.show(episode.state), f"fouls: {episode.fouls}", ""])


@pytest.mark.parametrize("name", SCENES)
def test_prompts_match_the_golden_transcript(name, transcript):
    scenes = [scene(name, style, *script) for script in SCENES[name] for style in get_args(Style)]
    transcript(name, "\n".join(scenes))
