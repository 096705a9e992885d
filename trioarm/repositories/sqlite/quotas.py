"""Quotas: how many schedules owners have, counted in the transaction that would make them more."""

from __future__ import annotations

import sqlite3

from trioarm.core.changes import Change
from trioarm.repositories.sqlite import questions


class Quotas:
    """Counts for one transaction: each owner once, and on from there, so that a thousand puts count no thousand times.

    Args:
        connection: inside a transaction.
    """

    __slots__ = ("_connection", "_owned")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._owned: dict[str, int] = {}

    def allow(self, change: Change) -> bool:
        """Whether no owner would have more schedules than it may."""
        return all(self._count(quota.owner) + quota.added <= quota.most for quota in change.quotas)

    def kept(self, change: Change) -> None:
        """Note a change that was written; one that does not say what it adds has owners counted anew."""
        if change.schedules and not change.quotas:
            self._owned.clear()
        for quota in change.quotas:
            self._owned[quota.owner] += quota.added

    def _count(self, owner: str) -> int:
        if owner not in self._owned:
            (self._owned[owner],) = self._connection.execute(questions.OWNED, (owner,)).fetchone()
        return self._owned[owner]
