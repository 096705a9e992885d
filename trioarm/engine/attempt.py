"""One call of a handler: its cancel scope, its deadline, and what became of it. The only place that catches whatever a
handler raises (S6.3, S6.7)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from math import inf
from typing import Final, TypeAlias, TypeVar

import attrs
import trio

from trioarm.core.alerts import alert_id
from trioarm.core.changes import AppendJournal, PutDocument
from trioarm.core.cutting import cut
from trioarm.core.instants import as_datetime
from trioarm.core.jitter import starts_at
from trioarm.core.jsonable import Json, as_json
from trioarm.core.outcome import (
    Discard,
    Failed,
    Ok,
    Outcome,
    Overridden,
    Override,
    Retry,
    Snooze,
    Snoozed,
    Stopped,
    TimedOut,
    kinds_of,
)
from trioarm.core.progress import Progress, bounded
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason

T = TypeVar("T")

STUCK_GRACE_S: Final = 5.0  # what a cancelled handler may take to clean up before its worker is replaced
LATE_S: Final = 0.001  # by which the end of a shared scope may be late: trio's loop wakes on whole milliseconds
ERROR_LENGTH_MAX: Final = 500  # characters of a handler's own words that are kept

_running: ContextVar[RunContext | None] = ContextVar("trioarm_run", default=None)
_WENT_WELL: Final = Ok()

_log = logging.getLogger("trioarm.attempt")


@attrs.define(slots=True, eq=False)
class Host:
    """What a pool has for all of its attempts.

    Args:
        threads: limits the threads that plain functions run in.
        progressed: told of an attempt that says how far it is.
        trusted_until: returns trio's time at which attempts are cancelled unless the node renews its lease before
            (S7.2).
    """

    threads: trio.CapacityLimiter
    progressed: Callable[[Attempt], None]
    trusted_until: Callable[[], float]


@attrs.define(slots=True, eq=False)
class Attempt:
    """An attempt while it lasts, and its result until it is recorded.

    Args:
        run: the run, claimed by this node.
        token: the claim it is made under.
        handler: the registered name of what is called; the schedule may name another one meanwhile.
        deadline: trio's time at which its handler is cancelled, if the lease of the node lasts until then.
        stuck_at: trio's time from which a handler that has not ended counts as ignoring its cancellation.
        host: what its pool has for it; None where it has nothing.
        task: trio's, in which it is made; None where no worker makes it.
        started_at: wall clock when the handler was called; None when it never was.
        ended_at: wall clock when it ended.
        scope: its one cancel scope; None before the handler is called, and once it has ended.
        reason: why it was cancelled from outside; None when it was not.
        outcome: how it ended; None while it has not.
        keep: documents and journal entries to commit together with the outcome.
        abandoned: whether its outcome was recorded without waiting for such a handler.
        thread: set when the thread its handler runs in has ended; None for a handler that runs in none.
        progress: how far it says it is; None while it has said nothing.
        left: the result of its run if it is the last one and does not succeed.
    """

    run: RunRecord
    token: int
    handler: str
    deadline: float = inf
    stuck_at: float = inf
    host: Host | None = None
    task: trio.lowlevel.Task | None = None
    started_at: int | None = None
    ended_at: int = 0
    scope: trio.CancelScope | None = None
    reason: Reason | None = None
    outcome: Outcome | None = None
    keep: list[PutDocument | AppendJournal] | None = None
    abandoned: bool = False
    thread: trio.Event | None = None
    progress: Progress | None = None
    left: Json = None

    def cancel(self, reason: Reason) -> None:
        """Ask the handler to stop. The first reason counts."""
        if self.reason is None:
            self.reason = reason
            self.stuck_at = trio.current_time() + STUCK_GRACE_S
            if self.scope is not None:
                self.scope.cancel()


def current_run() -> RunContext | None:
    """Return the run whose handler this is called from, in its tasks and threads too; None outside of handlers."""
    return _running.get()


def run_of_task(task: trio.lowlevel.Task) -> RunContext | None:
    """Return the run whose handler a task works for; None where it works for none."""
    return task.context.get(_running)


class RunContext:
    """What a handler is told about its run."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    @property
    def id(self) -> str:
        """Readable id, such as `backup@2026-11-23T02:30:00Z`."""
        return self._attempt.run.readable_id

    def alert_id(self, subject: str, kind: str) -> str:
        """Return the id of an alert about this run: the same in every attempt, and no other run's (S6.9).

        Args:
            subject: what the alert is about.
            kind: what happened to it.
        """
        return alert_id(subject, kind, self._attempt.run)

    @property
    def schedule(self) -> str:
        """Name of the schedule."""
        return self._attempt.run.schedule.schedule.name

    @property
    def handler(self) -> str:
        """The registered name of the handler."""
        return self._attempt.handler

    @property
    def nominal_at(self) -> datetime:
        """The occurrence, in UTC: the same for every attempt."""
        return as_datetime(self._attempt.run.nominal_at)

    @property
    def starts_at(self) -> datetime:
        """When the first attempt was to start, in UTC: at the occurrence, or as much later as a person postponed it or
        jitter spreads it."""
        return as_datetime(starts_at(self._attempt.run))

    @property
    def due_at(self) -> datetime:
        """When this attempt was due, in UTC."""
        return as_datetime(self._attempt.run.due_at)

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._attempt.run.attempt

    @property
    def is_recovery(self) -> bool:
        """Whether the attempt before this one was lost with its node: what it did, nobody knows."""
        return self._attempt.run.reason is Reason.LOST

    @property
    def token(self) -> int:
        """Fencing number: grows with each claim of this run. Hand it on to what must refuse an older one (S7.2)."""
        return self._attempt.token

    @property
    def args(self) -> dict[str, Json]:
        """The arguments, a copy."""
        run = self._attempt.run
        copy = as_json(run.schedule.schedule.args if run.args is None else run.args, what="args")
        if not isinstance(copy, dict):
            raise AssertionError("arguments are validated as a mapping")
        return copy

    @property
    def tolerance_s(self) -> float | None:
        """Lateness that still counts as on time, in seconds; None where its schedule leaves that to the node."""
        return self._attempt.run.schedule.schedule.tolerance_s

    @property
    def deadline_s(self) -> float:
        """Seconds left until this attempt is cancelled: by its timeout, or before that by the end of the node's lease.

        A lease that is renewed moves its end, so that this may grow again; it is negative once the time is over.
        """
        host, deadline = self._attempt.host, self._attempt.deadline
        ends_at = deadline if host is None else min(deadline, host.trusted_until())
        return ends_at - in_loop(trio.current_time)

    def progress(self, value: object) -> None:
        """Say how far this attempt is. The next one finds the latest value in `last_progress`, after a crash too.

        It costs nothing to call often: at most once a second is something written, and the latest with the outcome.

        Args:
            value: JSON of at most 4 096 bytes; what was said before is replaced.

        Raises:
            ValueError: it is larger, or no JSON; what was said before stays.
        """
        attempt, said = self._attempt, bounded(value)
        if attempt.progress is None:
            attempt.progress = Progress(before=attempt.run.progress)
        attempt.progress.say(said)
        if attempt.host is not None:
            in_loop(partial(attempt.host.progressed, attempt))

    @property
    def last_progress(self) -> Json:
        """What attempts before this one said last of how far they were, a copy; None when there is nothing."""
        progress, run = self._attempt.progress, self._attempt.run
        return as_json(run.progress if progress is None else progress.before, what="progress")

    def leave(self, result: object) -> None:
        """Leave a result in case that this attempt does not return one: it is kept with a run that fails or times out.

        Raises:
            ValueError: it cannot be kept.
        """
        self._attempt.left = as_json(result, what="result")

    def keep(self, step: PutDocument | AppendJournal) -> None:
        """Commit a document or journal entry in the transaction that records the outcome of this attempt."""
        if self._attempt.keep is None:
            self._attempt.keep = []
        self._attempt.keep.append(step)


