"""Who sits where: tables by ids that nobody can guess, bounded in number and age.

A guest is a random name in a cookie. Whoever holds it may look at the tables that it opened, and
gets a token that forms must bring back, so that no other site can fill one in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from threading import Lock
from time import monotonic
from typing import Final

from benchmarks.play_server.lobby import Lobby, Setting
from benchmarks.play_server.table import Table

MOST_TABLES: Final = 64
OLDEST: Final = 6 * 3600.0
"""Seconds after which a table that nobody looks at is cleared away."""
IN_USE: Final = 600.0
"""Seconds for which a table at which somebody plays is kept for sure."""
RANDOM_BYTES: Final = 24
"""Of a guest's or a table's name."""


class FullError(Exception):
    """Every table is taken by somebody who is playing. The message says what to do."""


@dataclass(slots=True)
class House:
    lobby: Lobby
    most: int = MOST_TABLES
    oldest: float = OLDEST
    _tables: dict[str, Table] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)

    def new_guest(self) -> str:
        return token_urlsafe(RANDOM_BYTES)

    def token(self, guest: str) -> str:
        """What the guest's forms bring back."""
        return hmac.new(self._secret, guest.encode(), sha256).hexdigest()

    def is_token(self, guest: str, token: str) -> bool:
        return hmac.compare_digest(self.token(guest).encode(), token.encode())

    def open(self, guest: str, setting: Setting) -> str:
        """Seat the guest; the id of the table.

        The table that nobody has looked at for longest makes room, one that is over first.

        Raises:
            FullError: all are in use.
        """
        table, name = Table(setting, guest), token_urlsafe(RANDOM_BYTES)
        with self._lock:
            self._clear()
            self._tables[name] = table
        table.start()
        return name

    def table(self, guest: str, name: str) -> Table | None:
        """The guest's table of that id, if there is one."""
        with self._lock:
            table = self._tables.get(name)
            if table is None or table.owner != guest:
                return None
            table.used = monotonic()
            return table

    def tables_of(self, guest: str) -> list[tuple[str, Table]]:
        """The newest first."""
        with self._lock:
            kept = list(self._tables.items())
        return [(name, table) for name, table in reversed(kept) if table.owner == guest]

    def close(self) -> None:
        """Everybody leaves."""
        with self._lock:
            for table in self._tables.values():
                table.leave()
            self._tables.clear()

    def _clear(self) -> None:
        now = monotonic()
        for name, table in list(self._tables.items()):
            if now - table.used > self.oldest:
                self._tables.pop(name).leave()
        while len(self._tables) >= self.most:
            name, idle = min(self._tables.items(), key=lambda item: (item[1].is_on, item[1].used))
            if idle.is_on and now - idle.used < IN_USE:
                raise FullError(
                    f"All {self.most} tables are taken. Try again in some minutes, or start the "
                    "server with a larger --tables."
                )
            self._tables.pop(name).leave()
