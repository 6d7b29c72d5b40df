"""Every setting of a run: the tree of them, and how files, presets and the command line fill it."""
