"""What a store holds when its nodes are gone: runs, documents and journals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from tests.crash.torture import kept
from trioarm.core.jsonable import Json
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.repositories.sqlite import SqliteScheduleRepository

NAMESPACES = ("command", "partition", "panel", "alert")
JOURNALS = ("audit", "operation")


@attrs.frozen(slots=True)
class Papers:
    """All of it, without what is built in.

    Args:
        runs: in order of decision.
        schedules: by name.
        documents: their bodies, by namespace and key.
        journals: the bodies of entries, by namespace.
    """

    runs: list[RunRecord]
    schedules: list[ScheduleRecord]
    documents: Mapping[tuple[str, str], Mapping[str, Json]]
    journals: Mapping[str, list[Mapping[str, Json]]]


async def papers_of(store: Path) -> Papers:
    """Read a store that nobody lives on."""
    runs, schedules = await kept(store, "")
    repository = SqliteScheduleRepository(store)
    await repository.open()
    try:
        found = [await repository.list_documents(namespace) for namespace in NAMESPACES]
        documents = {(document.namespace, document.key): document.body for some in found for document in some}
        journals = {name: [entry.body for entry in await repository.read_journal(name)] for name in JOURNALS}
    finally:
        await repository.close()
    return Papers(runs, schedules, documents, journals)
