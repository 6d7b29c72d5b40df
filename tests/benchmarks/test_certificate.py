"""A certificate names the code that ran, and admits what it does not know."""

from __future__ import annotations

import os
import subprocess

import pytest

from benchmarks.certificate import CODE, certify, commit_of, source_digest


def git(root, *arguments):
    config = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", root, *config, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    for package in (*CODE, "benchmarks/results"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "code.py").write_text("x = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "start")
    return tmp_path


def test_a_changed_line_of_code_makes_the_checkout_dirty(checkout):
    commit, dirty = commit_of(checkout)
    assert (len(commit), dirty) == (40, False)
    (checkout / "opponents" / "code.py").write_text("x = 2\n")
    assert commit_of(checkout) == (commit, True)


def test_a_new_record_leaves_the_checkout_clean(checkout):
    """Or the second of two studies could never be run on a clean commit."""
    (checkout / "benchmarks" / "results" / "new.json").write_text("{}")
    (checkout / "benchmarks" / "README.md").write_text("tables")
    assert commit_of(checkout)[1] is False


def test_without_git_the_commit_is_unknown(tmp_path, checkout):
    inner = checkout / "opponents"  # part of a repository, but not its root: somebody else's commit
    assert commit_of(inner) == ("unknown", None)


def test_the_source_digest_is_of_the_code_alone(checkout):
    before = source_digest(checkout)
    (checkout / "notes.py").write_text("")
    (checkout / "opponents" / "notes.txt").write_text("")
    assert source_digest(checkout) == before
    (checkout / "opponents" / "code.py").rename(checkout / "opponents" / "other.py")
    assert source_digest(checkout) != before


def test_a_certificate_knows_this_machine():
    made = certify(command="x", threads=1, wall_seconds=1.26, peak_memory_mib=None)
    assert made.hardware.cores <= (os.cpu_count() or 1)
    assert made.hardware.memory_gib > 0
    assert made.hardware.cpu
    assert {"python", "torch", "transformers"} <= made.versions.keys()
    assert (made.wall_seconds, made.peak_memory_mib) == (1.3, None)
    assert made.date.utcoffset().total_seconds() == 0
