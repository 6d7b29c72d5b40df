"""How a policy plays whose result was read out: for what no table tells.

NRA, fouls, payoffs against held-out opponents, and everything about a model that hardly ever says a
legal reply, so that its table is of what it does not do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import outcomes
from benchmarks.training_runs import Job
from sepo_trainer.settings.config import RunConfig


def play_out(jobs: Sequence[Job], config: RunConfig) -> None:
    """Let the policies of finished ``jobs`` play where they have not yet, beside their result.

    Args:
        config: the study's, with its `evaluation_episodes`.
    """
    for job in jobs:
        for game in config.games:
            path = job.folder / outcomes.PLAYED.format(game)
            if "scorecard" not in outcomes.result_of(job.folder, game) and not path.is_file():
                model = job.folder if job.command == "warm-start" else job.folder / "model"
                played = evaluated(config.alone(game), job.config.seed, model)
                path.write_text(json.dumps(played, indent=1))


def evaluated(config: RunConfig, seed: int, model: Path) -> dict[str, Any]:
    """The scorecard of the saved ``model`` by play, and its exact payoffs by opponent."""
    from transformers.utils.logging import disable_progress_bar  # only now: this process runs long

    from sepo_trainer.run import put_together
    from sepo_trainer.runs.evaluation import evaluate
    from sepo_trainer.runs.metrics import card_json

    disable_progress_bar()
    saved = config.model.model_copy(update={"path": model})
    run = put_together(config.model_copy(update={"model": saved, "seed": seed}))
    card, exact = evaluate(run.course, episodes=config.evaluation_episodes)
    return {**card_json(card), "exact": exact}
