"""The reference for what is asked of many at once: what is answered for each is what happened to it (S9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from tests.simulation.course import Course, Many
from trioarm import ScheduleQuery, State
from trioarm.core.failing import AUTHOR, subject_of
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.engine.bulk_commands import BulkOutcome, BulkResult
from trioarm.handlers.housekeeping import OWNER
from trioarm.testing import Node, all_runs

ALL = ScheduleQuery(not_owner=OWNER, limit=PAGE_MAX)


async def ask_all(verb: str, node: Node) -> Many:
    """Pause or resume all schedules, and return what came of it.

    Raises:
        TrioarmError: it was not answered.
    """
    schedules, before = node.scheduler.schedules, await _stored(node)
    results = await (schedules.pause_many(ALL) if verb == "pause_all" else schedules.resume_many(ALL))
    alerts = [stored.alert for stored in (await node.scheduler.alerts.find()).rows]
    subjects = frozenset(alert.subject for alert in alerts if alert is not None)
    return Many(verb, before, await _stored(node), results, subjects)


async def cancel_all(handler: str, node: Node) -> tuple[list[str], list[BulkResult]]:
    """Cancel all runs of a handler, and return which there were, and what became of each.

    What ended by itself in that moment, before its turn came, was not there.

    Raises:
        TrioarmError: it was not answered.
    """
    rows = [row for row in await all_runs(node.repository) if row.unfinished]
    there = [row.readable_id for row in rows if row.schedule.schedule.handler == handler]
    results = await node.scheduler.runs.cancel_many(RunQuery(handler=handler))
    answered = {result.item for result in results}
    over = [row for row in await all_runs(node.repository) if not row.unfinished and row.reason is not Reason.USER]
    by_itself = {row.readable_id for row in over} - answered
    return [run for run in there if run not in by_itself], results


async def _stored(node: Node) -> dict[str, ScheduleRecord]:
    return {record.schedule.name: copy(record) for record in (await node.repository.find_schedules(ALL)).rows}


def answered_wrongly(course: Course) -> Iterator[str]:
    """Everything that was meant has an answer, which is true."""
    rows = {row.readable_id: row for row in course.rows}
    for many in course.many:
        items = sorted(result.item for result in many.results)
        is_known = many.verb != "cancel_all" or not course.disturbed  # else runs come and end while a store answers
        if items != sorted(many.before) and is_known:
            yield f"{many.verb}: is answered for {items}, and {sorted(many.before)} were there"
        for result in many.results:
            if (result.outcome is BulkOutcome.REFUSED) != bool(result.error):
                yield f"{many.verb} {result.item}: is {result.outcome}, and the reason is {result.error}"
            if many.verb == "cancel_all":
                wrong = _cancelled_otherwise(result, rows.get(result.item))
            else:
                wrong = _paused_otherwise(result, many, course)
            yield from (f"{many.verb} {result.item}: is {result.outcome}, and {one}" for one in wrong)


def _cancelled_otherwise(result: BulkResult, row: RunRecord | None) -> Iterator[str]:
    if row is None:
        yield "there is no such run"
    elif result.outcome is BulkOutcome.REFUSED and row.reason is Reason.USER:
        yield "it was cancelled all the same"
    elif result.outcome is BulkOutcome.CHANGED and row.state in (State.PENDING, State.SKIPPED, State.MISSED):
        yield f"it is {row.state}"


def _paused_otherwise(result: BulkResult, many: Many, course: Course) -> Iterator[str]:
    """What keeps failing may be paused meanwhile by its node."""
    before, after = many.before.get(result.item), many.after.get(result.item)
    if before is None or after is None:
        return
    if result.outcome is BulkOutcome.REFUSED:
        by_node = after.pause is not None and after.pause.author == AUTHOR
        over = before.pause is not None and before.pause.until_at is not None
        if after.pause != before.pause and not by_node and not over:
            yield f"its pause was {before.pause}, and is {after.pause}"
        if before.schedule.enabled and not course.disturbed and not course.several:
            yield f"nothing speaks against it but {result.error}"
    elif many.verb == "pause_all" and after.pause is None:
        yield "it is not paused"
    elif many.verb == "resume_all" and after.pause is None:
        if subject_of(result.item) in many.open_alerts and not course.disturbed:
            yield "there is an open alert still that it is paused"
    elif many.verb == "resume_all" and after.pause is not None and after.pause.author != AUTHOR:
        yield "it is paused"
