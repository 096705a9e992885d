"""What people change about the future, on a whole node: skip, postpone, undo, pause until (S5.3, S5.7, A4.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio

from tests.making import HOUR, MINUTE, NOW
from tests.world import a_node, in_virtual_time
from trioarm import (
    After,
    Every,
    InMemoryScheduleRepository,
    InvalidSchedule,
    Misfire,
    Reason,
    RunContext,
    RunQuery,
    Schedule,
    Scheduler,
    State,
)
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.instants import as_datetime, render_instant
from trioarm.core.record import AMENDMENTS_MAX, AmendmentKind
from trioarm.core.states import WaitingFor

from .nodes import a_config, at, every, keeping, once, rows_of

HOURLY = every("hourly", Every(3600, anchor=NOW + 600_000_000))  # ten minutes after the node opens, and every hour
FIRST = NOW + 10 * MINUTE


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


def with_a_node(main: Any, *schedules: Schedule, handler: Any = works, **settings: Any) -> Any:
    """Run `main(scheduler, repository)` on a node that has these schedules, and the handler `work`."""

    async def node() -> Any:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": handler}, a_config(**settings), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules or [HOURLY])
            return await main(scheduler, repository)

    return in_virtual_time(node)


async def outcomes(repository: InMemoryScheduleRepository, schedule: Schedule = HOURLY) -> list[tuple[int, Any, Any]]:
    """Return the minute of every decided occurrence, its state and its reason."""
    return [((run.nominal_at - NOW) // MINUTE, run.state, run.reason) for run in await rows_of(repository, schedule)]


async def refused(command: Any, message: str) -> None:
    """Await a command that must be refused in these words."""
    with pytest.raises(InvalidSchedule, match=f"^{re.escape(message)}$"):
        await command


# Skip


def test_the_next_occurrence_is_skipped() -> None:
    """That one and no other; asked twice it is still one, and it is visible who wanted it (S5.7)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        with scheduler.subscribe(ScheduleChanged) as events:
            stored = await scheduler.schedules.skip_next("hourly", author="somebody", note="guests")
            assert await scheduler.schedules.skip_next("hourly", author="another") == stored
            async for event in events:
                detail = "an occurrence is skipped: 2026-11-23T22:10:00Z"
                assert event == ScheduleChanged("hourly", ScheduleChange.AMENDED, detail)
                break
        (amendment,) = stored.amendments
        assert (amendment.kind, amendment.nominal_at, amendment.until_at) == (AmendmentKind.SKIP, FIRST, None)
        assert (amendment.author, amendment.note, amendment.at, stored.revision) == ("somebody", "guests", NOW, 2)
        await trio.sleep(2.5 * 3600)
        assert await outcomes(repository) == [
            (10, State.SKIPPED, Reason.USER),
            (70, State.SUCCEEDED, None),
            (130, State.SUCCEEDED, None),
        ]
        assert (await scheduler.schedules.get("hourly")).amendments == ()

    with_a_node(main)


