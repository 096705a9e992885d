"""What a configuration needs and this machine lacks: programs, codes, keys, certificates.

It is no error: the configuration may be meant for another machine.

Only whether they are there is looked at; nothing is started, and what a code is, is shown to nobody.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

from attrs import AttrsInstance

from trioarm.arming.conditions.settings import CommandCondition
from trioarm.arming.model import CommandPanel, HomeAssistantInstance, Partition
from trioarm.cli.configuration import declared_schedules
from trioarm.config import SchedulerConfig
from trioarm.core.schedule import Schedule
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef, SecretUnreadable, read_code, read_key, references
from trioarm.notify.channels.apprise import MISSING
from trioarm.notify.model import AppriseWay, ChannelSettings, CommandWay


def lacking(config: SchedulerConfig) -> Iterator[str]:
    """Yield what is not here, a line each, with the key that asks for it."""
    for broker in config.premises.brokers.values():
        yield from _of_broker(broker)
    for instance in config.premises.instances.values():
        yield from _of_instance(instance)
    for partition in config.premises.partitions.values():
        yield from _of_partition(partition)
    for condition in config.premises.conditions.values():
        if isinstance(condition, CommandCondition):
            yield from (f"condition.{condition.name}.run: {fault}" for fault in _not_found(condition.run[0]))
    for channel in config.notify.values():
        yield from _of_channel(channel)
    for schedule in declared_schedules(config):
        yield from _of_schedule(schedule)


def _of_broker(broker: MqttBroker) -> Iterator[str]:
    place = f"mqtt.{broker.name}"
    if find_spec("paho") is None:
        yield f"{place}: paho-mqtt is not installed: python -m pip install 'trioarm[mqtt]'"
    yield from _of_secrets(place, broker)
    if broker.ca_file is not None and not os.access(broker.ca_file, os.R_OK):
        yield f"{place}.ca_file: there is no file {broker.ca_file} here, or it may not be read"


def _of_secrets(place: str, settings: AttrsInstance) -> Iterator[str]:
    for what, ref in references(settings).items():
        if fault := _unreadable(ref, what):
            yield f"{place}.{what}: {fault}"


def _of_instance(instance: HomeAssistantInstance) -> Iterator[str]:
    place = f"homeassistant.{instance.name}"
    if find_spec("wsproto") is None:
        yield f"{place}: wsproto is not installed: python -m pip install 'trioarm[homeassistant]'"
    if fault := _unreadable(instance.token, "token"):
        yield f"{place}.token: {fault}"
    if instance.ca_file is not None and not os.access(instance.ca_file, os.R_OK):
        yield f"{place}.ca_file: file {instance.ca_file} is not here, or may not be read"


def _of_partition(partition: Partition) -> Iterator[str]:
    place, panel = f"partition.{partition.name}", partition.panel
    yield from _of_secrets(place, partition)
    yield from _of_secrets(f"{place}.panel", panel)
    if isinstance(panel, CommandPanel):
        for key, argv in (("set", panel.set), ("read", panel.read)):
            yield from (f"{place}.panel.{key}: {fault}" for fault in _not_found(argv[0]))


def _of_channel(channel: ChannelSettings) -> Iterator[str]:
    place, way = f"notify.{channel.name}", channel.way
    for what, ref in references(way).items():
        if fault := _unreadable(ref, what):
            yield f"{place}.{what}: {fault}"
    if isinstance(way, CommandWay):
        yield from (f"{place}.argv: {fault}" for fault in _not_found(way.argv[0]))
    if isinstance(way, AppriseWay) and find_spec("apprise") is None:
        yield f"{place}.kind: {MISSING}"


def _of_schedule(schedule: Schedule) -> Iterator[str]:
    argv = schedule.args.get("argv") if schedule.handler == "command" else None
    if isinstance(argv, list) and argv and isinstance(argv[0], str):
        yield from (f'schedule "{schedule.name}": {fault}' for fault in _not_found(argv[0]))


def _unreadable(ref: SecretRef, what: str) -> str | None:
    try:
        read_code(ref) if what == "code" else read_key(ref, what)
    except SecretUnreadable as error:
        return str(error)
    return None


def _not_found(program: str) -> Iterator[str]:
    depends = "{" in program or ("/" in program and not program.startswith("/"))  # on what it is started for, or where
    if not depends and shutil.which(program) is None:
        yield f"there is no program {program} here, or it may not be run"
