"""What behaves like Home Assistant at a broker: it discovers entities, judges what announces them, shows and presses.

What it judges by is what Home Assistant documents of each kind of entity: an announcement that it would refuse, or of
which it would ignore a part, is an AssertionError here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import attrs
import trio

from tests.links.broker import Mosquitto, a_link
from trioarm.links.mqtt import Message, Mqtt

WITHIN_S: Final = 60.0  # for anything, on a busy machine
TOPIC: Final = re.compile(r"homeassistant/(?P<component>\w+)/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
TEMPLATE: Final = re.compile(r"{{ value_json\.(\w+) }}")
ALL: Final = {"unique_id", "name", "icon", "availability", "device", "origin"}
SHOWN: Final = {"state_topic", "value_template", "json_attributes_topic"}
KEYS: Final = {  # by component: what it must have, and what it may have beside `ALL`
    "switch": ({"command_topic"}, {*SHOWN, "command_topic"}),
    "button": ({"command_topic"}, {"command_topic", "payload_press"}),
    "sensor": ({"state_topic"}, {*SHOWN, "device_class"}),
    "binary_sensor": ({"state_topic"}, {*SHOWN, "device_class"}),
    "alarm_control_panel": (
        {"state_topic", "command_topic"},
        {*SHOWN, "command_topic", "supported_features", "code_arm_required", "code_disarm_required"},
    ),
}
CLASSES: Final = {"sensor": {None, "timestamp"}, "binary_sensor": {None, "problem"}}
FEATURES: Final = {"arm_home", "arm_away", "arm_night", "arm_vacation", "arm_custom_bypass", "trigger"}


def judged(topic: str, payload: bytes) -> dict[str, Any]:
    """Return an announcement that Home Assistant would take as it is."""
    found = TOPIC.fullmatch(topic)
    assert found is not None, topic
    form: dict[str, Any] = json.loads(payload)
    needed, allowed = KEYS[found["component"]]
    assert needed <= form.keys() <= ALL | allowed, (topic, form.keys())
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", form["unique_id"])
    assert form["device"]["identifiers"]
    assert form["device"]["name"]
    assert form["origin"]["name"]
    assert [set(one) for one in form["availability"]] == [{"topic"}]
    assert form.get("device_class") in CLASSES.get(found["component"], {None})
    assert set(form.get("supported_features", ())) <= FEATURES
    assert "state_topic" not in form or TEMPLATE.fullmatch(form["value_template"])
    return form


@attrs.define(eq=False)
class Home:
    """An instance of it.

    Args:
        link: to the broker.
        values: what was told last, by topic.
        told: how often, by topic.
        entities: announcements by unique id.
    """

    link: Mqtt
    values: dict[str, bytes] = attrs.Factory(dict)
    told: Counter[str] = attrs.Factory(Counter)
    entities: dict[str, dict[str, Any]] = attrs.Factory(dict)
    _topics: dict[str, str] = attrs.Factory(dict)
    _moved: trio.Event = attrs.Factory(trio.Event)

    def heed(self, message: Message) -> bool:
        """Take what was published."""
        self.values[message.topic] = message.payload
        self.told[message.topic] += 1
        if message.topic.endswith("/config"):
            self._discover(message)
        self._moved.set()
        return False

    def _discover(self, message: Message) -> None:
        if not message.payload:
            self.entities.pop(self._topics.pop(message.topic, ""), None)
            return
        form = judged(message.topic, message.payload)
        unique = form["unique_id"]
        assert self._topics.get(message.topic, unique) == unique
        assert unique not in self.entities or self._topics.get(message.topic) == unique, f"{unique} is there twice"
        self.entities[unique] = form
        self._topics[message.topic] = unique

    async def until(self, holds: Callable[[], object]) -> None:
        """Return once something is so."""
        with trio.fail_after(WITHIN_S):
            while not holds():
                self._moved = trio.Event()
                await self._moved.wait()

    def state(self, unique: str) -> Any:
        """Return what an entity shows; None where that is not known."""
        form = self.entities.get(unique)
        if form is None:
            return None
        with suppress(KeyError, ValueError):
            found = TEMPLATE.fullmatch(form["value_template"])
            assert found is not None
            return json.loads(self.values[form["state_topic"]])[found[1]]
        return None

    def is_available(self, unique: str) -> bool:
        """Whether an entity is said to be there."""
        form = self.entities.get(unique)
        return form is not None and all(self.values.get(one["topic"]) == b"online" for one in form["availability"])

    async def shows(self, unique: str, state: Any) -> None:
        """Return once an entity shows something."""
        try:
            await self.until(lambda: self.is_available(unique) and self.state(unique) == state)
        except trio.TooSlowError:
            raise AssertionError(f"{unique} shows {self.state(unique)!r}, not {state!r}") from None

    async def press(self, unique: str, payload: str = "PRESS", *, retain: bool = False) -> None:
        """Say something on the command topic of an entity."""
        topic = self.entities[unique]["command_topic"]
        await self.link.publish(topic, payload, retain=retain, within_s=WITHIN_S)

    async def come(self) -> None:
        """Say that it has come, as it does when it starts."""
        await self.link.publish("homeassistant/status", b"online", within_s=WITHIN_S)


@asynccontextmanager
async def a_home(broker: Mosquitto) -> AsyncIterator[Home]:
    """Be there while the context lasts."""
    async with a_link(broker.settings()) as link:
        home = Home(link)
        patterns = ("homeassistant/+/+/+/config", "trioarm/#")
        subscriptions = [link.subscribe(pattern, home.heed) for pattern in patterns]
        with trio.fail_after(WITHIN_S):
            for subscription in subscriptions:
                await subscription.wait_answered()
        yield home
