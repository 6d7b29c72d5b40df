import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.tokenizer import END, PAD, PIECES, embedded_tokenizer, train_tokenizer

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


@pytest.mark.parametrize("name", CATALOGUE)
def test_clauses_of_every_domains_prompts_are_one_token_each(name):
    """The kept tokenizer still fits today's prompts; if not, train it anew on purpose."""
    words = CATALOGUE[name].words(CATALOGUE[name].make())
    for clause, _ in Split(PIECES, "isolated").pre_tokenize_str(words.rules(0)):
        assert len(TOKENIZER(clause)["input_ids"]) == 1, clause


def test_a_move_stays_apart_from_the_clause_before_it_and_from_its_brackets():
    ids = TOKENIZER("The King beats every other card. [bet]")["input_ids"]
    pieces = [TOKENIZER.decode([token]) for token in ids]
    assert pieces[-3:] == ["[", "bet", "]"]
    assert "".join(pieces[:-3]) == "The King beats every other card. "
