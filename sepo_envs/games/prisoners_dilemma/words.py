"""What a model reads of the iterated prisoner's dilemma, and how its reply is read. Knows no API.

A match is one conversation. Each round's news names its number, so that it reads alike one message
at a time and all in one prompt. `tests/transcripts/prisoners_dilemma.txt` is the reviewed artefact.

>>> game = PrisonersDilemma()
>>> words, start = PrisonersDilemmaWords(game), game.start()
>>> words.news(start, 0)
'Round 1 of 8.'
>>> words.news(game.play(start, {0: Move.COOPERATE, 1: Move.DEFECT}), 0)
'In round 1 you cooperated and your opponent defected: you got 0 points, they got 5. Round 2 of 8.'
>>> words.parse("They will do it again. [defect]", start, 0)
<Move.DEFECT: 'defect'>
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sepo_envs.game import Unreadable
from sepo_envs.games.prisoners_dilemma.rules import MOVES, Move, PrisonersDilemma, Round, State
from sepo_envs.replies import one_of, read_answer

ASK = f"You may think first. End your reply with exactly one move: {one_of(MOVES)}."


def points(number: float) -> str:
    """
    >>> points(1), points(2.5)
    ('1 point', '2.5 points')
    """
    return f"{number:g} point{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class PrisonersDilemmaWords:
    game: PrisonersDilemma

    def rules(self, seat: int) -> str:
        game = self.game
        lines = [
            "You are playing the iterated prisoner's dilemma against one opponent.",
            f"The match lasts {self._horizon()}. In each round both of you choose to cooperate or "
            "to defect, without seeing the other's choice.",
            f"If both cooperate, each gets {points(game.reward)}. "
            f"If both defect, each gets {points(game.punishment)}.",
            f"If only one defects, the defector gets {points(game.temptation)} and the other gets "
            f"{points(game.sucker)}.",
        ]
        if game.noise:
            lines.append(
                f"With probability {game.noise:g} a choice slips: the other one is carried out in "
                "its place. You both see what was carried out; each knows of its own slips only."
            )
        return "\n".join(lines)

    def news(self, state: State, seat: int) -> str:
        now = f"Round {len(state.played) + 1} of {self._at_most()}{self.game.rounds}."
        if not state.played:
            return now
        return f"{self._outcome(len(state.played), state.played[-1], seat)} {now}"

    def ask(self, state: State, seat: int) -> str:
        return ASK

    def parse(self, reply: str, state: State, seat: int) -> Move | Unreadable:
        word = read_answer(reply, legal=MOVES)
        return word if isinstance(word, Unreadable) else MOVES[MOVES.index(word)]

    def say(self, move: Move, state: State, seat: int) -> str:
        return f"[{move}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        seen = self.game.observe(state, seat)
        left = self.game.rounds - len(seen.mine)
        if not seen.theirs:
            return ("Nothing has been played yet.", f"It is the first round, with {left} to play:")
        times = seen.theirs.count(Move.COOPERATE)
        return (
            f"My opponent {_past(seen.theirs[-1])} in the last round.",
            f"My opponent has cooperated in {times} of {len(seen.theirs)} rounds, and "
            f"{'this is the last' if left == 1 else f'{left} are left'}:",
        )

    def conversation(self, state: State) -> int:
        return 0

    def memory(self, state: State) -> tuple[Round, ...]:
        """Only the last round is told."""
        return state.played[-1:]

    def show(self, state: State) -> str:
        """One line a round.

        >>> game = PrisonersDilemma()
        >>> played = game.play(game.start(), {0: Move.COOPERATE, 1: Move.DEFECT})
        >>> PrisonersDilemmaWords(game).show(played)
        'round 1: player_0 cooperate, player_1 defect -> player_0 +0, player_1 +5'
        """
        lines = []
        for number, (done, paid) in enumerate(
            zip(state.played, self.game.payoffs(state), strict=True), 1
        ):
            moves = ", ".join(f"player_{seat} {_shown(done, seat)}" for seat in (0, 1))
            gains = ", ".join(f"player_{seat} {paid[seat]:+g}" for seat in (0, 1))
            lines.append(f"round {number}: {moves} -> {gains}")
        return "\n".join(lines or ["round 1: not played yet"])

    @lru_cache(maxsize=4_096)  # noqa: B019  of values, which hold nothing alive
    def _outcome(self, number: int, last: Round, seat: int) -> str:
        """What round ``number``, the ``last`` one played, brought."""
        paid = self.game.paid(last)
        return (
            f"In round {number} {self._my_move(last, seat)} and "
            f"{self._their_move(last, 1 - seat)}: you got {points(paid[seat])}, "
            f"they got {paid[1 - seat]:g}."
        )

    def _horizon(self) -> str:
        rounds = f"{self.game.rounds} round{'' if self.game.rounds == 1 else 's'}"
        if self.game.continuation == 1:
            return f"exactly {rounds}"
        return (
            f"{rounds} at most: after each it goes on with probability {self.game.continuation:g}"
        )

    def _at_most(self) -> str:
        return "" if self.game.continuation == 1 else "at most "

    def _my_move(self, last: Round, seat: int) -> str:
        if last.forfeited(seat):
            return "you forfeited, which is seen as defecting,"
        if last.slipped(seat):
            return f"you {_past(last.done(seat))} by a slip"
        return f"you {_past(last.done(seat))}"

    def _their_move(self, last: Round, seat: int) -> str:
        if last.forfeited(seat):
            return "your opponent forfeited, which is seen as defecting"
        return f"your opponent {_past(last.done(seat))}"


def _past(move: Move) -> str:
    return f"{move.removesuffix('e')}ed"


def _shown(done: Round, seat: int) -> str:
    if done.forfeited(seat):
        return "forfeit"
    return f"{done.done(seat)} (a slip)" if done.slipped(seat) else str(done.done(seat))
