"""Sources: one for each kind of condition, all behind the port in `base`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, assert_never

import attrs

from trioarm.arming.commanding.pursuit import Way
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
from trioarm.arming.panels.homeassistant import link_to
from trioarm.arming.panels.mqtt import broker_link
from trioarm.core.errors import ConfigurationError
from trioarm.engine.ports import Clock

T = TypeVar("T")


@attrs.frozen(slots=True, kw_only=True)
class Means:
    """What sources ask by.

    Args:
        premises: brokers, and instances of Home Assistant, by name.
        ways: to partitions, by name.
        connections: what others are reached over, shared with panels.
        clock: what time it is.
    """

    premises: Premises
    ways: Mapping[str, Way]
    connections: Connections
    clock: Clock


def make_source(condition: Condition, means: Means) -> Source:
    """Return what answers for a condition.

    Raises:
        ConfigurationError: what its kind needs is not installed, or what it asks is not there.
    """
    match condition:
        case PartitionCondition():
            return PartitionSource(condition, _named(means.ways, condition.partition, condition))
        case CommandCondition():
            return CommandSource(condition)
        case MqttCondition():
            broker = _named(means.premises.brokers, condition.broker, condition)
            return MqttSource(condition, broker, broker_link(broker, means.connections), means.clock)
        case HomeAssistantCondition():
            instance = _named(means.premises.instances, condition.instance, condition)
            return HomeAssistantSource(condition, link_to(instance, means.connections), instance.token)
        case _:
            assert_never(condition)


def _named(known: Mapping[str, T], name: str, condition: Condition) -> T:
    if name not in known:
        raise ConfigurationError((f"condition.{condition.name}: there is no {name!r} to ask",))
    return known[name]
