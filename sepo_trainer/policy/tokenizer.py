"""The embedded model's tokenizer: byte-level BPE trained on the project's own prompts.

It was trained once, on all five domains, and is kept beside this file: a prompt that changes, or a
domain that is added, must not change what an old model reads.
``python -m sepo_trainer.policy.tokenizer`` trains it anew; models trained before then keep the
tokenizer that was saved with them.

Every byte is in the alphabet, so any text of any domain to come encodes and decodes unchanged and
there is no unknown token. Merges run across words but not across clauses, digits, brackets and
lines: what a prompt repeats ("You are dealt the Queen.") is one token, the line that asks for an
answer is another, and a match is read in less than two fifths of the tokens that single words would
take. Digits stay single but for the count of rounds, so that numbers of every size read alike.
Saved in the ordinary Hugging Face format.

Source of merging across words: SuperBPE, arXiv 2503.13423.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import begin
from sepo_envs.protocol import Talk

PAD, END = "<|pad|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}" + f"{END}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + f"{ASSISTANT}" + "{% endif %}"
)
PIECES = Regex(
    r"You may think first\.[^\n]*| ?Round \d+ of \d+\.?"
    r"|\d|[\[\]]|\n"
    r"|(?:[^\d\[\]\n.:;,]|[.:;,](?!\s|$))+[.:;,]?(?: (?=\[)|\n)?|[.:;,](?: (?=\[)|\n)?"
)
"""The line that asks for an answer, which a game says in the same words again and again; the count
of rounds; single digits and brackets; line breaks; a clause with its closing sign and break."""

EPISODES = 512
"""Of each domain that are read: enough for every table of the item negotiation to be met."""

KEPT = Path(__file__).with_name("tokenizer.json")


def embedded_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of every embedded model.

    >>> tokenizer = embedded_tokenizer()
    >>> tokenizer.decode(tokenizer("Übermut? 17 [bet]")["input_ids"])
    'Übermut? 17 [bet]'
    """
    return _dressed(Tokenizer.from_file(str(KEPT)))


def train_tokenizer(*, vocabulary: int = 2048) -> Tokenizer:
    """Byte-level BPE over the text of all domains; the same on every machine."""
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer = Sequence(
        [Split(PIECES, "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, SYSTEM, USER, ASSISTANT],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_corpus(), trainer)
    return bpe


def _dressed(bpe: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    )


def _corpus() -> Iterator[str]:
    """What models read and write in every domain: the text of random episodes."""
    for name, domain in CATALOGUE.items():
        game = domain.make()
        words = domain.words(game)
        for number in range(EPISODES):
            yield from _episode_text(game, words, Random(f"{name}|{number}"))


def _episode_text(game, words, rng: Random) -> Iterable[str]:  # type: ignore[no-untyped-def]
    episode = begin(game).deal(rng)
    while (seat := episode.actor) is not None:
        move = rng.choice(game.legal_moves(episode.state, seat))
        talk = Talk(words, seat, "fresh").hear(episode)  # tells all that a conversation tells, too
        yield talk.messages[-1].content
        yield talk.reply("no move", episode)[0].messages[-1].content
        for thought in words.thoughts(episode.state, seat):
            yield f"{thought} {words.say(move, episode.state, seat)}"
        episode = episode.play(move).deal(rng)


if __name__ == "__main__":
    train_tokenizer().save(str(KEPT))
