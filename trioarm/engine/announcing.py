"""Announcing: who is told of what, once a change is kept. Alerts are logged and counted, and whoever tells people is
woken; those who listen hear of runs and schedules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from trioarm.core.alerts import Severity, raised_by
from trioarm.core.changes import Change, Finished, PutDocument, Requeued
from trioarm.core.events import RunDecided, RunFinished, RunRequeued, ScheduleChange, ScheduleChanged
from trioarm.core.instants import render_instant
from trioarm.core.record import ScheduleState
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import Step
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pausing import paused_by

_LEVELS: Final = {
    Severity.NOTICE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}

PAUSE_OVER: Final = "its pause is over"

_log = logging.getLogger("trioarm.alert")


def announce(documents: Sequence[PutDocument], metrics: Metrics, hub: Hub) -> None:
    """Log and count the alerts that a kept change raised: to be called once, after its commit."""
    alerts = raised_by(documents)
    for raised in alerts:
        if (alert := raised.alert) is None:
            _log.error("an alert was raised that cannot be understood: %s", raised.problem)
            continue
        metrics.alerts[alert.severity] += 1
        advice = f"; {alert.advice}" if alert.advice else ""
        _log.log(_LEVELS[alert.severity], "%s: %s%s", alert.subject, alert.text, advice)
    if alerts and hub.alerted is not None:
        hub.alerted()


def publish(change: Change, hub: Hub) -> None:
    """Publish what a kept change decided, ended, began again, paused and moved on."""
    for run in change.decided:
        hub.publish(RunDecided(Run.of(run)))
    for step in change.steps:
        if isinstance(step, Finished):
            hub.publish(RunFinished(Run.of(step.run)))
        elif isinstance(step, Requeued) and step.step is not Step.POSTPONE:
            hub.publish(RunRequeued(Run.of(step.run)))
    if (paused := paused_by(change)) is not None:
        hub.publish(paused)
    for move in change.moved:
        if move.resumed:
            hub.publish(ScheduleChanged(move.record.schedule.name, ScheduleChange.RESUMED, PAUSE_OVER))
        if move.state is ScheduleState.FINISHED:
            hub.publish(ScheduleChanged(move.record.schedule.name, ScheduleChange.FINISHED))


def in_a_line(run: RunRecord) -> str:
    """Return what was decided of an occurrence, or of a range of them, for the log."""
    schedule = run.schedule.schedule
    text = f"{schedule.name}: occurrence {render_instant(run.nominal_at)} decided {run.state}"
    if run.count > 1:
        text += f", {run.count} of them"
    return f"{text} ({run.reason})" if run.reason else text
