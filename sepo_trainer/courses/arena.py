"""Plans groups of episodes and plays them in waves: every pending decision is one batch.

A group is one (domain, pool, opponent, deal, seat); its replicates share the deal and the
opponent's draws and differ only in what the policy samples. Games need not be in step with one
another. An opponent is a strategy over observations, or another model that reads and replies as the
policy does; then its seats are asked in the same waves, a batch for each sampler. Where a run has
several processes each plans all groups, plays some of them, and then has all that were played: an
episode depends on its address, not on who plays it.

Knows text and tokens only through the words and the renderer; knows no weights and no loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Literal, NamedTuple

from opponents.opponent import Opponent
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, Game
from sepo_envs.protocol import Message, Style, Talk
from sepo_trainer.policy.rendering import Renderer, Speaker
from sepo_trainer.processes import gathered, own_hand
from sepo_trainer.records import Group, GroupKey, Ids, Request, Rollout, Turn
from sepo_trainer.samplers import Sampler, TextOpponent, Writer
from sepo_trainer.seeding import generator, seed
from sepo_trainer.stage import Stage

MOST_OPENINGS = 1_000
MOST_DRAWS = 1_000
"""More than any opponent makes in one round: it keeps the rounds' addresses apart."""


class Plan(NamedTuple):
    """A group to be played."""

    key: GroupKey
    weight: float
    opponent: Opponent | TextOpponent
    dealt: Episode


@dataclass(slots=True)
class _Live:
    """One episode being played."""

    key: GroupKey
    replicate: int
    opponent: Opponent | TextOpponent
    episode: Episode
    speakers: dict[int, Speaker]
    """By seat: the policy's, and all the others' where the opponent speaks too."""
    asked: int = -1
    """The seat whose reply is awaited."""
    prompt: Ids = ()
    heard: list[Message] = field(default_factory=list)
    """Every message of the episode to and from the policy, over all its conversations."""
    turns: list[Turn] = field(default_factory=list)
    settled: int = 0
    draws: Counter[int] = field(default_factory=Counter)
    """Of each other actor, since round ``settled`` began: replicates that took different lines in
    one round meet the same draws in the next."""


