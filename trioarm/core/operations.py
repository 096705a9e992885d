"""Operations: what people and programs did to schedules and runs, as entries of a journal that shares their commits.

An entry says who, what, to whom and why, and the instants that are needed to understand it. It is no event and no
command: nothing is done because of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.bounds import check_author
from trioarm.core.changes import AppendJournal
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import RepositoryError
from trioarm.core.queries import JournalEntry

JOURNAL: Final = "operations"


class Verb(StrEnum):
    """What was done."""

    PUT = "put"
    REMOVE = "remove"
    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    POSTPONE = "postpone"
    UNDO = "undo"
    SYNC = "sync"
    FIRE = "fire"
    CANCEL = "cancel"
    RETRY = "retry"
    BACKFILL = "backfill"
    TRUST = "trust"


@attrs.frozen(slots=True)
class Operation:
    """One thing that somebody did.

    Args:
        actor: a person or a program.
        verb: what was done.
        subject: the name of the schedule or of the owner, the readable id of the run, or the clock; of several the
            first.
        note: why, in the words of the actor; of a synchronised set what it changed.
        count: of how many subjects it was asked.
        revision: the one that a schedule has since.
        nominal_at: the occurrence that is meant, or the first of them.
        until_at: until when a schedule is paused, or an occurrence postponed; the last occurrence that is meant.

    Raises:
        InvalidSchedule: the actor is not named, or what is said is too long.
    """

    actor: str
    verb: Verb
    subject: str
    note: str = ""
    count: int = 1
    revision: int | None = None
    nominal_at: int | None = None
    until_at: int | None = None

    def __attrs_post_init__(self) -> None:
        check_author(self.actor, self.note)


def entry(operation: Operation, at: int) -> AppendJournal:
    """Return the step that notes an operation at an instant, to be committed with what it changes."""
    return AppendJournal(JOURNAL, to_json(operation), at)


def read_operation(kept: JournalEntry) -> Operation:
    """Read an entry back.

    Raises:
        RepositoryError: it is none that was written here.
    """
    path = f"{kept.namespace} {kept.seq}"
    return from_json(Operation, kept.body, path, lambda problems: RepositoryError("\n".join(problems)))
