"""Games played in text: prompts out, replies in, and the foul rule between them."""

import pickle
from itertools import cycle

import pytest

from sepo_envs import kuhn_poker_v0
from sepo_envs.games.kuhn_poker.rules import Card
from sepo_envs.text import OVER, prompt_space


def dealt(*cards, style="conversation", **options):
    """A text table at the first decision of one hand with these cards."""
    table = kuhn_poker_v0.text_env(style=style, **options)
    moves = [[-1, int(card)] for card in cards]
    record = {"game": "kuhn_poker", "options": {"hands": 1}, "moves": moves}
    table.reset(seed=0, options={"episode": record})
    return table


def test_the_prompt_is_the_observation_and_stands_in_info_with_the_chat():
    table = dealt(Card.QUEEN, Card.JACK)
    seen, *_, info = table.last()
    assert seen["text"].startswith("You are playing Kuhn poker")
    assert "You are dealt the Queen. You act first." in seen["text"]
    assert info["text"] == seen["text"]
    assert info["messages"] == [{"role": "user", "content": seen["text"]}]


def test_a_conversation_keeps_the_agents_own_replies_and_tells_only_the_news():
    table = dealt(Card.QUEEN, Card.JACK)
    for reply in ("Patience. [check]", "[bet]"):
        table.step(reply)
    seen, *_, info = table.last()
    assert seen["text"].splitlines()[0] == "Your opponent bets."
    assert [message["role"] for message in info["messages"]] == ["user", "assistant", "user"]
    assert info["messages"][1]["content"] == "Patience. [check]"


def test_a_fresh_prompt_is_complete_in_itself_and_holds_no_reply():
    table = dealt(Card.QUEEN, Card.JACK, style="fresh")
    for reply in ("Patience. [check]", "[bet]"):
        table.step(reply)
    seen, *_, info = table.last()
    assert "You are dealt the Queen. You act first.\nYou chose [check]." in seen["text"]
    assert "Patience" not in seen["text"]
    assert len(info["messages"]) == 1


def test_an_unreadable_reply_changes_nothing_but_the_question():
    table = dealt(Card.QUEEN, Card.JACK)
    before = table.unwrapped.episode
    table.step("I check.")
    assert table.unwrapped.episode == before
    assert table.agent_selection == "player_0"
    seen, reward, *_, info = table.last()
    assert seen["text"].startswith("Your reply could not be read: it holds no move in square")
    assert (reward, "foul" in info) == (0.0, False)


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_after_max_retries_further_tries_the_agent_forfeits(max_retries):
    table = dealt(Card.QUEEN, Card.JACK, max_retries=max_retries)
    for _ in range(max_retries):
        table.step("Hmm.")
        assert table.agent_selection == "player_0"
    table.step("[raise]")
    assert table.unwrapped.episode.fouls == (1, 0)
    tries = max_retries + 1
    reason = f"unreadable at try {tries} of {tries}: [raise] is not legal here"
    assert table.infos["player_0"]["foul"].startswith(reason)
    assert "checks" in table.last()[0]["text"]


def test_points_waiting_for_an_agent_are_read_once_even_if_it_then_says_nothing_readable():
    table = kuhn_poker_v0.text_env(hands=2)
    table.reset(seed=0)
    for reply in ("[bet]", "[fold]"):
        table.step(reply)
    agent, lost = table.agent_selection, table.last()[1]
    assert (agent, lost) == ("player_1", -1.0)
    table.step("Hmm.")
    assert table.last()[1] == 0.0


@pytest.mark.parametrize("style", ["conversation", "fresh"])
def test_the_opponents_card_changes_no_byte_of_the_prompt(style):
    chats = {1: set(), 3: set()}
    for theirs in (Card.JACK, Card.KING):
        table = dealt(Card.QUEEN, theirs, style=style)
        for number, reply in enumerate(("[check]", "[bet]", "[fold]"), start=1):
            if number in chats:
                chats[number].add(str(table.last()))
            table.step(reply)
    assert {number: len(told) for number, told in chats.items()} == {1: 1, 3: 1}


