"""A request to stop, heard at once and answered when there is something whole to save; and what to
type to go on, whatever ended a run that can."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sepo_trainer.learning.importance import DriftError
from sepo_trainer.processes import again, any_of
from sepo_trainer.samplers.vllm_server import ServerError


class InterruptedRunError(Exception):
    """The run was asked to stop, and what was saved stands."""


@contextmanager
def patient_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C, or a request to terminate, into a note that the loop reads; the second
    one acts as usual. Whichever process of a run was asked, all of them read it in the same
    iteration."""
    pressed = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signum, before[signal.Signals(signum)])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: any_of(pressed)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def go_on(path: Path) -> str:
    """The command that goes on with the run in ``path``."""
    return again(f"train --resume {path}")


@contextmanager
def told_how_to_go_on(path: Path) -> Iterator[None]:
    """Say with what ends the run in ``path``, at once or because of its sampler, what to type once
    that is mended.

    Raises:
        InterruptedRunError: in place of `KeyboardInterrupt`.
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise InterruptedRunError(
            f"stopped. What was saved before stands. Go on with: {go_on(path)}"
        ) from stopped
    except (DriftError, ServerError) as error:
        raise type(error)(
            f"{error} What was saved before stands. Then go on with: {go_on(path)}"
        ) from error
