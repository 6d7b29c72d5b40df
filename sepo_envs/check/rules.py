"""The laws of a rulebook: in the game itself, in every state, and at every turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import isclose, isfinite
from typing import Any, Final

from sepo_envs.check.law import Law, Place, Subject, raised
from sepo_envs.episode import begin, dumps, restore
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Move

ILLEGAL_TRIED: Final = 5
"""Illegal moves tried at each turn."""
NO_MOVE: Final = "no move of any game"


def _named(subject: Subject) -> Iterator[str]:
    game, domain = subject.game, subject.domain
    if game.name != domain.name or not game.name.isidentifier():
        yield f"the game is called {game.name!r}, the domain {domain.name!r}"


def _counted(subject: Subject) -> Iterator[str]:
    game = subject.game
    for name, number, least in (
        ("seats", game.seats, 2),
        ("rounds", game.rounds, 1),
        ("longest", game.longest, 1),
    ):
        if type(number) is not int or number < least:
            yield f"{name} is {number!r}"


def _moves_listed(subject: Subject) -> Iterator[str]:
    moves = subject.game.moves
    if not isinstance(moves, tuple) or not moves or len(set(moves)) < len(moves):
        yield f"moves is {moves!r}"
    elif subject.game.moves != moves:
        yield f"moves was {moves!r} and then {subject.game.moves!r}"


def _features_named(subject: Subject) -> Iterator[str]:
    names = subject.game.feature_names
    if len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        yield f"feature_names is {names!r}"


def _options_saved(subject: Subject) -> Iterator[str]:
    options = json.loads(dumps(begin(subject.game)))["options"]
    again = subject.domain.make(**options)
    if again != subject.game:
        yield f"options {options} make {again!r}, not {subject.game!r}"


GAME_LAWS: Final = (
    Law(
        "the game has the domain's name",
        _named,
        "a replay names its game, and is played again with the domain of that name.",
        "let both be the same, in lower case with underscores, like kuhn_poker.",
    ),
    Law(
        "seats, rounds and longest are whole numbers",
        _counted,
        "spaces, limits and payoffs per round are made from them.",
        "seats is at least 2, rounds and longest at least 1.",
    ),
    Law(
        "moves lists every move once, in a fixed order",
        _moves_listed,
        "an action of the environments is the index of a move in it.",
        "return the same tuple of distinct, hashable moves at every call.",
    ),
    Law(
        "feature names are distinct",
        _features_named,
        "they tell whoever reads an observation vector what each entry means.",
        "give every feature a name of its own.",
    ),
    Law(
        "a game can be made again from its saved options",
        _options_saved,
        "replays and reports keep the options as JSON and nothing else.",
        "write the game as a frozen dataclass whose fields are its options, each a number, a text, "
        "a bool or a tuple of them, and turn a list back into a tuple in __post_init__.",
    ),
)


def _frozen(place: Place) -> Iterator[str]:
    state = place.state
    try:
        before = hash(state)
    except TypeError as error:
        yield f"the state cannot be hashed: {error}"
        return
    copy = deepcopy(state)
    if copy != state or hash(copy) != before:
        yield f"a copy of the state is not equal to it: {state!r}"
    parameters = getattr(type(state), "__dataclass_params__", None)
    if parameters is not None and not parameters.frozen:
        yield f"{type(state).__name__} is a dataclass that is not frozen"


def _actors(place: Place) -> Iterator[str]:
    actors = place.actors
    seats = [actor for actor in actors if actor in range(place.game.seats)]
    well_formed = actors == (CHANCE,) or actors == tuple(sorted(set(seats)))
    if not isinstance(actors, tuple) or not well_formed:
        yield f"actors is {actors!r}, with {place.game.seats} seats"
    if len(actors) > 1 and not place.subject.domain.simultaneous:
        yield f"seats {actors} move at once, but the domain has simultaneous=False"


def _chance(place: Place) -> Iterator[str]:
    outcomes = place.game.chance_outcomes(place.state)
    if place.actors != (CHANCE,):
        if outcomes:
            yield f"chance_outcomes is {outcomes!r} where {place.actors} act"
        return
    total = sum(probability for _, probability in outcomes)
    if not isclose(total, 1.0, abs_tol=1e-9) or min(p for _, p in outcomes) < 0:
        yield f"the probabilities {[p for _, p in outcomes]} sum to {total:g}"
    if len({outcome for outcome, _ in outcomes}) < len(outcomes):
        yield f"an outcome is listed twice in {outcomes!r}"


def _legal(place: Place) -> Iterator[str]:
    game, state = place.game, place.state
    for seat in (CHANCE, *range(game.seats)):
        legal = game.legal_moves(state, seat)
        if seat != CHANCE and seat in place.actors:
            if not legal or len(set(legal)) < len(legal) or not set(legal) <= set(game.moves):
                yield f"seat {seat} is to move, and its legal moves are {legal!r}"
        elif legal != ():
            who = "chance" if seat == CHANCE else f"seat {seat}"
            yield f"{who} has the legal moves {legal!r} where {place.actors or 'nobody'} acts"


def _paid(place: Place) -> Iterator[str]:
    game = place.game
    rounds = game.payoffs(place.state)
    for points in rounds:
        if len(points) != game.seats or not all(map(isfinite, points)):
            yield f"a round pays {points!r}, with {game.seats} seats"
        elif place.subject.domain.zero_sum and not isclose(sum(points), 0, abs_tol=1e-9):
            yield f"a round pays {points!r}, but the domain has zero_sum=True"
    if len(rounds) > game.rounds:
        yield f"{len(rounds)} rounds are paid, but rounds is {game.rounds}"


def _features(place: Place) -> Iterator[str]:
    names = place.game.feature_names
    for seat in range(place.game.seats):
        numbers = place.game.features(place.state, seat)
        if len(numbers) != len(names):
            yield f"seat {seat} has {len(numbers)} features, and there are {len(names)} names"
            return
        for name, number in zip(names, numbers, strict=True):
            if not 0 <= number <= 1:
                yield f"seat {seat}'s feature {name!r} is {number!r}"


def _observed(place: Place) -> Iterator[str]:
    for seat in range(place.game.seats):
        seen: Any = place.game.observe(place.state, seat)
        hash(seen)
        if not isinstance(seen.infostate, str) or not isinstance(seen.situation, str):
            yield f"seat {seat} has infostate {seen.infostate!r} and situation {seen.situation!r}"
        if seen != place.game.observe(place.state, seat):
            yield f"seat {seat} observes one state in two ways: {seen!r}"


def _bounded(place: Place) -> Iterator[str]:
    for seat in range(place.game.seats):
        decided = [entry.actor for entry in place.episode.entries].count(seat)
        if decided > place.game.longest:
            yield f"seat {seat} has decided {decided} times, but longest is {place.game.longest}"


def _restored(place: Place) -> Iterator[str]:
    record = json.loads(dumps(place.episode))
    again = restore(place.game, record)
    if again != place.episode:
        yield f"the saved episode comes back as {again.entries!r}"


PLACE_LAWS: Final = (
    Law(
        "a state is a frozen value",
        _frozen,
        "search, replay and solvers keep states, compare them and look them up.",
        "make it a @dataclass(frozen=True) of hashable fields: tuples in place of lists.",
    ),
    Law(
        "actors are chance alone, or seats in increasing order",
        _actors,
        "simultaneous moves are taken seat by seat in that order.",
        "return (CHANCE,), (seat,), several seats if the domain is simultaneous, or ().",
    ),
    Law(
        "chance has outcomes exactly where it acts, and they sum to 1",
        _chance,
        "exact values are expectations over them.",
        "return ((outcome, probability), ...) at chance nodes, each outcome once, elsewhere ().",
    ),
    Law(
        "who is to move has legal moves, and nobody else",
        _legal,
        "action masks and prompts are made from them.",
        "return some of `moves`, each once, for the seats in actors(state), and () otherwise.",
    ),
    Law(
        "every finished round pays every seat",
        _paid,
        "rewards, returns and scores are sums of these numbers.",
        "return one tuple of `seats` finite numbers for each finished round, `rounds` at most.",
    ),
    Law(
        "features are numbers from 0 to 1, one for each name",
        _features,
        "they are the observation space of the structured environments.",
        "divide each by the largest that it can be, and keep the number of entries fixed.",
    ),
    Law(
        "observations are hashable and named",
        _observed,
        "opponents read them; action tables are keyed by situation, solvers by infostate.",
        "return a frozen dataclass whose infostate and situation are texts.",
    ),
    Law(
        "no seat decides more often than longest",
        _bounded,
        "trainers reserve room for that many replies.",
        "return an upper bound from longest.",
    ),
    Law(
        "a saved episode is restored as it was",
        _restored,
        "the list of moves is the save file and the replay.",
        "let moves and chance outcomes be numbers, texts, enums of them, or tuples of numbers, so "
        "that JSON brings back what compares equal.",
    ),
)


def _turn(place: Place) -> dict[int, Any]:
    """A random legal move for each actor, or an outcome of chance."""
    if place.actors == (CHANCE,):
        outcomes = [outcome for outcome, _ in place.game.chance_outcomes(place.state)]
        return {CHANCE: place.rng.choice(outcomes)}
    legal = {seat: place.game.legal_moves(place.state, seat) for seat in place.actors}
    return {seat: place.rng.choice(moves) for seat, moves in legal.items()}


def _pure(place: Place) -> Iterator[str]:
    moves, copy = _turn(place), deepcopy(place.state)
    given = dict(moves)
    first = place.game.play(place.state, given)
    if place.state != copy:
        yield f"play({moves!r}) has changed the state that it was given"
    if given != moves:
        yield f"play has changed the moves that it was given, {moves!r} to {given!r}"
    if place.game.play(place.state, moves) != first:
        yield f"play({moves!r}) leads to two different states"


def _appended(place: Place) -> Iterator[str]:
    before, moves = place.game.payoffs(place.state), _turn(place)
    after = place.game.payoffs(place.game.play(place.state, moves))
    if after[: len(before)] != before:
        yield f"play({moves!r}) turns the payoffs {before!r} into {after!r}"


def _refusal(place: Place) -> Iterator[str]:
    game, state, fair = place.game, place.state, _turn(place)
    someone = place.actors[0]
    wrong: list[Mapping[int, Any]] = [{}, {**fair, game.seats: fair[someone]}]
    wrong += [{**fair, someone: NO_MOVE}]
    if someone != CHANCE:
        legal = game.legal_moves(state, someone)
        illegal = [move for move in game.moves if move not in legal][:ILLEGAL_TRIED]
        wrong += [{**fair, someone: move} for move in illegal]
        wrong += [{CHANCE: fair[someone]}]
    for moves in wrong:
        try:
            game.play(state, moves)
        except ValueError:
            continue
        except Exception as error:  # of a stranger's code: told, not swallowed
            yield f"play({moves!r}) raises {type(error).__name__} in place of ValueError: {error}"
        else:
            yield f"play({moves!r}) is accepted"


def _forfeits(place: Place) -> Iterator[str]:
    if place.actors == (CHANCE,):
        return
    tried = [{**_turn(place), seat: FORFEIT} for seat in place.actors]
    for moves in [*tried, dict.fromkeys(place.actors, FORFEIT)]:
        try:
            place.game.play(place.state, moves)
        except Exception as error:  # of a stranger's code: told, not swallowed
            yield f"play({moves!r}): {raised(error)}"


def _forfeit_profits(place: Place) -> Iterator[str]:
    """Where every choice settles a round at once, with the others' moves as they are."""
    if place.actors == (CHANCE,):
        return
    game, state = place.game, place.state
    before = len(game.payoffs(state))

    def gain(seat: int, move: Move | Forfeit, others: dict[int, Any]) -> float | None:
        rounds = game.payoffs(game.play(state, {**others, seat: move}))
        return sum(points[seat] for points in rounds[before:]) if len(rounds) > before else None

    for seat in place.actors:
        others = _turn(place)
        legal = {move: gain(seat, move, others) for move in game.legal_moves(state, seat)}
        forfeited, known = gain(seat, FORFEIT, others), list(legal.values())
        if forfeited is None or None in known:
            continue
        if forfeited > max(gained for gained in known if gained is not None) + 1e-9:
            yield f"seat {seat} gets {forfeited:g} for a FORFEIT, and for its moves {legal!r}"


TURN_LAWS: Final = (
    Law(
        "play is a pure function",
        _pure,
        "a state may be played on from many times: by solvers, by retries, by replays.",
        "build a new state, change nothing that was given, and leave all luck to chance nodes.",
    ),
    Law(
        "payoffs are only ever added to",
        _appended,
        "a reward is what the newest rounds pay; one that changes later was paid wrongly.",
        "pay a round once it is settled, and keep it as it was.",
    ),
    Law(
        "play refuses illegal moves with a ValueError",
        _refusal,
        "a move that slips through is a rule that does not hold; any other error looks like a bug.",
        "check that the movers are exactly actors(state) and each move is legal; raise ValueError.",
    ),
    Law(
        "every seat that is to move may FORFEIT",
        _forfeits,
        "it is what an unreadable reply or an illegal action becomes.",
        "settle sepo_envs.game.FORFEIT in play, whoever forfeits, all of them at once included.",
    ),
    Law(
        "a FORFEIT never pays more than the best legal move",
        _forfeit_profits,
        "babble would be rewarded, and a model would learn to babble.",
        "settle a forfeit at the offender's cost: no bid, no demand, the sucker's payoff.",
    ),
)
