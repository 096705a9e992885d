"""A year of a family's schedules, played in seconds: two days without power across the change of clocks, and holidays.

python -m trioarm.examples.test_a_year                  # prints the picture of the year
python -m pytest -s --pyargs trioarm.examples.test_a_year
"""

from __future__ import annotations

from calendar import month_name
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from trioarm import AlertQuery, RunContext, SchedulerConfig, State
from trioarm.testing import Decision, World, a_world, assert_decided, in_virtual_time

pytest_plugins = ["trioarm.testing.fixtures"]  # of one's own, this line belongs into conftest.py

FAMILY = Path(__file__).with_name("family.toml")
POWER_FAILS, POWER_IS_BACK = "2026-03-28 12:00", "2026-03-30 12:00"  # a Saturday and a Monday, both at noon


async def lamp(run: RunContext) -> None:
    """Switch the lamp on: in a program this would be a line to the lamp."""


async def live_a_year(world: World) -> None:
    """Let 2026 pass in Prague."""
    world.zone = "Europe/Prague"
    world.set_clock("2026-01-01 00:00")
    await world.start({"lamp": lamp}, SchedulerConfig.from_file(FAMILY, environ={}))
    await world.until(POWER_FAILS)
    async with world.outage():
        await world.until(POWER_IS_BACK)
    await world.until("2027-01-01 00:00")
    await world.drain()


async def test_a_year(world: World) -> None:
    """Nothing is lost and nothing is done twice; what the outage took away says so."""
    await live_a_year(world)
    year = await world.decisions(until="2027-01-01 00:00")
    print(*picture(year), sep="\n")
    per_schedule = Counter(one.schedule for one in year)
    assert per_schedule["night/house"] == per_schedule["backup"] == per_schedule["lamp"] == 365
    assert per_schedule["morning/house"] + per_schedule["lie-in/house"] == 365
    assert {one.local[:10] for one in year if one.state is not State.SUCCEEDED} == {
        "2026-03-28",
        "2026-03-29",
        "2026-03-30",
    }
    await the_outage(world)
    await the_clocks(world)
    await the_holidays(world)


async def the_outage(world: World) -> None:
    """The house is not armed late for nights that are over, and not opened late: somebody is told instead."""
    days = {"since": "2026-03-28 00:00", "until": "2026-03-31 00:00"}
    assert_decided(
        await world.decisions("night/house", **days),
        [
            ("2026-03-28 22:30", "superseded"),
            ("2026-03-29 22:30", "superseded"),
            ("2026-03-30 22:30", "succeeded"),
        ],
    )
    assert_decided(
        await world.decisions("morning/house", **days),
        [("2026-03-30 06:30", "missed", "too_late")],
    )
    assert_decided(
        await world.decisions("backup", **days),  # the latest is made up for, not each
        [
            ("2026-03-28 02:30", "succeeded"),
            ("2026-03-29 02:30", "missed", "coalesced"),  # 02:30 does not exist on that day: it means 03:00
            ("2026-03-30 02:30", "succeeded"),
        ],
    )
    alerts = await world.scheduler.alerts.find(AlertQuery(states=None))
    assert [stored.alert.subject for stored in alerts.rows if stored.alert] == ["partition/house"]


async def the_clocks(world: World) -> None:
    """The backup runs once where 02:30 comes twice; nights begin at the same time on the wall."""
    assert_decided(
        await world.decisions("backup", since="2026-10-25 00:00", until="2026-10-26 00:00"),
        [("2026-10-25 02:30+02:00", "succeeded")],
    )
    nights = await world.decisions("night/house")
    assert {one.local[11:] for one in nights} == {"22:30"}
    assert {one.nominal_at.hour for one in nights} == {20, 21}  # in UTC: in summer, in winter


async def the_holidays(world: World) -> None:
    """On a holiday the house is opened two hours later, though it is a Friday."""
    assert_decided(
        await world.decisions("morning/house", since="2026-05-07 00:00", until="2026-05-12 00:00"),
        [("2026-05-07 06:30", "succeeded"), ("2026-05-11 06:30", "succeeded")],
    )
    assert_decided(
        await world.decisions("lie-in/house", since="2026-05-08 00:00", until="2026-05-09 00:00"),
        [("2026-05-08 08:30", "succeeded")],
    )


def picture(decisions: Iterable[Decision]) -> Iterator[str]:
    """Yield a line for each month: its days (`#`, or `x` where something did not run), and how often which state."""
    months = [(month, list(found)) for month, found in groupby(decisions, key=lambda one: one.local[:7])]
    states = sorted({one.state for _, found in months for one in found}, key=list(State).index)
    yield f"{'':43}" + "".join(f"{state:>12}" for state in states)
    for month, found in months:
        days = groupby(found, key=lambda one: one.local[:10])
        strip = "".join("#" if all(one.state is State.SUCCEEDED for one in day) else "x" for _, day in days)
        counts = Counter(one.state for one in found)
        numbers = "".join(f"{counts[state] or '':>12}" for state in states)
        yield f"{month_name[int(month[5:])]:<10} {strip:<32}{numbers}".rstrip()


async def main() -> None:
    """Play the year without pytest."""
    async with a_world() as world:
        await test_a_year(world)


if __name__ == "__main__":
    in_virtual_time(main)
