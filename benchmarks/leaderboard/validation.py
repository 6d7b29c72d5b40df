"""`validate`: does a submission of others stand?

Nothing in it is believed that can be worked out:

* every match is played again by the rules as it is read, and must be over;
* each opponent of each pool must be met exactly once on every deal, in every seat;
* what chance dealt and what our opponents did must be what their draws on that deal give;
* every number is worked out anew from the matches, by the code that made the board's own;
* a scripted agent is asked again, and must have made these very moves.

What remains on trust is named in the verdict: which model an endpoint really was, the exact numbers
of a policy that only its owner can read, answers about the rules, and tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.leaderboard.agents import Agent, AgentError, agent, is_scripted
from benchmarks.leaderboard.exploitability import exploitability
from benchmarks.leaderboard.records import (
    AgentRecord,
    Score,
    load_agent,
)
from benchmarks.leaderboard.scoring import ITSELF, adaptive, fixed, per_seat
from benchmarks.leaderboard.sheet import Sheet, Use
from benchmarks.leaderboard.store import Kept, Sitter, spoken_in
from benchmarks.records import RecordError
from opponents.matches import Player
from opponents.opponent import Opponent
from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.draws import DEAL, Draws, seat_stream
from sepo_envs.episode import Episode, begin, options_of
from sepo_envs.exact import Certified
from sepo_envs.game import CHANCE
from sepo_envs.replays import ReplayError, check, line

RECORD: Final = "record.json"
MATCHES: Final = "matches"
MOST_FINDINGS: Final = 20
"""Of one domain; more of them say nothing new."""
SAMPLE: Final = 200
"""Matches of each domain in which chance and opponents are asked again, unless told otherwise."""
ALIKE: Final = 2e-6
"""Numbers closer than this are the same: records round to six digits."""


@dataclass
class Verdict:
    """What was found."""

    findings: list[str] = field(default_factory=list)
    """What is wrong; a submission without any stands."""
    checked: list[str] = field(default_factory=list)
    on_trust: list[str] = field(default_factory=list)
    """What nobody but the submitter can work out."""

    @property
    def stands(self) -> bool:
        return not self.findings


Place = tuple[str, str, int]
"""Pool, opponent and the agent's seat."""


def validate(folder: Path, *, sample: int | None = SAMPLE) -> Verdict:
    """Judge the submission in ``folder``.

    Args:
        sample: how many matches of each domain, spread evenly over all, are held against the draws
            of chance, of the opponents and of a scripted agent; None for all.
    """
    verdict = Verdict()
    try:
        record = load_agent(folder / RECORD)
    except RecordError as error:
        verdict.findings.append(str(error))
        return verdict
    verdict.checked.append("the record has the form of one")
    known = _known_agent(record, verdict)
    if record.trainings:
        verdict.findings.append(
            "the record is over several trainings, each of which is an agent of its own: submit "
            "one for each."
        )
        return verdict
    for name, score in record.domains.items():
        _Domain(name, score, record, known, folder, sample, verdict).judge()
    if not record.domains:
        verdict.findings.append("the record holds no domain, so there is nothing to judge.")
    left = [name for name in CATALOGUE if name not in (*record.domains, *record.not_played)]
    if left:
        verdict.on_trust.append(f"nothing is said of {', '.join(left)}")
    return verdict


