"""Whole nodes at a real broker, seen and pressed by what behaves like Home Assistant (A6.1)."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.arming.discovery.home import WITHIN_S, a_home
from tests.cli.programs import said, started
from tests.config.writing import config_of, write
from tests.links.broker import Mosquitto, a_broker
from tests.notify.houses import until
from trioarm import Scheduler, open_scheduler
from trioarm.arming.audit import AUDIT, OBSERVED
from trioarm.arming.discovery.answers import PRESSES
from trioarm.arming.discovery.discovery import Discovery
from trioarm.arming.discovery.presses import PRESSES_MAX
from trioarm.arming.installation import Installation
from trioarm.components import scheduler_components
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.operations import JOURNAL
from trioarm.core.queries import JournalEntry, RunQuery
from trioarm.core.record import ScheduleState
from trioarm.core.run import Origin, Run
from trioarm.engine.ports import ScheduleRepository

HOUSE = """
[scheduler]
store = "sqlite:///trioarm.db"

[site.home]
timezone = "Europe/Prague"

[mqtt.home]
host = "127.0.0.1"
port = PORT

[discovery]
broker = "home"
MORE

[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "1s", open_zones = ZONES }
"""
NIGHT = """
[[schedule]]
name = "weeknight"
partition = "house"
target = "armed_night"
once = "2999-01-01T22:00:00Z"
"""
SCHEDULE = "trioarm_schedule_weeknight_2fhouse"
PARTITION = "trioarm_partition_house"
ENTITIES = {f"{SCHEDULE}_{what}" for what in ("enabled", "next_run", "last_result", "skip", "postpone", "run")} | {
    f"{PARTITION}_{what}" for what in ("problem", "desired", "state")
}
CONTROLS = {f"{PARTITION}_{what}" for what in ("panel", "hold")}


def house(broker: Mosquitto, more: str = "", zones: str = "[]") -> str:
    """Return a configuration."""
    return HOUSE.replace("PORT", str(broker.port)).replace("MORE", more).replace("ZONES", zones)


@asynccontextmanager
async def a_node(folder: Path, text: str) -> AsyncIterator[tuple[Scheduler, ScheduleRepository]]:
    """Be a node while the context lasts."""
    container = scheduler_components(config_of(folder, text))
    async with open_scheduler(container=container) as scheduler:
        yield scheduler, container.get(ScheduleRepository)


async def journal(repository: ScheduleRepository, namespace: str) -> list[JournalEntry]:
    """Return all of a journal."""
    return await repository.read_journal(namespace, limit=1000)


async def manual_runs(scheduler: Scheduler) -> list[Run]:
    """Return the runs that somebody began by hand."""
    page = await scheduler.runs.find(RunQuery(origins=frozenset({Origin.MANUAL})))
    return [*page.rows]


async def let_moments_pass(repository: ScheduleRepository) -> None:
    """Let what was pressed be long ago: the same again, within moments, is one press."""
    document = await repository.get_document(PRESSES, "trioarm")
    assert document is not None
    put = PutDocument(PRESSES, "trioarm", document.version, None)
    assert await repository.commit([Change(documents=[put])]) == [Verdict.DONE]


async def test_all_there_is_is_announced_and_shown(tmp_path: Path) -> None:
    """Entities that Home Assistant takes as they are, by schedule and partition, with what is known of them."""
    with a_broker(tmp_path) as broker:
        async with a_home(broker) as home, a_node(tmp_path, house(broker) + NIGHT):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            await home.shows(f"{PARTITION}_state", "disarmed")
            assert home.entities.keys() == ENTITIES
            assert home.state(f"{SCHEDULE}_next_run") == "2999-01-01T22:00:00Z"
            assert home.state(f"{SCHEDULE}_last_result") is None
            assert home.state(f"{PARTITION}_desired") is None
            assert home.state(f"{PARTITION}_problem") == "OFF"
            assert {one["device"]["name"] for one in home.entities.values()} == {"weeknight/house", "house"}
        async with a_home(broker) as late:  # all of it is retained, and that we have gone
            await late.until(lambda: late.entities.keys() == ENTITIES)
            await late.until(lambda: late.values.get("trioarm/availability") == b"offline")
            assert late.state(f"{SCHEDULE}_enabled") == "ON"


async def test_the_switch_pauses_and_resumes(tmp_path: Path) -> None:
    """The engine says what it is then; who did it is on record (A5.3)."""
    with a_broker(tmp_path) as broker:
        async with a_home(broker) as home, a_node(tmp_path, house(broker) + NIGHT) as (scheduler, repository):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            await home.press(f"{SCHEDULE}_enabled", "OFF")
            await home.shows(f"{SCHEDULE}_enabled", "OFF")
            assert (await scheduler.schedules.get("weeknight/house")).state is ScheduleState.PAUSED
            assert home.state(f"{SCHEDULE}_next_run") is None
            await home.shows(f"{SCHEDULE}_last_result", "paused")
            await home.press(f"{SCHEDULE}_enabled", "ON")
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            done = [(entry.body["actor"], entry.body["verb"]) for entry in await journal(repository, JOURNAL)]
            assert ("mqtt:home", "pause") in done
            assert ("mqtt:home", "resume") in done


async def test_the_buttons_postpone_skip_and_run(tmp_path: Path) -> None:
    """Each press postpones further, until the engine refuses, which is told; then it is skipped (A4.2)."""
    with a_broker(tmp_path) as broker:
        text = house(broker, 'postpone = "1h"') + NIGHT
        async with a_home(broker) as home, a_node(tmp_path, text) as (scheduler, repository):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            for instant, local in (
                ("2999-01-01T23:00:00Z", "2999-01-02 00:00"),
                ("2999-01-02T00:00:00Z", "2999-01-02 01:00"),
            ):
                await home.press(f"{SCHEDULE}_postpone")
                await home.shows(f"{SCHEDULE}_next_run", instant)
                await home.shows(f"{SCHEDULE}_last_result", f"postponed to {local}")
                await let_moments_pass(repository)
            await home.press(f"{SCHEDULE}_postpone")
            await home.until(lambda: str(home.state(f"{SCHEDULE}_last_result")).startswith("refused: "))
            assert "at most 2h after its time" in home.state(f"{SCHEDULE}_last_result")
            await home.press(f"{SCHEDULE}_skip")
            await home.shows(f"{SCHEDULE}_next_run", None)
            await home.press(f"{SCHEDULE}_run")
            await home.shows(f"{SCHEDULE}_last_result", "succeeded")
            await home.shows(f"{PARTITION}_state", "armed_night")
            assert len(await manual_runs(scheduler)) == 1


async def test_partitions_are_commanded_only_where_that_is_allowed(tmp_path: Path) -> None:
    """Armed, disarmed, held and released; each is in the audit (A5.1)."""
    with a_broker(tmp_path) as broker:
        text = house(broker, "control = true") + NIGHT
        async with a_home(broker) as home, a_node(tmp_path, text) as (_, repository):
            await home.shows(f"{PARTITION}_panel", "disarmed")
            assert home.entities.keys() == ENTITIES | CONTROLS
            await home.press(f"{PARTITION}_panel", "ARM_AWAY")
            await home.shows(f"{PARTITION}_panel", "armed_away")
            await home.press(f"{PARTITION}_hold", "ON")
            await home.shows(f"{PARTITION}_hold", "ON")
            await home.press(f"{PARTITION}_hold", "OFF")
            await home.shows(f"{PARTITION}_hold", "OFF")
            await home.press(f"{PARTITION}_panel", "DISARM")
            await home.shows(f"{PARTITION}_panel", "disarmed")
            done = [(entry.body["actor"], entry.body["verb"]) for entry in await journal(repository, AUDIT)]
            assert {actor for actor, _ in done} == {"mqtt:home"}
            assert [verb for _, verb in done if verb != OBSERVED] == ["arm", "hold", "release", "disarm"]


async def test_a_newer_command_takes_the_place_of_one_on_its_way_and_the_same_twice_is_one(tmp_path: Path) -> None:
    """A second press of the same does not give up the first; another does."""
    with a_broker(tmp_path) as broker:
        text = house(broker, "control = true") + NIGHT
        async with a_home(broker) as home, a_node(tmp_path, text) as (_, repository):
            await home.shows(f"{PARTITION}_panel", "disarmed")
            await home.press(f"{PARTITION}_panel", "ARM_AWAY")
            await home.press(f"{PARTITION}_panel", "ARM_AWAY")
            await home.shows(f"{PARTITION}_panel", "armed_away")
            commands = [entry for entry in await journal(repository, AUDIT) if entry.body["verb"] != OBSERVED]
            assert [entry.body["verb"] for entry in commands] == ["arm"]
            await home.press(f"{PARTITION}_panel", "DISARM")
            await home.shows(f"{PARTITION}_panel", "disarmed")
            await home.press(f"{PARTITION}_panel", "ARM_NIGHT")
            await home.press(f"{PARTITION}_panel", "DISARM")
            await home.until(lambda: b"disarmed: it reports disarmed" in home.values["trioarm/partition/house/state"])
            assert home.state(f"{PARTITION}_panel") == "disarmed"


async def test_a_panel_at_the_same_broker_shares_the_connection(tmp_path: Path) -> None:
    """One link of ours is there, and its last will is that of discovery."""
    panel = 'panel = { kind = "mqtt", broker = "home", preset = "manual_mqtt", state_topic = "s", command_topic = "c" }'
    with a_broker(tmp_path) as broker:
        shed = f'[partition.shed]\nsite = "home"\n{panel}\n'
        broker.put("s", "armed_away", retain=True)
        async with a_home(broker) as home:
            async with a_node(tmp_path, house(broker) + shed + NIGHT):
                await home.shows("trioarm_partition_shed_state", "armed_away")
                broker.put("s", "disarmed", retain=True)
                await home.shows("trioarm_partition_shed_state", "disarmed")
            await home.until(lambda: home.values["trioarm/availability"] == b"offline")
        ours = [line for line in broker.said if " connected from " in line and " as trioarm-" in line]
        assert len(ours) == 3  # that which looks on, and both lines of the node


async def test_where_it_is_not_allowed_nobody_listens(tmp_path: Path) -> None:
    """The topics are not even subscribed to; a press on another is obeyed after it, so it was not merely late."""
    with a_broker(tmp_path) as broker:
        async with a_home(broker) as home, a_node(tmp_path, house(broker) + NIGHT) as (_, repository):
            await home.shows(f"{PARTITION}_state", "disarmed")
            for topic, payload in (("command", "ARM_AWAY"), ("hold", "ON")):
                await home.link.publish(f"trioarm/partition/house/{topic}", payload, within_s=WITHIN_S)
            await home.press(f"{SCHEDULE}_skip")
            await home.shows(f"{SCHEDULE}_last_result", "the next run is skipped")
            assert home.state(f"{PARTITION}_state") == "disarmed"
            assert await journal(repository, AUDIT) == []


async def test_retained_commands_garbage_and_floods_are_not_obeyed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is retained may be old (A3.6); what is garbage means nothing; of a flood a few are obeyed, and one line."""
    with a_broker(tmp_path) as broker:
        broker.put("trioarm/schedule/weeknight_2fhouse/run", "PRESS", retain=True)
        broker.put("trioarm/schedule/weeknight_2fhouse/enable", "OFF", retain=True)
        async with a_home(broker) as home, a_node(tmp_path, house(broker) + NIGHT) as (scheduler, _):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            garbage = b"\xff\x00" * 20_000
            for topic in ("run", "enable", "skip"):
                await home.link.publish(f"trioarm/schedule/weeknight_2fhouse/{topic}", garbage, within_s=WITHIN_S)
            await home.link.publish("trioarm/schedule/nobody/run", "PRESS", within_s=WITHIN_S)
            async with trio.open_nursery() as nursery:
                for _ in range(10 * PRESSES_MAX):
                    nursery.start_soon(home.press, f"{SCHEDULE}_run")
            await home.shows(f"{SCHEDULE}_last_result", "succeeded")
            assert len(await manual_runs(scheduler)) == 1
            assert home.state(f"{SCHEDULE}_enabled") == "ON"
    lines = [one.message for one in caplog.records if ": ignored, " in one.message]
    assert len(lines) == 1
    assert "a retained message on 'trioarm/schedule/weeknight_2fhouse/" in lines[0]


