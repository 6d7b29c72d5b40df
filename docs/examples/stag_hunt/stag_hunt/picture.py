"""The stag hunt drawn: a column a round, with what each hunter went after and what it got."""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.canvas import (
    BAD,
    GOOD,
    LINE,
    MARGIN,
    QUIET,
    TOP,
    WIDTH,
    Canvas,
    headed,
    newest,
    seat_color,
    seats_at,
)
from sepo_envs.game import FORFEIT
from stag_hunt.rules import Move, StagHunt, State

MOST_ROUNDS = 8
LEFT = 132
"""Where the first column begins."""
ROWS = (230, 350)
"""The middle of each hunter's row."""
COLORS = {Move.STAG: GOOD, Move.HARE: seat_color(1), FORFEIT: BAD}


@dataclass(frozen=True, slots=True)
class StagHuntPicture:
    game: StagHunt

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        forfeits = [
            place for chosen in state.played for place in (0, 1) if chosen[place] is FORFEIT
        ]
        status = f"{len(state.played)} of {self.game.rounds} rounds hunted"
        canvas = headed("Stag Hunt", status, seats_at(self.game, state, forfeits))
        places = min(self.game.rounds, MOST_ROUNDS)
        step = min(150.0, (WIDTH - MARGIN - LEFT) / places)
        payoffs = self.game.payoffs(state)
        for seat, y in enumerate(ROWS):
            name = f"player_{seat}"
            canvas.text(name, (MARGIN, y), size=17, anchor="lm", color=seat_color(seat))
        for place, (number, chosen) in enumerate(newest(state.played, places)):
            x = LEFT + step * (place + 0.5)
            canvas.text(f"{number}", (x, TOP + 22), size=14, color=QUIET)
            for seat, y in enumerate(ROWS):
                box = (x - step / 2 + 4, y - 44, x + step / 2 - 4, y + 44)
                canvas.panel(box, fill=COLORS[chosen[seat]], edge=LINE, radius=7)
                word = chosen[seat].name.lower()
                canvas.text(word, (x, y - 10), size=18, color="#ffffff", width=step - 12)
                paid = f"{payoffs[number - 1][seat]:+g}"
                canvas.text(paid, (x, y + 20), size=16, color="#ffffff")
        canvas.caption("A hare can be caught alone; the stag only by both.")
        return canvas
