"""The SQL that changes a store, one named statement each, with what it asks first; other questions are in `questions`.

Its conditions repeat those of the partial indexes word for word, which is how SQLite knows that it may use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, TypeAlias

import attrs

from trioarm.core.failing import ENDED
from trioarm.core.owners import CODE_OWNER, FILE_OWNER
from trioarm.repositories.sqlite.schema import FINAL, HELD, PENDING, SPAN, TROUBLED, UNFINISHED, VERSION

# Committing: each changes one row, or none when what it expects is no longer so

LAST_RUN_ID: Final = "SELECT last_run_id FROM store"
KEEP_LAST_RUN_ID: Final = "UPDATE store SET last_run_id = ?"
# Stands for NULL where that is common, and is no instant and no text: Python takes ten times as long to hand over None.
NULL: Final = -(1 << 63)
MANY: Final = 512  # rows of one statement; the longest has fewer values than any SQLite takes


Statement: TypeAlias = "tuple[str, Sequence[object]]"  # its text, and its values


@attrs.frozen(slots=True, eq=False)
class ForRows:
    """A statement for any number of rows of values.

    One for each would hand Python's lock back and forth a thousand times.

    Args:
        head: what comes before the rows.
        values: how many values a row has.
        tail: what follows the rows.
        nullable: places of values of which `NULL` stands for NULL.
    """

    head: str
    values: int
    tail: str = ""
    nullable: frozenset[int] = frozenset()

    def text(self, rows: int) -> str:
        """Return its text for a number of rows."""
        row = ", ".join(f"nullif(?, {NULL})" if place in self.nullable else "?" for place in range(self.values))
        return f"{self.head}{', '.join([f'({row})'] * rows)}{self.tail}"


INSERT_RUN: Final = ForRows(
    "INSERT INTO runs (id, key, epoch, nominal_at, origin, due_at, decided_at, lane, state, reason, last_at, count, "
    "waiting_for, give_up_at, attempt, token, node, args, started_at, finished_at, cancel, error, result, retry_of, "
    "handler, rank) VALUES ",
    26,
)
# Of a run of which there is no more to say, as of most; what is not said has its default.
INSERT_PLAIN_RUN: Final = ForRows(
    "INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, lane, state, waiting_for, give_up_at, attempt, "
    "token, node, handler, rank) VALUES ",
    15,
    nullable=frozenset({6, 8, 9, 12}),
)
MOVE: Final = ForRows(
    "UPDATE cursors SET cursor_at = v.column1, next_due_at = v.column2, wake_at = v.column3, runs = v.column4, "
    "state = v.column5, pause = CASE WHEN v.column6 THEN NULL ELSE pause END, "
    "anchor_at = coalesce(v.column7, anchor_at) FROM (VALUES ",
    11,
    ") AS v WHERE key = v.column8 AND cursor_at = v.column9 AND revision = v.column10 "
    "AND next_due_at IS v.column11 AND removed = 0",
)
CLAIM: Final = ForRows(
    "UPDATE runs SET state = 'claimed', token = token + 1, attempt = attempt + 1, node = v.column1, "
    "waiting_for = NULL, give_up_at = NULL FROM (VALUES ",
    3,
    f") AS v WHERE id = v.column2 AND token = v.column3 AND {PENDING}",
)
START: Final = ForRows(
    "UPDATE runs SET state = 'running', started_at = v.column1 FROM (VALUES ",
    3,
    ") AS v WHERE id = v.column2 AND token = v.column3 AND state = 'claimed'",
)
PROGRESS: Final = ForRows(
    "UPDATE runs SET progress = v.column1 FROM (VALUES ",
    3,
    f") AS v WHERE id = v.column2 AND token = v.column3 AND {HELD}",
)
ASK: Final = ForRows(
    "UPDATE runs SET cancel = v.column1 FROM (VALUES ",
    3,
    f") AS v WHERE id = v.column2 AND token = v.column3 AND {HELD}",
)
FINISH: Final = ForRows(
    "UPDATE runs SET state = v.column1, reason = v.column2, error = v.column3, result = v.column4, "
    "finished_at = v.column5, waiting_for = NULL, started_at = coalesce(v.column6, started_at) FROM (VALUES ",
    11,
    ") AS v WHERE id = v.column7 AND token = v.column8 "
    "AND (state = v.column9 OR state = v.column10 OR state = v.column11)",
)
REQUEUE: Final = ForRows(
    "UPDATE runs SET state = 'pending', reason = v.column1, error = v.column2, attempt = v.column3, "
    "due_at = v.column4, waiting_for = v.column5, give_up_at = v.column6, started_at = coalesce(v.column7, started_at) "
    "FROM (VALUES ",
    11,
    ") AS v WHERE id = v.column8 AND token = v.column9 AND cancel IS NULL "
    "AND (state = v.column10 OR state = v.column11)",
)

VOID: Final = ForRows(
    "UPDATE runs SET voided_at = v.column1 FROM (VALUES ",
    3,
    ") AS v WHERE id = v.column2 AND token = v.column3 AND voided_at IS NULL",
)
CUT: Final = ForRows(
    "UPDATE runs SET last_at = v.column1, count = v.column2 FROM (VALUES ",
    4,
    ") AS v WHERE id = v.column3 AND token = v.column4 AND voided_at IS NULL",
)

# Lines: what is changed most, as rows of one view. A trigger for each kind writes what a line says, so that one
# statement carries out a transaction: all of it, or nothing where a line no longer fits.

LINE_VALUES: Final = 13  # behind its kind
LINES_MAX: Final = 2_048  # of one statement: they have fewer values than any SQLite takes
_PLACES: Final = ", ".join(f"0 AS v{place}" for place in range(LINE_VALUES))
LINES_VIEW: Final = f"CREATE TEMP VIEW IF NOT EXISTS lines AS SELECT 0 AS kind, {_PLACES}"


@attrs.frozen(slots=True, eq=False)
class Line:
    """A kind of lines.

    Args:
        kind: its number, the first value of each.
        names: of its other values, in order.
        change: SQL that changes one row of a table with its last statement, or none when what that expects is no
            longer so.
    """

    kind: int
    names: str
    change: str

    def trigger(self) -> str:
        """Return the trigger that carries such lines out."""
        values = {name: f"new.v{place}" for place, name in enumerate(self.names.split())}
        return (
            f"CREATE TEMP TRIGGER IF NOT EXISTS lines_{self.kind} INSTEAD OF INSERT ON lines "
            f"WHEN new.kind = {self.kind} BEGIN {self.change.format(**values)}; "
            "SELECT raise(ABORT, 'a line no longer fits') WHERE changes() <> 1; END"
        )


def _unless_null(value: str) -> str:
    """Return a value, and NULL for what stands for it; a function would be called for each row."""
    return f"CASE WHEN {value} <> {NULL} THEN {value} END"


# A run that is claimed as it is decided, how most begin, and the cursor of its schedule, of which there is no more to
# say than how far it came: it wakes when it is due, and is over when it never is.
DECIDED: Final = Line(
    1,
    "id key nominal_at due_at decided_at node handler rank next_due_at runs expected_cursor_at expected_revision "
    "expected_next_due_at",
    "INSERT INTO runs (id, key, nominal_at, due_at, decided_at, node, handler, rank, origin, state, attempt, token) "
    "VALUES ({id}, {key}, {nominal_at}, {due_at}, {decided_at}, {node}, {handler}, {rank}, 'schedule', 'claimed', 1, "
    f"1); UPDATE cursors SET cursor_at = {{decided_at}}, next_due_at = {_unless_null('{next_due_at}')}, "
    f"wake_at = {_unless_null('{next_due_at}')}, runs = {{runs}}, "
    f"state = CASE {{next_due_at}} WHEN {NULL} THEN 'finished' ELSE 'active' END "
    "WHERE key = {key} AND cursor_at = {expected_cursor_at} AND revision = {expected_revision} "
    "AND next_due_at = {expected_next_due_at} AND removed = 0",
)
# A run that went well, and there is no more to say: how most end.
WENT_WELL: Final = Line(
    2,
    "at started_at id token",
    "UPDATE runs SET state = 'succeeded', reason = NULL, error = NULL, result = NULL, finished_at = {at}, "
    "waiting_for = NULL, started_at = coalesce({started_at}, started_at) "
    f"WHERE id = {{id}} AND token = {{token}} AND {HELD}",
)
# What every transaction of lines ends with: the tables are those it was made for, and so are the numbers it gave.
_IS_KNOWN: Final = f"{VERSION} >= (SELECT user_version FROM pragma_user_version)"
CLOSED: Final = Line(
    3,
    "expected last",
    "UPDATE store SET last_run_id = max(last_run_id, {last}) "
    f"WHERE (last_run_id = {{expected}} OR {{last}} = {{expected}}) AND {_IS_KNOWN}",
)
LINES: Final = (DECIDED, WENT_WELL, CLOSED)


@cache
def write_lines(lines: int) -> str:
    """Return the statement for up to so many lines; behind their values it takes how many there are."""
    line = f"({', '.join('?' * (1 + LINE_VALUES))})"
    return f"INSERT INTO lines SELECT * FROM (VALUES {', '.join([line] * lines)}) LIMIT ?"


INSERT_SCHEDULE: Final = (
    "INSERT INTO schedules (definition, amendments, owner, handler, lane, supersede, name) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
LAST_KEY: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'schedules'"
# New schedules, as rows of a view whose trigger writes both rows of each: one statement, as for lines.
ADDED_MAX: Final = 3_000  # new schedules of one statement: they have fewer values than any SQLite takes
ADDED_EACH: Final = 3  # values in which any two of them differ, behind its key and when it is put
ADDED_ALIKE: Final = 7  # values in which many agree, which are said once where all do
ADDED_VIEW: Final = (
    "CREATE TEMP VIEW added AS SELECT 0 AS key, 0 AS put_at, 0 AS name, 0 AS definition, 0 AS next_due_at, "
    "0 AS handler, 0 AS owner, 0 AS lane, 0 AS supersede, 0 AS cursor_at, 0 AS rank, 0 AS state"
)
ADDED_ROWS: Final = (
    "CREATE TEMP TRIGGER added_rows INSTEAD OF INSERT ON added BEGIN "
    "INSERT INTO schedules (key, name, definition, handler, owner, lane, supersede) VALUES (new.key, new.name, "
    f"new.definition, new.handler, {_unless_null('new.owner')}, {_unless_null('new.lane')}, new.supersede); "
    "INSERT INTO cursors (key, cursor_at, next_due_at, wake_at, rank, anchor_at, state, revision, runs) VALUES "
    f"(new.key, new.cursor_at, {_unless_null('new.next_due_at')}, "
    f"CASE WHEN new.state = 'active' AND new.next_due_at <> {NULL} THEN new.next_due_at END, "
    "new.rank, new.put_at, new.state, 1, 0); END"
)


@cache
def add(schedules: int, alike: bool) -> str:
    """Return the statement for up to so many new schedules.

    It takes the last key that there is, the same once more, when they are put, and what is said once; then what is said
    of each, and how many there are. Where others have added schedules since, or changed the tables, they are put at
    NULL, which is refused.

    Args:
        schedules: how many at most.
        alike: whether what many agree in is said once.
    """
    of_each = ADDED_EACH if alike else ADDED_EACH + ADDED_ALIKE
    values = ", ?" * of_each
    rows = ", ".join(f"({place}{values})" for place in range(1, 1 + schedules))
    columns = "".join(f", column{number}" for number in range(2, 2 + of_each)) + ", ?" * (ADDED_ALIKE * alike)
    put_at = f"CASE WHEN ({LAST_KEY}) = ? AND {_IS_KNOWN} THEN ? END"
    return f"INSERT INTO added SELECT column1 + ?, {put_at}{columns} FROM (VALUES {rows}) LIMIT ?"


REVISE: Final = (
    "UPDATE schedules SET definition = ?, amendments = ?, owner = ?, handler = ?, lane = ?, supersede = ?, "
    "trouble = NULL WHERE name = ? AND key = ? AND removed = 0"
)
# Follows either of them, and refuses a put that expects another revision or cursor. A cursor that is gone is made anew.
PUT_CURSOR: Final = (
    "INSERT INTO cursors (key, revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state, pause) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, "
    "cursor_at = excluded.cursor_at, next_due_at = excluded.next_due_at, wake_at = excluded.wake_at, "
    "rank = excluded.rank, anchor_at = excluded.anchor_at, state = excluded.state, pause = excluded.pause, "
    "removed = excluded.removed "
    "WHERE revision = excluded.revision - 1 AND (?10 IS NULL OR cursor_at = ?10 AND next_due_at IS ?11)"
)
CARRY_OVER: Final = (
    "UPDATE runs SET handler = ?, rank = CASE origin WHEN 'backfill' THEN rank ELSE ? END "
    f"WHERE key = ? AND {UNFINISHED}"
)
SET_BACK: Final = (
    "UPDATE cursors SET revision = revision + 1, epoch = epoch + 1, cursor_at = ?, next_due_at = ?, wake_at = ?, "
    "runs = ?, state = ?, anchor_at = ? "
    "WHERE key = ? AND cursor_at = ? AND revision = ? AND next_due_at IS ? AND removed = 0"
)
AMEND: Final = "UPDATE schedules SET amendments = ? WHERE key = ?"
REMOVE: Final = (
    "UPDATE schedules SET removed = 1 WHERE key = ? AND removed = 0 "
    "AND ? = coalesce((SELECT c.revision FROM cursors c WHERE c.key = schedules.key), 0)"
)
FORGET_TAGS: Final = "DELETE FROM tags WHERE key = ?"
FORGET_NEEDS: Final = "DELETE FROM needs WHERE key = ?"
INSERT_NEED: Final = "INSERT OR IGNORE INTO needs VALUES (?, ?)"
INSERT_TAG: Final = "INSERT OR IGNORE INTO tags VALUES (?, ?)"

DOCUMENT: Final = "SELECT namespace, key, version, body FROM documents WHERE namespace = ? AND key = ?"
INSERT_DOCUMENT: Final = "INSERT INTO documents VALUES (?, ?, 1, ?)"
REPLACE_DOCUMENT: Final = (
    "UPDATE documents SET version = version + 1, body = ? WHERE namespace = ? AND key = ? AND version = ?"
)
REMOVE_DOCUMENT: Final = "DELETE FROM documents WHERE namespace = ? AND key = ? AND version = ?"
LAST_ENTRY: Final = "SELECT seq, seal FROM journal WHERE namespace = ? ORDER BY seq DESC LIMIT 1"
APPEND: Final = "INSERT INTO journal VALUES (?, ?, ?, ?, ?)"

QUARANTINE_SCHEDULE: Final = "UPDATE schedules SET trouble = ? WHERE key = ? AND trouble IS NULL"
QUARANTINE_RUN: Final = (
    "UPDATE runs SET state = 'unknown', reason = 'unreadable', error = ?, waiting_for = NULL, "
    f"finished_at = coalesce(finished_at, ?) WHERE id = ? AND {UNFINISHED}"
)

# A clock that was set back, and another tz database

COMPUTED_BY: Final = "UPDATE store SET tzdata = ?"
WRITE: Final = "UPDATE store SET written_at = max(coalesce(written_at, ?1), ?1)"
TAKE_BACK: Final = "UPDATE store SET written_at = ?"

# Nodes and their leases

JOIN: Final = "INSERT INTO nodes VALUES (?, ?, ?, ?)"
RENEW: Final = "UPDATE nodes SET boot = ?, expires_at = ? WHERE node = ?"
LEAVE: Final = "DELETE FROM nodes WHERE node = ?"

# Forgetting

_BY_STATE: Final = " ".join(f"WHEN '{state}' THEN :{state}" for state in sorted(FINAL))
# Found by the numbers in their order: what is old was mostly decided first. The names of values are those of states.
OLD: Final = (
    f"SELECT id FROM runs WHERE id > :after AND id <= :upto AND NOT ({UNFINISHED}) AND finished_at < CASE state "
    f"{_BY_STATE} END ORDER BY id LIMIT :limit"
)
KEYS_WITH_RUNS: Final = """
    WITH RECURSIVE k(key) AS (
        SELECT min(key) FROM runs INDEXED BY runs_schedule WHERE key > :after
        UNION ALL
        SELECT (SELECT min(r.key) FROM runs r INDEXED BY runs_schedule WHERE r.key > k.key) FROM k WHERE k.key NOTNULL
    )
    SELECT key FROM k WHERE key NOTNULL LIMIT :limit
