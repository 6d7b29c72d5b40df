"""What a model reads of the repeated auction, and how its reply is read. Knows no API.

The whole match is one conversation. With one opponent the text says "your opponent"; with more,
bidders are numbered by seat. `tests/transcripts/repeated_auction.txt` is the reviewed artefact.

>>> from sepo_envs.games.repeated_auction.rules import CHANCE, RepeatedAuction
>>> game = RepeatedAuction()
>>> words, state = RepeatedAuctionWords(game), game.start()
>>> for moves in [{CHANCE: 4}, {CHANCE: 2}, {0: 2, 1: 1}, {CHANCE: 2}, {CHANCE: 4}]:
...     state = game.play(state, moves)
>>> print(words.news(state, 1))
Last round you bid 1 and your opponent bid 2. Your opponent won and paid 2.
Round 2 of 6. The item is worth 4 to you.
>>> words.parse("I shade my bid. [2]", state, 1)
2
>>> words.parse("[4]", state, 1).reason
'[4] is not legal here; the legal moves are [1], [2] or [3]'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sepo_envs.game import Unreadable
from sepo_envs.games.repeated_auction.rules import RepeatedAuction, Round, State
from sepo_envs.replies import NUMBER, one_of, read_answer


@dataclass(frozen=True, slots=True)
class RepeatedAuctionWords:
    game: RepeatedAuction

    def rules(self, seat: int) -> str:
        game, duel = self.game, self.game.bidders == 2
        against = "one opponent" if duel else f"{game.bidders - 1} opponents"
        drawn = ", each equally likely, and only you are told which" if len(game.values) > 1 else ""
        return "\n".join(
            [
                f"You are playing a sealed-bid auction against {against}: "
                f"{_many(game.rounds, 'round')}, one item each."
                + ("" if duel else f" You are bidder {seat + 1}."),
                f"In each round the item is worth {_list(game.values, 'or')} points to you{drawn}. "
                f"{'Your' if duel else 'Every'} opponent's value is drawn in the same way, "
                "separately. Each round draws anew.",
                f"You {'both' if duel else 'all'} bid {_list(game.bids, 'or')} at the same time. "
                "The highest bid wins; a tie is decided by lot.",
                "The winner pays its bid and earns its value minus the bid, "
                + ("but never less than 0" if game.floor_losses else "which may be a loss")
                + ". Whoever does not win earns 0.",
                "After each round the bids and the winner are announced, but no values.",
            ]
        )

    def news(self, state: State, seat: int) -> str:
        value = self.game.observe(state, seat).value
        if len(state.settled) == self.game.rounds:
            now = "The auctions are over."
        elif value is None:
            now = "The values are being drawn."
        else:
            number = len(state.settled) + 1
            now = f"Round {number} of {self.game.rounds}. The item is worth {value} to you."
        return f"{self._outcome(state.settled[-1], seat)}\n{now}" if state.settled else now

    def ask(self, state: State, seat: int) -> str:
        return (
            "You may think first. End your reply with exactly one bid: "
            f"{one_of(map(str, self.game.bids))}."
        )

    def parse(self, reply: str, state: State, seat: int) -> int | Unreadable:
        answer = read_answer(reply, legal=tuple(map(str, self.game.bids)), shape=NUMBER)
        return answer if isinstance(answer, Unreadable) else int(answer)

    def say(self, move: int, state: State, seat: int) -> str:
        return f"[{move}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        value = self.game.observe(state, seat).value
        assert value is not None, "a seat bids only once it has a value"
        number = f"Round {len(state.settled) + 1} of {self.game.rounds}"
        if state.settled:
            bids = [bid for other, bid in enumerate(state.settled[-1].bids) if other != seat]
            made = _list([bid for bid in bids if bid is not None], "and") or "nothing"
            who = "my opponent" if len(bids) == 1 else "the others"
            number = f"{number}, last round {who} bid {made}"
        return (f"The item is worth {value} to me.", f"{number}, and my value is {value}:")

    def notes(self, state: State, seat: int) -> str:
        """How often the others have made each bid of the grid.

        >>> words = RepeatedAuctionWords(RepeatedAuction())
        >>> past = Round((4, 2), (2, 3), 1), Round((4, 4), (3, 3), 0), Round((2, 4), (1, 2), 1)
        >>> words.notes(State((*past, Round((2,)))), 0)
        'My opponent bid 1,2,3: 0,1,2.'
        """
        made = [
            bid for past in state.settled for other, bid in enumerate(past.bids) if other != seat
        ]
        who = "My opponent" if self.game.bidders == 2 else "The others"
        times = ",".join(str(made.count(bid)) for bid in self.game.bids)
        return f"{who} bid {','.join(map(str, self.game.bids))}: {times}."

    def conversation(self, state: State) -> int:
        return 0

    def memory(self, state: State) -> tuple[Round, ...]:
        """Only the last round is told."""
        return state.settled[-1:]

    def show(self, state: State) -> str:
        """One line a round: values, bids and, once settled, the points to every seat.

        >>> words = RepeatedAuctionWords(RepeatedAuction())
        >>> print(words.show(State((Round((4, 2), (2, 3), 1),), Round((2,)))))
        round 1: player_0 worth 4 bids 2, player_1 worth 2 bids 3 -> player_0 +0, player_1 -1
        round 2: player_0 worth 2
        """
        lines = []
        payoffs = self.game.payoffs(state)
        running = (state.round,) if len(state.settled) < self.game.rounds else ()
        for number, shown in enumerate((*state.settled, *running)):
            seats = [
                f"player_{seat} worth {value}"
                + (f" {_bids(shown.bids[seat])}" if shown.bids else "")
                for seat, value in enumerate(shown.values)
            ]
            text = f"round {number + 1}: {', '.join(seats) or 'not dealt yet'}"
            if number < len(payoffs):
                points = enumerate(payoffs[number])
                text += " -> " + ", ".join(f"player_{seat} {won:+g}" for seat, won in points)
            lines.append(text)
        return "\n".join(lines)

    def _outcome(self, last: Round, seat: int) -> str:
        in_turn = sorted(range(self.game.bidders), key=lambda other: (other != seat, other))
        made = [
            f"{self._name(other, seat)} "
            + ("made no bid" if last.bids[other] is None else f"bid {last.bids[other]}")
            for other in in_turn
        ]
        bids = f"Last round {_list(made, 'and')}."
        if last.winner is None:
            return f"{bids} Nobody won."
        assert last.price is not None
        if last.winner == seat:
            earned = self.game.profit(last.values[seat], last.price)
            return f"{bids} You won, paid {last.price} and earned {earned:g}."
        who = self._name(last.winner, seat)
        return f"{bids} {who[0].upper()}{who[1:]} won and paid {last.price}."

    def _name(self, other: int, seat: int) -> str:
        if other == seat:
            return "you"
        return "your opponent" if self.game.bidders == 2 else f"bidder {other + 1}"


def _bids(bid: int | None) -> str:
    return "makes no bid" if bid is None else f"bids {bid}"


def _many(number: int, thing: str) -> str:
    """
    >>> _many(1, "round"), _many(6, "round")
    ('1 round', '6 rounds')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _list(things: Sequence[object], last_joined_by: str) -> str:
    """
    >>> _list([1, 2, 3], "or"), _list([2], "or"), _list([], "or")
    ('1, 2 or 3', '2', '')
    """
    *rest, last = [str(thing) for thing in things] or [""]
    return f"{', '.join(rest)} {last_joined_by} {last}" if rest else last