async def test_home_assistant_that_comes_back_is_told_all_again(tmp_path: Path) -> None:
    """Within seconds of its birth."""
    with a_broker(tmp_path) as broker:
        async with a_home(broker) as home, a_node(tmp_path, house(broker) + NIGHT):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            await home.shows(f"{PARTITION}_state", "disarmed")
            topics = [topic for topic in home.told if topic.endswith(("/config", "/state"))]
            before = dict(home.told)
            await home.come()
            await home.until(lambda: all(home.told[topic] > before[topic] for topic in topics))


async def test_a_broker_that_forgot_all_is_told_what_is_true_then(tmp_path: Path) -> None:
    """Nothing is queued meanwhile; a schedule that was paused while it was away is shown so."""
    with a_broker(tmp_path) as broker:
        async with a_node(tmp_path, house(broker) + NIGHT) as (scheduler, _):
            async with a_home(broker) as home:
                await home.shows(f"{SCHEDULE}_enabled", "ON")
            broker.kill()
            await scheduler.schedules.pause("weeknight/house")
            await scheduler.schedules.resume("weeknight/house")
            await scheduler.schedules.pause("weeknight/house")
            broker.start()
            async with a_home(broker) as home:
                await home.shows(f"{SCHEDULE}_enabled", "OFF")
                await home.shows(f"{PARTITION}_state", "disarmed")
                assert home.entities.keys() == ENTITIES


