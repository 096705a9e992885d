"""Panels: one driver per kind of hardware or service, all behind the port in `base`."""

from __future__ import annotations

from typing import assert_never

from trioarm.arming.model import CommandPanel, HttpPanel, Partition, VirtualPanel
from trioarm.arming.panels.base import Panel
from trioarm.arming.panels.command import CommandDriver
from trioarm.arming.panels.http import HttpDriver
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.engine.ports import Clock, ScheduleRepository


def make_panel(partition: Partition, repository: ScheduleRepository, clock: Clock) -> Panel:
    """Return the driver a partition is configured to have."""
    settings, address = partition.panel, partition.address or partition.name
    match settings:
        case VirtualPanel():
            return VirtualDriver(settings, address, repository, clock)
        case CommandPanel():
            return CommandDriver(settings, partition.name, address, partition.code or settings.code)
        case HttpPanel():
            return HttpDriver(settings, address, clock, code=partition.code)
        case _:
            assert_never(settings)
