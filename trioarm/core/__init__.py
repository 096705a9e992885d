"""Values and decisions, pure: no I/O, no clock, no randomness, no trio. `now` and chance are handed in."""