def test_any_occurrence_may_be_skipped_and_be_as_it_was() -> None:
    """Named by its instant; an instant that is none says which would be next."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        schedules = scheduler.schedules
        await schedules.skip("hourly", as_datetime(FIRST + HOUR))
        await schedules.skip("hourly", FIRST + 2 * HOUR)
        stored = await schedules.undo("hourly", FIRST + 2 * HOUR, author="another")
        assert [amendment.nominal_at for amendment in stored.amendments] == [FIRST + HOUR]
        await refused(
            schedules.skip("hourly", FIRST + 1),
            "hourly has no occurrence at 2026-11-23T22:10:00.000001Z: its next one is at 2026-11-23T22:10:00Z",
        )
        await refused(
            schedules.undo("hourly", FIRST + 2 * HOUR),
            "nothing of hourly that is to come is skipped or postponed at 2026-11-24T00:10:00Z",
        )
        await trio.sleep(2.5 * 3600)
        assert [state for _, state, _ in await outcomes(repository)] == ["succeeded", "skipped", "succeeded"]
        await refused(
            schedules.skip("hourly", FIRST),
            "hourly@2026-11-23T22:10:00Z is decided already: too late to change it",
        )
        await refused(schedules.undo("hourly"), "nothing of hourly that is to come is skipped or postponed")

    with_a_node(main)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (once(enabled=False), "one is disabled by its definition: nothing of it is to come"),
        (once(seconds=-7200), "one is finished: nothing of it is to come"),
        (every("one", After(60)), "nothing of one is to come until the run that is at work ends"),
    ],
)
def test_nothing_to_skip(schedule: Schedule, message: str) -> None:
    """The message says why nothing is to come."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await trio.sleep(60.5)
        await refused(scheduler.schedules.skip_next("one"), message)
        await refused(scheduler.schedules.skip("one", NOW + 3 * HOUR), message)

    with_a_node(main, schedule)


def test_a_paused_schedule_has_nothing_to_skip_before_its_pause_ends() -> None:
    """Without an end nothing; with one, what comes after it."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.pause("hourly")
        await refused(scheduler.schedules.skip_next("hourly"), "hourly is paused: resume it first")
        await scheduler.schedules.pause("hourly", until=FIRST + HOUR)
        stored = await scheduler.schedules.skip_next("hourly")
        assert [amendment.nominal_at for amendment in stored.amendments] == [FIRST + HOUR]
        await refused(
            scheduler.schedules.skip("hourly", FIRST),
            "hourly has no occurrence at 2026-11-23T22:10:00Z: its next one is at 2026-11-23T23:10:00Z",
        )

    with_a_node(main)


def test_there_are_only_so_many_amendments() -> None:
    """Whoever wants more pauses it; one that is amended already may be amended again."""

    async def main(scheduler: Scheduler, _: object) -> None:
        for number in range(AMENDMENTS_MAX):
            await scheduler.schedules.skip("hourly", FIRST + number * HOUR)
        await refused(
            scheduler.schedules.skip("hourly", FIRST + AMENDMENTS_MAX * HOUR),
            f"hourly has {AMENDMENTS_MAX} occurrences that were skipped or postponed: "
            "that is as many as it may have, so pause it, or undo some",
        )
        await scheduler.schedules.postpone("hourly", FIRST, by_s=60)
        await trio.sleep(3600)
        await scheduler.schedules.skip("hourly", FIRST + AMENDMENTS_MAX * HOUR)

    with_a_node(main)


def test_amendments_survive_a_revision_and_a_sync() -> None:
    """As long as the new definition yields the occurrence; what it no longer yields is gone (S5.7)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        schedules = scheduler.schedules
        await schedules.sync("file:a.toml", [every("mine", HOURLY.trigger)])
        await schedules.skip("mine", FIRST)
        await schedules.skip("mine", FIRST + HOUR)
        await schedules.sync("file:a.toml", [every("mine", HOURLY.trigger, priority=7)])
        assert len((await schedules.get("mine")).amendments) == 2
        half = Every(7200, anchor=FIRST)
        await schedules.sync("file:a.toml", [every("mine", half)])
        (kept,) = (await schedules.get("mine")).amendments
        assert kept.nominal_at == FIRST
        await trio.sleep(3600)
        assert await outcomes(repository, every("mine", half)) == [(10, State.SKIPPED, Reason.USER)]
        await schedules.sync("file:a.toml", [every("mine", half, priority=7)])
        record = await repository.get_schedule("mine")
        assert record is not None
        assert record.amendments == ()

    with_a_node(main)


# Postpone


