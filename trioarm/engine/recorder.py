"""The recorder: the one writer of outcomes. It commits what ended in batches, and copes with every verdict (S7.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from operator import attrgetter
from typing import Final, Protocol

import trio

from trioarm.core.alerts import AlertRule, no_alerts
from trioarm.core.changes import (
    DONE,
    REFUSED,
    UNKNOWN,
    AppendJournal,
    Change,
    Finished,
    Progressed,
    PutDocument,
    Requeued,
    Started,
    Verdict,
    restarted,
)
from trioarm.core.correcting import plan_by
from trioarm.core.counting import counted
from trioarm.core.errors import RepositoryError
from trioarm.core.events import ResultRefused, RunFinished, RunRequeued, RunStarted
from trioarm.core.failing import failure_in
from trioarm.core.outcome import Outcome, Stopped
from trioarm.core.retrying import RetryRules, settle
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import ACTIVE, SUCCEED, Reason, State
from trioarm.core.triggers import After
from trioarm.engine.announcing import announce
from trioarm.engine.attempt import Attempt, RunContext
from trioarm.engine.gatekeeper import Gatekeeper, Spoken
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pausing import pause_what_keeps_failing, paused_by
from trioarm.engine.ports import Chance, Clock, ScheduleRepository

PAUSE_AFTER_UNKNOWN_S: Final = 0.1  # before an outcome that may or may not be kept is looked at again
NAMED_MAX: Final = 5  # outcomes named that could not be kept; the rest is counted

_lane = attrgetter("run.lane")
_moved = attrgetter("moved")

_log = logging.getLogger("trioarm.recorder")


class Holder(Protocol):
    """What holds runs until it is recorded how they ended."""

    def leave(self, attempts: Iterable[Attempt]) -> None:
        """Count on the room of attempts whose outcomes are being kept: what is claimed next is kept after them."""

    def stay(self, attempts: Iterable[Attempt]) -> None:
        """Count on it no longer: what became of them is known."""

    def release(self, attempts: Iterable[Attempt]) -> bool:
        """Give back the room of attempts whose outcome is recorded, or refused for good; return whether a run may be
        waiting for it."""


class Recorder:
    """Records starts and outcomes of attempts under their tokens.

    What waits here is bounded by the runs the node may hold: room is given back only once an outcome is recorded.

    Args:
        repository: where they are kept.
        clock: for the pause after an unknown verdict.
        hub: told of what was recorded.
        metrics: counts it.
        gatekeeper: told how attempts went that needed resources.
        chance: spreads retries.
        rules: the node's retry rules; may be replaced while it runs.
        holder: holds the runs of attempts until their outcomes are recorded.
        wake: called when a run may be able to start because of what was recorded.
        due_changed: called when something may be due earlier because of it.
        alerts: what outcomes raise alerts for, beside what their handlers keep, in the same transaction (S6.9).
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        clock: Clock,
        hub: Hub,
        metrics: Metrics,
        gatekeeper: Gatekeeper,
        chance: Chance,
        rules: RetryRules,
        holder: Holder,
        wake: Callable[[], None],
        due_changed: Callable[[], None],
        *,
        alerts: AlertRule = no_alerts,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._gatekeeper = gatekeeper
        self._chance = chance
        self.rules = rules
        self._holder = holder
        self._wake_engine = wake
        self._due_changed = due_changed
        self._alerts = alerts
        self._begun: list[Attempt] = []
        self._ended: list[Attempt] = []
        self._in_doubt = 0
        self._wake = trio.Event()
        self._batch_ends = trio.Event()
        self._batch_ends.set()

    @property
    def in_doubt(self) -> int:
        """How many outcomes have to be tried again: the repository could not say that it kept them."""
        return self._in_doubt

    def begun(self, attempt: Attempt) -> None:
        """Note that a handler has been called; written only if it has not ended when the next batch is."""
        if not self._begun:
            self._wake.set()
        self._begun.append(attempt)

    def ended(self, attempt: Attempt) -> None:
        """Queue an outcome."""
        if not self._ended:
            self._wake.set()
        self._ended.append(attempt)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Record until cancelled. What is queued then is for `flush`.

        Cancellation: ends between two batches, or in one, whose outcomes stay queued.
        """
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            if lasting := self._lasting():
                await self._record_starts(lasting)
            if not await self._record_batch():
                with self._clock.nap_until(self._clock.now(), at_least_s=PAUSE_AFTER_UNKNOWN_S):
                    await trio.sleep_forever()
                self._wake.set()

    async def flush(self) -> None:
        """Record everything that is queued now, again and again until it is kept.

        Cancellation: what is not recorded yet stays queued.
        """
        self._begun.clear()
        while self._ended:
            if not await self._record_batch():
                await trio.sleep(PAUSE_AFTER_UNKNOWN_S)

    async def batch_ends(self) -> None:
        """Wait until it is known what became of the outcomes that are being kept now, if any are."""
        await self._batch_ends.wait()

    @property
    def unkept(self) -> list[Attempt]:
        """The attempts that ended and whose outcomes are not kept."""
        return [attempt for attempt in self._ended if attempt.started_at is not None]

    def tell_unkept(self) -> None:
        """Say which outcomes could not be kept when nobody will try again: whoever looks later finds them lost."""
        unkept = self.unkept
        if unkept:
            named = [f"{RunContext(one).id} ({type(one.outcome).__name__.lower()})" for one in unkept[:NAMED_MAX]]
            more = "" if len(unkept) <= NAMED_MAX else " and more"
            _log.error("%s could not be kept: %s%s", counted(len(unkept), "outcome"), ", ".join(named), more)

    def _lasting(self) -> list[Attempt]:
        """Take the attempts that have begun since the last look, and return those that have not ended."""
        begun, self._begun = self._begun, []
        return [attempt for attempt in begun if attempt.outcome is None and attempt.started_at is not None]

    async def _record_starts(self, lasting: list[Attempt]) -> None:
        """Record that handlers were called which have not ended yet; what is not kept is told by their ends."""
        steps = [Started(attempt.run, attempt.token, attempt.started_at or 0) for attempt in lasting]
        verdicts = await self._repository.commit([Change(steps=(step,)) for step in steps])
        if self._hub.observed:
            for attempt, verdict in zip(lasting, verdicts, strict=True):
                if verdict is DONE:
                    self._hub.publish(RunStarted(Run.of(attempt.run)))

    async def _record_batch(self) -> bool:
        """Record what is queued; return False when an outcome has to be tried again later."""
        ended = self._ended
        if not ended:
            return True
        self._ended = []
        self._batch_ends = trio.Event()
        unknown: list[Attempt] = []
        told = 0
        try:
            steps = [self._settle(attempt) for attempt in ended]
            uses = await self._gatekeeper.uses(steps) if self._gatekeeper.resources else {}
            if len(ended) == 1:
                alone = self._change(ended[0], steps[0], uses)
                changes, verdicts = [alone], [await self._commit_alone(alone)]
            else:
                changes, verdicts = await self._commit_several(ended, steps, uses)
            for attempt, step, change, verdict in zip(ended, steps, changes, verdicts, strict=True):
                if verdict is REFUSED:
                    verdict, change = await self._record_again(attempt, change)
                    step = _outcome(change)
                if verdict is DONE:
                    self._recorded(attempt, step, change)
                elif verdict is UNKNOWN:
                    unknown.append(attempt)
                told += 1
        except BaseException:
            self._ended = unknown + ended[told:] + self._ended
            raise
        finally:
            self._batch_ends.set()
        known = ended if not unknown else [attempt for attempt in ended if attempt not in unknown]
        wanted = self._holder.release(known)
        self._ended = unknown + self._ended
        self._in_doubt = len(unknown)
        again = [step for step in steps if isinstance(step, Requeued)]
        if wanted or any(map(_lane, steps)) or (again and any(step.due_at <= step.at for step in again)):
            self._wake_engine()  # a lane was left, or a run given back: a run may be able to start now
        elif again or any(map(_moved, changes)):
            self._due_changed()  # something may be due earlier
        return not unknown

    async def _commit_several(
        self, ended: list[Attempt], steps: list[Finished | Requeued], uses: Mapping[str, Spoken]
    ) -> tuple[list[Change], list[Verdict]]:
        """Commit outcomes: bare ones as one change, or each as its own where that is refused.

        Returns:
            the change of each outcome, and what became of it.
        """
        is_bare = [not uses and _is_bare(attempt, step) for attempt, step in zip(ended, steps, strict=True)]
        bare = Change(steps=list(compress(steps, is_bare)))
        changes = [
            bare if one else self._change(attempt, step, uses)
            for one, attempt, step in zip(is_bare, ended, steps, strict=True)
        ]
        leaving = ended[self._in_doubt :]  # what is tried again was counted on before: nothing is, twice
        self._holder.leave(leaving)
        try:
            verdicts = await self._commit(changes)
            if bare.steps and verdicts[is_bare.index(True)] is REFUSED:
                alone = {index: Change(steps=(steps[index],)) for index, one in enumerate(is_bare) if one}
                became = await self._repository.commit([*alone.values()])
                for (index, change), verdict in zip(alone.items(), became, strict=True):
                    changes[index], verdicts[index] = change, verdict
        finally:
            self._holder.stay(leaving)
        return changes, verdicts

    async def _commit(self, changes: list[Change]) -> list[Verdict]:
        """Commit outcomes, several of which may be one change; failures that may pause their schedule one by one."""
        distinct = dict.fromkeys(changes)
        together = [change for change in distinct if failure_in(change) is None]
        became = dict(zip(together, await self._repository.commit(together), strict=True))
        for change in distinct:
            if change not in became:
                became[change] = await self._commit_alone(change)
        return [became[change] for change in changes]

    async def _commit_alone(self, change: Change) -> Verdict:
        try:
            await pause_what_keeps_failing(self._repository, change)
        except RepositoryError:
            return UNKNOWN
        [verdict] = await self._repository.commit([change])
        return verdict

    def _settle(self, attempt: Attempt) -> Finished | Requeued:
        step = self._step(attempt, attempt.outcome or Stopped(Reason.SHUTDOWN))
        cancelled = attempt.run.cancel
        if cancelled is not None and isinstance(step, Requeued):  # asked for after the attempt ended: no other follows
            step = self._step(attempt, Stopped(cancelled))
        if isinstance(step, Requeued):
            plan_by(step, self._clock.look())
        if attempt.left is not None and isinstance(step, Finished) and step.step is not SUCCEED:
            step.result = attempt.left
        step.token = attempt.token  # the run's own has moved on where an earlier write was kept after all
        return step

    def _step(self, attempt: Attempt, outcome: Outcome) -> Finished | Requeued:
        return settle(
            attempt.run,
            outcome,
            started_at=attempt.started_at,
            at=attempt.ended_at,
            rules=self.rules,
            chance=self._chance.random(),
        )

    def _change(self, attempt: Attempt, step: Finished | Requeued, uses: Mapping[str, Spoken]) -> Change:
        change = Change(steps=(step,))
        progress = attempt.progress
        if progress is not None and not progress.kept:
            change.steps = (Progressed(attempt.run, attempt.token, progress.value, step.at), step)
        if isinstance(step, Finished) and (move := restarted(attempt.run.schedule, step.at)) is not None:
            change.moved = (move,)
        if attempt.keep:
            change.documents = [kept for kept in attempt.keep if isinstance(kept, PutDocument)]
            change.journal = [kept for kept in attempt.keep if isinstance(kept, AppendJournal)]
        if step.step is not SUCCEED and (alerts := self._alerts(change)):
            change.documents = [*change.documents, *alerts]
        if uses:
            self._gatekeeper.settle(change, attempt.run, step, uses)
        return change

    async def _record_again(self, attempt: Attempt, change: Change) -> tuple[Verdict, Change]:
        """Find out why an outcome was refused, and record it without what stood in its way where it is still ours."""
        try:
            run = await self._repository.get_run(attempt.run.run_id)
            if run is None or run.token != attempt.token or run.state not in (State.CLAIMED, State.RUNNING):
                return self._not_ours(attempt, run), change
            attempt.run = run  # it was asked to stop, or its schedule has changed, since it was claimed
            step = self._settle(attempt)
            uses = await self._gatekeeper.uses([step])
            change = await self._fitting(attempt, self._change(attempt, step, uses))
            await pause_what_keeps_failing(self._repository, change)
        except RepositoryError:
            return UNKNOWN, change
        [verdict] = await self._repository.commit([change])
        return (UNKNOWN if verdict is REFUSED else verdict), change

    def _not_ours(self, attempt: Attempt, run: RunRecord | None) -> Verdict:
        """Return what became of an outcome whose run is held no more, by this claim at least."""
        if run is not None and run.token == attempt.token and run.finished_at == attempt.ended_at:
            return DONE  # an earlier write of unknown outcome was kept after all: who gave it up ended it later
        self._metrics.refused += 1
        self._hub.publish(ResultRefused(attempt.run.run_id, attempt.run.schedule.schedule.name, attempt.token))
        return REFUSED

    async def _fitting(self, attempt: Attempt, change: Change) -> Change:
        """Take out of a change what somebody else was faster with; the outcome and the journal stay."""
        fitting = [put for put in change.documents if await self._fits(put)]
        if lost := len(change.documents) - len(fitting):
            text = "run %d: %d of its documents were changed by somebody else, and are not kept with its outcome"
            _log.error(text, attempt.run.run_id, lost)
        change.documents = fitting
        return change

    async def _fits(self, put: PutDocument) -> bool:
        document = await self._repository.get_document(put.namespace, put.key)
        return put.expected_version == (0 if document is None else document.version)

    def _recorded(self, attempt: Attempt, step: Finished | Requeued, change: Change) -> None:
        run = attempt.run
        if change.documents:
            announce(change.documents, self._metrics, self._hub)
        if isinstance(step, Finished):
            self._metrics.finished[run.state] += 1
            if change.schedules:
                self._tell_paused(change)
        else:
            self._metrics.retried(step.step if step.error is None else attempt.outcome.__class__.__name__.lower())
        if self._hub.observed:
            self._hub.publish(RunFinished(Run.of(run)) if run.state not in ACTIVE else RunRequeued(Run.of(run)))
        if step.error is not None:
            expected = run.state in (State.PENDING, State.OVERRIDDEN)
            level = logging.INFO if expected else logging.WARNING
            _log.log(level, "%s: %s (%s)", run.schedule.schedule.name, step.error, run.state)

    def _tell_paused(self, change: Change) -> None:
        """Tell of a schedule that was paused with the outcome, and of what was skipped with it."""
        if (paused := paused_by(change)) is None:
            return
        self._hub.publish(paused)
        outcome = _outcome(change)
        for skipped in change.steps[change.steps.index(outcome) + 1 :]:
            self._metrics.finished[skipped.run.state] += 1
            self._hub.publish(RunFinished(Run.of(skipped.run)))


def _is_bare(attempt: Attempt, step: Finished | Requeued) -> bool:
    """Whether nothing is to be kept but that a run went well: mostly so, and a change of its own is spared."""
    restarts = isinstance(attempt.run.schedule.schedule.trigger, After)
    return step.step is SUCCEED and not restarts and attempt.progress is None and not attempt.keep


def _outcome(change: Change) -> Finished | Requeued:
    """Return the step by which the attempt ends: its progress comes before it, and what follows from it after."""
    for step in change.steps:
        if isinstance(step, (Finished, Requeued)):  # a union would be made anew each time
            return step
    raise AssertionError("the recorder settles attempts, and nothing else ends one")
