"""What a model reads of the split negotiation, and how its reply is read. Knows no API.

The whole episode is one conversation. `tests/transcripts/split_negotiation.txt` is the reviewed
artefact.

>>> from sepo_envs.games.split_negotiation.rules import SplitNegotiation
>>> game = SplitNegotiation()
>>> words, state = SplitNegotiationWords(game), game.play(game.start(), {0: 6, 1: 5})
>>> print(words.news(state, 0))
Round 1: you demanded 6 and your opponent demanded 5. That is more than 10, so there is no deal.
Round 2 of 4.
>>> words.parse("Then I give way. [5]", state, 0)
5
>>> words.parse("[10]", state, 0).reason
'[10] is not legal here; the legal moves are [1] to [9]'
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import Unreadable
from sepo_envs.games.split_negotiation.rules import Demands, SplitNegotiation, State
from sepo_envs.replies import NUMBER, read_answer


@dataclass(frozen=True, slots=True)
class SplitNegotiationWords:
    game: SplitNegotiation

    def rules(self, seat: int) -> str:
        pie, rounds = self.game.pie, self.game.rounds
        episode = "one round" if rounds == 1 else f"{rounds} rounds, each over a new pie"
        return (
            f"You and one opponent are splitting a pie of {pie} points. There {_is(rounds)} "
            f"{episode}.\n"
            f"In a round you both demand a whole number of points from 1 to {pie - 1}, at the same "
            "time: neither sees the other's demand first.\n"
            f"If the two demands together are {pie} or less, each of you gets what it demanded. "
            f"If they are more than {pie}, there is no deal and both get 0.\n"
            "Points that nobody demands are lost. After the round both see both demands."
        )

    def news(self, state: State, seat: int) -> str:
        history = self.game.observe(state, seat).history
        now = f"Round {len(history) + 1} of {self.game.rounds}."
        if not history:
            return now
        return f"Round {len(history)}: {self._outcome(*history[-1])}\n{now}"

    def ask(self, state: State, seat: int) -> str:
        return (
            "You may think first. End your reply with exactly one demand in square brackets, "
            f"from {self._choices}."
        )

    def parse(self, reply: str, state: State, seat: int) -> int | Unreadable:
        legal = tuple(map(str, self.game.legal_moves(state, seat)))
        answer = read_answer(reply, legal=legal, shape=NUMBER, choices=self._choices)
        return answer if isinstance(answer, Unreadable) else int(answer)

    def say(self, move: int, state: State, seat: int) -> str:
        return f"[{move}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        history = self.game.observe(state, seat).history
        left = self.game.rounds - len(history)
        to_go = "This is the last round." if left == 1 else f"There are {left} rounds to go."
        if not history:
            return (to_go, f"The pie has {self.game.pie} points and nothing is demanded yet.")
        mine, theirs = history[-1]
        found = "That was a deal." if self.game.deal((mine, theirs)) else "That was no deal."
        return (to_go, f"Last round I demanded {mine} and they demanded {theirs}. {found}")

    def conversation(self, state: State) -> int:
        return 0

    def memory(self, state: State) -> tuple[Demands, ...]:
        """Only the last round is told."""
        return state.history[-1:]

    def show(self, state: State) -> str:
        """One line a round.

        >>> words = SplitNegotiationWords(SplitNegotiation())
        >>> words.show(State(((6, 4),)))
        'round 1: player_0 demands 6, player_1 demands 4: a deal -> player_0 +6, player_1 +4'
        """
        lines = []
        for number, (demands, paid) in enumerate(
            zip(state.history, self.game.payoffs(state), strict=True), start=1
        ):
            asked = ", ".join(f"player_{seat} demands {demands[seat]}" for seat in (0, 1))
            points = ", ".join(f"player_{seat} {paid[seat]:+g}" for seat in (0, 1))
            found = "a deal" if self.game.deal(demands) else "no deal"
            lines.append(f"round {number}: {asked}: {found} -> {points}")
        return "\n".join(lines) or "nothing demanded yet"

    @property
    def _choices(self) -> str:
        return f"[1] to [{self.game.pie - 1}]"

    def _outcome(self, mine: int, theirs: int) -> str:
        pie = self.game.pie
        told = f"{_demanded('you', mine)} and {_demanded('your opponent', theirs)}."
        if self.game.deal((mine, theirs)):
            return f"{told} You get {mine} and your opponent gets {theirs}."
        if mine + theirs > pie:
            return f"{told} That is more than {pie}, so there is no deal."
        return f"{told} There is no deal."


def _demanded(who: str, points: int) -> str:
    return f"{who} demanded {points}" if points else f"{who} made no readable demand"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
