"""Play in words, held against the same play by the board and by the environments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from zlib import crc32

import pytest

from opponents import prisoners_dilemma
from opponents.language_model import ChatModelError, ChatRequest, Reply
from opponents.matches import Played, Player, play_matches
from opponents.opponent import Opponent
from opponents.scorecard import play_pools
from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import Episode, begin
from sepo_envs.game import Words
from sepo_envs.human import Human, HumanLeftError
from sepo_envs.protocol import STYLES, Message, Style, Talk
from sepo_envs.single_agent import SingleAgentTextEnv

SEED = 5
DEALS = range(4)
DETERMINISTIC = {
    "kuhn_poker": "tight-passive",
    "prisoners_dilemma": "tit-for-tat",
    "repeated_auction": "adaptive",
    "split_negotiation": "conceder",
    "item_negotiation": "tit-for-tat",
}
ANSWERS = {
    "kuhn_poker": "check bet fold call",
    "prisoners_dilemma": "cooperate defect",
    "repeated_auction": "1 2 3 4",
    "split_negotiation": "1 5 9 10",
    "item_negotiation": "0,0,0 1,0,1 0,1,0 1,1,1",
}
"""Legal in some states, or in none."""


def strategies(name: str) -> dict[str, Opponent]:
    pools = import_module(f"opponents.{name}").POOLS.values()
    return {one.name: one for pool in pools for one in pool.opponents if isinstance(one, Opponent)}


class Recites:
    """Says what a strategy did, where it is asked in the very words that fit what had happened."""

    name = "recites"

    def __init__(self, words: Words, style: Style, seat: int, matches: Sequence[Played]) -> None:
        self.style = style
        self.said: dict[tuple[Message, ...], str] = {}
        for match in matches:
            self._learn(match.episode, Talk(words, seat, style))

    def _learn(self, whole: Episode, talk: Talk) -> None:
        episode = begin(whole.game)
        for entry in whole.entries:
            if entry.actor == talk.seat:
                talk = talk.hear(episode)
                bare = talk.words.say(entry.move, episode.state, talk.seat)
                text = f"{talk.words.thoughts(episode.state, talk.seat)[0]} {bare}"
                assert self.said.setdefault(talk.messages, text) == text
                talk, _ = talk.reply(text, episode)
            episode = episode.play(entry.move)

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        return [Reply(self.said[request.messages], 0, 0) for request in requests]


class Hashes:
    """Answers with some move or none, as a hash of what it reads has it."""

    name = "hashes"

    def __init__(self, name: str, style: Style) -> None:
        self.style = style
        self.known = ("Hm.", "No.", "[x]", *(f"[{answer}]" for answer in ANSWERS[name].split()))
        self.waves: list[int] = []

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        self.waves.append(len(requests))
        return [Reply(self.answer(request.messages), 3, 1, 0.5) for request in requests]

    def answer(self, messages: Sequence[Message]) -> str:
        return self.known[crc32(repr(messages).encode()) % len(self.known)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_model_that_says_the_words_of_a_strategy_earns_match_for_match_what_it_earns(
    name: str, style: Style
) -> None:
    found, known = domain(name), strategies(name)
    agent = known[DETERMINISTIC[name]]
    words = found.words(found.make())
    walked, in_words = Board(found.make()), Board(found.make())
    for number, opponent in enumerate(known.values()):
        seat = number % 2
        scripted: list[Player] = [opponent, opponent]
        scripted[seat] = agent
        bare = play_matches(name, scripted, deals=DEALS, seed=SEED, board=walked)
        speaking: list[Player] = [opponent, opponent]
        speaking[seat] = Recites(words, style, seat, bare)
        spoken = play_matches(name, speaking, deals=DEALS, seed=SEED, board=in_words)
        assert [match.episode for match in spoken] == [match.episode for match in bare]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_match_i_is_episode_i_of_the_text_environment_fouls_included(
    name: str, style: Style
) -> None:
    model, opponent = Hashes(name, style), list(strategies(name).values())[-1]
    seats = [opponent, model]
    matches = play_matches(name, seats, deals=range(6), seed=SEED)
    env = SingleAgentTextEnv(name, opponent=opponent, seat=1, style=style)
    for number, match in enumerate(matches):
        _, info = env.reset(seed=SEED if number == 0 else None)
        terminated, said = False, 0
        while not terminated:
            messages = tuple(Message(**message) for message in info["messages"])
            _, _, terminated, _, info = env.step(model.answer(messages))
            said += 1
        assert env.episode.entries == match.episode.entries
        spoken = match.spoken[1]
        assert [message.role for message in spoken.messages] == ["user", "assistant"] * said
        assert spoken[1:] == (3 * said, said, 0.5 * said)
    assert any(match.episode.fouls[1] for match in matches)


def test_an_unreadable_reply_is_asked_again_with_the_reason_and_then_forfeited() -> None:
    class Mute:
        name, style = "mute", "conversation"

        def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
            return [Reply("...", 0, 0) for _ in requests]

    cooperator = prisoners_dilemma.ALWAYS_COOPERATE
    [match] = play_matches("prisoners_dilemma", [Mute(), cooperator], deals=[0], seed=SEED)
    assert match.episode.fouls == (8, 0)
    assert match.episode.returns == (0.0, 40.0)  # the offender is paid S, the other T
    texts = [message.content for message in match.spoken[0].messages]
    assert len(texts) == 8 * 2 * 2
    assert texts[2].startswith("Your reply could not be read: it holds no move in square brackets")
    [at_once] = play_matches(
        "prisoners_dilemma", [Mute(), cooperator], deals=[0], seed=SEED, max_retries=0
    )
    assert len(at_once.spoken[0].messages) == 8 * 2


@pytest.mark.parametrize("style", STYLES)
def test_a_reply_is_addressed_by_deal_seat_and_turn_and_follows_the_one_before(
    style: Style,
) -> None:
    class Notes:
        name = "notes"

        def __init__(self) -> None:
            self.style = style
            self.asked: list[ChatRequest] = []

        def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
            self.asked += requests
            return [Reply("[defect]", 0, 0) for _ in requests]

    itself = Notes()
    play_matches("prisoners_dilemma", [itself, itself], deals=[0, 1], seed=SEED)
    seeds = [request.seed for request in itself.asked]
    assert len(set(seeds)) == len(seeds) == 2 * 2 * 8
    for request in itself.asked:
        if len(request.messages) == 1:
            assert request.follows is None
        else:
            assert request.follows is not None
            before = seeds.index(request.follows)
            assert itself.asked[before].messages == request.messages[:-2]
    again = Notes()
    play_matches(
        "prisoners_dilemma", [again, strategies("prisoners_dilemma")["grim"]], deals=[0], seed=SEED
    )
    assert {request.seed for request in again.asked} < set(seeds)  # whomever it meets


def test_how_many_matches_go_at_once_changes_none_and_each_is_told_of_as_it_ends() -> None:
    def played(at_once: int) -> tuple[list[Played], list[Played], list[int]]:
        model, told = Hashes("kuhn_poker", "fresh"), list[Played]()
        seats = [model, strategies("kuhn_poker")["uniform"]]
        matches = play_matches(
            "kuhn_poker", seats, deals=range(40), seed=1, at_once=at_once, finished=told.append
        )
        return matches, told, model.waves

    one, many = played(7), played(64)
    assert one[0] == many[0]
    assert [match.deal for match in one[0]] == list(range(40))
    assert sorted(one[1]) == sorted(many[1]) == sorted(one[0], key=lambda match: match.deal)
    assert max(one[2]) == 7
    assert many[2][0] == 40


def test_what_was_finished_before_a_model_fails_has_been_told_of() -> None:
    class Fails(Hashes):
        def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
            if len(self.waves) > 20:
                raise ChatModelError("the server is gone.")
            return super().reply(requests)

    told: list[Played] = []
    model = Fails("prisoners_dilemma", "fresh")
    with pytest.raises(ChatModelError, match="the server is gone"):
        play_matches(
            "prisoners_dilemma",
            [prisoners_dilemma.GRIM, model],
            deals=range(99),
            seed=0,
            at_once=3,
            finished=told.append,
        )
    assert [match.deal for match in told][:3] == [0, 1, 2]
    assert len(told) % 3 == 0


def test_a_model_that_answers_too_little_or_with_no_text_is_told_off() -> None:
    class Sloppy(Hashes):
        def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
            return super().reply(requests)[1:]

    class Absent(Hashes):
        def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
            return [Reply(None, 0, 0) for _ in requests]  # type: ignore[arg-type]

    grim = prisoners_dilemma.GRIM
    for kind, wrong in ((Sloppy, "gave 0 replies to 1 requests"), (Absent, "None, which is no te")):
        model = kind("prisoners_dilemma", "fresh")
        with pytest.raises(ChatModelError, match=wrong):
            play_matches("prisoners_dilemma", [model, grim], deals=[0], seed=0)


def test_a_person_meets_a_strategy_and_a_model_and_may_leave() -> None:
    found = domain("prisoners_dilemma")
    words = found.words(found.make())
    shown: list[str] = []
    person = Human(words, read=lambda prompt: "defect", write=shown.append)
    grim = prisoners_dilemma.GRIM
    for match in play_matches(found, [person, grim], deals=[0, 1], seed=0):
        assert match.episode.returns == (5.0 + 7 * 1.0, 0.0 + 7 * 1.0)
        assert match.spoken == {}
    rounds = re.findall(r"Round (\d) of 8", "".join(shown))
    assert rounds == [*"12345678"] * 2  # one match after the other
    [match] = play_matches(found, [Hashes(found.name, "fresh"), person], deals=[0], seed=0)
    assert set(match.spoken) == {0}

    def leave(prompt: str) -> str:
        raise EOFError

    with pytest.raises(HumanLeftError):
        play_matches(found, [Human(words, read=leave, write=print), grim], deals=[0], seed=0)


def test_a_model_is_scored_by_the_pools_as_a_strategy_is() -> None:
    pools = {"exploit": [prisoners_dilemma.ALWAYS_DEFECT]}
    agent = prisoners_dilemma.TIT_FOR_TAT
    bare = play_pools(agent, "prisoners_dilemma", pools, deals=2, seed=3)
    found = domain("prisoners_dilemma")
    seats = [
        Recites(
            found.words(found.make()),
            "fresh",
            seat,
            play_matches(
                found, [agent, *pools["exploit"]][:: 1 if seat == 0 else -1], deals=[0, 1], seed=3
            ),
        )
        for seat in (0, 1)
    ]
    seats[0].said |= seats[1].said
    assert play_pools(seats[0], "prisoners_dilemma", pools, deals=2, seed=3) == bare


def test_impossible_tables_are_refused() -> None:
    grim = prisoners_dilemma.GRIM
    with pytest.raises(ValueError, match="1 players for the 2 seats of prisoners_dilemma"):
        play_matches("prisoners_dilemma", [grim], deals=[0], seed=0)
    with pytest.raises(ValueError, match="at least 1 match"):
        play_matches("prisoners_dilemma", [grim, grim], deals=[0], seed=0, at_once=0)
    with pytest.raises(ValueError, match="no prompt style 'chatty'"):
        play_matches(
            "prisoners_dilemma",
            [Hashes("prisoners_dilemma", "fresh"), grim],
            deals=[0],
            seed=0,
            style="chatty",  # type: ignore[arg-type]
        )
