"""What the best response to a known opponent would have done at each decision of an episode.

Whoever sat in ``seat`` knew what it had seen, and nothing else. What the others do is known here as
probabilities, so what they may hold follows by Bayes' rule: that is a *belief*, states with their
likelihoods. From each belief every move leads to further beliefs, and the most that can still be
earned follows from the end of the match back: exactly, as in `opponents.decisions`, where beliefs
are few enough. Where they are not, play is looked ahead for as many decisions as are affordable,
and a judgement says so (`Judged.looked_ahead`).

>>> from opponents.kuhn_poker import ALWAYS_BET
>>> from sepo_envs.episode import begin
>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
>>> episode = begin(KuhnPoker())
>>> for move in (Card.QUEEN, Card.KING, Move.PASS, Move.BET, Move.PASS):
...     episode = episode.play(move)
>>> check, fold = hindsight(episode, 0, {1: ALWAYS_BET})
>>> fold.options, fold.cost  # the King is as likely as the Jack, and the Jack would have bet too
({<Move.PASS: 'pass'>: -1.0, <Move.BET: 'bet'>: 0.0}, 1.0)

Source: K. J. Astrom, "Optimal control of Markov processes with incomplete state information",
Journal of Mathematical Analysis and Applications 10 (1965), for beliefs as states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from opponents.memory import Forget, Players, everything
from sepo_envs.episode import Episode, begin
from sepo_envs.exact.reading import Policy, read
from sepo_envs.game import CHANCE, Forfeit, Game, Move, State

Belief: TypeAlias = Mapping[State, float]
"""What may be the case where one seat is to move, and how likely each is; all look alike to it."""
Key: TypeAlias = frozenset[tuple[State, float]]

MOST_STEPS: Final = 160_000
"""States looked at for one decision, which takes a few seconds. Eight rounds of a dilemma against a
coin need 153,000 if nothing is forgotten."""


class ImpossibleError(ValueError):
    """Somebody did what the probabilities given for it rule out."""


class Judged(NamedTuple):
    """One decision of the episode, and what each legal move was worth there."""

    state: State
    """As it really was; the seat saw less of it."""
    move: Move | Forfeit
    """What the seat did."""
    options: Mapping[Move | Forfeit, float]
    """Points still to come by each legal move, expected, with a best response from then on."""
    looked_ahead: int | None
    """None where ``options`` are exact; else how many decisions ahead were counted."""

    @property
    def best(self) -> Move | Forfeit:
        """The move that is worth most; of equal ones the seat's own, then the first."""
        most = max(self.options.values())
        if self.options[self.move] >= most - ALIKE:
            return self.move
        return next(move for move, worth in self.options.items() if worth == most)

    @property
    def cost(self) -> float:
        """Points that the seat's move was worth less than the best; 0 for a best one."""
        lost = max(self.options.values()) - self.options[self.move]
        return lost if lost > ALIKE else 0.0


ALIKE: Final = 1e-9
"""Values closer than this are the same."""


def hindsight(
    episode: Episode,
    seat: int,
    players: Players,
    *,
    forget: Forget = everything,
    most_steps: int = MOST_STEPS,
) -> list[Judged]:
    """Every decision of ``seat`` in ``episode``, judged against the ``players`` in the other seats.

    Args:
        forget: what does not matter with these players, such as `opponents.memory.forgetting` says.
        most_steps: of the rules, for each decision; where they do not suffice it is judged by
            looking fewer decisions ahead, at least one.

    Raises:
        ImpossibleError: one of the players did what its probabilities rule out.
        ValueError: one has no probabilities of legal moves, or forfeits with some.
    """
    table = _Table(episode.game, seat, players, forget)
    judged: list[Judged] = []
    exact: dict[Key, Mapping[Move | Forfeit, float]] = {}
    for belief, state, move in _decisions(table, episode):
        worth, looked_ahead = exact.get(_key(belief)), None
        if worth is None or move not in worth:
            found, looked_ahead = _look_ahead(table, belief, move, most_steps)
            if looked_ahead is None:
                exact.update(found)
            worth = found[_key(belief)]
        judged.append(Judged(state, move, worth, looked_ahead))
    return judged


class _Lot(NamedTuple):
    """What one move in one belief leads to."""

    points: float
    """Expected, up to the seat's next decision."""
    then: Sequence[tuple[float, Key]]
    """Each belief that may follow, and how likely it is; nothing where the match ends."""


