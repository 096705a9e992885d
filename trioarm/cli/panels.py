"""Panels, as the program's log tells of them: each state a partition reports, once it changes."""

from __future__ import annotations

from typing import Final

from trioarm.arming.panels.base import UNREAD, FailureKind, Panel, PanelFailure, PanelReport
from trioarm.cli.logs import logger
from trioarm.cli.reports import reported
from trioarm.core.errors import RepositoryError
from trioarm.engine.ports import Clock

SETTLE_S: Final = 0.005  # past the announced end of a delay, so that the look then finds it ended


async def watch_panel(name: str, panel: Panel, clock: Clock) -> None:
    """Log what a partition reports, now and at each change, until cancelled.

    It looks when the driver has news and when a delay ends, and never for the log's sake alone: a panel that cannot be
    watched is told of once, and after that by the runs that command it.
    """
    log = logger("panel")
    last: PanelReport | None = None
    while True:
        report = await _read(panel)
        if last is None or report.state is not last.state or report.open_zones != last.open_zones:
            log.info(f"{name}: {reported(report)}", kind="panel", partition=name, reported=report.state.value)
        last = report
        if report.settles_at is None:
            await panel.changed()
        else:
            with clock.nap_until(report.settles_at, at_least_s=SETTLE_S):
                await panel.changed()


async def _read(panel: Panel) -> PanelReport:
    try:
        return await panel.read_state()
    except PanelFailure as failure:
        if failure.kind is not FailureKind.UNAVAILABLE:
            raise
    except RepositoryError:  # the built-in panel is kept there; that the store is out of reach, others tell
        pass
    return UNREAD
