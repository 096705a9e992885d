"""How durations and instants are written, so that they are read back exactly."""

from __future__ import annotations

from datetime import datetime

from trioarm.core.instants import instant, parse_duration, render_duration, render_instant


def write_duration(value_s: float | None) -> str | float | None:
    """Write a duration as text where that says exactly the same, else as a number of seconds."""
    if value_s is None:
        return None
    written = render_duration(value_s)
    return written if parse_duration(written) == value_s else value_s


def write_instant(value: datetime | int | None) -> str | None:
    """Write an instant in UTC with `Z`."""
    return None if value is None else render_instant(instant(value))
