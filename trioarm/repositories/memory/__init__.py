"""The reference repository: everything in memory, gone when the process ends. What it does, every other one must do."""

from __future__ import annotations

from trioarm.repositories.memory.repository import InMemoryScheduleRepository

__all__ = ["InMemoryScheduleRepository"]
