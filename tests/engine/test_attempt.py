"""How one call of a handler ends, and what is recorded of it (S6.3, S6.4, S6.7)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
import trio
import trio.testing

from tests.making import a_run
from tests.world import a_node, in_virtual_time
from trioarm import (
    Discard,
    Every,
    InMemoryScheduleRepository,
    Override,
    Reason,
    Retry,
    RetryPolicy,
    RunContext,
    RunExecutor,
    Schedule,
    Snooze,
    State,
    current_run,
)
from trioarm.core.instants import HOUR, SECOND
from trioarm.core.outcome import Failed, Ok, Outcome, Stopped, TimedOut
from trioarm.core.run import RunRecord
from trioarm.core.states import WaitingFor
from trioarm.engine.attempt import ERROR_LENGTH_MAX, LATE_S, Attempt, Handler, attempt_of, call_some

from .nodes import NEVER_AGAIN, a_config, at, keeping, once, rows_of, run_after

TWICE = RetryPolicy(max_retries=2, base_s=10, factor=3)


def test_what_a_handler_raises_is_kept_in_one_line() -> None:
    """Type and message, white space folded, at most 500 characters: what fits in a row of a table."""

    async def work(run: RunContext) -> None:
        raise ConnectionError("the line\n  is\tbusy " + "x" * 1000)

    run = run_after(60, work, once(retry=NEVER_AGAIN))
    assert (run.state, run.reason, run.attempt) == (State.FAILED, Reason.ERROR, 1)
    assert run.error is not None
    assert run.error.startswith("ConnectionError: the line is busy xxx")
    assert "\n" not in run.error
    assert len(run.error) <= len("ConnectionError: ") + ERROR_LENGTH_MAX


def test_an_exception_without_a_message_still_says_what_it_was() -> None:
    """A row whose error is a bare type would leave people guessing."""

    async def work(run: RunContext) -> None:
        raise KeyError

    assert run_after(60, work, once(retry=NEVER_AGAIN)).error == "KeyError: no message"


def test_failed_attempts_are_spaced_by_the_backoff_until_none_is_left() -> None:
    """The delays are base, base * factor, and so on; after the last attempt the run has failed (S6.4)."""
    begun: list[tuple[float, int, int]] = []

    async def work(run: RunContext) -> None:
        begun.append(((run.due_at.timestamp() * SECOND - at(0)) / SECOND, run.attempt, run.token))
        raise OSError("no route")

    run = run_after(600, work, once(retry=TWICE))
    assert begun == [(10, 1, 1), (20, 2, 2), (50, 3, 3)]
    assert (run.state, run.reason, run.attempt, run.error) == (State.FAILED, Reason.ERROR, 3, "OSError: no route")


def test_a_retry_waits_in_the_repository_not_in_a_task() -> None:
    """Between two attempts the run is pending, due later, with its error; another node carries on (S6.4)."""
    begun: list[tuple[str, int]] = []
    repository = InMemoryScheduleRepository()

    async def fails(run: RunContext) -> None:
        begun.append(("first", run.attempt))
        raise OSError("no route")

    async def works(run: RunContext) -> None:
        begun.append(("second", run.attempt))

    async def main() -> RunRecord:
        schedule = once(retry=RetryPolicy(base_s=100, max_s=100))
        async with a_node({"work": fails}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(11)
            (run,) = await rows_of(repository, schedule)
            assert (run.state, run.waiting_for, run.due_at) == (State.PENDING, WaitingFor.RETRY, at(110))
            assert run.error == "OSError: no route"
        await trio.sleep(60)
        async with a_node({"work": works}, a_config(), store=keeping(repository), start_at=at(71)):
            await trio.sleep(38)
            assert begun == [("first", 1)]
            await trio.sleep(2)
        (run,) = await rows_of(repository, schedule)
        return run

    run = in_virtual_time(main)
    assert begun == [("first", 1), ("second", 2)]
    assert (run.state, run.started_at, run.error) == (State.SUCCEEDED, at(110), None)


def test_a_handler_that_hangs_is_cancelled_and_tried_again() -> None:
    """A timeout counts from each attempt's start and is an error like any other; the last one is final (S6.4)."""
    begun: list[float] = []

    async def work(run: RunContext) -> None:
        begun.append(trio.current_time())
        assert run.deadline_s == pytest.approx(5)
        await trio.sleep_forever()

    run = run_after(600, work, once(retry=TWICE, timeout_s=5))
    assert [later - begun[0] for later in begun] == pytest.approx([0, 15, 50])
    assert (run.state, run.reason, run.attempt) == (State.TIMED_OUT, Reason.TIMEOUT, 3)
    assert run.error == "handler 'work' took longer than its timeout of 5 s"
    assert (run.finished_at or 0) - (run.started_at or 0) == 5 * SECOND


