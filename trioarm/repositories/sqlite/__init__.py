"""The store on disk: one SQLite file that survives kill -9, shared by the processes of one machine."""

from __future__ import annotations

from trioarm.repositories.sqlite.repository import SqliteScheduleRepository

__all__ = ["SqliteScheduleRepository"]
