"""What several tests of the environments share."""

import io
import sys

import pytest

from sepo_envs.commands import main


@pytest.fixture
def typed(monkeypatch, capsys):
    """``typed(arguments, *lines)``: run a command with these lines typed; its status and output."""

    def run(arguments: str, *lines: str):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        status = main(arguments.split())
        return status, capsys.readouterr()

    return run
