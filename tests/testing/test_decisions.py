"""Decisions as tests see them: one for each occurrence, whatever rows are kept, and differences that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from trioarm import Cron, Every, Misfire, RunContext, Schedule, State, UnknownSchedule
from trioarm.core.counting import grouped
from trioarm.core.instants import DAY, HOUR, as_datetime
from trioarm.core.states import Reason
from trioarm.core.triggers.zones import find_zone
from trioarm.testing import Decision, FileStore, MemoryDisk, Store, a_world, as_table, assert_decided, in_virtual_time
from trioarm.testing.decisions import DECISIONS_MAX, LINES_MAX
from trioarm.testing.moments import moment
from trioarm.testing.world import BEGIN

PRAGUE = "Europe/Prague"
HOURLY = Schedule("hourly", Every(3600), handler="work", misfire=Misfire.SKIP)


async def nothing(run: RunContext) -> None:
    """Take no time."""


def night(local: str, state: State = State.SUCCEEDED, reason: Reason | None = None) -> Decision:
    """Return what became of a moment in Prague."""
    at = as_datetime(moment(local, find_zone(PRAGUE)))
    return Decision(schedule="night", nominal_at=at, local=local, zone=PRAGUE, state=state, reason=reason)


@pytest.mark.parametrize("on_file", [False, True])
def test_a_range_that_is_kept_as_one_row_is_a_decision_for_each_occurrence(on_file: bool, tmp_path: Path) -> None:
    """Also while no node lives; built-in schedules are left out."""
    store: Store = FileStore(tmp_path / "trioarm.db") if on_file else MemoryDisk()

    async def main() -> None:
        async with a_world(store, housekeeping=True) as world:
            node = await world.start({"work": nothing})
            await world.scheduler.schedules.put(HOURLY)
            world.step(5 * 3600)
            await world.advance(1800)
            rows = await world.scheduler.runs.find()
            assert [(row.schedule, row.occurrences) for row in rows.rows if row.schedule == "hourly"] == [
                ("hourly", 4),
                ("hourly", 1),
            ]
            await node.stop()
            found = await world.decisions()
            assert [one.nominal_at for one in found] == [as_datetime(BEGIN + hour * HOUR) for hour in range(1, 6)]
            assert [one.state for one in found] == [State.MISSED] * 4 + [State.SUCCEEDED]
            assert {(one.schedule, one.occurrences, one.zone) for one in found} == {("hourly", 1, "UTC")}
            since, until = BEGIN + 2 * HOUR, BEGIN + 5 * HOUR
            assert await world.decisions(since=since, until=until) == found[1:4]
            assert await world.decisions("hourly", since=BEGIN + DAY) == []

    in_virtual_time(main)


def test_a_range_of_a_schedule_that_was_changed_stays_one() -> None:
    """Nobody knows its occurrences any more; how many they were is said."""

    async def main() -> None:
        async with a_world() as world:
            await world.start({"work": nothing})
            await world.scheduler.schedules.put(HOURLY)
            world.step(5 * 3600)
            await world.advance(60)
            await world.scheduler.schedules.put(Schedule("hourly", Every(600), handler="work"))
            first, *_ = await world.decisions("hourly")
            assert (first.state, first.occurrences) == (State.MISSED, 4)
            assert "missed (4 of them)" in as_table([first])

    in_virtual_time(main)


def test_a_name_that_is_none_is_no_empty_list() -> None:
    """A mistake in a test would pass for what was expected; a schedule without decisions has none."""

    async def main() -> None:
        async with a_world() as world:
            await world.start({"work": nothing})
            await world.scheduler.schedules.put(HOURLY)
            assert await world.decisions("hourly") == []
            with pytest.raises(UnknownSchedule, match="hourlie"):
                await world.decisions("hourlie")

    in_virtual_time(main)


def test_more_decisions_than_can_be_looked_at_are_refused() -> None:
    """A narrower question is answered."""
    often = Schedule("often", Every(60), handler="work", misfire=Misfire.SKIP)

    async def main() -> None:
        async with a_world(start_at=0) as world:
            node = await world.start({"work": nothing})
            await world.scheduler.schedules.put(often)
            world.kill(node)
            world.step(60.0 * (DECISIONS_MAX + 5))
            await world.start({"work": nothing})
            await world.advance(0)
            with pytest.raises(ValueError, match=f"{DECISIONS_MAX + 5} decisions are more than {DECISIONS_MAX}"):
                await world.decisions()

    in_virtual_time(main)


def test_decisions_are_in_order_of_their_instants_not_of_the_wall() -> None:
    """Both passes of a fold, in the order in which they come."""
    both = Schedule("both", Cron("30 2 * * *", PRAGUE, fold="both"), handler="work")

    async def main() -> list[Decision]:
        async with a_world(start_at="2026-10-25 00:00", zone=PRAGUE) as world:
            await world.start({"work": nothing})
            await world.scheduler.schedules.put(both)
            await world.until("2026-10-25 12:00")
            return await world.decisions("both")

    found = in_virtual_time(main)
    assert [one.local for one in found] == ["2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00"]
    assert_decided(found, [("2026-10-25 02:30", "succeeded"), ("2026-10-25 02:30+01:00", "succeeded")])


def test_what_was_expected_passes() -> None:
    """A reason counts where one is expected, and nothing else does."""
    found = [night("2026-11-24 22:30"), night("2026-11-25 22:30", State.MISSED, Reason.TOO_LATE)]
    assert_decided(found, [("2026-11-24 22:30", State.SUCCEEDED), ("2026-11-25 22:30", "missed")])
    assert_decided(found, [("2026-11-24T21:30Z", "succeeded", None), ("2026-11-25 22:30", "missed", "too_late")])
    assert_decided([], [])


@pytest.mark.parametrize(
    ("expected", "marked"),
    [
        ([], ["+  night     2026-11-24 22:30", "+  night     2026-11-25 22:30"]),
        ([("2026-11-24 22:30", "succeeded")], ["+  night     2026-11-25 22:30"]),
        (
            [("2026-11-24 22:30", "succeeded"), ("2026-11-25 22:30", "succeeded")],
            ["-            2026-11-25 22:30", "+  night     2026-11-25 22:30"],
        ),
        (
            [("2026-11-24 22:30", "succeeded"), ("2026-11-25 22:30", "missed", "coalesced")],
            ["-            2026-11-25 22:30", "+  night     2026-11-25 22:30"],
        ),
        (
            [("2026-11-24 22:30", "succeeded"), ("2026-11-25 22:30", "missed"), ("2026-11-26 22:30", "missed")],
            ["-            2026-11-26 22:30"],
        ),
        (
            [("2026-11-25 22:30", "missed"), ("2026-11-24 22:30", "succeeded")],
            ["+  night     2026-11-24 22:30", "-            2026-11-24 22:30"],
        ),
    ],
)
def test_what_differs_is_marked(expected: list[tuple[str, str]], marked: list[str]) -> None:
    """Too many, too few, other states, other reasons, another order."""
    found = [night("2026-11-24 22:30"), night("2026-11-25 22:30", State.MISSED, Reason.TOO_LATE)]
    with pytest.raises(AssertionError) as failed:
        assert_decided(found, expected)
    lines = str(failed.value).splitlines()
    assert [line[:29] for line in lines if line[0] in "+-"] == marked


def test_of_a_long_list_only_what_differs_is_shown() -> None:
    """A year with one mistake is a few lines; one in which all is wrong is cut."""
    found = [
        night(f"20{year}-{month:02}-{day:02} 22:30")
        for year in (26, 27)
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    expected = [(one.local, "succeeded") for one in found]
    with pytest.raises(AssertionError) as failed:
        assert_decided(found, [*expected[:100], *expected[101:]])
    assert len(str(failed.value).splitlines()) == 2 + 5
    with pytest.raises(AssertionError) as failed:
        assert_decided(found, [(local, "missed") for local, _ in expected])
    assert len(str(failed.value).splitlines()) == 2 + LINES_MAX + 1
    assert str(failed.value).endswith(f"... and {grouped(2 * len(found) - LINES_MAX)} lines more")


def test_mistakes_in_what_is_expected_are_no_differences() -> None:
    """A state that there is not, and times of two zones in one list."""
    with pytest.raises(ValueError, match="suceeded"):
        assert_decided([night("2026-11-24 22:30")], [("2026-11-24 22:30", "suceeded")])
    other = Decision(schedule="x", nominal_at=as_datetime(BEGIN), local="", zone="UTC", state=State.MISSED)
    with pytest.raises(ValueError, match="Europe/Prague and UTC"):
        assert_decided([night("2026-11-24 22:30"), other], [])
