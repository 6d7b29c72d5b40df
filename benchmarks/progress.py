"""How far a study is, and the time left: a bar in a terminal, else a line per finished run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.training_runs import Job


@contextmanager
def watched(
    title: str, jobs: Sequence[Job], console: Console
) -> Iterator[Callable[[Sequence[Job]], None]]:
    """The function that `run_all` calls to look."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    total = sum(job.iterations for job in jobs)
    before = sum(job.iterations_done for job in jobs)
    told = {job.title for job in jobs if job.done}
    started = perf_counter()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=max(1, total), completed=before, note="")

        def look(running: Sequence[Job]) -> None:
            done = sum(job.iterations_done for job in jobs)
            left = _time_left(perf_counter() - started, done - before, total - done)
            finished = [job for job in jobs if job.done]
            names = ", ".join(job.title for job in running)
            note = f"{len(finished)}/{len(jobs)} runs{f' ({names})' if names else ''}{left}"
            bar.update(task, completed=done, note=note)
            for job in finished:
                if job.title not in told:
                    told.add(job.title)
                    console.print(f"{title}: {job.title} is done, {len(told)} of {len(jobs)}{left}")

        yield look


def _time_left(seconds: float, done: int, left: int) -> str:
    """Words for the rest, at the pace so far.

    >>> _time_left(60.0, 10, 20)
    ', about 2 min left'
    """
    if done <= 0 or left <= 0:
        return ""
    rest = seconds / done * left
    return f", about {rest / 60:.0f} min left" if rest >= 90 else f", about {rest:.0f} s left"