async def test_what_is_gone_is_removed_after_a_restart_too(tmp_path: Path) -> None:
    """Another schedule takes its place, and partitions are no longer commanded: nothing of the old is left."""
    with a_broker(tmp_path) as broker:
        async with a_home(broker) as home:
            async with a_node(tmp_path, house(broker, "control = true") + NIGHT):
                await home.shows(f"{PARTITION}_panel", "disarmed")
                await home.shows(f"{SCHEDULE}_enabled", "ON")
            other = NIGHT.replace("weeknight", "weekend")
            async with a_node(tmp_path, house(broker) + other):
                await home.shows("trioarm_schedule_weekend_2fhouse_enabled", "ON")
                await home.until(lambda: len(home.entities) == len(ENTITIES))
                await home.until(lambda: home.values["trioarm/schedule/weeknight_2fhouse/state"] == b"")
                assert not any("weeknight" in unique for unique in home.entities)
                assert not home.entities.keys() & CONTROLS


async def test_a_failed_arming_is_a_problem_until_somebody_has_seen_it(tmp_path: Path) -> None:
    """With what is wrong in its attributes."""
    with a_broker(tmp_path) as broker:
        text = house(broker, zones='["back door"]') + NIGHT
        async with a_home(broker) as home, a_node(tmp_path, text) as (scheduler, _):
            await home.shows(f"{PARTITION}_problem", "OFF")
            await home.press(f"{SCHEDULE}_run")
            await home.shows(f"{PARTITION}_problem", "ON")
            told = json.loads(home.values["trioarm/partition/house/state"])
            assert "back door" in told["alerts"][0]
            assert told["open_zones"] == ["back door"]
            [alert] = (await scheduler.alerts.find()).rows
            await said(tmp_path, "alerts", "ack", alert.id)
            await home.shows(f"{PARTITION}_problem", "OFF")


