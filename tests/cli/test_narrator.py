"""What the narrator makes of events, and what masking keeps from it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import attrs
import pytest
import structlog

from trioarm.cli.logs import ROOT, configure_logs
from trioarm.cli.masking import Masking
from trioarm.cli.narrator import Narrator
from trioarm.cli.outcomes import REASONS
from trioarm.config import LogSettings, SchedulerConfig
from trioarm.core.events import (
    ConfigChanged,
    Event,
    ObserverLagged,
    ResultRefused,
    RunDecided,
    RunFinished,
    RunRequeued,
    ScheduleChange,
    ScheduleChanged,
    SettingChange,
)
from trioarm.core.instants import MINUTE
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Run, RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import Every

PLAIN = ScheduleRecord(1, Schedule("beat", Every(60), handler="log"), 1, 0, 0, 0)
BUILT_IN = ScheduleRecord(2, Schedule("trioarm/prune", Every(60), handler="trioarm.prune"), 1, 0, 0, 0)


def run_in(state: State, reason: Reason | None = None, schedule: ScheduleRecord = PLAIN) -> Run:
    """Return a run that is in this state, due at minute 1, and over a second later."""
    record = RunRecord(schedule, MINUTE, MINUTE, MINUTE, state=state, reason=reason, run_id=7, attempt=1)
    record.started_at, record.finished_at = MINUTE + 1_500, MINUTE + 1_000_000
    return Run.of(record)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where lines go, as JSON; afterwards nothing is logged by the program any more."""
    stream = io.StringIO()
    root, engine = logging.getLogger(ROOT), logging.getLogger(f"{ROOT}.engine")
    configure_logs(SchedulerConfig(log=LogSettings(format="json", level="debug")), stream)
    yield stream
    root.handlers, root.propagate = [], True
    root.setLevel(logging.NOTSET)
    engine.setLevel(logging.NOTSET)
    structlog.reset_defaults()


def told(log: io.StringIO, *events: Event) -> list[dict[str, object]]:
    """Return the lines that come of events."""
    narrator = Narrator()
    for event in events:
        narrator.tell(event)
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_every_reason_has_words() -> None:
    """There is no reason that people would read as an identifier."""
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (RunFinished(run_in(State.SUCCEEDED)), "info", "beat  succeeded  1.5 ms late, took 998 ms"),
        (
            RunFinished(run_in(State.TIMED_OUT, Reason.STUCK)),
            "warning",
            "timed out: the handler ignores its cancellation",
        ),
        (RunFinished(run_in(State.CANCELLED, Reason.USER)), "info", "cancelled: somebody asked for it"),
        (RunFinished(run_in(State.OVERRIDDEN, Reason.HOLD)), "info", "overridden: a hold is on it"),
        (RunDecided(run_in(State.SKIPPED, Reason.OVERLAP)), "info", "skipped: the run before it has not ended"),
        (RunDecided(run_in(State.MISSED, Reason.TOO_LATE)), "warning", "missed: it was noticed too late, due"),
        (RunFinished(run_in(State.SUCCEEDED, schedule=BUILT_IN)), "debug", "trioarm/prune  succeeded"),
        (RunFinished(run_in(State.FAILED, Reason.ERROR, BUILT_IN)), "warning", "trioarm/prune  failed"),
        (ScheduleChanged("beat", ScheduleChange.PAUSED, "holidays"), "info", "beat  paused: holidays"),
        (ScheduleChanged("beat", ScheduleChange.FINISHED), "info", "that was its last occurrence"),
        (ResultRefused(7, "beat", 3), "warning", "a result came too late"),
        (
            ConfigChanged((SettingChange("log.level", "info", "debug"),)),
            "info",
            "log.level is debug now, it was info",
        ),
        (ConfigChanged(added=tuple(f"s{n}" for n in range(12))), "info", "12 schedules added: s0, s1, "),
        (ConfigChanged(removed=("beat",)), "info", "1 schedule removed: beat"),
        (ConfigChanged(waiting=("log.format", "site.home")), "warning", "next start: log.format, site.home"),
        (ObserverLagged(12), "warning", "12 events came too fast to be logged"),
    ],
)
def test_each_event_is_one_line(log: io.StringIO, event: Event, level: str, words: str) -> None:
    """An event becomes one line whose level says whether it needs a person."""
    [row] = told(log, event)
    assert row["level"] == level
    assert words in str(row["message"])


def test_a_range_is_told_with_both_ends(log: io.StringIO) -> None:
    """A row that stands for many occurrences says how many, and from when to when."""
    run = attrs.evolve(run_in(State.MISSED, Reason.TOO_LATE), occurrences=40, last_at=run_in(State.MISSED).finished_at)
    [row] = told(log, RunDecided(run))
    assert "missed: it was noticed too late, 40 of " in str(row["message"])
    assert " to " in str(row["message"])


def test_the_summary_counts_by_state_without_housekeeping(log: io.StringIO) -> None:
    """At the end people read how many of their own runs came to which end, the lost ones included."""
    narrator = Narrator()
    assert narrator.summary() == "no run ended"
    waiting = RunRecord(PLAIN, MINUTE, MINUTE, MINUTE, waiting_for=WaitingFor.HANDLER)
    for event in (
        RunFinished(run_in(State.SUCCEEDED)),
        RunFinished(run_in(State.SUCCEEDED)),
        RunFinished(run_in(State.SUCCEEDED, schedule=BUILT_IN)),
        RunDecided(run_in(State.MISSED, Reason.TOO_LATE)),
        RunDecided(run_in(State.PENDING)),
        RunRequeued(Run.of(waiting)),
        ObserverLagged(2),
    ):
        narrator.tell(event)
    assert narrator.summary() == "runs: 2 succeeded, 1 missed, 1 given back (2 events not seen)"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("the code is 0815", "the code is ***"),
        ("0815-0815", "***-***"),
        ("12 is short, 2012 is a year", "*** is short, 2012 is a year"),
        ("postgresql://me:p:w@host/db and mqtt://u:x@y", "postgresql://me:***@host/db and mqtt://u:***@y"),
        ("https://host/path?at=1", "https://host/path?at=1"),
    ],
)
def test_secrets_become_stars(text: str, safe: str) -> None:
    """Codes are masked wherever they stand, very short ones where they stand alone, and passwords in URLs always."""
    assert Masking({"0815", "12"}).value({"deep": [text]}) == {"deep": [safe]}
