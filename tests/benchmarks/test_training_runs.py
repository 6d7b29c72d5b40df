"""Runs of a study: started once, resumed, reused, and never mixed over a change of code."""

from __future__ import annotations

import fcntl
import json
import os
import signal

import pytest

from benchmarks import training_runs
from benchmarks.command_line import BenchmarkError, InterruptedStudyError, settings
from benchmarks.training_runs import UNMEASURED, Cost, lines, run_all, seeded, study

CONFIG = settings(["--learning.iterations", "4"])


@pytest.fixture
def two_runs(fake_trainer):
    place = study(fake_trainer / "runs", "trial", CONFIG)
    return place, [place.training(seeded(CONFIG, seed), f"seed-{seed}") for seed in (0, 1)]


def run(two_runs, **options):
    place, jobs = two_runs
    seen = []
    run_all(jobs, at_once=options.get("at_once", 1), place=place, look=seen.append)
    return jobs, seen


def test_every_run_is_done_and_its_cost_measured(two_runs):
    jobs, seen = run(two_runs, at_once=2)
    assert [job.done for job in jobs] == [True, True]
    assert [job.iterations_done for job in jobs] == [4, 4]
    for job in jobs:
        assert 0 < job.cost.wall_seconds < 60
        assert 1 < job.cost.peak_memory_mib < 10_000
    assert seen[-1] == []


def test_a_finished_run_is_not_done_again(two_runs):
    jobs, _ = run(two_runs)
    logs = [job.log.read_text() for job in jobs]
    run(two_runs)
    assert [job.log.read_text() for job in jobs] == logs


def test_a_run_that_broke_down_is_told_and_then_resumed(two_runs, fake_trainer):
    (fake_trainer / "fail").touch()
    with pytest.raises(BenchmarkError, match=r"seed-0 ended with status 3[\s\S]*the disk is full"):
        run(two_runs)
    (fake_trainer / "fail").unlink()
    first = Cost(**json.loads(two_runs[1][0].cost_so_far.read_text()))
    jobs, _ = run(two_runs)
    assert "--resume" in jobs[0].log.read_text()
    assert [line["iteration"] for line in lines(jobs[0].folder / "metrics.jsonl")] == [0, 1, 2, 3]
    assert jobs[0].cost.wall_seconds > first.wall_seconds > 0, "of both its processes"
    assert jobs[0].cost.peak_memory_mib >= first.peak_memory_mib > 0
    assert not jobs[0].cost_so_far.exists()


def test_what_a_killed_study_spent_is_not_known(two_runs, fake_trainer):
    (fake_trainer / "fail").touch()
    with pytest.raises(BenchmarkError):
        run(two_runs)
    (fake_trainer / "fail").unlink()
    two_runs[1][0].cost_so_far.unlink()  # as it is while a process runs
    jobs, _ = run(two_runs)
    assert jobs[0].cost == UNMEASURED
    assert jobs[1].cost.wall_seconds > 0


def test_a_run_without_a_checkpoint_starts_over(two_runs):
    _, jobs = two_runs
    jobs[0].folder.mkdir(parents=True)
    (jobs[0].folder / "metrics.jsonl").write_text('{"iteration": 0}\n')
    run(two_runs)
    assert jobs[0].iterations_done == 4
    assert "--resume" not in jobs[0].log.read_text()


def test_a_change_of_code_ends_the_study(two_runs, monkeypatch):
    monkeypatch.setattr(training_runs, "source_digest", lambda: "0" * 64)
    with pytest.raises(BenchmarkError, match="the code changed while the study ran"):
        run(two_runs)


def test_a_study_that_is_told_to_stop_says_how_to_go_on_and_does(two_runs):
    place, jobs = two_runs
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InterruptedStudyError, match=r"\d of 2 runs finished. The same command"):
        run_all(jobs, at_once=2, place=place, look=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == before
    assert all(job.cost_so_far.exists() or job.cost != UNMEASURED for job in jobs)
    run(two_runs)
    assert all(job.done for job in jobs)


def test_other_settings_have_another_place(fake_trainer):
    places = {
        study(fake_trainer, "trial", config).home
        for config in (CONFIG, settings(["--learning.iterations", "5"]), seeded(CONFIG, 9))
    }
    assert len(places) == 2


def test_other_code_has_another_place(fake_trainer, monkeypatch):
    before = study(fake_trainer, "trial", CONFIG).home
    monkeypatch.setattr(training_runs, "source_digest", lambda: "0" * 64)
    assert study(fake_trainer, "trial", CONFIG).home != before


def test_a_study_is_made_by_one_process_at_a_time(two_runs):
    place, _ = two_runs
    told = rf"another process is training in {place.home}\. Wait for it, or choose another --runs"
    with place.held(), pytest.raises(BenchmarkError, match=told), place.held():
        pass
    with place.held():
        pass


def test_a_folder_that_somebody_writes_to_is_left_alone(two_runs):
    _, jobs = two_runs
    jobs[0].folder.mkdir(parents=True)
    with (jobs[0].folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BenchmarkError, match="still runs in"):
            run(two_runs)
    assert (jobs[0].folder / ".lock").exists()
