"""Where an episode begins: at the start, or where a record ends. Knows no game and no API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sepo_envs.atlas import Atlas, Journey
from sepo_envs.episode import restore
from sepo_envs.hints import did_you_mean

MISSPELT: Final = 0.8
"""Share of letters in common from which an option was meant for ours, and is nobody else's."""


def opening(atlas: Atlas, options: Any) -> Journey:
    """Where a reset with ``options`` starts: at the beginning, or where a record ends. What the
    environments do not know is let through, as other libraries pass options of their own.

    Raises:
        TypeError: the options are no dictionary.
        ValueError: ``options["episode"]`` cannot be gone on with, or is misspelt.
    """
    if options is None:
        return atlas.start()
    if not isinstance(options, Mapping):
        raise TypeError(
            f'options is {options!r}; a dictionary such as {{"episode": ...}} is meant.'
        )
    for name in options:
        if name != "episode" and (hint := did_you_mean(str(name), ["episode"], near=MISSPELT)):
            raise ValueError(f"reset has no option {name!r}.{hint}")
    record = options.get("episode")
    if record is None:
        return atlas.start()
    start = restore(atlas.game, record)
    if start.actor is None:
        raise ValueError(
            "the record is of a finished episode, so there is nothing left to play. "
            "Read it with sepo_envs.restore(game, record) instead."
        )
    return atlas.find(start)
