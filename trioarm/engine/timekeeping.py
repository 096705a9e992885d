"""Timekeeping: what a node does when the wall clock was set (S3.3).

It tells people, holds back decisions while the clock is doubted, and takes back what was decided beyond a clock that
was corrected. What the clock did is judged by `core.course`, what follows for a schedule by `core.correcting`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from trioarm.core.alerts import Alert, AlertQuery, AlertState, Severity, alerts_of, raising
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.correcting import AUTHOR, take_back
from trioarm.core.counting import counted
from trioarm.core.course import ClockStep, Doubt, StepKind
from trioarm.core.events import ClockStepped
from trioarm.core.instants import SECOND, render_duration, render_instant
from trioarm.core.operations import Operation, Verb, entry
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.announcing import announce
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.ports import Clock, ScheduleRepository

SUBJECT: Final = "clock"  # of the alert
KIND: Final = "not_trusted"
ADVICE: Final = "look at the clock of the machine; if it is right, say so with trioarm clock trust"
OPEN: Final = AlertQuery(subject=SUBJECT, states=frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED}))
TRUST: Final = ("clock", "trust")  # the document by which a person says that the clock is right
PAGE: Final = 100  # schedules taken back between two looks at what else there is to do

_log = logging.getLogger("trioarm.clock")


class Timekeeping:
    """Acts on what the wall clock of a node did.

    Args:
        repository: what is taken back, and where alerts go.
        clock: whose steps they are.
        hub: told of each.
        metrics: counts alerts.
        outcomes_settle: waits until nothing is being kept that was planned before.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        clock: Clock,
        hub: Hub,
        metrics: Metrics,
        outcomes_settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._hub = hub
        self._outcomes_settle = outcomes_settle
        self._metrics = metrics
        self._alerts = AlertCommands(repository, clock)
        self._step: ClockStep | None = None  # noticed, and not yet acted on
        self._correction: ClockStep | None = None  # what was decided beyond it is not all taken back yet
        self._set_back = 0  # schedules of it that are
        self._has_begun = False

    async def may_decide(self, now: int) -> bool:
        """Act on what the clock did, and return whether it is believed, and nothing is decided beyond it.

        Raises:
            RepositoryError: the store cannot be used; what is left to do is done the next time.
        """
        while (step := self._step or self._clock.take_step()) is not None:
            self._step = step  # until all of it is done: the store may be out of reach
            await self._act_on(step, now)
            self._step = None
        if self._clock.doubt is not None:
            if await self._is_told_to_trust():
                self._clock.trust()
            return False
        if not self._has_begun:  # a node that ended in doubt left its complaint behind
            await self._resolve_alerts("it is right since a node was started")
            self._has_begun = True
        if self._correction is not None:
            if not await self._take_back(self._correction, now):
                return False
            self._correction = None
        return True

    async def _act_on(self, step: ClockStep, now: int) -> None:
        _log.warning("%s", in_words(step))
        if step.kind is StepKind.CORRECTION:
            self._correction = step
        else:
            self._hub.publish(ClockStepped(step.kind, step.by / SECOND))
        if step.kind is not StepKind.DOUBTED:
            await self._resolve_alerts(in_words(step))
        elif not (await self._alerts.find(OPEN)).rows:  # else a node before this one ended in the same doubt
            await self._is_told_to_trust()  # what was said of an earlier doubt is over
            await self._raise_alert(step, now)

    async def _is_told_to_trust(self) -> bool:
        said = await self._repository.get_document(*TRUST)
        if said is None:
            return False
        forget = PutDocument(*TRUST, said.version, None)
        return await self._repository.commit([Change(documents=[forget])]) == [Verdict.DONE]

    # Taking back

    async def _take_back(self, step: ClockStep, now: int) -> bool:
        """Take back every schedule that is decided beyond now, and every wait, a page at a time.

        Returns:
            whether all of that was kept; what somebody else changed at the same time is to be looked at once more.
        """
        await self._outcomes_settle()  # the next attempts among them may be planned by the clock of before
        after = left = 0
        while page := await self._repository.read_ahead(now, after=after, limit=PAGE):
            after = page[-1].record.key
            changes = []
            for ahead in page:
                change = take_back(ahead, now)
                if change is None:
                    name = ahead.record.schedule.name
                    _log.error("schedule %s has decided too much to be taken back: it waits for the clock", name)
                else:
                    changes.append(change)
            verdicts = await self._repository.commit(changes)
            done = [change for change, verdict in zip(changes, verdicts, strict=True) if verdict is Verdict.DONE]
            self._set_back += sum(1 for change in done if change.schedules)
            left += len(verdicts) - verdicts.count(Verdict.DONE)
        if left:
            return False
        await self._repository.taken_back(now)
        what = counted(self._set_back, "schedule was", "schedules were")
        _log.warning("%s taken back with the clock", what)
        self._hub.publish(ClockStepped(step.kind, step.by / SECOND, self._set_back))
        self._set_back = 0
        return True

    # Alerts

    async def _raise_alert(self, step: ClockStep, now: int) -> None:
        alert = Alert(
            subject=SUBJECT,
            kind=KIND,
            severity=Severity.ERROR,
            text=f"{in_words(step)}: nothing new is planned",
            advice=ADVICE,
            raised_at=now,
        )
        await self._keep([raising(f"{alerts_of(SUBJECT)}{KIND}@{render_instant(now)}", alert)])

    async def _resolve_alerts(self, why: str) -> None:
        for stored in (await self._alerts.find(OPEN)).rows:
            await self._alerts.settle_one(stored.id, by=AUTHOR, note=why)

    async def _keep(self, documents: list[PutDocument]) -> None:
        if await self._repository.commit([Change(documents=documents)]) == [Verdict.DONE]:
            announce(documents, self._metrics, self._hub)


def saying_that_it_is_right(version: int, author: str, note: str, now: int) -> Change:
    """Return the change by which a person tells the nodes of a store that the clock is right.

    Args:
        version: of the document that says so already; 0 for none.
    """
    word = PutDocument(*TRUST, version, {"by": author})
    return Change(documents=[word], journal=[entry(Operation(author, Verb.TRUST, SUBJECT, note), now)])


def in_words(step: ClockStep) -> str:
    """Say what the clock did, and what follows."""
    far = render_duration(round(abs(step.by) / SECOND))
    match step.kind:
        case StepKind.FORWARD:
            return f"the clock went forward by {far}: what came due meanwhile is late"
        case StepKind.BACKWARD:
            return f"the clock went back by {far}: nothing is due until it has caught up"
        case StepKind.CORRECTION:
            return f"the clock was corrected by {far}, backwards: what was decided beyond it is taken back"
        case StepKind.DOUBTED:
            return f"the clock is {far} {'ahead of' if step.by > 0 else 'behind'} its course, which is not believed"
        case StepKind.RETURNED:
            return "the clock is back on its course"


def doubt_in_words(doubt: Doubt) -> str:
    """Say why nothing new is planned, and until when."""
    far = render_duration(round(abs(doubt.by) / SECOND))
    if doubt.behind:
        return f"not trusted: it is {far} behind what was written already; trioarm clock trust if it is right"
    side = "ahead of" if doubt.by > 0 else "behind"
    return f"not trusted: it is {far} {side} its course; trioarm clock trust if it is right"
