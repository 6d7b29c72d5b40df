"""Chats become ids once; held ids are continued and never rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import begin
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.protocol import Message, Talk
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.policy.tokenizer import ASSISTANT, END, USER, embedded_tokenizer
from tests.sepo_trainer.real_models import gemma_tokenizer, llama_tokenizer, qwen_tokenizer

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


def written(tokenizer, ids) -> str:
    return tokenizer.decode(list(ids))


QUESTION = ASKED[0].content
OPENED = [
    (gemma_tokenizer, None, f"<bos><|turn>user\n{QUESTION}<turn|>\n<|turn>model\n"),
    (
        gemma_tokenizer,
        True,
        f"<bos><|turn>system\n<|think|><turn|>\n<|turn>user\n{QUESTION}<turn|>\n<|turn>model\n",
    ),
    (
        qwen_tokenizer,
        None,
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n<think>\n",
    ),
    (
        qwen_tokenizer,
        False,
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    (
        llama_tokenizer,
        None,
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
]


@pytest.mark.parametrize(("make", "thinking", "text"), OPENED)
def test_real_templates_open_the_assistants_turn_and_think_as_they_are_told(make, thinking, text):
    """By hand; what begins a text stands there once."""
    tokenizer = make()
    assert written(tokenizer, Renderer(tokenizer, thinking=thinking).prompt(ASKED)) == text


REPLIED = [
    (gemma_tokenizer, None, "[check]<turn|>"),
    (qwen_tokenizer, None, "\n</think>\n\n[check]<|im_end|>"),
    (qwen_tokenizer, False, "[check]<|im_end|>"),
    (llama_tokenizer, None, "[check]<|eot_id|>"),
]


@pytest.mark.parametrize(("make", "thinking", "text"), REPLIED)
def test_a_demonstrator_replies_as_the_template_writes_a_reply_without_a_thought(
    make, thinking, text
):
    """Where the prompt opens a thought, it is closed first; the turn ends with the template's own
    token, which for Gemma is not the end of a text."""
    tokenizer = make()
    renderer = Renderer(tokenizer, thinking=thinking)
    reply = renderer.reply("[check]")
    assert written(tokenizer, reply) == text
    assert reply[-1] == renderer.end_id
    marked = [id for id, inside in zip(reply, renderer.move_tokens(reply), strict=True) if inside]
    assert written(tokenizer, marked) == "check"


@pytest.mark.parametrize(
    ("make", "reply", "goes_on"),
    [
        (gemma_tokenizer, "[check]", True),
        (gemma_tokenizer, "<|channel>thought\nI hold the Queen.<channel|>[check]", False),
        (qwen_tokenizer, "I hold the Queen.\n</think>\n\n[check]", False),
        (llama_tokenizer, "I hold the Queen. [check]", True),
    ],
)
def test_a_conversation_goes_on_where_the_template_keeps_what_was_said(make, reply, goes_on):
    """A thought that it drops opens a row of its own: the model was shown another text."""
    tokenizer = make()
    renderer = Renderer(tokenizer)
    held = (*renderer.prompt(ASKED), *encode_with(tokenizer, reply), renderer.end_id)
    extended = renderer.extend(held, chat(reply))
    assert (extended is not None) == goes_on
    if goes_on:
        assert extended == renderer.prompt(chat(reply))


def encode_with(tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_any_of_the_end_tokens_ends_a_reply_and_is_no_text():
    tokenizer = gemma_tokenizer()
    renderer = Renderer(tokenizer, end_ids=(9,))
    turn, text = tokenizer.convert_tokens_to_ids(["<turn|>", "<eos>"])
    assert renderer.end_ids == (turn, text, 9)
    body = encode_with(tokenizer, "[check]")
    assert [renderer.text((*body, end)) for end in (turn, text, 9)] == ["[check]"] * 3


REFUSED = {
    "opens nothing": (
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}" + END + "{% endfor %}",
        None,
        "does not open the assistant's turn",
    ),
    "knows nothing of thinking": (TOKENIZER.chat_template, False, "no `enable_thinking`"),
}


@pytest.mark.parametrize(("template", "thinking", "words"), REFUSED.values(), ids=REFUSED)
def test_a_template_that_would_not_do_what_it_is_told_is_refused(template, thinking, words):
    tokenizer = embedded_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(ValueError, match=words):
        Renderer(tokenizer, thinking=thinking)


def test_a_question_whose_end_opens_the_assistants_turn_is_a_prompt():
    """As Mistral and Llama 2 have it: nothing else stands between the question and the reply."""
    tokenizer = embedded_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
        "{% else %} {{ m['content'] }}" + END + "{% endif %}{% endfor %}"
    )
    renderer = Renderer(tokenizer)
    assert written(tokenizer, renderer.prompt(ASKED)) == f"[INST] {QUESTION} [/INST]"
    assert written(tokenizer, renderer.reply("[check]")) == f" [check]{END}"
