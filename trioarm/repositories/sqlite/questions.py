"""The SQL that asks a store, one named question each; that which changes it is in `statements`.

Its conditions repeat those of the partial indexes word for word, which is how SQLite knows that it may use them.
"""

from __future__ import annotations

from typing import Final

from trioarm.repositories.sqlite.schema import HELD, PENDING, TROUBLED, UNFINISHED

# What records are made of

SCHEDULE: Final = (
    "s.key, s.name, coalesce(c.revision, 0), s.definition, coalesce(c.cursor_at, 0), c.next_due_at, "
    "coalesce(c.anchor_at, 0), coalesce(c.runs, 0), c.state, c.pause, s.removed OR c.removed, s.trouble, s.handler, "
    "s.lane, s.supersede, s.amendments, s.owner, coalesce(c.epoch, 0)"
)
# How the two rows of a schedule come together; one whose cursor somebody deleted is told, too, and has no state.
AND_CURSOR: Final = "LEFT JOIN cursors c ON c.key = s.key"
_BLOCKED: Final = (
    "r.state = 'pending' AND r.token = 0 AND r.lane IS NOT NULL AND EXISTS (SELECT 1 FROM runs h WHERE h.lane = r.lane "
    f"AND h.lane IS NOT NULL AND h.token > 0 AND h.{UNFINISHED})"
)
RUN: Final = (
    "r.id, r.key, r.epoch, r.nominal_at, r.origin, r.due_at, r.decided_at, r.lane, r.state, r.reason, r.last_at, "
    "r.count, r.waiting_for, r.give_up_at, r.attempt, r.token, r.node, r.args, r.started_at, r.finished_at, r.cancel, "
    f"r.error, r.result, r.retry_of, r.voided_at, r.progress, {_BLOCKED}"
)

# The horizon: what time alone starts

DUE_SCHEDULES: Final = (
    "SELECT wake_at, rank, key FROM cursors WHERE wake_at IS NOT NULL AND wake_at <= ? "
    "ORDER BY wake_at, rank, key LIMIT ?"
)
FIRST_BEYOND: Final = "SELECT min(wake_at) FROM cursors WHERE wake_at IS NOT NULL AND wake_at > ?"
TIMED_RUNS: Final = (
    f"SELECT due_at, id FROM runs WHERE waiting_for <> 'handler' AND {PENDING} AND due_at > ? AND due_at <= ? "
    "ORDER BY due_at LIMIT ?"
)
FIRST_RUN_BEYOND: Final = f"SELECT min(due_at) FROM runs WHERE waiting_for <> 'handler' AND {PENDING} AND due_at > ?"
WAITING_RUNS: Final = (
    f"SELECT give_up_at, id FROM runs WHERE give_up_at IS NOT NULL AND {PENDING} AND due_at <= ? AND give_up_at <= ? "
    "ORDER BY give_up_at LIMIT ?"
)
FIRST_GIVE_UP_BEYOND: Final = (
    f"SELECT min(give_up_at) FROM runs WHERE give_up_at IS NOT NULL AND {PENDING} AND give_up_at > ?"
)

# What is due

SCHEDULES_BY_KEY: Final = f"SELECT {SCHEDULE} FROM json_each(?) j JOIN schedules s ON s.key = j.value {AND_CURSOR}"
MEMBERS: Final = (
    f"SELECT {SCHEDULE} FROM schedules s {AND_CURSOR} "
    "WHERE s.lane = ? AND s.lane IS NOT NULL AND s.supersede = 1 AND s.removed = 0"
)
# Of each schedule no more than tell that there are some: a thousand that wait are not read for each decision. What is
# backfilled has an overlap policy of its own (S5.3).
UNFINISHED_OF_KEYS: Final = (
    f"SELECT {RUN} FROM json_each(?1) j JOIN runs r ON r.id IN (SELECT u.id FROM runs u INDEXED BY runs_unfinished "
    f"WHERE u.key = j.value AND u.{UNFINISHED} AND u.origin <> 'backfill' ORDER BY u.id LIMIT ?2) ORDER BY r.id"
)
UNFINISHED_OF_LANE: Final = (
    f"SELECT {RUN} FROM runs r INDEXED BY runs_in_lane "
    f"WHERE r.lane = ? AND r.lane IS NOT NULL AND r.{UNFINISHED} ORDER BY r.id"
)
RUNS_BY_ID: Final = f"SELECT {RUN} FROM json_each(?) j JOIN runs r ON r.id = j.value"
BUSY_LANES: Final = f"SELECT lane FROM runs INDEXED BY runs_lane WHERE lane IS NOT NULL AND token > 0 AND {UNFINISHED}"
HELD_BY: Final = (
    f"SELECT {RUN} FROM json_each(?) j JOIN runs r ON r.node = j.value "
    f"WHERE r.node IS NOT NULL AND r.{HELD} ORDER BY r.id LIMIT ?"
)

# What could start

