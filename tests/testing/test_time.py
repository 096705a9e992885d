"""Time in a world: moments are those on the wall, and waiting ends when all that is due is done, and no later."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import trio
from trio.testing import MockClock

from trioarm import Cron, Every, InvalidInstant, InvalidTrigger, Once, RunContext, Schedule, State
from trioarm.core.instants import HOUR, MINUTE, SECOND, parse_instant
from trioarm.core.triggers.zones import find_zone
from trioarm.engine.health import Level
from trioarm.testing import World, a_world, in_virtual_time
from trioarm.testing.moments import moment, shown
from trioarm.testing.world import BEGIN, DAY_S

PRAGUE = find_zone("Europe/Prague")


async def nothing(run: RunContext) -> None:
    """Take no time."""


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ("2026-11-24 22:30", "2026-11-24T21:30:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("2026-03-29 02:30", "2026-03-29T01:00:00Z"),  # left out
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),  # the first pass
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30:00Z"),
        ("2026-11-24T22:30:15Z", "2026-11-24T22:30:15Z"),
        (datetime(2026, 11, 24, 22, 30, tzinfo=UTC), "2026-11-24T22:30:00Z"),
        (BEGIN, "2026-11-23T22:00:00Z"),
    ],
)
def test_a_moment_is_what_a_schedule_would_mean_by_it(when: str | datetime | int, at: str) -> None:
    """A text without an offset is a time on the wall."""
    assert moment(when, PRAGUE) == parse_instant(at)


@pytest.mark.parametrize("when", ["tomorrow", "2026-13-01", datetime(2026, 11, 24), 10**30, True])  # noqa: DTZ001
def test_what_is_no_moment_is_refused(when: str | datetime | int) -> None:
    """A naive datetime names no instant."""
    with pytest.raises(InvalidInstant):
        moment(when, PRAGUE)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-24T21:30:00Z", "2026-11-24 22:30"),
        ("2026-11-24T21:30:05Z", "2026-11-24 22:30:05"),
        ("2026-11-24T21:30:00.5Z", "2026-11-24 22:30:00.500000"),
        ("2026-03-29T01:00:00Z", "2026-03-29 03:00"),
        ("2026-10-25T00:30:00Z", "2026-10-25 02:30+02:00"),
        ("2026-10-25T01:30:00Z", "2026-10-25 02:30+01:00"),
    ],
)
def test_what_is_shown_means_that_instant(at: str, text: str) -> None:
    """Passes of a repeated time are told apart; every text is read back."""
    assert shown(parse_instant(at), PRAGUE) == text
    assert moment(text, PRAGUE) == parse_instant(at)


def test_what_is_shown_west_of_greenwich_is_read_back() -> None:
    """Offsets may be negative, and no whole hours."""
    zone = find_zone("America/St_Johns")
    at = parse_instant("2026-11-01T04:00:00Z")
    assert shown(at, zone) == "2026-11-01 01:30-02:30"
    assert moment(shown(at, zone), zone) == at


def test_until_ends_when_what_is_due_then_is_done() -> None:
    """Also what is due at that very instant; the clock shows it, across a change of the clocks."""

    async def main() -> None:
        async with a_world(zone="Europe/Prague", start_at="2026-03-28 12:00") as world:
            await world.start({"work": nothing})
            await world.scheduler.schedules.put(Schedule("gap", Cron("30 2 * * *", "Europe/Prague"), handler="work"))
            await world.until("2026-03-29 02:59:59+02:00")
            assert world.wall() == parse_instant("2026-03-29T00:59:59Z")
            assert await world.decisions() == []
            await world.until("2026-03-29 03:00")
            assert world.now() == datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/Prague"))
            assert [(one.local, one.state) for one in await world.decisions()] == [
                ("2026-03-29 03:00", State.SUCCEEDED)
            ]
            await world.advance(60)
            assert world.wall() == parse_instant("2026-03-29T01:01:00Z")

    in_virtual_time(main)


def test_until_goes_by_the_wall_clock_whoever_sets_it() -> None:
    """Set forward beyond the moment, it is there at once; what is over is not waited for."""

    async def main() -> float:
        async with a_world(start_at="2026-11-24 00:00") as world:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.until, "2026-11-24 06:00")
                await world.advance(3600)
                world.step(-1800)
                await world.advance(1800)
                world.set_clock("2026-11-24 07:00")
            with pytest.raises(ValueError, match="06:00 is over: it is 2026-11-24 07:00"):
                await world.until("2026-11-24 06:00")
            return trio.current_time()

    assert in_virtual_time(main) == 5400


def test_draining_waits_for_what_is_there_and_for_nothing_that_comes() -> None:
    """Retries are waited for; a schedule without an end is not, of which some run is always at work. No time passes
    where nothing is unfinished."""

    async def is_slow(run: RunContext) -> None:
        await trio.sleep(90)

    async def fails_twice(run: RunContext) -> None:
        await trio.sleep(100)
        if run.attempt < 3:
            raise OSError("busy")

    async def main() -> None:
        async with a_world() as world:
            await world.start({"fails": fails_twice, "work": is_slow})
            await world.scheduler.schedules.put(Schedule("one", Once(BEGIN + MINUTE), handler="fails"))
            await world.scheduler.schedules.put(Schedule("often", Every(60), handler="work", overlap="allow"))
            await world.drain()
            assert world.wall() == BEGIN
            await world.until(BEGIN + MINUTE)
            await world.drain()
            assert 360 * SECOND < world.wall() - BEGIN < 370 * SECOND
            [one] = await world.decisions("one")
            assert (one.state, one.attempts) == (State.SUCCEEDED, 3)

    in_virtual_time(main)


def test_what_cannot_be_drained_is_named() -> None:
    """After the limit, or at once where no node lives."""

    async def main() -> None:
        async with a_world() as world:
            with pytest.raises(AssertionError, match="no node lives"):
                await world.drain()
            await world.start()
            await world.scheduler.schedules.put(Schedule("one", Once(BEGIN + HOUR), handler="nobody"))
            await world.until(BEGIN + HOUR)
            with pytest.raises(AssertionError, match=r"unfinished after 1m30s:\n.*\none .*pending +waits for handler"):
                await world.drain(90)
            assert world.wall() == BEGIN + HOUR + 90 * SECOND

    in_virtual_time(main)


@pytest.mark.parametrize(("check_interval_s", "noticed"), [(None, True), (60.0, False)])
def test_a_kernel_tells_that_the_clock_was_set_or_nodes_look(check_interval_s: float | None, noticed: bool) -> None:
    """What became due by a step is decided at once, or at the next look."""

    async def main() -> None:
        async with a_world(check_interval_s=check_interval_s) as world:
            await world.start({"work": nothing})
            await world.scheduler.schedules.put(Schedule("one", Once(BEGIN + HOUR), handler="work"))
            await world.advance(1)
            world.step(3600)
            await world.advance(0)
            assert bool(await world.decisions("one")) is noticed
            await world.advance(60)
            assert len(await world.decisions("one")) == 1

    in_virtual_time(main)


def test_a_node_that_naps_for_a_day_is_healthy() -> None:
    """It looks when it has to, so nobody takes it for blocked."""

    async def main() -> None:
        async with a_world() as world:
            await world.start()
            await world.advance(DAY_S - 60)
            assert (await world.scheduler.health()).level is Level.HEALTHY

    in_virtual_time(main)


def test_a_world_needs_time_that_goes_on_by_itself() -> None:
    """Anywhere else it would stand still for ever, and says so."""

    async def main() -> None:
        async with a_world():
            raise AssertionError("it began")

    for clock in (None, MockClock()):
        with pytest.raises(RuntimeError, match="needs virtual time"):
            trio.run(main, clock=clock)


def test_each_world_is_lived_through_once() -> None:
    """And nothing begins in one that has not begun; an unknown zone is refused by name."""

    async def main() -> None:
        world = World()
        with pytest.raises(RuntimeError, match="has not begun"):
            await world.start()
        async with world.alive():
            with pytest.raises(RuntimeError, match="no node lives"):
                _ = world.scheduler
        with pytest.raises(RuntimeError, match="has begun already"):
            async with world.alive():
                raise AssertionError("it began again")
        with pytest.raises(InvalidTrigger, match="Europe/Prague"):
            world.zone = "Europe/Prag"

    in_virtual_time(main)
