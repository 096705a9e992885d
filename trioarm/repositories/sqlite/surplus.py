"""Surplus: the final runs of a schedule that are more than it may keep, found by indexes alone (S9.1).

A schedule's newest run that is one too many is looked for once; those before it are then read from the oldest on. What
others decide, end or forget meanwhile makes none of these one that is to be kept, so that two nodes never forget more
than one. What went well is in no index of its own: it is what is left of a schedule's runs without the others.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

import attrs

from trioarm.core.queries import Kept
from trioarm.core.states import FINAL, State
from trioarm.repositories.sqlite import statements

KEYS: Final = 50  # schedules looked at in one question: others have questions, too


@attrs.define(slots=True, eq=False)
class Surplus:
    """Runs of a schedule that are too many.

    Args:
        kept: of which states, and how many of them may stay.
        key: of the schedule.
        upto: the newest of them.
        after: those up to this number have been handed out.
    """

    kept: Kept
    key: int
    upto: int
    after: int = 0

    def take(self, limit: int, connection: sqlite3.Connection) -> list[int]:
        """Return the numbers of the next ones; fewer than `limit` when there are no more."""
        among, states = _index_of(self.kept)
        values = {"key": self.key, "after": self.after, "upto": self.upto, "limit": limit, "states": states}
        statement = statements.SURPLUS if among else statements.TROUBLED_SURPLUS
        found = [run_id for (run_id,) in connection.execute(statement, values)]
        if found:
            self.after = found[-1]
        return found


def keys_after(key: int, connection: sqlite3.Connection) -> list[int]:
    """Return the next keys of schedules that have runs; fewer than `KEYS` when there are no more."""
    return [key for (key,) in connection.execute(statements.KEYS_WITH_RUNS, {"after": key, "limit": KEYS})]


def surplus_of(keys: Iterable[int], kept: Kept, connection: sqlite3.Connection) -> list[Surplus]:
    """Return what is too much of these schedules."""
    among, states = _index_of(kept)
    find = _newest_among_all if among else _newest_of_troubled
    ends = ((key, find(key, kept.most, states, connection)) for key in keys)
    return [Surplus(kept, key, upto) for key, upto in ends if upto is not None]


def _index_of(kept: Kept) -> tuple[bool, str]:
    """Return whether the index of all runs is gone by, and the states left out then; else those looked for."""
    among = State.SUCCEEDED in kept.states
    return among, json.dumps(sorted(FINAL - kept.states if among else kept.states))


def _newest_of_troubled(key: int, most: int, states: str, connection: sqlite3.Connection) -> int | None:
    values = {"key": key, "newer": most, "states": states}
    found = connection.execute(statements.NTH_NEWEST_TROUBLED, values).fetchone()
    return None if found is None else int(found[0])


def _newest_among_all(key: int, most: int, states: str, connection: sqlite3.Connection) -> int | None:
    """Find it behind as many runs as may stay, and those that do not count; each step passes over more of these."""
    newer = most
    while True:
        found = connection.execute(statements.NTH_NEWEST, (key, newer)).fetchone()
        if found is None:
            return None
        values = {"key": key, "after": found[0], "states": states}
        (others,) = connection.execute(statements.NEWER_OTHERS, values).fetchone()
        if most + others == newer:
            return int(found[0])
        newer = most + others