"""
NTH_NEWEST: Final = "SELECT id FROM runs INDEXED BY runs_schedule WHERE key = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
_IN_STATES: Final = "state IN (SELECT value FROM json_each(:states))"
NTH_NEWEST_TROUBLED: Final = (
    f"SELECT id FROM runs INDEXED BY runs_troubled_of WHERE key = :key AND {_IN_STATES} AND {TROUBLED} "
    "ORDER BY id DESC LIMIT 1 OFFSET :newer"
)
NEWER_OTHERS: Final = f"""
    SELECT
        (SELECT count(*) FROM runs INDEXED BY runs_unfinished WHERE key = :key AND id > :after AND {UNFINISHED})
        + (SELECT count(*) FROM runs INDEXED BY runs_troubled_of
           WHERE key = :key AND id > :after AND {_IN_STATES} AND {TROUBLED})
"""
SURPLUS: Final = (
    "SELECT id FROM runs INDEXED BY runs_schedule WHERE key = :key AND id > :after AND id <= :upto "
    f"AND NOT ({UNFINISHED}) AND NOT ({_IN_STATES}) ORDER BY id LIMIT :limit"
)
TROUBLED_SURPLUS: Final = (
    "SELECT id FROM runs INDEXED BY runs_troubled_of WHERE key = :key AND id > :after AND id <= :upto "
    f"AND {_IN_STATES} AND {TROUBLED} ORDER BY id LIMIT :limit"
)
# Schedules of these runs that are paused once some failed in a row, and after how many: no other definition is read.
PAUSING: Final = """
    SELECT key, json_extract(definition, '$.pause_after_failures') AS most FROM schedules
    WHERE key IN (SELECT key FROM runs WHERE id IN (SELECT value FROM json_each(?))) AND removed = 0 AND trouble IS NULL
    AND most NOTNULL
