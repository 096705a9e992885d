"""Triggers: pure rules that yield the next instant after a given one (S4).

Each module here is one family. Only `zones` and `civil` know zones, gaps and folds.
"""

from __future__ import annotations

from trioarm.core.triggers.ahead import Ahead
from trioarm.core.triggers.algebra import Exclude, Intersect, Union
from trioarm.core.triggers.base import Trigger, own_zone
from trioarm.core.triggers.calendar import Calendar, Edge, Events, EventSpans
from trioarm.core.triggers.civil import Fold, Gap
from trioarm.core.triggers.cron import Cron
from trioarm.core.triggers.elapsed import After, Every, Once
from trioarm.core.triggers.excepted import Excepted, Stretch
from trioarm.core.triggers.interval import Interval
from trioarm.core.triggers.monthly import MonthEnd, Monthly, Yearly
from trioarm.core.triggers.rrule import RRule
from trioarm.core.triggers.sun import Sun
from trioarm.core.triggers.weekly import Weekly

__all__ = [
    "After",
    "Ahead",
    "Calendar",
    "Cron",
    "Edge",
    "EventSpans",
    "Events",
    "Every",
    "Excepted",
    "Exclude",
    "Fold",
    "Gap",
    "Intersect",
    "Interval",
    "MonthEnd",
    "Monthly",
    "Once",
    "RRule",
    "Stretch",
    "Sun",
    "Trigger",
    "Union",
    "Weekly",
    "Yearly",
    "own_zone",
]
