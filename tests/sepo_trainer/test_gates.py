"""Whether an opponent exploits the policy is known from earlier iterations, where play tells."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from sepo_trainer import train as training
from sepo_trainer.courses.course import Standing
from sepo_trainer.courses.scores import Against, Scores
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Reply
from sepo_trainer.run import Run
from sepo_trainer.train import Step, train
from tests.sepo_trainer.runs import UNTRAINED, run_with
from tests.sepo_trainer.tabular import changing


@dataclass
class Scripted:
    """A sampler that says one thing in each iteration."""

    renderer: Renderer
    script: tuple[str, ...]
    version: int = 0

    def publish(self, version):
        self.version = version

    def rest(self):
        pass

    def generate(self, requests):
        ids = self.renderer.reply(self.script[self.version])
        return [Reply(ids, (0.0,) * len(ids), True) for _ in requests]


def scripted(*script: str, **settings: object) -> Run:
    """Two rounds of the prisoner's dilemma a match, by a policy that never learns."""
    run = run_with(
        UNTRAINED,
        game={"name": "prisoners_dilemma", "options": {"rounds": 2}},
        learning={"iterations": len(script)},
        **settings,
    )
    still = SimpleNamespace(update=lambda batches, learning_rate: [{} for _ in batches])
    return replace(changing(run, sampler=Scripted(run.renderer, script)), learner=still)


def gates_of(run: Run, monkeypatch) -> tuple[list[dict[str, float]], list[Step]]:
    """The gates under which each iteration's episodes were credited."""
    used: list[dict[str, float]] = []
    learnable = training.learnable

    def noting(course, groups, gates, emphasis, **when):
        used.append(dict(gates))
        return learnable(course, groups, gates, emphasis, **when)

    monkeypatch.setattr(training, "learnable", noting)
    steps: list[Step] = []
    train(run, steps.extend)
    return used, steps


def test_whom_the_policy_has_never_met_is_taken_to_exploit_it():
    run = scripted("[defect]")
    assert run.course.read().gates == {"always-defect": 1.0, "alternator": 1.0}


def test_a_gate_follows_the_running_mean_of_earlier_iterations_by_hand(monkeypatch):
    """The alternator (D, then C) loses 2.5 a round to defection and gains as much on cooperation.

    From -2.5, five times 2.5 by .8 and .2: -1.5, -.7, -.06, .452. So its gate is open while it is
    unknown, though it loses just then; shut while it gains; and open again once the mean is up.
    """
    used, steps = gates_of(scripted("[defect]", *["[cooperate]"] * 5), monkeypatch)
    margins = [step.scores.against["alternator"].margin for step in steps]
    assert margins == [-2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
    assert [gates["alternator"] for gates in used] == [1, 0, 0, 0, 0, 1]


def test_a_margin_of_zero_is_no_exploitation(monkeypatch):
    """Who defects too earns as much as always-defect; who cooperates loses five points a round."""
    used, _ = gates_of(scripted("[defect]", "[defect]", "[cooperate]", "[cooperate]"), monkeypatch)
    assert [gates["always-defect"] for gates in used] == [1, 0, 0, 1]


def test_only_the_exploit_pool_has_gates(monkeypatch):
    used, _ = gates_of(scripted("[cooperate]", "[defect]"), monkeypatch)
    assert all(gates.keys() == {"always-defect", "alternator"} for gates in used)


def test_the_running_mean_starts_at_the_first_margin():
    """By hand: 1, then .8 x 1 + .2 x -6 = -.4."""
    standing = Standing()
    for margin in (1.0, -6.0):
        standing.notice(Scores(0, 0, 0, 0, 0, {"a": Against(0.0, margin)}, None))
    assert standing.margins == pytest.approx({"a": -0.4})


def test_what_a_run_knows_of_margins_is_saved_and_restored(tmp_path):
    run = run_with(UNTRAINED, game={"name": "prisoners_dilemma"})
    run.course.standing.margins = {"always-defect": 0.25, "alternator": -0.5}
    fresh = run_with(UNTRAINED, game={"name": "prisoners_dilemma"})
    assert fresh.course.read().gates == {"always-defect": 1.0, "alternator": 1.0}
    fresh.restore(run.checkpoint(), source=tmp_path)
    assert fresh.course.standing.margins == run.course.standing.margins
    assert fresh.course.read().gates == {"always-defect": 1.0, "alternator": 0.0}


def test_where_the_policy_is_read_a_gate_is_its_exact_margin():
    """Whatever play has shown: the whole pool of the iteration is known beforehand."""
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 4})
    before = run.course.read()
    run.course.standing.margins = dict.fromkeys(before.gates, -1.0)
    assert run.course.read().gates == before.gates
    exact = {name: float(met.margin > 0) for name, met in before.scores.against.items()}
    assert before.gates == exact
    assert exact["best-response"] == 1.0
