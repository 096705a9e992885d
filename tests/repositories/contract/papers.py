"""Documents and journals: what other parts of trioarm keep."""

from __future__ import annotations

from tests.making import NOW
from tests.repositories.contract.acts import keep, refuse
from trioarm.core.chain import NOTHING, broken_links, seal
from trioarm.core.changes import AppendJournal, Change, PutDocument, Verdict
from trioarm.core.jsonable import Json
from trioarm.core.queries import Document
from trioarm.engine.ports import ScheduleRepository


class PapersContract:
    """Documents compare and set by version; journals are append-only and gapless."""

    async def test_a_document_is_created_once(self, repository: ScheduleRepository) -> None:
        """Version 0 means that it must not exist yet; the first kept version is 1."""
        body = {"mode": "away", "zones": [1, None, {"deep": 2.5}]}
        await keep(repository, documents=[PutDocument("panel", "house", 0, body)])
        assert await repository.get_document("panel", "house") == Document("panel", "house", 1, body)
        await refuse(repository, documents=[PutDocument("panel", "house", 0, {})])
        assert await repository.get_document("panel", "house") == Document("panel", "house", 1, body)

    async def test_an_unknown_document_is_none(self, repository: ScheduleRepository) -> None:
        """Neither another key nor another namespace answers for it."""
        await keep(repository, documents=[PutDocument("panel", "house", 0, {})])
        assert await repository.get_document("panel", "garden") is None
        assert await repository.get_document("alert", "house") is None

    async def test_a_write_needs_the_version_it_read(self, repository: ScheduleRepository) -> None:
        """Each write raises the version by one, and a writer who was overtaken is refused."""
        await keep(repository, documents=[PutDocument("panel", "house", 0, {"n": 0})])
        await keep(repository, documents=[PutDocument("panel", "house", 1, {"n": 1})])
        await refuse(repository, documents=[PutDocument("panel", "house", 1, {"n": 9})])
        await refuse(repository, documents=[PutDocument("panel", "house", 3, {"n": 9})])
        assert await repository.get_document("panel", "house") == Document("panel", "house", 2, {"n": 1})
        await refuse(repository, documents=[PutDocument("panel", "garden", 1, {})])

    async def test_a_document_is_removed_by_its_version(self, repository: ScheduleRepository) -> None:
        """A body of None removes it, under the same rule; then it can be created anew."""
        await keep(repository, documents=[PutDocument("panel", "house", 0, {"n": 0})])
        await refuse(repository, documents=[PutDocument("panel", "house", 2, None)])
        await keep(repository, documents=[PutDocument("panel", "house", 1, None)])
        assert await repository.get_document("panel", "house") is None
        await refuse(repository, documents=[PutDocument("panel", "house", 1, {"n": 1})])
        await keep(repository, documents=[PutDocument("panel", "house", 0, {"n": 2})])
        document = await repository.get_document("panel", "house")
        assert document is not None
        assert document.body == {"n": 2}

    async def test_documents_are_listed_by_key_in_pages(self, repository: ScheduleRepository) -> None:
        """A page holds the keys after the one given, in order, of one namespace."""
        keys = ["b", "a", "c/2", "c", "c/10"]
        await keep(repository, documents=[PutDocument("panel", key, 0, {"key": key}) for key in keys])
        await keep(repository, documents=[PutDocument("alert", "a", 0, {})])
        assert [one.key for one in await repository.list_documents("panel")] == sorted(keys)
        seen, after = [], ""
        while page := await repository.list_documents("panel", after=after, limit=2):
            assert len(page) <= 2
            assert all(one.namespace == "panel" and one.body == {"key": one.key} for one in page)
            seen += [one.key for one in page]
            after = page[-1].key
        assert seen == sorted(keys)
        assert await repository.list_documents("nothing") == []

    async def test_a_journal_has_no_gaps(self, repository: ScheduleRepository) -> None:
        """Entries are numbered from 1 per namespace, in order of their commits and within them."""
        await keep(
            repository, journal=[AppendJournal("audit", {"n": 1}, NOW), AppendJournal("audit", {"n": 2}, NOW + 1)]
        )
        await keep(repository, journal=[AppendJournal("other", {"n": 1}, NOW + 2)])
        await keep(repository, journal=[AppendJournal("audit", {"n": 3}, NOW + 3)])
        kept = await repository.read_journal("audit")
        assert [(entry.namespace, entry.seq, entry.at, entry.body) for entry in kept] == [
            ("audit", 1, NOW, {"n": 1}),
            ("audit", 2, NOW + 1, {"n": 2}),
            ("audit", 3, NOW + 3, {"n": 3}),
        ]
        assert [entry.seq for entry in await repository.read_journal("other")] == [1]
        assert await repository.read_journal("nothing") == []

    async def test_a_refused_entry_uses_no_number(self, repository: ScheduleRepository) -> None:
        """What is refused with the change it belongs to leaves no gap, and breaks no chain."""
        changes = [
            Change(
                documents=[PutDocument("panel", "house", n // 2, {})], journal=[AppendJournal("audit", {"n": n}, NOW)]
            )
            for n in (1, 1, 2, 2, 4)
        ]
        done, refused = Verdict.DONE, Verdict.REFUSED
        assert await repository.commit(changes) == [done, refused, done, refused, done]
        kept = await repository.read_journal("audit")
        assert [(entry.seq, entry.body) for entry in kept] == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 4})]
        assert list(broken_links(kept, whole=True)) == []

    async def test_an_entry_is_sealed_with_the_one_before(self, repository: ScheduleRepository) -> None:
        """Whatever its body: every repository seals the same alike, each journal for itself (A5.1)."""
        bodies: list[dict[str, Json]] = [{"n": 0.1}, {"what": 'Küche "auf"\n', "of": [None, True]}, {}]
        await keep(repository, journal=[AppendJournal("audit", bodies[0], NOW), AppendJournal("other", bodies[1], NOW)])
        await keep(repository, journal=[AppendJournal("audit", body, NOW + 1) for body in bodies[1:]])
        kept = await repository.read_journal("audit")
        first = seal(NOTHING, "audit", 1, NOW, '{"n":0.1}')
        second = seal(first, "audit", 2, NOW + 1, '{"what":"Küche \\"auf\\"\\n","of":[null,true]}')
        assert [entry.seal for entry in kept] == [first, second, seal(second, "audit", 3, NOW + 1, "{}")]
        assert list(broken_links(await repository.read_journal("other"), whole=True)) == []
        assert await repository.read_journal("audit", after=2) == kept[2:]

    async def test_a_journal_is_read_in_pages(self, repository: ScheduleRepository) -> None:
        """A page holds the entries after the number given, and at most as many as asked for."""
        await keep(repository, journal=[AppendJournal("audit", {"n": n}, NOW) for n in range(1, 8)])
        assert [entry.seq for entry in await repository.read_journal("audit", after=2, limit=3)] == [3, 4, 5]
        assert [entry.seq for entry in await repository.read_journal("audit", after=6)] == [7]
        assert await repository.read_journal("audit", after=7) == []
