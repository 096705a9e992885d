"""The timer that ends naps: on the microsecond, and as soon as the wall clock is set (S3.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time_ns

import trio

from trioarm.core.instants import LATEST, SECOND
from trioarm.engine.clock import EARLY_MAX, LEAD, NAPS_PER_LEAD, WRITTEN_AT, SystemClock
from trioarm.engine.timerfd import ExactTimer, FakeTimer

SOON_S = 20.0  # far less than the nap would take, far more than a busy machine needs


@asynccontextmanager
async def a_clock(timer: FakeTimer | None) -> AsyncIterator[SystemClock]:
    """A clock that looks once in five minutes by itself."""
    clock = SystemClock(300.0, lambda: timer)
    async with trio.open_nursery() as nursery:
        await nursery.start(clock.run)
        yield clock
        nursery.cancel_scope.cancel()


async def test_a_wall_clock_that_is_set_ends_the_nap_at_once() -> None:
    """With nothing due for hours the timer is there all the same, to hear of it."""
    timer = FakeTimer()
    async with a_clock(timer) as clock:
        with trio.fail_after(SOON_S):
            for due_at in (None, clock.now() + 3600 * SECOND):
                with clock.nap_until(due_at, exactly=True) as nap:
                    assert timer.due_at == LATEST
                    await timer.clock_is_set()
                    await trio.sleep_forever()
                assert nap.cancelled_caught
    assert timer.closed


async def test_what_is_due_soon_ends_the_nap_when_the_timer_goes_off() -> None:
    """It is set to a lead before, also when something earlier turns up during the nap."""
    timer = FakeTimer()
    async with a_clock(timer) as clock:
        due_at = clock.now() + 100 * SECOND
        with trio.fail_after(SOON_S), clock.nap_until(due_at, exactly=True) as nap:
            assert timer.due_at == due_at - LEAD
            clock.shorten(nap, due_at - 50 * SECOND)
            assert timer.due_at == due_at - 50 * SECOND - LEAD
            await timer.goes_off()
            await trio.sleep_forever()
        assert nap.cancelled_caught


async def test_the_rest_of_a_nap_is_waited_for_awake() -> None:
    """Whoever naps is there a lead before, and goes on when it is due and not before."""
    timer = FakeTimer()
    async with a_clock(timer) as clock:
        due_at = clock.now() + SECOND // 5
        with trio.fail_after(SOON_S):
            with clock.nap_until(due_at, exactly=True):
                while clock.now() < due_at - LEAD:
                    await trio.lowlevel.checkpoint()
                await timer.goes_off()
                await trio.sleep_forever()
            await clock.see_out()
        assert clock.now() >= due_at


async def test_a_short_nap_has_a_short_lead() -> None:
    """Naps of a few milliseconds, one after another, would otherwise be none at all."""
    timer = FakeTimer()
    async with a_clock(timer) as clock:
        due_at = clock.now() + LEAD
        clock.nap_until(due_at, exactly=True)
        assert timer.due_at is not None
        assert due_at - LEAD // NAPS_PER_LEAD <= timer.due_at <= due_at


class StandingClock(SystemClock):
    """A clock that stands still, as one does that only this process sees as it is."""

    def wall(self) -> int:
        """Return the same as ever."""
        return WRITTEN_AT


async def test_a_clock_that_stands_still_is_not_waited_for() -> None:
    """What it is a moment before never comes; the engine looks, and naps anew."""
    timer = FakeTimer()
    clock = StandingClock(300.0, lambda: timer)
    async with trio.open_nursery() as nursery:
        await nursery.start(clock.run)
        with trio.fail_after(SOON_S):
            clock.nap_until(clock.now() + LEAD, exactly=True)
            await clock.see_out()
        assert clock.now() == WRITTEN_AT
        nursery.cancel_scope.cancel()


async def test_a_nap_that_ended_for_another_reason_is_not_seen_out() -> None:
    """Long before what it was for is due there is nothing to wait for, and when nothing is due neither."""
    async with a_clock(FakeTimer()) as clock:
        for due_at in (None, clock.now() + 100 * SECOND):
            clock.nap_until(due_at, exactly=True)
            with trio.fail_after(SOON_S):
                await clock.see_out()
            assert due_at is None or clock.now() < due_at


async def test_a_timer_that_is_always_early_is_no_longer_asked() -> None:
    """A clock that only this process sees as it is fools the kernel's timer; naps then end by themselves."""
    timer = FakeTimer()
    async with a_clock(timer) as clock:
        with trio.fail_after(SOON_S):
            for _ in range(EARLY_MAX):
                assert not timer.closed
                with clock.nap_until(clock.now() + 100 * SECOND, exactly=True):
                    await timer.goes_off()
                    await trio.sleep_forever()
            while not timer.closed:
                await trio.lowlevel.checkpoint()
        with clock.nap_until(clock.now() + SECOND // 100, exactly=True):
            await trio.sleep_forever()
    assert timer.due_at != LATEST


async def test_where_there_is_no_timer_naps_end_all_the_same() -> None:
    """On whole milliseconds, and in any case after the interval."""
    async with a_clock(None) as clock:
        began = time_ns()
        with clock.nap_until(clock.now() + SECOND // 20, exactly=True):
            await trio.sleep_forever()
        assert time_ns() - began >= 50_000_000


async def test_the_kernel_s_timer_goes_off_when_it_is_due() -> None:
    """Not before, and a passed instant at once; setting it anew forgets the one before."""
    timer = ExactTimer.open()
    assert timer is not None
    with trio.fail_after(SOON_S):
        timer.set(0)
        assert await timer.wait()
        due_at = time_ns() // 1000 + SECOND // 20
        timer.set(due_at + 3600 * SECOND)
        timer.set(due_at)
        assert await timer.wait()
        assert time_ns() // 1000 >= due_at
    timer.close()
