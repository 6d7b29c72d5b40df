"""The table of a repeated game is the one that the reader of trees makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from benchmarks.match_table import MatchReader, can_be_read
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.exact import GameTree, RepeatedSolver
from sepo_trainer.courses.action_table import ActionTableReader
from sepo_trainer.run import put_together
from sepo_trainer.settings.resolve import resolve
from sepo_trainer.stage import set_stage

DILEMMA = "prisoners_dilemma"


@dataclass
class Terse:
    """Words without remarks, which the reader of trees would score too."""

    words: Any

    def thoughts(self, state: Any, seat: int) -> tuple[str, ...]:
        return ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.words, name)


def far_from_uniform(style: str, *settings: str) -> Any:
    """A run of the dilemma with a tiny model of large random weights."""
    run = put_together(
        resolve(
            None,
            [
                *("--game.name", DILEMMA, "--rollout.style", style, "--warm-start.steps", "0"),
                *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2", *settings),
            ],
        )
    )
    with torch.no_grad():  # far from uniform: what is read late must hang on what was said early
        for weight in run.language.model.parameters():
            weight.mul_(3)
    return run


@pytest.mark.parametrize("style", ["conversation", "fresh"])
def test_it_is_the_table_that_the_reader_of_trees_makes_of_a_short_match(style):
    run, stage = far_from_uniform(style), set_stage(DILEMMA, {"rounds": 3})
    stage = replace(stage, words=Terse(stage.words))
    tree = GameTree(stage.game)
    manner: dict[str, Any] = {"style": style, "temperature": 0.7}
    model, pad = run.language.model, run.renderer.pad_id
    theirs = ActionTableReader(stage, tree, run.renderer, **manner).read(model, pad_id=pad)
    ours = MatchReader(stage, run.renderer, **manner).read(model, pad_id=pad)
    assert ours.rows.keys() == theirs.rows.keys()
    for situation, row in theirs.rows.items():
        assert ours.rows[situation] == pytest.approx(row, abs=1e-5), situation
        assert ours.uncovered[situation] == pytest.approx(theirs.uncovered[situation], abs=1e-5)
    solver = RepeatedSolver(stage.game)
    assert solver.exploitability(ours) == pytest.approx(tree.exploitability(theirs), abs=1e-4)
    spread = [row[stage.game.moves[0]] for row in ours.rows.values()]
    assert max(spread) - min(spread) > 0.1, "or all histories would be one"


def test_a_reply_that_is_cut_off_is_not_given():
    run, stage = far_from_uniform("conversation"), set_stage(DILEMMA, {"rounds": 1})
    reader = MatchReader(stage, run.renderer, "conversation", max_new_tokens=1)
    table = reader.read(run.language.model, pad_id=run.renderer.pad_id)
    assert set(table.uncovered.values()) == {1.0}


def test_the_dilemma_can_be_read_out_and_what_is_larger_or_hidden_is_refused():
    assert [game for game in CATALOGUE if can_be_read(set_stage(game))] == [DILEMMA]
    run = far_from_uniform("conversation")
    reader = MatchReader(set_stage("repeated_auction"), run.renderer, "conversation")
    with pytest.raises(ValueError, match=r"cannot be read out[\s\S]*Take a bound from below"):
        reader.read(run.language.model, pad_id=run.renderer.pad_id)