def test_a_schedule_without_a_timeout_has_that_of_the_node() -> None:
    """`executor.timeout` holds for schedules that say nothing, and is what the message names."""

    async def work(run: RunContext) -> None:
        await trio.sleep_forever()

    run = run_after(600, work, once(retry=NEVER_AGAIN), a_config(timeout_s=30))
    assert (run.state, run.finished_at) == (State.TIMED_OUT, at(40))
    assert run.error == "handler 'work' took longer than its executor.timeout"


def test_a_handler_that_swallows_its_cancellation_and_returns_late_has_timed_out() -> None:
    """What was told to stop and returned all the same did not succeed, and is not tried again without a retry left."""

    async def work(run: RunContext) -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(7)
        return "too late"

    run = run_after(600, work, once(retry=NEVER_AGAIN, timeout_s=5))
    assert (run.state, run.reason, run.result) == (State.TIMED_OUT, Reason.TIMEOUT, None)
    assert run.finished_at == at(17)


def test_a_handler_that_returns_late_before_it_is_told_to_stop_has_done_its_work() -> None:
    """One that keeps the loop busy past its deadline is not interrupted: to try it again would do its work twice."""

    async def work(run: RunContext) -> str:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(7)
        return "done"

    run = run_after(600, work, once(timeout_s=5))
    assert (run.state, run.attempt, run.result) == (State.SUCCEEDED, 1, "done")
    assert run.finished_at == at(17)


def test_an_error_while_cleaning_up_after_the_timeout_is_still_a_timeout() -> None:
    """The cause is the timeout; what the handler raised on its way out is not."""

    async def work(run: RunContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("clean-up failed")

    assert run_after(600, work, once(retry=NEVER_AGAIN, timeout_s=5)).state is State.TIMED_OUT


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (object(), "a object cannot be kept"),
        (float("nan"), "nan cannot be kept as JSON"),
        ({1: "one"}, "key 1 is no text"),
        ({"bytes": b"x"}, "result.bytes: a bytes cannot be kept"),
        (list(range(20_000)), "too large to keep"),
    ],
)
def test_a_result_that_cannot_be_kept_does_not_undo_success(result: object, why: str) -> None:
    """The work is done, so the run succeeded; the row says in one line what is not kept and why."""

    async def work(run: RunContext) -> object:
        return result

    run = run_after(60, work, once())
    assert (run.state, run.reason, run.result, run.attempt) == (State.SUCCEEDED, Reason.RESULT_DROPPED, None, 1)
    assert run.error is not None
    assert run.error.startswith("the run succeeded, but what it returned is not kept: result")
    assert why in run.error
    assert "\n" not in run.error


def test_a_result_is_kept_as_json() -> None:
    """Tuples become lists; what the handler keeps is not what is stored."""
    shared = {"rows": (1, 2)}

    async def work(run: RunContext) -> object:
        return shared

    run = run_after(60, work, once())
    shared["rows"] = (3,)
    assert (run.state, run.reason, run.result) == (State.SUCCEEDED, None, {"rows": [1, 2]})


