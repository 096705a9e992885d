"""Overlap policies, live: what becomes of occurrences that come due while the run before works (S5.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from trioarm import Every, InvalidSchedule, Origin, Overlap, Reason, RunContext, Schedule, State
from trioarm.core.states import WaitingFor
from trioarm.testing import FileStore, World, a_world

from ..world import in_virtual_time

WORK_S = 140.0  # two intervals and a third
STORES = ("memory", "file")
Told = list[tuple[State, Reason | None]]


class Work:
    """A handler that takes two minutes and a third, and notes how many of it there are."""

    def __init__(self) -> None:
        self.most = self.now = 0
        self.began: list[tuple[str, float]] = []

    async def __call__(self, run: RunContext) -> None:
        """Work."""
        self.now += 1
        self.most = max(self.most, self.now)
        self.began.append((f"{run.nominal_at:%H:%M}", trio.current_time()))
        try:
            await trio.sleep(WORK_S)
        finally:
            self.now -= 1


async def _played(world: World, overlap: Overlap, minutes: float, **policies: object) -> tuple[Work, Told]:
    """Play so many minutes of a schedule that is due each minute."""
    work = Work()
    await world.start({"work": work})
    await world.scheduler.schedules.put(Schedule("each", Every(60), handler="work", overlap=overlap, **policies))
    await world.advance(minutes * 60 + 1)
    return work, [(one.state, one.reason) for one in await world.decisions("each")]


def play(tmp_path: Path, store: str, overlap: Overlap, minutes: float, **policies: object) -> tuple[Work, Told]:
    """Do the same in a world of its own, on a store in memory or in a file."""

    async def main() -> tuple[Work, Told]:
        async with a_world(FileStore(tmp_path / "trioarm.db") if store == "file" else None) as world:
            return await _played(world, overlap, minutes, **policies)

    played: tuple[Work, Told] = in_virtual_time(main)
    return played


SUCCEEDED, RUNNING, PENDING = (State.SUCCEEDED, None), (State.RUNNING, None), (State.PENDING, None)
SKIPPED, SUPERSEDED = (State.SKIPPED, Reason.OVERLAP), (State.SUPERSEDED, Reason.OVERLAP)
CANCELLED = (State.CANCELLED, Reason.OVERLAP)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("overlap", "most", "expected"),
    [
        (Overlap.SKIP, 1, [SUCCEEDED, SKIPPED, SKIPPED, SUCCEEDED, SKIPPED, SKIPPED, RUNNING]),
        (Overlap.BUFFER_ONE, 1, [SUCCEEDED, SUCCEEDED, SKIPPED, RUNNING, SKIPPED, PENDING, SKIPPED]),
        (Overlap.BUFFER_LATEST, 1, [SUCCEEDED, SUPERSEDED, SUCCEEDED, SUPERSEDED, RUNNING, SUPERSEDED, PENDING]),
        (Overlap.BUFFER_ALL, 1, [SUCCEEDED, SUCCEEDED, RUNNING, PENDING, PENDING, PENDING, PENDING]),
        (Overlap.CANCEL_RUNNING, 1, [CANCELLED] * 6 + [RUNNING]),
        (Overlap.ALLOW, 3, [SUCCEEDED] * 4 + [RUNNING] * 3),
    ],
)
def test_seven_occurrences_of_a_run_that_takes_longer(
    tmp_path: Path, store: str, overlap: Overlap, most: int, expected: Told
) -> None:
    """Due each minute, done in two and a third: what becomes of each is as the policy says, and no more run at once."""
    work, told = play(tmp_path, store, overlap, 7)
    assert told == expected
    assert work.most == most


@pytest.mark.parametrize("store", STORES)
def test_what_waits_says_so_and_begins_when_the_run_before_has_ended(tmp_path: Path, store: str) -> None:
    """It waits for the run before it, not for a worker, and begins at the instant that one ends."""

    async def main() -> None:
        async with a_world(FileStore(tmp_path / "trioarm.db") if store == "file" else None) as world:
            work, _ = await _played(world, Overlap.BUFFER_ONE, 2)
            first, second = await world.decisions("each")
            assert (first.state, second.state, second.waiting_for) == (
                State.RUNNING,
                State.PENDING,
                WaitingFor.OVERLAP,
            )
            await world.advance(120)
            (_, began), (_, then) = work.began
            assert then == pytest.approx(began + WORK_S)

    in_virtual_time(main)


@pytest.mark.parametrize("store", STORES)
def test_what_waits_survives_a_crash(tmp_path: Path, store: str) -> None:
    """Killed while one works and one waits: the one that worked is begun again, and the other waits for it."""

    async def main() -> None:
        async with a_world(FileStore(tmp_path / "trioarm.db") if store == "file" else None) as world:
            await _played(world, Overlap.BUFFER_ALL, 2)
            world.kill(world.living[0])
            work = Work()
            await world.start({"work": work})
            await world.advance(5)
            assert [at for at, _ in work.began] == ["22:01"]
            await world.scheduler.schedules.pause("each")
            await world.drain()
            assert [at for at, _ in work.began] == ["22:01", "22:02"]
            assert work.most == 1

    in_virtual_time(main)


@pytest.mark.parametrize("store", STORES)
def test_a_start_that_would_be_too_late_is_given_up(tmp_path: Path, store: str) -> None:
    """With a window of two minutes, every second one would begin too late once the runs before it pile up."""
    _, told = play(tmp_path, store, Overlap.BUFFER_ALL, 7, misfire_window_s=120.0, tolerance_s=1.0)
    late = (State.MISSED, Reason.TOO_LATE)
    assert told == [SUCCEEDED, SUCCEEDED, late, RUNNING, late, PENDING, PENDING]


def test_a_run_by_hand_waits_for_its_turn() -> None:
    """Where runs are kept apart, one that a person fires begins after them, unless the person says otherwise (S5.3)."""

    async def main() -> None:
        async with a_world() as world:
            work, _ = await _played(world, Overlap.BUFFER_ONE, 1)
            fire = world.scheduler.runs.fire
            fired = await fire("each")
            await world.advance(1)
            assert (await world.scheduler.runs.get(fired.id)).waiting_for is WaitingFor.OVERLAP
            with pytest.raises(InvalidSchedule, match=r"is still running, and 1 more wait: wait for it, cancel it, or"):
                await fire("each", overlap="buffer_one")
            await fire("each", overlap="allow")
            await world.advance(1)
            assert work.most == 2
            last = await fire("each", overlap="cancel_running")
            await world.advance(1)
            assert (await world.scheduler.runs.get(fired.id)).state is State.SUPERSEDED
            assert (await world.scheduler.runs.get(last.id)).state is State.RUNNING
            assert {one.origin for one in await world.decisions("each") if one.state is State.CANCELLED} == {
                Origin.SCHEDULE,
                Origin.MANUAL,
            }

    in_virtual_time(main)


def test_what_is_fired_to_run_alone_is_not_overtaken() -> None:
    """What comes due while it works is kept apart from it as from any other run of the schedule (S5.4)."""

    async def main() -> None:
        async with a_world() as world:
            work, _ = await _played(world, Overlap.BUFFER_ONE, 0.9)
            await world.scheduler.runs.fire("each", overlap="skip")
            await world.advance(160)
            assert (len(work.began), work.most) == (2, 1)

    in_virtual_time(main)


def test_what_is_fired_to_wait_is_refused_where_runs_are_not_kept_apart() -> None:
    """A run holds nothing there that another could wait for: beside it is not what was asked for."""

    async def main() -> None:
        async with a_world() as world:
            await _played(world, Overlap.SKIP, 1.1)
            with pytest.raises(InvalidSchedule, match="does not keep its runs apart, so none can wait for it here"):
                await world.scheduler.runs.fire("each", overlap="buffer_all")
            assert [one.origin for one in await world.decisions("each")] == [Origin.SCHEDULE]

    in_virtual_time(main)


def test_a_saturated_schedule_delays_nobody_else() -> None:
    """Runs that wait for their turn take no room of others (S6.6)."""

    async def main() -> None:
        other = Work()
        async with a_world() as world:
            await world.start({"work": Work(), "other": other})
            each = Schedule("each", Every(1), handler="work", overlap=Overlap.BUFFER_ALL, priority=9)
            await world.scheduler.schedules.put(each)
            await world.advance(300)
            await world.scheduler.schedules.put(Schedule("beside", Every(300), handler="other"))
            began = trio.current_time()
            await world.advance(301)
            [(_, at)] = other.began
            assert at == pytest.approx(began + 300, abs=0.01)

    in_virtual_time(main)
