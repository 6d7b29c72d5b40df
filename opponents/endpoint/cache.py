"""Replies that were paid for, on disk: each is written whole or not at all. Knows no HTTP.

A reply is kept under everything that determines it, so an evaluation that was interrupted asks for
none twice. The file is an SQLite database with one table, ``replies(digest, request, reply)``, both
as JSON; processes may share it.

>>> cache = ReplyCache(":memory:")
>>> question = {"model": "m", "messages": [{"role": "user", "content": "Hm?"}], "seed": 1}
>>> cache.find(question)
>>> cache.keep(question, {"text": "Aha.", "output_tokens": 2})
{'text': 'Aha.', 'output_tokens': 2}
>>> cache.find(question)["text"], len(cache)
('Aha.', 1)
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final
from weakref import finalize

SCHEMA: Final = 1
"""Of the table; kept as SQLite's ``user_version``."""
PATIENCE: Final = 60.0
"""Seconds for another process to finish writing."""


class CacheError(ValueError):
    """The file is no cache, or of another version."""


class ReplyCache:
    """Replies by request. Threads may share one object.

    Args:
        path: of the file, which is made if there is none; ``:memory:`` keeps nothing.

    Raises:
        CacheError: the file is something else, or cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = Lock()
        with self._told():
            if str(path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
            finalize(self, self._rows.close)
            with self._rows:
                [[version]] = self._rows.execute("PRAGMA user_version")
                names = self._rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if foreign := sorted({name for (name,) in names} - {"replies"}):
                    raise CacheError(
                        f"{path} is another program's database, with {', '.join(foreign)}. Name "
                        "another file, and leave that one as it is."
                    )
                if version == 0:
                    self._rows.execute(
                        "CREATE TABLE IF NOT EXISTS replies "
                        "(digest TEXT PRIMARY KEY, request TEXT, reply TEXT) WITHOUT ROWID"
                    )
                    self._rows.execute(f"PRAGMA user_version = {SCHEMA}")
                elif version != SCHEMA:
                    raise CacheError(
                        f"{path} keeps replies in version {version} of the table, and this is "
                        f"version {SCHEMA}. Name another file, and leave that one as it is."
                    )

    def __len__(self) -> int:
        """How many replies there are."""
        with self._lock, self._told():
            [[count]] = self._rows.execute("SELECT count(*) FROM replies")
        return int(count)

    def find(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply to this very request; None if there is none yet."""
        digest, _ = _digest(request)
        with self._lock, self._told():
            row = self._rows.execute(
                "SELECT reply FROM replies WHERE digest = ?", (digest,)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
        """Write the reply down, and give back what is kept: the earlier one, should two processes
        have asked at once."""
        digest, text = _digest(request)
        with self._lock, self._told(), self._rows:
            self._rows.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", (digest, text, json.dumps(reply))
            )
        kept = self.find(request)
        assert kept is not None, "it was just written"
        return kept

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say of what goes wrong which file it is about."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CacheError(
                f"{self.path} cannot be used as a cache of replies: {error}. Free some space, see "
                "who else writes to it, or name another file."
            ) from error


def _digest(request: Mapping[str, Any]) -> tuple[str, str]:
    """SHA-256 of the request, and the text it is of: JSON with sorted keys."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest(), text
