"""Triggers: pure rules that yield the next instant after a given one (S4).

Each module here is one family. Only `zones` and `civil` know zones, gaps and folds.
"""

from __future__ import annotations

from trioarm.core.triggers.algebra import Exclude, Intersect, Union
from trioarm.core.triggers.base import Trigger, Zoned
from trioarm.core.triggers.calendar import Calendar, Edge, Events, EventSpans
from trioarm.core.triggers.civil import Fold, Gap
from trioarm.core.triggers.cron import Cron
from trioarm.core.triggers.elapsed import After, Every, Once
from trioarm.core.triggers.weekly import Weekly

__all__ = [
    "After",
    "Calendar",
    "Cron",
    "Edge",
    "EventSpans",
    "Events",
    "Every",
    "Exclude",
    "Fold",
    "Gap",
    "Intersect",
    "Once",
    "Trigger",
    "Union",
    "Weekly",
    "Zoned",
]
