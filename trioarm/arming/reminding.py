"""Reminding: a hold that lasts is told of again and again, so that nobody finds the house open that was held and
forgotten (A4.3).

A look is a run of the handler here (S6.10). Each reminder is an alert named after the instant it is for, so that nodes
and restarts make no second one; what is over is settled where it is ended, and by the next look.
"""

from __future__ import annotations

from typing import Final

from trioarm.arming.alerts import AlertKind, held
from trioarm.arming.compile import LANE
from trioarm.arming.holds import Hold, Holds
from trioarm.arming.model import REMIND, Premises
from trioarm.core import changes
from trioarm.core.alerts import NAMESPACE, AlertQuery, AlertState, alerts_of, raising
from trioarm.core.changes import Verdict
from trioarm.core.instants import microseconds
from trioarm.core.jsonable import Json
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import Origin, render_run_id
from trioarm.core.schedule import Delivery, Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import Every
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository

SCHEDULE: Final = "trioarm/holds"
LOOK_S: Final = 600.0  # between two looks: a reminder may come so much later than it might
_UNRESOLVED: Final = frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED})


def reminding_schedules(premises: Premises) -> list[Schedule]:
    """Return the built-in schedule by which holds are looked at; none where nothing can be held, or nobody reminded."""
    if not premises.partitions or not premises.hold_reminder_s:
        return []
    return [
        Schedule(
            SCHEDULE,
            Every(LOOK_S),
            handler=REMIND,
            delivery=Delivery.AT_MOST_ONCE,
            misfire=Misfire.SKIP,
            overlap=Overlap.SKIP,
        )
    ]


class Reminder:
    """The handler `trioarm.holds`.

    Args:
        premises: what can be held, and how often people are reminded.
        holds: what is held.
        repository: where reminders are kept, and what was held back.
        alerts: what people were told before.
        clock: what time it is.
    """

    def __init__(
        self, premises: Premises, holds: Holds, repository: ScheduleRepository, alerts: AlertCommands, clock: Clock
    ) -> None:
        self._holds = holds
        self._repository = repository
        self._alerts = alerts
        self._clock = clock
        self.declare(premises)

    def declare(self, premises: Premises) -> None:
        """Remind as often as these say from the next look on."""
        self._every = microseconds(premises.hold_reminder_s)

    async def remind(self, run: RunContext) -> Json:
        """Tell of each hold that has lasted for long, once for each time, and settle what was told of those before.

        Returns:
            how many holds last, and of how many of them people were reminded.

        Raises:
            RepositoryError: the store is out of reach.

        Cancellation: at any checkpoint; the next look goes on.
        """
        lasting, reminded = await self._holds.lasting(), 0
        for on in self._holds.known():
            hold = lasting.get(on)
            wanted = None if hold is None else self._reminder(on, hold)
            if hold is not None and wanted is not None:
                reminded += await self._raise(on, hold, wanted)
            await self._settle(on, wanted, "it is told of anew" if hold is not None else "nobody holds it any more")
        return {"holds": len(lasting), "reminded": reminded}

    def _reminder(self, on: str, hold: Hold) -> str | None:
        """Return the id of the latest reminder that is due; None before the first."""
        now = self._clock.look()
        times = (now - hold.since_at) // self._every if self._every else 0
        if times < 1:
            return None
        at = hold.since_at + times * self._every
        return alerts_of(on) + render_run_id(f"{AlertKind.HELD}#hold", at, Origin.SCHEDULE)

    async def _raise(self, on: str, hold: Hold, name: str) -> bool:
        """Raise a reminder, and return whether that was new: another look may have been faster."""
        if await self._repository.get_document(NAMESPACE, name) is not None:
            return False
        alert = held(on, hold, await self._kept_back(on, hold), self._clock.look())
        change = changes.Change(documents=[raising(name, alert)])
        return await self._repository.commit([change]) == [Verdict.DONE]

    async def _settle(self, on: str, but: str | None, note: str) -> None:
        """Settle all reminders of one subject, but for one."""
        after: str | None = ""
        while after is not None:
            page = await self._alerts.find(AlertQuery(states=_UNRESOLVED, subject=on, after=after or None))
            after = page.next
            for stored in page.rows:
                if stored.alert is not None and stored.alert.kind == AlertKind.HELD and stored.id != but:
                    await self._alerts.settle_one(stored.id, by=REMIND, note=note)

    async def _kept_back(self, on: str, hold: Hold) -> int:
        """Return how many runs gave way to a hold, of each partition as many as a page has at most."""
        found = 0
        for name in self._holds.covered(on):
            given_way = frozenset({State.OVERRIDDEN})
            query = RunQuery(lane=LANE + name, states=given_way, due_from=hold.since_at, limit=PAGE_MAX)
            page = await self._repository.find_runs(query)
            found += sum(run.reason is Reason.HOLD for run in page.rows)
        return found
