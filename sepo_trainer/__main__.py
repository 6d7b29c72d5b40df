"""``python -m sepo_trainer``: train, evaluate and play language models in strategic games."""

from __future__ import annotations

import sys
from collections.abc import Sequence

OURS = ("sepo_envs", "opponents", "sepo_trainer")


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status is 0, 2 for a usage error, or 130 after Ctrl-C."""
    try:
        from sepo_trainer import commands

        return commands.main(arguments)
    except ModuleNotFoundError as error:
        package = (error.name or OURS[0]).partition(".")[0]
        if package in OURS:
            raise
        print(
            f"sepo_trainer: training needs the package {package!r}, which is not installed. "
            'Install what the trainer needs with: pip install "sepo[train]"',
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
