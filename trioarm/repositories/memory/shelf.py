"""The shelf: schedules by key and by name, how many of them each owner has, and who is in a superseding lane.

Of many that are put at once no records are made until somebody asks for them, for most are asked for one by one, when
they come due: until then a shelf has their definitions, when they were put, and when they are due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from trioarm.core.changes import AddSchedules, Change, PutSchedule, apply_put
from trioarm.core.due_index import DueIndex
from trioarm.core.record import SCHEDULE_ACTIVE, ScheduleRecord, ScheduleState, begins_at, first_record
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Once


class Shelf:
    """Schedules that are stored.

    Args:
        index: has under the key of each when time alone makes it due.
    """

    __slots__ = ("_by_key", "_index", "_keys", "_lanes", "_last_key", "_owned", "_put_at")

    def __init__(self, index: DueIndex) -> None:
        self._index = index
        self._by_key: dict[int, ScheduleRecord | Schedule] = {}
        self._keys: dict[str, int] = {}
        self._put_at: dict[int, int] = {}  # of those without a record, by key: where cursor and anchor are
        self._lanes: dict[str, dict[int, ScheduleRecord]] = {}
        self._owned: Counter[str] = Counter()
        self._last_key = 0

    def has_none(self, names: Iterable[str]) -> bool:
        """Whether there is no schedule of any of these names."""
        return self._keys.keys().isdisjoint(names)

    def named(self, name: str) -> ScheduleRecord | None:
        """Return the schedule of that name, or None."""
        key = self._keys.get(name)
        return None if key is None else self.get(key)

    def those_named(self, names: Iterable[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""
        return [None if key is None else self.get(key) for key in map(self._keys.get, names)]

    def get(self, key: int) -> ScheduleRecord | None:
        """Return the schedule with that key, or None."""
        found = self._by_key.get(key)
        return self._recorded(key, found) if isinstance(found, Schedule) else found

    def all(self) -> Iterator[ScheduleRecord]:
        """Yield all schedules, by key."""
        for key in list(self._put_at):
            self.get(key)
        yield from self.seen()

    def seen(self) -> Iterator[ScheduleRecord]:
        """Yield those that have a record: all but some of those that have done nothing since they were put."""
        return (record for record in self._by_key.values() if isinstance(record, ScheduleRecord))

    def states(self) -> Counter[ScheduleState]:
        """Return how many schedules are in each state."""
        states = Counter(record.state for record in self.seen())
        if self._put_at:
            states[SCHEDULE_ACTIVE] += len(self._put_at)
        return states

    def members(self, lane: str) -> Collection[ScheduleRecord]:
        """Return the schedules of a superseding lane."""
        return self._lanes[lane].values() if lane in self._lanes else ()

    # Owners

    def owned_by(self, owner: str) -> int:
        """Return how many schedules an owner has."""
        return self._owned[owner]

    def allows(self, change: Change) -> bool:
        """Whether no owner would have more schedules than it may."""
        return all(self._owned[quota.owner] + quota.added <= quota.most for quota in change.quotas)

    # Changing

    def add_many(self, step: AddSchedules) -> None:
        """Store schedules for the first time; those that wait for their first occurrence get no record yet."""
        by_key, keys, put_ats, put_at, key = self._by_key, self._keys, self._put_at, step.at, self._last_key
        waiting: list[int] = []
        due_ats: list[int] = []
        ranks: list[int] = []
        for schedule, next_due_at in zip(step.schedules, step.next_due_ats, strict=True):
            key += 1
            keys[schedule.name] = key
            if next_due_at is None or not _only_waits(schedule, put_at):
                self._take(first_record(key, schedule, put_at, next_due_at))
                continue
            by_key[key] = schedule
            put_ats[key] = put_at
            waiting.append(key)
            due_ats.append(next_due_at)
            ranks.append(-schedule.priority)
            if schedule.owner is not None:
                self._owned[schedule.owner] += 1
        self._last_key = key
        self._index.put_all(waiting, due_ats, ranks)

    def add(self, put: PutSchedule) -> None:
        """Store a schedule for the first time."""
        self._last_key = key = self._last_key + 1
        self._keys[put.schedule.name] = key
        record = ScheduleRecord(key, put.schedule, 1, put.cursor_at, put.next_due_at, put.anchor_at)
        apply_put(record, put)
        self._take(record)

    def revise(self, record: ScheduleRecord, put: PutSchedule) -> None:
        """Store a new revision of a schedule."""
        self._let_go(record)
        apply_put(record, put)
        record.revision += 1
        self._take(record)

    def remove(self, record: ScheduleRecord) -> None:
        """Forget a schedule; its record says so to whom points to it."""
        record.removed = True
        self._let_go(record)
        self._index.discard(record.key)
        del self._keys[record.schedule.name]
        del self._by_key[record.key]

    def put_in_order(self, record: ScheduleRecord) -> None:
        """Let the index say when a schedule that was changed is due."""
        wakes_at = record.wakes_at
        if wakes_at is None:
            self._index.discard(record.key)
        else:
            self._index.put(record.key, wakes_at, -record.schedule.priority)

    def _recorded(self, key: int, schedule: Schedule) -> ScheduleRecord:
        record = first_record(key, schedule, self._put_at.pop(key), self._index.due_at(key))
        self._by_key[key] = record
        return record

    def _take(self, record: ScheduleRecord) -> None:
        owner, lane = record.schedule.owner, record.schedule.lane
        self._by_key[record.key] = record
        if owner is not None:
            self._owned[owner] += 1
        if record.schedule.supersede and lane is not None:
            self._lanes.setdefault(lane, {})[record.key] = record
        self.put_in_order(record)

    def _let_go(self, record: ScheduleRecord) -> None:
        owner, lane = record.schedule.owner, record.schedule.lane
        if owner is not None:
            self._owned[owner] -= 1
            if not self._owned[owner]:
                del self._owned[owner]
        if record.schedule.supersede and lane is not None:
            members = self._lanes[lane]
            del members[record.key]
            if not members:
                del self._lanes[lane]


def _only_waits(schedule: Schedule, put_at: int) -> bool:
    """Whether there is no more to say of a schedule than when it was put and is due: its cursor is where it was put."""
    trigger = schedule.trigger
    begins_before = isinstance(trigger, Once) and begins_at(schedule, put_at) != put_at
    return schedule.enabled and not schedule.supersede and not begins_before
