"""The prisoner's dilemma drawn: both seats' moves round by round, and the payoff table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.canvas import (
    BAD,
    GOOD,
    INK,
    LINE,
    MARGIN,
    PANEL,
    QUIET,
    TOP,
    WIDTH,
    Canvas,
    headed,
    newest,
    pale,
    seat_color,
    seats_at,
)
from sepo_envs.game import CHANCE
from sepo_envs.games.prisoners_dilemma.rules import Move, PrisonersDilemma, Round, State

MOST_ROUNDS: Final = 16
"""Columns that there is room for."""
LEFT: Final = 132
"""Where the first column begins."""
ROWS: Final = (202, 274)
"""The middle of each seat's row of moves."""


@dataclass(frozen=True, slots=True)
class PrisonersDilemmaPicture:
    game: PrisonersDilemma

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The newest rounds, each seat's share of cooperation, and what each pair of moves pays.

        A seat sees its own slips alone.
        """
        forfeits = [seat for done in state.played for seat in (0, 1) if done.forfeited(seat)]
        canvas = headed(
            "Iterated Prisoner's Dilemma",
            self._how_far(state),
            seats_at(self.game, state, forfeits),
        )
        self._strip(canvas, state, seat)
        self._cooperation(canvas, state)
        self._payoff_table(canvas, state)
        canvas.caption(self._happened(state, seat))
        return canvas

    def _how_far(self, state: State) -> str:
        played, at_most = len(state.played), "" if self.game.continuation == 1 else "at most "
        if self.game.actors(state) == ():
            return f"over after {played} of {at_most}{self.game.rounds} rounds"
        running = state.running is None and state.goes_on is None
        return f"round {played + (not running)} of {at_most}{self.game.rounds}"

    def _strip(self, canvas: Canvas, state: State, viewer: int | None) -> None:
        """One column a round: its number, each seat's move, and below it the points."""
        places = min(self.game.rounds, MOST_ROUNDS)
        step = min(92.0, (WIDTH - MARGIN - LEFT) / places)
        shown, payoffs = newest(state.played, places), self.game.payoffs(state)
        for seat, y in enumerate(ROWS):
            name = f"player_{seat}"
            canvas.text(name, (MARGIN, y), size=17, anchor="lm", color=seat_color(seat))
        for place in range(places):
            x = LEFT + step * (place + 0.5)
            number = shown[0][0] + place if shown else place + 1
            canvas.text(str(number), (x, TOP + 22), size=14, color=QUIET, width=step - 6)
            for seat, y in enumerate(ROWS):
                box = (x - step / 2 + 3, y - 29, x + step / 2 - 3, y + 29)
                if place < len(shown):
                    done, paid = shown[place][1], payoffs[number - 1][seat]
                    slipped = done.slipped(seat) and viewer in (None, seat)
                    self._move(canvas, done, seat, box, paid, slipped=slipped)
                else:
                    canvas.panel(box, fill=None, edge=LINE, radius=7)

    def _move(
        self,
        canvas: Canvas,
        done: Round,
        seat: int,
        box: tuple[float, float, float, float],
        paid: float,
        *,
        slipped: bool,
    ) -> None:
        left, top, right, bottom = box
        x, y = (left + right) / 2, (top + bottom) / 2
        letter, color = ("C", GOOD) if done.done(seat) is Move.COOPERATE else ("D", BAD)
        if done.forfeited(seat):
            letter, color = "F", INK
        canvas.panel(box, fill=color, edge=None, radius=7)
        canvas.text(letter, (x, y - 8), size=26, color=PANEL, bold=True)
        canvas.text(f"{paid:g}", (x, y + 18), size=14, color=PANEL, width=right - left - 6)
        if slipped:
            canvas.shape([(right - 15, top), (right, top), (right, top + 15)], fill="#f2c94c")

    def _cooperation(self, canvas: Canvas, state: State) -> None:
        canvas.text("cooperation so far", (MARGIN, 340), size=17, anchor="lm", bold=True)
        for seat, y in enumerate((378, 414)):
            times = sum(done.done(seat) is Move.COOPERATE for done in state.played)
            share = times / len(state.played) if state.played else 0.0
            canvas.text(f"player_{seat}", (MARGIN, y), size=16, anchor="lm", color=seat_color(seat))
            canvas.bar((LEFT, y - 8, 388, y + 8), share, color=seat_color(seat))
            told = f"{times} of {len(state.played)}" if state.played else "-"
            canvas.text(told, (402, y), size=16, anchor="lm")
        keys = [("C cooperate", GOOD), ("D defect", BAD), ("F forfeit, seen as D", INK)]
        keys += [("yellow corner: a slip", "#f2c94c")] * (self.game.noise > 0)
        for number, (words, color) in enumerate(keys):
            x, y = MARGIN + 226 * (number % 2), 460 + 28 * (number // 2)
            canvas.panel((x, y - 8, x + 16, y + 8), fill=color, edge=None, radius=4)
            canvas.text(words, (x + 26, y), size=15, color=QUIET, anchor="lm")

    def _payoff_table(self, canvas: Canvas, state: State) -> None:
        """What a round pays, player_0's points first; the last round's cell is marked."""
        game, left, top, wide, high = self.game, 636, 366, 110, 58
        last = state.played[-1] if state.played else None
        canvas.text(
            "a round pays (player_0, player_1)", (536, 340), size=17, anchor="lm", bold=True
        )
        cells = {
            (0, 0): (game.reward, game.reward),
            (0, 1): (game.sucker, game.temptation),
            (1, 0): (game.temptation, game.sucker),
            (1, 1): (game.punishment, game.punishment),
        }
        for (row, column), (mine, theirs) in cells.items():
            x, y = left + wide * column, top + 24 + high * row
            happened = (
                last is not None
                and not any(map(last.forfeited, (0, 1)))
                and (row, column) == tuple(int(last.done(seat) is Move.DEFECT) for seat in (0, 1))
            )
            canvas.panel(
                (x + 3, y + 3, x + wide - 3, y + high - 3),
                fill=pale("#f2c94c", 0.6) if happened else PANEL,
                radius=7,
            )
            canvas.text(
                f"{mine:g}, {theirs:g}", (x + wide / 2, y + high / 2), size=21, width=wide - 16
            )
        for number, move in enumerate(("cooperates", "defects")):
            above = (left + wide * (number + 0.5), top + 12)
            canvas.text(move, above, size=14, color=seat_color(1))
            beside = (left - 10, top + 24 + high * (number + 0.5))
            canvas.text(move, beside, size=14, color=seat_color(0), anchor="rm")

    def _happened(self, state: State, viewer: int | None) -> str:
        if state.running is not None:
            return "both have chosen; chance decides what slips"
        if not state.played:
            return "nothing has been played yet"
        if self.game.actors(state) == (CHANCE,):
            return "chance decides whether the match goes on"
        last, paid = state.played[-1], self.game.payoffs(state)[-1]
        told = [f"player_{seat} {_did(last, seat, viewer)} (+{paid[seat]:g})" for seat in (0, 1)]
        return f"round {len(state.played)}: {', '.join(told)}".replace("+-", "-")


def _did(last: Round, seat: int, viewer: int | None) -> str:
    if last.forfeited(seat):
        return "forfeited"
    return f"{last.done(seat).removesuffix('e')}ed" + (
        " by a slip" if last.slipped(seat) and viewer in (None, seat) else ""
    )
