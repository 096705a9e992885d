"""The floor of keeping schedules: one slotted record each, found by key and by name, in due order.

Equal cron rules are one object, as are the policies: what is the same everywhere need not be kept twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import attrs

START_AT = 1_800_000_000.0
PERIOD_S = 86_400.0
SCATTER = 7_919  # a prime, so that neighbours are not due one after the other


@attrs.define(eq=False, weakref_slot=False)
class CronRule:
    """A cron rule that is parsed already."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    zone: str


@attrs.define(eq=False, weakref_slot=False)
class Record:
    """A schedule with default policies: twelve fields."""

    key: int
    name: str
    trigger: CronRule
    next_due_at: float
    handler: str = "noop"
    args: tuple[str, ...] = ()
    state: str = "active"
    revision: int = 1
    misfire: str = "run_once"
    overlap: str = "skip"
    retry: str = "never"
    max_concurrent: int = 1


@attrs.define(eq=False)
class Shelf:
    """Where records are kept."""

    by_key: dict[int, Record] = attrs.field(factory=dict)
    by_name: dict[str, Record] = attrs.field(factory=dict)
    due: list[tuple[float, int]] = attrs.field(factory=list)


def daily_rules() -> list[CronRule]:
    """Return one rule for every minute of the day."""
    every_day = frozenset(range(1, 32))
    numbers = [frozenset((number,)) for number in range(60)]
    return [CronRule(numbers[m], numbers[h], every_day, "Europe/Prague") for h in range(24) for m in range(60)]


def add(n: int, rules: Sequence[CronRule]) -> Shelf:
    """Make and keep `n` records."""
    shelf = Shelf()
    by_key, by_name, due = shelf.by_key, shelf.by_name, shelf.due
    for key in range(n):
        name = f"schedule-{key}"
        due_at = START_AT + key * SCATTER % PERIOD_S
        by_key[key] = by_name[name] = Record(key, name, rules[key % len(rules)], due_at)
        heapq.heappush(due, (due_at, key))
    return shelf
