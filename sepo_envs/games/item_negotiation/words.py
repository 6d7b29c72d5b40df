"""What a model reads of the item negotiation, and how its reply is read. Knows no API.

The whole episode is one conversation. `tests/transcripts/item_negotiation.txt` is the reviewed
artefact.

>>> from sepo_envs.games.item_negotiation.rules import CHANCE, ItemNegotiation
>>> game = ItemNegotiation()
>>> words, state = ItemNegotiationWords(game), game.start()
>>> for outcome in ((1, 2, 3), (2, 1, 2), (8, 1, 0)):
...     state = game.play(state, {CHANCE: outcome})
>>> print(words.news(state, 0))
On the table: 1 book, 2 hats and 3 balls.
To you one book is worth 2 points, one hat 1 and one ball 2.
Round 1 of 4.
>>> words.parse("The balls for me. [0, 0, 3]", state, 0)
(0, 0, 3)
>>> words.parse("[2,0,0]", state, 0).reason
'[2,0,0] is not legal here; the legal moves are [books,hats,balls] with 0 to 1 for books, \
0 to 2 for hats and 0 to 3 for balls'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sepo_envs.game import Unreadable
from sepo_envs.games.item_negotiation.rules import (
    ITEMS,
    NOTHING,
    POINTS,
    ItemNegotiation,
    Seen,
    State,
    Vector,
    deal,
    worth,
)
from sepo_envs.replies import NUMBERS, read_answer

FORM: Final = f"[{','.join(ITEMS)}]"


@dataclass(frozen=True, slots=True)
class ItemNegotiationWords:
    game: ItemNegotiation

    def rules(self, seat: int) -> str:
        rounds = self.game.rounds
        whole = {
            "table": "everything on the table is",
            "one of each": f"{_listed(f'one {_unit(item)}' for item in ITEMS)} are",
        }[self.game.worth]
        changing = {
            (False, False): "The values stay the same in every round.",
            (True, False): "Your values are drawn anew in every round, your opponent's are not.",
            (False, True): "Your opponent's values are drawn anew in every round, yours are not.",
            (True, True): "The values are drawn anew in every round.",
        }[seat in self.game.redrawn, 1 - seat in self.game.redrawn]
        return (
            f"You and one opponent are dividing {_listed(ITEMS)}. "
            f"There {'is one round' if rounds == 1 else f'are {rounds} rounds'} "
            "over the same items.\n"
            "The items may be worth more to one of you than to the other, and each of you sees "
            f"only its own values. To each of you {whole} worth {POINTS} points in all. "
            f"{changing}\n"
            "In a round you both demand a number of each item, at the same time: neither sees the "
            "other's demand first.\n"
            "If for every item the two demands together are no more than there is, each of you "
            "gets what it demanded and is paid its worth. Otherwise there is no deal and both get "
            "0.\n"
            "Items that nobody demands are lost. After the round both see both demands."
        )

    def news(self, state: State, seat: int) -> str:
        seen = self.game.observe(state, seat)
        if seen.table is None or seen.values is None:
            return "The items are being laid out."
        now = f"Round {len(seen.history) + 1} of {self.game.rounds}."
        values = f"To you {_prices(seen.values)}."
        if not seen.history:
            return f"On the table: {_units(seen.table)}.\n{values}\n{now}"
        parts = [f"Round {len(seen.history)}: {_outcome(seen.table, seen.history[-1])}"]
        parts += [values] * (seat in self.game.redrawn)
        return "\n".join([*parts, now])

    def ask(self, state: State, seat: int) -> str:
        return (
            "You may think first. End your reply with exactly one demand, three numbers in the "
            f"form {self._form(state)}."
        )

    def parse(self, reply: str, state: State, seat: int) -> Vector | Unreadable:
        legal = {_vector(move): move for move in self.game.legal_moves(state, seat)}
        answer = read_answer(reply, legal=tuple(legal), shape=NUMBERS, choices=self._form(state))
        return answer if isinstance(answer, Unreadable) else legal[answer]

    def say(self, move: Vector, state: State, seat: int) -> str:
        return f"[{_vector(move)}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        seen = self.game.observe(state, seat)
        assert seen.values is not None, "a seat decides only once its values are dealt"
        left = self.game.rounds - len(seen.history)
        to_go = "This is the last round." if left == 1 else f"There are {left} rounds to go."
        mine = f"To me {_prices(seen.values)}."
        if not seen.history:
            return (to_go, mine)
        return (to_go, mine, f"Last round they demanded {_units(seen.history[-1].theirs)}.")

    def conversation(self, state: State) -> int:
        return 0

    def show(self, state: State) -> str:
        """What lies on the table, then one line a round.

        >>> from sepo_envs.games.item_negotiation.rules import Round
        >>> settled = (Round(((0, 1, 3), (1, 1, 0)), ((2, 1, 2), (8, 1, 0))),)
        >>> words = ItemNegotiationWords(ItemNegotiation(rounds=1))
        >>> print(words.show(State((1, 2, 3), ((2, 1, 2), (8, 1, 0)), settled)))
        on the table: 1 book, 2 hats and 3 balls
        round 1: player_0 (values 2,1,2) demands [0,1,3], player_1 (values 8,1,0) demands [1,1,0]: \
