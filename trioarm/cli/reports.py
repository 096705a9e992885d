"""Reports of panels, in words; the same in the log and on the command line."""

from __future__ import annotations

from trioarm.arming.panels.base import OURSELVES, PanelReport


def reported(report: PanelReport) -> str:
    """Say what a panel reports of a partition."""
    text = report.state.value
    if report.toward is not None:
        text += f" ({report.toward.value})"
    if report.changed_by not in (None, OURSELVES):
        text += f", by {report.changed_by}"
    if report.open_zones:
        text += f", open: {', '.join(report.open_zones)}"
    return text
