"""Supervision: when partitions open and close, whoever does it: what was expected, what was, and who is told (A4.6)."""
