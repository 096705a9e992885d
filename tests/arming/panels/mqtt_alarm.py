"""Alarm panels at an MQTT broker, as a program of its own with a client that is not ours: two of those people have.

`manual` behaves as Home Assistant's manual_mqtt: plain payloads, the exit delay shown as `pending`, nothing restored,
retained commands obeyed, and no word on a code that is wrong. `alarmo` takes JSON, and says why it does not obey.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

HOST: Final = "127.0.0.1"
STATE, COMMAND, EVENT, KEYPAD = "alarm/state", "alarm/command", "alarm/event", "alarm/keypad"
"""Its topics, unless it is told to begin them with something else."""


class Alarm:
    """A panel.

    Args:
        client: to the broker.
        settings: `exit_delay_s`, `lag_s` until it shows what it does, `drops` (how many commands it does not hear),
            `reverts` (whether it goes back in the middle of its exit delay), `code`, `heard` (a file for its commands),
            `prefix` (what its topics begin with), `tells` (whether it says since when, and when it was started).
    """

    exit_delay_is = "pending"

    def __init__(self, client: Client, settings: dict[str, Any]) -> None:
        self.client = client
        self.settings = settings
        self.zones: list[str] = []
        self.coming: list[tuple[float, str]] = []  # states to be shown, and when
        self.drops = settings["drops"]
        self.started = time.time()

    def topic(self, usual: str) -> str:
        """Return what a topic of its is called."""
        return usual.replace("alarm/", f"{self.settings['prefix']}/")

    def show(self, state: str, later_s: float = 0.0) -> None:
        """Publish a state, to be found by whoever subscribes later."""
        if self.settings["tells"]:
            state = json.dumps({"state": state, "since": time.time() + later_s, "started": self.started})
        self.client.publish(self.topic(STATE), state, qos=1, retain=True)

    def due_in_s(self) -> float | None:
        """Return when the next state is to be shown."""
        return max(0.0, self.coming[0][0] - time.monotonic()) if self.coming else None

    def show_next(self) -> None:
        """Show the state whose time has come."""
        self.show(self.coming.pop(0)[1])

    def become(self, target: str, delay_s: float) -> None:
        """Go to a state, by way of an exit delay."""
        start = time.monotonic() + self.settings["lag_s"]
        end = start + delay_s
        self.coming = [(start, self.exit_delay_is)] if delay_s else []
        self.coming.append((start + delay_s / 2, "disarmed") if self.settings["reverts"] else (end, target))

    def hear(self, message: MQTTMessage) -> None:
        """Take a command, or a key that somebody presses."""
        text = message.payload.decode()
        if message.topic == self.topic(KEYPAD):
            pressed = json.loads(text)
            self.zones = pressed.get("open", self.zones)
            if "say" in pressed:
                self.show(pressed["say"], pressed["later_s"])
            return
        with Path(self.settings["heard"]).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        if self.drops > 0:
            self.drops -= 1
            return
        self.obey(text)

    def obey(self, text: str) -> None:
        """Do as a command says: nothing is ever said of one that is not understood."""
        word, code = text, None
        if self.settings["code"] is not None:
            said = json.loads(text)
            word, code = said["action"], said.get("code")
        if code == self.settings["code"]:
            if word == "DISARM":
                self.become("disarmed", 0)
            elif word.startswith("ARM_"):
                self.become("armed_" + word.removeprefix("ARM_").lower(), self.settings["exit_delay_s"])


class Alarmo(Alarm):
    """A panel that says why it does not obey."""

    exit_delay_is = "arming"

    def obey(self, text: str) -> None:
        """Do as a command says, or tell on the event topic why not."""
        said = json.loads(text)
        word, code = said["command"], said.get("code")
        if code != self.settings["code"]:
            self.tell(event="NO_CODE_PROVIDED" if code is None else "INVALID_CODE_PROVIDED")
        elif word == "disarm":
            self.become("disarmed", 0)
        elif self.zones:
            self.tell(event="FAILED_TO_ARM", sensors=[{"entity_id": "binary_sensor.x", "name": n} for n in self.zones])
        else:
            mode = word.removeprefix("arm_")
            self.tell(event=f"ARM_{mode.upper()}", delay=self.settings["exit_delay_s"])
            self.become(f"armed_{mode}", self.settings["exit_delay_s"])

    def tell(self, **event: object) -> None:
        """Publish an event, to be heard by whoever listens now."""
        self.client.publish(self.topic(EVENT), json.dumps(event), qos=0)


def main(settings: dict[str, Any]) -> None:
    """Be a panel until killed; the word `ready` says that it listens."""
    heard: queue.SimpleQueue[MQTTMessage | str] = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2)
    panel = (Alarmo if settings["kind"] == "alarmo" else Alarm)(client, settings)
    client.on_connect = lambda *_: client.subscribe([(panel.topic(COMMAND), 1), (panel.topic(KEYPAD), 1)])
    client.on_subscribe = lambda *_: heard.put("listening")
    client.on_message = lambda _, __, message: heard.put(message)
    client.reconnect_delay_set(1, 1)
    client.connect(HOST, settings["port"])
    client.loop_start()
    panel.show("disarmed")
    while True:
        try:
            found = heard.get(timeout=panel.due_in_s())
        except queue.Empty:
            panel.show_next()
            continue
        if isinstance(found, str):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
        else:
            panel.hear(found)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
