"""Entities: what Home Assistant is told there is, and on which topics it is shown and obeyed. Pure.

Each is one retained message, in a form that Home Assistant has understood for years. What is unique about it is made of
names alone, so it stays the same over restarts, and over everything else that changes about a schedule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import attrs

from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.model import MqttPanel, Partition, Target
from trioarm.core.jsonable import Json

ONLINE: Final = "online"  # of us on our topic, and of Home Assistant on its own
OFFLINE: Final = "offline"
ON: Final = "ON"
OFF: Final = "OFF"
PRESS: Final = "PRESS"
_PLAIN: Final = re.compile(r"[^a-z0-9-]")


class Part(StrEnum):
    """What entities belong to."""

    SCHEDULE = "schedule"
    PARTITION = "partition"


class Verb(StrEnum):
    """What can be asked for, each the last level of a topic."""

    ENABLE = "enable"
    SKIP = "skip"
    POSTPONE = "postpone"
    RUN = "run"
    COMMAND = "command"
    HOLD = "hold"


VERBS: Final = {
    Part.SCHEDULE: (Verb.ENABLE, Verb.SKIP, Verb.POSTPONE, Verb.RUN),
    Part.PARTITION: (Verb.COMMAND, Verb.HOLD),
}
ACTIONS: Final = {
    "DISARM": Target.DISARMED,
    **{f"ARM_{target.removeprefix('armed_').upper()}": target for target in Target if target is not Target.DISARMED},
}
"""What an alarm panel of Home Assistant says on its command topic."""

PAYLOADS: Final = {
    Verb.ENABLE: frozenset({ON, OFF}),
    Verb.SKIP: frozenset({PRESS}),
    Verb.POSTPONE: frozenset({PRESS}),
    Verb.RUN: frozenset({PRESS}),
    Verb.COMMAND: frozenset(ACTIONS),
    Verb.HOLD: frozenset({ON, OFF}),
}


@attrs.frozen(slots=True)
class Thing:
    """A schedule or a partition that is shown.

    Args:
        part: which of both.
        name: its name.
    """

    part: Part
    name: str

    @property
    def key(self) -> str:
        """Its name among those of both kinds."""
        return f"{self.part}/{self.name}"


@attrs.frozen(slots=True)
class Topics:
    """All topics, by the settings they are made of."""

    settings: DiscoverySettings

    @property
    def availability(self) -> str:
        """Where we say that we are there."""
        return f"{self.settings.base}/availability"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it has come."""
        return f"{self.settings.prefix}/status"

    @property
    def ours(self) -> tuple[str, ...]:
        """Filters of all that we may have retained: announcements and states, those of an earlier life included."""
        states = (f"{self.settings.base}/{part}/+/state" for part in Part)
        return f"{self.settings.prefix}/+/{self._node}/+/config", *states

    @property
    def asked(self) -> tuple[str, ...]:
        """Filters of all that may be asked for: one for each verb."""
        parts = Part if self.settings.control else (Part.SCHEDULE,)
        return tuple(f"{self.settings.base}/{part}/+/{verb}" for part in parts for verb in VERBS[part])

    def state(self, thing: Thing) -> str:
        """Return where the state of something is told."""
        return f"{self._of(thing)}/state"

    def command(self, thing: Thing, verb: Verb) -> str:
        """Return where something is asked for."""
        return f"{self._of(thing)}/{verb}"

    def config(self, component: str, thing: Thing, what: str) -> str:
        """Return where an entity is announced."""
        return f"{self.settings.prefix}/{component}/{self._node}/{thing.part}_{plain(thing.name)}_{what}/config"

    def identity(self, thing: Thing) -> str:
        """Return what no other thing at this broker is called."""
        return f"{self._node}_{thing.part}_{plain(thing.name)}"

    def _of(self, thing: Thing) -> str:
        return f"{self.settings.base}/{thing.part}/{plain(thing.name)}"

    @property
    def _node(self) -> str:
        return plain(self.settings.base)


