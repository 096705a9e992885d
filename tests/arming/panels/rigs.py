"""Rigs: a driver of each kind with what it speaks to, for real, so that one suite of tests holds for all kinds."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import pytest
import trio

from tests.arming.panels.alarm import keep
from tests.arming.panels.http_panel import MODES, HttpAlarmPanel
from tests.arming.panels.mqtt_alarm import STATE
from tests.arming.panels.mqtt_panels import AlarmProcess, an_alarm, settings_at, with_code
from tests.links.broker import Mosquitto, a_broker
from tests.links.fake_home_assistant import HOUSE, TOKEN, FakeHomeAssistant, a_home_assistant, until
from tests.links.fake_home_assistant import Panel as ManualPanel
from tests.links.web import Web, a_web_server, says
from trioarm.arming.connections import Connections
from trioarm.arming.ledger import Ledger, PersonsCommand
from trioarm.arming.model import (
    CommandPanel,
    HomeAssistantInstance,
    HomeAssistantPanel,
    HttpPanel,
    Partition,
    Reported,
    Target,
    VirtualPanel,
)
from trioarm.arming.panels.base import Panel
from trioarm.arming.panels.command import CommandDriver
from trioarm.arming.panels.homeassistant import HomeAssistantDriver, link_to
from trioarm.arming.panels.http import HttpDriver
from trioarm.arming.panels.mqtt import MqttDriver, broker_link
from trioarm.arming.panels.virtual import NAMESPACE, VirtualDriver
from trioarm.config.mqtt import Preset
from trioarm.core.changes import Change, PutDocument
from trioarm.engine.clock import SystemClock
from trioarm.links.secrets import SecretRef
from trioarm.repositories.memory import InMemoryScheduleRepository

CODE: Final = "00x42-öäü"  # leading zeros, and nothing that every encoding has
EXIT_DELAY_S: Final = 0.3
PROGRAM: Final = Path(__file__).with_name("alarm.py")
WITHIN_S: Final = 10.0  # real seconds in which a panel of a rig does what it was told, on a busy machine


class Rig(ABC):
    """A panel that wants to hear `CODE`, arms after an exit delay, and has a zone that may stand open.

    Attributes:
        panel: its driver.
        names_persons: whether it says who changed it.
        names_zones: whether it says which zones are open when they keep it from arming.
        reports_zones: whether it says so at any time.
        shows_at_once: whether what a command does is to be seen once it returns.
        tells_restarts: whether it is told apart from a person's doing what a restart made it.
    """

    panel: Panel
    names_persons: bool = True
    names_zones: bool = True
    reports_zones: bool = True
    shows_at_once: bool = True
    tells_restarts: bool = True

    async def announce(self, target: Target) -> None:
        """Keep that a command is about to be sent, as whoever sends one does; few drivers want to know."""
        await trio.lowlevel.checkpoint()

    @abstractmethod
    async def person(self, target: Target) -> None:
        """Let somebody called `anna` make it so at the panel, at once."""

    @abstractmethod
    async def restart(self) -> None:
        """Let it lose its power, and come up disarmed."""

    @abstractmethod
    async def open_zone(self, zone: str) -> None:
        """Open a zone."""

    @abstractmethod
    async def talk_nonsense(self) -> None:
        """From now on it answers what nobody can understand."""

    @abstractmethod
    async def fall_silent(self) -> None:
        """From now on it does not answer any more, or not in time."""


class VirtualRig(Rig):
    """The built-in panel: what it speaks to is its document."""

    def __init__(self) -> None:
        self._repository = InMemoryScheduleRepository()
        settings = VirtualPanel(exit_delay_s=EXIT_DELAY_S, code=SecretRef(env="PANEL_CODE"))
        self.panel = self._driver = VirtualDriver(settings, "house", self._repository, SystemClock())

    async def person(self, target: Target) -> None:
        """Arm or disarm as `anna`."""
        await self._driver.arm(target, "anna")

    async def restart(self) -> None:
        """Start anew."""
        await self._driver.restart()

    async def open_zone(self, zone: str) -> None:
        """Open a zone."""
        await self._driver.open_zone(zone)

    async def talk_nonsense(self) -> None:
        """Put what is no state into its document."""
        document = await self._repository.get_document(NAMESPACE, "house")
        version = 0 if document is None else document.version
        await self._repository.commit([Change(documents=[PutDocument(NAMESPACE, "house", version, {"state": "?"})])])

    async def fall_silent(self) -> None:
        """A document that cannot be understood is as good as none."""
        await self.talk_nonsense()


@asynccontextmanager
async def virtual(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of the built-in panel."""
    yield VirtualRig()


