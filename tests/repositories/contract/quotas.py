"""Quotas: a change that would give an owner more schedules than it may have is refused, whoever was faster."""

from __future__ import annotations

from tests.making import a_schedule
from tests.repositories.contract.acts import keep, put, putting, refuse, remove, revise
from trioarm.core.changes import Change, Quota, RemoveSchedule, Verdict
from trioarm.engine.ports import ScheduleRepository


def adding(name: str, most: int = 2, owner: str = "app") -> Change:
    """Return a change that adds a schedule of an owner that may have so many."""
    return Change(schedules=[putting(a_schedule(name, owner=owner))], quotas=[Quota(owner, 1, most)])


class QuotasContract:
    """How many schedules an owner has is counted where they are kept."""

    async def test_an_owner_has_what_is_stored_and_not_removed(self, repository: ScheduleRepository) -> None:
        """A revision by another owner is the other's; nobody's counts for nobody."""
        first = await put(repository, "first", owner="app")
        second = await put(repository, "second", owner="app")
        await put(repository, "nobody")
        assert await repository.count_owned("app") == 2
        await remove(repository, first)
        assert await repository.count_owned("app") == 1
        await revise(repository, second, owner="other")
        assert [await repository.count_owned(owner) for owner in ("app", "other", "")] == [0, 1, 0]

    async def test_what_is_one_too_many_is_refused(self, repository: ScheduleRepository) -> None:
        """One after the other, in one commit as in several; what follows it is kept all the same."""
        changes = [adding("a"), adding("b"), adding("c"), adding("d", owner="other"), adding("e")]
        done, refused = Verdict.DONE, Verdict.REFUSED
        assert await repository.commit(changes) == [done, done, refused, done, refused]
        assert await repository.commit([adding("c")]) == [refused]
        assert await repository.commit([adding("c", most=3)]) == [done]
        assert await repository.count_owned("app") == 3

    async def test_a_change_counts_as_a_whole(self, repository: ScheduleRepository) -> None:
        """What it removes makes room for what it adds; who has too many already may still change what there is."""
        first = await put(repository, "first", owner="app")
        second = await put(repository, "second", owner="app")
        swapped = [putting(a_schedule("third", owner="app")), RemoveSchedule(first, first.revision)]
        await refuse(repository, schedules=swapped, quotas=[Quota("app", 1, 2)])
        await keep(repository, schedules=swapped, quotas=[Quota("app", 0, 2)])
        await revise(repository, second, owner="app", priority=9)
        assert await repository.count_owned("app") == 2

    async def test_others_make_room_in_the_same_commit(self, repository: ScheduleRepository) -> None:
        """A removal that lies between counts."""
        first = await put(repository, "first", owner="app")
        removal = Change(schedules=[RemoveSchedule(first, first.revision)])
        verdicts = await repository.commit([adding("a"), adding("b"), removal, adding("c")])
        assert verdicts == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE, Verdict.DONE]
