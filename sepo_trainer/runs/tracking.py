"""What a run writes down, told to TensorBoard, Weights & Biases or trackio as well.

Through the trackers of accelerate; the only file that imports it. The run's own files come first:
a tracker is told what `metrics.jsonl` and `timings.jsonl` hold already, and nothing is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sepo_trainer.processes import is_main
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.settings.records import Tracker

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

Tell = Callable[[int, Mapping[str, float]], None]
"""Takes a step and its values by name."""

LEFT_OUT = ("iteration", "game", "table", "scorecard")
"""Addresses, and what is no curve."""


@contextmanager
def trackers(config: RunConfig, folder: Path, *, iteration: int = 0) -> Iterator[Tell]:
    """Whom ``config`` names, open for one run; without any, or in another process than the main
    one, telling does nothing.

    Args:
        folder: the run's; what the trackers keep on this machine goes into its ``tracking``.
        iteration: the first one that will be told: what an interrupted run told from there on
            is told again.
    """
    with ExitStack() as open_ones:
        opened = []
        for name in config.tracking.to if is_main() else ():
            opened.append(_open(name, config, folder, iteration))
            open_ones.callback(opened[-1].finish)

        def tell(step: int, values: Mapping[str, float]) -> None:
            for tracker in opened:
                tracker.log(dict(values), step=step)

        yield tell


def check_installed(config: RunConfig) -> None:
    """Refuse trackers that are not installed, before any work.

    Raises:
        ConfigError: naming one, and the command that installs it.
    """
    for name in config.tracking.to:
        for package in ("accelerate", name):
            if find_spec(package) is None:
                raise ConfigError(
                    f"tracking.to names {name!r}, which needs the package {package!r}, and that is "
                    f'not installed. Install it with: pip install "{_extra(package)}"'
                )


def _extra(package: str) -> str:
    return package if package == "trackio" else "sepo[track]"


def curves(line: Mapping[str, Any], *, under: str = "") -> dict[str, float]:
    """The numbers of a line, nested ones as ``outer/inner``; what is no number is left out.

    >>> curves({"iteration": 3, "game": "kuhn_poker", "u": 0.5, "seconds": {"play": 2}})
    {'u': 0.5, 'seconds/play': 2.0}
    """
    found: dict[str, float] = {}
    for name, value in line.items():
        if name in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            found |= curves(value, under=f"{under}{name}/")
        elif isinstance(value, int | float):
            found[f"{under}{name}"] = float(value)
    return found


def told_of(lines: Mapping[str, Mapping[str, Any]], *, under: str = "") -> dict[str, float]:
    """The curves of a line per game; those of a joint run under the game's name."""
    if len(lines) == 1:
        return curves(*lines.values(), under=under)
    return {
        name: value
        for game, line in lines.items()
        for name, value in curves(line, under=f"{under}{game}/").items()
    }


def _open(name: Tracker, config: RunConfig, folder: Path, iteration: int) -> GeneralTracker:
    """One tracker, started and told the settings."""
    from accelerate.state import PartialState
    from accelerate.tracking import TensorBoardTracker, TrackioTracker, WandBTracker

    PartialState()  # its loggers ask it who they are; it opens no process group of its own
    place = folder / "tracking"
    place.mkdir(exist_ok=True)
    project = config.tracking.project
    match name:
        case "tensorboard":
            # Curves of the steps that are done again are cut off where they begin again.
            tracker = TensorBoardTracker("tensorboard", place, purge_step=iteration)
        case "wandb":
            tracker = WandBTracker(
                project,
                name=folder.name,
                id=_lasting_id(place),
                dir=str(place),
                mode=config.tracking.wandb,
                resume="allow",
            )
        case "trackio":
            tracker = TrackioTracker(project, name=folder.name, resume="allow")
    tracker.start()
    if name == "tensorboard":  # its table of hyperparameters would be a run of its own
        tracker.tracker.add_text("config", f"```json\n{config.model_dump_json(indent=1)}\n```")
    else:
        tracker.tracker.config.update(config.model_dump(mode="json"))
    return tracker


def _lasting_id(place: Path) -> str:
    """The run's name at W&B, the same however often it is resumed."""
    file = place / "id"
    if not file.exists():
        file.write_text(uuid4().hex)
    return file.read_text()
