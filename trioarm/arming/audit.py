"""The audit: who or what armed and disarmed each partition, what they found, what became of it, and why (A5.1).

It is the one journal that is kept for ever, and every entry of it is sealed with the one before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import attrs

from trioarm.arming.model import Reported
from trioarm.core.changes import AppendJournal
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import RepositoryError
from trioarm.core.queries import PAGE_MAX, JournalEntry
from trioarm.core.run import Origin
from trioarm.engine.ports import ScheduleRepository

AUDIT: Final = "audit"  # the journal
DONE: Final = ("arm", "disarm")  # verbs of what was brought about
LEFT: Final = "_left"  # ends the verb of what a condition kept from being done
OBSERVED: Final = "observed"  # the verb of what nobody here did, or waited for
SCHEDULE: Final = "schedule:"  # begins the actor that is a schedule; any other is a person
_LABELS: Final = {  # names of alarm panels for what happened, by verb: done by a person, and by a schedule
    "arm": ("closing 401", "closing 403"),
    "disarm": ("opening 401", "opening 403"),
    "arm_failed": (None, "auto-arm failed 455"),
}


@attrs.frozen(slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done to a partition, or could not be.

    Args:
        actor: a person, or `schedule:` with the name of a schedule.
        origin: what made the run of a schedule; of what a person does `manual`.
        partition: which.
        verb: `arm` or `disarm`, each alone when it was done, else with `_failed`, `_overridden`, or `_left` where a
            condition says no; `hold`, `release`;
            `observed` for what a look at the panel found changed: nobody here did it, or nobody had waited for it.
        before: what the partition was, where it was looked at.
        after: what it was then.
        reason: one sentence.
        correlation: what belongs together has the same one, such as the readable id of a run.
        since_at: of what was observed, since when it is so, as the panel says; None where it does not.
    """

    actor: str
    origin: Origin = Origin.MANUAL
    partition: str
    verb: str
    before: Reported | None = None
    after: Reported | None = None
    reason: str
    correlation: str
    since_at: int | None = None

    @property
    def label(self) -> str | None:
        """What the trade calls it, with its number in Contact ID; None for what has no name there.

        A label is all it is: nothing is reported to anybody who receives alarms.
        """
        by_person, by_schedule = _LABELS.get(self.verb, (None, None))
        return by_schedule if self.actor.startswith(SCHEDULE) else by_person


def appended(entry: AuditEntry, now: int) -> AppendJournal:
    """Return the step that puts an entry into the audit."""
    body = to_json(entry)
    if entry.since_at is None:
        del body["since_at"]
    return AppendJournal(AUDIT, body, now)


def read_entry(kept: JournalEntry) -> AuditEntry:
    """Read an entry back.

    Raises:
        RepositoryError: it is none that was written here.
    """
    body = {"since_at": None, **kept.body}
    return from_json(AuditEntry, body, f"{AUDIT} {kept.seq}", lambda lines: RepositoryError("; ".join(lines)))


async def entries_of(repository: ScheduleRepository, journal: str) -> AsyncIterator[JournalEntry]:
    """Yield all entries of a journal, the oldest first, a page in memory at a time."""
    after = 0
    while page := await repository.read_journal(journal, after=after, limit=PAGE_MAX):
        for entry in page:
            yield entry
        after = page[-1].seq