@dataclass
class _Domain:
    """One domain of a submission."""

    name: str
    score: Score
    record: AgentRecord
    known: Agent | None
    folder: Path
    sample: int | None
    verdict: Verdict

    def judge(self) -> None:
        found: list[str] = []
        if self.name not in CATALOGUE:
            self.verdict.findings.append(f"{self.name}: there is no such domain.")
            return
        self.domain = domain(self.name)
        self.board = Board(self.domain.make())
        if self.score.version != self.domain.version:
            found.append(
                f"was scored on version {self.score.version}, and this code has version "
                f"{self.domain.version}."
            )
        if self.score.options != options_of(self.board.game):
            found.append("was scored with other rules than the default ones.")
        if not found:
            places = self._read(found)
            if not found:
                self._complete(places, found)
            if not found:
                self._numbers(places, found)
        if found:
            more = len(found) - MOST_FINDINGS
            shown = found[:MOST_FINDINGS] + ([f"and {more} more."] if more > 0 else [])
            self.verdict.findings += [f"{self.name}: {what}" for what in shown]

    def _read(self, found: list[str]) -> dict[Place, dict[int, Kept]]:
        """Every match, played again."""
        path = self.folder / MATCHES / f"{self.name}.jsonl"
        places: dict[Place, dict[int, Kept]] = {}
        if not path.is_file():
            found.append(f"{path} is missing.")
            return places
        for replay in check(path):
            if isinstance(replay, ReplayError):
                found.append(str(replay))
                continue
            try:
                about = replay.about
                place = (str(about["pool"]), str(about["opponent"]), int(about["seat"]))
                deals = [int(deal) for deal in about["deals"]]
                spoken = spoken_in(about)
            except (KeyError, TypeError, ValueError) as error:
                found.append(f"line {replay.line} does not say where it belongs ({error!r}).")
                continue
            if replay.domain.name != self.name or replay.episode.game != self.board.game:
                found.append(f"line {replay.line} is of another game, or of other rules.")
            elif replay.episode.actor is not None:
                found.append(f"line {replay.line} is a match that is not over.")
            else:
                moves = line(replay.episode)
                for deal in deals:
                    if deal in places.setdefault(place, {}):
                        found.append(f"{_told(place)}: deal {deal} is there twice.")
                    places[place][deal] = Kept(deal, replay.episode, moves, spoken)
        count = sum(len(met) for met in places.values())
        self._checked(f"{count:,} matches played again by the rules")
        return places

    def _complete(self, places: dict[Place, dict[int, Kept]], found: list[str]) -> None:
        seats = self.board.game.seats
        if self.score.deals != per_seat(self.record.episodes, seats):
            found.append(
                f"{self.score.deals} deals are not {self.record.episodes} episodes shared out "
                f"among {seats} seats."
            )
        listed = [(line.pool, str(line.opponent)) for line in self.score.opponents]
        ours = [(pool, opponent.name) for pool, opponent in fixed(self.name)]
        missing = [name for _, name in set(ours) - set(listed)]
        if missing:
            found.append(f"{', '.join(sorted(missing))} of our pools was not met.")
        wanted = [(pool, name, seat) for pool, name in listed for seat in range(seats)]
        for place in places:
            if place not in wanted and place[0] != ITSELF:
                found.append(f"{_told(place)} is in no line of the record.")
        for place in wanted:
            there = places.get(place, {})
            lacking = sorted(set(range(self.score.deals)) - set(there))
            extra = sorted(set(there) - set(range(self.score.deals)))
            if lacking:
                found.append(
                    f"{_told(place)}: {len(lacking)} of {self.score.deals} deals are missing, "
                    f"the first is {lacking[0]}."
                )
            if extra:
                found.append(f"{_told(place)}: deal {extra[0]} is none of the record's.")

    def _numbers(self, places: dict[Place, dict[int, Kept]], found: list[str]) -> None:
        """Everything worked out anew, and held against the record."""
        actor = self.known or _stranger(self.record)
        sheet = Sheet(actor, self.domain)
        mine = None if self.known is None else self.known.player(self.name)
        seats = range(self.board.game.seats)
        met: list[tuple[Use, Player]] = []
        for pool, opponent in fixed(self.name):
            for seat in seats:
                use = Use(0, pool, opponent.name, seat)
                sheet.add(use, self._kept(places, use))
                met.append((use, opponent.player))
        rest = [(one.pool, str(one.opponent)) for one in self.score.opponents]
        rest = [pair for pair in rest if pair not in {(use.pool, use.opponent) for use, _ in met}]
        if rest and self.known is None and not self.score.notes:
            for pool, name in rest:
                for seat in seats:
                    use = Use(0, pool, name, seat)
                    sheet.add(use, self._kept(places, use))
                self._trust(f"what {name} plays, worked out from the agent's own probabilities")
        elif rest:
            policy = None if self.known is None else self.known.policy(self.name)
            stand_in = Sitter(actor.name, actor.fingerprint, mine or NOBODY)
            for use, sitters in adaptive(sheet, stand_in, policy, self.board):
                kept = self._kept(places, use)
                if not kept:
                    found.append(f"{use.opponent} of our pools was not met.")
                    return
                sheet.add(use, kept)
                other = next(at for at in seats if at != use.seat)
                met.append((use, sitters[other].player))
        self._moves(met, places, mine, found)
        if found:
            return
        itself = places.get((ITSELF, ITSELF, 0))
        if itself is not None:
            sheet.itself = np.array([itself[deal].episode.returns for deal in sorted(itself)])
        made = sheet.score(self.board, self.score.deals, self._exact(), self.score.competency)
        made = made.model_copy(update={"courses": self.score.courses})
        found += _differences(self.score.model_dump(mode="json"), made.model_dump(mode="json"))
        if not isinstance(self.score.competency, str):
            self._trust("the answers about the rules")
        if self.score.courses:
            self._trust("exploitability while it trained")
        if not found:
            self._checked("every number worked out anew from the matches")

    def _moves(
        self,
        met: Sequence[tuple[Use, Player]],
        places: Mapping[Place, Mapping[int, Kept]],
        mine: Player | None,
        found: list[str],
    ) -> None:
        """Chance, opponents and a scripted agent did what their draws give."""
        all_of_them = [
            (use, player, kept) for use, player in met for kept in self._kept(places, use)
        ]
        step = 1 if self.sample is None else max(1, len(all_of_them) // self.sample)
        picked = all_of_them[::step]
        for use, player, kept in picked:
            players = dict.fromkeys(range(self.board.game.seats), player)
            del players[use.seat]
            if isinstance(mine, Opponent):
                players[use.seat] = mine
            wrong = misplayed(kept.episode, self.record.seed, kept.deal, players)
            if wrong is not None:
                place = (use.pool, use.opponent, use.seat)
                found.append(f"{_told(place)}, deal {kept.deal}: {wrong}")
        who = "chance, opponents and the agent" if mine is not None else "chance and opponents"
        if not found:
            self._checked(f"{who} asked again in {len(picked):,} matches")

    def _exact(self) -> Certified | None:
        """Exploitability, as far as it does not follow from the matches."""
        if self.known is not None:
            return exploitability(self.name, self.known, seed=self.record.seed)
        claimed = self.score.exploitability
        if isinstance(claimed, str) or claimed.how.split(",")[0].endswith("of the pools"):
            return None
        self._trust(f"exploitability, {claimed.value} ({claimed.kind})")
        return Certified(claimed.value, claimed.low, claimed.high, claimed.kind, claimed.how)

    def _kept(self, places: Mapping[Place, Mapping[int, Kept]], use: Use) -> list[Kept]:
        met = places.get((use.pool, use.opponent, use.seat), {})
        return [met[deal] for deal in sorted(met)]

    def _checked(self, what: str) -> None:
        self.verdict.checked.append(f"{self.name}: {what}")

    def _trust(self, what: str) -> None:
        self.verdict.on_trust.append(f"{self.name}: {what}")


def misplayed(episode: Episode, seed: int, deal: int, players: Mapping[int, Player]) -> str | None:
    """Where chance or one of ``players`` did not do what its draws on this deal give; else None."""
    draws = {actor: Draws(seed, deal, seat_stream(actor)) for actor in players}
    draws[CHANCE] = Draws(seed, deal, DEAL)
    at = begin(episode.game)
    for number, (actor, move) in enumerate(episode.entries):
        if actor == CHANCE:
            outcomes, weights = zip(*at.game.chance_outcomes(at.state), strict=True)
            due = draws[actor].choices(outcomes, weights)[0]
        elif isinstance(player := players.get(actor), Opponent):
            seen = at.game.observe(at.state, actor)
            due = player.act(seen, at.game.legal_moves(at.state, actor), draws[actor])
        else:
            due = move
        if due != move:
            who = "chance" if actor == CHANCE else f"{players[actor].name} in seat {actor}"
            return f"move {number} of {who} is {move}, and its draws give {due}."
        at = at.play(move)
    return None


def told(verdict: Verdict) -> str:
    """The verdict as text."""
    lines = [f"checked   {what}" for what in verdict.checked]
    lines += [f"on trust  {what}" for what in verdict.on_trust]
    lines += [f"WRONG     {what}" for what in verdict.findings]
    return "\n".join([*lines, "It stands." if verdict.stands else "It does not stand."])


def _known_agent(record: AgentRecord, verdict: Verdict) -> Agent | None:
    """The agent itself, where we have it: a scripted one."""
    who = record.agent
    if who.kind != "scripted" or not is_scripted(who.spec):
        verdict.on_trust.append(f"that {who.about} is who played")
        return None
    try:
        found = agent(who.spec)
    except AgentError as error:
        verdict.findings.append(f"{error}")
        return None
    if found.fingerprint != who.fingerprint:
        verdict.findings.append(
            f"{who.spec!r} has the fingerprint {who.fingerprint[:12]}..., and here it is "
            f"{found.fingerprint[:12]}...: another strategy, or another version of it."
        )
    return found


def _stranger(record: AgentRecord) -> Agent:
    """Stands for an agent that is not here."""
    who = record.agent

    def nobody(game: str) -> Player:
        raise AgentError(f"{who.spec!r} is not here, so it cannot play {game}.")

    return Agent(who.spec, who.name, who.kind, who.fingerprint, who.about, (), nobody)


def _silent(seen: Any) -> dict[Any, float]:
    raise AgentError("an agent that is not here was asked for a move.")


NOBODY: Final = Opponent("nobody", _silent, "stands where nobody is asked")


def _differences(claimed: Any, made: Any, where: str = "") -> list[str]:
    """Where the record does not say what the matches give, the first places first."""
    if isinstance(claimed, dict) and isinstance(made, dict):
        keys = dict.fromkeys([*claimed, *made])
        return [
            one
            for key in keys
            for one in _differences(claimed.get(key), made.get(key), f"{where}.{key}".strip("."))
        ]
    if isinstance(claimed, list) and isinstance(made, list) and len(claimed) == len(made):
        pairs = enumerate(zip(claimed, made, strict=True))
        return [
            found
            for place, (one, other) in pairs
            for found in _differences(one, other, f"{where}[{place}]")
        ]
    if isinstance(claimed, int | float) and isinstance(made, int | float):
        alike = abs(claimed - made) <= ALIKE * max(1.0, abs(made))
    else:
        alike = claimed == made
    return [] if alike else [f"{where} is {_short(claimed)}, but its matches give {_short(made)}."]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _told(place: Place) -> str:
    pool, opponent, seat = place
    return f"{opponent} ({pool}), agent in seat {seat}"
