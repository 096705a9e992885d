"""The configuration: scheduler.toml, environment variables and command line, as one frozen value.

Where that cannot be, every problem is told at once, a line each.
"""

from __future__ import annotations

from trioarm.config.config import FILE, FILE_ENV, SchedulerConfig, unknown_handlers
from trioarm.config.description import Description
from trioarm.config.settings import (
    ArmingSettings,
    ExecutorSettings,
    FeatureSettings,
    HistorySettings,
    LogSettings,
    SchedulerSettings,
)
from trioarm.config.starter import default_toml
from trioarm.config.store_url import MEMORY

__all__ = [
    "FILE",
    "FILE_ENV",
    "MEMORY",
    "ArmingSettings",
    "Description",
    "ExecutorSettings",
    "FeatureSettings",
    "HistorySettings",
    "LogSettings",
    "SchedulerConfig",
    "SchedulerSettings",
    "default_toml",
    "unknown_handlers",
]
