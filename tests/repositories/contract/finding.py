"""Questions to a repository: every filter, alone and together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import HOUR, MINUTE, NOW
from tests.repositories.contract.acts import claim, decide, finish, put, remove
from trioarm.core.queries import RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.run import Origin
from trioarm.core.states import Reason, State, Step
from trioarm.engine.ports import ScheduleRepository

_SCHEDULES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"arm-night", "arm-noon", "backup", "report"}),
    ({"prefix": "arm-"}, {"arm-night", "arm-noon"}),
    ({"prefix": "arm-night"}, {"arm-night"}),
    ({"prefix": "night"}, set()),
    ({"prefix": "a_m"}, set()),
    ({"prefix": "arm%"}, set()),
    ({"owner": "file:a.toml"}, {"arm-night", "backup"}),
    ({"owner": "file:b.toml"}, set()),
    ({"not_owner": "file:a.toml"}, {"arm-noon", "report"}),
    ({"not_owner": "file:b.toml", "tag": "night"}, {"arm-night", "backup"}),
    ({"states": frozenset({ScheduleState.PAUSED})}, {"arm-noon"}),
    ({"states": frozenset({ScheduleState.PAUSED, ScheduleState.FINISHED})}, {"arm-noon", "report"}),
    ({"states": frozenset()}, set()),
    ({"handler": "arming"}, {"arm-night", "arm-noon"}),
    ({"tag": "night"}, {"arm-night", "backup"}),
    ({"tag": "nigh"}, set()),
    ({"lane": "house"}, {"arm-night", "arm-noon"}),
    ({"due_from": NOW + 1}, {"backup"}),
    ({"due_until": NOW + 1}, {"arm-night", "arm-noon"}),
    ({"due_from": NOW, "due_until": NOW + HOUR}, {"arm-night", "arm-noon"}),
    ({"due_from": NOW, "due_until": NOW}, set()),
    ({"handler": "arming", "tag": "night", "prefix": "arm"}, {"arm-night"}),
    ({"handler": "arming", "tag": "night", "owner": "nobody"}, set()),
]
_RUNS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4]),
    ({"schedule": "arm-night"}, [0, 1]),
    ({"schedule": "arm"}, []),
    ({"owner": "file:a.toml"}, [0, 1, 4]),
    ({"states": frozenset({State.SUCCEEDED})}, [1]),
    ({"states": frozenset({State.SUCCEEDED, State.PENDING})}, [1, 3, 4]),
    ({"states": frozenset()}, []),
    ({"handler": "arming"}, [0, 1, 2, 3]),
    ({"tag": "night"}, [0, 1, 4]),
    ({"lane": "house"}, [0, 1, 2, 3]),
    ({"node": "n1"}, [1]),
    ({"node": "n2"}, [2]),
    ({"due_from": NOW + MINUTE}, [3, 4]),
    ({"due_until": NOW + MINUTE}, [0, 1, 2]),
    ({"due_from": NOW - HOUR, "due_until": NOW + 1}, [0, 1]),
    ({"handler": "arming", "lane": "house", "node": "n1", "states": frozenset({State.SUCCEEDED})}, [1]),
    ({"handler": "work", "lane": "house"}, []),
]


async def _fill(repository: ScheduleRepository) -> list[int]:
    """Put four schedules and decide five runs; return their numbers."""
    night = {"tags": ("night", "alarm"), "owner": "file:a.toml"}
    arming = {"handler": "arming", "lane": "house"}
    first = await put(repository, "arm-night", **arming, **night)
    second = await put(repository, "arm-noon", state=ScheduleState.PAUSED, tags=("noon",), **arming)
    third = await put(repository, "backup", next_due_at=NOW + HOUR, **night)
    await put(repository, "report", state=ScheduleState.FINISHED, next_due_at=None)
    missed = {"state": State.MISSED, "reason": Reason.TOO_LATE, "waiting_for": None, "finished_at": NOW}
    runs = [
        await decide(repository, first, NOW - HOUR, **missed),
        await finish(repository, await claim(repository, await decide(repository, first), "n1")),
        await decide(repository, second, NOW + 1),
    ]
    runs[2] = await claim(repository, runs[2], "n2")
    runs.append(await decide(repository, second, NOW + MINUTE))
    runs.append(await decide(repository, third, NOW + HOUR))
    return [run.run_id for run in runs]


class FindingContract:
    """Filters narrow: a field that is None says nothing, and all others must hold."""

    @pytest.mark.parametrize(("narrowed", "names"), _SCHEDULES)
    async def test_schedules_are_found_by(
        self, repository: ScheduleRepository, narrowed: dict[str, Any], names: set[str]
    ) -> None:
        """Name, owner, state, handler, tag, lane and due instant find the schedules they fit, and no others."""
        await _fill(repository)
        page = await repository.find_schedules(ScheduleQuery(**narrowed))
        assert [record.schedule.name for record in page.rows] == sorted(names)
        assert page.next is None

    @pytest.mark.parametrize(("narrowed", "places"), _RUNS)
    async def test_runs_are_found_by(
        self, repository: ScheduleRepository, narrowed: dict[str, Any], places: list[int]
    ) -> None:
        """Schedule, owner, state, handler, tag, lane, node and due instant find the runs they fit, and no others."""
        numbers = await _fill(repository)
        page = await repository.find_runs(RunQuery(**narrowed))
        assert [run.run_id for run in page.rows] == [numbers[place] for place in places]
        assert page.next is None

    async def test_removed_schedules_are_found_by_their_runs_only(self, repository: ScheduleRepository) -> None:
        """The schedule is no longer listed; its history is, under its name."""
        record = await put(repository)
        run = await decide(repository, record)
        await finish(repository, run, Step.CANCEL)
        await remove(repository, record)
        assert (await repository.find_schedules(ScheduleQuery())).rows == []
        page = await repository.find_runs(RunQuery(schedule="nightly"))
        assert [row.run_id for row in page.rows] == [run.run_id]

    async def test_a_range_is_found_by_its_beginning(self, repository: ScheduleRepository) -> None:
        """A row that stands for many occurrences is due at the first of them."""
        record = await put(repository)
        fields = {"state": State.SKIPPED, "waiting_for": None, "finished_at": NOW, "last_at": NOW, "count": 61}
        await decide(repository, record, NOW - HOUR, **fields)
        assert len((await repository.find_runs(RunQuery(due_until=NOW - HOUR + 1))).rows) == 1
        assert (await repository.find_runs(RunQuery(due_from=NOW - MINUTE))).rows == []

    async def test_runs_are_found_under_a_name(self, repository: ScheduleRepository) -> None:
        """`weeknight` finds its own runs and those of `weeknight/house`, and of no other name that begins alike."""
        names = ("weeknight", "weeknight/house", "weeknight-late", "weeknight0", "week/night")
        for name in names:
            await decide(repository, await put(repository, name))
        page = await repository.find_runs(RunQuery(under="weeknight"))
        assert [run.schedule.schedule.name for run in page.rows] == ["weeknight", "weeknight/house"]
        assert len((await repository.find_runs(RunQuery(under="week"))).rows) == 1

    async def test_what_was_retried_is_known(self, repository: ScheduleRepository) -> None:
        """Of each run that a retry points to, whatever became of that; of a removed schedule, too (S2.4)."""
        first, second = await put(repository, "first"), await put(repository, "second")
        runs = [await decide(repository, record, NOW + n) for n in range(3) for record in (first, second)]
        for run in runs:
            await finish(repository, run, Step.FAIL)
        assert await repository.retried([]) == await repository.retried(runs) == frozenset()
        for run in (runs[0], runs[3], runs[3]):
            at = NOW + MINUTE + run.run_id
            while await repository.get_run_of(run.schedule.schedule.name, at, Origin.RETRY, 0) is not None:
                at += 1
            again = {"origin": Origin.RETRY, "retry_of": run.run_id}
            await finish(repository, await decide(repository, run.schedule, at, **again), Step.FAIL)
        assert await repository.retried(runs) == {runs[0].run_id, runs[3].run_id}
        assert await repository.retried(runs[1:3]) == frozenset()
        await remove(repository, first)
        assert await repository.retried(runs[:2]) == {runs[0].run_id}
