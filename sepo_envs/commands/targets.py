"""What a command line names: a game, its options, an opponent."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

from sepo_envs.catalogue import Domain, domain
from sepo_envs.find_opponent import Opponent, checked_opponent, find_opponent
from sepo_envs.hints import did_you_mean


class UsageError(Exception):
    """The command line names what is not there. The message says what there is."""


@contextmanager
def as_usage(*kinds: type[Exception]) -> Iterator[None]:
    """What was typed is to blame for errors of these kinds: their messages go to who typed it."""
    try:
        yield
    except kinds as error:
        raise UsageError(str(error)) from error


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the rules, its value in JSON: --option rounds=4, "
        "--option values=[2,4,6]; may be given several times",
    )


def loaded(target: str) -> Any:
    """The object that ``package.module:NAME`` names.

    >>> loaded("sepo_envs.catalogue:CATALOGUE")["kuhn_poker"].title
    'KuhnPoker'
    """
    module, _, name = target.partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and itself misses another
        raise UsageError(
            f"there is no module {error.name!r}. Python looks in the folder you are in and among "
            "the installed packages: change the folder, or pip install the package."
        ) from error
    if not hasattr(found, name):
        hint = did_you_mean(name, vars(found))
        raise UsageError(f"the module {module} has no {name!r}.{hint}")
    return getattr(found, name)


def named_domain(target: str) -> Domain:
    """The domain of that name, or the one that ``package.module:NAME`` names.

    Raises:
        UsageError: there is none.
    """
    if ":" not in target:
        with as_usage(ValueError):
            return domain(target)
    found = loaded(target)
    if not isinstance(found, Domain):
        raise UsageError(f"{target} is a {type(found).__name__}, not a sepo_envs.Domain.")
    return found


def named_opponent(target: str, game: str) -> Opponent:
    """The opponent on offer under that name, or the one that ``package.module:NAME`` names.

    Raises:
        UsageError: there is none.
    """
    with as_usage(TypeError, ValueError):
        if ":" in target:
            return checked_opponent(loaded(target))
        return find_opponent(game, target)


def option_names(found: Domain) -> Mapping[str, Parameter]:
    """The options of the rules, by name, in their order."""
    return signature(found.make).parameters


def checked_options(found: Domain, pairs: Sequence[str]) -> dict[str, Any]:
    """The options that ``pairs``, each ``name=value``, name.

    >>> checked_options(domain("repeated_auction"), ["rounds=2", "values=[1, 5]"])
    {'rounds': 2, 'values': [1, 5]}
    >>> checked_options(domain("kuhn_poker"), ["hand=2"])
    Traceback (most recent call last):
        ...
    sepo_envs.commands.targets.UsageError: kuhn_poker has no option 'hand'. Did you mean 'hands'? \
Known: hands.

    Raises:
        UsageError: there is no such option, or the rules refuse its value.
    """
    options: dict[str, Any] = {}
    known = option_names(found)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--option {pair} has no value. Write --option {name}=VALUE.")
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(
                f"{found.name} has no option {name!r}.{hint} Known: {', '.join(known) or 'none'}."
            )
        options[name] = _value(value)
    with as_usage(TypeError, ValueError):
        found.make(**options)
    return options


def _value(text: str) -> Any:
    """JSON, or the text as it stands: ``worth="one of each"`` reaches us without its quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return text