class CommandRig(Rig):
    """The program beside this module, which keeps a panel in a file as others do behind a serial line."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "panel.json"
        quiet = {"silent": False, "nonsense": None, "code": CODE, "exit_delay": EXIT_DELAY_S}
        keep(self._file, {"target": "disarmed", "by": None, "at": 0, "zones": [], **quiet})
        program = (sys.executable, "-IS", str(PROGRAM), "{address}")
        self._settings = CommandPanel(
            set=(*program, "set", "{target}"), read=(*program, "state"), timeout_s=60, code=SecretRef(env="PANEL_CODE")
        )
        self.panel = self._driver(self._settings)

    def _driver(self, settings: CommandPanel) -> CommandDriver:
        return CommandDriver(settings, "house", str(self._file), settings.code)

    def _change(self, **changes: object) -> None:
        keep(self._file, {**json.loads(self._file.read_text(encoding="utf-8")), **changes})

    async def person(self, target: Target) -> None:
        """Set it as `anna`, without the program."""
        self._change(target=target.value, by="anna", at=0, restarted=False)

    async def restart(self) -> None:
        """Let the program find it started anew."""
        self._change(target="disarmed", by=None, at=0, restarted=True)

    async def open_zone(self, zone: str) -> None:
        """Open a zone."""
        self._change(zones=[zone])

    async def talk_nonsense(self) -> None:
        """Let the program print three lines of something."""
        self._change(nonsense="ERROR\n  line 3\n  00x42")

    async def fall_silent(self) -> None:
        """Let the program never end; nobody has to wait for long, for who is silent needs no time to answer."""
        self._change(silent=True)
        self.panel = self._driver(attrs.evolve(self._settings, timeout_s=0.2))


@asynccontextmanager
async def command(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of a panel that a program sets; no program outlives its call."""
    yield CommandRig(folder)


class HttpRig(Rig):
    """A panel on the web: a real server, in a thread of its own."""

    def __init__(self, web: Web, server: HttpAlarmPanel, secret: Path) -> None:
        self._web = web
        self._server = server
        self._settings = HttpPanel(
            set_url=web.url("/alarm/{address}"),
            read_url=web.url("/alarm/{address}/state"),
            secret=SecretRef(file=str(secret)),
            state_path="panel.mode",
            changed_by_path="panel.who",
            since_path="panel.since",
            started_path="panel.started",
            open_zones_path="zones.open",
            states={"LEAVING": Reported.ARMING} | {word: Reported(target) for target, word in MODES.items()},
            code=SecretRef(env="PANEL_CODE"),
        )
        self.panel = HttpDriver(self._settings, "house", SystemClock())

    async def person(self, target: Target) -> None:
        """Let `anna` press a key of it."""
        self._server.set(MODES[target], "anna")

    async def restart(self) -> None:
        """Switch it off and on."""
        self._server.restart()

    async def open_zone(self, zone: str) -> None:
        """Open a zone."""
        self._server.open_zones.append(zone)

    async def talk_nonsense(self) -> None:
        """Another server answers at its address."""
        self._web.answer = says(b"<html>\n<h1>It works!</h1>\n")

    async def fall_silent(self) -> None:
        """It accepts, and never answers; nobody has to wait for that any longer than is asked of a test."""
        self._web.answer = lambda _: self._web.over.wait()
        self.panel = HttpDriver(attrs.evolve(self._settings, timeout_s=0.3), "house", SystemClock())


