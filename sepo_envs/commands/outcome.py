"""How an episode ended: the open table, returns, fouls, and the penalties in every profile."""

from __future__ import annotations

from collections.abc import Sequence

from sepo_envs.catalogue import Domain
from sepo_envs.episode import Episode
from sepo_envs.hooks import HarmsHook, Report


def outcome(found: Domain, episode: Episode, names: Sequence[str]) -> str:
    """Several lines on ``episode``; penalties only if it is finished.

    Args:
        names: of whoever sat in each seat.
    """
    lines = [found.words(episode.game).show(episode.state), ""]
    for seat, name in enumerate(names):
        fouls = episode.fouls[seat]
        counted = f", {fouls} foul{'' if fouls == 1 else 's'}" if fouls else ""
        lines.append(f"player_{seat} ({name}): {points(episode.returns[seat])}{counted}")
        if episode.actor is None:
            lines += [
                f"  {profile} penalties: {_told(HarmsHook(found.harms, profile)(episode, seat))}"
                for profile in found.harms.profiles
            ]
    if episode.actor is not None:
        lines.append("The episode is not over.")
    return "\n".join(lines)


def points(number: float) -> str:
    """
    >>> points(1), points(-2.5), points(0)
    ('+1 point', '-2.5 points', '0 points')
    """
    return f"{f'{number:+g}' if number else '0'} point{'' if abs(number) == 1 else 's'}"


def _told(report: Report) -> str:
    return ", ".join(
        f"{name} {entry['value']:.3g}" if entry["defined"] else f"{name} not defined"
        for name, entry in report.items()
    )
