"""The ledger: which alerts there are, and what each channel has told of them, as it is kept.

What is to be told is nowhere but in the alerts themselves: each was kept in the transaction of its cause, by whatever
raised it. Beside it lies a document under the same name, with a record for each channel that told of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from trioarm.core.alerts import NAMESPACE as ALERTS
from trioarm.core.alerts import TOLD, Alert, Severity, StoredAlert, stored_alert
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import microseconds
from trioarm.core.jsonable import Json
from trioarm.core.queries import Document
from trioarm.engine.ports import ScheduleRepository
from trioarm.notify.message import Told
from trioarm.notify.model import ChannelSettings, Limit
from trioarm.notify.telling import NOTHING, Record, delivered, due, refused

NAMESPACE: Final = "notify"  # of the documents that say when a channel sent what it may not send too much of
PAGE: Final = 200  # documents read at once
DUES_MAX: Final = 1_000  # alerts one look finds
TRIES: Final = 20  # of a commit that others are faster with: they are the other channels
ENDS: Final = ("acknowledged", "resolved")  # fields of an alert that is closed


@attrs.frozen(slots=True)
class Answered:
    """What became of a message, on its way to be kept.

    Args:
        group: what it told of.
        at: when the answer came.
        why: why it was refused; None where it was delivered.
    """

    group: Sequence[Told]
    at: int
    why: str | None = None

    def applied(self, record: Record, told: Told) -> Record:
        """Return what is kept of one thing that it told."""
        return delivered(record, told, self.at) if self.why is None else refused(record, self.why, self.at)


class Ledger:
    """Reads alerts with their records, and keeps what became of messages.

    Args:
        repository: where they are.
    """

    def __init__(self, repository: ScheduleRepository) -> None:
        self._repository = repository

    async def dues(self, settings: ChannelSettings, now: int) -> list[Told]:
        """Return what a channel has to tell now, by id; what is beyond `DUES_MAX` is for its next look.

        Raises:
            RepositoryError: nobody knows.
        """
        found: list[Told] = []
        after = ""
        while alerts := await self._repository.list_documents(ALERTS, after=after, limit=PAGE):
            beside = await self._beside(after, alerts[-1].key)
            after = alerts[-1].key
            for document in alerts:
                kept = beside.get(document.key)
                if _is_open(document) or (settings.over and kept is not None):
                    alert = _alert(stored_alert(document.key, document.body), now)
                    told = due(settings, document.key, alert, record_of(kept, settings.name), now)
                    found += [] if told is None else [told]
            if len(found) >= DUES_MAX:
                break
        return found[:DUES_MAX]

    async def _beside(self, after: str, last: str) -> dict[str, Document]:
        """Return what was told of the alerts after one up to another, by id."""
        found: dict[str, Document] = {}
        while documents := await self._repository.list_documents(TOLD, after=after, limit=PAGE):
            found |= {document.key: document for document in documents if document.key <= last}
            after = documents[-1].key
            if after >= last:
                break
        return found

    async def sent(self, channel: str) -> list[int]:
        """Return when a channel sent its last messages, the oldest first."""
        document = await self._repository.get_document(NAMESPACE, channel)
        return [] if document is None else _instants(document.body.get("sent"))

    async def keep(self, channel: str, answered: Answered, limit: Limit) -> None:
        """Keep what became of a message.

        Kept before already, though nobody could say so, it is not kept again.

        Raises:
            RepositoryError: it cannot be kept at the moment.
        """
        for _ in range(TRIES):
            documents = await self._documents(channel, answered, limit)
            if not documents:
                return
            if await self._repository.commit([Change(documents=documents)]) == [Verdict.DONE]:
                return
        raise RepositoryError(self._repository.trouble or f"channel {channel}: what it told could not be kept")

    async def _documents(self, channel: str, answered: Answered, limit: Limit) -> list[PutDocument]:
        """Return what is to be kept and is not yet."""
        found = []
        for told in answered.group:
            document = await self._repository.get_document(TOLD, told.id)
            before = record_of(document, channel)
            after = answered.applied(before, told)
            if after != before:
                body = {**({} if document is None else document.body), channel: to_json(after)}
                found.append(PutDocument(TOLD, told.id, _version(document), body))
        if found and answered.why is None:
            found.append(await self._counted(channel, answered.at, limit))
        return found

    async def _counted(self, channel: str, at: int, limit: Limit) -> PutDocument:
        document = await self._repository.get_document(NAMESPACE, channel)
        before = [] if document is None else _instants(document.body.get("sent"))
        sent: list[Json] = [*(one for one in before if 0 <= at - one < microseconds(limit.per_s)), at]
        return PutDocument(NAMESPACE, channel, _version(document), {"sent": sent[-limit.messages :]})


def record_of(document: Document | None, channel: str) -> Record:
    """Return what a channel has told of an alert; nothing where that cannot be read: rather twice than never."""
    form = None if document is None else document.body.get(channel)
    return _read(form) if isinstance(form, Mapping) else NOTHING


def records_of(document: Document | None) -> dict[str, Record]:
    """Return what each channel has told of an alert."""
    return {} if document is None else {channel: record_of(document, channel) for channel in document.body}


def _read(form: Mapping[str, Json]) -> Record:
    try:
        return from_json(Record, form, "", lambda lines: RepositoryError("; ".join(lines)))
    except RepositoryError:
        return NOTHING


def _alert(stored: StoredAlert, now: int) -> Alert:
    """Return an alert; in the place of one that cannot be understood, one that says so."""
    if stored.alert is not None:
        return stored.alert
    return Alert(
        subject="alerts",
        kind="unreadable",
        severity=Severity.ERROR,
        text=f"an alert cannot be understood: {stored.problem}",
        advice=f"look at it: trioarm alerts show '{stored.id}'",
        raised_at=now,
    )


def _is_open(document: Document) -> bool:
    """Return whether an alert may be open: most that are kept are closed, and are not read for nothing."""
    return not any(document.body.get(end) for end in ENDS)


def _instants(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []


def _version(document: Document | None) -> int:
    return 0 if document is None else document.version
