"""Wording: counts, spans and instants as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from trioarm.core.instants import as_datetime, localised, render_duration

MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0


def span(seconds: float) -> str:
    """Return a span as people say it: `0.3 ms`, `4.2 s`, `1h30m`."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    return render_duration(round(seconds))


def distance(seconds: float) -> str:
    """Return how far a moment is: `in 4.2 s`, `in 5h21m`, `3d2h ago`; nobody counts seconds over hours."""
    away = abs(seconds)
    if away >= DAY_S:
        away -= away % HOUR_S
    elif away >= HOUR_S:
        away -= away % MINUTE_S
    return f"in {span(away)}" if seconds >= 0 else f"{span(away)} ago"


def wall(moment: datetime) -> str:
    """Return what the clock of this machine shows at a moment, with its offset."""
    return moment.astimezone().isoformat(" ", "seconds")


def in_wall_time(text: str) -> str:
    """Return a text with its instants as the clock of this machine shows them."""
    return localised(text, lambda at: wall(as_datetime(at)))
