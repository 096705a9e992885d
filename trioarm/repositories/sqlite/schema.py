"""The schema of a store: its tables and indexes, numbered migrations, and how a file is told to be ours.

What a row means is said by the records of `core`; here is how it lies in the file. Rows are written in key order. What
is asked for while a node works has a partial index that holds unfinished rows alone, so that history costs nothing.

A schedule is two rows with one key. `schedules` has what people say of it, and changes when they do; `cursors` has how
far it is decided, which every decision writes anew: narrow, so that the cursors of a thousand decisions lie in few
pages. A cursor has all that a decision must find unchanged; that its schedule was removed is therefore said in both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from trioarm.core.chain import seal

APPLICATION_ID: Final = 0x7472_696F  # "trio" in the file's header: says that a SQLite file is a store of ours
SQLITE_MIN: Final = (3, 37, 0)  # STRICT tables, which refuse a value of the wrong type whoever writes it

# Said by a column that a claim does not touch, so that it need not touch their indexes either.
UNFINISHED: Final = "finished_at IS NULL"
PENDING: Final = "state = 'pending'"
HELD: Final = "state <> 'pending' AND finished_at IS NULL"
# Rows that somebody may look for among a million that went well.
TROUBLED: Final = "state <> 'succeeded' AND finished_at IS NOT NULL"
# Schedules that are due at no instant of their own.
IDLE: Final = "state NOT IN ('active', 'finished')"


def _one_of(column: str, members: Iterable[str]) -> str:
    """Return a check on the words in a column; an IN of more than two would build a table for every row written."""
    return " OR ".join(f"{column} = '{member}'" for member in members)


_ACTIVE: Final = ("pending", "claimed", "running")
FINAL: Final = (
    *("succeeded", "failed", "cancelled", "timed_out", "overridden", "unknown"),
    *("skipped", "missed", "superseded"),
)

_FIRST: Final = (
    """
    CREATE TABLE store (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_run_id INTEGER NOT NULL,
        tzdata TEXT NOT NULL,
        written_at INTEGER
    ) STRICT
    """,
    "INSERT INTO store VALUES (1, 0, '', NULL)",
    """
    CREATE TABLE schedules (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        owner TEXT,
        handler TEXT NOT NULL,
        lane TEXT,
        supersede INTEGER NOT NULL,
        amendments TEXT,
        trouble TEXT,
        removed INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE UNIQUE INDEX schedules_name ON schedules (name) WHERE removed = 0",
    "CREATE INDEX schedules_any_name ON schedules (name)",
    "CREATE INDEX schedules_owner ON schedules (owner, name)",
    "CREATE INDEX schedules_handler ON schedules (handler, name)",
    "CREATE INDEX schedules_removed ON schedules (key) WHERE removed = 1",
    "CREATE INDEX schedules_lane ON schedules (lane, name) WHERE lane IS NOT NULL",
    f"""
    CREATE TABLE cursors (
        key INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        cursor_at INTEGER NOT NULL,
        next_due_at INTEGER,
        wake_at INTEGER,
        rank INTEGER NOT NULL,
        anchor_at INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        state TEXT NOT NULL CHECK ({_one_of("state", ("active", "finished", "paused", "quarantined"))}),
        pause TEXT,
        removed INTEGER NOT NULL DEFAULT 0,
        epoch INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX cursors_due ON cursors (wake_at, rank) WHERE wake_at IS NOT NULL",
    """
    CREATE TABLE tags (
        tag TEXT NOT NULL,
        key INTEGER NOT NULL,
        PRIMARY KEY (tag, key)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX tags_key ON tags (key)",
    # What becomes of a schedule becomes of its cursor, whoever writes: a decision then need look at the cursor alone.
    """
    CREATE TRIGGER schedules_taken_away AFTER UPDATE OF removed ON schedules BEGIN
        UPDATE cursors SET removed = new.removed, next_due_at = NULL, wake_at = NULL WHERE key = new.key;
    END
    """,
    """
    CREATE TRIGGER schedules_quarantined AFTER UPDATE OF trouble ON schedules WHEN new.trouble IS NOT NULL BEGIN
        UPDATE cursors SET state = 'quarantined', wake_at = NULL WHERE key = new.key;
    END
    """,
    """
    CREATE TRIGGER schedules_forgotten AFTER DELETE ON schedules BEGIN
        DELETE FROM cursors WHERE key = old.key;
        DELETE FROM tags WHERE key = old.key;
    END
    """,
    f"""
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        nominal_at INTEGER NOT NULL,
        origin TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        decided_at INTEGER NOT NULL,
        lane TEXT,
        state TEXT NOT NULL,
        reason TEXT,
        last_at INTEGER,
        count INTEGER NOT NULL DEFAULT 1,
        waiting_for TEXT,
        give_up_at INTEGER,
        attempt INTEGER NOT NULL,
        token INTEGER NOT NULL,
        node TEXT,
        args TEXT,
        started_at INTEGER,
        finished_at INTEGER,
        cancel TEXT,
        error TEXT,
        result TEXT,
        retry_of INTEGER,
        handler TEXT NOT NULL,
        rank INTEGER NOT NULL,
        voided_at INTEGER,
        CHECK (CASE WHEN finished_at IS NULL THEN {_one_of("state", _ACTIVE)} ELSE {_one_of("state", FINAL)} END)
    ) STRICT
    """,
    # The instant first: occurrences are decided in its order, so that new rows are appended.
    "CREATE UNIQUE INDEX runs_occurrence ON runs (nominal_at, key, origin, epoch)",
    "CREATE INDEX runs_schedule ON runs (key)",
    "CREATE INDEX runs_due ON runs (due_at)",
    f"CREATE INDEX runs_troubled ON runs (state) WHERE {TROUBLED}",
    f"CREATE INDEX runs_unfinished ON runs (key) WHERE {UNFINISHED}",
    f"CREATE INDEX runs_held ON runs (node) WHERE node IS NOT NULL AND {UNFINISHED}",
    # A run holds its lane from its first claim to its final state (S5.5): the file itself refuses a second holder.
    f"CREATE UNIQUE INDEX runs_lane ON runs (lane) WHERE lane IS NOT NULL AND token > 0 AND {UNFINISHED}",
    # A run that may start when it is decided waits for no time, and mostly has no entry here.
    f"CREATE INDEX runs_time ON runs (due_at) WHERE waiting_for <> 'handler' AND {PENDING}",
    f"CREATE INDEX runs_give_up ON runs (give_up_at) WHERE give_up_at IS NOT NULL AND {PENDING}",
    f"CREATE INDEX runs_ready ON runs (handler, rank, due_at) WHERE lane IS NULL AND {PENDING}",
    f"CREATE INDEX runs_queue ON runs (handler, lane, rank, due_at) WHERE lane IS NOT NULL AND {PENDING}",
    """
    CREATE TABLE documents (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE journal (
        namespace TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (namespace, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE nodes (
        node TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        joined_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

# For questions to a long history. Runs that went well, in no lane, pay with no more than a key beside an instant.
_SECOND: Final = (
    "DROP INDEX runs_due",
    "CREATE INDEX runs_due ON runs (due_at, key)",  # the key, so that what belongs to others is passed over unread
    "CREATE INDEX runs_of_lane ON runs (lane) WHERE lane IS NOT NULL",
    f"CREATE INDEX runs_in_lane ON runs (lane) WHERE lane IS NOT NULL AND {UNFINISHED}",
    f"CREATE INDEX runs_troubled_due ON runs (state, due_at) WHERE {TROUBLED}",
    f"CREATE INDEX runs_troubled_of ON runs (key, state) WHERE {TROUBLED}",
    "CREATE INDEX runs_ranges ON runs (state, count) WHERE last_at IS NOT NULL",
    f"CREATE INDEX cursors_idle ON cursors (next_due_at) WHERE {IDLE}",
)

SPAN: Final = 1_000  # runs: their numbers begin with one that is one more than a multiple of it
_BEGINS: Final = f"(id - 1) / {SPAN} * {SPAN} + 1"
# Pages of a range of time, in order of decision: see `spans`. A span is made when its last run is decided.
_THIRD: Final = (
    """
    CREATE TABLE spans (
        first_id INTEGER PRIMARY KEY,
        due_from INTEGER NOT NULL,
        due_upto INTEGER NOT NULL
    ) STRICT
    """,
    f"""
    INSERT INTO spans SELECT {_BEGINS}, min(due_at), max(due_at) FROM runs
    WHERE id <= (SELECT last_run_id FROM store) / {SPAN} * {SPAN} GROUP BY 1
    """,
    f"""
    CREATE TRIGGER runs_complete_a_span AFTER INSERT ON runs WHEN new.id % {SPAN} = 0 BEGIN
        INSERT OR REPLACE INTO spans SELECT new.id - {SPAN - 1}, min(due_at), max(due_at) FROM runs
        WHERE id > new.id - {SPAN} AND id <= new.id;
    END
    """,
    f"""
    CREATE TRIGGER runs_widen_a_span AFTER UPDATE OF due_at ON runs BEGIN
        UPDATE spans SET due_from = min(due_from, new.due_at), due_upto = max(due_upto, new.due_at)
        WHERE first_id = {_BEGINS.replace("id", "new.id")} AND NOT (new.due_at BETWEEN due_from AND due_upto);
    END
    """,
)

# How far a handler says it is, and which schedules need which resources (S6.5).
_FOURTH: Final = (
    "ALTER TABLE runs ADD COLUMN progress TEXT",
    """
    CREATE TABLE needs (
        resource TEXT NOT NULL,
        key INTEGER NOT NULL,
        PRIMARY KEY (resource, key)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX needs_key ON needs (key)",
    """
    CREATE TRIGGER schedules_need_nothing AFTER DELETE ON schedules BEGIN
        DELETE FROM needs WHERE key = old.key;
    END
    """,
)

# Journals are sealed (A5.1), and so is what they hold already.
_FIFTH: Final = (
    "ALTER TABLE journal ADD COLUMN seal TEXT NOT NULL DEFAULT ''",
    """
    WITH RECURSIVE sealed (namespace, seq, seal) AS (
        SELECT namespace, min(seq), seal('', namespace, seq, at, body) FROM journal GROUP BY namespace
        UNION ALL
        SELECT j.namespace, j.seq, seal(s.seal, j.namespace, j.seq, j.at, j.body)
        FROM sealed s JOIN journal j ON j.namespace = s.namespace AND j.seq = s.seq + 1
    )
    UPDATE journal SET seal = s.seal FROM sealed s WHERE journal.namespace = s.namespace AND journal.seq = s.seq
    """,
)

# What is added is in as few indexes as find it: most schedules have no owner, and few that are removed are kept.
_SIXTH: Final = (
    "DROP INDEX schedules_owner",
    "CREATE INDEX schedules_owner ON schedules (owner, name) WHERE owner IS NOT NULL",
    "DROP INDEX schedules_any_name",
    "CREATE INDEX schedules_removed_name ON schedules (name) WHERE removed = 1",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH)
"""What to carry out, in order, to come from version n to n + 1; a migration that was released is never changed."""

VERSION: Final = len(MIGRATIONS)


def migrate(
    connection: sqlite3.Connection,
    begin: int,
    end: int,
    tell: Callable[[int], None] = lambda version: None,
) -> None:
    """Bring the tables of a store from one version to a later one, in the transaction it is in.

    Args:
        begin: the version they are of; 0 for an empty file.
        end: the version they become.
        tell: told of each version that is reached.
    """
    connection.create_function("seal", 5, seal, deterministic=True)
    for number, migration in enumerate(MIGRATIONS[begin:end], start=begin + 1):
        for statement in migration:
            connection.execute(statement)
        tell(number)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {end}")
