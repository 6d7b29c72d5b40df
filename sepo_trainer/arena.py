"""Plans groups of episodes and plays them in waves: every pending decision is one batch.

A group is one (domain, pool, opponent, deal, seat); its replicates share the deal and the
opponent's draws and differ only in what the policy samples. Games need not be in step with one
another.

Knows text and tokens only through the words and the renderer; knows no weights and no loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from opponents.opponent import Opponent
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, Game
from sepo_envs.protocol import Message, Style, Talk
from sepo_trainer.records import Group, GroupKey, Ids, Request, Rollout, Turn
from sepo_trainer.rendering import Renderer, Speaker
from sepo_trainer.samplers import Sampler
from sepo_trainer.seeding import generator, seed
from sepo_trainer.stage import Stage

MOST_OPENINGS = 1_000
MOST_DRAWS = 1_000
"""More than any opponent makes in one round: it keeps the rounds' addresses apart."""


@dataclass(slots=True)
class _Live:
    """One episode being played."""

    key: GroupKey
    replicate: int
    opponent: Opponent
    episode: Episode
    speaker: Speaker
    prompt: Ids = ()
    heard: list[Message] = field(default_factory=list)
    """Every message of the episode, over all its conversations."""
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
    """

    stage: Stage
    renderer: Renderer
    run_seed: int
    replicates: int
    deals: int | Literal["all"] = "all"
    style: Style = "conversation"
    max_retries: int = 1
    common_draws: bool = True
    """Replicates share every draw of chance and opponents, as a baseline wants; a mean over many
    episodes wants the spread over those draws too."""

    def play(
        self, sampler: Sampler, opponents: Mapping[str, Sequence[Opponent]], *, iteration: int
    ) -> list[Group]:
        """Every (pool, opponent, deal, seat) of ``opponents`` once, as groups in that order."""
        openings = self.openings(iteration)
        groups: list[tuple[GroupKey, float]] = []
        live: list[_Live] = []
        for pool, members in opponents.items():
            for opponent in members:
                for deal, (dealt, probability) in enumerate(openings):
                    for seat in range(self.stage.game.seats):
                        key = GroupKey(self.stage.domain.name, pool, opponent.name, deal, seat)
                        weight = probability / (len(members) * self.stage.game.seats)
                        groups.append((key, weight))
                        live += self._seat_replicates(key, opponent, dealt)
        done = {(one.key, one.replicate): one for one in live}
        waiting = live
        while waiting := [one for one in waiting if self._asks(one, iteration)]:
            requests = [Request(one.prompt, self._sample_seed(one, iteration)) for one in waiting]
            for one, reply in zip(waiting, sampler.generate(requests), strict=True):
                self._answer(one, reply.output_ids, reply.logprobs, sampler.version)
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
            for key, weight in groups
        ]

    def _seat_replicates(self, key: GroupKey, opponent: Opponent, dealt: Episode) -> list[_Live]:
        talk = Talk(self.stage.words, key.seat, self.style, self.max_retries)
        return [_Live(key, r, opponent, dealt, Speaker(talk)) for r in range(self.replicates)]

    def _asks(self, one: _Live, iteration: int) -> bool:
        """Play on to the policy's next decision and pose it; False once the episode is over."""
        messages = one.speaker.talk.messages
        if messages and messages[-1].role == "user":
            self._pose(one)  # an unreadable reply has been answered with its reason
            return True
        game, episode = self.stage.game, one.episode
        while (actor := episode.actor) is not None and actor != one.key.seat:
            settled = len(game.payoffs(episode.state))
            if settled > one.settled:
                one.settled, one.draws = settled, Counter()
            number = one.draws[actor]
            one.draws[actor] += 1
            if actor == CHANCE:
                rng = generator(
                    self.run_seed,
                    "deal",
                    iteration=iteration,
                    group=f"{one.key.domain}/{one.key.deal}/{settled}",
                    replicate=0 if self.common_draws else one.replicate,
                    turn=number,
                )
                episode = episode.deal(rng)
            else:
                rng = generator(
                    self.run_seed,
                    "opponent",
                    iteration=iteration,
                    group=one.key.address,
                    replicate=0 if self.common_draws else one.replicate,
                    seat=actor,
                    turn=settled * MOST_DRAWS + number,
                )
                seen = game.observe(episode.state, actor)
                legal = game.legal_moves(episode.state, actor)
                episode = episode.play(one.opponent.act(seen, legal, rng))
        one.episode = episode
        if episode.actor is None:
            return False
        one.speaker = one.speaker.hears(episode)
        self._pose(one)
        return True

    def _pose(self, one: _Live) -> None:
        one.prompt = one.speaker.prompt(self.renderer)
        one.heard.append(one.speaker.talk.messages[-1])

    def _answer(self, one: _Live, ids: Ids, logprobs: tuple[float, ...], version: int) -> None:
        game, state, seat = self.stage.game, one.episode.state, one.key.seat
        bare = tuple(
            self.stage.words.say(move, state, seat) for move in game.legal_moves(state, seat)
        )
        choices = self.renderer.choices(bare)
        settled = len(game.payoffs(state))
        one.turns.append(Turn(one.prompt, ids, logprobs, choices, settled, version))
        one.heard.append(Message("assistant", self.renderer.text(ids)))
        one.speaker, move = one.speaker.says(ids, one.episode, self.renderer)
        if move is not None:
            one.episode = one.episode.play(move)

    def _sample_seed(self, one: _Live, iteration: int) -> int:
        return seed(
            self.run_seed,
            "sample",
            iteration=iteration,
            group=one.key.address,
            replicate=one.replicate,
            seat=one.key.seat,
            turn=len(one.turns),
        )

    def openings(self, iteration: int) -> list[tuple[Episode, float]]:
        """The deals of this iteration: chance's moves before the first decision, and its share."""
        if self.deals == "all":
            return openings(self.stage.game)
        addresses = [f"{self.stage.domain.name}/{deal}" for deal in range(self.deals)]
        return [
            (
                begin(self.stage.game).deal(
                    generator(self.run_seed, "deal", iteration=iteration, group=address)
                ),
                1 / self.deals,
            )
            for address in addresses
        ]


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
