"""How far a long piece of work is, and the time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

TELL_EVERY = 30.0
"""Seconds between progress lines where there is no terminal to draw a bar in."""


@contextmanager
def bar(console: Console, title: str, total: int) -> Iterator[Any]:
    """A progress line with the time left; where the output is no terminal, a line now and then."""
    if not console.is_terminal:
        told = perf_counter()

        def tell(done: int, note: str) -> None:
            nonlocal told
            if perf_counter() - told >= TELL_EVERY:
                told = perf_counter()
                console.print(f"{title}: {done} of {total}, {note}")

        yield tell
        return
    columns = (
        TextColumn("{task.description:>11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, note="")
        yield lambda done, note: progress.update(task, completed=done, note=note)
