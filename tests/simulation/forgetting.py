"""The reference for retention: only what is over is forgotten, and only what is too old, or too much of it (S9.1).

A store is watched that prunes: what it is about to forget is noted before, so that all other references judge the whole
history. Whatever was decided once stays decided: to them a row that was forgotten is a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import copy
from functools import partial

import attrs
import trio

from tests.simulation.course import Course, Definition
from trioarm.core.alerts import NAMESPACE as ALERTS
from trioarm.core.alerts import stored_alert
from trioarm.core.failing import AUTHOR, subject_of
from trioarm.core.operations import JOURNAL, read_operation
from trioarm.core.queries import PAGE_MAX, JournalEntry, Kept, Retention, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.engine.ports import ScheduleRepository
from trioarm.handlers.housekeeping import OWNER
from trioarm.testing import all_runs
from trioarm.testing.stores import Store

DECLARING = ("file:scheduler.toml", "config")  # owners whose sets are declared whenever a node starts


@attrs.frozen
class Contents:
    """What a store keeps that may be forgotten one day."""

    rows: Sequence[RunRecord]
    records: dict[int, ScheduleRecord]
    journal: Sequence[JournalEntry]
    alerts: set[str]  # what they are about


class WatchedStore:
    """A store of whose pruning it is noted what it forgot.

    Args:
        store: it.
        course: to which that is added.
    """

    def __init__(self, store: Store, course: Course) -> None:
        self._store = store
        self._course = course
        self._alone = trio.Lock()  # of two that prune at once, nobody could tell who forgot what

    def open(self) -> ScheduleRepository:
        """Return a repository for one more node."""
        repository = self._store.open()
        if "prune" not in vars(repository):
            vars(repository)["prune"] = partial(self._prune, repository, repository.prune)
        return repository

    def bury(self, repository: ScheduleRepository, node: str) -> None:
        """Let go of what a killed process held."""
        self._store.bury(repository, node)

    async def _prune(
        self, repository: ScheduleRepository, prune: Callable[[Retention], Awaitable[int]], retention: Retention
    ) -> int:
        if self._course.now:  # the world was healed, and all that is kept is noted already
            return await prune(retention)
        async with self._alone:
            before = await _contents(repository)
            count = await prune(retention)
            after = await _contents(repository)
        course, at, left = self._course, self._course.witness.wall(), {row.run_id for row in after.rows}
        course.witness.complaints += forgot_wrongly(before, after, retention, count)
        gone = [row for row in before.rows if row.run_id not in left]
        course.rows += gone
        last = max((row.run_id for row in before.rows), default=0)
        course.forgotten.update((row.run_id, last) for row in gone)
        course.counts["rows forgotten"] += len(gone)
        for key in before.records.keys() - after.records.keys():
            course.counts["schedules forgotten"] += 1
            course.definitions.append(Definition(before.records[key].schedule.name, None, at, at))
        course.journal += [(one.at, read_operation(one)) for one in _gone(before.journal, after.journal)]
        return count


async def _contents(repository: ScheduleRepository) -> Contents:
    schedules = await repository.find_schedules(ScheduleQuery(limit=PAGE_MAX))
    records = {one.key: copy(one) for one in schedules.rows if one.schedule.owner != OWNER}
    documents = await repository.list_documents(ALERTS, limit=PAGE_MAX)
    alerts = [stored_alert(document.key, document.body).alert for document in documents]
    subjects = {alert.subject for alert in alerts if alert is not None}
    return Contents(await all_runs(repository), records, await all_entries(repository, JOURNAL), subjects)


async def all_entries(repository: ScheduleRepository, namespace: str) -> list[JournalEntry]:
    """Return all entries of a journal that are kept."""
    found: list[JournalEntry] = []
    while page := await repository.read_journal(namespace, after=found[-1].seq if found else 0, limit=PAGE_MAX):
        found += page
    return found


def _gone(before: Sequence[JournalEntry], after: Sequence[JournalEntry]) -> list[JournalEntry]:
    left = {entry.seq for entry in after}
    return [entry for entry in before if entry.seq not in left]


def forgot_wrongly(before: Contents, after: Contents, retention: Retention, count: int) -> Iterator[str]:
    """Yield what was forgotten that is to be kept, and once nothing is, what was to be forgotten."""
    left = {row.run_id for row in after.rows}
    gone = [row for row in before.rows if row.run_id not in left]
    records = [record for key, record in before.records.items() if key not in after.records]
    entries = _gone(before.journal, after.journal)
    if len(gone) + len(records) + len(entries) != count or count > retention.limit:
        yield f"{len(gone)} rows, {len(records)} schedules, {len(entries)} entries are forgotten, and it says {count}"
    may_go = {row.run_id for row in _surplus(before.rows, retention)}
    for row in gone:
        if row.finished_at is None or row.unfinished or row.run_id not in may_go:
            yield f"{row.readable_id}: is forgotten, and is {row.state} since {row.finished_at}"
    for record in records:
        yield from (f"{record.schedule.name}: is forgotten, and {wrong}" for wrong in _goes_on(record, before.rows))
    for record in after.records.values():
        subject = subject_of(record.schedule.name)
        if record.pause is not None and record.pause.author == AUTHOR and subject not in after.alerts:
            yield f"{subject}: is paused since it kept failing, and the alert that says so is forgotten"
    if entries and (not after.journal or entries[-1].seq + 1 != after.journal[0].seq):
        yield f"entries up to {entries[-1].seq} of the journal are forgotten, and not all before, or the last one, too"
    for entry in entries:
        if entry.at >= retention.runs_before and entry.seq + retention.journal_max > before.journal[-1].seq:
            yield f"entry {entry.seq} of the journal is forgotten, and is of {entry.at}"
    for row in () if count else _surplus(after.rows, retention):
        if row.schedule.schedule.pause_after_failures is None:  # else it may tell whether it keeps failing
            yield f"{row.readable_id}: is {row.state} since {row.finished_at}, and is not forgotten"


def _goes_on(record: ScheduleRecord, rows: Sequence[RunRecord]) -> Iterator[str]:
    """Yield why a schedule is not over."""
    if record.next_due_at is not None or record.pause is not None:
        yield f"is to run at {record.next_due_at}"
    if record.schedule.owner in DECLARING:
        yield f"{record.schedule.owner} declares it again at every start"
    if any(row.unfinished for row in rows if row.schedule.key == record.key):
        yield "one of its runs is unfinished"


def _surplus(rows: Sequence[RunRecord], retention: Retention) -> Iterator[RunRecord]:
    """Yield the rows that are over for too long, or behind which as many have been decided as are kept."""
    young: dict[tuple[int, Kept | None], int] = defaultdict(int)
    for row in sorted(rows, key=lambda row: row.run_id, reverse=True):
        if row.finished_at is None:
            continue
        apart = next((kept for kept in retention.apart if row.state in kept.states), None)
        before, most = (apart.before, apart.most) if apart else (retention.runs_before, retention.runs_max)
        place = (row.schedule.key, apart)
        young[place] += row.finished_at >= before
        if row.finished_at < before or young[place] > most:
            yield row
