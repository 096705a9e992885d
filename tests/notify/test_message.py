"""What people read: in their own time, whether it is one alert or several; programs get instants in UTC."""

from __future__ import annotations

import attrs

from trioarm.core.alerts import Alert, Closing, Severity
from trioarm.core.instants import parse_instant
from trioarm.notify.message import Told, compose
from trioarm.notify.model import ChannelSettings, CommandWay

AT = parse_instant("2026-11-24T03:00:00Z")
SETTINGS = ChannelSettings(name="phone", way=CommandWay(("false",)), timezone="Europe/Prague")
ALERT = Alert(
    subject="partition/house",
    kind="late_arm",
    severity=Severity.WARNING,
    text="it becomes armed_night at 2026-11-24T03:01:00Z, late: that was due at 2026-11-23T22:00:00Z",
    advice="trioarm runs retry night/house@2026-11-23T22:00:00Z",
    raised_at=AT,
)
LATE = "it becomes armed_night at 2026-11-24 04:01:00+01:00, late: that was due at 2026-11-23 23:00:00+01:00"


def test_instants_are_in_the_time_of_the_reader() -> None:
    """But for readable ids, which are typed again, and for what programs read."""
    message = compose(SETTINGS, [Told("a", ALERT, 1)])
    assert message.text.splitlines() == [
        LATE,
        "trioarm runs retry night/house@2026-11-23T22:00:00Z",
        "since 2026-11-24 04:00:00+01:00",
    ]
    assert message.alerts[0]["text"] == ALERT.text


def test_so_they_are_in_lists_and_at_the_end() -> None:
    """Several in one message, and what was told before."""
    several = compose(SETTINGS, [Told("a", ALERT, 1), Told("b", ALERT, 1)])
    assert several.text.splitlines() == [f"warning: partition/house: {LATE}"] * 2
    over = attrs.evolve(ALERT, resolved=Closing("ann", AT, "it is armed_night"))
    assert compose(SETTINGS, [Told("a", over, 1, over=True)]).text.splitlines() == [
        "it is armed_night (ann, 2026-11-24 04:00:00+01:00)",
        f"it was: {LATE}",
    ]
