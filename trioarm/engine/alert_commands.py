"""What can be asked of alerts: find, acknowledge, resolve, forget. Whoever closes one is on record (A5.3).

It needs a repository and a clock, no running node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import attrs

from trioarm.core.alerts import (
    NAMESPACE,
    TOLD,
    Alert,
    AlertQuery,
    AlertState,
    Closing,
    StoredAlert,
    alerts_of,
    closing,
    read_alert,
    stored_alert,
)
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.errors import RepositoryError, RevisionConflict, UnknownAlert
from trioarm.core.queries import Document, Page
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.rivals import FASTER, TRIES

CHUNK: Final = 100  # documents read at once
LOOKED_AT_MAX: Final = 10_000  # documents one question looks at before it hands out what it has, and where to go on

_UNRESOLVED: Final = frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED})


class AlertCommands:
    """The use cases of alerts.

    Args:
        repository: where they are kept.
        clock: what time it is.
    """

    def __init__(self, repository: ScheduleRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    async def find(self, query: AlertQuery) -> Page[StoredAlert]:
        """Return one page of alerts by id; those that cannot be read are shown as that and hide no other."""
        begins = "" if query.subject is None else alerts_of(query.subject)
        after, looked_at = query.after or begins, 0
        rows: list[StoredAlert] = []
        while looked_at < LOOKED_AT_MAX:
            documents = await self._repository.list_documents(NAMESPACE, after=after, limit=CHUNK)
            for document in documents:
                if not document.key.startswith(begins):
                    return Page(rows, None)
                after, found = document.key, stored_alert(document.key, document.body)
                if query.states is None or found.state in query.states:
                    rows.append(found)
                if len(rows) == query.limit:
                    return Page(rows, after)
            if len(documents) < CHUNK:
                return Page(rows, None)
            looked_at += CHUNK
        return Page(rows, after)

    async def get(self, alert_id: str) -> StoredAlert:
        """Return an alert.

        Raises:
            UnknownAlert: there is none of that id.
        """
        document = await self._document(alert_id)
        return stored_alert(alert_id, document.body)

    async def acknowledge(self, alert_id: str, *, by: str, note: str = "") -> StoredAlert:
        """Note that somebody has seen an alert. The first to do so counts.

        Raises:
            UnknownAlert: there is none of that id.
            RepositoryError: it cannot be understood, so it stays as it is.
            RevisionConflict: others kept changing it.
        """

        def close(alert: Alert, closing: Closing) -> Alert | None:
            return attrs.evolve(alert, acknowledged=closing) if alert.acknowledged is None else None

        return await self._close(alert_id, "acknowledged", close, by, note)

    async def resolve(self, alert_id: str, *, by: str, note: str = "") -> StoredAlert:
        """Note that what an alert complains of is over.

        Args:
            by: who or what made it so.

        Raises:
            UnknownAlert: there is none of that id.
            RepositoryError: it cannot be understood, so it stays as it is.
            RevisionConflict: others kept changing it.
        """

        def close(alert: Alert, closing: Closing) -> Alert | None:
            return attrs.evolve(alert, resolved=closing) if alert.resolved is None else None

        return await self._close(alert_id, "resolved", close, by, note)

    async def settle(self, subject: str, state: str, *, by: str, passing: Collection[str] = ()) -> None:
        """Resolve what complains that a subject is not in the state that it is in now.

        Args:
            by: who or what brought it there.
            passing: kinds of alerts that are over with that, whatever state they named.
        """
        after: str | None = ""
        while after is not None:
            page = await self.find(AlertQuery(states=_UNRESOLVED, subject=subject, after=after or None))
            after = page.next
            for stored in page.rows:
                if (alert := stored.alert) is not None and (alert.settled_by == state or alert.kind in passing):
                    await self.settle_one(stored.id, by=by, note=f"it is {state}")

    async def settle_one(self, alert_id: str, *, by: str, note: str) -> None:
        """Resolve an alert if there is one; what cannot be resolved now stays for a person to close."""
        with suppress(UnknownAlert, RepositoryError, RevisionConflict):
            await self.resolve(alert_id, by=by, note=note)

    async def forget(self, closed_before: int) -> int:
        """Forget what was acknowledged or resolved before an instant, and return how many alerts that were.

        What is open stays, and so does what cannot be read.
        """
        after, forgotten = "", 0
        while documents := await self._repository.list_documents(NAMESPACE, after=after, limit=CHUNK):
            after = documents[-1].key
            over = [document for document in documents if _is_over(document, closed_before)]
            verdicts = await self._repository.commit([await self._forgetting(document) for document in over])
            forgotten += verdicts.count(Verdict.DONE)
        return forgotten

    async def _forgetting(self, document: Document) -> Change:
        """Return the change by which an alert is forgotten, and whom it was told to with it."""
        both = [document, await self._repository.get_document(TOLD, document.key)]
        return Change(documents=[PutDocument(one.namespace, one.key, one.version, None) for one in both if one])

    async def _close(
        self, alert_id: str, verb: str, close: Callable[[Alert, Closing], Alert | None], by: str, note: str
    ) -> StoredAlert:
        for _ in range(TRIES):
            document = await self._document(alert_id)
            how = Closing(by, self._clock.look(), note)
            alert = read_alert(alert_id, document.body)
            closed = close(alert, how)
            if closed is None:
                return StoredAlert(alert_id, alert)
            change = closing(alert_id, document.version, closed, verb, how)
            if await self._repository.commit([change]) == [Verdict.DONE]:
                return StoredAlert(alert_id, closed)
        raise RevisionConflict(f"alert {alert_id}: {FASTER}")

    async def _document(self, alert_id: str) -> Document:
        document = await self._repository.get_document(NAMESPACE, alert_id)
        if document is None:
            raise UnknownAlert(f"there is no alert {alert_id!r}, or it is no longer kept")
        return document


def _is_over(document: Document, closed_before: int) -> bool:
    alert = stored_alert(document.key, document.body).alert
    return alert is not None and alert.closed_at is not None and alert.closed_at < closed_before