def test_a_postponed_occurrence_runs_later_under_its_own_name() -> None:
    """Its identity is its scheduled instant, and it is on time when it runs then (S5.7)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        stored = await scheduler.schedules.postpone("hourly", by_s=1800, author="somebody")
        assert [(one.nominal_at, one.until_at, one.times) for one in stored.amendments] == [
            (FIRST, FIRST + 30 * MINUTE, 1)
        ]
        await trio.sleep(15 * 60)
        waiting = await scheduler.runs.get("hourly@2026-11-23T22:10:00Z")
        assert (waiting.state, waiting.waiting_for) == (State.PENDING, WaitingFor.POSTPONE)
        assert waiting.due_at == as_datetime(FIRST + 30 * MINUTE)
        assert len((await scheduler.schedules.get("hourly")).amendments) == 1
        await trio.sleep(30 * 60)
        ended = await scheduler.runs.get(waiting.id)
        assert (ended.state, ended.started_at, ended.late_s) == (State.SUCCEEDED, waiting.due_at, 0.0)
        await trio.sleep(30 * 60)
        assert await outcomes(repository) == [(10, State.SUCCEEDED, None), (70, State.SUCCEEDED, None)]

    with_a_node(main)


@pytest.mark.parametrize("decided", [False, True])
def test_a_postponement_counts_from_the_scheduled_time(decided: bool) -> None:
    """At most two hours from it and three times, however it is said; shorter is always allowed (A4.2)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        async def until(**how: Any) -> tuple[int, int]:
            (amendment,) = (await scheduler.schedules.postpone("daily", **how)).amendments
            assert amendment.until_at is not None
            return (amendment.until_at - FIRST) // MINUTE, amendment.times

        assert await until(by_s=1800) == (30, 1)
        if decided:
            await trio.sleep(15 * 60)
        assert await until(until=FIRST + 50 * MINUTE) == (50, 2)
        assert await until(by_s=1800) == (30, 2)
        assert await until(by_s=1800) == (30, 2)
        assert await until(by_s=7200) == (120, 3)
        named = "daily@2026-11-23T22:10:00Z cannot be postponed to 2026-11-24T00:10:01Z"
        await refused(
            scheduler.schedules.postpone("daily", by_s=7201),
            f"{named}: at most 2h after its time, 2026-11-24T00:10:00Z",
        )
        assert await until(by_s=3600) == (60, 3)
        await refused(
            scheduler.schedules.postpone("daily", by_s=3660),
            "daily@2026-11-23T22:10:00Z cannot be postponed to 2026-11-23T23:11:00Z: it was postponed 3 times already",
        )
        await trio.sleep(3600)
        run = await scheduler.runs.get("daily@2026-11-23T22:10:00Z")
        assert (run.state, run.due_at) == (
            (State.SUCCEEDED, as_datetime(FIRST + HOUR)) if decided else (State.PENDING, as_datetime(FIRST + HOUR))
        )

    with_a_node(main, every("daily", Every(86_400, anchor=FIRST)))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"by_s": 0.0}, "cannot be postponed to 2026-11-23T22:10:00Z: that is not later than 2026-11-23T22:10:00Z"),
        ({"until": NOW}, "cannot be postponed to 2026-11-23T22:00:00Z: that is not later than 2026-11-23T22:10:00Z"),
        (
            {"by_s": 3600.0},
            "cannot be postponed to 2026-11-23T23:10:00Z: the next occurrence is at 2026-11-23T23:10:00Z",
        ),
    ],
)
def test_how_far_an_occurrence_may_be_postponed(how: Any, why: str) -> None:
    """Later than its time, and not to the next one."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await refused(scheduler.schedules.postpone("hourly", **how), f"hourly@2026-11-23T22:10:00Z {why}")
        for neither in ({}, {"by_s": 60, "until": FIRST + MINUTE}):
            await refused(
                scheduler.schedules.postpone("hourly", **neither),
                "hourly: say either by how much an occurrence is postponed, or until when",
            )

    with_a_node(main)


def test_in_a_superseding_lane_the_next_occurrence_is_that_of_the_lane() -> None:
    """An arm is not postponed beyond the disarm of the same partition (A4.2)."""
    lane = {"lane": "house", "supersede": True}
    schedules = [once("arm", 600, **lane), once("disarm", 1800, **lane), once("other", 900, lane="garden")]

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await refused(
            scheduler.schedules.postpone("arm", by_s=1200),
            "arm@2026-11-23T22:10:00Z cannot be postponed to 2026-11-23T22:30:00Z: "
            "the next occurrence is at 2026-11-23T22:30:00Z",
        )
        await scheduler.schedules.postpone("arm", by_s=1199)
        await trio.sleep(700)
        await scheduler.schedules.put(once("added", 900, **lane))
        await trio.sleep(3600)
        assert await outcomes(repository, schedules[0]) == [(10, State.SUPERSEDED, Reason.SUPERSEDED)]
        assert await outcomes(repository, once("added")) == [(15, State.SUCCEEDED, None)]

    with_a_node(main, *schedules)


def test_what_waits_for_a_worker_may_be_postponed_what_was_claimed_not() -> None:
    """Decided, but not begun: its run waits on; one that somebody has begun is left alone."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await trio.sleep(15)
        named = "2026-11-23T22:00:10Z"
        with pytest.raises(InvalidSchedule, match=f"^first@{named} is running already: too late to change it$"):
            await scheduler.schedules.postpone("first", at(10), by_s=60)
        with pytest.raises(InvalidSchedule, match=f"^first@{named} is running already: too late to change it$"):
            await scheduler.schedules.skip("first", at(10))
        await scheduler.schedules.postpone("second", at(10), by_s=600, author="somebody")
        await scheduler.schedules.skip("third", at(10))
        second = await scheduler.runs.get(f"second@{named}")
        assert (second.state, second.waiting_for) == (State.PENDING, WaitingFor.POSTPONE)
        await trio.sleep(500)
        await scheduler.schedules.postpone("second", by_s=550)
        (run,) = await rows_of(repository, once("second"))
        assert (run.due_at, run.give_up_at) == (at(560), at(1160))

    with_a_node(main, *(once(name) for name in ("first", "second", "third")), handler=_long, workers=1)


