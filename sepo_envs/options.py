"""Options that nobody takes are refused, with the nearest that somebody does. Knows no game."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from sepo_envs.catalogue import Domain
from sepo_envs.hints import did_you_mean

ELSEWHERE = ("preset", "text", "api", "opponent")
"""What `sepo_envs.make` takes, and an environment that refuses it does not."""


def refuse_unknown(entry: Domain, options: Mapping[str, Any], *shells: Callable[..., Any]) -> None:
    """Refuse an option that neither the rules of ``entry`` nor one of ``shells`` takes.

    >>> from sepo_envs.aec import GameEnv
    >>> from sepo_envs.catalogue import domain
    >>> refuse_unknown(domain("kuhn_poker"), {"handz": 3}, GameEnv)
    Traceback (most recent call last):
        ...
    TypeError: kuhn_poker has no option 'handz'. Did you mean 'hands'? The rules take hands; \
the environment takes max_cycles, render_mode, profile, hook.
    >>> refuse_unknown(domain("kuhn_poker"), {"preset": "paper"}, GameEnv)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    TypeError: kuhn_poker has no option 'preset'. That is for sepo_envs.make('kuhn_poker', preset=\
...). ...
    """
    rules = signature(entry.make).parameters
    own = dict.fromkeys(
        name
        for shell in shells
        for name, each in signature(shell).parameters.items()
        if each.kind is each.KEYWORD_ONLY
    )
    unknown = [name for name in options if name not in (*rules, *own)]
    if not unknown or any(each.kind is each.VAR_KEYWORD for each in rules.values()):
        return
    hint = did_you_mean(unknown[0], [*rules, *own])
    if unknown[0] in ELSEWHERE:
        hint = f" That is for sepo_envs.make({entry.name!r}, {unknown[0]}=...)."
    raise TypeError(
        f"{entry.name} has no option {unknown[0]!r}.{hint} "
        f"The rules take {', '.join(rules) or 'none'}; the environment takes {', '.join(own)}."
    )
