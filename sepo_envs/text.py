"""Any game as a PettingZoo AEC environment that is played in text. Knows no game.

The observation is the newest prompt the agent has to read, ``{"text": ...}``; an action is the
model's whole reply. ``info["text"]`` holds the prompt too, and ``info["messages"]`` the whole chat
as ``{"role", "content"}`` dictionaries: with the ``conversation`` style only the chat is complete,
with ``fresh`` each prompt is complete in itself.

An unreadable reply changes nothing in the game and is asked again, with the reason; after
``max_retries`` further tries it is a FORFEIT and one foul (`sepo_envs.protocol`).
"""

from __future__ import annotations

from typing import Any, Final

from gymnasium.spaces import Dict, Text

from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import Domain, domain
from sepo_envs.game import FORFEIT, State
from sepo_envs.options import refuse_unknown
from sepo_envs.protocol import Style, Talk

PRINTABLE: Final = "".join(map(chr, range(32, 127))) + "\n"
LONGEST_PROMPT: Final = 8_000
LONGEST_SAMPLE: Final = 200
"""Characters in a sampled reply. A model's own reply may be longer and in any script."""
OVER: Final = "The game is over."


def prompt_space() -> Text:
    """Everything that a prompt can be: printable ASCII and line breaks."""
    return Text(LONGEST_PROMPT, min_length=0, charset=PRINTABLE)


def reply_space() -> Text:
    """What is sampled as a reply. The environments read any string, whether it is inside or not."""
    return Text(LONGEST_SAMPLE, min_length=0, charset=PRINTABLE)


def env(game: str | Domain, **options: Any) -> TextEnv:
    """`TextEnv`, under the name that PettingZoo's modules use."""
    return TextEnv(game, **options)


def prompt(talk: Talk) -> str:
    """The newest message that the seat has read; empty before the first."""
    for message in reversed(talk.messages):
        if message.role == "user":
            return message.content
    return ""


def chat(talk: Talk) -> list[dict[str, str]]:
    """The conversation as chat templates want it, oldest message first."""
    return [{"role": role, "content": content} for role, content in talk.messages]


def foul(talk: Talk, reply: str, state: State) -> str:
    """Why ``reply``, the last that the foul rule allowed in ``state``, is a foul."""
    reason = getattr(talk.words.parse(reply, state, talk.seat), "reason", "")
    return f"unreadable at try {talk.tries} of {talk.tries}: {reason}"


class TextEnv(GameEnv):
    """A `GameEnv` whose agents read prompts and answer in text.

    Args:
        style: ``conversation``, one growing chat, or ``fresh``, one complete prompt per decision.
        max_retries: fresh tries after an unreadable reply, before it is a foul.
        game, options: as for `GameEnv`.
    """

    def __init__(
        self,
        game: str | Domain,
        *,
        style: Style = "conversation",
        max_retries: int = 1,
        **options: Any,
    ) -> None:
        refuse_unknown(domain(game), options, TextEnv, GameEnv)
        super().__init__(game, **options)
        self.silence = [
            Talk(self.words, seat, style, max_retries) for seat in range(self.game.seats)
        ]
        self.talks = self.silence[:]
        self.observation_spaces = {
            agent: Dict({"text": prompt_space()}) for agent in self.possible_agents
        }
        self.action_spaces = {agent: reply_space() for agent in self.possible_agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        super().reset(seed=seed, options=options)
        self.talks = self.silence[:]
        self._ask()
        self._tell(*range(self.game.seats))

    def step(self, action: str | None) -> None:
        """Read the reply ``action`` of the agent whose turn it is.

        Raises:
            TypeError: the reply is no string. A failed model call must not become a move.
        """
        if self.over:
            super().step(action)
            return
        agent = self.agent_selection
        if not isinstance(action, str):
            raise TypeError(f"a reply is a string, but {agent} answered {action!r}.")
        seat, episode = self.possible_agents.index(agent), self.episode
        self.talks[seat], move = self.talks[seat].reply(action, episode)
        if move is None:
            self._ask_again(agent)
        else:
            reason = foul(self.talks[seat], action, episode.state) if move is FORFEIT else ""
            self.play(move, foul=reason)
            self._ask()
        self._tell(*(range(self.game.seats) if self.over else {seat, self.moment.actor}))

    def observe(self, agent: str) -> dict[str, str]:
        return {"text": self._text(self.possible_agents.index(agent))}

    def _ask(self) -> None:
        """Put the question to the seat that is to move."""
        moment, seat = self.moment, self.moment.actor
        if seat is not None:
            talk, episode = self.talks[seat], moment.episode
            told = moment.recall((type(talk.words), talk.style), lambda: talk.told(episode))
            self.talks[seat] = talk.hear(episode, told=told)

    def _ask_again(self, agent: str) -> None:
        """A step in which nothing happens in the game: ``agent`` stays on turn."""
        self._calls += 1
        self._clear_rewards()
        self._cumulative_rewards[agent] = 0.0
        if self.render_mode == "human":
            self.render()

    def _tell(self, *seats: int | None) -> None:
        """Renew the prompt and the chat in the infos of ``seats``."""
        for seat in seats:
            if seat is not None:
                info = self.infos[self.possible_agents[seat]]
                info["text"], info["messages"] = self._text(seat), chat(self.talks[seat])

    def _text(self, seat: int) -> str:
        return OVER if self.moment.actor is None else prompt(self.talks[seat])
