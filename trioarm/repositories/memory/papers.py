"""Documents and journals in memory: what arming and notifications keep beside the runs they belong to."""

from __future__ import annotations

from trioarm.core.chain import NOTHING, seal
from trioarm.core.changes import AppendJournal, PutDocument
from trioarm.core.jsonable import write_json
from trioarm.core.queries import Document, JournalEntry, Retention


class Papers:
    """Documents by namespace and key, and a gapless journal per namespace."""

    __slots__ = ("_documents", "_journals")

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Document]] = {}
        self._journals: dict[str, list[JournalEntry]] = {}

    def document_fits(self, put: PutDocument) -> bool:
        """Whether a document has the version its writer read."""
        document = self.get(put.namespace, put.key)
        return (0 if document is None else document.version) == put.expected_version

    def put(self, put: PutDocument) -> None:
        """Write a document, or remove it."""
        documents = self._documents.setdefault(put.namespace, {})
        if put.body is None:
            documents.pop(put.key, None)
        else:
            documents[put.key] = Document(put.namespace, put.key, put.expected_version + 1, put.body)

    def append(self, entry: AppendJournal) -> None:
        """Append an entry to its journal, sealed with the one before it."""
        name, journal = entry.namespace, self._journals.setdefault(entry.namespace, [])
        seq, before = (journal[-1].seq + 1, journal[-1].seal) if journal else (1, NOTHING)
        sealed = seal(before, name, seq, entry.at, write_json(entry.body))
        journal.append(JournalEntry(name, seq, entry.at, entry.body, sealed))

    def forget(self, retention: Retention, limit: int) -> int:
        """Forget up to `limit` entries that may be forgotten, the oldest first, and return how many were."""
        journal = [] if retention.journal is None else self._journals.get(retention.journal, [])
        most = min(limit, len(journal) - 1)
        surplus = len(journal) - retention.journal_max
        forgotten = 0
        while forgotten < most and (forgotten < surplus or journal[forgotten].at < retention.runs_before):
            forgotten += 1
        del journal[:forgotten]
        return forgotten

    def get(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        return self._documents.get(namespace, {}).get(key)

    def list_documents(self, namespace: str, after: str, limit: int) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        documents = self._documents.get(namespace, {})
        return [documents[key] for key in sorted(key for key in documents if key > after)[:limit]]

    def read_journal(self, namespace: str, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        journal = self._journals.get(namespace)
        if not journal:
            return []
        start = max(0, after + 1 - journal[0].seq)
        return journal[start : start + limit]
