"""The demonstrations as a folder that `datasets`, and whatever trainer reads chats, loads as it is.

    train.jsonl       one chat a line: ``messages``, and what is known of them (`chats.Row`)
    episodes.jsonl    the episodes they are from, as replay files hold them: each is played again
                      by ``python -m sepo_envs replay``
    README.md         the card
    checksums.txt     of these, for ``sha256sum -c checksums.txt``

The same recipe writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from typing import IO

from sepo_envs import replays
from sepo_trainer.dataset.card import CHATS, EPISODES, card
from sepo_trainer.dataset.chats import Recipe, Tally, play, rows_of
from sepo_trainer.runs.run_folder import check_room, folder_made_whole

__all__ = ["Recipe", "write_dataset"]

CARD, CHECKSUMS = "README.md", "checksums.txt"


def write_dataset(
    recipe: Recipe, to: Path, *, progress: Callable[[int, str], object] = lambda done, note: None
) -> list[Tally]:
    """Play, and write the set to ``to``, whole or not at all.

    Args:
        to: a new folder, or one that holds such a set, which is replaced.
        progress: called after each episode with the decisions so far and the domain's name.

    Returns:
        what it holds, by domain.

    Raises:
        ConfigError: ``to`` cannot be written, or holds something else.
    """
    check_room(to, "a set of demonstrations", (CHATS, EPISODES, CARD, CHECKSUMS))
    with folder_made_whole(to) as draft:
        with _lines_to(draft / CHATS) as chats, _lines_to(draft / EPISODES) as episodes:
            tallies = _write(recipe, chats, episodes, progress)
        sums = {name: _checksum(draft / name) for name in (CHATS, EPISODES)}
        with _lines_to(draft / CARD) as file:
            file.write(card(recipe, tallies, sums))
        sums[CARD] = _checksum(draft / CARD)
        with _lines_to(draft / CHECKSUMS) as file:
            file.writelines(f"{digest}  {name}\n" for name, digest in sums.items())
    return tallies


def _write(
    recipe: Recipe,
    chats: IO[str],
    episodes: IO[str],
    progress: Callable[[int, str], object],
) -> list[Tally]:
    tallies: dict[str, Tally] = {}
    done = 0
    for played in play(recipe):
        name, rows = played.stage.domain.name, rows_of(played)
        chats.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        about = {"players": played.players, "seed": recipe.seed, "episode": played.number}
        episodes.write(replays.line(played.end, about))
        tallies.setdefault(name, Tally(played.stage)).add(played, rows)
        done += len(played.decisions)
        progress(done, name)
    return list(tallies.values())


def _lines_to(path: Path) -> IO[str]:
    """A new file whose bytes are the same on every system."""
    return path.open("w", encoding="utf-8", newline="\n")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
