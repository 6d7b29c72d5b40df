"""The leaderboard as one HTML page that needs nothing else: no network, no font, no other file."""

from benchmarks.leaderboard.page.pages import files

__all__ = ["files"]
