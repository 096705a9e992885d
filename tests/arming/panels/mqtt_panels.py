"""Panels at a real broker for tests: the program of `mqtt_alarm`, started and killed, and how it is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.arming.panels.mqtt_alarm import COMMAND, EVENT, KEYPAD, STATE
from tests.links.broker import Mosquitto
from tests.links.tls import HOST
from trioarm.arming.model import MqttPanel
from trioarm.config.mqtt import PRESETS, Preset
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef

PROGRAM: Final = Path(__file__).with_name("mqtt_alarm.py")


def settings_at(port: int, preset: Preset, **others: Any) -> MqttPanel:
    """Return how the panel of the program is reached at a broker."""
    usual = PRESETS[preset]
    settings: dict[str, Any] = {
        "broker": MqttBroker(name="home", host=HOST, port=port),
        "state_topic": STATE,
        "command_topic": COMMAND,
        "payloads": usual.payloads,
        "command_template": usual.template,
        "event_topic": None if usual.event_topic is None else EVENT,
        "pending_is_exit_delay": usual.pending_is_exit_delay,
        "exit_delay_s": 1.0,
    }
    return MqttPanel(**settings | others)


@attrs.define(eq=False)
class AlarmProcess:
    """The program, which can be killed and started again.

    Args:
        broker: where it is.
        settings: what it is told.
    """

    broker: Mosquitto
    settings: dict[str, Any]
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return once it listens."""
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(self.settings)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            self.kill()
            raise ConnectionError("the panel does not listen")

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def heard(self) -> list[str]:
        """The commands that it heard, in order."""
        path = Path(self.settings["heard"])
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def press(self, **keys: object) -> None:
        """Let somebody do something at the panel: `say="armed_away"`, or `open=["Kitchen window"]`.

        With `later_s` its clock shows so much more then.
        """
        topic = KEYPAD.replace("alarm/", f"{self.settings['prefix']}/")
        self.broker.put(topic, json.dumps({"later_s": 0.0, **keys}))


@contextmanager
def an_alarm(broker: Mosquitto, kind: str = "manual", **settings: Any) -> Iterator[AlarmProcess]:
    """Run a panel while the context lasts."""
    usual = {
        "exit_delay_s": 0.3,
        "lag_s": 0,
        "drops": 0,
        "reverts": False,
        "code": None,
        "prefix": "alarm",
        "tells": False,
    }
    heard = str(broker.directory / "heard.txt")
    alarm = AlarmProcess(broker, usual | {"kind": kind, "port": broker.port, "heard": heard} | settings)
    alarm.start()
    try:
        yield alarm
    finally:
        alarm.kill()


def with_code(preset: Preset) -> dict[str, Any]:
    """Return what a panel needs beside its preset, so that a code is sent to it."""
    code = {"code": SecretRef(env="PANEL_CODE")}
    if preset is Preset.ALARMO:
        return code
    return code | {"command_template": '{"action": "{action}", "code": "{code}"}'}
