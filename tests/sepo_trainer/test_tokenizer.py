import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer

from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import begin
from sepo_envs.protocol import Talk
from sepo_trainer.policy.tokenizer import END, PAD, PIECES, embedded_tokenizer, train_tokenizer

TOKENIZER = embedded_tokenizer()


@given(st.text(max_size=60))
def test_any_text_survives_being_encoded_and_decoded(text):
    """Every byte is in the alphabet: no unknown token, no language that it cannot write."""
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_training_it_twice_gives_the_same_tokenizer():
    assert train_tokenizer().to_str() == train_tokenizer().to_str()


def test_it_is_the_same_wherever_it_is_loaded(tmp_path):
    text = "I hold the Queen. [check]"
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert TOKENIZER.get_vocab() == loaded.get_vocab()
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    chat = [{"role": "user", "content": text}]
    assert loaded.apply_chat_template(chat, tokenize=False) == TOKENIZER.apply_chat_template(
        chat, tokenize=False
    )


def test_nothing_is_put_before_or_after_a_text():
    """No beginning token, which the template writes itself; and padding never passes for an end."""
    assert TOKENIZER.decode(TOKENIZER("[bet]")["input_ids"]) == "[bet]"
    assert TOKENIZER("")["input_ids"] == []
    assert TOKENIZER.pad_token_id != TOKENIZER.eos_token_id
    assert (TOKENIZER.pad_token, TOKENIZER.eos_token) == (PAD, END)


@given(st.integers(0, 10**6))
def test_digits_stay_single_so_that_all_numbers_read_alike(number):
    assert len(TOKENIZER(str(number))["input_ids"]) == len(str(number))


def texts(name: str, episodes: int = 12) -> list[str]:
    """What is read in random episodes of a domain, and every reply that its words allow there."""
    game = CATALOGUE[name].make()
    words, found = CATALOGUE[name].words(game), []
    for number in range(episodes):
        rng = Random(f"other episodes than it was trained on|{name}|{number}")
        episode = begin(game).deal(rng)
        talks = [Talk(words, seat, "conversation") for seat in range(game.seats)]
        while (seat := episode.actor) is not None:
            legal = game.legal_moves(episode.state, seat)
            heard = talks[seat].hear(episode)
            fresh = Talk(words, seat, "fresh").hear(episode)
            move = rng.choice(legal)
            bare = words.say(move, episode.state, seat)
            talks[seat], _ = heard.reply(bare, episode)
            found += [heard.messages[-1].content, fresh.messages[-1].content, bare]
            found += [f"{thought} {bare}" for thought in words.thoughts(episode.state, seat)]
            episode = episode.play(move).deal(rng)
    return found


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_clause_of_any_domains_text_is_one_token(name):
    """The kept tokenizer still fits today's words; if not, train it anew on purpose."""
    for text in texts(name):
        pieces = [piece for piece, _ in Split(PIECES, "isolated").pre_tokenize_str(text)]
        assert [TOKENIZER.decode([token]) for token in TOKENIZER(text)["input_ids"]] == pieces


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_text_takes_less_than_two_fifths_of_the_tokens_of_its_words(name):
    """Counting words, digits, signs and line breaks, which no merge across words could join."""
    found = texts(name)
    tokens = sum(len(TOKENIZER(text)["input_ids"]) for text in found)
    single = sum(len(re.findall(r"[^\W\d]+|\d|[^\w\s]|\n", text)) for text in found)
    assert 5 * tokens < 2 * single


def test_a_kuhn_prompt_is_as_many_tokens_as_it_has_clauses():
    """By hand."""
    text = "You are dealt the Queen. You act first.\n"
    pieces = [TOKENIZER.decode([token]) for token in TOKENIZER(text)["input_ids"]]
    assert pieces == ["You are dealt the Queen.", " You act first.\n"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_asks_for_an_answer_is_one_token_and_its_brackets_are_no_answer(name):
    """However many moves it names; in an answer, brackets stay apart from the move."""
    asks = {
        line
        for text in texts(name)
        for line in text.splitlines()
        if line.startswith("You may think first.")
    }
    assert asks
    assert all(len(TOKENIZER(ask)["input_ids"]) == 1 for ask in asks)


def test_a_move_stays_apart_from_the_clause_before_it_and_from_its_brackets():
    ids = TOKENIZER("The King beats every other card. [bet]")["input_ids"]
    pieces = [TOKENIZER.decode([token]) for token in ids]
    assert pieces[-3:] == ["[", "bet", "]"]
    assert "".join(pieces[:-3]) == "The King beats every other card. "
