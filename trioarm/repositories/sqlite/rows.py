"""Rows and records: how what the core decides lies in a table, and how it comes back.

A row that cannot be understood comes back as a record that says so, and stops no other (S2.6): a schedule as a
quarantined one, a run as one that ended `unknown`. Nothing of the row itself is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

from trioarm.core.codec import from_json, structure_schedule, to_json, unstructure_options
from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.forms import write_trigger
from trioarm.core.instants import EARLIEST, LATEST
from trioarm.core.jsonable import Json, write_json
from trioarm.core.queries import Document, JournalEntry
from trioarm.core.record import Amendment, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord, behind
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import Once, Trigger
from trioarm.repositories.sqlite.oldest import forget_oldest

Row: TypeAlias = tuple[Any, ...]  # as SQLite hands it out; it is understood here and nowhere else

DEFINITIONS_MAX: Final = 100_000  # definitions kept decoded: those of a horizon, and a bound on what they cost
TRIGGERS_MAX: Final = 2_000  # triggers kept written; made of text each time, no two schedules share one
WRITTEN_MAX: Final = 1_000  # characters of one that is: what is longer takes much memory, and few share it
TROUBLE_MAX: Final = 500  # characters of what is said about an unreadable row
# What making a value of a row raises when it is nonsense; the last one for JSON that is nested without end.
_NONSENSE: Final = (ValueError, KeyError, TrioarmError, RecursionError)
_UNREADABLE: Final = "unreadable"  # the name of what has none
_TROUBLE, _AMENDMENTS, _OWNER, _EPOCH = 11, 15, 16, 17  # columns of questions.SCHEDULE

# As they were written, by identity: nothing else has that of one that is kept here.
_TRIGGERS: Final[dict[int, tuple[Trigger, str]]] = {}

_E = TypeVar("_E", bound=StrEnum)


def _by_text(kind: type[_E]) -> dict[str, _E]:
    return {member.value: member for member in kind}


_STATES: Final = _by_text(State)
_ORIGINS: Final = _by_text(Origin)
_REASONS: Final = _by_text(Reason)
_WAITING: Final = _by_text(WaitingFor)
_SCHEDULE_STATES: Final = _by_text(ScheduleState)


def by_state(kind: type[_E], counts: Iterable[tuple[str, int]], otherwise: _E) -> dict[_E, int]:
    """Return counts by state; rows whose state is no word of ours count as what they are taken for."""
    words, found = _by_text(kind), dict[_E, int]()
    for word, count in counts:
        state = words.get(word, otherwise)
        found[state] = found.get(state, 0) + count
    return found


def write_definition(schedule: Schedule) -> str:
    """Write the definition of a schedule: the text of what `unstructure_schedule` makes of it.

    Raises:
        InvalidSchedule: it has no form.
    """
    rest = unstructure_options(schedule)
    end = f",{write_json(rest)[1:]}" if rest else "}"
    return f'{{"name":"{schedule.name}","handler":{write_json(schedule.handler)},{_write_when(schedule.trigger)}{end}'


def _write_when(trigger: Trigger) -> str:
    """Write what says when, without braces: most of what there is to write, and many schedules share a trigger."""
    known = _TRIGGERS.get(id(trigger))
    if known is not None:
        return known[1]
    text = write_json(write_trigger(trigger))[1:-1]
    if len(text) <= WRITTEN_MAX:
        if len(_TRIGGERS) >= TRIGGERS_MAX:
            _TRIGGERS.clear()
        _TRIGGERS[id(trigger)] = trigger, text
    return text


def write_pause(pause: Pause | None) -> str | None:
    """Write who paused a schedule."""
    if pause is None:
        return None
    return write_json(to_json(pause))


def write_amendments(amendments: Sequence[Amendment]) -> str | None:
    """Write what people changed about occurrences; mostly nothing."""
    return write_json([to_json(amendment) for amendment in amendments]) if amendments else None


def optional_json(value: Json) -> str | None:
    """Write a value that is mostly None."""
    return None if value is None else write_json(value)


class Records:
    """Makes records of rows.

    Schedules are remembered as they were last decoded, by key and revision: decoding one costs more than all the rest.
    """

    def __init__(self) -> None:
        self._definitions: dict[int, Schedule] = {}
        self._revisions: dict[int, int] = {}  # apart: pairs of them would be a hundred thousand objects to collect

    def keep(self, key: int, revision: int, schedule: Schedule) -> None:
        """Remember a definition, and forget the oldest when there are too many."""
        if key not in self._definitions:
            for oldest in forget_oldest(self._definitions, DEFINITIONS_MAX):
                del self._revisions[oldest]
        self._definitions[key], self._revisions[key] = schedule, revision

    def keep_new(self, keys: Sequence[int], schedules: Sequence[Schedule]) -> None:
        """Remember the definitions of schedules that were put for the first time."""
        self._definitions.update(zip(keys, schedules, strict=True))
        self._revisions.update(dict.fromkeys(keys, 1))
        while oldest := forget_oldest(self._definitions, DEFINITIONS_MAX):
            for key in oldest:
                del self._revisions[key]

    def forget(self, key: int) -> None:
        """Forget a definition."""
        self._definitions.pop(key, None)
        self._revisions.pop(key, None)

    def schedule(self, row: Row) -> ScheduleRecord:
        """Return the record of a row of `questions.SCHEDULE`."""
        key, name, revision, text, cursor_at, due_at, anchor_at, runs, state, pause, removed, trouble, handler = row[
            :13
        ]
        try:
            if self._revisions.get(key) == revision:
                schedule = self._definitions[key]
            else:
                schedule = _definition(text, name)
                self.keep(key, revision, schedule)
            _check_instants(cursor_at, due_at, anchor_at)
            if state is None:
                raise ValueError("its cursor is gone")
            known = _SCHEDULE_STATES[state]
            paused = None if pause is None else _pause(pause)
            amendments = () if row[_AMENDMENTS] is None else _amendments(row[_AMENDMENTS])
        except _NONSENSE as error:
            known, trouble = ScheduleState.QUARANTINED, trouble or _say(error)
            schedule, paused, amendments = _stand_in(name, handler, row[_OWNER]), None, ()
            cursor_at, due_at, anchor_at = _usable(cursor_at), None, _usable(anchor_at)
        return ScheduleRecord(
            key, schedule, revision, cursor_at, due_at, anchor_at, runs, known, paused,
            removed=bool(removed), trouble=trouble, amendments=amendments, epoch=row[_EPOCH],
        )  # fmt: skip

    def schedules(self, rows: Mapping[int, Row]) -> dict[int, ScheduleRecord]:
        """Return the records of rows by key."""
        return {key: self.schedule(row) for key, row in rows.items()}

    def runs(self, rows: Iterable[Row], schedules: Mapping[int, ScheduleRecord], now: int) -> list[RunRecord]:
        """Return the records of rows of `questions.RUN` whose schedules are at hand.

        Args:
            now: what is pending and due by now waits for its lane, or for a worker.
        """
        return [_run(row, schedules.get(row[1]) or _lost_schedule(row[1]), now) for row in rows]


def is_quarantined(row: Row) -> bool:
    """Whether a row of a schedule says already that it cannot be read."""
    return row[_TROUBLE] is not None


def _definition(text: str, name: str) -> Schedule:
    schedule = structure_schedule(json.loads(text), "definition")
    if schedule.name != name:
        raise ValueError(f"its definition is that of {schedule.name}")
    return schedule


def _stand_in(name: str, handler: str, owner: str | None = None) -> Schedule:
    """Return what stands in for a definition that cannot be read; it is never planned.

    It has the same owner, who may declare it anew.
    """
    for likely in ((name, handler), (name, _UNREADABLE)):
        with suppress(TrioarmError):
            return Schedule(likely[0], Once(0), handler=likely[1], owner=owner)
    return Schedule(_UNREADABLE, Once(0), handler=_UNREADABLE)


def _lost_schedule(key: int) -> ScheduleRecord:
    """Return what stands in for a schedule whose row somebody deleted."""
    stand_in = _stand_in(_UNREADABLE, _UNREADABLE)
    state, trouble = ScheduleState.QUARANTINED, "its row is gone from the store"
    return ScheduleRecord(key, stand_in, 0, 0, None, 0, state=state, removed=True, trouble=trouble)


def _pause(text: str) -> Pause:
    return from_json(Pause, _mapping(text), "pause", _nonsense)


def _amendments(text: str) -> tuple[Amendment, ...]:
    forms = json.loads(text)
    if not isinstance(forms, list) or not all(isinstance(form, dict) for form in forms):
        raise ValueError("its amendments are no list of mappings")
    return tuple(from_json(Amendment, form, "amendment", _nonsense) for form in forms)


def _nonsense(problems: tuple[str, ...]) -> InvalidSchedule:
    return InvalidSchedule("; ".join(problems))


def _say(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, KeyError):
        text = f"{text} is no word for that"
    return f"it cannot be read: {text}"[:TROUBLE_MAX]


def _run(row: Row, schedule: ScheduleRecord, now: int) -> RunRecord:
    (
        run_id, _, epoch, nominal_at, origin, due_at, decided_at, lane, state, reason, last_at, count, waiting_for,
        give_up_at, attempt, token, node, args, started_at, finished_at, cancel, error, result, retry_of,
        voided_at, progress, blocked,
    ) = row  # fmt: skip
    try:
        _check_instants(nominal_at, due_at, decided_at, last_at, give_up_at, started_at, finished_at, voided_at)
        run = RunRecord(
            schedule, nominal_at, due_at, decided_at, lane, _ORIGINS[origin], _STATES[state],
            None if reason is None else _REASONS[reason], run_id, epoch, last_at, count,
            None if waiting_for is None else _WAITING[waiting_for], give_up_at, attempt, token, node,
            None if args is None else _mapping(args), started_at, finished_at,
            None if cancel is None else _REASONS[cancel], error, None if result is None else json.loads(result),
            retry_of, voided_at, None if progress is None else json.loads(progress),
        )  # fmt: skip
    except _NONSENSE as found:
        return _unreadable(row, schedule, found)
    if run.state is State.PENDING and due_at <= now:
        run.waiting_for = behind(lane) if blocked else WaitingFor.HANDLER
    return run


def _check_instants(*instants: int | None) -> None:
    for at in instants:
        if at is not None and not EARLIEST <= at <= LATEST:
            raise ValueError(f"{at} is no instant")


def _usable(at: int) -> int:
    """Return an instant that can be shown, in place of one that is none."""
    return at if EARLIEST <= at <= LATEST else 0


def _mapping(text: str) -> dict[str, Json]:
    value = json.loads(text)
    if isinstance(value, dict):
        return value
    raise ValueError("it is no mapping")


def _unreadable(row: Row, schedule: ScheduleRecord, error: Exception) -> RunRecord:
    """Return what can be said of a run whose row is nonsense: that nobody knows what became of it."""
    run_id, _, epoch, nominal_at, origin, due_at, decided_at = row[:7]
    nominal_at, due_at, decided_at = _usable(nominal_at), _usable(due_at), _usable(decided_at)
    run = RunRecord(schedule, nominal_at, due_at, decided_at, row[7], _ORIGINS.get(origin, Origin.SCHEDULE))
    run.run_id, run.epoch, run.token, run.attempt = run_id, epoch, row[15], row[14]
    run.state, run.reason, run.waiting_for = State.UNKNOWN, Reason.UNREADABLE, None
    run.finished_at, run.error = decided_at if row[19] is None else _usable(row[19]), _say(error)
    return run


def document(row: Row) -> Document:
    """Return the document of a row; a body that is nonsense is empty, which its reader then complains of."""
    namespace, key, version, body = row
    return Document(namespace, key, version, _body(body))


def journal_entry(row: Row) -> JournalEntry:
    """Return the entry of a row; a body that is nonsense is empty."""
    namespace, seq, at, body, seal = row
    return JournalEntry(namespace, seq, at, _body(body), seal)


def _body(text: str) -> Mapping[str, Json]:
    try:
        return _mapping(text)
    except (ValueError, RecursionError):
        return {}
