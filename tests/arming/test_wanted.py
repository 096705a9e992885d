"""What a partition should be once people have had their say: what they skip or postpone says nothing of it (A4.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from trio.testing import MockClock

from tests.config.writing import config_of
from trioarm.arming.installation import Installation
from trioarm.arming.model import Target
from trioarm.testing import World, a_world

HOUSE = """
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "0s" }
[[schedule]]
name = "up"
partition = "house"
target = "disarmed"
cron = "0 7 * * *"
[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
cron = "0 22 * * *"
[[schedule]]
name = "also"
partition = "house"
target = "armed_home"
cron = "0 22 * * mon"
"""


async def desired_at(world: World, moment: str) -> Target | None:
    await world.until(moment)
    return (await world.living[0].container.get(Installation).persons.partition("house")).desired


@asynccontextmanager
async def a_monday(folder: Path) -> AsyncIterator[World]:
    async with a_world(start_at="2026-11-23T06:00:00Z") as world:
        await world.start(config=config_of(folder, HOUSE))
        await world.until("2026-11-23T12:00:00Z")
        yield world


async def test_what_is_skipped_says_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Of what comes at the same instant the next counts; where all is skipped, what came before does."""
    async with a_monday(tmp_path) as world:
        await world.scheduler.schedules.skip_next("night/house", author="ann")
        assert await desired_at(world, "2026-11-23T23:00:00Z") is Target.ARMED_HOME
        await world.until("2026-11-24T12:00:00Z")
        await world.scheduler.schedules.skip_next("night/house", author="ann")
        assert await desired_at(world, "2026-11-24T23:00:00Z") is Target.DISARMED
        assert await desired_at(world, "2026-11-25T23:00:00Z") is Target.ARMED_NIGHT


async def test_what_is_postponed_says_nothing_until_then(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What came at its instant has given way to it, so that the morning counts until it comes."""
    async with a_monday(tmp_path) as world:
        await world.scheduler.schedules.postpone("night/house", by_s=3600.0, author="ann")
        assert await desired_at(world, "2026-11-23T22:30:00Z") is Target.DISARMED
        assert await desired_at(world, "2026-11-23T23:30:00Z") is Target.ARMED_NIGHT