async def _long(run: RunContext) -> None:
    await trio.sleep(100)


def test_undone_a_postponed_run_starts_at_once() -> None:
    """Its time has come already; before that it is simply as it was."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.postpone("hourly", by_s=1800)
        await scheduler.schedules.undo("hourly")
        assert (await scheduler.schedules.get("hourly")).amendments == ()
        await scheduler.schedules.postpone("hourly", by_s=1800)
        await trio.sleep(20 * 60)
        await scheduler.schedules.undo("hourly", FIRST)
        await trio.sleep(2)
        run = await scheduler.runs.get("hourly@2026-11-23T22:10:00Z")
        assert (run.state, run.started_at) == (State.SUCCEEDED, as_datetime(NOW + 20 * MINUTE))
        assert (await scheduler.schedules.get("hourly")).amendments == ()
        await refused(scheduler.schedules.undo("hourly"), "nothing of hourly that is to come is skipped or postponed")

    with_a_node(main)


def test_what_is_postponed_may_still_be_skipped() -> None:
    """Before it is decided, and after: asked for the next one, the postponed one is meant."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.postpone("hourly", by_s=1800)
        assert len((await scheduler.schedules.skip_next("hourly")).amendments) == 1
        await scheduler.schedules.postpone("hourly", FIRST + HOUR, by_s=1800)
        await trio.sleep(80 * 60)
        assert (await scheduler.schedules.skip_next("hourly")).amendments == ()
        await trio.sleep(3600)
        assert await outcomes(repository) == [
            (10, State.SKIPPED, Reason.USER),
            (70, State.SKIPPED, Reason.USER),
            (130, State.SUCCEEDED, None),
        ]

    with_a_node(main)


