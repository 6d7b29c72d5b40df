"""What every test shares: hypothesis settings, GPU tests that wait for a GPU, transcripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may stall any single example; pytest's own timeout still ends a test that hangs.
settings.register_profile("sepo", deadline=None)
settings.load_profile("sepo")

TRANSCRIPTS = Path(__file__).parent / "transcripts"
MEND = "If that was meant: make test ARGS=--rewrite-transcripts, then review and commit the diff."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch  # a second of import, so only where a GPU test was collected

    if not torch.cuda.is_available():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write tests/transcripts/*.txt anew instead of comparing with them",
    )


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``transcript(name, text)`` compares with the reviewed ``tests/transcripts/<name>.txt``."""

    def compare(name: str, text: str) -> None:
        file = TRANSCRIPTS / f"{name}.txt"
        if request.config.getoption("--rewrite-transcripts"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert file.exists(), f"{file} is missing. {MEND}"
        assert text == file.read_text(), f"what a model reads has changed: {file}\n{MEND}"

    return compare
