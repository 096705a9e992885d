"""Settings: the sections of scheduler.toml that hold one value per key, in the order people read them.

A section that exists is valid. In code durations are seconds and end in `_s`; in a file they do not.
"""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.config.keys import Judge, Key, Kind, setting
from trioarm.config.ping_url import SAMPLE, ping_url
from trioarm.config.store_url import MEMORY, store_url
from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.forms.family import zone
from trioarm.core.reading import show, suggest
from trioarm.core.states import State
from trioarm.core.web_urls import mask_userinfo

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
ENVIRONMENT: Final = "default"  # the environment of a node that was told none

LEVELS: Final = ("debug", "info", "warning", "error")
REPORTS: Final = ("off", "daily", "weekly")
FORMATS: Final = ("auto", "console", "json")


def _one_of(*words: str) -> Judge:
    def judge(text: str) -> str:
        if text in words:
            return text
        raise ValueError(f"{show(text)} is unknown{suggest(text, words)}")

    return judge


def _span(
    default_s: float, least_s: float, most_s: float, what: str, env: str | None = None, *, live: bool = True
) -> float:
    return setting(float(default_s), Key(Kind.DURATION, what, env, least_s, most_s, live))


def _count(default: int, least: int, most: int, what: str, env: str | None = None) -> int:
    return setting(default, Key(Kind.COUNT, what, env, least, most, live=True))


def _switch(default: bool, what: str, env: str, *, live: bool = False) -> bool:
    return setting(default, Key(Kind.FLAG, what, env, live=live))


def _word(
    default: str,
    what: str,
    env: str | None = None,
    judge: Judge | None = None,
    *,
    allowed: str = "",
    live: bool = False,
) -> str:
    return setting(default, Key(Kind.TEXT, what, env, judge=judge, allowed=allowed, live=live))


@attrs.frozen(slots=True, kw_only=True)
class SchedulerSettings:
    """`[scheduler]`: deciding, keeping, starting and stopping."""

    store: str = _word(
        "sqlite:///trioarm.db",
        "where schedules and runs are kept; a relative file lies beside this one, memory:// forgets all at the end",
        "TRIOARM_STORE",
        store_url,
        allowed=f"sqlite:///FILE, {MEMORY}",
    )
    environment: str = _word(ENVIRONMENT, "which [environment.NAME] overlays the rest", "SCHEDULER_ENV")
    timezone: str = _word("UTC", "time zone of schedules that name none", judge=zone, allowed="a time zone")
    check_interval_s: float = _span(60, 5, 300, "the longest nap of the engine", "SCHEDULER_CHECK_INTERVAL")
    tolerance_s: float = _span(300, 60, 1800, "lateness still treated as on time", "SCHEDULER_EXECUTION_TOLERANCE")
    misfire_window_s: float = _span(HOUR_S, 0, DURATION_S_MAX, "how old an occurrence may be and still run late")
    max_concurrent: int = _count(5, 1, 10_000, "runs claimed or running at once", "SCHEDULER_MAX_CONCURRENT")
    auto_recovery: bool = _switch(
        True, "whether what was missed while the node was down is caught up", "SCHEDULER_AUTO_RECOVERY"
    )
    auto_start: bool = _switch(True, "whether scheduling begins with the node", "SCHEDULER_AUTO_START")
    health_check_interval_s: float = _span(
        300, 5, HOUR_S, "time between two looks at the node's own health", "SCHEDULER_HEALTH_CHECK_INTERVAL"
    )
    drain_s: float = _span(30, 0, 600, "how long runs may go on once the node stops", "SCHEDULER_SHUTDOWN_TIMEOUT")
    horizon_s: float = _span(HOUR_S, 60, DAY_S, "how far ahead what is due is held in memory")
    retention_s: float = _span(90 * DAY_S, DAY_S, 3660 * DAY_S, "how long the history of a run is kept")
    retention_runs: int = _count(10_000, 1, 1_000_000, "how many runs of one schedule are kept")
    chunk: int = _count(1_000, 10, 10_000, "rows handled in one piece of work, such as pruning")
    dead_man_url: str | None = setting(
        None,
        Key(
            Kind.TEXT,
            "what is fetched while the node is well, so that its silence is noticed elsewhere",
            judge=ping_url,
            allowed="an http or https URL",
            sample=SAMPLE,
            masked=mask_userinfo,
            live=True,
        ),
    )
    dead_man_interval_s: float = _span(60, 10, DAY_S, "time between two fetches of dead_man_url")


