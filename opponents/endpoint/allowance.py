"""How fast requests may go to a server, and what they may cost. Knows no HTTP.

>>> minute = [0.0]
>>> pace = Pace(requests=30, clock=lambda: minute[0], sleep=lambda s: minute.__setitem__(0, s))
>>> pace.wait(tokens=100)
>>> pace.wait(tokens=100)
>>> minute  # 30 a minute are one in two seconds
[2.0]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Final

MILLION: Final = 1_000_000
MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Prices:
    """In US dollars per million tokens.

    >>> Prices(prompt=0.15, output=0.6).of(prompt_tokens=2_000_000, output_tokens=500_000)
    0.6
    """

    prompt: float
    output: float

    def __post_init__(self) -> None:
        for name, price in (("prompt", self.prompt), ("output", self.output)):
            if not price >= 0:
                raise ValueError(f"the {name} price is {price}, but tokens cost 0 or more.")

    def of(self, *, prompt_tokens: int, output_tokens: int) -> float:
        """What these tokens cost."""
        return (self.prompt * prompt_tokens + self.output * output_tokens) / MILLION


FREE: Final = Prices(0.0, 0.0)


class Pace:
    """Spreads requests evenly, so that no minute holds more of them, or of tokens, than allowed.

    Args:
        requests, tokens: most of them per minute; None knows no bound.
        clock: seconds; never goes back.
        sleep: waits for so many of them.
    """

    def __init__(
        self,
        *,
        requests: float | None = None,
        tokens: float | None = None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._per_request = MINUTE / requests if requests else 0.0
        self._per_token = MINUTE / tokens if tokens else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = Lock()
        self._next_request = self._next_token = self._resumes = clock()

    def wait(self, *, tokens: float) -> None:
        """Until a request that is expected to take so many tokens may go."""
        self._go(self._place(tokens), tokens)

    def _go(self, place: float, tokens: float) -> None:
        """Once ``place`` has come; a request whom a pause overtakes queues behind it."""
        while (more := place - self._clock()) > 0:
            self._sleep(more)
            if place < self._resumes:
                place = self._place(tokens)

    def _place(self, tokens: float) -> float:
        """When the next request may go, which takes that place."""
        with self._lock:
            place = max(self._clock(), self._next_request, self._next_token)
            self._next_request = place + self._per_request
            self._next_token = place + tokens * self._per_token
            return place

    def settle(self, *, expected: float, used: float) -> None:
        """Once it is known how many tokens a request took."""
        with self._lock:
            self._next_token += (used - expected) * self._per_token

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long: the server asked for it."""
        with self._lock:
            self._resumes = max(self._resumes, self._clock() + seconds)
            self._next_request = max(self._next_request, self._resumes)
            self._next_token = max(self._next_token, self._resumes)


class BudgetError(Exception):
    """The next request might cost more than is left."""


class Purse:
    """Keeps what is spent below a budget, with requests that are on their way at their worst.

    >>> purse = Purse(budget=1.0)
    >>> purse.reserve(0.6)
    >>> purse.settle(0.6, spent=0.5)
    >>> purse.reserve(0.6)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    opponents.endpoint.allowance.BudgetError: $0.5000 of the budget of $1 is spent, and ...
    """

    def __init__(self, budget: float | None) -> None:
        self.budget = budget
        self.spent = 0.0
        self._reserved, self._on_their_way = 0.0, 0
        self._settled = Condition()

    def reserve(self, worst: float) -> None:
        """Set aside what a request costs at worst, once those on their way leave room for it.

        Raises:
            BudgetError: they never will.
        """
        with self._settled:
            while self.budget is not None and self.spent + self._reserved + worst > self.budget:
                if not self._on_their_way:
                    raise BudgetError(
                        f"${self.spent:.4f} of the budget of ${self.budget:g} is spent, and the "
                        f"next reply may cost up to ${worst:.4f}."
                    )
                self._settled.wait()
            self._reserved += worst
            self._on_their_way += 1

    def settle(self, worst: float, *, spent: float) -> None:
        """What was reserved for a request, against what it cost."""
        with self._settled:
            self._on_their_way -= 1
            self._reserved = self._reserved - worst if self._on_their_way else 0.0
            self.spent += spent
            self._settled.notify_all()
