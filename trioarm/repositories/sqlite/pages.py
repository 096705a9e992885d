"""Pages of schedules and runs: the statement for each question, and the way to its rows that reads the fewest (S9.2).

A store keeps no statistics, and which way is short depends on how much there is: a schedule that ran ten times is asked
for its runs, one that ran a million times is met at every step through the history. So rows are counted first, by an
index, and no further than it takes to choose.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Final, TypeAlias

import attrs

from trioarm.core.queries import RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.states import ACTIVE, State
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.rows import Row
from trioarm.repositories.sqlite.schema import IDLE, TROUBLED, UNFINISHED
from trioarm.repositories.sqlite.spans import EVERYWHERE, Piece, pieces

FEW: Final = 2_000  # rows that may be read and sorted for one page: measured, some milliseconds
FEW_ENTRIES: Final = 20_000  # entries of an index that may be, likewise
FEW_KEYS: Final = 500  # schedules whose runs are merged for one page: as many places of an index, likewise
DUE_AT: Final = 5  # column of questions.RUN
_NEVER: Final = 2**63 - 1  # sorts schedules with nothing to come behind all others, in every store
_DUE: Final = f"coalesce(c.next_due_at, {_NEVER})"
_WELL: Final = frozenset({*ACTIVE, State.SUCCEEDED})  # states whose rows are not in the indexes of troubled ones

Values: TypeAlias = list[object]
Question: TypeAlias = "tuple[str, Values]"

_UNFINISHED_ROWS: Final[Question] = (f"SELECT 1 FROM runs INDEXED BY runs_unfinished WHERE {UNFINISHED}", [])


@attrs.define(slots=True, eq=False)
class Where:
    """Conditions, and the values they compare with."""

    terms: list[str] = attrs.Factory(list)
    values: Values = attrs.Factory(list)

    def add(self, term: str, *values: object) -> None:
        """Narrow the question."""
        self.terms.append(term)
        self.values += values

    def equals(self, **wanted: object) -> None:
        """Narrow to values of columns of `s`; one that is None does not narrow."""
        for column, value in wanted.items():
            if value is not None:
                self.add(f"s.{column} = ?", value)

    def named(self, names: Iterable[str], *values: object) -> None:
        """Narrow to some names, each in the index of what is there and in that of what is removed."""
        ways = [f"{name} AND s.removed = {removed}" for removed in (0, 1) for name in names]
        self.add(f"({' OR '.join(ways)})", *values, *values)

    def within(self, column: str, start: int | None, until: int | None) -> None:
        """Narrow to instants at or after the first and before the second."""
        if start is not None:
            self.add(f"{column} >= ?", start)
        if until is not None:
            self.add(f"{column} < ?", until)

    def among(self, column: str, members: Iterable[str]) -> None:
        """Narrow to some words."""
        words = sorted(members)
        self.add(f"{column} IN ({', '.join('?' * len(words))})", *words)

    def text(self) -> str:
        """Return it as SQL."""
        return " AND ".join(self.terms) if self.terms else "1"


# Schedules


def schedule_page(query: ScheduleQuery) -> Question:
    """Return the statement for one page of schedules, and one row more."""
    where = _narrowed(query)
    by_name = query.order is ScheduleOrder.NAME
    columns, kinds = (("s.name", ""), (str, str)) if by_name else ((_DUE, "s.name"), (int, str))
    _after(where, query.after, columns, kinds, query.descending)
    way = "DESC" if query.descending else "ASC"
    order = f"s.name {way}" if by_name else f"{_DUE} {way}, s.name {way}"
    table = f"schedules s {questions.AND_CURSOR}"
    text = f"SELECT {questions.SCHEDULE} FROM {table} WHERE {where.text()} ORDER BY {order} LIMIT ?"
    return text, [*where.values, query.limit + 1]


def schedules_in_order(query: ScheduleQuery) -> Question | None:
    """Return a statement for a page of the schedules that are due next, which sorts none of the others.

    It is complete when it is full: those with nothing to come, which are last, are not among its rows. None where it
    would be no shorter.
    """
    selective = (query.owner, query.handler, query.lane, query.tag, query.prefix) != (None,) * 5
    selective |= query.states is not None and ScheduleState.ACTIVE not in query.states
    if query.order is ScheduleOrder.NAME or query.descending or selective:
        return None
    # An active schedule wakes when it is due; of the others, which are few, only a pause tells.
    parts, values = [], Values()
    for index, column, narrowed in (
        ("cursors_due", "c.wake_at", "c.wake_at IS NOT NULL AND c.state = 'active'"),
        ("cursors_idle", "c.next_due_at", f"c.next_due_at IS NOT NULL AND c.{IDLE}"),
    ):
        where = _narrowed(query)
        where.add(narrowed)
        where.within(column, query.due_from, query.due_until)
        _after(where, query.after, (column, "s.name"), (int, str), False)
        parts.append(
            f"SELECT * FROM (SELECT c.key AS key, {column} AS at, s.name AS name FROM cursors c INDEXED BY {index} "
            f"CROSS JOIN schedules s ON s.key = c.key WHERE {where.text()} ORDER BY {column}, s.name LIMIT ?)"
        )
        values += [*where.values, query.limit + 1]
    first = f"{parts[0]} UNION ALL {parts[1]} ORDER BY at, name LIMIT ?"
    both = f"schedules s ON s.key = f.key {questions.AND_CURSOR}"
    text = f"SELECT {questions.SCHEDULE} FROM ({first}) f CROSS JOIN {both} ORDER BY f.at, f.name"
    return text, [*values, query.limit + 1]


def _narrowed(query: ScheduleQuery) -> Where:
    where = Where(["s.removed = 0"])
    where.equals(owner=query.owner, handler=query.handler, lane=query.lane)
    if query.not_owner is not None:
        where.add("s.owner IS NOT ?", query.not_owner)
    if query.prefix is not None:
        where.add("s.name >= ? AND s.name < ?", query.prefix, query.prefix + "\U0010ffff")
    if query.states is not None:
        where.among("c.state", [state.value for state in query.states])
    if query.tag is not None:
        where.add("s.key IN (SELECT key FROM tags WHERE tag = ?)", query.tag)
    where.within("c.next_due_at", query.due_from, query.due_until)
    return where


def schedule_place(order: ScheduleOrder, name: str, next_due_at: int | None) -> str:
    """Return where a page ended, for the next one."""
    if order is ScheduleOrder.NAME:
        return json.dumps([name, ""])
    return json.dumps([_NEVER if next_due_at is None else next_due_at, name])


# Runs


class Way(Enum):
    """How the rows of a page of runs are found."""

    IN_ORDER = auto()  # in the order that is asked for, passing over what is not
    BY_SCHEDULE = auto()  # those of the schedules that are asked for
    BY_LANE = auto()
    BY_DUE = auto()  # those of the range of time that is asked for
    UNFINISHED = auto()  # those that have steps to go


def ask_for_runs(query: RunQuery, connection: sqlite3.Connection) -> list[Row]:
    """Return the rows of one page of runs, and one row more."""
    kinds = _kinds_of_states(query)
    if len(kinds) < 2:
        return _ask(query, connection)
    rows = [row for states in kinds for row in _ask(attrs.evolve(query, states=states), connection)]
    by_due = query.order is RunOrder.DUE_AT
    rows.sort(key=lambda row: (row[DUE_AT] if by_due else 0, row[0]), reverse=query.descending)
    return rows[: query.limit + 1]


def _kinds_of_states(query: RunQuery) -> list[frozenset[State]]:
    """Return the states that are asked for, apart as far as each has an index that is in order."""
    states = query.states or frozenset()
    active = states & ACTIVE
    return [*([active] if active else []), *(frozenset({state}) for state in sorted(states - ACTIVE))]


def _ask(query: RunQuery, connection: sqlite3.Connection) -> list[Row]:
    way, found = way_to(query, connection), list[Row]()
    in_pieces = way in (Way.IN_ORDER, Way.BY_SCHEDULE) and _is_spanned(query)
    for piece in _pieces(query, connection) if in_pieces else (EVERYWHERE,):
        found += connection.execute(*run_page(query, way, piece, len(found)))
        if len(found) > query.limit:
            break
    return found


def run_page(query: RunQuery, way: Way = Way.IN_ORDER, piece: Piece = EVERYWHERE, found: int = 0) -> Question:
    """Return the statement for one page of runs, and one row more.

    Args:
        piece: numbers among which they are looked for.
        found: how many rows of the page there are already.
    """
    where = Where()
    if piece != EVERYWHERE:
        where.add("r.id BETWEEN ? AND ?", *piece)
    _schedules(where, query, way)
    for column, wanted in (("r.lane", query.lane), ("r.node", query.node)):
        if wanted is not None:
            where.add(f"{column} = ? AND {column} IS NOT NULL", wanted)
    if query.states is not None:
        _states(where, query.states)
    if query.origins is not None:
        where.among("r.origin", [origin.value for origin in query.origins])
    by_due = query.order is RunOrder.DUE_AT
    where.within("r.due_at", *(_range_left(query) if by_due else (query.due_from, query.due_until)))
    _after(where, query.after, ("r.due_at" if by_due else "", "r.id"), (int, int), query.descending)
    turn = "DESC" if query.descending else "ASC"
    order = f"r.due_at {turn}, r.id {turn}" if by_due else f"r.id {turn}"
    rest = f"FROM runs r {_index(query, way)} WHERE {where.text()} ORDER BY {order} LIMIT ?"
    values = [*where.values, query.limit + 1 - found]
    if way is Way.IN_ORDER:
        return f"SELECT {questions.RUN} {rest}", values
    # Sorted by their numbers, and read once they are known to be of the page.
    numbers = f"SELECT r.id {rest}"
    return f"SELECT {questions.RUN} FROM ({numbers}) f CROSS JOIN runs r ON r.id = f.id ORDER BY {order}", values


def way_to(query: RunQuery, connection: sqlite3.Connection) -> Way:
    """Return the way to the rows of a page that reads few, as far as a few counts tell."""
    if _is_unfinished(query):
        few = _of_schedules(query).terms or not _has_more(connection, _UNFINISHED_ROWS, FEW_ENTRIES)
        return Way.UNFINISHED if few else Way.IN_ORDER
    ranged, merged = _is_ranged(query), False
    if _of_schedules(query).terms:
        merged = query.order is RunOrder.DECIDED and query.lane is None
        merged = merged and not _has_more(connection, _keys(query), FEW_KEYS)
        if (merged and not ranged) or not _has_more(connection, _rows_of_schedules(query), FEW):
            return Way.BY_SCHEDULE
    if query.lane is not None and not _has_more(connection, _rows_of_lane(query), FEW):
        return Way.BY_LANE
    if _is_spanned(query) and not _are_together(query, connection):
        few = not _has_more(connection, _rows_in_range(query), _few_in_range(query))
        return Way.BY_DUE if few else Way.BY_SCHEDULE if merged else Way.IN_ORDER
    return Way.BY_SCHEDULE if merged else Way.IN_ORDER


def run_place(order: RunOrder, run_id: int, due_at: int) -> str:
    """Return where a page ended, for the next one."""
    return json.dumps([due_at if order is RunOrder.DUE_AT else 0, run_id])


def _is_unfinished(query: RunQuery) -> bool:
    return bool(query.states) and query.states is not None and query.states <= ACTIVE


def _is_ranged(query: RunQuery) -> bool:
    return query.due_from is not None or query.due_until is not None


def _is_spanned(query: RunQuery) -> bool:
    return query.order is RunOrder.DECIDED and _is_ranged(query)


def _pieces(query: RunQuery, connection: sqlite3.Connection) -> list[Piece]:
    return pieces(query, None if query.after is None else _read(query.after, (int, int))[1], connection)


def _are_together(query: RunQuery, connection: sqlite3.Connection) -> bool:
    """Whether the runs of a range were decided one after the other, so that few others are met among them."""
    (last,) = connection.execute(questions.LAST_RUN).fetchone()
    numbers = sum(min(upto, last or 0) - first + 1 for first, upto in _pieces(query, connection))
    return numbers <= FEW_ENTRIES


def _few_in_range(query: RunQuery) -> int:
    """Return how many runs of a range of time may be sorted: more, where their index has all that is asked."""
    narrowed = (query.states, query.lane, query.node, query.origins) != (None,) * 4
    return FEW if narrowed else FEW_ENTRIES


def _range_left(query: RunQuery) -> tuple[int | None, int | None]:
    """Return the range of time, without what the pages before have shown: an index is entered by one condition."""
    start, until = query.due_from, query.due_until
    if query.after is None:
        return start, until
    ended_at, _ = _read(query.after, (int, int))
    if query.descending:
        return start, ended_at + 1 if until is None else min(until, ended_at + 1)
    return ended_at if start is None else max(start, ended_at), until


def _is_troubled(query: RunQuery) -> bool:
    return bool(query.states) and query.states is not None and not query.states & _WELL


def _index(query: RunQuery, way: Way) -> str:
    """Return the index to go by; each has a twin for runs that somebody looks for among a million that went well."""
    if way is Way.UNFINISHED:
        return "INDEXED BY runs_unfinished"
    troubled = _is_troubled(query)
    if way is Way.BY_SCHEDULE:
        return "INDEXED BY runs_troubled_of" if troubled else "INDEXED BY runs_schedule"
    if way is Way.BY_LANE:
        return "INDEXED BY runs_of_lane"
    if way is Way.BY_DUE or query.order is RunOrder.DUE_AT:
        return "INDEXED BY runs_troubled_due" if troubled else "INDEXED BY runs_due"
    if troubled:
        return "INDEXED BY runs_troubled"
    return "NOT INDEXED" if query.lane is None else "INDEXED BY runs_of_lane"


def _of_schedules(query: RunQuery) -> Where:
    """Return which schedules a question is about; without a condition for all."""
    where = Where()
    where.equals(owner=query.owner, handler=query.handler)
    if query.schedule is not None:
        where.named(("s.name = ?",), query.schedule)
    if query.under is not None:
        below = (f"{query.under}/", f"{query.under}0")  # 0 is what follows the slash
        where.named(("s.name = ?", "s.name > ? AND s.name < ?"), query.under, *below)
    if query.tag is not None:
        where.add("s.key IN (SELECT key FROM tags WHERE tag = ?)", query.tag)
    return where


def _schedules(where: Where, query: RunQuery, way: Way) -> None:
    """Narrow to the runs of some schedules; of many, each is looked at when it is met."""
    of = _of_schedules(query)
    if not of.terms:
        return
    if way is Way.IN_ORDER:
        where.add(f"EXISTS (SELECT 1 FROM schedules s WHERE s.key = r.key AND {of.text()})", *of.values)
    else:
        where.add(f"r.key IN (SELECT s.key FROM schedules s WHERE {of.text()})", *of.values)


def _states(where: Where, states: frozenset[State]) -> None:
    """Narrow to some states, in the words of the partial index that holds them all."""
    where.among("r.state", [state.value for state in states])
    if states and states <= ACTIVE:
        where.add(f"r.{UNFINISHED}")
    elif states and not states & _WELL:
        where.add(f"r.{TROUBLED}")


# Counting, no further than it takes to choose


def _has_more(connection: sqlite3.Connection, question: Question, than: int) -> bool:
    text, values = question
    return connection.execute(f"{text} LIMIT 1 OFFSET ?", [*values, than]).fetchone() is not None


def _keys(query: RunQuery) -> Question:
    of = _of_schedules(query)
    return f"SELECT 1 FROM schedules s WHERE {of.text()}", of.values


def _rows_of_schedules(query: RunQuery) -> Question:
    where = _of_schedules(query)
    index = "runs_schedule"
    if _is_troubled(query) and query.states is not None:
        _states(where, query.states)
        index = "runs_troubled_of"
    return f"SELECT 1 FROM schedules s CROSS JOIN runs r INDEXED BY {index} ON r.key = s.key WHERE {where.text()}", (
        where.values
    )


def _rows_in_range(query: RunQuery) -> Question:
    where = Where()
    where.within("r.due_at", query.due_from, query.due_until)
    index = "runs_due"
    if _is_troubled(query) and query.states is not None:
        _states(where, query.states)
        index = "runs_troubled_due"
    return f"SELECT 1 FROM runs r INDEXED BY {index} WHERE {where.text()}", where.values


def _rows_of_lane(query: RunQuery) -> Question:
    return "SELECT 1 FROM runs r INDEXED BY runs_of_lane WHERE r.lane = ? AND r.lane IS NOT NULL", [query.lane]


# Places


def _after(
    where: Where, after: str | None, columns: tuple[str, str], kinds: tuple[type, type], descending: bool
) -> None:
    """Narrow to what follows the end of the page before.

    Args:
        columns: what rows are sorted by; empty where one is enough.
        kinds: of the two values that say where it ended.

    Raises:
        ValueError: it is not what a page before said.
    """
    if after is None:
        return
    ended = _read(after, kinds)
    sorted_by = [(column, value) for column, value in zip(columns, ended, strict=True) if column]
    names, values = zip(*sorted_by, strict=True)
    where.add(f"({', '.join(names)}) {'<' if descending else '>'} ({', '.join('?' * len(names))})", *values)


def _read(after: str, kinds: tuple[type, type]) -> tuple[Any, Any]:
    with suppress(ValueError, TypeError):
        first, second = json.loads(after)
        if (type(first), type(second)) == kinds:
            return (first, second)
    raise ValueError(f"after {after!r}: give what `next` of the page before said")
