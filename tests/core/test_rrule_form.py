"""The form of a recurrence rule: a table of rule, start and dates, or the lines of a calendar."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import RRule, Trigger

RULE = "FREQ=WEEKLY;BYDAY=MO,WE"
START = "2026-11-23T22:30:00"
LINES = f"DTSTART;TZID=Asia/Tokyo:20261123T223000\nRRULE:{RULE}"


def _read(tree: dict[Any, Any], timezone: str = "Europe/Prague") -> tuple[Trigger | None, list[str]]:
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(tree, "schedule", problems)
    found = read_trigger(table, Around(timezone))
    table.close()
    return found, problems.lines


@pytest.mark.parametrize(
    ("tree", "trigger"),
    [
        ({"rrule": {"rule": RULE, "start": START}}, RRule(RULE, "Europe/Prague", START)),
        (
            {
                "rrule": {"rule": RULE, "start": START, "exdates": "2026-11-25T22:30", "rdates": ["2026-11-26T12:00"]},
                "timezone": "UTC",
                "gap": "skip",
                "fold": "both",
                "dst": False,
            },
            RRule(
                RULE,
                "UTC",
                START,
                exdates=["2026-11-25T22:30"],
                rdates=["2026-11-26T12:00"],
                gap="skip",
                fold="both",
                dst=False,
            ),
        ),
        ({"rrule": LINES}, RRule(RULE, "Asia/Tokyo", START)),
        ({"rrule": LINES, "timezone": "Asia/Tokyo"}, RRule(RULE, "Asia/Tokyo", START)),
        ({"rrule": {"rule": LINES}}, RRule(RULE, "Asia/Tokyo", START)),
        ({"rrule": f"DTSTART:20261123T223000\nRRULE:{RULE}"}, RRule(RULE, "Europe/Prague", START)),
        (
            tomllib.loads('rrule = { rule = "FREQ=DAILY", start = 2026-11-23, exdates = [2026-11-24T00:00:00] }'),
            RRule("FREQ=DAILY", "Europe/Prague", "2026-11-23", exdates=["2026-11-24"]),
        ),
    ],
)
def test_a_form_is_a_trigger_and_back(tree: dict[str, Any], trigger: Trigger) -> None:
    """What a form says is what the trigger does, and the trigger's own form says it again."""
    assert _read(tree) == (trigger, [])
    assert _read(write_trigger(trigger), "America/New_York") == (trigger, [])


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        ({"rrule": 5}, ['schedule.rrule: 5 is no text: put it between quotes, like "text"']),
        ({"rrule": {5: 1}}, ["schedule.rrule: key 5 is no text"]),
        (
            {"rrule": {"start": START}},
            ['schedule.rrule.rule: is missing: write it like rule = "FREQ=WEEKLY;BYDAY=MO,WE"'],
        ),
        (
            {"rrule": {"rule": RULE, "start": 5, "exdates": [5], "sart": 1}},
            [
                "schedule.rrule.start: 5 is no local time: write it like 2026-11-23T22:30:00",
                "schedule.rrule.exdates: 5 is no local time: write it like 2026-11-23T22:30:00",
                "schedule.rrule.sart: unknown key; did you mean start?",
            ],
        ),
        (
            {"rrule": RULE},
            [f"schedule.rrule: rrule '{RULE}': start is missing: write it like start = \"2026-11-23T22:30:00\""],
        ),
        (
            {"rrule": {"rule": "FREQ=WEEKLY;BYDY=MO", "start": START}},
            ["schedule.rrule: rrule 'FREQ=WEEKLY;BYDY=MO': 'BYDY' is unknown; did you mean BYDAY?"],
        ),
        (
            {"rrule": LINES, "timezone": "UTC"},
            [f"schedule.rrule: rrule '{RULE}': timezone: UTC is given, its lines say Asia/Tokyo: say it once"],
        ),
    ],
)
def test_what_is_no_rule_is_said(tree: dict[Any, Any], lines: list[str]) -> None:
    """A line for each mistake, and no trigger."""
    assert _read(tree) == (None, lines)