def test_a_fixed_delay_goes_on_behind_what_was_skipped_or_postponed() -> None:
    """Skipped it counts from then, postponed from the end of its run, skipped while postponed from that moment."""
    delay = every("delay", After(600))

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.skip_next("delay")
        await trio.sleep(11 * 60)
        await scheduler.schedules.postpone("delay", by_s=1200)
        await trio.sleep(30 * 60)
        rows = await rows_of(repository, delay)
        assert [(run.nominal_at, run.state, run.due_at) for run in rows] == [
            (at(600), State.SKIPPED, at(600)),
            (at(1200), State.SUCCEEDED, at(2400)),
        ]
        await scheduler.schedules.postpone("delay", by_s=1200)
        await trio.sleep(15 * 60)
        assert (await scheduler.schedules.get("delay")).next_due_at is None
        stored = await scheduler.schedules.skip_next("delay")
        assert (stored.state, stored.next_due_at) == ("active", as_datetime(at(56 * 60 + 600)))
        await scheduler.schedules.postpone("delay", by_s=600)
        await trio.sleep(15 * 60)
        paused = await scheduler.schedules.pause("delay")
        assert paused.state == "paused"
        await trio.sleep(3600)
        resumed = await scheduler.schedules.resume("delay")
        assert resumed.next_due_at == as_datetime(at(56 * 60 + 900 + 3600 + 600))
        assert [reason for _, _, reason in await outcomes(repository, delay)][-2:] == [Reason.PAUSED, Reason.PAUSED]

    with_a_node(main, delay)


# Pause until


