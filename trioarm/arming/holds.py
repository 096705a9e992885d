"""Holds: while somebody holds a partition or a whole site, no scheduled command is sent (A4.3).

A hold is a document. What comes due under it ends `overridden`; people still command what they like.
"""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.arming.audit import AuditEntry, appended
from trioarm.arming.model import InvalidRequest, Partition, Premises, UnknownPartition
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import RepositoryError, RevisionConflict
from trioarm.core.instants import EARLIEST, render_instant
from trioarm.core.queries import PAGE_MAX, Document
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.rivals import FASTER, TRIES

NAMESPACE: Final = "hold"
PARTITION: Final = "partition/"
SITE: Final = "site/"
NOTE_LENGTH_MAX: Final = 500  # characters; it is said again with every run that is held back


@attrs.frozen(slots=True, kw_only=True)
class Hold:
    """Who holds something, since when, until when and why.

    Args:
        author: a person.
        note: why; may be empty.
        since_at: when it was placed.
        until_at: when it ends by itself; None for when it is released.
    """

    author: str
    note: str
    since_at: int
    until_at: int | None

    def lasts(self, now: int) -> bool:
        """Whether it is still in force."""
        return self.until_at is None or now < self.until_at

    def describe(self) -> str:
        """Say who holds and until when."""
        until = "until it is released" if self.until_at is None else f"until {render_instant(self.until_at)}"
        return f"{self.author} holds it {until}" + (f": {self.note}" if self.note else "")


class Holds:
    """The holds on partitions and sites.

    Args:
        premises: what can be held.
        repository: where holds are kept.
        clock: what time it is.
    """

    def __init__(self, premises: Premises, repository: ScheduleRepository, clock: Clock) -> None:
        self._premises = premises
        self._repository = repository
        self._clock = clock

    async def covering(self, partition: Partition) -> Hold | None:
        """Return the hold in force on a partition or its site; None when nobody holds it."""
        now = self._clock.look()
        for key in (PARTITION + partition.name, SITE + partition.site):
            document = await self._repository.get_document(NAMESPACE, key)
            if document is not None and (hold := _read(document)).lasts(now):
                return hold
        return None

    def known(self) -> list[str]:
        """Return what can be held: `partition/NAME` and `site/NAME`."""
        premises = self._premises
        return [PARTITION + name for name in premises.partitions] + [SITE + name for name in premises.sites]

    def covered(self, on: str) -> list[str]:
        """Return the partitions that a hold on this covers.

        Raises:
            UnknownPartition: there is no such partition or site.
        """
        partitions = self._premises.partitions
        if on.startswith(PARTITION) and (name := on.removeprefix(PARTITION)) in partitions:
            return [name]
        if on.startswith(SITE) and (site := on.removeprefix(SITE)) in self._premises.sites:
            return [name for name, partition in partitions.items() if partition.site == site]
        raise UnknownPartition(f"{on!r} cannot be held: name one of {', '.join(self.known())}")

    async def lasting(self) -> dict[str, Hold]:
        """Return the holds in force, by what they are on."""
        kept, now, after = dict[str, Hold](), self._clock.look(), ""
        while page := await self._repository.list_documents(NAMESPACE, after=after, limit=PAGE_MAX):
            kept |= {document.key: _read(document) for document in page}
            after = page[-1].key
        return {on: kept[on] for on in self.known() if on in kept and kept[on].lasts(now)}

    async def place(self, on: str, *, by: str, note: str = "", until_at: int | None = None) -> Hold:
        """Hold a partition or a site; a hold that is there already is replaced.

        Args:
            on: `partition/NAME` or `site/NAME`.
            by: a person.
            note: why.
            until_at: when it ends by itself; None for when it is released.

        Raises:
            UnknownPartition: there is no such partition or site.
            InvalidRequest: it would be over already, or the note is too long.
            RevisionConflict: others kept changing it.
        """
        now = self._clock.look()
        if until_at is not None and until_at <= now:
            raise InvalidRequest(f"a hold until {render_instant(until_at)} would be over already")
        if len(note) > NOTE_LENGTH_MAX:
            raise InvalidRequest(f"a note of {len(note)} characters is too long: at most {NOTE_LENGTH_MAX}")
        hold = Hold(author=by, note=note, since_at=now, until_at=until_at)
        await self._put(on, hold, by, "hold", hold.describe())
        return hold

    async def release(self, on: str, *, by: str) -> bool:
        """Release a partition or a site, and return whether it was held: also a hold that cannot be read is.

        Raises:
            UnknownPartition: there is no such partition or site.
            RevisionConflict: others kept changing it.
        """
        return await self._put(on, None, by, "release", f"{by} released {on}")

    async def _put(self, on: str, hold: Hold | None, by: str, verb: str, reason: str) -> bool:
        names, body = self.covered(on), None if hold is None else to_json(hold)
        for _ in range(TRIES):
            now = self._clock.look()
            document = await self._repository.get_document(NAMESPACE, on)
            if document is None and body is None:
                return False
            version = 0 if document is None else document.version
            cause = f"{on}@{render_instant(now)}"
            entries = [
                AuditEntry(actor=by, partition=name, verb=verb, reason=reason, correlation=cause) for name in names
            ]
            put = PutDocument(NAMESPACE, on, version, body)
            change = Change(documents=[put], journal=[appended(entry, now) for entry in entries])
            if await self._repository.commit([change]) == [Verdict.DONE]:
                return True
        raise RevisionConflict(f"the hold on {on}: {FASTER}")


def _read(document: Document) -> Hold:
    """Read a hold. One that cannot be understood is in force: what somebody asked to be left alone is left alone."""
    try:
        return from_json(Hold, document.body, f"document {NAMESPACE}/{document.key}", _unreadable)
    except RepositoryError as error:
        return Hold(author="somebody", note=f"release it, it cannot be read: {error}", since_at=EARLIEST, until_at=None)


def _unreadable(lines: tuple[str, ...]) -> RepositoryError:
    return RepositoryError("; ".join(lines))
