"""Finished matches become numbers that can be averaged and resampled. Knows no game.

A match is measured once, as it comes in, and then forgotten, so that a million of them need no more
room than a few numbers each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sepo_envs import metrics
from sepo_envs.catalogue import Domain
from sepo_envs.catalogue import domain as named_domain
from sepo_envs.episode import Episode
from sepo_envs.hooks import HarmsHook, Report

Floats: TypeAlias = NDArray[np.float64]

POOLS: Final = ("train", "exploit", "collusive", "heldout")

COLUMNS: Final = ("payoff", "others", "welfare", "ahead", "size", "fouls", "decisions")
"""What is summed of each match first; ``ahead`` and ``size`` are the terms of NRA. Then comes
`OTHER` for each of the other seats, for fairness, and then each harm."""
OTHER: Final = "points of other {}"


class Match(NamedTuple):
    """One finished episode of the agent, and whom it met where."""

    pool: str
    opponent: str
    seat: int
    """The agent's; the opponent sits in all others."""
    deal: int
    """Matches with the same number share what chance dealt."""
    episode: Episode


class Tally:
    """Takes in finished matches, some at a time, and keeps of each only what is averaged.

    Args:
        profile: of the harms; the domain's first unless named.
        pairings: pools and opponents that will come, so that they stand in this order whatever
            the order in which their matches come.
    """

    def __init__(
        self,
        domain: Domain | str,
        *,
        profile: str | None = None,
        pairings: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.domain = named_domain(domain)
        self.profile = HarmsHook(self.domain.harms, profile).measured
        self._cells: dict[tuple[str, str], dict[tuple[int, int], Floats]] = {
            pairing: {} for pairing in pairings
        }
        self._names: tuple[str, ...] = ()
        self._seats = 0

    def add(self, matches: Iterable[Match]) -> None:
        """
        Raises:
            ValueError: a match is not over or was there before, or its pool has none of the four
                names that the measures are defined on.
        """
        known: dict[tuple[int, int], tuple[Episode, Floats]] = {}
        for match in matches:
            if match.pool not in POOLS:
                raise ValueError(
                    f"there is no pool {match.pool!r}; what it measures is told by its name, one "
                    f"of {', '.join(POOLS)}."
                )
            key = (id(match.episode), match.seat)  # the batch gives equal endings as one object
            if key not in known:
                known[key] = (match.episode, self._measured(match))
            cell = self._cells.setdefault((match.pool, match.opponent), {})
            if (match.deal, match.seat) in cell:
                raise ValueError(
                    f"{match.opponent!r} of pool {match.pool!r} was met twice on deal {match.deal} "
                    f"in seat {match.seat}: give every match a deal of its own, or drop one."
                )
            cell[match.deal, match.seat] = known[key][1]

    def _measured(self, match: Match) -> Floats:
        harms = _harms(self.domain, match, self.profile)
        self._seats = match.episode.game.seats
        self._names = (*map(OTHER.format, range(self._seats - 1)), *harms)
        values = [np.nan if found["value"] is None else found["value"] for found in harms.values()]
        return np.array([*_plain(self.domain, match), *values], dtype=np.float64)

    def table(self) -> Table:
        """All matches so far.

        Raises:
            ValueError: there are none, or an opponent lacks some deal or seat.
        """
        cells = self._cells
        if not cells:
            raise ValueError("there are no matches to measure: play some against each pool first.")
        met = {key for cell in cells.values() for key in cell}
        deals, seats = sorted({deal for deal, _ in met}), sorted({seat for _, seat in met})
        wanted = [(deal, seat) for deal in deals for seat in seats]
        for (pool, opponent), cell in cells.items():
            missing = [key for key in wanted if key not in cell]
            if missing:
                raise ValueError(
                    f"{opponent!r} of pool {pool!r} lacks the match on deal {missing[0][0]} in "
                    f"seat {missing[0][1]}: play every opponent on the same deals and in the same "
                    "seats."
                )
        stacked = np.array([[cell[key] for key in wanted] for cell in cells.values()])
        sizes = stacked[..., COLUMNS.index("size")]
        by_deal = stacked.reshape(len(cells), len(deals), len(seats), -1).mean(2)
        return Table(
            tuple(cells),
            (*COLUMNS, *self._names),
            by_deal.swapaxes(0, 1),
            self._seats,
            len(wanted),
            np.count_nonzero(sizes, axis=1),
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Every match as numbers that can be averaged."""

    pairings: tuple[tuple[str, str], ...]
    """Pool and opponent."""
    columns: tuple[str, ...]
    numbers: Floats
    """``(deals, pairings, columns)``, the mean over seats."""
    seats: int
    matches: int
    """Of each pairing."""
    effective: NDArray[np.int64]
    """``(pairings,)``, matches that count in NRA."""

    def rows(self, *pools: str) -> list[int]:
        return [row for row, (pool, _) in enumerate(self.pairings) if pool in pools]

    def mean(self, means: Floats, column: str, rows: Sequence[int]) -> Floats:
        """The mean of ``column`` over these pairings, ``(...)``; NaN over none."""
        if not rows:
            return np.full(means.shape[:-2], np.nan)
        mean: Floats = means[..., rows, self.columns.index(column)].mean(-1)
        return mean


def _harms(domain: Domain, match: Match, profile: str) -> Report:
    """What ``profile`` measures, and what the other profiles do, under names of their own."""
    episode, seat = _finished(match), match.seat
    found = HarmsHook(domain.harms, profile)(episode, seat)
    for other in domain.harms.profiles:
        if other != profile:
            report = HarmsHook(domain.harms, other)(episode, seat)
            found |= {f"{other}.{name}": harm for name, harm in report.items()}
    return found


def _finished(match: Match) -> Episode:
    if match.episode.actor is not None:
        raise ValueError(
            f"the match on deal {match.deal} against {match.opponent!r} is not over, so it cannot "
            "be measured: finish it, or leave it out for every opponent."
        )
    return match.episode


def _plain(domain: Domain, match: Match) -> list[float]:
    """The match's `COLUMNS`, from the agent's seat, and the points of each other seat."""
    episode, seat = match.episode, match.seat
    returns, rounds = episode.returns, episode.game.rounds
    others = [points for place, points in enumerate(returns) if place != seat]
    rest = sum(others) / len(others)
    ahead, size = metrics.advantage_terms(returns[seat], rest, zero_sum=domain.zero_sum)
    decisions = sum(actor == seat for actor, _ in episode.entries)
    return [
        returns[seat] / rounds,
        rest / rounds,
        sum(returns) / rounds,
        float(ahead),
        float(size),
        episode.fouls[seat],
        decisions,
        *(points / rounds for points in others),
    ]
