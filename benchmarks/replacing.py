"""What a study may write its record over: no other and no larger one, unless that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command_line import BenchmarkError, changed
from benchmarks.records import RecordError, Setting, load
from sepo_trainer.settings.config import RunConfig

MOST_TOLD = 4
"""Of the settings that differ."""


def check_replaced(
    path: Path,
    seeds: Sequence[int],
    config: RunConfig | None = None,
    *,
    apart: str = "--name or --results",
) -> None:
    """Hold a record that is about to be made in ``path`` against the one that is there, if any.

    Args:
        config: the settings asked for; without them that one may be of any.
        apart: the options that keep the new one elsewhere.

    Raises:
        BenchmarkError: that one is of other settings or of more seeds, or cannot be read.
    """
    if not path.exists():
        return
    mend = f"Give a {apart} to keep this elsewhere, or write over that one with --replace."
    try:
        old = load(path)
    except RecordError as error:
        raise BenchmarkError(f"{error} {mend}") from error
    others = _others(old.settings, changed(config)) if config is not None else []
    if others:
        told = f"{'; '.join(others[:MOST_TOLD])}{'; and others' if others[MOST_TOLD:] else ''}"
        raise BenchmarkError(f"{path} is of other settings: {told}. {mend}")
    if len(old.seeds) > len(seeds):
        raise BenchmarkError(
            f"{path} is of {len(old.seeds)} seeds, and this would be of {len(seeds)}. {mend}"
        )


def _others(there: Mapping[str, Setting], here: Mapping[str, Setting]) -> list[str]:
    """The settings that differ, with both values.

    >>> _others({"threads": 2, "learning.clip": 0.1}, {"threads": 4, "learning.clip": 0.1})
    ['threads is 2 there and 4 here']
    >>> _others({}, {"learning.iterations": 5})
    ['learning.iterations is the default there and 5 here']
    """
    default = "the default"
    return [
        f"{name} is {there.get(name, default)} there and {here.get(name, default)} here"
        for name in {**there, **here}
        if there.get(name, default) != here.get(name, default)
    ]
