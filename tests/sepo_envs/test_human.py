import pytest

from sepo_envs.episode import begin
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.human import Human, HumanLeftError

GAME = KuhnPoker()
WORDS = KuhnPokerWords(GAME)
DEALT = begin(GAME).play(Card.QUEEN).play(Card.KING)


def typing(*lines: str):
    """A person who types these lines and then closes the input; and what is shown meanwhile."""
    waiting, shown = iter(lines), []

    def read(prompt: str) -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    return Human(WORDS, read=read, write=shown.append), shown


@pytest.mark.parametrize("line", ["bet", "[bet]", " BET ", "I have a feeling. [bet]"])
def test_a_move_may_be_typed_with_or_without_brackets(line):
    person, _ = typing(line)
    assert person.act_on(DEALT, seat=0) == Move.BET


def test_the_rules_come_once_and_the_question_every_time():
    person, shown = typing("check", "fold")
    episode = DEALT.play(person.act_on(DEALT, seat=0)).play(Move.BET)
    assert person.act_on(episode, seat=0) == Move.PASS
    text = "\n".join(shown)
    assert text.count("You are playing Kuhn poker") == 1
    assert text.index("You are dealt the Queen.") < text.index("Your opponent bets.")
    assert text.endswith("[fold] or [call].")


def test_a_person_never_reads_the_other_card():
    person, shown = typing("check")
    person.act_on(DEALT, seat=0)
    assert "dealt the King" not in "\n".join(shown)


def test_an_unreadable_line_is_asked_again_with_the_reason():
    person, shown = typing("call", "", "check or bet", "[check] [bet]", "check")
    assert person.act_on(DEALT, seat=0) == Move.PASS
    assert shown[-4] == "[call] is not legal here; the legal moves are [check] or [bet]."
    assert "no move in square brackets" in shown[-3]
    assert "no move in square brackets" in shown[-2]
    assert "it names 2 different moves" in shown[-1]


def test_leaving_is_an_exception_of_its_own_and_no_move():
    person, _ = typing("hm")
    with pytest.raises(HumanLeftError, match=r"human left: .* in place of a move by seat 0"):
        person.act_on(DEALT, seat=0)


@pytest.mark.parametrize("key", [EOFError, KeyboardInterrupt])
def test_both_keys_that_end_a_program_are_a_way_to_leave(key):
    def read(prompt):
        raise key

    with pytest.raises(HumanLeftError):
        Human(WORDS, read=read, write=lambda text: None).act_on(DEALT, seat=0)


def test_asking_out_of_turn_is_refused():
    person, shown = typing("bet")
    with pytest.raises(ValueError, match="seat 1 was asked for a move, but it is 0's turn"):
        person.act_on(DEALT, seat=1)
    assert not shown
