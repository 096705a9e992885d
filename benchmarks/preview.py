"""Counts seconds: 400 days of a dozen schedules of a house, foreseen by the planner, as `preview` shows them.

The floor asks the same triggers for the same instants, one after the other, merges them by time, and decides nothing.
Expect about six thousand occurrences, and well under a second: a person waits for it.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.measure import AtMost, Benchmark, Figure, Measurement
from trioarm import Cron, Every, Interval, Monthly, RRule, Schedule, Sun, Weekly
from trioarm.core.diff import first_put
from trioarm.core.forecast import preview
from trioarm.core.instants import DAY, parse_instant
from trioarm.core.planning import PlanRules
from trioarm.core.record import ScheduleRecord
from trioarm.core.triggers import Exclude, Trigger
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans

ZONE: Final = "Europe/Prague"
NOW: Final = parse_instant("2026-11-29T12:00:00Z")
WORKDAYS: Final = ["mon", "tue", "wed", "thu", "fri"]
HOLIDAYS: Final = calendar_spans("holiday", DayCalendar("CZ"), ZONE)

ARMING: Final[dict[str, Trigger]] = {  # in the lane of one house
    "weeknight": Weekly(["sun", *WORKDAYS[:4]], "22:30", ZONE),
    "weekend": Weekly(["fri", "sat"], "23:45", ZONE),
    "morning": Exclude([Weekly(WORKDAYS, "06:30", ZONE), HOLIDAYS]),
    "lunch": Cron("30 12 * * mon-fri", ZONE),
    "dusk": Sun("sunset", 50.08, 14.43, ZONE, offset_s=1800),
}
OTHERS: Final[dict[str, Trigger]] = {
    "backup": Cron("30 2 * * *", ZONE),
    "report": Monthly(31, "08:00", ZONE),
    "bins": RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", ZONE, start="2026-11-24T19:00:00"),
    "water": Interval(days=2, at="06:00", start="2026-11-23", timezone=ZONE),
    "quarters": Every(6 * 3600.0),
    "ticket": Cron("0 9 1-7 * +mon", ZONE),
    "lights": Sun("dusk", 50.08, 14.43, ZONE),
}


def floor(n: int) -> Measurement:
    """Merge the instants of the triggers alone."""
    began = time.perf_counter()
    count = sum(1 for _ in heapq.merge(*(_instants(one, NOW + n * DAY) for one in {**ARMING, **OTHERS}.values())))
    elapsed_s = time.perf_counter() - began
    if count < n:
        raise AssertionError(f"{count} instants in {n} days are too few")
    return {"preview": elapsed_s}


def _instants(trigger: Trigger, until: int) -> Iterator[int]:
    at = trigger.next_after(NOW)
    while at is not None and at <= until:
        yield at
        at = trigger.next_after(at)


def subject(n: int) -> Measurement:
    """Foresee `n` days."""
    schedules = [
        *(Schedule(name, one, handler="arm", lane="house", supersede=True) for name, one in ARMING.items()),
        *(Schedule(name, one, handler="log") for name, one in OTHERS.items()),
    ]
    records = [_record(key, schedule) for key, schedule in enumerate(schedules, start=1)]
    began = time.perf_counter()
    count = sum(1 for _ in preview(records, NOW, NOW + n * DAY, PlanRules()))
    elapsed_s = time.perf_counter() - began
    if count < n:
        raise AssertionError(f"{count} occurrences in {n} days are too few")
    return {"preview": elapsed_s}


def _record(key: int, schedule: Schedule) -> ScheduleRecord:
    put = first_put(schedule, NOW)
    return ScheduleRecord(key, schedule, 1, put.cursor_at, put.next_due_at, put.anchor_at, state=put.state)


BENCHMARK = Benchmark(
    name="preview",
    figures=(Figure("preview", "s", AtMost(1.0)),),
    n=400,
    n_once=3,
    pairs=5,
    floor=floor,
    subject=subject,
)
