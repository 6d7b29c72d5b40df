"""A finished model and its card on the Hugging Face Hub, if that is asked for.

The only file that speaks to it, and nothing is sent before the run has ended and is saved.
"""

from __future__ import annotations

import json
from pathlib import Path

from sepo_trainer.policy.adapter import SETTINGS
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.settings.records import HubConfig


class UploadError(ValueError):
    """The Hub did not take the model; the run itself is done and saved."""


def check_login(settings: HubConfig) -> None:
    """Refuse an upload that nobody is logged in for, before any work.

    Raises:
        ConfigError: there is no token.
    """
    from huggingface_hub import get_token

    if settings.push_to_hub and get_token() is None:
        raise ConfigError(
            "hub.push_to_hub is on, but there is no token for the Hugging Face Hub on this "
            "machine. Log in with: hf auth login. Or set HF_TOKEN."
        )


def push(model: Path, settings: HubConfig) -> str:
    """Upload everything in the folder ``model`` as one commit; returns the address of that.

    An adapter whose model lies elsewhere on this machine names it as the Hub does, by
    ``settings.base``; what is in ``model`` stays as it is.

    Raises:
        UploadError: the Hub cannot be reached, or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    assert settings.repo is not None  # as its configuration says
    hub = HfApi()
    try:
        hub.create_repo(settings.repo, private=settings.private, exist_ok=True)
        done = hub.create_commit(
            settings.repo,
            [
                CommitOperationAdd(
                    path.relative_to(model).as_posix(), _public(path, model, settings)
                )
                for path in sorted(model.rglob("*"))
                if path.is_file()
            ],
            commit_message="A policy and its card",
        )
    except (HTTPError, OSError) as error:
        raise UploadError(
            f"the model is finished and saved in {model}, but was not uploaded to "
            f"{settings.repo}: {error}. Try again with: "
            f"python -m sepo_trainer train --resume {model.parent}"
        ) from error
    return str(done.commit_url)


def _public(path: Path, model: Path, settings: HubConfig) -> str | bytes:
    """What is uploaded of a file: itself, by its path, or its bytes without a path in them."""
    if path.name != SETTINGS:
        return str(path)
    said = json.loads(path.read_text())
    base = path.parent / said["base_model_name_or_path"]
    if base.is_dir() and base.resolve().is_relative_to(model.resolve()):
        return str(path)  # it is uploaded beside
    assert settings.base is not None  # as its configuration says
    text = json.dumps(said | {"base_model_name_or_path": settings.base}, indent=2, sort_keys=True)
    return text.encode()