_URGENCY: Final = "rank, due_at, id"
# Of the first parameter, resources that are closed; an empty list keeps nobody waiting.
_MAY_BEGIN: Final = "key NOT IN (SELECT n.key FROM needs n JOIN json_each(:closed) j ON n.resource = j.value)"
READY: Final = (
    f"SELECT {_URGENCY} FROM runs WHERE handler = :handler AND rank = :rank AND lane IS NULL AND {PENDING} "
    f"AND due_at <= :until AND {_MAY_BEGIN} ORDER BY due_at, id LIMIT :limit"
)
HELD_NEEDING: Final = (
    "SELECT n.resource, count(*) FROM runs r INDEXED BY runs_held JOIN needs n ON n.key = r.key "
    f"WHERE r.node IS NOT NULL AND r.{HELD} AND n.resource IN (SELECT value FROM json_each(?)) GROUP BY 1"
)
NEXT_LANE: Final = f"SELECT min(lane) FROM runs WHERE handler = ? AND lane IS NOT NULL AND {PENDING} AND lane > ?"
WAITING: Final = (  # of each handler the most urgent rank, the least urgent one, and the first lane
    f"SELECT j.value, (SELECT min(rank) FROM runs WHERE handler = j.value AND lane IS NULL AND {PENDING}), "
    f"(SELECT max(rank) FROM runs WHERE handler = j.value AND lane IS NULL AND {PENDING}), "
    f"(SELECT min(lane) FROM runs WHERE handler = j.value AND lane IS NOT NULL AND {PENDING}) FROM json_each(?) j"
)
LANE_HOLDER: Final = f"SELECT id FROM runs WHERE lane = ? AND lane IS NOT NULL AND token > 0 AND {UNFINISHED}"
LANE_FIRST: Final = (
    f"SELECT {_URGENCY} FROM runs WHERE handler = :handler AND lane = :lane AND lane IS NOT NULL AND {PENDING} "
    f"AND due_at <= :until AND {_MAY_BEGIN} ORDER BY rank, due_at, id LIMIT 1"
)
HOLDER_WAITS: Final = (
    f"SELECT {_URGENCY} FROM runs WHERE id = :holder AND handler = :handler AND {PENDING} AND due_at <= :until "
    f"AND {_MAY_BEGIN}"
)

# Nodes

HELD_NODES: Final = f"SELECT DISTINCT node FROM runs WHERE node IS NOT NULL AND {HELD}"
NODES: Final = "SELECT node, boot, expires_at FROM nodes"
NODES_SINCE: Final = "SELECT node, boot, expires_at, joined_at FROM nodes ORDER BY joined_at, node"

# A clock that was set back, and another tz database

WRITTEN: Final = "SELECT written_at, nullif(tzdata, '') FROM store"
SCHEDULES_AHEAD: Final = (
    f"SELECT {SCHEDULE} FROM cursors c JOIN schedules s ON s.key = c.key WHERE c.key IN ("
    "SELECT key FROM cursors WHERE cursor_at > ? AND key > ? UNION "
    f"SELECT key FROM runs WHERE due_at > ? AND key > ? AND {PENDING} AND waiting_for <> 'postpone'"
    ") AND c.removed = 0 AND s.removed = 0 ORDER BY c.key LIMIT ?"
)
RUNS_AHEAD: Final = (
    f"SELECT {RUN} FROM runs r WHERE r.key = ? AND ((r.voided_at IS NULL AND coalesce(r.last_at, r.nominal_at) > ?) "
    "OR (r.state = 'pending' AND r.due_at > ?)) ORDER BY r.id LIMIT ?"
)

# Questions by name or number

SCHEDULES_BY_NAME: Final = (
    f"SELECT {SCHEDULE} FROM json_each(?) j JOIN schedules s ON s.name = j.value {AND_CURSOR} WHERE s.removed = 0"
)
RUN_BY_ID: Final = f"SELECT {RUN} FROM runs r WHERE r.id = ?"
RUN_OF: Final = (
    f"SELECT {RUN} FROM runs r JOIN schedules s ON s.key = r.key "
    "WHERE r.nominal_at = ? AND r.origin = ? AND r.epoch = ? AND s.name = ? ORDER BY s.removed, r.id LIMIT 1"
)
OWNED: Final = "SELECT count(*) FROM schedules WHERE owner = ? AND removed = 0"
# What stands for occurrences of one schedule, whatever made it; those told apart by microseconds, and ranges, included.
RUNS_OF_EACH: Final = (
    f"SELECT {RUN} FROM runs r WHERE r.id IN (SELECT o.id FROM json_each(?2) j CROSS JOIN runs o INDEXED BY "
    "runs_occurrence ON o.nominal_at >= j.value AND o.nominal_at < j.value + ?3 AND o.key = ?1) ORDER BY r.id"
)
RANGES_ACROSS: Final = (
    f"SELECT {RUN} FROM runs r INDEXED BY runs_troubled_of WHERE r.key = ? AND r.last_at IS NOT NULL "
    f"AND r.nominal_at <= ? AND r.last_at >= ? AND r.{TROUBLED} ORDER BY r.id"
)
# What was retried of some runs of a schedule: the index has their numbers, so that only later runs are looked at.
RETRIED: Final = (
    "SELECT DISTINCT r.retry_of FROM runs r INDEXED BY runs_schedule "
    "WHERE r.key = ? AND r.id > ? AND r.retry_of IN (SELECT value FROM json_each(?))"
)
# Those with no run of a range of time.
FAR_SPANS: Final = (
    "SELECT first_id FROM spans WHERE first_id >= :first AND first_id <= :last "
    "AND (due_upto < :from OR due_from >= :until) ORDER BY first_id"
)
DOCUMENTS: Final = (
    "SELECT namespace, key, version, body FROM documents WHERE namespace = ? AND key > ? ORDER BY key LIMIT ?"
)
JOURNAL: Final = (
    "SELECT namespace, seq, at, body, seal FROM journal WHERE namespace = ? AND seq > ? ORDER BY seq LIMIT ?"
)