@dataclass(slots=True)
class _Table:
    game: Game
    seat: int
    players: Players
    forget: Forget
    answers: dict[tuple[State, int], list[tuple[Move, float]]] = field(default_factory=dict)
    steps: int = 0
    """How often the rules have been asked what follows, or a player what it does."""

    def answer(self, state: State, seat: int) -> list[tuple[Move, float]]:
        """What the player in ``seat`` may do."""
        if (state, seat) not in self.answers:
            self.steps += 1
            seen, legal = self.game.observe(state, seat), self.game.legal_moves(state, seat)
            row = read(self.players[seat], [seen], legal).rows[0].tolist()
            self.answers[state, seat] = [
                (move, p) for move, p in zip(legal, row, strict=True) if p > 0
            ]
        return self.answers[state, seat]

    def after(self, state: State, mine: Move | Forfeit | None) -> Iterator[tuple[State, float]]:
        """Where play can be when the seat decides next, or at the end, and how likely.

        Args:
            mine: what the seat does first; None where it is not to move.
        """
        waiting = [(state, 1.0, mine)]
        while waiting:
            at, likely, mine = waiting.pop()
            self.steps += 1
            actors = self.game.actors(at)
            if not actors or (self.seat in actors and mine is None):
                yield at, likely
            elif actors == (CHANCE,):
                waiting += [
                    (self.game.play(at, {CHANCE: outcome}), likely * p, mine)
                    for outcome, p in self.game.chance_outcomes(at)
                    if p > 0
                ]
            else:
                rows = [[(mine, 1.0)] if a == self.seat else self.answer(at, a) for a in actors]
                left = None if self.seat in actors else mine
                for choice in product(*rows):
                    weight = likely
                    for _, p in choice:
                        weight *= p
                    moves = dict(zip(actors, [move for move, _ in choice], strict=True))
                    waiting.append((self.game.play(at, moves), weight, left))

    def told_apart(self, states: Iterable[tuple[State, float]]) -> dict[Any, dict[State, float]]:
        """The states by what the seat sees in them, and how likely each is."""
        seen: dict[Any, dict[State, float]] = {}
        for state, likely in states:
            group = seen.setdefault(self.game.observe(state, self.seat), {})
            held = self.forget(state, self.seat, self.players)
            group[held] = group.get(held, 0.0) + likely
        return seen

    def lot(self, belief: Belief, move: Move | Forfeit) -> tuple[_Lot, dict[Key, Belief]]:
        """What ``move`` leads to, and the beliefs that may follow."""
        points = 0.0
        going_on: list[tuple[State, float]] = []
        for state, likely in belief.items():
            paid = len(self.game.payoffs(state))
            for then, p in self.after(state, move):
                new = self.game.payoffs(then)[paid:]
                points += likely * p * sum(earned[self.seat] for earned in new)
                if self.game.actors(then):
                    going_on.append((then, likely * p))
        then_likely: list[tuple[float, Key]] = []
        beliefs: dict[Key, Belief] = {}
        for group in self.told_apart(going_on).values():
            mass, held = _scaled(group)
            then_likely.append((mass, _key(held)))
            beliefs[then_likely[-1][1]] = held
        return _Lot(points, then_likely), beliefs


def _scaled(group: Belief) -> tuple[float, Belief]:
    """Its whole mass, and the likelihoods as shares of it."""
    mass = sum(group.values())
    return mass, {state: likely / mass for state, likely in group.items()}


def _name(player: Policy) -> str:
    return str(getattr(player, "name", "its opponent"))


def _key(belief: Belief) -> Key:
    return frozenset((state, round(likely, 12)) for state, likely in belief.items())


def _decisions(table: _Table, episode: Episode) -> Iterator[tuple[Belief, State, Move | Forfeit]]:
    """What the seat could know at each of its decisions, the true state, and what it did."""
    game, seat = episode.game, table.seat
    true, walk = begin(game), begin(game)
    belief: Belief = {game.start(): 1.0}
    last: Move | Forfeit | None = None
    for actor, move in episode.entries:
        if actor == seat:
            ways = (
                (then, likely * p)
                for state, likely in belief.items()
                for then, p in table.after(state, last)
                if game.actors(then)
            )
            group = table.told_apart(ways).get(game.observe(walk.state, seat))
            if group is None:
                raise ImpossibleError(
                    f"what seat {seat} saw before it played {move!r} cannot have come about with "
                    f"{' and '.join(map(_name, table.players.values()))}, by their probabilities. "
                    "Were these read from another version of them?"
                )
            _, belief = _scaled(group)
            last = move
            yield belief, true.state, move
            held = table.forget(walk.state, seat, table.players)
            walk = Episode(game, held, pending=walk.pending)
        true, walk = true.play(move), walk.play(move)


def _look_ahead(
    table: _Table, belief: Belief, played: Move | Forfeit, most_steps: int
) -> tuple[dict[Key, Mapping[Move | Forfeit, float]], int | None]:
    """What each move is worth in ``belief`` and in all that may follow, and how far that looks.

    Args:
        played: judged too, even if it is no legal move but a FORFEIT.
    """
    levels: list[dict[Key, dict[Move | Forfeit, _Lot]]] = []
    first = _key(belief)
    frontier: dict[Key, Belief] = {first: belief}
    affordable = table.steps + most_steps
    while frontier and (not levels or table.steps < affordable):
        level: dict[Key, dict[Move | Forfeit, _Lot]] = {}
        below: dict[Key, Belief] = {}
        for key, here in frontier.items():
            if levels and table.steps >= affordable:
                break
            moves = table.game.legal_moves(next(iter(here)), table.seat)
            if key == first and played not in moves:
                moves = (*moves, played)
            level[key] = {}
            for move in moves:
                level[key][move], beliefs = table.lot(here, move)
                below.update(beliefs)
        else:
            levels.append(level)
            frontier = below
    worth: dict[Key, Mapping[Move | Forfeit, float]] = {}
    for level in reversed(levels):
        for key, lots in level.items():
            worth[key] = {move: _worth(lot, worth) for move, lot in lots.items()}
    return worth, len(levels) if frontier else None


def _worth(lot: _Lot, worth: Mapping[Key, Mapping[Move | Forfeit, float]]) -> float:
    """What is not known to be worth anything counts nothing."""
    ahead = [mass * max(worth[then].values()) for mass, then in lot.then if then in worth]
    return lot.points + sum(ahead)