def test_a_pause_ends_at_its_instant() -> None:
    """Nothing runs before, what is due at that instant does, and nobody has to be there (S5.3)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        until = FIRST + 2 * HOUR
        paused = await scheduler.schedules.pause("hourly", until=as_datetime(until), author="somebody", note="painters")
        assert paused.pause is not None
        assert (paused.state, paused.pause.until_at) == ("paused", until)
        with scheduler.subscribe(ScheduleChanged) as events:
            await trio.sleep(4 * 3600)
            async for event in events:
                assert event == ScheduleChanged("hourly", ScheduleChange.RESUMED, "its pause is over")
                break
        stored = await scheduler.schedules.get("hourly")
        assert (stored.state, stored.pause, stored.revision) == ("active", None, paused.revision)
        rows = await rows_of(repository, HOURLY)
        assert [(run.nominal_at, run.last_at, run.count, run.reason) for run in rows] == [
            (FIRST, FIRST + HOUR, 2, Reason.PAUSED),
            (until, None, 1, None),
            (until + HOUR, None, 1, None),
        ]

    with_a_node(main)


def test_a_pause_that_ended_while_the_node_was_down_ended_then() -> None:
    """What came due before its end was paused, what came due after it was missed, or runs late."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        config = a_config()
        async with a_node({"work": works}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(every("each", HOURLY.trigger, misfire=Misfire.LATEST))
            await scheduler.schedules.pause("each", until=FIRST + 90 * MINUTE)
        later = {"start_at": FIRST + 5 * HOUR + MINUTE}
        async with a_node({"work": works}, config, store=keeping(repository), **later) as (scheduler, _):
            await trio.sleep(60)
            assert await outcomes(repository, every("each", HOURLY.trigger)) == [
                (10, State.SKIPPED, Reason.PAUSED),
                (130, State.MISSED, Reason.COALESCED),
                (310, State.SUCCEEDED, None),
            ]

    in_virtual_time(main)


def test_a_pause_may_be_changed() -> None:
    """Another one takes its place, and what came due meanwhile is not forgotten; one that is over is refused."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await refused(
            scheduler.schedules.pause("hourly", until=NOW),
            "hourly cannot be paused until 2026-11-23T22:00:00Z: that is over",
        )
        await scheduler.schedules.pause("hourly", until=FIRST + 3 * HOUR)
        await trio.sleep(80 * 60)
        await scheduler.schedules.pause("hourly", author="another")
        assert await outcomes(repository) == [(10, State.SKIPPED, Reason.PAUSED)]
        await trio.sleep(5 * 3600)
        assert (await scheduler.schedules.get("hourly")).state == "paused"
        await scheduler.schedules.pause("hourly", until=NOW + 7 * HOUR)
        await scheduler.schedules.resume("hourly")
        rows = await rows_of(repository, HOURLY)
        assert [(run.count, run.reason) for run in rows] == [(2, Reason.PAUSED), (5, Reason.PAUSED)]

    with_a_node(main)


def test_a_disabled_schedule_is_not_woken_by_the_end_of_a_pause() -> None:
    """Its definition says so; enabled again after that end, it is active at once."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.pause("hourly", until=NOW + HOUR)
        await scheduler.schedules.put(every("hourly", HOURLY.trigger, enabled=False))
        await trio.sleep(2 * 3600)
        assert (await scheduler.schedules.get("hourly")).state == "paused"
        enabled = await scheduler.schedules.put(HOURLY)
        assert (enabled.state, enabled.pause) == ("active", None)

    with_a_node(main)


@pytest.mark.parametrize(("until", "state"), [(None, State.SKIPPED), (30, State.SUCCEEDED), (31, State.SKIPPED)])
def test_what_is_postponed_into_a_pause_is_skipped(until: int | None, state: State) -> None:
    """It waits already, but nothing of a paused schedule begins; beyond the pause it runs."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.postpone("hourly", by_s=1200)
        await trio.sleep(15 * 60)
        await scheduler.schedules.pause("hourly", until=None if until is None else NOW + until * MINUTE)
        amendments = (await scheduler.schedules.get("hourly")).amendments
        assert len(amendments) == (state is State.SUCCEEDED)
        await trio.sleep(30 * 60)
        ((_, found, _), *_) = await outcomes(repository)
        assert found is state

    with_a_node(main)


def test_amendments_survive_a_pause() -> None:
    """What was skipped stays skipped when the pause is over."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.skip("hourly", FIRST + HOUR)
        await scheduler.schedules.skip("hourly", FIRST)
        await scheduler.schedules.pause("hourly", until=FIRST + 30 * MINUTE)
        await trio.sleep(2.5 * 3600)
        assert await outcomes(repository) == [
            (10, State.SKIPPED, Reason.USER),
            (70, State.SKIPPED, Reason.USER),
            (130, State.SUCCEEDED, None),
        ]

    with_a_node(main)


# Words


@pytest.mark.parametrize(
    ("author", "note", "message"),
    [
        ("", "", "author is empty: say who changes it"),
        ("j" * 129, "", "author has 129 characters: at most 128"),
        ("somebody", "x" * 1001, "note has 1001 characters: at most 1000"),
        ("somebody", "\0", "note: a text with a NUL character cannot be kept"),
        ("somebody", 5, "note 5: it must be text"),
    ],
)
def test_what_people_say_is_bounded(author: str, note: Any, message: str) -> None:
    """Whatever they change: nothing is changed by somebody who is not named, or says too much."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.skip("hourly", FIRST + HOUR)
        before = await scheduler.schedules.get("hourly")
        words = {"author": author, "note": note}
        for name, more in (("skip_next", {}), ("postpone", {"by_s": 60}), ("undo", {}), ("pause", {}), ("remove", {})):
            await refused(getattr(scheduler.schedules, name)("hourly", **more, **words), message)
        await refused(scheduler.runs.fire("hourly", **words), message)
        assert await scheduler.schedules.get("hourly") == before
        assert (await scheduler.runs.find(RunQuery(schedule="hourly"))).rows == []
        assert render_instant(FIRST) == "2026-11-23T22:10:00Z"

    with_a_node(main)