# Counting

SCHEDULE_COUNTS: Final = (
    f"SELECT coalesce(c.state, 'quarantined'), count(*) FROM schedules s {AND_CURSOR} WHERE s.removed = 0 GROUP BY 1"
)
# What went well is all that is left when everything else is counted: no row of it is read.
RUN_COUNTS: Final = f"""
    WITH others AS MATERIALIZED (
        SELECT state, count(*) AS rows FROM runs INDEXED BY runs_troubled WHERE {TROUBLED} GROUP BY state
        UNION ALL
        SELECT state, count(*) FROM runs INDEXED BY runs_unfinished WHERE {UNFINISHED} GROUP BY state
    )
    SELECT state, rows FROM others
    UNION ALL
    SELECT 'succeeded', (SELECT count(*) FROM runs) - (SELECT coalesce(sum(rows), 0) FROM others)
"""
# What rows stand for beside themselves.
RANGE_COUNTS: Final = (
    "SELECT state, sum(count - 1) FROM runs INDEXED BY runs_ranges WHERE last_at IS NOT NULL GROUP BY state"
)
OLDEST_PENDING: Final = (
    f"SELECT min(due_at) FROM runs INDEXED BY runs_unfinished WHERE {PENDING} AND {UNFINISHED} AND origin <> 'backfill'"
)
LAST_RUN: Final = "SELECT max(id) FROM runs"

# Looking after the file

SCHEDULES: Final = f"SELECT {SCHEDULE} FROM schedules s {AND_CURSOR} ORDER BY s.key"
LANES_HELD_TWICE: Final = (
    f"SELECT lane, count(*) FROM runs NOT INDEXED WHERE lane IS NOT NULL AND token > 0 AND {UNFINISHED} "
    "GROUP BY lane HAVING count(*) > 1"
)
RUNS_OF_NOBODY: Final = "SELECT r.id, r.key FROM runs r LEFT JOIN schedules s ON s.key = r.key WHERE s.key IS NULL"
DISAGREEING: Final = (
    "SELECT s.name, s.key FROM schedules s JOIN cursors c ON c.key = s.key WHERE c.removed <> s.removed"
)
CURSORS_OF_NOBODY: Final = "SELECT key FROM cursors WHERE key NOT IN (SELECT key FROM schedules)"
NEEDS_OF_NOBODY: Final = "SELECT resource, key FROM needs WHERE key NOT IN (SELECT key FROM schedules)"
TAGS_OF_NOBODY: Final = "SELECT tag, key FROM tags WHERE key NOT IN (SELECT key FROM schedules)"
JOURNALS: Final = "SELECT namespace, seq, at, body, seal FROM journal ORDER BY namespace, seq"
FIRST_DUE: Final = (
    "SELECT s.name, c.wake_at FROM cursors c JOIN schedules s ON s.key = c.key "
    "WHERE c.wake_at IS NOT NULL AND (s.owner IS NULL OR s.owner <> ?) ORDER BY c.wake_at, c.rank, c.key LIMIT 1"
)
UNDECIDED: Final = (
    "SELECT s.name, c.wake_at FROM cursors c JOIN schedules s ON s.key = c.key "
    "WHERE c.wake_at IS NOT NULL AND c.wake_at <= ? ORDER BY c.wake_at, c.rank, c.key LIMIT ?"
)
OVERDUE: Final = (
    "SELECT s.name, r.due_at FROM runs r INDEXED BY runs_unfinished CROSS JOIN schedules s ON s.key = r.key "
    f"WHERE r.{PENDING} AND r.{UNFINISHED} AND r.origin <> 'backfill' AND r.due_at <= ? ORDER BY r.due_at LIMIT ?"
)
PENDING_COUNT: Final = f"SELECT count(*) FROM runs INDEXED BY runs_unfinished WHERE {PENDING} AND {UNFINISHED}"
HELD_COUNT: Final = f"SELECT count(*) FROM runs INDEXED BY runs_unfinished WHERE {HELD}"
