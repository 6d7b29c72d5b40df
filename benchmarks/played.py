"""What is played of finished policies, beside what their trainings wrote down.

Of one whose result was read out: how it plays, for what no table tells (NRA, fouls, payoffs against
held-out opponents, and everything about a model that hardly ever says a legal reply, so that its
table is of what it does not do). Of one that is measured by play: how exploitable it is, by reading
it out once, where that can be; else a bound from below, by play.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import outcomes
from benchmarks.leaderboard.exploitability import bound_by_play
from benchmarks.training_runs import Job
from opponents.matches import Player, play_matches
from opponents.opponent import Opponent
from sepo_envs.batch import Board
from sepo_envs.exact import solver
from sepo_trainer.settings.config import RunConfig

if TYPE_CHECKING:
    from sepo_trainer.courses.course import Course
    from sepo_trainer.run import Run

Floats = NDArray[np.float64]

EPISODES: Final = 200
"""Against each opponent, to bound exploitability with."""
FEW_EPISODES: Final = 8
"""The same in a trial: the fewest that are two deals for two seats to choose by, and two to measure
by, so that there is a bound at all."""
How: TypeAlias = Callable[[RunConfig, Path], dict[str, Any]]
Task: TypeAlias = tuple[str, Path, How, RunConfig, Path]
"""Its title, where what is found goes, how it is found, the settings, the saved model."""


def play_out(
    jobs: Sequence[Job],
    config: RunConfig,
    *,
    report: Callable[[str], None],
    at_once: int = 1,
    brief: bool = False,
) -> None:
    """Let the policies of finished ``jobs`` play where they have not yet, beside their result.

    Args:
        config: the study's, with its `evaluation_episodes`.
        report: is told of each that is done.
        at_once: processes.
        brief: read none out; bound how exploitable they are, with a few episodes.
    """
    todo: list[Task] = []
    for job in jobs:
        model = job.folder if job.command == "warm-start" else job.folder / "model"
        for game in config.games:
            is_played = "scorecard" in outcomes.result_of(job.folder, game)
            path = job.folder / (outcomes.EXPLOITED if is_played else outcomes.PLAYED).format(game)
            if not path.is_file() and not (is_played and _is_untrained(job)):
                alone = config.alone(game).model_copy(update={"seed": job.config.seed})
                how = evaluated if not is_played else bounded if brief else exploited
                todo.append((f"{job.title}, {game}", path, how, alone, model))
    for done, title in enumerate(_noted(todo, at_once), 1):
        report(f"{title}: played out, {done} of {len(todo)}")


def _noted(todo: Sequence[Task], at_once: int) -> Iterator[str]:
    """The titles of ``todo``, each once it is done."""
    if at_once == 1 or len(todo) < 2:
        yield from (_note(*task) for task in todo)
        return
    with ProcessPoolExecutor(at_once, get_context("spawn")) as pool:
        for noted in as_completed([pool.submit(_note, *task) for task in todo]):
            yield noted.result()


def _is_untrained(job: Job) -> bool:
    """Whether its policy is that of random weights, which forfeits all but always."""
    config = job.config
    return job.command == "warm-start" and not (config.warm_start.steps or config.model.path)


def _note(title: str, path: Path, how: How, config: RunConfig, model: Path) -> str:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(how(config, model), indent=1))
    draft.replace(path)
    return title


def evaluated(config: RunConfig, model: Path) -> dict[str, Any]:
    """The scorecard of the saved ``model`` by play, and its exact payoffs by opponent."""
    from sepo_trainer.runs.evaluation import evaluate  # only now: this process runs long
    from sepo_trainer.runs.metrics import card_json

    run = _loaded(config, model)
    card, exact = evaluate(run.course, episodes=config.evaluation_episodes)
    return {**card_json(card), "exact": exact}


def exploited(config: RunConfig, model: Path) -> dict[str, Any]:
    """How exploitable the saved ``model`` is, in points per episode, and what makes that sure: a
    `Certified`, and how much of a reply its reading left uncovered; empty if nothing can be said.
    """
    from benchmarks.match_table import MatchReader, can_be_read

    course = _loaded(config, model).course
    if can_be_read(course.stage):
        manner = config.rollout
        reader = MatchReader(
            course.stage,
            course.renderer,
            manner.style,
            temperature=manner.temperature,
            max_new_tokens=manner.max_new_tokens,
        )
        table = reader.read(course.model, pad_id=course.renderer.pad_id)
        if table.most_uncovered <= outcomes.BABBLE:
            read = solver(course.stage.game).exploitability_interval(table)
            return {**asdict(read), "uncovered": table.most_uncovered}
    return _bound(course, EPISODES)


def bounded(config: RunConfig, model: Path) -> dict[str, Any]:
    """As `exploited` says it, by play alone, and of `FEW_EPISODES`."""
    return _bound(_loaded(config, model).course, FEW_EPISODES)


def _bound(course: Course, episodes: int) -> dict[str, Any]:
    """What the opponents of all pools gain on the policy, over what it earns from itself; empty if
    nothing can be said."""
    from sepo_trainer.runs.evaluation import SEED_OFFSET
    from sepo_trainer.samplers.chat import SampledChat

    config, stage, board = course.config, course.stage, Board(course.stage.game)
    mine = SampledChat("policy", course.sampler, course.renderer, style=config.rollout.style)
    deals = range(-(-episodes // stage.game.seats))

    def returns(*seats: Player) -> Floats:
        seed = config.seed + SEED_OFFSET
        played = play_matches(stage.domain, seats, deals=deals, seed=seed, board=board)
        return np.array([match.episode.returns for match in played])

    taken = {
        one.name: np.stack([returns(one, mine)[:, 0], returns(mine, one)[:, 1]], axis=1)
        for pool in stage.pools.values()
        for one in pool.opponents
        if isinstance(one, Opponent)
    }
    found = bound_by_play(stage.game, taken, returns(mine, mine))
    return {} if found is None else asdict(found)


def _loaded(config: RunConfig, model: Path) -> Run:
    from transformers.utils.logging import disable_progress_bar

    from sepo_trainer.run import put_together

    disable_progress_bar()
    saved = config.model.model_copy(update={"path": model})
    return put_together(config.model_copy(update={"model": saved}))
