"""A run from start to end: its folder, what it shows, what it is worth, and whom it tells."""