def test_each_hand_opens_a_new_chat():
    table = kuhn_poker_v0.text_env(hands=2)
    table.reset(seed=0)
    for reply in ("[bet]", "[fold]"):
        table.step(reply)
    assert len(table.last()[-1]["messages"]) == 1


def test_at_the_end_every_agent_reads_that_it_is_over():
    table = dealt(Card.QUEEN, Card.JACK)
    for reply in ("[bet]", "[call]"):
        table.step(reply)
    seen, reward, terminated, _, info = table.last()
    assert (seen["text"], info["text"], reward, terminated) == (OVER, OVER, 2.0, True)
    assert {"returns", "fouls", "penalties", "messages"} <= set(info)


@pytest.mark.parametrize("reply", [None, b"[bet]", 1])
def test_what_is_no_string_raises_and_never_becomes_a_move(reply):
    table = dealt(Card.QUEEN, Card.JACK)
    with pytest.raises(TypeError, match="a reply is a string, but player_0 answered"):
        table.step(reply)


@pytest.mark.parametrize("reply", ["下注 " * 5000 + "[bet]", "\x00\u202e [bet]"])
def test_a_reply_may_be_longer_and_stranger_than_the_sampled_ones(reply):
    table = dealt(Card.QUEEN, Card.JACK)
    table.step(reply)
    assert table.unwrapped.episode.entries[-1].move == "bet"


def test_prompts_stay_inside_the_prompt_space_even_after_the_strangest_reply():
    table = dealt(Card.QUEEN, Card.JACK, style="fresh", max_retries=9)
    for _ in range(9):
        table.step(" ".join(f"[{letter * 19}]" for letter in "abcdefgh"))
        assert prompt_space().contains(table.last()[0]["text"])


def test_a_pickle_taken_in_mid_talk_goes_on_as_the_original():
    table = dealt(Card.QUEEN, Card.JACK)
    table.step("Hmm.")
    copy = pickle.loads(pickle.dumps(table))
    for one in (table, copy):
        one.step("Hmm again.")
    assert str(copy.last()) == str(table.last())
    assert copy.unwrapped.episode.fouls == (1, 0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"style": "fersh"}, "no prompt style 'fersh'; choose one of conversation, fresh"),
        ({"max_retries": -1}, "max_retries is -1, but 0, which forfeits at the first unreadable"),
        ({"max_retries": 1.5}, "max_retries is 1.5, but 0, which forfeits"),
        ({"max_retries": "2"}, "max_retries is '2', but 0, which forfeits"),
        ({"max_cycles": True}, "max_cycles is True, but an agent needs at least 1 move"),
    ],
)
def test_an_impossible_option_is_refused_where_the_environment_is_made(options, text):
    with pytest.raises(ValueError, match=text):
        kuhn_poker_v0.text_env(**options)


@pytest.mark.parametrize("style", ["conversation", "fresh"])
def test_an_info_is_the_same_whenever_and_however_often_it_is_read(style):
    read, unread = (kuhn_poker_v0.text_env(hands=3, style=style) for _ in range(2))
    for table in (read, unread):
        table.reset(seed=3)
    replies = cycle(["[bet]", "Hmm.", "[call]", "[check]", "no", "no", "[check]"])
    while not read.unwrapped.over:
        str([read.last(), read.infos, read.infos])
        reply = next(replies)
        for table in (read, unread):
            table.step(reply)
    assert unread.infos == read.infos
    assert unread.infos["player_0"]["messages"]


def test_a_chat_once_read_stays_as_it_was_when_the_talk_goes_on():
    table = dealt(Card.QUEEN, Card.JACK)
    before = table.last()[-1]["messages"]
    for reply in ("[check]", "[bet]"):
        table.step(reply)
    after = table.last()[-1]["messages"]
    assert (len(before), len(after), after[0]) == (1, 3, before[0])
    before.clear()
    assert table.last()[-1]["messages"] == after


def test_a_second_episode_opens_a_chat_of_its_own():
    table = kuhn_poker_v0.text_env()
    for seed in (0, 0, 1):
        table.reset(seed=seed)
        assert [message["role"] for message in table.last()[-1]["messages"]] == ["user"]
        table.step("[check]")
        assert table.infos["player_0"]["messages"][-1]["content"] == "[check]"
