"""What is to be said of a finished match: points, harms, what a best response would have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from benchmarks.leaderboard.agents import twin
from benchmarks.play_server.lobby import Setting
from benchmarks.play_server.plain_words import Harm, harms
from opponents.hindsight import ImpossibleError, Judged, hindsight
from opponents.matches import Played
from opponents.memory import LIBRARIES, Forget, forgetting, kuhn_hands
from opponents.opponent import Opponent
from sepo_envs.exact.certified import EXACT_BELOW
from sepo_envs.exact.reading import Policy
from sepo_envs.exact.solver import solver
from sepo_envs.game import FORFEIT, Forfeit, Move, Words
from sepo_envs.hooks import HarmsHook
from sepo_envs.protocol import Message

MOST_OPTIONS: Final = 9
"""Moves of one decision that are listed; of more, the best and the one that was made."""


class Option(NamedTuple):
    move: str
    worth: float
    """Points still to come, expected."""
    chosen: bool
    best: bool


class Decision(NamedTuple):
    """One decision of the person, judged."""

    told: str
    """What was new then."""
    chose: str
    best: str
    cost: float
    options: tuple[Option, ...]
    left_out: int
    """Moves that are not among ``options``."""
    looked_ahead: int | None
    """None where the numbers are exact."""


class Hindsight(NamedTuple):
    """The whole match against a best response that knows the opponent's strategy, not its cards."""

    decisions: tuple[Decision, ...]
    expected: float
    """Points that a best response would have expected from the first decision on."""
    cost: float
    """What the person's moves gave away of that."""
    luck: float
    """What chance, in the deals and in the opponent's draws, added or took."""
    exact: bool
    note: str = ""


class Review(NamedTuple):
    returns: tuple[float, ...]
    fouls: tuple[int, ...]
    harms: tuple[tuple[str, tuple[Harm, ...]], ...]
    """By profile, of the person's play."""
    hindsight: Hindsight | None
    unknown: str
    """Why there is no hindsight; empty where there is."""
    said: tuple[Message, ...]
    """What a chat model was told and wrote; nothing of a strategy."""


class UnreadableError(ValueError):
    """The agent's move probabilities cannot be had here; the message says why, to the person."""


def review(setting: Setting, played: Played) -> Review:
    """Everything to be told of a match that is over."""
    episode, seat, found = played.episode, setting.seat, setting.domain
    by_profile = tuple(
        (profile, harms(found.name, profile, HarmsHook(found.harms, profile)(episode, seat)))
        for profile in found.harms.profiles
    )
    looked_back, unknown = None, ""
    try:
        looked_back = _hindsight(setting, played)
    except (UnreadableError, ImpossibleError) as error:
        unknown = str(error)
    said = tuple(message for spoken in played.spoken.values() for message in spoken.messages)
    return Review(episode.returns, episode.fouls, by_profile, looked_back, unknown, said)


def _hindsight(setting: Setting, played: Played) -> Hindsight:
    policy, forget, uncovered = _known(setting)
    seats = range(setting.game.seats)
    judged = hindsight(
        played.episode,
        setting.seat,
        {seat: policy for seat in seats if seat != setting.seat},
        forget=forget,
    )
    words = setting.domain.words(setting.game)
    earned = played.episode.returns[setting.seat]
    expected = max(judged[0].options.values()) if judged else 0.0
    cost = sum(decision.cost for decision in judged)
    note = ""
    if uncovered >= EXACT_BELOW:
        note = f"Up to {uncovered:.1%} of the agent's answers are not counted in these numbers."
    return Hindsight(
        tuple(_told(decision, words, setting.seat) for decision in judged),
        expected,
        cost,
        earned - expected + cost,
        exact=not note and all(decision.looked_ahead is None for decision in judged),
        note=note,
    )


def _known(setting: Setting) -> tuple[Policy, Forget, float]:
    """The rival's policy, what of a match it may forget, and how much of it is not covered.

    Raises:
        UnreadableError: it is not known, or reading it would take too long.
    """
    name, rival = setting.domain.name, setting.rival
    if rival.policy is None:
        raise UnreadableError(
            f"The move probabilities of {rival.name} cannot be read, so what a best response would "
            "have done against it is not exactly known."
        )
    if name == "kuhn_poker" and rival.pool in ("equilibrium", "agents"):
        table = solver(setting.domain.make()).written_out(rival.policy)
        return table, kuhn_hands, table.most_uncovered
    if not isinstance(rival.policy, Opponent):
        raise UnreadableError(
            f"What a best response would have done is not exactly known here: {rival.name} would "
            "have to be read out in every situation of the match. In Kuhn poker it is, as there "
            "are twelve."
        )
    policy = twin(rival.policy, name) or rival.policy
    if rival.pool == "equilibrium":  # of one round, and played whatever has happened
        return policy, LIBRARIES[name].forget, 0.0
    return policy, forgetting(name, [policy]), 0.0


def _told(decision: Judged, words: Words, seat: int) -> Decision:
    def named(move: Move | Forfeit) -> str:
        return named_move(move, words, decision.state, seat)

    best, most = decision.best, max(decision.options.values())
    options = [
        Option(named(move), worth, move == decision.move, worth > most - 1e-9)
        for move, worth in decision.options.items()
    ]
    listed = _listed(options)
    return Decision(
        told=" ".join(words.news(decision.state, seat).split()),
        chose=named(decision.move),
        best=named(best),
        cost=decision.cost,
        options=tuple(listed),
        left_out=len(options) - len(listed),
        looked_ahead=decision.looked_ahead,
    )


def named_move(move: Move | Forfeit, words: Words, state: object, seat: int) -> str:
    """The move as the game calls it, without brackets."""
    return "forfeit" if move is FORFEIT else words.say(move, state, seat).strip("[]")


def _listed(options: Sequence[Option]) -> list[Option]:
    if len(options) <= MOST_OPTIONS:
        return list(options)
    ranked = sorted(options, key=lambda option: -option.worth)
    kept = ranked[: MOST_OPTIONS - 1]
    return kept + [option for option in ranked[MOST_OPTIONS - 1 :] if option.chosen]
