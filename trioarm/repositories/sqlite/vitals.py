"""Vitals: what a look at a store's file says of the nodes that live on it, and of the work that waits there.

It needs no node, no task and no write, so that whoever supervises a node can ask as often as they like.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from trioarm.core.alerts import NAMESPACE, Alert, AlertState, stored_alert
from trioarm.core.instants import SECOND
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.care import reading
from trioarm.repositories.sqlite.nodes import BootClock, NodeLock, SystemBootClock
from trioarm.repositories.sqlite.rows import document

NAMED_MAX: Final = 5  # overdue schedules and runs that are named; that there are more is enough to know
WAIT_S: Final = 2.0  # for another program that holds the file: who asks for health waits for an answer


@attrs.frozen(slots=True)
class NodeSeen:
    """A node of a store.

    Args:
        node: its name.
        since_at: when it joined, by the wall clock.
        lease_left_s: until its lease runs out, in seconds; negative when it has.
        gone: why it is not alive; None when it is.
    """

    node: str
    since_at: int
    lease_left_s: float
    gone: str | None

    @property
    def alive(self) -> bool:
        """Whether it lives, as far as anybody can know."""
        return self.gone is None


@attrs.frozen(slots=True)
class Due:
    """Something and when it is, or was, due."""

    name: str
    due_at: int


@attrs.frozen(slots=True, kw_only=True)
class Vitals:
    """What a look found.

    Args:
        nodes: those that joined and did not leave, the oldest first.
        next_due: the schedule that is due next; None when none is.
        undecided: schedules that should have been decided about, up to `NAMED_MAX` + 1.
        overdue: runs that should have begun, likewise.
        pending: how many runs wait, those that are not due yet included.
        held: how many runs nodes have at hand.
        schedules: how many are stored in each state; empty when not asked for.
        alerts_open: alerts that nobody acknowledged; None when not asked for.
        complaints: what those of the kinds say that were asked for.
    """

    nodes: tuple[NodeSeen, ...]
    next_due: Due | None
    undecided: tuple[Due, ...]
    overdue: tuple[Due, ...]
    pending: int
    held: int
    schedules: dict[str, int]
    alerts_open: int | None
    complaints: tuple[str, ...]


@attrs.frozen(slots=True, kw_only=True)
class Look:
    """What is asked.

    Args:
        undecided_by: schedules due by this instant should have been decided about.
        overdue_by: runs due by this instant should have begun.
        housekeeping: owner of schedules that do not count as the next one.
        counts: whether to count schedules and alerts as well, which takes longer the more there are.
        complaints: kinds of alerts whose words are wanted, where they are counted.
    """

    undecided_by: int
    overdue_by: int
    housekeeping: str
    counts: bool
    complaints: frozenset[str] = frozenset()


def read_vitals(path: Path, look: Look, clock: BootClock | None = None) -> Vitals:
    """Look at a store.

    Raises:
        RepositoryError: it is not there, no store of ours, too new, or cannot be read.
    """
    with reading(path, WAIT_S) as connection:
        connection.execute("BEGIN")  # one moment for all of it
        undecided = connection.execute(questions.UNDECIDED, (look.undecided_by, NAMED_MAX + 1))
        overdue = connection.execute(questions.OVERDUE, (look.overdue_by, NAMED_MAX + 1))
        first = connection.execute(questions.FIRST_DUE, (look.housekeeping,)).fetchone()
        (pending,) = connection.execute(questions.PENDING_COUNT).fetchone()
        (held,) = connection.execute(questions.HELD_COUNT).fetchone()
        alerts = _open_alerts(connection) if look.counts else None
        return Vitals(
            nodes=tuple(nodes_seen(path, connection, clock or SystemBootClock())),
            next_due=None if first is None else Due(*first),
            undecided=tuple(Due(*row) for row in undecided),
            overdue=tuple(Due(*row) for row in overdue),
            pending=pending,
            held=held,
            schedules=dict(connection.execute(questions.SCHEDULE_COUNTS)) if look.counts else {},
            alerts_open=None if alerts is None else len(alerts),
            complaints=tuple(one.text for one in alerts or () if one is not None and one.kind in look.complaints),
        )


def is_inhabited(path: Path) -> bool:
    """Whether a node lives on a store.

    Raises:
        RepositoryError: it cannot be looked at.
    """
    with reading(path, WAIT_S) as connection:
        return any(node.alive for node in nodes_seen(path, connection, SystemBootClock()))


def nodes_seen(path: Path, connection: sqlite3.Connection, clock: BootClock) -> Iterator[NodeSeen]:
    """Yield the nodes of a store, and whether they live: by their boot, their lease and their lock (S7.1)."""
    now, boot = clock.now(), clock.boot()
    for node, boot_then, expires_at, joined_at in connection.execute(questions.NODES_SINCE).fetchall():
        gone = None
        if boot_then != boot:
            gone = "the machine was started anew since"
        elif expires_at <= now:
            gone = "it did not renew its lease"
        elif NodeLock(path, node).is_gone():
            gone = "its process has ended"
        yield NodeSeen(node, joined_at, (expires_at - now) / SECOND, gone)


def _open_alerts(connection: sqlite3.Connection) -> list[Alert | None]:
    """Return the alerts that nobody acknowledged; None for each that cannot be read."""
    open_states = (AlertState.OPEN, AlertState.UNREADABLE)
    rows = connection.execute(questions.DOCUMENTS, (NAMESPACE, "", -1))
    found = (stored_alert(one.key, one.body) for one in map(document, rows))
    return [stored.alert for stored in found if stored.state in open_states]
