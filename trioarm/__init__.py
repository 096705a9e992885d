"""trioarm: a durable, time-zone-correct scheduler for trio, and scheduled arming of alarm systems built on it."""

from __future__ import annotations

__all__: list[str] = []
