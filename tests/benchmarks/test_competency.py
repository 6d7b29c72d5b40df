"""Questions about the rules, answered by a second reading of the rules: from the prompt alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from benchmarks.leaderboard.competency import LEGAL_MOVES, PAYOFFS, knowledge, questions
from opponents.language_model import ChatRequest, Reply
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.game import Unreadable

COUNT = 40


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def plays(prompt: str) -> list[str]:
    """What was played last, by seat."""
    now = re.search(r"^Now (.*), which ends", prompt, re.MULTILINE)
    assert now is not None
    return re.findall(r"player_\d plays (\S+)", now[1])


def kuhn_poker(prompt: str) -> tuple[float, ...]:
    rank = ("Jack", "Queen", "King").index
    cards = re.search(r"player_0 (\w+), player_1 (\w+)", prompt)
    assert cards is not None
    first_wins = rank(cards[1]) > rank(cards[2])
    so_far = re.findall(r"check|bet", prompt.split("hand 1:")[1].splitlines()[0])
    [last] = plays(prompt)
    if last == "fold":  # whoever moved last lost the ante
        first_wins, stake = len(so_far) % 2 == 1, 1.0
    else:
        stake = 2.0 if last == "call" else 1.0
    return (stake, -stake) if first_wins else (-stake, stake)


def prisoners_dilemma(prompt: str) -> tuple[float, ...]:
    both = "".join(move[0] for move in plays(prompt))
    return {"cc": (3.0, 3.0), "cd": (0.0, 5.0), "dc": (5.0, 0.0), "dd": (1.0, 1.0)}[both]


def repeated_auction(prompt: str) -> tuple[float, ...]:
    values = [int(worth) for worth in re.findall(r"player_\d worth (\d)", prompt)]
    bids = [int(bid) for bid in plays(prompt)]
    assert bids[0] != bids[1]  # a tie is settled by lot
    return tuple(
        float(value - bid) if bid == max(bids) else 0.0
        for value, bid in zip(values, bids, strict=True)
    )


def split_negotiation(prompt: str) -> tuple[float, ...]:
    demands = [int(demand) for demand in plays(prompt)]
    return tuple(map(float, demands)) if sum(demands) <= 10 else (0.0, 0.0)


def item_negotiation(prompt: str) -> tuple[float, ...]:
    demands = [numbers(demand) for demand in plays(prompt)]
    table = numbers(re.search(r"on the table: (.*)", prompt)[1])
    values = [numbers(worth) for worth in re.findall(r"\(values ([\d,]+)\)", prompt)]
    if any(a + b > there for a, b, there in zip(*demands, table, strict=True)):
        return 0.0, 0.0
    return tuple(
        float(sum(a * b for a, b in zip(demand, value, strict=True)))
        for demand, value in zip(demands, values, strict=True)
    )


PAYS = {
    "kuhn_poker": kuhn_poker,
    "prisoners_dilemma": prisoners_dilemma,
    "repeated_auction": repeated_auction,
    "split_negotiation": split_negotiation,
    "item_negotiation": item_negotiation,
}


def is_legal(name: str, prompt: str, option: str) -> bool:
    match name:
        case "kuhn_poker":
            facing = "Your opponent bets." in prompt
            return option in (("fold", "call") if facing else ("check", "bet"))
        case "prisoners_dilemma":
            return option in ("cooperate", "defect")
        case "repeated_auction":
            return option in ("1", "2", "3")
        case "split_negotiation":
            return option in map(str, range(1, 10))
    table = numbers(re.search(r"On the table: (.*)", prompt)[1])
    wanted = numbers(option) if re.fullmatch(r"\d+,\d+,\d+", option) else [99, 99, 99]
    return all(each <= there for each, there in zip(wanted, table, strict=True))


class Reads:
    """Knows the rules, and nothing but what a prompt says."""

    style = "fresh"

    def __init__(self, game: str) -> None:
        self.name = self.game = game

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        return [Reply(self.answer(request.messages[0].content), 10, 2, 0.5) for request in requests]

    def answer(self, prompt: str) -> str:
        options = re.findall(r"^([a-d])\) (\S+)$", prompt, re.MULTILINE)
        if not options:
            return f"That is [{','.join(f'{points:+g}' for points in PAYS[self.game](prompt))}]."
        legal = [letter for letter, option in options if is_legal(self.game, prompt, option)]
        return f"These: [{', '.join(legal)}]"


class Babbles(Reads):
    def answer(self, prompt: str) -> str:
        return "I think so."


@pytest.mark.parametrize("name", CATALOGUE)
def test_who_knows_the_rules_answers_every_question_rightly(name: str) -> None:
    found = knowledge(Reads(name), name, count=COUNT, seed=3)
    assert found.legal_moves.value == found.payoffs.value == 1.0
    assert 0.9 < found.legal_moves.low < 1.0
    assert found[-4:] == (0, 2 * COUNT * 10, 2 * COUNT * 2, 2 * COUNT * 0.5)


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_single_answer_gets_far(name: str) -> None:
    """The commonest right answer, and babble, which counts as wrong and is counted."""
    for kind in (LEGAL_MOVES, PAYOFFS):
        right = [question.right for question in questions(name, kind, COUNT, 0)]
        assert max(map(right.count, right)) <= 0.4 * COUNT
    found = knowledge(Babbles(name), name, count=5, seed=0)
    assert (found.legal_moves.value, found.payoffs.value, found.unreadable) == (0.0, 0.0, 10)


def test_questions_hang_on_the_seed_and_their_number_alone() -> None:
    for kind in (LEGAL_MOVES, PAYOFFS):
        many = questions("item_negotiation", kind, 12, 1)
        assert questions("item_negotiation", kind, 5, 1) == many[:5]
        assert questions("item_negotiation", kind, 5, 2) != many[:5]
        assert len(set(many)) == 12


@pytest.mark.parametrize("name", CATALOGUE)
def test_legal_moves_are_not_told_and_there_is_a_miss_in_every_question(name: str) -> None:
    for question in questions(name, LEGAL_MOVES, COUNT, 0):
        assert "exactly one" not in question.prompt
        assert 1 <= len(question.right) <= 3
        assert len(re.findall(r"^[a-d]\) ", question.prompt, re.MULTILINE)) == 4


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (LEGAL_MOVES, "[a] or [b]"),
        (LEGAL_MOVES, "[c,a]"),
        (LEGAL_MOVES, "a, c"),
        (LEGAL_MOVES, "[a,c] unless I err"),
        (PAYOFFS, "[1]"),
        (PAYOFFS, "[1,1] no, [2,-2]"),
        (PAYOFFS, "2 and -2"),
        (PAYOFFS, "[two,-two]"),
    ],
)
def test_answers_are_read_as_strictly_as_moves(kind, reply: str) -> None:
    [question] = questions("kuhn_poker", kind, 1, 0)
    assert isinstance(question.read(reply), Unreadable)


def test_at_least_one_question_is_asked() -> None:
    with pytest.raises(ValueError, match="at least 1 question"):
        knowledge(Babbles("kuhn_poker"), "kuhn_poker", count=0)
