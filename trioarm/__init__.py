"""trioarm: a durable, time-zone-correct scheduler for trio, and scheduled arming of alarm systems built on it.

async with trioarm.open_scheduler(handlers={"report": report}) as scheduler:
    await scheduler.schedules.put(Schedule("nightly", Cron("30 2 * * *", "Europe/Prague"), handler="report"))
    await trio.sleep_forever()
"""

from __future__ import annotations

from trioarm.bootstrap import SchedulerBootstrap, open_scheduler, serve
from trioarm.components import scheduler_components
from trioarm.config import SchedulerConfig
from trioarm.config.settings import (
    ArmingSettings,
    ExecutorSettings,
    FeatureSettings,
    HistorySettings,
    LogSettings,
    SchedulerSettings,
)
from trioarm.container import Container, ContainerError
from trioarm.core.alerts import Alert, AlertQuery, AlertState, Closing, Fact, Severity, StoredAlert
from trioarm.core.errors import (
    CalendarUnavailable,
    ConfigurationError,
    HandlerRefused,
    InvalidCalendar,
    InvalidInstant,
    InvalidSchedule,
    InvalidTransition,
    InvalidTrigger,
    RepositoryError,
    RevisionConflict,
    SchedulerStopped,
    TrioarmError,
    UnknownAlert,
    UnknownRun,
    UnknownSchedule,
)
from trioarm.core.events import (
    ClockStepped,
    ConfigChanged,
    HandlerStuck,
    HealthChanged,
    NodeStarted,
    NodeStopping,
    ObserverLagged,
    ResultRefused,
    RunDecided,
    RunFinished,
    RunRequeued,
    RunStarted,
    ScheduleChange,
    ScheduleChanged,
    SettingChange,
)
from trioarm.core.forecast import Explanation, Foreseen
from trioarm.core.outcome import Discard, Override, Retry, Snooze
from trioarm.core.queries import Page, RunOrder, RunQuery, ScheduleOrder, ScheduleQuery, Statistics
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleState, StoredSchedule
from trioarm.core.resources import Breaker, Rate, Resource
from trioarm.core.retry_policy import ErrorPolicy, RetryPolicy, Strategy
from trioarm.core.run import Origin, Run
from trioarm.core.run_statistics import GroupBy, GroupStatistics, LastFailure, RunStatistics, Spread
from trioarm.core.schedule import Delivery, Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import (
    After,
    Ahead,
    Calendar,
    Cron,
    Events,
    Every,
    Exclude,
    Fold,
    Gap,
    Intersect,
    Interval,
    MonthEnd,
    Monthly,
    Once,
    RRule,
    Sun,
    Trigger,
    Union,
    Weekly,
    Yearly,
)
from trioarm.engine.attempt import Handler, RunContext, current_run
from trioarm.engine.backfill_commands import Backfilled, BackfillOutcome
from trioarm.engine.bulk_commands import BulkOutcome, BulkResult
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.health import ComponentHealth, HealthReport, Level
from trioarm.engine.metrics import MetricsSnapshot
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.retry_commands import BulkRetry, RetryOutcome, RetryResult
from trioarm.engine.scheduler import Scheduler
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.version import __version__

__all__ = [
    "After",
    "Ahead",
    "Alert",
    "AlertQuery",
    "AlertState",
    "Amendment",
    "AmendmentKind",
    "ArmingSettings",
    "BackfillOutcome",
    "Backfilled",
    "Breaker",
    "BulkOutcome",
    "BulkResult",
    "BulkRetry",
    "Calendar",
    "CalendarUnavailable",
    "ClockStepped",
    "Closing",
    "ComponentHealth",
    "ConfigChanged",
    "ConfigurationError",
    "Container",
    "ContainerError",
    "Cron",
    "Delivery",
    "Discard",
    "ErrorPolicy",
    "Events",
    "Every",
    "Exclude",
    "ExecutorSettings",
    "Explanation",
    "Fact",
    "FeatureSettings",
    "Fold",
    "Foreseen",
    "Gap",
    "GroupBy",
    "GroupStatistics",
    "Handler",
    "HandlerRefused",
    "HandlerStuck",
    "HealthChanged",
    "HealthReport",
    "HistorySettings",
    "InMemoryScheduleRepository",
    "Intersect",
    "Interval",
    "InvalidCalendar",
    "InvalidInstant",
    "InvalidSchedule",
    "InvalidTransition",
    "InvalidTrigger",
    "LastFailure",
    "Level",
    "LogSettings",
    "MetricsSnapshot",
    "Misfire",
    "MonthEnd",
    "Monthly",
    "NodeStarted",
    "NodeStopping",
    "ObserverLagged",
    "Once",
    "Origin",
    "Overlap",
    "Override",
    "Page",
    "Pause",
    "RRule",
    "Rate",
    "Reason",
    "RepositoryError",
    "Resource",
    "ResultRefused",
    "Retry",
    "RetryOutcome",
    "RetryPolicy",
    "RetryResult",
    "RevisionConflict",
    "Run",
    "RunContext",
    "RunDecided",
    "RunExecutor",
    "RunFinished",
    "RunOrder",
    "RunQuery",
    "RunRequeued",
    "RunStarted",
    "RunStatistics",
    "Schedule",
    "ScheduleChange",
    "ScheduleChanged",
    "ScheduleOrder",
    "ScheduleQuery",
    "ScheduleRepository",
    "ScheduleState",
    "Scheduler",
    "SchedulerBootstrap",
    "SchedulerConfig",
    "SchedulerSettings",
    "SchedulerStopped",
    "SchedulingEngine",
    "SettingChange",
    "Severity",
    "Snooze",
    "Spread",
    "SqliteScheduleRepository",
    "State",
    "Statistics",
    "StoredAlert",
    "StoredSchedule",
    "Strategy",
    "Sun",
    "Trigger",
    "TrioarmError",
    "Union",
    "UnknownAlert",
    "UnknownRun",
    "UnknownSchedule",
    "Weekly",
    "Yearly",
    "__version__",
    "current_run",
    "open_scheduler",
    "scheduler_components",
    "serve",
]
