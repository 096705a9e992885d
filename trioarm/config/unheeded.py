"""What is said and has no effect: no error, but nothing to be found out at night."""

from __future__ import annotations

from collections.abc import Iterator

from trioarm.arming.conditions.settings import HomeAssistantCondition, MqttCondition
from trioarm.arming.model import HomeAssistantPanel, MqttPanel
from trioarm.config.config import SchedulerConfig
from trioarm.notify.model import MqttWay


def unheeded(config: SchedulerConfig) -> Iterator[str]:
    """Yield a line for brokers and instances that nothing is at, and conditions and schedules that are not heeded."""
    conditions = config.premises.conditions.values()
    panels = [partition.panel for partition in config.premises.partitions.values()]
    entered = {panel.instance.name for panel in panels if isinstance(panel, HomeAssistantPanel)}
    entered |= {one.instance for one in conditions if isinstance(one, HomeAssistantCondition)}
    for name in config.premises.instances:
        if name not in entered:
            yield f"homeassistant.{name}: nothing is at this instance, so nobody connects to it"
    used = {panel.broker.name for panel in panels if isinstance(panel, MqttPanel)}
    used |= {one.broker for one in conditions if isinstance(one, MqttCondition)}
    used |= {channel.way.broker.name for channel in config.notify.values() if isinstance(channel.way, MqttWay)}
    if config.discovery is not None:
        used.add(config.discovery.broker.name)
    for name in config.premises.brokers:
        if name not in used:
            yield f"mqtt.{name}: nothing is at this broker, so nobody connects to it"
    needed = {name for one in config.premises.schedules if one.depends is not None for name in one.depends.names}
    for one in conditions:
        if one.name not in needed:
            yield f"condition.{one.name}: no schedule depends on it"
    if config.features.advanced_retries:
        return
    for schedule in (*config.schedules, *(one.schedule for one in config.premises.schedules)):
        if schedule.retry is not None and schedule.retry.is_advanced:
            yield (
                f'schedule "{schedule.name}".retry: strategy and per_error are not heeded while '
                "features.advanced_retries is false: its delays grow by the factor, whatever the error"
            )
