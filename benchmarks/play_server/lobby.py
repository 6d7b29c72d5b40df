"""What can be played: every domain with its presets, and in each who is there to be met.

A browser names only what is listed here. Agents beyond the scripted ones are listed by whoever
starts the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import randbits
from typing import Final, NamedTuple

from benchmarks.leaderboard.agents import NASH, Agent, pools_of, strategies
from opponents.matches import Player
from opponents.opponent import Opponent
from sepo_envs.catalogue import Domain, domain
from sepo_envs.draws import SEATING, Source, checked_seed
from sepo_envs.exact.reading import Policy
from sepo_envs.game import Game

MOST_ROUNDS: Final = 40
ANY_SEAT: Final = "any"
ABOUT_POOLS: Final[Mapping[str, str]] = {
    "train": "whom policies train against",
    "exploit": "out for what you leave open",
    "collusive": "an invitation to take more than your share",
    "heldout": "kept for tests alone",
    "equilibrium": "a best response to itself",
    "agents": "named on the command line",
}


class InvitationError(ValueError):
    """What was asked for cannot be played; the message says why."""


class Rival(NamedTuple):
    """Somebody to play against in one domain."""

    key: str
    """As a form names it."""
    name: str
    pool: str
    about: str
    """A citation, or what it is."""
    player: Player
    policy: Policy | None
    """Its exact move probabilities, where they can be read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One match as it is set up; equal settings deal and draw alike."""

    domain: Domain
    preset: str
    rounds: int
    rival: Rival
    seat: int
    """The person's."""
    seed: int
    deal: int = 0
    """The match is episode ``deal`` of an environment that was reset with ``seed``."""
    any_seat: bool = False
    """Whether the seat was drawn."""

    @property
    def game(self) -> Game:
        return made(self.domain, self.preset, self.rounds)

    @property
    def names(self) -> list[str]:
        """Who sits in each seat."""
        seats = range(self.game.seats)
        return ["human" if seat == self.seat else self.rival.name for seat in seats]

    def next_deal(self) -> Setting:
        """The match after it, of the same seed."""
        deal = self.deal + 1
        seat = drawn_seat(self.seed, deal, self.game.seats) if self.any_seat else self.seat
        return Setting(
            self.domain, self.preset, self.rounds, self.rival, seat, self.seed, deal, self.any_seat
        )


class Lobby:
    """Who is there.

    Args:
        agents: to be met beside the scripted ones.
    """

    def __init__(self, agents: Sequence[Agent] = ()) -> None:
        self._agents = tuple(agents)
        self._rivals: dict[str, Mapping[str, Rival]] = {}

    def rivals(self, game: str) -> Mapping[str, Rival]:
        """Everybody in the domain ``game`` by key, pool by pool; found when first asked for, as an
        equilibrium may take seconds."""
        if game not in self._rivals:
            self._rivals[game] = _rivals(game, self._agents)
        return self._rivals[game]

    def setting(self, game: str, form: Mapping[str, str]) -> Setting:
        """The match that a form asks for.

        Raises:
            InvitationError: it names what there is not, or what cannot be.
        """
        found = domain(game)
        rival = self.rivals(game).get(form.get("opponent", ""))
        if rival is None:
            raise InvitationError("Choose an opponent from the list.")
        preset = form.get("preset", "default")
        if preset not in found.presets:
            raise InvitationError(f"Choose rules from the list: {', '.join(found.presets)}.")
        rounds = _whole("rounds", form.get("rounds", ""), 1, MOST_ROUNDS, usual_rounds(found))
        usual = preset == "default" and rounds == found.make().rounds
        if rival.pool == "equilibrium" and not (usual or found.name == "kuhn_poker"):
            raise InvitationError(
                f"The equilibrium is worked out for the default rules: {found.make().rounds} "
                "rounds. Leave the rules as they are, or choose another opponent."
            )
        seed = _seed(form.get("seed", "").strip())
        seats = made(found, preset, rounds).seats
        asked = form.get("seat", ANY_SEAT)
        any_seat = asked == ANY_SEAT
        seat = drawn_seat(seed, 0, seats) if any_seat else _whole("seat", asked, 0, seats - 1, 0)
        return Setting(found, preset, rounds, rival, seat, seed, any_seat=any_seat)


def made(found: Domain, preset: str, rounds: int) -> Game:
    """The rules with so many rounds."""
    return found.make(**{**found.preset(preset), rounds_option(found): rounds})


def rounds_option(found: Domain) -> str:
    return "hands" if found.name == "kuhn_poker" else "rounds"


def usual_rounds(found: Domain) -> int:
    """As many as make a match; a single hand of poker is over before it begins."""
    return 6 if found.name == "kuhn_poker" else found.make().rounds


def drawn_seat(seed: int, deal: int, seats: int) -> int:
    """The seat that the environments would draw."""
    return int(Source(seed, deal).draws(SEATING).random() * seats)


def _rivals(game: str, agents: Sequence[Agent]) -> dict[str, Rival]:
    pooled = [
        (pool, one)
        for pool, members in pools_of(game).items()
        for one in members.opponents
        if isinstance(one, Opponent)
    ]
    pooled.append(("equilibrium", strategies(game)[NASH]))
    found = {
        f"{pool}/{one.name}": Rival(f"{pool}/{one.name}", one.name, pool, one.citation, one, one)
        for pool, one in pooled
    }
    for each in agents:
        player = each.player(game)
        if player is not None:
            key = f"agents/{each.name}"
            found[key] = Rival(key, each.name, "agents", each.about, player, each.policy(game))
    return found


def _whole(name: str, text: str, least: int, most: int, usual: int) -> int:
    if not text.strip():
        return usual
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 9):
        raise InvitationError(f"{name} must be a whole number from {least} to {most}.")
    number = int(text)
    if not least <= number <= most:
        raise InvitationError(f"{name} must be from {least} to {most}, and is {number}.")
    return number


def _seed(text: str) -> int:
    if not text:
        return randbits(32)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvitationError("seed must be a whole number, or be left empty for a new one.")
    try:
        return checked_seed(int(text))
    except ValueError as error:
        raise InvitationError(f"{error}") from error
