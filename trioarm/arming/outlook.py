"""What is to come of one occurrence that closes a partition: what people are warned of (A4.1). Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import NEVER_RAN, Reason, State, WaitingFor

_SKIPPED: Final = "%s had it skipped"
_LATER: Final = "%s postponed it"
_PAUSED: Final = "its schedule is paused"
_REMOVED: Final = "its schedule was removed"
_REASONS: Final[dict[Reason | None, str]] = {
    Reason.PAUSED: _PAUSED,
    Reason.REMOVED: _REMOVED,
    Reason.SUPERSEDED: "a later command takes its place",
    Reason.USER: "somebody cancelled it",
}


@attrs.frozen
class Closes:
    """The partition will be closed.

    Args:
        at: when.
        why: what is behind it where that is not the scheduled time; empty where it is.
    """

    at: int
    why: str = ""


@attrs.frozen
class StaysOpen:
    """It will not, and why."""

    why: str


@attrs.frozen
class Begun:
    """It is being done, or was: what there is to say of it, others say."""


Outlook: TypeAlias = Closes | StaysOpen | Begun


def outlook(record: ScheduleRecord | None, run: RunRecord | None, nominal_at: int) -> Outlook:
    """Return what is to come of an occurrence: as its run says once it is decided, before that as its schedule does."""
    said = None if record is None else next((one for one in record.amendments if one.nominal_at == nominal_at), None)
    if run is not None:
        return _of_run(run, "somebody" if said is None else said.author)
    if record is None:
        return StaysOpen(_REMOVED)
    if said is not None:
        return (
            StaysOpen(_SKIPPED % said.author) if said.until_at is None else Closes(said.until_at, _LATER % said.author)
        )
    if record.state is ScheduleState.PAUSED and (record.wakes_at is None or nominal_at < record.wakes_at):
        return StaysOpen(_PAUSED)
    if record.state is ScheduleState.QUARANTINED:
        return StaysOpen("its schedule cannot be read")
    if record.schedule.next_after(nominal_at - 1, record.trigger) != nominal_at:
        return StaysOpen("its schedule has changed")
    return Closes(nominal_at)


def _of_run(run: RunRecord, author: str) -> Outlook:
    if run.state is State.PENDING and run.waiting_for is WaitingFor.POSTPONE:
        return Closes(run.due_at, _LATER % author)
    if run.state is State.SKIPPED and run.reason is Reason.USER:
        return StaysOpen(_SKIPPED % author)
    if run.state is State.OVERRIDDEN and run.reason is Reason.CONDITION:
        return StaysOpen(run.error or "a condition says no")
    if run.state in NEVER_RAN or run.state is State.CANCELLED:
        return StaysOpen(_REASONS.get(run.reason, f"it was {run.state}"))
    return Begun()
