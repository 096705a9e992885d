"""Questions to a repository and the shape of its answers: filters, sorting, keyset pages, statistics (S9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Generic, TypeVar

import attrs

from trioarm.core.jsonable import Json
from trioarm.core.record import ScheduleState
from trioarm.core.run import Origin
from trioarm.core.states import FINAL, State

PAGE_MAX: Final = 1_000  # rows handed out at once, so that no question makes a node hold its whole history
JOURNAL_MAX: Final = 100_000  # entries of a journal that may forget: some hundred megabytes at the very most

T_co = TypeVar("T_co", covariant=True)


def _page_limit(owner: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= PAGE_MAX:
        raise ValueError(f"limit is {value!r}: it must lie between 1 and {PAGE_MAX}")


def _no_state_twice(owner: object, attribute: attrs.Attribute[tuple[Kept, ...]], value: tuple[Kept, ...]) -> None:
    states = [state for kept in value for state in kept.states]
    if len({*states}) < len(states) or not FINAL.issuperset(states):
        raise ValueError(f"{attribute.name}: each state must be final, and in one of them")


class ScheduleOrder(StrEnum):
    """By what schedules are sorted; those with nothing to come are last by `next_due_at`. Ties are broken by name."""

    NAME = "name"
    NEXT_DUE_AT = "next_due_at"


class RunOrder(StrEnum):
    """By what runs are sorted. Ties are broken by the order of decision."""

    DECIDED = "decided"
    DUE_AT = "due_at"


@attrs.frozen(slots=True, kw_only=True)
class ScheduleQuery:
    """Which schedules; a field that is None does not narrow.

    Args:
        prefix: the beginning of the name.
        not_owner: whose schedules are left out.
        due_from: next occurrence at or after this instant.
        due_until: next occurrence before this instant.
        after: the `next` of the page before.
    """

    prefix: str | None = None
    owner: str | None = None
    not_owner: str | None = None
    states: frozenset[ScheduleState] | None = None
    handler: str | None = None
    tag: str | None = None
    lane: str | None = None
    due_from: int | None = None
    due_until: int | None = None
    order: ScheduleOrder = ScheduleOrder.NAME
    descending: bool = False
    after: str | None = None
    limit: int = attrs.field(default=100, validator=_page_limit)


@attrs.frozen(slots=True, kw_only=True)
class RunQuery:
    """Which runs; a field that is None does not narrow.

    Args:
        schedule: exact name.
        under: exact name, or the beginning of names up to a slash: `weeknight` means `weeknight/house`, too.
        due_from: due at or after this instant.
        due_until: due before this instant.
        node: held now or at last by this node.
        origins: made by one of these.
        after: the `next` of the page before.
    """

    schedule: str | None = None
    under: str | None = None
    owner: str | None = None
    states: frozenset[State] | None = None
    handler: str | None = None
    tag: str | None = None
    lane: str | None = None
    node: str | None = None
    origins: frozenset[Origin] | None = None
    due_from: int | None = None
    due_until: int | None = None
    order: RunOrder = RunOrder.DECIDED
    descending: bool = False
    after: str | None = None
    limit: int = attrs.field(default=100, validator=_page_limit)


@attrs.frozen(slots=True)
class Page(Generic[T_co]):
    """Rows in order, and where the next page begins; None at the end."""

    rows: Sequence[T_co]
    next: str | None


@attrs.frozen(slots=True)
class Document:
    """A kept document; version 1 at first."""

    namespace: str
    key: str
    version: int
    body: Mapping[str, Json]


@attrs.frozen(slots=True)
class JournalEntry:
    """A kept entry of a journal; `seq` begins at 1 and has no gaps, `seal` holds it to the entry before it."""

    namespace: str
    seq: int
    at: int
    body: Mapping[str, Json]
    seal: str


@attrs.frozen(slots=True)
class Statistics:
    """Counts over all that is kept.

    Args:
        schedules: per state.
        runs: rows per state.
        occurrences: occurrences per state; a range row counts all it stands for.
        oldest_pending_at: `due_at` of the run that waits longest, but for what is backfilled; None when none waits.
    """

    schedules: Mapping[ScheduleState, int]
    runs: Mapping[State, int]
    occurrences: Mapping[State, int]
    oldest_pending_at: int | None


@attrs.frozen(slots=True)
class Kept:
    """How long final runs of some states are kept, and how many of them.

    Args:
        states: counted together.
        before: those that finished before this instant may be forgotten.
        most: those beyond this many per schedule as well, the oldest first.
    """

    states: frozenset[State]
    before: int
    most: int


@attrs.frozen(slots=True, kw_only=True)
class Retention:
    """What may be forgotten (S9.1).

    Args:
        runs_before: final runs that finished before this instant.
        runs_max: final runs beyond this many per schedule, the oldest first; those that are too old count no more. Of
            a schedule that is paused once it kept failing, those stay that tell (see `trioarm.core.failing`).
        apart: final states for which something else holds; they are counted apart from all others. A state is in no
            more than one of them.
        schedules_before: finished schedules whose last occurrence was decided before this instant; not those that a
            file or a configuration declares: at the next start they would be new, and their past would come again.
        journal: a journal that may forget as runs are: what is older than `runs_before`, from its beginning on. None
            for none: a journal is kept for ever unless it is named here.
        journal_max: entries of it beyond this many, the oldest first. The last one stays: numbers go on from it.
        limit: rows removed in one call.
    """

    runs_before: int
    runs_max: int
    schedules_before: int
    apart: tuple[Kept, ...] = attrs.field(default=(), validator=_no_state_twice)
    journal: str | None = None
    journal_max: int = JOURNAL_MAX
    limit: int = 5_000

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What holds for each final state: each is in exactly one of them."""
        others = FINAL.difference(*(kept.states for kept in self.apart))
        return (*self.apart, Kept(others, self.runs_before, self.runs_max)) if others else self.apart
