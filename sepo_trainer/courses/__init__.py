"""A game as a run meets it: its pools, what harms cost, and the matches played."""
