"""Announcing: what happens to an alert once it is kept. It is logged and counted here, and whoever tells people
is woken."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from trioarm.core.alerts import Severity, raised_by
from trioarm.core.changes import PutDocument
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics

_LEVELS: Final = {
    Severity.NOTICE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}

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
