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
from sepo_envs.games.prisoners_dilemma.rules import Luck
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
    "prisoners_dilemma": (
        (
            "a betrayal and its answer",
            {"rounds": 3},
            [],
            [
                "Trust first. [cooperate]",
                "[defect]",
                "So be it. [defect]",
                "[defect]",
                "[cooperate]",
                "The last round. [defect]",
            ],
        ),
        (
            "a forfeit (seen as a defection), then a foul mended at the second try",
            {"rounds": 2},
            [],
            ["Yes.", "[C]", "[cooperate]", "[cooperate]", "[defect]?! [cooperate]", "[defect]"],
        ),
        (
            "noise and an open end: a slip, then another round",
            {"rounds": 3, "noise": 0.05, "continuation": 0.9},
            [Luck.SLIP, Luck.AS_MEANT, Luck.GO_ON, Luck.AS_MEANT, Luck.AS_MEANT, Luck.STOP],
            ["[cooperate]", "[cooperate]", "[cooperate]", "[defect]"],
        ),
    ),
    "repeated_auction": (
        (
            "a tie, a win and a loss",
            {"rounds": 3},
            [4, 2, 0, 4, 4, 2, 2],
            [
                "Half of my value. [2]",
                "[2]",
                "[2]",
                "I lost the last one. [3]",
                "[1]",
                "A win at any price: [3]",
            ],
        ),
        (
            "a forfeit (no bid), then a foul mended at the second try",
            {"rounds": 2},
            [4, 4, 2, 4],
            ["I bid 2.", "[4]", "[1]", "[1] or [2]?", "[1]", "[2]"],
        ),
        (
            "three bidders of whom two tie, losses floored",
            {"rounds": 2, "bidders": 3, "floor_losses": True},
            [4, 2, 2, 2, 2, 4, 4, 0],
            ["[1]", "[2]", "[2]", "[3]", "[3]", "[3]"],
        ),
    ),
    "split_negotiation": (
        (
            "a breakdown, then a deal",
            {"rounds": 2},
            [],
            ["Let us see. [6]", "[5]", "They hold to half, so I give way. [5]", "[5]"],
        ),
        (
            "a forfeit (a demand of 0), then a foul mended at the second try",
            {"rounds": 2},
            [],
            ["I take 6.", "[10]", "[9]", "[5]", "[4] or [5]?", "[4]"],
        ),
    ),
    "item_negotiation": (
        (
            "a breakdown, then a deal",
            {"rounds": 2},
            [(1, 2, 3), (2, 1, 2), (8, 1, 0)],
            ["Everything! [1,2,3]", "[1, 1, 0]", "The balls, then. [0,1,3]", "[1,1,0]"],
        ),
        (
            "a forfeit (a demand of nothing), then a foul mended at the second try",
            {"rounds": 2},
            [(1, 2, 3), (2, 1, 2), (8, 1, 0)],
            ["All the balls.", "[0,0,4]", "[1,0,0]", "[0,0,3]", "[1,0]", "[1,2,0]"],
        ),
        (
            "values that sum to 10 over the types, the second seat's drawn anew",
            {"rounds": 2, "worth": "one of each", "redrawn": (1,)},
            [(4, 4, 4), (5, 5, 0), (0, 1, 9), (10, 0, 0)],
            ["[2,2,0]", "[0,2,4]", "[4,4,0]", "[1,0,0]"],
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
