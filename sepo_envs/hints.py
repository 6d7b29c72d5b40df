"""What somebody may have meant who typed a name that there is not. Knows no game."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

NEAR: Final = 0.5
"""Share of letters in common, by `difflib`, from which a name is worth a question; so that half of
a name is enough, as in ``kuhn``."""


def did_you_mean(asked: str, known: Iterable[str], *, near: float = NEAR) -> str:
    """A question after the nearest of ``known``, with a space before it; empty if none is near.

    Args:
        near: share of letters in common from which one is.

    >>> did_you_mean("kuhn", ["kuhn_poker", "repeated_auction"])
    " Did you mean 'kuhn_poker'?"
    >>> did_you_mean("chess", ["kuhn_poker", "repeated_auction"])
    ''
    """
    nearest = get_close_matches(asked, list(known), n=1, cutoff=near)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""
