"""Conflicts: what several commands for one partition mean together: refused, ordered, or told (A4.4)."""
