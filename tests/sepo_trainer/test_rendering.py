"""Chats become ids once; held ids are continued and never rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import begin
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.protocol import Message, Talk
from sepo_trainer.rendering import Renderer
from sepo_trainer.tokenizer import ASSISTANT, END, USER, embedded_tokenizer

TOKENIZER = embedded_tokenizer()
RENDERER = Renderer(TOKENIZER)
ASKED = (Message("user", "You are dealt the Queen. You act first."),)
NEWS = Message("user", "Your opponent bets.")

some_ids = st.lists(st.integers(0, len(TOKENIZER) - 1), min_size=1, max_size=24).map(tuple)


def chat(reply: str) -> tuple[Message, ...]:
    return (*ASKED, Message("assistant", reply), NEWS)


def encode(text: str) -> tuple[int, ...]:
    return tuple(TOKENIZER(text)["input_ids"])


def test_a_prompt_is_the_template_written_out():
    """By hand."""
    text = f"{USER}{ASKED[0].content}{END}{ASSISTANT}"
    assert TOKENIZER.decode(list(RENDERER.prompt(ASKED))) == text


@given(some_ids, st.booleans())
def test_what_was_sampled_is_held_as_it_was(ids, ended):
    """Also ids that no text encodes to: they stay, and only what follows is encoded."""
    output = (*ids, RENDERER.end_id) if ended else ids
    held = RENDERER.prompt(ASKED) + output
    extended = RENDERER.extend(held, chat(RENDERER.text(output)))
    assert extended is not None
    assert extended[: len(held)] == held
    close = "" if held[-1] == RENDERER.end_id else END
    after = TOKENIZER.decode(list(extended[len(held) :]))
    assert after == f"{close}{USER}{NEWS.content}{END}{ASSISTANT}"


def test_there_are_ids_that_do_not_survive_being_decoded_and_encoded():
    """What the test above is about: two tokens whose text is one token."""
    whole = encode("[bet]")
    pieces = encode("[b") + encode("et]")
    assert pieces != whole
    assert TOKENIZER.decode(list(pieces)) == TOKENIZER.decode(list(whole)) == "[bet]"
    held = RENDERER.prompt(ASKED) + pieces
    extended = RENDERER.extend(held, chat("[bet]"))
    assert extended[: len(held)] == held != RENDERER.prompt(chat("[bet]"))[: len(held)]


def test_an_ordinary_reply_is_continued_as_the_template_would_write_the_whole_chat():
    reply = "I hold the Queen. [check]"
    held = RENDERER.prompt(ASKED) + RENDERER.reply(reply)
    assert RENDERER.extend(held, chat(reply)) == RENDERER.prompt(chat(reply))


REWRITES = {
    "keeps only the move": "message['content'].split()[-1]",
    "drops thinking": "message['content'].split('</think>')[-1]",
    "drops it all": "''",
}
"""What some templates make of a reply once it is not the last message."""


@pytest.mark.parametrize("rewritten", REWRITES.values(), ids=REWRITES)
def test_where_the_template_rewrites_a_reply_nothing_is_continued(rewritten):
    """Else the policy would be trained on a context that it never read."""
    tokenizer = embedded_tokenizer()
    as_it_is = "message['content'] if loop.last or message['role'] == 'user'"
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ message['content'] }}", "{{ " + f"{as_it_is} else {rewritten}" + " }}"
    )
    renderer = Renderer(tokenizer)
    reply = "<think>I hold the Queen.</think> [check]"
    held = renderer.prompt(ASKED) + renderer.reply(reply)
    assert renderer.extend(held, chat(reply)) is None
    assert RENDERER.extend(held, chat(reply)) is not None


def test_the_end_token_is_text_only_where_it_ends_nothing():
    output = (*encode("[bet]"), RENDERER.end_id, *encode(" so"))
    assert RENDERER.text(output) == f"[bet]{END} so"
    assert RENDERER.text(RENDERER.reply("[bet]")) == "[bet]"


def kuhn_replies():
    """Every reply that the words allow, in every situation, and the move's name in it."""
    game = KuhnPoker()
    words = KuhnPokerWords(game)
    for mine in Card:
        for theirs in set(Card) - {mine}:
            for line in ((), (Move.PASS,), (Move.BET,), (Move.PASS, Move.BET)):
                episode = begin(game).play(mine).play(theirs)
                for move in line:
                    episode = episode.play(move)
                state, seat = episode.state, episode.actor
                for move in game.legal_moves(state, seat):
                    bare = words.say(move, state, seat)
                    for thought in ("", *words.thoughts(state, seat)):
                        yield f"{thought} {bare}".strip(), bare.strip("[]")


def test_the_move_is_what_stands_between_the_brackets():
    for reply, name in kuhn_replies():
        ids = RENDERER.reply(reply)
        marked = [i for i, inside in zip(ids, RENDERER.move_tokens(ids), strict=True) if inside]
        assert TOKENIZER.decode(marked) == name


def test_of_several_brackets_the_last_ones_count_and_without_any_none():
    ids = RENDERER.reply("Not [check] but [bet]")
    marked = [i for i, inside in zip(ids, RENDERER.move_tokens(ids), strict=True) if inside]
    assert TOKENIZER.decode(marked) == "bet"
    assert not any(RENDERER.move_tokens(RENDERER.reply("I would bet")))


@given(some_ids)
def test_every_written_token_is_either_move_or_talk(ids):
    assert len(RENDERER.move_tokens(ids)) == len(ids)


def test_the_choices_are_the_tokens_of_the_legal_names():
    bet, check = encode("[bet]")[1:-1], encode("[check]")[1:-1]
    assert RENDERER.choices(("[bet]", "[check]")) == tuple(sorted({*bet, *check}))


def test_what_is_kept_hidden_does_not_show_in_the_prompt():
    """The other's card, in every style and situation: change it, and not a byte changes."""
    game = KuhnPoker()
    for style in ("fresh", "conversation"):
        for line in ((), (Move.PASS,), (Move.BET,)):
            seen = set()
            for theirs in (Card.JACK, Card.KING):
                seat = len(line) % 2
                cards = (Card.QUEEN, theirs) if seat == 0 else (theirs, Card.QUEEN)
                episode = begin(game).play(cards[0]).play(cards[1])
                for move in line:
                    episode = episode.play(move)
                talk = Talk(KuhnPokerWords(game), seat, style).hear(episode)
                seen.add(RENDERER.prompt(talk.messages))
            assert len(seen) == 1
