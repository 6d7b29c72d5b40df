"""A finished or running episode as its list of moves: save, restore, replay, verify.

Simultaneous play is serialised seat by seat: a move waits, unseen by the others, until every actor
has chosen. So anything that can walk an episode (AEC, text, the exact solvers, the bridge to
OpenSpiel) can walk every game.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Game, Move, State

_BRIEFLY = reprlib.Repr()
_BRIEFLY.maxdict, _BRIEFLY.maxlist, _BRIEFLY.maxstring = 12, 12, 60


class Entry(NamedTuple):
    """One line of the record: CHANCE or a seat, and what it did."""

    actor: int
    move: Move | Forfeit


@dataclass(frozen=True, slots=True)
class Episode:
    """The moves so far, oldest first, and where they lead. Build with `begin`, `play`, `restore`.

    >>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
    >>> episode = begin(KuhnPoker()).play(Card.JACK).play(Card.KING)
    >>> episode.actor
    0
    >>> episode.play(Move.BET).play(Move.BET).returns
    (-2.0, 2.0)
    """

    game: Game
    state: State
    entries: tuple[Entry, ...] = ()
    pending: tuple[Move | Forfeit, ...] = ()
    """Moves of the current simultaneous turn that wait for the other seats."""

    @property
    def actor(self) -> int | None:
        """CHANCE, the seat that moves next, or None once the episode is over."""
        actors = self.game.actors(self.state)
        return actors[len(self.pending)] if actors else None

    def play(self, move: Move | Forfeit) -> Episode:
        """The episode after `actor` did ``move``.

        Raises:
            ValueError: the episode is over, or the move is illegal here.
        """
        actors = self.game.actors(self.state)
        state, pending = advance(self.game, self.state, actors, self.pending, move)
        entries = (*self.entries, Entry(actors[len(self.pending)], move))
        return Episode(self.game, state, entries, pending)

    def deal(self, rng: Random) -> Episode:
        """Let chance act, by its probabilities, until a seat is to move or the episode is over."""
        episode = self
        while episode.actor == CHANCE:
            outcomes, weights = zip(*self.game.chance_outcomes(episode.state), strict=True)
            episode = episode.play(rng.choices(outcomes, weights)[0])
        return episode

    @property
    def returns(self) -> tuple[float, ...]:
        """Points per seat over the finished rounds."""
        return totalled(self.game.payoffs(self.state), self.game.seats)

    @property
    def fouls(self) -> tuple[int, ...]:
        """Forfeits per seat."""
        return fouls(self.entries, self.game.seats)

    def decisions(self, seat: int) -> Iterator[tuple[State, Move | Forfeit]]:
        """Each state in which ``seat`` has decided, oldest first, and what it did there."""
        episode = begin(self.game)
        for entry in self.entries:
            if entry.actor == seat:
                yield episode.state, entry.move
            episode = episode.play(entry.move)

    def save(self) -> dict[str, Any]:
        """A JSON-ready record that `restore` turns back into this very episode."""
        moves = [[actor, _to_json(move)] for actor, move in self.entries]
        record: dict[str, Any] = {
            "game": self.game.name,
            "options": options_of(self.game),
            "moves": moves,
        }
        if self.actor is None:
            record["returns"] = list(self.returns)
        return record


def advance(
    game: Game,
    state: State,
    actors: tuple[int, ...],
    pending: tuple[Move | Forfeit, ...],
    move: Move | Forfeit,
) -> tuple[State, tuple[Move | Forfeit, ...]]:
    """The state, and the moves that wait in it, after the next of its ``actors`` did ``move``.

    Raises:
        ValueError: there are no actors, or the move is illegal here.
    """
    if not actors:
        raise ValueError(f"the episode is over, so {move!r} cannot be played.")
    made = (*pending, move)
    if len(made) == len(actors):
        return game.play(state, dict(zip(actors, made, strict=True))), ()
    actor = actors[len(pending)]
    if move is not FORFEIT and move not in (legal := game.legal_moves(state, actor)):
        raise ValueError(f"{move!r} is illegal for seat {actor}: {legal}.")
    return state, made


def fouls(entries: Iterable[tuple[int, Move | Forfeit]], seats: int) -> tuple[int, ...]:
    """Forfeits per seat among these entries."""
    offenders = [actor for actor, move in entries if move is FORFEIT]
    return tuple([offenders.count(seat) for seat in range(seats)])


def totalled(rounds: Iterable[tuple[float, ...]], seats: int) -> tuple[float, ...]:
    """Points per seat over these rounds.

    >>> totalled(((3.0, 3.0), (0.0, 5.0)), 2)
    (3.0, 8.0)
    """
    so_far = [0.0] * seats
    for points in rounds:  # as a running total adds, which `sum` does not since Python 3.12
        so_far = [total + point for total, point in zip(so_far, points, strict=True)]
    return tuple(so_far)


def begin(game: Game) -> Episode:
    """The episode in which nothing has happened yet."""
    return Episode(game, game.start())


def out_of_cycles(episode: Episode, max_cycles: int | None) -> bool:
    """Whether any seat has made ``max_cycles`` moves and no other seat's answer is awaited."""
    if max_cycles is None or episode.pending:
        return False
    moved = [entry.actor for entry in episode.entries]
    return max(moved.count(seat) for seat in range(episode.game.seats)) >= max_cycles


