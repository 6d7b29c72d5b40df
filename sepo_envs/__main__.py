"""``python -m sepo_envs``: see `sepo_envs.commands`."""

import sys

from sepo_envs.commands import main

sys.exit(main(sys.argv[1:]))
