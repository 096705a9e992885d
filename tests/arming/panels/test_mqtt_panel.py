"""A panel at a real broker: what counts as its state, what is said when there is none, and what is sent."""

from __future__ import annotations

import json
import logging
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.arming.panels.mqtt_alarm import COMMAND, EVENT, STATE
from tests.arming.panels.mqtt_panels import settings_at
from tests.arming.premises import some_parts
from tests.links.broker import PATIENCE_S, Mosquitto, a_broker, a_link, a_server, subscribed
from tests.links.tls import HOST, a_certificate
from trioarm.arming.connections import Connections
from trioarm.arming.ledger import Ledger, PersonsCommand
from trioarm.arming.model import MqttPanel, Partition, Reported, Target
from trioarm.arming.panels import make_panel
from trioarm.arming.panels.base import FailureKind, OwnCommand, PanelFailure, PanelReport
from trioarm.arming.panels.mqtt import MqttDriver, broker_link
from trioarm.config.mqtt import Preset
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import SECOND
from trioarm.engine.clock import SystemClock
from trioarm.links.mqtt import link
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef
from trioarm.repositories.memory import InMemoryScheduleRepository

CODE = '00"42\\'
AVAILABLE = "alarm/available"
UNDERWAY = 50_000  # messages: several times what fits between two programs and a broker
STEPS = 20  # of the loop, in which whoever does not wait has ended
LOOK_S = 0.05  # between two looks, as a change may be missed between a look and the wait for one
WITHIN_S = 1.0  # that a panel under test has to say what it is, where it never will


@attrs.define
class Remembered:
    """What was sent before, as a test wants it."""

    own: OwnCommand | None = None

    async def own_command(self, partition: str) -> OwnCommand | None:
        await trio.lowlevel.checkpoint()
        return self.own