def test_retry_says_when() -> None:
    """`Retry(after_s)` replaces the backoff and consumes an attempt."""
    begun: list[float] = []

    async def work(run: RunContext) -> None:
        begun.append(trio.current_time())
        if run.attempt < 3:
            raise Retry("not ready", after_s=7)

    run = run_after(600, work, once())
    assert [later - begun[0] for later in begun] == pytest.approx([0, 7, 14])
    assert (run.state, run.attempt) == (State.SUCCEEDED, 3)


def test_retry_does_not_outlive_the_retries() -> None:
    """A handler that asks for ever has failed once its retries are used up."""

    async def work(run: RunContext) -> None:
        raise Retry(after_s=1)

    run = run_after(600, work, once(retry=TWICE))
    assert (run.state, run.reason, run.attempt, run.error) == (State.FAILED, Reason.ERROR, 3, "asked for a retry")


def test_discard_is_final() -> None:
    """A handler that says trying again is useless is not tried again."""

    async def work(run: RunContext) -> None:
        raise Discard("no such user")

    run = run_after(600, work, once())
    assert (run.state, run.reason, run.attempt, run.error) == (State.FAILED, Reason.DISCARDED, 1, "no such user")


def test_an_override_ends_the_run_without_a_failure() -> None:
    """A handler that gives way to somebody ends its run `overridden`, with the reason and its one line (S6.2)."""

    async def work(run: RunContext) -> None:
        raise Override("somebody asked\nfor quiet", reason=Reason.HOLD)

    run = run_after(600, work, once())
    assert (run.state, run.reason, run.error) == (State.OVERRIDDEN, Reason.HOLD, "somebody asked for quiet")
    assert (run.attempt, run.finished_at) == (1, at(10))


def test_an_override_is_logged_as_information(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing went wrong, so nobody is warned."""

    async def work(run: RunContext) -> None:
        raise Override

    caplog.set_level(logging.INFO, "trioarm.recorder")
    run = run_after(60, work, once())
    assert run.error == "somebody else decided otherwise"
    assert [record.levelno for record in caplog.records if record.name == "trioarm.recorder"] == [logging.INFO]


def test_snooze_consumes_no_attempt() -> None:
    """A snoozed run is called again at the instant it named, as the same attempt with a new token."""
    seen: list[tuple[int, int]] = []

    async def work(run: RunContext) -> None:
        seen.append((run.attempt, run.token))
        if len(seen) < 4:
            raise Snooze(at(10) + len(seen) * HOUR)

    run = run_after(4 * 3600, work, once(retry=NEVER_AGAIN))
    assert seen == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert (run.state, run.attempt, run.started_at) == (State.SUCCEEDED, 1, at(10) + 3 * HOUR)


@pytest.mark.parametrize("inside", [Discard("no such user"), ExceptionGroup("inner", [Discard("no such user")])])
def test_an_instruction_in_a_group_of_one_is_obeyed(inside: Exception) -> None:
    """A handler that works in a nursery raises groups; one with a single instruction means that instruction."""

    async def work(run: RunContext) -> None:
        raise ExceptionGroup("from a nursery", [inside])

    run = run_after(60, work, once())
    assert (run.state, run.reason, run.error) == (State.FAILED, Reason.DISCARDED, "no such user")


def test_a_group_of_several_errors_is_one_failure() -> None:
    """It is recorded under the group's own name and message."""

    async def work(run: RunContext) -> None:
        raise ExceptionGroup("both lines", [OSError("a"), OSError("b")])

    run = run_after(60, work, once(retry=NEVER_AGAIN))
    assert (run.state, run.error) == (State.FAILED, "ExceptionGroup: both lines (2 sub-exceptions)")


def test_a_nursery_that_fails_in_the_handler_is_an_ordinary_failure() -> None:
    """What the handler cancels among its own tasks is its own affair."""

    async def fails() -> None:
        raise OSError("gone")

    async def work(run: RunContext) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(fails)

    run = run_after(60, work, once(retry=NEVER_AGAIN))
    assert (run.state, run.error) == (State.FAILED, "OSError: gone")


def test_system_exit_ends_the_run_not_the_node() -> None:
    """A handler that calls `sys.exit` has failed; nothing else notices (S6.7)."""

    async def work(run: RunContext) -> None:
        if run.attempt == 1:
            raise SystemExit(3)

    run = run_after(60, work, once())
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), BaseExceptionGroup("nursery", [KeyboardInterrupt()])])
def test_an_interrupt_from_the_keyboard_ends_the_node(raised: BaseException) -> None:
    """It belongs to the person at the keyboard, wherever it strikes; the run is given back (S6.7)."""
    repository = InMemoryScheduleRepository()

    async def work(run: RunContext) -> None:
        raise raised

    async def node() -> None:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(60)

    async def main() -> RunRecord:
        with pytest.raises(KeyboardInterrupt):
            await node()
        (run,) = await rows_of(repository, once())
        return run

    run = in_virtual_time(main)
    assert (run.state, run.attempt) == (State.PENDING, 0)


