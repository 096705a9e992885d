"""Counts how many times a second the next occurrence after some instant is found, by kind of trigger, in Europe/Prague.

Cron, weekly and every must be the fastest there is. The floor of a row is the fastest library at hand for its kind
(cronsim, dateutil) that answers the same question; with croniter and APScheduler beside them, each in an environment of
its own: `python -m benchmarks.peers`. Expect libraries to step from where they begin, and trioarm to compute.
"""

from __future__ import annotations

from benchmarks.floors import questions
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor
from trioarm import Cron, Every, Monthly, RRule, Weekly
from trioarm.core.instants import instant
from trioarm.core.triggers import Trigger

ZONE = "Europe/Prague"
AT_HAND = ("cronsim", "dateutil")
TRIGGERS: dict[str, Trigger] = {
    "cron": Cron("30 22 * * mon-fri", ZONE),
    "cron of minutes": Cron("*/5 * * * *", ZONE),
    "weekly": Weekly(["mon", "wed", "fri"], ["06:30", "22:30"], ZONE),
    "monthly": Monthly(31, "08:00", ZONE, month_end="skip"),
    "every": Every(90, anchor=questions.START),
    "rrule": RRule("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYHOUR=6,22;BYMINUTE=30;BYSECOND=0", ZONE, start="2026-01-01T00:00:00"),
}
FASTEST = frozenset({"cron", "cron of minutes", "weekly", "every"})  # what must be


def measure(n: int) -> dict[str, float]:
    """Return the answers a second for every kind of trigger."""
    asked = [instant(at) for at in questions.instants(n)]
    return {kind: questions.a_second(trigger.next_after, asked) for kind, trigger in TRIGGERS.items()}


def subject(n: int) -> Measurement:
    """Ask each kind `n` times."""
    return {_figure(kind): reached for kind, reached in measure(n).items()}


def floor(n: int) -> Measurement:
    """Ask each library at hand, and take the fastest."""
    found = [questions.measure(library, n) for library in AT_HAND]
    return {_figure(kind): max(one[kind] for one in found if kind in one) for kind in TRIGGERS}


def _figure(kind: str) -> str:
    return f"next of {kind}"


BENCHMARK = Benchmark(
    name="next_after",
    figures=tuple(Figure(_figure(kind), "1/s", OfFloor(1.0) if kind in FASTEST else None) for kind in TRIGGERS),
    n=200,
    n_once=20,
    pairs=5,
    floor=floor,
    subject=subject,
)