def restore(game: Game, record: Any) -> Episode:
    """Replay a saved record from the first move, checking each move and the returns.

    Raises:
        ValueError: the record has not the form of one, is of another game or of other options,
            holds an impossible move, or claims returns that its moves do not give.
    """
    check_form(record)
    if record["game"] != game.name:
        raise ValueError(
            f"the record is of {_short(record['game'])}, not of {game.name!r}: "
            "restore it with the game it was played with."
        )
    if record["options"] != options_of(game):
        raise ValueError(
            f"the record was played with options {_short(record['options'])}, but the game has "
            f"{options_of(game)}: restore it with domain({game.name!r}).make(**record['options'])."
        )
    episode = begin(game)
    for number, (actor, value) in enumerate(record["moves"]):
        if actor != episode.actor:
            raise ValueError(
                f"move {number} is by {_short(actor)}, but it is {episode.actor}'s turn: "
                "the record was edited, or saved with other game options."
            )
        try:
            episode = episode.play(_from_json(episode, value))
        except ValueError as error:
            raise ValueError(f"move {number} cannot be played: {error}") from error
    claimed = record.get("returns")
    if claimed is not None and (episode.actor is not None or claimed != list(episode.returns)):
        raise ValueError(
            f"the record claims returns {_short(claimed)}, but its moves give "
            f"{list(episode.returns)}"
            f"{'' if episode.actor is None else ' so far, and the episode is not over'}."
        )
    return episode


def check_form(record: Any) -> None:
    """Refuse what `Episode.save` cannot have written, before anything is played.

    >>> check_form({"game": "kuhn_poker", "options": {"hands": 1}})
    Traceback (most recent call last):
        ...
    ValueError: the record has no 'moves'. A record is what Episode.save() returns: a dictionary \
with game, options and moves, and returns once the episode is over.
    """
    form = (
        "A record is what Episode.save() returns: a dictionary with game, options and moves, "
        "and returns once the episode is over."
    )
    if not isinstance(record, dict):
        raise ValueError(f"the record is {_short(record)}, which is no dictionary. {form}")
    for key, kind in (("game", str), ("options", dict), ("moves", list)):
        if key not in record:
            raise ValueError(f"the record has no {key!r}. {form}")
        if not isinstance(record[key], kind):
            raise ValueError(
                f"the record's {key} is {_short(record[key])}, not a {kind.__name__}. {form}"
            )
    for number, move in enumerate(record["moves"]):
        if not isinstance(move, list) or len(move) != 2 or type(move[0]) is not int:
            raise ValueError(
                f'move {number} is {_short(move)}, but each is a pair like [0, "bet"]: who acts, '
                "a seat or -1 for chance, and what it did."
            )


def dumps(episode: Episode) -> str:
    """One JSON line, as replay files hold them."""
    return json.dumps(episode.save(), separators=(",", ":"))


def options_of(game: Game) -> dict[str, Any]:
    """The rules' options as they come back from JSON, for ``domain.make(**options)``."""
    options = {name: getattr(game, name) for name in game.__dataclass_fields__}  # type: ignore[attr-defined]
    copy: dict[str, Any] = json.loads(json.dumps(options))
    return copy


def _to_json(move: Move | Forfeit) -> Any:
    return {"forfeit": True} if move is FORFEIT else move


def _from_json(episode: Episode, value: Any) -> Move | Forfeit:
    if value == {"forfeit": True}:
        return FORFEIT
    if episode.actor == CHANCE:
        known = tuple(outcome for outcome, _ in episode.game.chance_outcomes(episode.state))
    else:
        known = episode.game.moves
    sought = tuple(value) if isinstance(value, list) else value
    for move in known:
        # Python holds True, 1 and 1.0 for equal; JSON does not.
        if move == sought and json.dumps(move) == json.dumps(value):
            return move
    raise ValueError(
        f"{_short(value)} is no move of {episode.game.name} here; "
        f"expected one of {_short(list(known))}."
    )


def _short(thing: Any) -> str:
    """``thing`` in a message, however large it is."""
    return _BRIEFLY.repr(thing)
