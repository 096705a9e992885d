"""How fast other libraries say what comes next after an instant, each as it is meant to be asked.

`python questions.py LIBRARY N` prints a line of JSON: kind of trigger -> answers a second. It needs nothing but the
library, and is run in an environment of its own by `python -m benchmarks.peers`. The instants are scattered over a
year, as those of a planner are that has many schedules; whatever may be made once, such as a rule, is made once.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Prague")
START = datetime(2026, 1, 1, tzinfo=ZONE)
YEAR_S = 365 * 86_400
# Kind of trigger -> what it is in cron, where a library is asked in cron.
CRONS = {
    "cron": "30 22 * * 1-5",
    "cron of minutes": "*/5 * * * *",
    "weekly": "30 6,22 * * 1,3,5",
    "monthly": "0 8 31 * *",
}
KINDS = (*CRONS, "every", "rrule")

Ask = Callable[[datetime], object]


def instants(n: int) -> list[datetime]:
    """Return `n` instants of the year 2026, the same in every run."""
    scatter = random.Random(1)
    return [START + timedelta(seconds=scatter.random() * YEAR_S) for _ in range(n)]


def cronsim(kind: str) -> Ask | None:
    """Ask an iterator for its first item; it is made for every question."""
    make: Any = importlib.import_module("cronsim").CronSim
    return (lambda at: next(make(CRONS[kind], at))) if kind in CRONS else None


def croniter(kind: str) -> Ask | None:
    """Ask an iterator, set to the instant, for its first item."""
    make: Any = importlib.import_module("croniter").croniter
    if kind not in CRONS:
        return None
    iterator = make(CRONS[kind], START, ret_type=datetime)

    def ask(at: datetime) -> object:
        iterator.set_current(at, force=True)
        return iterator.get_next()

    return ask


def dateutil(kind: str) -> Ask | None:
    """Ask a rule that keeps what it found, on naive times: on aware ones it yields times that do not exist."""
    rules: Any = importlib.import_module("dateutil.rrule")
    start = START.replace(tzinfo=None)
    workdays, some = (rules.MO, rules.TU, rules.WE, rules.TH, rules.FR), (rules.MO, rules.WE, rules.FR)
    match kind:
        case "cron":
            said = (rules.WEEKLY, {"byweekday": workdays, "byhour": 22, "byminute": 30, "bysecond": 0})
        case "weekly" | "rrule":
            said = (rules.WEEKLY, {"byweekday": some, "byhour": (6, 22), "byminute": 30, "bysecond": 0})
        case "cron of minutes":
            said = (rules.DAILY, {"byhour": range(24), "byminute": range(0, 60, 5), "bysecond": 0})
        case "monthly":
            said = (rules.MONTHLY, {"bymonthday": 31, "byhour": 8, "byminute": 0, "bysecond": 0})
        case _:
            said = (rules.SECONDLY, {"interval": 90})
    rule = rules.rrule(said[0], start, cache=True, **said[1])
    return lambda at: rule.after(at.replace(tzinfo=None))


def apscheduler(kind: str) -> Ask | None:
    """Ask a trigger that never fired before."""
    if kind == "every":
        interval: Any = importlib.import_module("apscheduler.triggers.interval").IntervalTrigger
        trigger = interval(seconds=90, start_date=START, timezone=ZONE)
    elif kind in CRONS:
        cron: Any = importlib.import_module("apscheduler.triggers.cron").CronTrigger
        names = CRONS[kind].replace("1-5", "mon-fri").replace("1,3,5", "mon,wed,fri")
        trigger = cron.from_crontab(names, timezone=ZONE)
    else:
        return None
    return lambda at: trigger.get_next_fire_time(None, at)


LIBRARIES: dict[str, Callable[[str], Ask | None]] = {
    "cronsim": cronsim,
    "croniter": croniter,
    "dateutil": dateutil,
    "apscheduler": apscheduler,
}


def a_second(ask: Callable[[Any], object], asked: Sequence[object]) -> float:
    """Return how many answers a second there were; the first is not counted."""
    ask(asked[0])
    began = time.perf_counter()
    for at in asked:
        ask(at)
    return len(asked) / (time.perf_counter() - began)


def measure(library: str, n: int) -> dict[str, float]:
    """Return the answers a second for every kind of trigger that a library knows."""
    asked = instants(n)
    asks = {kind: LIBRARIES[library](kind) for kind in KINDS}
    return {kind: a_second(ask, asked) for kind, ask in asks.items() if ask is not None}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]))) + "\n")
