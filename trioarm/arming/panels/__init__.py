"""Panels: one driver per kind of hardware or service, all behind the port in `base`."""

from __future__ import annotations

from typing import assert_never

import attrs

from trioarm.arming.connections import Connections
from trioarm.arming.model import CommandPanel, HomeAssistantPanel, HttpPanel, MqttPanel, Partition, VirtualPanel
from trioarm.arming.panels.base import OwnCommands, Panel
from trioarm.arming.panels.command import CommandDriver
from trioarm.arming.panels.homeassistant import HomeAssistantDriver, link_to
from trioarm.arming.panels.http import HttpDriver
from trioarm.arming.panels.mqtt import MqttDriver, broker_link
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.engine.ports import Clock, ScheduleRepository


@attrs.frozen(slots=True, kw_only=True)
class Parts:
    """What drivers are made with.

    Args:
        repository: where those without hardware keep their state.
        clock: what time it is.
        connections: what others are reached over.
        commands: what was sent before.
    """

    repository: ScheduleRepository
    clock: Clock
    connections: Connections
    commands: OwnCommands


def make_panel(partition: Partition, parts: Parts) -> Panel:
    """Return the driver a partition is configured to have.

    Raises:
        ConfigurationError: what its kind needs is not installed.
    """
    settings, address = partition.panel, partition.address or partition.name
    match settings:
        case VirtualPanel():
            return VirtualDriver(settings, address, parts.repository, parts.clock)
        case CommandPanel():
            return CommandDriver(settings, partition.name, address, partition.code or settings.code)
        case HttpPanel():
            return HttpDriver(settings, address, parts.clock, code=partition.code)
        case HomeAssistantPanel():
            return HomeAssistantDriver(settings, link_to(settings.instance, parts.connections), code=partition.code)
        case MqttPanel():
            link = broker_link(settings.broker, parts.connections)
            return MqttDriver(settings, partition, link, parts.clock, parts.commands)
        case _:
            assert_never(settings)