@asynccontextmanager
async def a_driver(
    settings: MqttPanel, commands: Remembered | None = None, **partition: Any
) -> AsyncIterator[MqttDriver]:
    """Reach a panel while the context lasts."""
    connections = Connections()
    house = Partition(name="house", site="home", panel=settings, **partition)
    driver = MqttDriver(
        settings, house, broker_link(settings.broker, connections), SystemClock(), commands or Remembered()
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(connections.run)
        yield driver
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_house(
    folder: Path, preset: Preset = Preset.HOME_ASSISTANT, commands: Remembered | None = None, **settings: Any
) -> AsyncIterator[tuple[Mosquitto, MqttDriver]]:
    """Reach a panel at a broker of its own, whose part the test plays."""
    with a_broker(folder) as broker:
        async with a_driver(settings_at(broker.port, preset, **settings), commands) as driver:
            with trio.fail_after(PATIENCE_S):
                await driver._link.wait_connected()
            yield broker, driver


async def unread(driver: MqttDriver) -> str:
    """Return why a panel cannot be read; one line."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PanelFailure) as caught:
        await driver.read_state()
    assert caught.value.kind is FailureKind.UNAVAILABLE
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def read_as(driver: MqttDriver, state: Reported) -> PanelReport:
    """Return the first report of a state."""
    with trio.fail_after(PATIENCE_S):
        while True:
            report = await driver.read_state()
            if report.state is state:
                return report
            with trio.move_on_after(LOOK_S):
                await driver.changed()


async def failure_of(driver: MqttDriver, code: str | None = None, target: Target = Target.ARMED_AWAY) -> PanelFailure:
    """Return how a command fails."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PanelFailure) as caught:
        await driver.command(target, code)
    return caught.value


# What counts as its state


async def test_what_is_retained_is_its_state(tmp_path: Path) -> None:
    """It is there once the broker has told it, for whoever connects later too."""
    async with a_house(tmp_path) as (broker, driver):
        broker.put(STATE, "armed_night", retain=True)
        assert (await driver.read_state()).state is Reported.ARMED_NIGHT
        async with a_driver(settings_at(broker.port, Preset.HOME_ASSISTANT)) as later:
            assert (await later.read_state()).state is Reported.ARMED_NIGHT


async def test_what_is_not_retained_counts_when_it_is_heard(tmp_path: Path) -> None:
    """Whoever waits for the first word of a panel has it at once."""
    async with a_house(tmp_path, timeout_s=PATIENCE_S) as (broker, driver), trio.open_nursery() as nursery:
        nursery.start_soon(read_as, driver, Reported.DISARMED)
        await trio.testing.wait_all_tasks_blocked()
        broker.put(STATE, "disarmed")


async def test_where_nothing_is_heard_the_topic_is_named(tmp_path: Path) -> None:
    """Once it had its time; and who asks again then is not kept waiting."""
    async with a_house(tmp_path, timeout_s=WITHIN_S) as (_, driver):
        line = f"mqtt home: nothing is retained on {STATE}, nor was anything heard there"
        assert (await unread(driver)).startswith(line)
        said: list[str] = []

        async def ask() -> None:
            said.append(await unread(driver))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            for _ in range(STEPS):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert [one.startswith(line) for one in said] == [True]


async def test_what_was_known_is_not_known_any_more_without_a_connection(tmp_path: Path) -> None:
    """A state that the broker forgot with its own end was no longer true, as far as anybody knows."""
    async with a_house(tmp_path, timeout_s=WITHIN_S) as (broker, driver):
        broker.put(STATE, "armed_away", retain=True)
        await driver.read_state()
        broker.kill()
        await driver._link.wait_lost()
        assert (await unread(driver)).startswith("mqtt home: not connected: ")
        broker.start()
        await driver._link.wait_connected()
        assert "nothing is retained" in await unread(driver)


@pytest.mark.parametrize("payload", ["ARMED?", b"\xff\xfe", "", "{}", "x" * 60_000, "armed_away\n\ndisarmed"])
async def test_what_is_no_state_changes_nothing(
    payload: str | bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The state before stays, as Home Assistant has it; of however much of that one line is said (A6.2)."""
    caplog.set_level(logging.WARNING, logger="trioarm.arming")
    async with a_house(tmp_path) as (broker, driver):
        broker.put(STATE, "armed_home")
        await read_as(driver, Reported.ARMED_HOME)
        for _ in range(3):
            broker.put(STATE, payload)
        broker.put("the/end", "")
        async with subscribed(driver._link, STATE):
            assert (await driver.read_state()).state is Reported.ARMED_HOME
        broker.put(STATE, "disarmed")
        await read_as(driver, Reported.DISARMED)
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("trioarm")]
    assert line.startswith("house: what was heard last is no state, so the one before counts: ")
    assert len(line) < 300
    assert "\n" not in line


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("ARMED?", 'its state is "ARMED?", which means nothing here: say it in states, like'),
        (b"\xff\xfe", "the message is no text: it is no UTF-8"),
        ("x" * 1_000_000, "the message has more than 65536 bytes"),
    ],
)
async def test_a_retained_message_that_is_no_state_is_none(payload: str | bytes, why: str, tmp_path: Path) -> None:
    """One line says what was found instead, and on which topic."""
    async with a_house(tmp_path, timeout_s=WITHIN_S) as (broker, driver):
        broker.put(STATE, payload, retain=True)
        assert (await unread(driver)).startswith(f"mqtt home: {STATE} tells no state: {why}")


async def test_a_panel_can_say_that_it_is_not_there(tmp_path: Path) -> None:
    """What it said before does not count then, and who never says that it is there is not."""
    async with a_house(tmp_path, timeout_s=WITHIN_S, availability_topic=AVAILABLE) as (broker, driver):
        broker.put(STATE, "armed_away", retain=True)
        assert f"nothing is retained on {AVAILABLE}" in await unread(driver)
        broker.put(AVAILABLE, "online", retain=True)
        await read_as(driver, Reported.ARMED_AWAY)
        broker.put(AVAILABLE, "offline", retain=True)
        await driver.changed()
        assert f'the panel is not there: {AVAILABLE} does not say "online"' in await unread(driver)


async def test_what_it_says_beside_its_state_is_reported(tmp_path: Path) -> None:
    """Who made it so, since when, and what stands open, where its JSON tells."""
    paths = {"state_path": "mode", "changed_by_path": "who", "since_path": "at", "open_zones_path": "zones"}
    states = {"AWAY": Reported.ARMED_AWAY}
    async with a_house(tmp_path, states=states, **paths) as (broker, driver):
        said = {"mode": "AWAY", "who": "anna", "at": "2026-11-23T22:00:00Z", "zones": ["Cellar"]}
        broker.put(STATE, json.dumps(said), retain=True)
        report = await driver.read_state()
    assert (report.state, report.changed_by, report.open_zones) == (Reported.ARMED_AWAY, "anna", ("Cellar",))
    assert report.since_at == 1795471200 * SECOND


async def test_whoever_waits_for_news_has_them(tmp_path: Path) -> None:
    """Another state, and the end of a connection; what is said again wakes nobody."""
    async with a_house(tmp_path) as (broker, driver):
        broker.put(STATE, "disarmed", retain=True)
        await driver.read_state()
        broker.put(STATE, "disarmed")
        async with subscribed(driver._link, "the/end"):  # from when that was heard
            with trio.move_on_after(0.05) as quiet:
                await driver.changed()
        assert quiet.cancelled_caught
        for happens in (lambda: broker.put(STATE, "armed_away"), broker.kill):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(driver.changed)
                await trio.testing.wait_all_tasks_blocked()
                happens()
                nursery.cancel_scope.deadline = trio.current_time() + PATIENCE_S
            assert not nursery.cancel_scope.cancelled_caught


# Exit delay or entry delay (A6.2)


def ours(ago_s: float, target: Target = Target.ARMED_AWAY, *, is_confirmed: bool = False) -> OwnCommand:
    sent_at = SystemClock().look() - round(ago_s * SECOND)
    return OwnCommand(target=target, sent_at=sent_at, is_confirmed=is_confirmed)


@pytest.mark.parametrize(
    ("own", "state"),
    [
        (lambda: None, Reported.PENDING),
        (lambda: ours(5), Reported.ARMING),
        (lambda: ours(5, Target.DISARMED), Reported.PENDING),
        (lambda: ours(5, is_confirmed=True), Reported.PENDING),
        (lambda: ours(60 + 30 + 5), Reported.PENDING),
        (lambda: ours(-600), Reported.PENDING),
    ],
)
async def test_pending_is_the_exit_delay_of_a_command_of_ours(
    own: Callable[[], OwnCommand | None], state: Reported, tmp_path: Path
) -> None:
    """One that is not confirmed, and not older than exit delay and 30 s; else it is an entry delay."""
    async with a_house(tmp_path, Preset.MANUAL_MQTT, Remembered(own()), exit_delay_s=60.0) as (broker, driver):
        broker.put(STATE, "pending", retain=True)
        report = await driver.read_state()
    assert report.state is state
    assert report.toward is (Target.ARMED_AWAY if state is Reported.ARMING else None)


async def test_once_it_was_armed_pending_is_an_entry_delay(tmp_path: Path) -> None:
    """However recent our command is."""
    async with a_house(tmp_path, Preset.MANUAL_MQTT, Remembered(ours(5))) as (broker, driver):
        for said, state in (("pending", Reported.ARMING), ("armed_away", Reported.ARMED_AWAY)):
            broker.put(STATE, said)
            await read_as(driver, state)
        broker.put(STATE, "pending")
        await read_as(driver, Reported.PENDING)


async def test_other_panels_mean_an_entry_delay_by_pending(tmp_path: Path) -> None:
    """They say `arming` where they mean it."""
    async with a_house(tmp_path, Preset.HOME_ASSISTANT, Remembered(ours(5))) as (broker, driver):
        broker.put(STATE, "pending", retain=True)
        assert (await driver.read_state()).state is Reported.PENDING


async def test_what_was_sent_last_is_remembered_by_whoever_commanded(tmp_path: Path) -> None:
    """The newest of a schedule's and a person's commands, and whether it was confirmed, from what the ledger keeps."""
    ledger = Ledger(InMemoryScheduleRepository())
    assert await ledger.own_command("house") is None
    for at, target in ((1, Target.ARMED_AWAY), (2, Target.ARMED_NIGHT)):
        await ledger.announce_for_person("house", PersonsCommand(by="anna", target=target, sent_at=at * SECOND))
    assert await ledger.own_command("house") == OwnCommand(
        target=Target.ARMED_NIGHT, sent_at=2 * SECOND, is_confirmed=False
    )
    for state, is_confirmed in ((Reported.ARMING, False), (Reported.ARMED_NIGHT, True)):
        report = PanelReport(state=state)
        await ledger.conclude_for_person(
            "anna", "house", verb="arm", before=report, after=report, reason="", now=3 * SECOND
        )
        own = await ledger.own_command("house")
        assert own is not None
        assert own.is_confirmed is is_confirmed


# What is sent


async def test_commands_are_acknowledged_and_never_retained(tmp_path: Path) -> None:
    """Whoever listens hears them, and whoever comes later does not (A3.6)."""
    async with (
        a_house(tmp_path) as (broker, driver),
        a_link(broker.settings()) as panel,
        subscribed(panel, COMMAND) as commands,
    ):
        await driver.command(Target.ARMED_NIGHT, None)
        heard = await commands.receive()
        assert (heard.payload, heard.is_retained) == (b"ARM_NIGHT", False)
        async with subscribed(panel, "#") as later:
            assert later.latest(COMMAND) is None


async def test_codes_with_quotes_are_json_all_the_same(tmp_path: Path) -> None:
    """And what it is called where it has several partitions; what there is none of is left out."""
    template = '{"command": "{action}", "code": "{code}", "area": "{address}", "keep": 1}'
    with a_broker(tmp_path) as broker:
        settings = settings_at(broker.port, Preset.HOME_ASSISTANT, command_template=template)
        async with (
            a_driver(settings, address="attic") as attic,
            a_driver(settings) as house,
            a_link(broker.settings()) as panel,
            subscribed(panel, COMMAND) as commands,
        ):
            await attic._link.wait_connected()
            await house._link.wait_connected()
            await attic.command(Target.ARMED_AWAY, CODE)
            said = {"command": "ARM_AWAY", "code": CODE, "area": "attic", "keep": 1}
            assert json.loads((await commands.receive()).payload) == said
            await house.command(Target.DISARMED, None)
            assert json.loads((await commands.receive()).payload) == {"command": "DISARM", "keep": 1}


async def test_a_target_it_does_not_know_is_rejected(tmp_path: Path) -> None:
    """Nothing is sent, and the line says what it knows."""
    async with a_house(tmp_path, payloads={Target.ARMED_AWAY: "ON"}) as (_, driver):
        failure = await failure_of(driver, target=Target.ARMED_NIGHT)
    assert failure.kind is FailureKind.REJECTED
    assert str(failure) == "the panel knows no armed_night, only armed_away: look at its payloads"


async def test_a_command_that_nobody_acknowledges_is_not_known_to_have_arrived(tmp_path: Path) -> None:
    """The broker had its time; the connection is given up, so what follows is read anew (A3.2)."""
    async with a_house(tmp_path, timeout_s=WITHIN_S) as (broker, driver):
        broker.put(STATE, "disarmed", retain=True)
        await driver.read_state()
        broker.freeze()
        failure = await failure_of(driver)
        assert failure.kind is FailureKind.UNAVAILABLE
        assert "did not acknowledge it within 1 s" in str(failure)
        assert "not connected" in await unread(driver)
        broker.thaw()
        with trio.fail_after(PATIENCE_S):
            await driver._link.wait_connected()
        assert (await driver.read_state()).state is Reported.DISARMED


@pytest.mark.parametrize("event", ["{}", "x", "[]", '{"event": 1}', '{"event": "TRIGGER"}', "x" * 100_000])
async def test_events_that_say_nothing_to_a_command_are_no_answer(event: str, tmp_path: Path) -> None:
    """Whoever commands waits a moment for an answer, then reads."""
    async with (
        a_house(tmp_path, Preset.ALARMO, timeout_s=WITHIN_S) as (broker, driver),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(driver.command, Target.ARMED_AWAY, None)
        broker.put(EVENT, event)


async def test_answers_of_yesterday_are_none(tmp_path: Path) -> None:
    """A retained event was no answer to this command."""
    refusal = json.dumps({"event": "INVALID_CODE_PROVIDED"})
    with a_broker(tmp_path) as broker:
        broker.put(EVENT, refusal, retain=True)
        broker.put(STATE, "disarmed", retain=True)
        async with a_driver(settings_at(broker.port, Preset.ALARMO, timeout_s=WITHIN_S)) as driver:
            await driver.read_state()
            await driver.command(Target.ARMED_AWAY, None)


# Trouble


async def test_nothing_secret_is_said_of_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it repeats the code: in a state, in the names of its zones, in what it never was asked for (A5.2)."""
    caplog.set_level(logging.DEBUG, logger="trioarm")
    monkeypatch.setitem(os.environ, "PANEL_CODE", "9x210")
    code = SecretRef(env="PANEL_CODE")
    async with a_house(tmp_path, Preset.ALARMO, code=code, timeout_s=WITHIN_S) as (broker, driver):
        broker.put(STATE, "wrong: 9x210", retain=True)
        lines = [await unread(driver)]
        async with a_link(broker.settings()) as panel, subscribed(panel, COMMAND) as commands:

            async def refuse() -> None:
                await commands.receive()
                sensors = [{"name": "Zone 9x210"}, {"entity_id": "binary_sensor.door"}]
                said = json.dumps({"event": "FAILED_TO_ARM", "sensors": sensors})
                await panel.publish(EVENT, said, within_s=PATIENCE_S)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(refuse)
                failure = await failure_of(driver, "9x210")
    assert (failure.kind, failure.zones) == (FailureKind.BLOCKED, ("Zone ***", "binary_sensor.door"))
    lines += [str(failure), *(record.getMessage() for record in caplog.records)]
    assert "***" in lines[0]
    assert "9x210" not in "\n".join(lines)


async def test_a_password_of_the_broker_is_shown_to_nobody(tmp_path: Path) -> None:
    """Right, it lets us in; wrong, the line says that, and not what it was."""
    password = tmp_path / "password"
    with a_broker(tmp_path, users={"trioarm": "s3cret"}) as broker:
        password.write_text("wr0ng\n")
        home = MqttBroker(
            name="home", host=HOST, port=broker.port, username="trioarm", password=SecretRef(file=str(password))
        )
        settings = settings_at(broker.port, Preset.HOME_ASSISTANT, timeout_s=WITHIN_S, broker=home)
        async with a_driver(settings) as driver:
            line = await unread(driver)
            assert "not authori" in line
            assert "wr0ng" not in line
            password.write_text("s3cret\n")  # taken without a restart
            with trio.fail_after(PATIENCE_S):
                await driver._link.wait_connected()


async def test_a_broker_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    """By the file that is named; without it nothing is said over the connection."""
    certificate = a_certificate(tmp_path)
    with a_broker(tmp_path, certificate=certificate) as broker:
        home = MqttBroker(name="home", host=HOST, port=broker.port, tls=True, ca_file=str(certificate.ca))
        for trusted, is_read in ((home, True), (attrs.evolve(home, ca_file=None), False)):
            settings = settings_at(broker.port, Preset.HOME_ASSISTANT, timeout_s=WITHIN_S, broker=trusted)
            async with a_driver(settings) as driver:
                line = await unread(driver)
                assert ("nothing is retained" in line, "certificate verify failed" in line) == (is_read, not is_read)


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started, and with the broker that needs it."""
    monkeypatch.setattr(link, "find_spec", lambda _: None)
    partition = Partition(name="house", site="home", panel=settings_at(1883, Preset.ALARMO))
    with pytest.raises(ConfigurationError) as caught:
        make_panel(partition, some_parts())
    assert caught.value.problems == ("mqtt.home: MQTT needs paho-mqtt: python -m pip install 'trioarm[mqtt]'",)


async def test_one_broker_in_trouble_is_in_nobody_elses_way(tmp_path: Path) -> None:
    """One accepts and never answers, another is frozen: a panel at a third is commanded meanwhile, within moments."""
    folders = [tmp_path / name for name in ("frozen", "well")]
    for folder in folders:
        folder.mkdir()
    with a_broker(folders[0]) as frozen, a_broker(folders[1]) as well:
        frozen.freeze()
        async with a_server(silent) as port, trio.open_nursery() as nursery:
            for silenced in (port, frozen.port):
                driver = await nursery.start(_reached, settings_at(silenced, Preset.HOME_ASSISTANT, timeout_s=60.0))
                nursery.start_soon(driver.read_state)
            driver = await nursery.start(_reached, settings_at(well.port, Preset.HOME_ASSISTANT))
            with trio.fail_after(PATIENCE_S):
                well.put(STATE, "disarmed", retain=True)
                await driver.read_state()
                await driver.command(Target.ARMED_AWAY, None)
            nursery.cancel_scope.cancel()
        frozen.thaw()


async def silent(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def _reached(settings: MqttPanel, *, task_status: trio.TaskStatus[MqttDriver] = trio.TASK_STATUS_IGNORED) -> None:
    async with a_driver(settings) as driver:
        task_status.started(driver)
        await trio.sleep_forever()


@pytest.mark.parametrize("flood", ["disarmed", "rubbish" * 12], ids=["state", "rubbish"])
async def test_a_flood_on_one_topic_holds_up_no_other_panel(flood: str, tmp_path: Path) -> None:
    """Only the newest message of a topic is kept; a command at the same broker is acknowledged while it lasts, though
    the broker drops what it cannot hand on, and mosquitto even what it owes."""
    with a_broker(tmp_path) as broker:
        flooded = settings_at(broker.port, Preset.HOME_ASSISTANT)
        other = attrs.evolve(flooded, state_topic="other/state", command_topic="other/command")
        connections = Connections()
        drivers = [
            MqttDriver(
                settings,
                Partition(name=name, site="home", panel=settings),
                broker_link(settings.broker, connections),
                SystemClock(),
                Remembered(),
            )
            for name, settings in (("house", flooded), ("garage", other))
        ]
        async with trio.open_nursery() as nursery:
            await nursery.start(connections.run)
            broker.put("other/state", "disarmed", retain=True)
            broker.put(STATE, "armed_home", retain=True)
            for driver in drivers:
                await driver.read_state()
            with trio.fail_after(PATIENCE_S):
                async with trio.open_nursery() as flooding:
                    await flooding.start(_flood, broker.port, flood)
                    for _ in range(5):
                        await drivers[1].command(Target.ARMED_AWAY, None)
                    assert drivers[1]._link.is_connected
                    flooding.cancel_scope.cancel()
                await _told_until_it_is_heard(broker, drivers[0])
            nursery.cancel_scope.cancel()


async def _flood(port: int, payload: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Say something on the topic of a state, faster than anybody hears it; started once much of it is underway."""
    body = struct.pack("!H", len(STATE)) + f"{STATE}{payload}".encode()
    packets = (b"\x30" + struct.pack("!B", len(body)) + body) * 1000
    async with await trio.open_tcp_stream(HOST, port) as stream:
        await stream.send_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05flood")
        for _ in range(UNDERWAY // 1000):
            await stream.send_all(packets)
        task_status.started()
        while True:
            await stream.send_all(packets)


async def _told_until_it_is_heard(broker: Mosquitto, driver: MqttDriver) -> None:
    """Say it again and again: a broker drops what it cannot hand on while it is flooded."""
    heard = False
    while not heard:
        broker.put(STATE, "armed_away")
        with trio.move_on_after(1.0):
            await read_as(driver, Reported.ARMED_AWAY)
            heard = True


def test_partitions_that_are_commanded_on_one_topic_take_turns() -> None:
    """They are of one panel, as far as anybody knows (A3.8)."""
    settings = settings_at(1883, Preset.ALARMO)
    other = attrs.evolve(settings, command_topic="other/command")
    link = broker_link(settings.broker, Connections())
    names = [
        MqttDriver(one, Partition(name="x", site="home", panel=one), link, SystemClock(), Remembered()).name
        for one in (settings, attrs.evolve(settings, state_topic="attic/state"), other)
    ]
    assert names == ["mqtt:home:alarm/command"] * 2 + ["mqtt:home:other/command"]
