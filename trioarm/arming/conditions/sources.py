"""Sources: one for each kind of condition, all behind the port in `base`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import attrs

from trioarm.arming.conditions.base import Source
from trioarm.arming.conditions.command import CommandSource
from trioarm.arming.conditions.homeassistant import HomeAssistantSource
from trioarm.arming.conditions.mqtt import MqttSource
from trioarm.arming.conditions.partition import PartitionSource
from trioarm.arming.conditions.settings import (
    CommandCondition,
    Condition,
    HomeAssistantCondition,
    MqttCondition,
    PartitionCondition,
)
from trioarm.arming.connections import Connections
from trioarm.arming.model import Premises
from trioarm.arming.panels.base import Panel
from trioarm.arming.panels.homeassistant import link_to
from trioarm.arming.panels.mqtt import broker_link
from trioarm.engine.ports import Clock


@attrs.frozen(slots=True, kw_only=True)
class Means:
    """What sources ask by.

    Args:
        premises: brokers, and instances of Home Assistant, by name.
        panels: drivers by partition.
        connections: what others are reached over, shared with panels.
        clock: what time it is.
    """

    premises: Premises
    panels: Mapping[str, Panel]
    connections: Connections
    clock: Clock


def make_source(condition: Condition, means: Means) -> Source:
    """Return what answers for a condition.

    Raises:
        ConfigurationError: what its kind needs is not installed.
    """
    match condition:
        case PartitionCondition():
            return PartitionSource(condition, means.panels[condition.partition])
        case CommandCondition():
            return CommandSource(condition)
        case MqttCondition():
            broker = means.premises.brokers[condition.broker]
            return MqttSource(condition, broker, broker_link(broker, means.connections), means.clock)
        case HomeAssistantCondition():
            instance = means.premises.instances[condition.instance]
            return HomeAssistantSource(condition, link_to(instance, means.connections), instance.token)
        case _:
            assert_never(condition)