def test_failures_are_logged_in_one_line_and_traced_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    """A failing handler is a fact of life: one warning per run; its trace is for those who look for it."""

    async def work(run: RunContext) -> None:
        raise OSError("no route")

    with caplog.at_level(logging.INFO, "trioarm"):
        run_after(60, work, once(retry=NEVER_AGAIN))
    (line,) = [record for record in caplog.records if record.name.startswith("trioarm") and "route" in record.message]
    assert (line.levelno, line.message, line.exc_info) == (logging.WARNING, "one: OSError: no route (failed)", None)


def test_arguments_are_a_copy() -> None:
    """A handler cannot change what the next run gets."""
    seen: list[object] = []

    async def work(run: RunContext) -> None:
        seen.append(run.args)
        run.args["to"] = "nobody"

    run_after(60, work, once(args={"to": "all", "lines": [1, 2]}, retry=NEVER_AGAIN))
    assert seen == [{"to": "all", "lines": [1, 2]}]


def test_a_schedule_may_name_another_handler_while_its_run_is_held() -> None:
    """A run is called, recorded and its room given back by the handler it was claimed for."""
    called: list[str] = []

    async def slow(run: RunContext) -> None:
        called.append("slow")
        await trio.sleep(10)

    async def main() -> tuple[list[State], int]:
        async with a_node({"slow": slow}) as (scheduler, container):
            await scheduler.schedules.put(Schedule("s", Every(3600), handler="slow"))
            run = await scheduler.runs.fire("s")
            await trio.sleep(1)
            await scheduler.schedules.put(Schedule("s", Every(3600), handler="unheard-of"))
            ended = await scheduler.runs.wait(run.id)
            await trio.testing.wait_all_tasks_blocked()
            held = sum(len(pool.held) for pool in container.get(RunExecutor).pools)
            return [ended.state], held

    assert in_virtual_time(main) == ([State.SUCCEEDED], 0)
    assert called == ["slow"]


async def call_each(
    attempts: Sequence[Attempt], handlers: Mapping[str, Handler], ended: Callable[[Attempt], None]
) -> None:
    """Call all of them, as a worker does."""
    others = iter(attempts)
    attempt = next(others, None)
    while attempt is not None:
        attempt = await call_some(attempt, others, handlers, ended)


async def test_the_run_is_known_inside_its_call_and_nowhere_else() -> None:
    """Whatever is called next in the same task is of no run, or of another one."""
    seen: list[bool] = []
    after: list[RunContext | None] = []

    async def works(run: RunContext) -> None:
        seen.append(current_run() is run)

    async def fails(run: RunContext) -> None:
        seen.append(current_run() is run)
        raise OSError("no route")

    assert current_run() is None
    attempts = [Attempt(a_run(), 1, handler) for handler in ("works", "fails", "works")]
    handlers = {"works": works, "fails": fails}
    await call_each(attempts, handlers, lambda attempt: after.append(current_run()))
    assert (seen, after, current_run()) == ([True, True, True], [None, None, None], None)
    assert [type(attempt.outcome) for attempt in attempts] == [Ok, Failed, Ok]


