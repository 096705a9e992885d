"""What is shown of schedules, as the store has them: which, how many, and when they run next."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.config.writing import config_of
from trioarm import Cron, Schedule
from trioarm.arming.discovery.entities import Part, Thing, plain
from trioarm.arming.discovery.settings import SCHEDULES_MAX, DiscoverySettings
from trioarm.arming.discovery.view import STATE_MAX, View, next_occurrence, next_start, shortened
from trioarm.arming.installation import Installation
from trioarm.core.instants import HOUR, MINUTE, parse_instant
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.testing import World

BROKER = MqttBroker(name="home", host="127.0.0.1")
NOON = "2026-11-23T12:00:00Z"
HOUSE = """
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
[partition.garage]
site = "home"
[[schedule]]
name = "night"
partitions = ["house", "garage"]
target = "armed_night"
cron = "30 22 * * *"
timezone = "UTC"
warn = ["15m"]
[[schedule]]
name = "backup"
handler = "log"
cron = "0 3 * * *"
"""


async def begun(world: World, folder: Path) -> None:
    """Start a node at noon."""
    world.set_clock(NOON)
    await world.start(config=config_of(folder, HOUSE))


def view_of(world: World, **more: object) -> View:
    """Return a view of the node that lives in a world."""
    [node] = world.living
    settings = DiscoverySettings(broker=BROKER, **more)  # type: ignore[arg-type]
    installation = node.container.get(Installation)
    return View(settings, "1", installation, node.container.get(ScheduleRepository), node.container.get(Clock))


async def names(view: View, part: Part = Part.SCHEDULE) -> list[str]:
    """Return the names of what is shown."""
    return [thing.name for thing in (await view.look({})).things if thing.part is part]


async def test_what_is_shown_follows_patterns(world: World, tmp_path: Path) -> None:
    """What arms, unless others are meant; what warns, and what keeps the node in order, is never meant."""
    await begun(world, tmp_path)
    assert await names(view_of(world)) == ["night/garage", "night/house"]
    assert await names(view_of(world, schedules=("*",))) == ["backup", "night/garage", "night/house"]
    assert await names(view_of(world, schedules=("back*", "night/house"))) == ["backup", "night/house"]
    assert await names(view_of(world, schedules=())) == []
    assert await names(view_of(world), Part.PARTITION) == ["house", "garage"]
    assert await names(view_of(world, partitions=("g*",)), Part.PARTITION) == ["garage"]


async def test_of_too_many_the_first_are_shown_and_it_is_said_once(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So that nobody wonders where one is."""
    await begun(world, tmp_path)
    many = [Schedule(f"many/{number:03}", Cron("0 4 * * *", "UTC"), handler="log") for number in range(150)]
    await world.scheduler.schedules.put_many(many)
    caplog.set_level(logging.WARNING, logger="trioarm.discovery")
    view = view_of(world, schedules=("many/*",))
    for _ in range(2):
        assert await names(view) == [f"many/{number:03}" for number in range(SCHEDULES_MAX)]
    assert [one.message for one in caplog.records] == [
        "more than 100 schedules are meant: those first by name are shown"
    ]


async def test_the_next_start_heeds_what_people_said(world: World, tmp_path: Path) -> None:
    """Skipped, postponed, postponed past its time, paused."""
    await begun(world, tmp_path)
    [node] = world.living
    clock = node.container.get(Clock)
    schedules, repository = world.scheduler.schedules, node.container.get(ScheduleRepository)
    first, day = parse_instant("2026-11-23T22:30:00Z"), 24 * HOUR

    async def seen(now: int) -> tuple[int | None, tuple[int, int] | None]:
        record = await repository.get_schedule("night/house")
        assert record is not None
        return next_start(record, now), next_occurrence(record, now)

    now = clock.look()
    assert await seen(now) == (first, (first, first))
    await schedules.postpone("night/house", by_s=1800)
    assert await seen(now) == (first + 30 * MINUTE, (first, first + 30 * MINUTE))
    await world.until("2026-11-23T22:40:00Z")  # its time has come, and it waits
    assert await seen(clock.look()) == (first + 30 * MINUTE, (first, first + 30 * MINUTE))
    await world.until("2026-11-23T23:30:00Z")
    assert await seen(clock.look()) == (first + day, (first + day, first + day))
    await schedules.skip_next("night/house")
    assert await seen(clock.look()) == (first + 2 * day, (first + 2 * day, first + 2 * day))
    await schedules.pause("night/house")
    assert await seen(clock.look()) == (None, None)


async def test_what_is_not_known_of_a_panel_is_left_as_it_is(world: World, tmp_path: Path) -> None:
    """Nothing is told of a partition before its panel was read, and nothing is removed that was told."""
    await begun(world, tmp_path)
    [node] = world.living
    view = view_of(world)
    shown = await view.look({})
    assert shown.payloads["trioarm/partition/house/state"] is None
    report = await node.container.get(Installation).reported("house")
    told = (await view.look({"house": report})).payloads["trioarm/partition/house/state"]
    assert told is not None
    assert json.loads(told)["state"] == "disarmed"
    assert json.loads(told)["desired"] == "armed_night"


def test_names_stay_apart_in_topics() -> None:
    """No two names become one, and none has a sign that a level of a discovery topic may not have."""
    some = ["a/b", "a_b", "a.b", "a-b", "a__b", "a_2fb", "ab"]
    assert len({plain(name) for name in some}) == len(some)
    assert all(sign.isalnum() or sign in "_-" for name in some for sign in plain(name))
    assert Thing(Part.PARTITION, "a/b").key == "partition/a/b"


def test_a_state_is_as_long_as_home_assistant_takes() -> None:
    """And one line."""
    assert shortened("a\n b") == "a b"
    assert shortened("x" * STATE_MAX) == "x" * STATE_MAX
    assert len(shortened("x" * 1000)) == STATE_MAX