"""
LAST_ENDED: Final = (
    "SELECT id FROM runs INDEXED BY runs_schedule WHERE key = ? "
    f"AND state IN ({', '.join(repr(state.value) for state in sorted(ENDED))}) ORDER BY id DESC LIMIT ?"
)
KEYS_OF_RUNS: Final = "SELECT DISTINCT key FROM runs WHERE id IN (SELECT value FROM json_each(?))"
FORGET_RUNS: Final = "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))"
OVER: Final = (
    "SELECT c.key FROM cursors c WHERE c.removed = 0 AND c.state = 'finished' AND c.cursor_at < ? "
    "AND EXISTS (SELECT 1 FROM schedules s WHERE s.key = c.key AND s.removed = 0 "
    f"AND coalesce(s.owner, '') <> '{CODE_OWNER}' AND coalesce(s.owner, '') NOT GLOB '{FILE_OWNER}*') "
    f"AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.key = c.key AND r.{UNFINISHED}) ORDER BY c.key LIMIT ?"
)
DROP: Final = (
    "UPDATE schedules SET removed = 1 WHERE key IN (SELECT value FROM json_each(?)) AND removed = 0 "
    "AND EXISTS (SELECT 1 FROM cursors c WHERE c.key = schedules.key AND c.state = 'finished') RETURNING key"
)
REMOVED: Final = (
    "SELECT key FROM schedules WHERE removed = 1 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.key = schedules.key) "
    "ORDER BY key LIMIT ?"
)
FORGET_SCHEDULES: Final = (
    "DELETE FROM schedules WHERE key IN (SELECT value FROM json_each(?)) AND removed = 1 "
    "AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.key = schedules.key)"
)
# All of whose runs are forgotten.
FORGET_SPANS: Final = f"""
    DELETE FROM spans
    WHERE first_id <= coalesce((SELECT min(id) FROM runs), (SELECT last_run_id + 1 FROM store)) - {SPAN}
"""
JOURNAL_ENDS: Final = "SELECT min(seq), max(seq) FROM journal WHERE namespace = ?"
FIRST_YOUNG: Final = "SELECT seq FROM journal WHERE namespace = ? AND at >= ? ORDER BY seq LIMIT 1"
FORGET_ENTRIES: Final = "DELETE FROM journal WHERE namespace = ? AND seq <= ?"
