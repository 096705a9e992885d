"""Reports in the terminal: what a cell says of how long it was open."""

from __future__ import annotations

import pytest

from tests.arming.houses import PRAGUE
from trioarm.arming.model import Reported
from trioarm.arming.supervision.report import Report, day_bounds
from trioarm.arming.supervision.reporting import Made
from trioarm.cli.report import say_report
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.triggers.zones import find_zone

ZONE = find_zone(PRAGUE)
DAY = 20_171


@pytest.mark.parametrize(
    ("state", "seconds", "said"),
    [
        (None, 3_600, "?"),
        (Reported.ARMED_AWAY, 3_600, "?"),  # of the hours before nothing is known
        (Reported.DISARMED, 5, "<1m"),
        (Reported.DISARMED, 59 * 60 + 59, "59m"),
        (Reported.DISARMED, 3_600, "1h"),
    ],
)
def test_how_long_it_was_open_is_said_in_minutes(
    state: Reported | None, seconds: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who was seen to open a moment ago was open for 0.0 ms."""
    monkeypatch.delenv("COLUMNS", raising=False)
    start, _ = day_bounds(ZONE, DAY)
    now = start + MINUTE + seconds * SECOND
    report = Report({"house": ZONE}, (), (), first=DAY, days=1, now=now)
    if state is not None:
        report.found("house", state, start + MINUTE)
    say_report(Made(report, {"house": ZONE}, report.days("house"), []), now)
    heading, row, *_ = capsys.readouterr().out.splitlines()
    place = heading.index("OPEN FOR")
    assert row[place:].split()[0] == said