@attrs.frozen(slots=True, kw_only=True)
class ExecutorSettings:
    """`[executor]`: how handlers run, fail and are tried again."""

    max_concurrent: int = _count(3, 1, 10_000, "handlers running at once", "TASK_EXECUTOR_MAX_CONCURRENT")
    timeout_s: float = _span(300, 1, DAY_S, "how long one attempt may take", "TASK_EXECUTOR_TIMEOUT")
    max_retries: int = _count(3, 0, 10, "attempts that may follow a failed first", "TASK_EXECUTOR_MAX_RETRIES")
    retry_delay_base_s: float = _span(1, 0, HOUR_S, "delay before the second attempt", "TASK_EXECUTOR_RETRY_DELAY_BASE")
    retry_delay_max_s: float = _span(
        30, 0, DAY_S, "the longest delay between two attempts", "TASK_EXECUTOR_RETRY_DELAY_MAX"
    )
    queue_timeout_s: float = _span(
        600, 1, DAY_S, "how long a due run may wait for a worker before it is missed", "TASK_EXECUTOR_QUEUE_TIMEOUT"
    )


@attrs.frozen(slots=True, kw_only=True)
class ArmingSettings:
    """`[arming]`: what holds for every partition."""

    workers: int | None = setting(
        None, Key(Kind.COUNT, "workers of arming; not set: one per partition", None, 1, 1_000)
    )
    late_disarm_s: float = _span(900, 0, DAY_S, "how late a scheduled disarm may still be sent", live=False)
    report: str = _word(
        "off",
        "how often people are told what partitions were",
        None,
        _one_of(*REPORTS),
        allowed=" or ".join(REPORTS),
        live=True,
    )
    watch_s: float = _span(60, 0, HOUR_S, "time between two looks at what nobody commands; 0s: nobody looks")
    hold_reminder_s: float = _span(
        DAY_S, 0, 30 * DAY_S, "time between two reminders of a hold that lasts; 0s: nobody is reminded"
    )


def _kept_s(runs: str) -> float | None:
    what = f"how long {runs} are kept; not set: scheduler.retention"
    return setting(None, Key(Kind.DURATION, what, None, DAY_S, 3660 * DAY_S, live=True, sample="365d"))


def _kept_runs(runs: str) -> int | None:
    what = f"how many {runs} are kept of one schedule, counted apart from others; not set: scheduler.retention_runs"
    return setting(None, Key(Kind.COUNT, what, None, 1, 1_000_000, live=True, sample="1000"))


@attrs.frozen(slots=True, kw_only=True)
class HistorySettings:
    """`[history]`: final states whose runs are kept longer or shorter, more or fewer, than all others (S9.1).

    The names are those of the states. A state of which anything is said is counted apart.
    """

    succeeded_s: float | None = _kept_s("runs that succeeded")
    succeeded_runs: int | None = _kept_runs("runs that succeeded")
    failed_s: float | None = _kept_s("runs that failed")
    failed_runs: int | None = _kept_runs("runs that failed")
    cancelled_s: float | None = _kept_s("cancelled runs")
    cancelled_runs: int | None = _kept_runs("cancelled runs")
    timed_out_s: float | None = _kept_s("runs that timed out")
    timed_out_runs: int | None = _kept_runs("runs that timed out")
    overridden_s: float | None = _kept_s("overridden runs")
    overridden_runs: int | None = _kept_runs("overridden runs")
    unknown_s: float | None = _kept_s("runs of which nobody knows the outcome")
    unknown_runs: int | None = _kept_runs("runs of which nobody knows the outcome")
    skipped_s: float | None = _kept_s("skipped occurrences")
    skipped_runs: int | None = _kept_runs("skipped occurrences")
    missed_s: float | None = _kept_s("missed occurrences")
    missed_runs: int | None = _kept_runs("missed occurrences")
    superseded_s: float | None = _kept_s("superseded occurrences")
    superseded_runs: int | None = _kept_runs("superseded occurrences")

    def of(self, state: State) -> tuple[float | None, int | None]:
        """Return how long runs in a final state are kept, in seconds, and how many; None where nothing is said."""
        kept_s: float | None = getattr(self, f"{state.value}_s")
        runs: int | None = getattr(self, f"{state.value}_runs")
        return kept_s, runs


@attrs.frozen(slots=True, kw_only=True)
class FeatureSettings:
    """`[features]`: what can be switched off."""

    dst: bool = _switch(True, "whether declared schedules follow daylight saving time", "SCHEDULER_ENABLE_DST")
    advanced_retries: bool = _switch(
        True,
        "whether delays between attempts are spread, follow a strategy, and differ per error",
        "SCHEDULER_ENABLE_ADVANCED_RETRIES",
    )
    performance_monitoring: bool = _switch(
        True, "whether histograms and loop lag are measured", "SCHEDULER_ENABLE_PERFORMANCE_MONITORING", live=True
    )
    debug: bool = _switch(False, "whether every decision is logged in one line", "SCHEDULER_DEBUG", live=True)


@attrs.frozen(slots=True, kw_only=True)
class LogSettings:
    """`[log]`: how the program logs."""

    format: str = _word(
        "auto",
        "json, or console: lines for people, which auto is as well",
        judge=_one_of(*FORMATS),
        allowed=", ".join(FORMATS),
    )
    level: str = _word(
        "info", "the least important lines shown", judge=_one_of(*LEVELS), allowed=", ".join(LEVELS), live=True
    )
