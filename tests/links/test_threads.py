"""Calls in a thread: one after the other, whatever the loop does, and cancelled as far as they have not begun."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import pytest
import trio
import trio.testing

from trioarm.links.threads import Thread

PATIENCE_S = 10.0


class _Steps:
    """Calls that begin, and end when they are let, in a thread."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.interrupted: list[str] = []
        self._begins: dict[str, threading.Event] = {}
        self._may_end: dict[str, threading.Event] = {}

    def call(self, name: str) -> str:
        """Begin, wait for `end`, and return the name."""
        self.begun.append(name)
        self._event(self._begins, name).set()
        assert self._event(self._may_end, name).wait(PATIENCE_S)
        return name

    def end(self, name: str) -> None:
        """Let a call come to its end."""
        self._event(self._may_end, name).set()

    def interrupt(self, name: str) -> None:
        """Note that a call was interrupted, and let it come to its end."""
        self.interrupted.append(name)
        self.end(name)

    def has_begun(self, name: str) -> bool:
        """Wait, without letting trio's loop turn, until a call has begun."""
        return self._event(self._begins, name).wait(PATIENCE_S)

    @staticmethod
    def _event(events: dict[str, threading.Event], name: str) -> threading.Event:
        return events.setdefault(name, threading.Event())


class _Calls:
    """Calls made by tasks of a nursery, and what they returned."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.steps = _Steps()
        self.thread = Thread()
        self.returned: list[str] = []
        self.scopes: dict[str, trio.CancelScope] = {}
        self._nursery = nursery

    async def make(self, name: str, *, interruptible: bool = False) -> None:
        """Make one more call, and go on once its task waits."""
        self._nursery.start_soon(self._make, name, interruptible)
        await trio.testing.wait_all_tasks_blocked()

    async def _make(self, name: str, interruptible: bool) -> None:
        work = partial(self.steps.call, name)
        with trio.CancelScope() as self.scopes[name]:
            if interruptible:
                self.returned.append(await self.thread.run_or(partial(self.steps.interrupt, name), work))
            else:
                self.returned.append(await self.thread.run(work))


async def test_a_call_begins_when_the_one_before_has_ended_though_the_loop_is_busy() -> None:
    """In the order in which they were made, without a turn of the loop between them."""
    async with trio.open_nursery() as nursery:
        calls = _Calls(nursery)
        for name in ("a", "b", "c"):
            await calls.make(name)
        assert calls.steps.has_begun("a")
        for before, after in (("a", "b"), ("b", "c")):
            calls.steps.end(before)
            assert calls.steps.has_begun(after)
        calls.steps.end("c")
    assert sorted(calls.returned) == ["a", "b", "c"]
    assert calls.steps.begun == ["a", "b", "c"]


async def test_a_call_that_is_cancelled_while_it_waits_is_never_made() -> None:
    """One that has begun is carried out to its end, and what it returned is not lost."""
    async with trio.open_nursery() as nursery:
        calls = _Calls(nursery)
        for name in ("a", "b"):
            await calls.make(name)
        assert calls.steps.has_begun("a")
        calls.scopes["b"].cancel()
        calls.scopes["a"].cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert calls.scopes["b"].cancelled_caught
        calls.steps.end("a")
    assert calls.steps.begun == calls.returned == ["a"]
    with trio.fail_after(PATIENCE_S):
        assert await calls.thread.run(lambda: 1) == 1


async def test_the_loop_waits_for_a_call_to_come_to_what_it_does_beside_it() -> None:
    """Once the call has said so, both go on; one that never does holds the loop up for a moment alone."""
    begun, may_end = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return may_end.wait(PATIENCE_S)

    thread = Thread()
    ended: list[bool] = []

    async def call() -> None:
        ended.append(await thread.run(work, begun=begun))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        assert begun.is_set()
        assert not ended
        may_end.set()
    assert ended == [True]
    assert await thread.run(lambda: 1, begun=threading.Event()) == 1


async def test_a_call_that_is_cancelled_before_any_thread_came_to_it_leaves_one_thread_alone() -> None:
    """Whoever makes the next call waits for that thread, or is served by it."""
    calls = Thread()
    busy = 0

    def work() -> int:
        nonlocal busy
        busy += 1
        most = busy
        busy -= 1
        return most

    for _ in range(50):
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(calls.run, work)
                scope.cancel()
                await calls.run(work)
            assert await calls.run(work) == 1


async def test_only_the_call_that_is_carried_out_is_interrupted() -> None:
    """Neither one that waits, nor another that began when the cancelled one had ended."""
    async with trio.open_nursery() as nursery:
        calls = _Calls(nursery)
        for name in ("a", "b", "c"):
            await calls.make(name, interruptible=True)
        calls.steps.end("a")
        assert calls.steps.has_begun("b")
        for name in ("a", "c"):  # one has ended, and nobody knows yet; the other waits
            calls.scopes[name].cancel()
        assert calls.steps.interrupted == []
        calls.scopes["b"].cancel()
        assert calls.steps.interrupted == ["b"]
    assert calls.returned == []
    assert all(scope.cancelled_caught for scope in calls.scopes.values())
    assert calls.steps.begun == ["a", "b"]


async def test_an_error_is_raised_where_the_call_was_made() -> None:
    """And the next call is carried out."""

    def fail() -> None:
        raise OSError("no such device")

    thread = Thread()
    with pytest.raises(OSError, match="no such device"):
        await thread.run(fail)
    assert await thread.run_or(lambda: None, lambda: 2) == 2


CTRL_C = """
import signal, threading, trio
from trioarm.links.threads import Thread

class Lock:  # at which somebody presses Ctrl-C, once it is let go
    def __init__(self):
        self.lock, self.presses = threading.Lock(), 1
    def __enter__(self):
        self.lock.acquire()
    def __exit__(self, *_):
        self.lock.release()
        if self.presses and threading.current_thread() is threading.main_thread():
            self.presses -= 1
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever whoever started it does with it
lock, thread = Lock(), Thread()
vars(thread)["_lock"] = lock
try:
    trio.run(thread.run, lambda: 1)
except KeyboardInterrupt:
    print("interrupted", lock.presses)

async def again():
    with trio.fail_after(10):
        return await thread.run(lambda: 2)

print(trio.run(again))
"""


def test_ctrl_c_does_not_part_a_call_from_its_task() -> None:
    """It comes while the task waits, which takes its call back or waits for its end; the next call is carried out."""
    run = subprocess.run((sys.executable, "-c", CTRL_C), capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout.splitlines(), run.stderr) == (["interrupted 0", "2"], "")
