"""Notify: who is told of which alert, by which way, how often, and until when (S6.9, A3.4)."""
