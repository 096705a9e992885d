"""Triggers: pure rules that yield the next instant after a given one (S4).

Each module here is one family. Only `civil` knows zones, gaps and folds.
"""

from __future__ import annotations

from trioarm.core.triggers.base import Trigger
from trioarm.core.triggers.cron import Cron
from trioarm.core.triggers.elapsed import After, Every, Once
from trioarm.core.triggers.weekly import Weekly

__all__ = ["After", "Cron", "Every", "Once", "Trigger", "Weekly"]
