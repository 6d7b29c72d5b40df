"""List the games: what each is, its ids, its options with their defaults, and who plays it.

example:
  python -m sepo_envs list prisoners_dilemma
"""

from __future__ import annotations

import argparse
import sys
from inspect import Parameter
from textwrap import fill

from sepo_envs.catalogue import CATALOGUE, Domain
from sepo_envs.commands.targets import as_usage, named_domain, option_names
from sepo_envs.find_opponent import known_opponents, known_pools
from sepo_envs.registration import gymnasium_ids, pettingzoo_ids

SUMMARY = "every game, its ids, options and opponents"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("game", nargs="*", help="only these; all of them unless named")


def run(given: argparse.Namespace) -> int:
    with as_usage(ValueError):
        pages = [page(named_domain(name)) for name in given.game or CATALOGUE]
    print("\n\n".join(pages))
    return 0


def page(found: Domain) -> str:
    """A paragraph on one game, with a heading."""
    structured, text = pettingzoo_ids(found)
    apis = "aec and parallel" if found.simultaneous else "aec"
    rows = [
        ("options", ", ".join(map(_option, option_names(found).values())) or "none"),
        ("paper preset", _preset(found)),
        ("gymnasium", ", ".join(f"sepo_envs:{name}" for name in gymnasium_ids(found))),
        ("pettingzoo", f"{structured} ({apis}), {text} (aec)"),
        *opponents(found),
    ]
    return "\n".join([f"{found.name}: {about(found)}", *(_row(*row) for row in rows)])


def about(found: Domain) -> str:
    """The first line of the rulebook.

    >>> about(CATALOGUE["kuhn_poker"])
    'Kuhn poker: the smallest poker with bluffing. Two players, zero sum.'
    """
    rulebook = sys.modules[found.make.__module__].__doc__ or found.make.__doc__ or found.title
    return rulebook.strip().splitlines()[0]


def _preset(found: Domain) -> str:
    options = found.preset("paper")
    return ", ".join(f"{name}={value!r}" for name, value in options.items()) or "as the default"


def opponents(found: Domain) -> list[tuple[str, str]]:
    """One row per pool, and one for the opponents that stand in none."""
    known, pools = known_opponents(found.name), known_pools(found.name)
    if not known:
        return [("opponents", "none installed; `pip install sepo` brings some")]
    rows = [
        (f"{pool} pool", ", ".join(n if n in known else f"{n} (*)" for n in names))
        for pool, names in pools.items()
    ]
    pooled = {name for names in pools.values() for name in names}
    others = [name for name in known if name not in pooled]
    rows += [("in no pool", ", ".join(others))] if others else []
    if not pooled <= known.keys():
        rows += [("(*)", "worked out against the policy it meets; not to be had by name")]
    return rows


def _row(label: str, content: str) -> str:
    return fill(
        content,
        width=100,
        initial_indent=f"  {label:<15}",
        subsequent_indent=" " * 17,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _option(parameter: Parameter) -> str:
    if parameter.default is Parameter.empty:
        return parameter.name
    return f"{parameter.name}={parameter.default!r}"