@dataclass(frozen=True, slots=True)
class Arena:
    """Plays one domain's groups.

    Args:
        replicates: episodes per group.
        deals: ``"all"`` plays every opening of the cards in every batch, weighted by its
            probability; a number draws that many afresh each iteration.
        own_deals: those that are drawn are drawn anew for every opponent in every seat, so that a
            batch holds many more; else all meet the same, which makes opponents comparable.
    """

    stage: Stage
    renderer: Renderer
    run_seed: int
    replicates: int
    deals: int | Literal["all"] = "all"
    own_deals: bool = False
    style: Style = "conversation"
    max_retries: int = 1
    common_draws: bool = True
    """Replicates share every draw of chance and opponents, as a baseline wants; a mean over many
    episodes wants the spread over those draws too."""
    team: int = 1
    """So many neighbouring processes of a run play the same, since one sampler is theirs."""

    def play(
        self,
        sampler: Sampler,
        opponents: Mapping[str, Sequence[Opponent | TextOpponent]],
        *,
        iteration: int,
    ) -> list[Group]:
        """Every (pool, opponent, deal, seat) of ``opponents`` once, as groups in that order."""
        plans = list(self.plans(opponents, iteration=iteration))
        mine = own_hand(plans, team=self.team)
        played = gathered(self._played(mine, sampler, iteration))
        found = {group.key: group for theirs in played for group in theirs}
        return [found[plan.key] for plan in plans]

    def plans(
        self, opponents: Mapping[str, Sequence[Opponent | TextOpponent]], *, iteration: int
    ) -> Iterator[Plan]:
        """Every (pool, opponent, deal, seat), in that order, with what chance has dealt to it."""
        game, domain = self.stage.game, self.stage.domain.name
        known: list[tuple[Episode, float]] = []
        if self.deals == "all":
            known = openings(game)
            shares = [probability for _, probability in known]
        else:
            shares = [1 / self.deals] * self.deals
        for pool, members in opponents.items():
            for opponent, (deal, share), seat in product(
                members, enumerate(shares), range(game.seats)
            ):
                key = GroupKey(domain, pool, opponent.name, deal, seat)
                dealt = known[deal][0] if known else self._deal(key, iteration)
                yield Plan(key, share / (len(members) * game.seats), opponent, dealt)

    def _deal(self, key: GroupKey, iteration: int) -> Episode:
        """Chance's moves before the first decision."""
        rng = generator(self.run_seed, "deal", iteration=iteration, group=self._deal_address(key))
        return begin(self.stage.game).deal(rng)

    def _deal_address(self, key: GroupKey) -> str:
        """The address of all that chance does in these episodes."""
        return key.address if self.own_deals else f"{key.domain}/{key.deal}"

    def _played(self, plans: Sequence[Plan], sampler: Sampler, iteration: int) -> list[Group]:
        live = [one for plan in plans for one in self._seat_replicates(plan)]
        done = {(one.key, one.replicate): one for one in live}
        waiting = live
        while waiting := [one for one in waiting if self._asks(one, iteration)]:
            for writer, asked in _by_writer(waiting, sampler):
                requests = [Request(one.prompt, self._reply_seed(one, iteration)) for one in asked]
                for one, reply in zip(asked, writer.generate(requests), strict=True):
                    self._answer(one, reply.output_ids, reply.logprobs, writer.version)
        return [
            Group(
                key,
                tuple(
                    Rollout(key, r, one.episode, tuple(one.turns), tuple(one.heard))
                    for r in range(self.replicates)
                    for one in [done[key, r]]
                ),
                weight,
            )
            for key, weight, *_ in plans
        ]

    def _seat_replicates(self, plan: Plan) -> list[_Live]:
        key, _, opponent, dealt = plan
        speaks = isinstance(opponent, TextOpponent)
        in_text = range(self.stage.game.seats) if speaks else (key.seat,)
        speakers = {
            seat: Speaker(Talk(self.stage.words, seat, self.style, self.max_retries))
            for seat in in_text
        }
        return [_Live(key, r, opponent, dealt, dict(speakers)) for r in range(self.replicates)]

    def _asks(self, one: _Live, iteration: int) -> bool:
        """Play on to the next decision in text and pose it; False once the episode is over."""
        for seat, speaker in one.speakers.items():
            if speaker.talk.messages and speaker.talk.messages[-1].role == "user":
                self._pose(one, seat)  # an unreadable reply has been answered with its reason
                return True
        game, episode = self.stage.game, one.episode
        while (actor := episode.actor) is not None and actor not in one.speakers:
            if actor == CHANCE:
                settled, number = self._next_draw(one, actor, episode)
                rng = generator(
                    self.run_seed,
                    "deal",
                    iteration=iteration,
                    group=f"{self._deal_address(one.key)}/{settled}",
                    replicate=0 if self.common_draws else one.replicate,
                    turn=number,
                )
                episode = episode.deal(rng)
            else:
                rng = Random(self._opponent_seed(one, actor, episode, iteration))
                seen = game.observe(episode.state, actor)
                legal = game.legal_moves(episode.state, actor)
                assert isinstance(one.opponent, Opponent)  # the others speak
                episode = episode.play(one.opponent.act(seen, legal, rng))
        one.episode = episode
        if actor is None:
            return False
        one.speakers[actor] = one.speakers[actor].hears(episode)
        self._pose(one, actor)
        return True

    def _next_draw(self, one: _Live, actor: int, episode: Episode) -> tuple[int, int]:
        """The rounds settled so far, and how often ``actor`` has drawn since."""
        settled = len(self.stage.game.payoffs(episode.state))
        if settled > one.settled:
            one.settled, one.draws = settled, Counter()
        number = one.draws[actor]
        one.draws[actor] += 1
        return settled, number

    def _pose(self, one: _Live, seat: int) -> None:
        one.asked, one.prompt = seat, one.speakers[seat].prompt(self.renderer)
        if seat == one.key.seat:
            one.heard.append(one.speakers[seat].talk.messages[-1])

    def _answer(self, one: _Live, ids: Ids, logprobs: tuple[float, ...], version: int) -> None:
        if one.asked == one.key.seat:
            one.turns.append(self._turn(one, ids, logprobs, version))
            one.heard.append(Message("assistant", self.renderer.text(ids)))
        speaker = one.speakers[one.asked]
        one.speakers[one.asked], move = speaker.says(ids, one.episode, self.renderer)
        if move is not None:
            one.episode = one.episode.play(move)

    def _turn(self, one: _Live, ids: Ids, logprobs: tuple[float, ...], version: int) -> Turn:
        game, state, seat = self.stage.game, one.episode.state, one.key.seat
        bare = tuple(
            self.stage.words.say(move, state, seat) for move in game.legal_moves(state, seat)
        )
        settled = len(game.payoffs(state))
        return Turn(one.prompt, ids, logprobs, self.renderer.choices(bare), settled, version)

    def _reply_seed(self, one: _Live, iteration: int) -> int:
        if one.asked == one.key.seat:
            return seed(
                self.run_seed,
                "sample",
                iteration=iteration,
                group=one.key.address,
                replicate=one.replicate,
                seat=one.asked,
                turn=len(one.turns),
            )
        return self._opponent_seed(one, one.asked, one.episode, iteration)

    def _opponent_seed(self, one: _Live, seat: int, episode: Episode, iteration: int) -> int:
        settled, number = self._next_draw(one, seat, episode)
        return seed(
            self.run_seed,
            "opponent",
            iteration=iteration,
            group=one.key.address,
            replicate=0 if self.common_draws else one.replicate,
            seat=seat,
            turn=settled * MOST_DRAWS + number,
        )


def _by_writer(waiting: Sequence[_Live], policy: Sampler) -> list[tuple[Writer, list[_Live]]]:
    """Who awaits a reply, by who writes it."""
    batches: dict[int, tuple[Writer, list[_Live]]] = {}
    for one in waiting:
        writer: Writer = policy
        if one.asked != one.key.seat and isinstance(one.opponent, TextOpponent):
            writer = one.opponent.sampler
        batches.setdefault(id(writer), (writer, []))[1].append(one)
    return list(batches.values())


def openings(game: Game) -> list[tuple[Episode, float]]:
    """Every way in which chance can open ``game``, up to the first decision, and its probability.

    >>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
    >>> len(openings(KuhnPoker()))
    6

    Raises:
        ValueError: there are more than a thousand, too many to play each of them in every batch.
    """
    found: list[tuple[Episode, float]] = []
    frontier = [(begin(game), 1.0)]
    while frontier:
        if len(found) + len(frontier) > MOST_OPENINGS:
            raise ValueError(
                f"{game.name} opens in more than {MOST_OPENINGS:,} ways, too many for every batch. "
                "Set rollout.deals to a number."
            )
        found += [(episode, p) for episode, p in frontier if episode.actor != CHANCE]
        frontier = [
            (episode.play(outcome), p * chance)
            for episode, p in frontier
            if episode.actor == CHANCE
            for outcome, chance in game.chance_outcomes(episode.state)
        ]
    return found