async def test_two_nodes_on_one_store_obey_a_press_once(tmp_path: Path) -> None:
    """Both announce the same; and one that ends does not leave the other shown as gone."""
    with a_broker(tmp_path) as broker:
        text = house(broker) + NIGHT
        async with a_home(broker) as home, a_node(tmp_path, text) as (scheduler, _):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            async with a_node(tmp_path, text):
                before = home.told["trioarm/availability"]
                await home.come()
                await home.until(lambda: home.told["trioarm/availability"] >= before + 2)
                await home.press(f"{SCHEDULE}_run")
                await home.shows(f"{SCHEDULE}_last_result", "succeeded")
                assert len(await manual_runs(scheduler)) == 1
                seen = home.told["trioarm/availability"]
            await home.until(lambda: home.told["trioarm/availability"] >= seen + 2)
            await home.until(lambda: home.values["trioarm/availability"] == b"online")


RUN = ("-m", "trioarm", "run", "--set", "log.level=debug")


async def test_who_is_killed_is_gone_and_other_programs_are_heard(tmp_path: Path) -> None:
    """The broker says so by the last will; what another process changed was shown before, within seconds."""
    with a_broker(tmp_path) as broker:
        write(tmp_path, house(broker) + NIGHT)
        async with a_home(broker) as home:
            async with started(tmp_path, RUN) as program:
                await program.line_with("started")
                await home.shows(f"{SCHEDULE}_enabled", "ON")
                await said(tmp_path, "schedules", "pause", "weeknight/house")
                await home.shows(f"{SCHEDULE}_enabled", "OFF")
                assert home.values["trioarm/availability"] == b"online"  # the command that ended said nothing else
                program.process.kill()
                await home.until(lambda: home.values["trioarm/availability"] == b"offline")
                assert not home.is_available(f"{SCHEDULE}_enabled")
            async with started(tmp_path, RUN) as program:
                await home.shows(f"{SCHEDULE}_enabled", "OFF")
                program.process.send_signal(signal.SIGTERM)
                await program.end()
                await home.until(lambda: home.values["trioarm/availability"] == b"offline")