a deal -> player_0 +7, player_1 +9
        """
        if state.table is None:
            return "nothing on the table yet"
        lines = [f"on the table: {_units(state.table)}"]
        for number, (round_, paid) in enumerate(
            zip(state.settled, self.game.payoffs(state), strict=True), start=1
        ):
            asked = ", ".join(
                f"player_{seat} (values {_vector(round_.values[seat])}) "
                f"demands [{_vector(round_.demands[seat])}]"
                for seat in (0, 1)
            )
            points = ", ".join(f"player_{seat} {paid[seat]:+g}" for seat in (0, 1))
            found = "a deal" if deal(state.table, round_.demands) else "no deal"
            lines.append(f"round {number}: {asked}: {found} -> {points}")
        if len(state.settled) < self.game.rounds:
            held = [
                f"player_{seat} (values {_vector(values)})"
                for seat, values in enumerate(state.values)
                if values is not None
            ]
            lines += [f"round {len(state.settled) + 1}: {', '.join(held) or 'no values yet'}"]
        return "\n".join(lines)

    def _form(self, state: State) -> str:
        most = zip(ITEMS, state.table or NOTHING, strict=True)
        limits = [f"0 to {count} for {item}" for item, count in most]
        return f"{FORM} with {_listed(limits)}"


def _outcome(table: Vector, seen: Seen) -> str:
    # In words, so that a model which quotes a past demand does not seem to name a second move.
    demanded = f"you demanded {_units(seen.mine)}; your opponent {_units(seen.theirs)}."
    if deal(table, (seen.mine, seen.theirs)):
        return f"{demanded} That is a deal, and you get {_points(worth(seen.values, seen.mine))}."
    short = [
        item
        for item, mine, theirs, count in zip(ITEMS, seen.mine, seen.theirs, table, strict=True)
        if mine + theirs > count
    ]
    if not short:
        return f"{demanded} There is no deal."
    return f"{demanded} There are not enough {_listed(short)}, so there is no deal."


def _vector(vector: Vector) -> str:
    return ",".join(map(str, vector))


def _unit(item: str) -> str:
    return item.removesuffix("s")


def counted(count: int, item: str) -> str:
    """
    >>> counted(1, "books"), counted(0, "hats")
    ('1 book', '0 hats')
    """
    return f"{count} {_unit(item) if count == 1 else item}"


def _units(table: Vector) -> str:
    return _listed(counted(count, item) for count, item in zip(table, ITEMS, strict=True))


def _prices(values: Vector) -> str:
    first, *rest = [f"one {_unit(item)}" for item in ITEMS]
    told = [f"{first} is worth {_points(values[0])}"]
    told += [f"{unit} {value}" for unit, value in zip(rest, values[1:], strict=True)]
    return _listed(told)


def _points(number: int) -> str:
    return f"{number} point{'' if number == 1 else 's'}"


def _listed(parts: Iterable[str]) -> str:
    *rest, last = parts
    return f"{', '.join(rest)} and {last}" if rest else last