def attempt_of(run: RunContext) -> Attempt:
    """Return the attempt a handler was told about: for what calls handlers, not for them."""
    return run._attempt


def in_loop(ask: Callable[[], T]) -> T:
    """Return what a synchronous function says in trio's loop, asked there or in a thread that the loop started."""
    return ask() if trio.lowlevel.in_trio_run() else trio.from_thread.run_sync(ask)


Handler: TypeAlias = Callable[[RunContext], Awaitable[object]]


async def call_some(
    attempt: Attempt, others: Iterator[Attempt], handlers: Mapping[str, Handler], ended: Callable[[Attempt], None]
) -> Attempt | None:
    """Call the handlers of attempts and set the outcome of each, whatever they do, until one does not return in time.

    They share a cancel scope: one that was not cancelled is as good as new, and making it is a third of a call. Its
    deadline is moved only where that is too early, or a moment too late.

    Args:
        attempt: the first.
        others: that follow; the next one is asked for when the one before has ended, with its thread.
        handlers: by registered name.
        ended: told of each attempt whose outcome is set.

    Returns:
        the first of the others that has not been begun; None when there is none.

    Raises:
        trio.Cancelled: the node itself is cancelled; the outcome is set before it leaves.
        KeyboardInterrupt: likewise.
    """
    try:
        ends_at = attempt.deadline
        with trio.CancelScope(deadline=ends_at) as scope:
            while True:
                outcome: Outcome | None = None
                attempt.scope = scope
                run = RunContext(attempt)
                _running.set(run)
                result = await handlers[attempt.handler](run)
                outcome = _WENT_WELL if result is None else _returned(result)
                if attempt.reason is not None or attempt.thread is not None or trio.current_time() >= attempt.deadline:
                    break
                _set_outcome(attempt, outcome)
                ended(attempt)
                following = next(others, None)
                if following is None:
                    return None
                attempt = following
                if not attempt.deadline <= ends_at <= attempt.deadline + LATE_S:
                    scope.deadline = ends_at = attempt.deadline + LATE_S
        if outcome is None or (scope.cancel_called and attempt.reason is None):
            outcome = _cancelled(attempt)
    except BaseException as error:
        if attempt.scope is None:
            raise  # of ours: no handler is being called
        outcome = _what_it_means(attempt, error)
        if outcome is None:
            _set_outcome(attempt, Stopped(Reason.SHUTDOWN))
            ended(attempt)
            raise
    _set_outcome(attempt, outcome)
    try:
        if attempt.thread is not None:  # a thread cannot be stopped: until it ends, its worker is lost to it
            await attempt.thread.wait()
    finally:
        ended(attempt)
    return next(others, None)


