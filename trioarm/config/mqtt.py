"""Brokers, and panels that are reached by them: presets for what people have, a free form for the rest (A1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import combinations
from typing import Final

import attrs

from trioarm.arming.model import MqttPanel, Reported, Target
from trioarm.arming.panels.command import PLACEHOLDER
from trioarm.arming.panels.mqtt_words import WORDS
from trioarm.config.named import one_of, read_each
from trioarm.config.panel_keys import ANSWER_S_MAX, DELAY_S_MAX, path, read_code, read_secret, read_started, states
from trioarm.core.codec import named
from trioarm.core.reading import Table, duration, flag, mapping, member, show, suggest, text, whole
from trioarm.links.mqtt import Version, check_topic
from trioarm.links.mqtt.broker import KEEPALIVE_S, KEEPALIVE_S_MAX, KEEPALIVE_S_MIN, NAME_MAX
from trioarm.links.mqtt.settings import MqttBroker

MQTT: Final = "mqtt"  # the section of brokers, and the kind of panel
CLIENT_ID_MAX: Final = 64  # characters of what a client's name begins with
PAYLOAD_MAX: Final = 1000  # characters of a payload or a template
SAMPLE: Final = '{"action": "{action}", "code": "{code}"}'
PORT_MAX: Final = 65_535


class Preset(StrEnum):
    """Panels that many people have."""

    HOME_ASSISTANT = "home_assistant"
    MANUAL_MQTT = "manual_mqtt"
    ALARMO = "alarmo"


@attrs.frozen(slots=True, kw_only=True)
class _Usual:
    """What need not be said of a panel.

    Args:
        payloads: by target.
        template: of a command.
        state_topic: None where it has to be said.
        command_topic: likewise.
        event_topic: None where there is none.
        pending_is_exit_delay: whether `pending` is its exit delay, too.
    """

    payloads: Mapping[Target, str] = attrs.Factory(dict)
    template: str = "{action}"
    state_topic: str | None = None
    command_topic: str | None = None
    event_topic: str | None = None
    pending_is_exit_delay: bool = False


_MODES: Final = {target: target.value.removeprefix("armed_") for target in Target if target is not Target.DISARMED}
_PLAIN: Final = {target: f"ARM_{mode.upper()}" for target, mode in _MODES.items()} | {Target.DISARMED: "DISARM"}
_ALARMO: Final = {target: payload.lower() for target, payload in _PLAIN.items()}

PRESETS: Final = {
    Preset.HOME_ASSISTANT: _Usual(payloads=_PLAIN),
    Preset.MANUAL_MQTT: _Usual(payloads=_PLAIN, pending_is_exit_delay=True),
    Preset.ALARMO: _Usual(
        payloads=_ALARMO,
        template='{"command": "{action}", "code": "{code}", "area": "{address}"}',
        state_topic="alarmo/state",
        command_topic="alarmo/command",
        event_topic="alarmo/event",
    ),
}


def read_brokers(whole: Table) -> dict[str, MqttBroker]:
    """Read every `[mqtt.NAME]`."""
    return read_each(whole, MQTT, named("broker"), _read_broker)


def _read_broker(name: str, table: Table) -> MqttBroker:
    broker = MqttBroker(
        name=name,
        host=table.need("host", _name, 'say where it is, like host = "192.168.1.10"') or "localhost",
        port=table.take("port", whole(1, PORT_MAX), None),
        tls=table.take("tls", flag, False),
        ca_file=table.take("ca_file", _place, None),
        username=table.take("username", _name, None),
        password=read_secret(table, "password"),
        version=table.take("version", member(Version), Version.V3_1_1),
        keepalive_s=table.take("keepalive", duration(KEEPALIVE_S_MIN, KEEPALIVE_S_MAX), KEEPALIVE_S),
        client_id=table.take("client_id", _client_id, "trioarm"),
    )
    if "ca_file" in table and not broker.tls:
        table.problems.add(table.at("ca_file"), "is of no use without tls = true")
    if "password" in table and "username" not in table:
        table.problems.add(table.at("username"), "is missing: a password alone is sent to nobody")
    return broker


def _name(value: object) -> str:
    found = text(value)
    if 0 < len(found) <= NAME_MAX and found.isprintable() and not found.isspace():
        return found
    raise ValueError(f"{show(found)} is no name: it has 1 to {NAME_MAX} printable characters")


def _place(value: object) -> str:
    if found := text(value):
        return found
    raise ValueError("names no file")


def _client_id(value: object) -> str:
    found = text(value)
    if 0 < len(found) <= CLIENT_ID_MAX and found.isprintable():
        return found
    raise ValueError(f"{show(found)} is no beginning of a client's name: 1 to {CLIENT_ID_MAX} printable characters")


def read_mqtt_panel(table: Table, brokers: Mapping[str, MqttBroker], *, has_code: bool) -> MqttPanel | None:
    """Read a panel at a broker; None where so much is wrong that there is none.

    Args:
        table: of the panel.
        brokers: those that are configured.
        has_code: whether its partition names a code to be sent.
    """
    hint = 'say at which broker it is, like broker = "home", which [mqtt.home] describes'
    broker = table.need("broker", lambda value: brokers[one_of(brokers, "broker")(value)], hint)
    preset = table.take("preset", member(Preset), None)
    usual = _Usual() if "preset" not in table else PRESETS[preset or Preset.ALARMO]  # of a wrong one nothing is missed
    state_topic = _needed_topic(table, "state_topic", usual.state_topic, "where it says what it is")
    command_topic = _needed_topic(table, "command_topic", usual.command_topic, "where it is told what to become")
    panel = MqttPanel(
        broker=broker or MqttBroker(name="", host="localhost"),
        state_topic=state_topic or "state",
        command_topic=command_topic or "command",
        payloads=_read_payloads(table, usual.payloads),
        command_template=table.take("command_template", _template, usual.template),
        states=table.take("states", states, {}),
        state_path=table.take("state", path, None),
        changed_by_path=table.take("changed_by", path, None),
        since_path=table.take("since", path, None),
        started_path=read_started(table),
        open_zones_path=table.take("open_zones", path, None),
        availability_topic=table.take("availability_topic", _topic, None),
        available=table.take("available", text, "online"),
        event_topic=_read_event_topic(table, usual),
        pending_is_exit_delay=usual.pending_is_exit_delay,
        timeout_s=table.take("timeout", duration(1, ANSWER_S_MAX), 10.0),
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0),
        code=read_code(table),
    )
    _check(table, panel, has_code=has_code or "code" in table)
    return panel if broker is not None and state_topic is not None and command_topic is not None else None


def _needed_topic(table: Table, key: str, usual: str | None, what: str) -> str | None:
    if usual is None:
        return table.need(key, _topic, f'{what}, like {key} = "home/alarm/{key.removesuffix("_topic")}"')
    return table.take(key, _topic, usual)


def _topic(value: object) -> str:
    return check_topic(text(value))


def _read_event_topic(table: Table, usual: _Usual) -> str | None:
    if usual.event_topic is None:
        table.refuse("event_topic", f'is for preset = "{Preset.ALARMO}" alone: other events are not understood')
        return None
    return table.take("event_topic", _topic, usual.event_topic)


def _read_payloads(table: Table, usual: Mapping[Target, str]) -> Mapping[Target, str]:
    """Read what is sent for which target: without a preset at least something for one of them."""
    if usual:
        return {**usual, **table.take("payloads", _payloads, {})}
    hint = 'say what it is told, like payloads = { armed_away = "ARM", disarmed = "DISARM" }, or name a preset'
    return table.need("payloads", _payloads, hint) or {}


def _payloads(value: object) -> dict[Target, str]:
    found = {member(Target)(target): text(payload) for target, payload in mapping(value).items()}
    if not found:
        raise ValueError('says nothing: write it like { armed_away = "ARM", disarmed = "DISARM" }')
    for payload in found.values():
        if not 0 < len(payload) <= PAYLOAD_MAX:
            raise ValueError(f"{show(payload)} is no payload: it has 1 to {PAYLOAD_MAX} characters")
    return found


def _template(value: object) -> str:
    found = text(value)
    if len(found) > PAYLOAD_MAX:
        raise ValueError(f"{show(found)} is longer than {PAYLOAD_MAX} characters")
    words = PLACEHOLDER.findall(found)
    for word in words:
        if word not in WORDS:
            shown = show(f"{{{word}}}")
            raise ValueError(f"{shown} stands for nothing here{suggest(word, WORDS)}")
    if "action" not in words:
        raise ValueError(f"{show(found)} does not say what to do: it needs {{action}}, like {SAMPLE}")
    return found


def _check(table: Table, panel: MqttPanel, *, has_code: bool) -> None:
    """Note what does not go together."""
    add, at = table.problems.add, table.at
    topics = {
        "state_topic": panel.state_topic,
        "command_topic": panel.command_topic,
        "availability_topic": panel.availability_topic,
        "event_topic": panel.event_topic,
    }
    for (key, topic), (other, same) in combinations(topics.items(), 2):
        if topic is not None and topic == same:
            add(at(other), f"{show(topic)} is the {key} too: each topic is for one thing")
    if panel.state_path is None:
        for key in ("changed_by", "since", "started", "open_zones"):
            if key in table:
                add(at(key), "is a path, but without state, the path of the state, the whole message is the state")
    if panel.availability_topic is None and "available" in table:
        add(at("available"), "is of no use without availability_topic")
    if has_code and "{code}" not in panel.command_template:
        add(at("command_template"), f"has no {{code}}, so the code would never be sent: write it like '{SAMPLE}'")
    if Reported.PENDING.value in panel.states and panel.pending_is_exit_delay:
        add(at("states"), f'says what pending means, which preset = "{Preset.MANUAL_MQTT}" finds out by itself')
