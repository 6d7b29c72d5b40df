"""What a model reads of the stag hunt, and how its reply is read. Knows no API.

>>> from stag_hunt.rules import StagHunt
>>> game = StagHunt()
>>> words = StagHuntWords(game)
>>> words.parse("Together we eat better. [stag]", game.start(), 0)
<Move.STAG: 'stag'>
>>> words.parse("[stag] or [hare]?", game.start(), 0).reason
'it names 2 different moves, [stag] and [hare], where exactly one is wanted'
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import FORFEIT, Forfeit, Unreadable
from sepo_envs.replies import one_of, read_answer
from stag_hunt.rules import ALONE, TOGETHER, Move, StagHunt, State


@dataclass(frozen=True, slots=True)
class StagHuntWords:
    game: StagHunt

    def rules(self, seat: int) -> str:
        rounds = self.game.rounds
        return (
            f"You and one other hunter hunt for {rounds} round{'s' if rounds > 1 else ''}. In each "
            "round both of you choose the stag or a hare, without seeing the other's choice.\n"
            f"If both choose the stag, each gets {TOGETHER:g} points. Whoever chooses a hare gets "
            f"{ALONE:g} points, whatever the other does. Whoever hunts the stag alone gets 0."
        )

    def news(self, state: State, seat: int) -> str:
        seen = self.game.observe(state, seat)
        now = f"Round {len(seen.played) + 1} of {seen.rounds}."
        if not seen.played:
            return now
        (mine, theirs), paid = seen.played[-1], self.game.payoffs(state)[-1][seat]
        return (
            f"Last round you {_told(mine)} and the other hunter {_told(theirs)}: "
            f"you got {paid:g}. {now}"
        )

    def ask(self, state: State, seat: int) -> str:
        return f"You may think first. End your reply with exactly one move: {one_of(Move)}."

    def parse(self, reply: str, state: State, seat: int) -> Move | Unreadable:
        answer = read_answer(reply, legal=self.game.legal_moves(state, seat))
        return answer if isinstance(answer, Unreadable) else Move(answer)

    def say(self, move: Move, state: State, seat: int) -> str:
        return f"[{move}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        seen = self.game.observe(state, seat)
        if not seen.played:
            return ("Nothing has been hunted yet.",)
        return (f"Last round the other hunter {_told(seen.played[-1][1])}.",)

    def conversation(self, state: State) -> int:
        """The whole match is one conversation."""
        return 0

    def show(self, state: State) -> str:
        """One line a round.

        >>> StagHuntWords(StagHunt()).show(State(((Move.STAG, Move.HARE),)))
        'round 1: player_0 stag, player_1 hare -> player_0 +0, player_1 +3'
        """
        rounds = zip(state.played, self.game.payoffs(state), strict=True)
        return (
            "\n".join(
                f"round {number}: "
                + ", ".join(f"player_{seat} {_shown(chosen[seat])}" for seat in (0, 1))
                + " -> "
                + ", ".join(f"player_{seat} {paid[seat]:+g}" for seat in (0, 1))
                for number, (chosen, paid) in enumerate(rounds, start=1)
            )
            or "nothing hunted yet"
        )


def _told(choice: Move | Forfeit) -> str:
    return "made no readable choice" if choice is FORFEIT else f"hunted the {choice}"


def _shown(choice: Move | Forfeit) -> str:
    return "forfeits" if isinstance(choice, Forfeit) else choice