@asynccontextmanager
async def http(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of a panel on the web."""
    secret = folder / "hook.key"
    secret.write_text("s3cr3t-of-the-hook\n")
    server = HttpAlarmPanel(CODE, "s3cr3t-of-the-hook", EXIT_DELAY_S)
    with a_web_server(server.answer) as web:
        yield HttpRig(web, server, secret)


class MqttRig(Rig):
    """A panel at a broker: a real one, and a program beside it."""

    names_persons = reports_zones = False

    def __init__(
        self, broker: Mosquitto, alarm: AlarmProcess, preset: Preset, nursery: trio.Nursery, **paths: str
    ) -> None:
        self._broker = broker
        self._alarm = alarm
        self._preset = preset
        self._nursery = nursery
        self._ledger = Ledger(InMemoryScheduleRepository())
        self._settings = settings_at(broker.port, preset, exit_delay_s=EXIT_DELAY_S, **with_code(preset), **paths)
        self.shows_at_once = preset is Preset.ALARMO
        self.tells_restarts = bool(paths)

    async def connect(self, **changes: float) -> None:
        """Reach it over a new connection."""
        connections = Connections()
        self._settings = attrs.evolve(self._settings, **changes)
        partition = Partition(name="house", site="home", panel=self._settings)
        link = broker_link(self._settings.broker, connections)
        self.panel = MqttDriver(self._settings, partition, link, SystemClock(), self._ledger)
        await self._nursery.start(connections.run)

    async def announce(self, target: Target) -> None:
        """Keep it where a restarted node finds it."""
        command = PersonsCommand(by="anna", target=target, sent_at=SystemClock().look())
        await self._ledger.announce_for_person("house", command)

    async def person(self, target: Target) -> None:
        """Let somebody press a key of it."""
        self._alarm.press(say=target.value, later_s=60.0)  # than it was started, which may be a moment ago

    async def restart(self) -> None:
        """Kill it, and start it again."""
        self._alarm.kill()
        self._alarm.start()

    async def open_zone(self, zone: str) -> None:
        """Open a zone."""
        self._alarm.press(open=[zone])

    async def talk_nonsense(self) -> None:
        """Something else speaks on its topic; whoever connects then never hears of a state."""
        self._alarm.kill()
        self._broker.put(STATE, "ERROR\n  line 3\n  00x42", retain=True)
        await self.connect(timeout_s=1.0)

    async def fall_silent(self) -> None:
        """The broker accepts, and never answers."""
        self._broker.freeze()
        await self.connect(timeout_s=0.3)


@asynccontextmanager
async def mqtt(folder: Path, preset: Preset, kind: str, **paths: str) -> AsyncIterator[Rig]:
    """Open a rig of a panel at a broker; one with paths says since when it is as it is, and when it was started."""
    settings = {"exit_delay_s": EXIT_DELAY_S, "code": CODE, "tells": bool(paths)}
    with a_broker(folder) as broker, an_alarm(broker, kind, **settings) as alarm:
        async with trio.open_nursery() as nursery:
            rig = MqttRig(broker, alarm, preset, nursery, **paths)
            await rig.connect()
            await rig.panel.read_state()
            yield rig
            broker.thaw()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def manual_mqtt(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of a panel like Home Assistant's manual_mqtt."""
    async with mqtt(folder, Preset.MANUAL_MQTT, "manual") as rig:
        yield rig


@asynccontextmanager
async def telling_mqtt(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of a panel that says since when it is as it is, and when it was started."""
    paths = {"state_path": "state", "since_path": "since", "started_path": "started"}
    async with mqtt(folder, Preset.MANUAL_MQTT, "manual", **paths) as rig:
        yield rig


@asynccontextmanager
async def alarmo(folder: Path) -> AsyncIterator[Rig]:
    """Open a rig of a panel like Alarmo."""
    async with mqtt(folder, Preset.ALARMO, "alarmo") as rig:
        yield rig


class HomeAssistantRig(Rig):
    """A panel of Home Assistant, which stands beside us in the same loop."""

    def __init__(self, home: FakeHomeAssistant, token: Path, nursery: trio.Nursery) -> None:
        self._home = home
        self._nursery = nursery
        self.tells_restarts = home.has_websocket
        self._instance = HomeAssistantInstance(name="home", url=home.url, token=SecretRef(file=str(token)))
        self.panel: Panel = self._driver(self._instance)

    def _driver(self, instance: HomeAssistantInstance) -> HomeAssistantDriver:
        connections = Connections()
        code = SecretRef(env="PANEL_CODE")
        settings = HomeAssistantPanel(instance=instance, entity=HOUSE, forgets=True, code=code)
        self._link = link_to(instance, connections)
        driver = HomeAssistantDriver(settings, self._link)
        self._nursery.start_soon(connections.run)
        return driver

    async def person(self, target: Target) -> None:
        """Let `anna` press a key of it."""
        self._home.press(target.value)

    async def restart(self) -> None:
        """Start Home Assistant anew, which forgets what its panel was, once it has told what that is."""
        if self._home.has_websocket:
            await until(lambda: self._link.is_connected)
        await self._home.fall_back()

    async def open_zone(self, zone: str) -> None:
        """Open a sensor, whose id is made of its name."""
        self._home.open_sensor(f"binary_sensor.{zone.lower().replace(' ', '_')}")

    async def talk_nonsense(self) -> None:
        """Another server answers at its address, and what stands says it, too."""
        self._home.rest = lambda *_: (200, b"<html>\n<h1>It works!</h1>\n")
        self._home.has_websocket = False
        self._home.babble("<html>\n<h1>It works!</h1>\n")

    async def fall_silent(self) -> None:
        """It accepts, and never answers; nobody has to wait for that any longer than is asked of a test."""
        self._home.is_silent = True
        self.panel = self._driver(attrs.evolve(self._instance, timeout_s=0.3))


@asynccontextmanager
async def homeassistant(folder: Path, *, has_websocket: bool = True) -> AsyncIterator[Rig]:
    """Open a rig of a panel of Home Assistant, over WebSocket."""
    token = folder / "home.token"
    token.write_text(f"{TOKEN}\n")
    async with a_home_assistant(ManualPanel(code=CODE, exit_delay_s=EXIT_DELAY_S)) as home:
        home.has_websocket = has_websocket
        async with trio.open_nursery() as nursery:
            yield HomeAssistantRig(home, token, nursery)
            nursery.cancel_scope.cancel()
        assert {over for over, _, _ in home.calls} <= {"websocket" if has_websocket else "rest"}


def homeassistant_rest(folder: Path) -> AbstractAsyncContextManager[Rig]:
    """Open a rig of the same where something on the way lets no WebSocket through."""
    return homeassistant(folder, has_websocket=False)


OpenRig: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Rig]]
RIGS: Final[dict[str, OpenRig]] = {
    "virtual": virtual,
    "command": command,
    "http": http,
    "alarmo": alarmo,
    "homeassistant": homeassistant,
    "homeassistant over REST": homeassistant_rest,
}
"""Panels that say why they do not obey."""

SILENT_RIGS: Final[dict[str, OpenRig]] = {"manual_mqtt": manual_mqtt, "mqtt that tells": telling_mqtt}
"""Panels that never do: what becomes of a command, time and reading tell."""


@pytest.fixture
def code_in_place(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the code where the panels of all rigs look for it."""
    monkeypatch.setitem(os.environ, "PANEL_CODE", CODE)
    return CODE