async def test_a_broker_that_is_away_keeps_no_node_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Health says so, and the log once."""
    caplog.set_level(logging.INFO, logger="trioarm")
    with a_broker(tmp_path) as broker:
        broker.kill()
        async with a_node(tmp_path, house(broker) + NIGHT) as (scheduler, _):
            await until(lambda: "connection refused" in caplog.text)
            [reasons] = [one.reasons for one in (await scheduler.health()).components if one.component == "discovery"]
            assert reasons[0].startswith("discovery at mqtt.home: ")
            broker.start()
            async with a_home(broker) as home:
                await home.shows(f"{SCHEDULE}_enabled", "ON")
            assert (await scheduler.health()).level.value == "healthy"


async def test_a_store_that_is_out_of_reach_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, in health too; once the store is back, all is shown."""
    with a_broker(tmp_path) as broker:
        container = scheduler_components(config_of(tmp_path, house(broker) + NIGHT))
        repository, discovery = container.get(ScheduleRepository), container.get(Discovery)
        async with a_home(broker) as home, trio.open_nursery() as nursery:
            await nursery.start(container.get(Installation).run)
            nursery.start_soon(discovery.run)
            await until(lambda: " is closed" in str(discovery.health()))
            await home.link.publish("trioarm/availability", b"offline", within_s=WITHIN_S)  # a reason to look again
            await until(lambda: " is closed" in str(discovery.health()))
            await repository.open()
            await home.link.publish("trioarm/availability", b"offline", within_s=WITHIN_S)
            await home.shows(f"{PARTITION}_state", None)
            await until(lambda: getattr(discovery.health(), "reasons", ()) == ())
            nursery.cancel_scope.cancel()
        await repository.close()
    assert len([one for one in caplog.records if " is closed" in one.message]) == 1