def plain(name: str) -> str:
    """Return a name of those characters that a level of a discovery topic may have, and no two names as the same."""
    return _PLAIN.sub(lambda found: f"_{ord(found[0]):02x}", name)


def announcements(thing: Thing, topics: Topics, version: str, partition: Partition | None = None) -> dict[str, str]:
    """Return what is announced of a thing, by topic.

    Args:
        thing: which.
        topics: all of them.
        version: of trioarm.
        partition: its settings, where it is one.
    """
    entities = _of_schedule(thing, topics) if partition is None else _of_partition(thing, topics, partition)
    common: dict[str, Json] = {
        "availability": [{"topic": topics.availability}],
        "device": {
            "identifiers": [topics.identity(thing)],
            "name": thing.name,
            "manufacturer": "trioarm",
            "model": str(thing.part),
        },
        "origin": {"name": "trioarm", "sw_version": version},
    }
    found = {}
    for component, what, form in entities:
        unique: dict[str, Json] = {"unique_id": f"{topics.identity(thing)}_{what}"}
        found[topics.config(component, thing, what)] = json.dumps({**unique, **form, **common})
    return found


_Entities = Iterator[tuple[str, str, dict[str, Json]]]  # component, what it is of its thing, and the rest of its form


def _of_schedule(thing: Thing, topics: Topics) -> _Entities:
    state = topics.state(thing)
    enabled: dict[str, Json] = {
        "name": None,
        "command_topic": topics.command(thing, Verb.ENABLE),
        "icon": "mdi:calendar-clock",
    }
    yield "switch", "enabled", {**enabled, **_shown(state, "enabled")}
    when: dict[str, Json] = {"name": "Next run", "device_class": "timestamp"}
    yield "sensor", "next_run", {**when, **_shown(state, "next_run")}
    result: dict[str, Json] = {"name": "Last result", "icon": "mdi:history", "json_attributes_topic": state}
    yield "sensor", "last_result", {**result, **_shown(state, "last_result")}
    for verb, name, icon in (
        (Verb.SKIP, "Skip next", "mdi:debug-step-over"),
        (Verb.POSTPONE, "Postpone next", "mdi:clock-plus-outline"),
        (Verb.RUN, "Run now", "mdi:play"),
    ):
        yield "button", verb, {"name": name, "icon": icon, "command_topic": topics.command(thing, verb)}


def _of_partition(thing: Thing, topics: Topics, partition: Partition) -> _Entities:
    state = topics.state(thing)
    problem: dict[str, Json] = {"name": "Problem", "device_class": "problem", "json_attributes_topic": state}
    yield "binary_sensor", "problem", {**problem, **_shown(state, "problem")}
    yield "sensor", "desired", {"name": "Desired state", "icon": "mdi:shield-star", **_shown(state, "desired")}
    yield "sensor", "state", {"name": "Panel state", "icon": "mdi:shield-home", **_shown(state, "state")}
    if topics.settings.control:
        yield "alarm_control_panel", "panel", _panel(thing, topics, partition)
        hold: dict[str, Json] = {"name": "Hold", "command_topic": topics.command(thing, Verb.HOLD)}
        yield "switch", "hold", {**hold, "icon": "mdi:hand-back-right", **_shown(state, "held")}


def _panel(thing: Thing, topics: Topics, partition: Partition) -> dict[str, Json]:
    """Return the form of a panel: codes are between us and the real one, so none is asked for here."""
    panel = partition.panel
    known = panel.payloads if isinstance(panel, MqttPanel) else Target
    features: list[Json] = [
        target.replace("armed_", "arm_") for target in Target if target in known and target is not Target.DISARMED
    ]
    return {
        "name": None,
        "command_topic": topics.command(thing, Verb.COMMAND),
        "supported_features": features,
        "code_arm_required": False,
        "code_disarm_required": False,
        **_shown(topics.state(thing), "state"),
    }


def _shown(topic: str, key: str) -> dict[str, Json]:
    """Return where a value is: one message tells all of a thing, so that no two of them differ."""
    return {"state_topic": topic, "value_template": f"{{{{ value_json.{key} }}}}"}