class Scopes:
    """A handler that notes its cancel scope, and does what it is told by the number of its call."""

    def __init__(self, *deeds: Callable[[], Awaitable[object]]) -> None:
        self._deeds = deeds
        self.of: list[object] = []
        self.deadlines: list[float] = []

    async def work(self, run: RunContext) -> object:
        """Note the scope, and do the next deed."""
        self.of.append(attempt_of(run).scope)
        self.deadlines.append(trio.current_effective_deadline())
        return await self._deeds[len(self.of) - 1]()


async def _returns() -> None:
    await trio.lowlevel.checkpoint()


async def _raises() -> None:
    raise OSError("no route")


async def _hangs() -> None:
    await trio.sleep_forever()


async def _returns_late() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(10)


@pytest.mark.parametrize(
    ("first", "outcome", "shared"),
    [(_returns, Ok, True), (_raises, Failed, False), (_hangs, TimedOut, False), (_returns_late, TimedOut, False)],
)
def test_calls_that_return_in_time_share_a_cancel_scope(
    first: Callable[[], Awaitable[object]], outcome: type[Outcome], shared: bool
) -> None:
    """Whatever else one does, the next call begins under a scope that knows nothing of it, with a deadline of its own
    (S6.3); of a scope that is shared it comes a moment later."""
    scopes = Scopes(first, _returns)

    async def main() -> list[Attempt]:
        began = trio.current_time()
        attempts = [Attempt(a_run(), 1, "work", began + 5), Attempt(a_run(), 1, "work", began + 60)]
        await call_each(attempts, {"work": scopes.work}, lambda attempt: None)
        assert scopes.deadlines == [began + 5, began + 60 + (LATE_S if shared else 0)]
        return attempts

    attempts = in_virtual_time(main)
    assert [type(attempt.outcome) for attempt in attempts] == [outcome, Ok]
    assert (scopes.of[0] is scopes.of[1]) is shared
    assert [attempt.scope for attempt in attempts] == [None, None]


def test_the_deadline_of_a_shared_scope_is_moved_as_seldom() -> None:
    """It is never earlier than that of the call, and no more than a moment later, wherever that lies."""
    timeouts = (5, 5, 5 + LATE_S / 4, 5 + LATE_S, 60, 5, 5 + LATE_S / 2)
    scopes = Scopes(*[_returns for _ in timeouts])

    async def main() -> list[float]:
        began = trio.current_time()
        attempts = [Attempt(a_run(), 1, "work", began + timeout) for timeout in timeouts]
        await call_each(attempts, {"work": scopes.work}, lambda attempt: None)
        late = [at - one.deadline for at, one in zip(scopes.deadlines, attempts, strict=True)]
        assert all(0 <= one < LATE_S * 1.001 for one in late)
        return scopes.deadlines

    first, second, third, *others = in_virtual_time(main)
    assert (first == second, third == others[0], others[2] == others[3]) == (True, True, True)


def test_a_call_that_is_cancelled_takes_nobody_along() -> None:
    """Somebody who cancels one run of a worker means that one alone, though others share its scope."""
    attempts: list[Attempt] = []

    async def cancelled() -> None:
        attempts[1].cancel(Reason.USER)
        await trio.sleep_forever()

    scopes = Scopes(_returns, cancelled, _returns)

    async def main() -> None:
        attempts.extend(Attempt(a_run(), 1, "work") for _ in range(3))
        await call_each(attempts, {"work": scopes.work}, lambda attempt: None)

    in_virtual_time(main)
    assert [attempt.outcome for attempt in attempts] == [Ok(), Stopped(Reason.USER), Ok()]
    assert scopes.of[0] is scopes.of[1] is not scopes.of[2]


async def test_what_is_told_of_ends_is_no_handler() -> None:
    """A fault of the node itself is not put down to the handler whose outcome it was told."""

    def ended(attempt: Attempt) -> None:
        raise AssertionError("a fault of the node")

    attempt = Attempt(a_run(), 1, "work")
    with pytest.raises(AssertionError, match="of the node"):
        await call_each([attempt], {"work": Scopes(_returns).work}, ended)
    assert attempt.outcome == Ok()