def _set_outcome(attempt: Attempt, outcome: Outcome) -> None:
    if not attempt.abandoned:  # else it has an outcome, which may be waiting to be kept
        attempt.outcome = outcome
    attempt.scope = None
    _running.set(None)


def _what_it_means(attempt: Attempt, error: BaseException) -> Outcome | None:
    try:
        return _raised(attempt, error)
    except RecursionError as deep:  # a tree of nurseries, each of which wraps what it passes on
        return Failed(f"{type(error).__name__}: nested too deep to be looked into", kinds=kinds_of(deep))


def _returned(result: object) -> Ok:
    try:
        return Ok(as_json(result, what="result"))
    except ValueError as error:
        return Ok(None, f"the run succeeded, but what it returned is not kept: {error}")


def _cancelled(attempt: Attempt) -> Outcome:
    if attempt.reason is not None:
        return Stopped(attempt.reason)
    return TimedOut(_overdue(attempt))


def _overdue(attempt: Attempt) -> str:
    timeout_s = attempt.run.schedule.schedule.timeout_s
    allowed = "its executor.timeout" if timeout_s is None else f"its timeout of {timeout_s:g} s"
    return f"handler {attempt.handler!r} took longer than {allowed}"


def _node_is_cancelled() -> bool:
    return trio.current_effective_deadline() == -inf


def _raised(attempt: Attempt, error: BaseException) -> Outcome | None:
    """Return what a raised exception means, or None when it must go on: it ends the node itself.

    A cancellation while the node is not cancelled is the handler's own, astray from its scope: passed on, it would be
    caught above the workers and end them all without a word.
    """
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, trio.Cancelled) and _node_is_cancelled()):
        return None
    if isinstance(error, BaseExceptionGroup):
        if error.subgroup(KeyboardInterrupt) is not None:
            return None
        cancelled, rest = error.split(trio.Cancelled)
        if cancelled is not None and _node_is_cancelled():
            return None
        if rest is not None and len(rest.exceptions) == 1:
            return _raised(attempt, rest.exceptions[0])
    match error:
        case Retry():
            return Failed(_one_line(error, "asked for a retry"), error.after_s)
        case Discard():
            return Failed(_one_line(error, "discarded"), final=True)
        case Snooze():
            return Snoozed(error.until_at)
        case Override():
            return Overridden(error.reason, _one_line(error, "somebody else decided otherwise"))
    if attempt.reason is not None or (attempt.scope is not None and attempt.scope.cancel_called):
        return _cancelled(attempt)
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("run %s failed", RunContext(attempt).id, exc_info=error)
    return Failed(f"{type(error).__name__}: {_one_line(error, 'no message')}", kinds=kinds_of(error))


def _one_line(error: BaseException, otherwise: str) -> str:
    said = ""
    with suppress(Exception):  # foreign code, too
        said = str(error)
    text = " ".join(said.split()) or otherwise
    text = text.encode(errors="backslashreplace").decode()  # half of a surrogate pair cannot be kept
    return cut(text, ERROR_LENGTH_MAX)
