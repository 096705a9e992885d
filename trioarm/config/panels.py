"""Panels: how the driver of a partition is configured, one reader for each kind (A1.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from trioarm.arming.model import (
    CommandPanel,
    HomeAssistantInstance,
    HttpPanel,
    PanelSettings,
    VirtualPanel,
)
from trioarm.arming.panel_urls import SAMPLE, panel_url
from trioarm.arming.panels.command import PLACEHOLDER, READ_WORDS, SET_WORDS
from trioarm.config.homeassistant import HOMEASSISTANT, read_home_panel
from trioarm.config.mqtt import MQTT, read_mqtt_panel
from trioarm.config.panel_keys import ANSWER_S_MAX, DELAY_S_MAX, path, read_code, read_secret, read_started, states
from trioarm.core.reading import Reader, Table, duration, listed, show, suggest, text
from trioarm.links.mqtt.settings import MqttBroker

_CODE_IS_SEEN: Final = "{code} would be for everybody to see: the program finds the code on its standard input instead"


def read_panel(
    partition: Table,
    instances: Mapping[str, HomeAssistantInstance],
    brokers: Mapping[str, MqttBroker],
    address: str,
) -> PanelSettings:
    """Read the panel of a partition: the built-in one where nothing is said.

    Args:
        partition: its table.
        instances: of Home Assistant, those that are configured.
        brokers: those that are configured.
        address: of the partition; empty where it has none.
    """
    table = partition.table("panel")
    if table is None:
        return VirtualPanel()
    kind = table.take("kind", _kind, None)
    if kind is None and "kind" in table:  # whose keys are not known
        return VirtualPanel()
    panel: PanelSettings
    if kind == HOMEASSISTANT:
        panel = read_home_panel(table, instances, address) or VirtualPanel()
    elif kind == MQTT:
        panel = read_mqtt_panel(table, brokers, has_code="code" in partition) or VirtualPanel()
    else:
        panel = KINDS[kind or "virtual"](table)
    table.close()
    return panel


def _kind(value: object) -> str:
    kind = text(value)
    if kind in ALL_KINDS:
        return kind
    raise ValueError(f"{show(kind)} is no kind of panel{suggest(kind, ALL_KINDS)}")


def _virtual(table: Table) -> VirtualPanel:
    return VirtualPanel(
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 30.0),
        entry_delay_s=table.take("entry_delay", duration(0, DELAY_S_MAX), 30.0),
        open_zones=tuple(table.take("open_zones", listed(text), [])),
        code=read_code(table),
    )


def _command(table: Table) -> PanelSettings:
    setting = table.need("set", _arguments(SET_WORDS), 'name the program, like ["/usr/local/bin/alarm", "{target}"]')
    reading = table.need("read", _arguments(READ_WORDS), 'name the program, like ["/usr/local/bin/alarm", "state"]')
    timeout_s = table.take("timeout", duration(1, ANSWER_S_MAX), 20.0)
    exit_delay_s = table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0)
    code = read_code(table)
    if not setting or not reading:
        return VirtualPanel()  # stands in while there are problems
    return CommandPanel(set=setting, read=reading, timeout_s=timeout_s, exit_delay_s=exit_delay_s, code=code)


def _arguments(words: tuple[str, ...]) -> Reader[tuple[str, ...]]:
    """Return a reader of a program and its arguments, in which `{word}` stands for what is meant at the time."""

    def read_arguments(value: object) -> tuple[str, ...]:
        found = tuple(listed(text)(value))
        if not found or not found[0]:
            raise ValueError('names no program: write it like ["/usr/local/bin/alarm", "{address}"]')
        for argument in found:
            for word in PLACEHOLDER.findall(argument):
                if word == "code":
                    raise ValueError(_CODE_IS_SEEN)
                if word not in words:
                    shown = show(f"{{{word}}}")
                    raise ValueError(f"{shown} stands for nothing here{suggest(word, words)}")
        return found

    return read_arguments


def _http(table: Table) -> PanelSettings:
    set_url = table.need("set", _url, f'commands are posted to it, like set = "{SAMPLE}"')
    read_url = table.need("read", _url, f'its state is read from there, like read = "{SAMPLE}/state"')
    if set_url is None or read_url is None:
        set_url = read_url = SAMPLE  # what is wrong was said; go on to see what else is
    return HttpPanel(
        set_url=set_url,
        read_url=read_url,
        secret=read_secret(table, "secret"),
        token=read_secret(table, "token"),
        state_path=table.take("state", path, "state"),
        changed_by_path=table.take("changed_by", path, None),
        since_path=table.take("since", path, None),
        started_path=read_started(table),
        open_zones_path=table.take("open_zones", path, None),
        states=table.take("states", states, {}),
        timeout_s=table.take("timeout", duration(1, ANSWER_S_MAX), 10.0),
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0),
        code=read_code(table),
    )


def _url(value: object) -> str:
    return panel_url(text(value))


KINDS: Final[dict[str, Callable[[Table], PanelSettings]]] = {"virtual": _virtual, "command": _command, "http": _http}
ALL_KINDS: Final = (*KINDS, HOMEASSISTANT, MQTT)
