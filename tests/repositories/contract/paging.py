"""Order and keyset pages."""

from __future__ import annotations

import pytest

from tests.making import HOUR, NOW
from tests.repositories.contract.acts import claim, decide, finish, put, remove
from trioarm.core.queries import PAGE_MAX, RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.engine.ports import ScheduleRepository

_DUE = {"e": NOW, "a": NOW + 2, "c": None, "b": NOW + 1, "d": NOW + 1, "f": None}


async def _all_schedules(repository: ScheduleRepository, query: ScheduleQuery) -> list[str]:
    names: list[str] = []
    while True:
        page = await repository.find_schedules(query)
        assert 0 < len(page.rows) <= query.limit
        names += [record.schedule.name for record in page.rows]
        if page.next is None:
            return names
        query = ScheduleQuery(order=query.order, descending=query.descending, limit=query.limit, after=page.next)


class PagingContract:
    """Sorted both ways, and page by page without skipping or repeating a row."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 100])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize(
        ("order", "expected"), [(ScheduleOrder.NAME, "abcdef"), (ScheduleOrder.NEXT_DUE_AT, "ebdacf")]
    )
    async def test_schedules_in_order(
        self, repository: ScheduleRepository, order: ScheduleOrder, expected: str, descending: bool, limit: int
    ) -> None:
        """By name, or by due instant with those that have none last; descending is exactly the reverse."""
        for name, due_at in _DUE.items():
            await put(repository, name, next_due_at=due_at)
        names = await _all_schedules(repository, ScheduleQuery(order=order, descending=descending, limit=limit))
        assert names == sorted(expected, key=expected.index, reverse=descending)

    @pytest.mark.parametrize("limit", [1, 2, 4, 100])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize(("order", "expected"), [(RunOrder.DECIDED, [0, 1, 2, 3]), (RunOrder.DUE_AT, [2, 0, 1, 3])])
    async def test_runs_in_order(
        self, repository: ScheduleRepository, order: RunOrder, expected: list[int], descending: bool, limit: int
    ) -> None:
        """In order of decision, or by due instant where ties are broken by it; descending is exactly the reverse."""
        record = await put(repository)
        due = (NOW + 5, NOW + 5, NOW, NOW + 9)
        numbers = [(await decide(repository, record, NOW + n, due_at=at)).run_id for n, at in enumerate(due)]
        found, after = [], None
        while True:
            page = await repository.find_runs(RunQuery(order=order, descending=descending, limit=limit, after=after))
            found += [numbers.index(run.run_id) for run in page.rows]
            after = page.next
            if after is None:
                break
        assert found == (expected[::-1] if descending else expected)

    async def test_the_last_page_says_so(self, repository: ScheduleRepository) -> None:
        """A page that is exactly full and has nothing behind it has no next one; an empty one neither."""
        assert (await repository.find_runs(RunQuery())).next is None
        record = await put(repository)
        for place in range(2):
            await decide(repository, record, NOW + place)
        assert (await repository.find_runs(RunQuery(limit=2))).next is None
        assert (await repository.find_runs(RunQuery(limit=1))).next is not None

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("order", list(RunOrder))
    async def test_what_changes_between_pages_disturbs_nothing(
        self, repository: ScheduleRepository, order: RunOrder, descending: bool
    ) -> None:
        """Rows added, ended or claimed between two pages neither hide nor repeat those that were there."""
        record = await put(repository)
        there = [await decide(repository, record, NOW + 10 * place) for place in range(12)]
        seen, after, extra = [], None, 0
        while True:
            page = await repository.find_runs(RunQuery(order=order, descending=descending, limit=3, after=after))
            seen += [run.run_id for run in page.rows]
            extra += 1
            for nominal_at in (NOW - extra, NOW + 10 * extra + 5, NOW + HOUR + extra):
                await decide(repository, record, nominal_at)
            run = await claim(repository, there[extra - 1])
            if extra % 2:
                await finish(repository, run)
            after = page.next
            if after is None or extra == 10:
                break
        assert len(seen) == len(set(seen))
        assert extra < 10 or order is RunOrder.DECIDED or descending
        known = {run.run_id for run in there}
        expected = [run.run_id for run in there]
        assert [number for number in seen if number in known] == (expected[::-1] if descending else expected)

    async def test_schedules_that_come_and_go_between_pages(self, repository: ScheduleRepository) -> None:
        """A name removed behind the page, or added before it, moves no other; even the page's own last row may go."""
        records = {name: await put(repository, name) for name in "bdfhj"}
        page = await repository.find_schedules(ScheduleQuery(limit=2))
        assert [record.schedule.name for record in page.rows] == ["b", "d"]
        for name in "bd":
            await remove(repository, records[name])
        for name in "aceg":
            await put(repository, name)
        page = await repository.find_schedules(ScheduleQuery(limit=10, after=page.next))
        assert [record.schedule.name for record in page.rows] == ["e", "f", "g", "h", "j"]

    @pytest.mark.parametrize("after", ["nonsense", "5", "[]", "[1]", '["a", {}]', "{}", '[null, "a"]', ""])
    async def test_a_cursor_nobody_gave_is_refused(self, repository: ScheduleRepository, after: str) -> None:
        """What is no `next` of a page before is the caller's mistake, and the message says what to give."""
        record = await put(repository)
        await decide(repository, record)
        for order in ScheduleOrder:
            with pytest.raises(ValueError, match="page before"):
                await repository.find_schedules(ScheduleQuery(order=order, after=after))
        for run_order in RunOrder:
            with pytest.raises(ValueError, match="page before"):
                await repository.find_runs(RunQuery(order=run_order, after=after))

    def test_a_page_is_bounded(self) -> None:
        """Nobody can ask for no rows or for a whole history at once."""
        for limit in (0, -1, PAGE_MAX + 1):
            with pytest.raises(ValueError, match="must lie between 1 and"):
                RunQuery(limit=limit)
            with pytest.raises(ValueError, match="must lie between 1 and"):
                ScheduleQuery(limit=limit)
        assert RunQuery(limit=PAGE_MAX).limit == ScheduleQuery(limit=PAGE_MAX).limit == PAGE_MAX
