"""Filters, sorting and keyset pages over records in memory: what SQL does for the other repositories."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import nlargest, nsmallest
from typing import TypeVar

from trioarm.core.backfilling import TIMES_MAX
from trioarm.core.queries import Page, RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord

R = TypeVar("R")
Key = tuple[int | str, int | str]

_NEVER = 2**63 - 1  # sorts schedules with nothing to come behind all others, in both stores


def page_of_schedules(records: Iterable[ScheduleRecord], query: ScheduleQuery) -> Page[ScheduleRecord]:
    """Return the page of schedules a query asks for."""

    def key(record: ScheduleRecord) -> Key:
        name = record.schedule.name
        if query.order is ScheduleOrder.NAME:
            return (name, "")
        return (_NEVER if record.next_due_at is None else record.next_due_at, name)

    last = _read(query.after, (str if query.order is ScheduleOrder.NAME else int, str))
    return _page(_schedules(records, query), key, query.descending, last, query.limit)


def page_of_runs(records: Iterable[RunRecord], query: RunQuery) -> Page[RunRecord]:
    """Return the page of runs a query asks for."""

    def key(record: RunRecord) -> Key:
        return (record.due_at if query.order is RunOrder.DUE_AT else 0, record.run_id)

    last = _read(query.after, (int, int))
    return _page(_runs(records, query), key, query.descending, last, query.limit)


def _schedules(records: Iterable[ScheduleRecord], query: ScheduleQuery) -> Iterator[ScheduleRecord]:
    for record in records:
        schedule = record.schedule
        if (
            (query.prefix is None or schedule.name.startswith(query.prefix))
            and (query.owner is None or schedule.owner == query.owner)
            and (query.not_owner is None or schedule.owner != query.not_owner)
            and (query.states is None or record.state in query.states)
            and (query.handler is None or schedule.handler == query.handler)
            and (query.tag is None or query.tag in schedule.tags)
            and (query.lane is None or schedule.lane == query.lane)
            and _within(record.next_due_at, query.due_from, query.due_until)
        ):
            yield record


def _runs(records: Iterable[RunRecord], query: RunQuery) -> Iterator[RunRecord]:
    for record in records:
        schedule = record.schedule.schedule
        if (
            (query.schedule is None or schedule.name == query.schedule)
            and (query.under is None or f"{schedule.name}/".startswith(f"{query.under}/"))
            and (query.owner is None or schedule.owner == query.owner)
            and (query.states is None or record.state in query.states)
            and (query.handler is None or schedule.handler == query.handler)
            and (query.tag is None or query.tag in schedule.tags)
            and (query.lane is None or record.lane == query.lane)
            and (query.node is None or record.node == query.node)
            and (query.origins is None or record.origin in query.origins)
            and _within(record.due_at, query.due_from, query.due_until)
        ):
            yield record


def stands_for_one(instants: Sequence[int], nominal_at: int, last_at: int | None) -> bool:
    """Whether a row stands for one of these occurrences: it is of its millisecond, or a range across it."""
    place = bisect_right(instants, nominal_at if last_at is None else last_at) - 1
    return place >= 0 and instants[place] > nominal_at - TIMES_MAX


def _within(instant: int | None, start: int | None, until: int | None) -> bool:
    if instant is None:
        return start is None and until is None
    return (start is None or instant >= start) and (until is None or instant < until)


def _page(records: Iterator[R], key: Callable[[R], Key], descending: bool, last: Key | None, limit: int) -> Page[R]:
    if last is not None:
        records = (record for record in records if (key(record) < last if descending else key(record) > last))
    rows = nlargest(limit + 1, records, key=key) if descending else nsmallest(limit + 1, records, key=key)
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], json.dumps(key(rows[limit - 1])))


def _read(after: str | None, kinds: tuple[type, type]) -> Key | None:
    """Read where the page before ended: two values of these kinds."""
    if after is None:
        return None
    with suppress(ValueError, TypeError):
        first, second = json.loads(after)
        if (type(first), type(second)) == kinds:
            return (first, second)
    raise ValueError(f"after {after!r}: give what `next` of the page before said")
