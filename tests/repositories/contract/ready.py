"""Runs that wait for nothing but a worker."""

from __future__ import annotations

from tests.making import HOUR, MINUTE, NOW
from tests.repositories.contract.acts import (
    claim,
    decide,
    finish,
    put,
    ready_ids,
    remove,
    requeue,
    revise,
    run_of,
    schedule_of,
)
from trioarm.core.states import State, Step
from trioarm.engine.ports import ScheduleRepository


class ReadyContract:
    """Ready runs come most urgent first, then by the instant they were due, then in order of decision."""

    async def test_priority_then_due_then_decision(self, repository: ScheduleRepository) -> None:
        """Each rule only counts where the ones before are equal."""
        low = await put(repository, "low", priority=1)
        high = await put(repository, "high", priority=9)
        usual = await put(repository, "usual")
        runs = {
            "low": await decide(repository, low, NOW - HOUR),
            "second": await decide(repository, usual, NOW, decided_at=NOW + 9),
            "third": await decide(repository, usual, NOW + 1, due_at=NOW, decided_at=NOW + 9),
            "first": await decide(repository, usual, NOW - 1, decided_at=NOW + 9),
            "high": await decide(repository, high, NOW + 5, decided_at=NOW + 9),
        }
        names = {run.run_id: name for name, run in runs.items()}
        ordered = ["high", "first", "second", "third", "low"]
        assert [names[run_id] for run_id in await ready_ids(repository)] == ordered
        for limit in range(1, 6):
            assert [names[run_id] for run_id in await ready_ids(repository, limit=limit)] == ordered[:limit]

    async def test_what_has_waited_long_comes_first(self, repository: ScheduleRepository) -> None:
        """However urgent others are, the longest due has its turn; of what waits less, the most urgent (S6.6)."""
        low, high = await put(repository, "low", priority=1), await put(repository, "high", priority=9)
        old = [await decide(repository, low, NOW - HOUR + number) for number in range(3)]
        oldest = await decide(repository, high, NOW - 2 * HOUR)
        urgent = [await decide(repository, high, NOW - number) for number in (2, 1, 0)]
        late = await decide(repository, low, NOW - 3)
        ordered = [run.run_id for run in (oldest, *old, *urgent, late)]
        for limit in range(1, 9):
            found = await repository.read_ready(["work"], limit, NOW - MINUTE)
            assert [run.run_id for run in found] == ordered[:limit]
        assert await ready_ids(repository, limit=4) == [run.run_id for run in (oldest, *urgent)]
        await claim(repository, old[0])
        found = await repository.read_ready(["work"], 2, NOW - MINUTE)
        assert [run.run_id for run in found] == [oldest.run_id, old[1].run_id]

    async def test_what_needs_a_closed_resource_hides_no_other(self, repository: ScheduleRepository) -> None:
        """It is left out, in a lane or in none; who waits behind it is found however many are left out (S6.6)."""
        nas = await put(repository, "nas", priority=9, resources=["nas"])
        both = await put(repository, "both", priority=9, resources=["mail", "nas"])
        mail = await put(repository, "mail", resources=["mail"])
        apart = await put(repository, "apart", priority=9, lane="house", resources=["nas"])
        left_out = [await decide(repository, nas, NOW - number) for number in range(1, 30)]
        left_out += [await decide(repository, both), await decide(repository, apart, lane="house")]
        runs = [await decide(repository, mail), await decide(repository, await put(repository))]
        behind = [run.run_id for run in runs]
        for limit in (1, 2):
            found = await repository.read_ready(["work"], limit, closed=["nas", "unknown"])
            assert [run.run_id for run in found] == behind[:limit]
        found = await repository.read_ready(["work"], 9, NOW, ["nas", "mail"])
        assert [run.run_id for run in found] == behind[1:]
        assert await repository.read_ready(["work"], 99, closed=["nas"])
        assert len(await ready_ids(repository)) == len(left_out) + 2
        for run in runs:
            await claim(repository, run)
        assert await repository.read_ready(["work"], 9, closed=["nas"]) == []
        assert repository.may_be_ready(["work"])

    async def test_what_needs_a_closed_resource_keeps_no_other_of_its_lane_waiting(
        self, repository: ScheduleRepository
    ) -> None:
        """Once the lane is free, whoever of those that wait for it may begin is found (S5.5, S6.6)."""
        records = [await put(repository, name, lane="house", next_due_at=None) for name in ("holder", "nas", "plain")]
        holder = await claim(repository, await decide(repository, records[0], lane="house"))
        nas, plain = [await decide(repository, record, lane="house") for record in records[1:]]
        await revise(repository, await schedule_of(repository, "nas"), lane="house", priority=9, resources=["nas"])
        late = await put(repository, "late", lane="house", priority=9, resources=["nas"], next_due_at=None)
        waiting = [await decide(repository, late, NOW - number, lane="house") for number in (0, 1)]
        await finish(repository, await run_of(repository, holder))
        found = await repository.read_ready(["work"], 9, closed=["nas"])
        assert [run.run_id for run in found] == [plain.run_id]
        assert (await ready_ids(repository))[0] == waiting[1].run_id
        await claim(repository, plain)
        assert await repository.read_ready(["work"], 9) == []
        await finish(repository, await run_of(repository, plain))
        assert await repository.read_ready(["work"], 9, closed=["nas"]) == []
        for run in (waiting[1], nas, waiting[0]):
            assert await ready_ids(repository) == [run.run_id]
            await claim(repository, await run_of(repository, run))
            await finish(repository, await run_of(repository, run))
        assert await ready_ids(repository) == []

    async def test_who_holds_a_resource_is_counted(self, repository: ScheduleRepository) -> None:
        """Claimed and running runs count, on whichever node; those that wait, also for another attempt, do not."""
        nas = await put(repository, "nas", resources=["nas"])
        first, third = await decide(repository, nas), await decide(repository, nas, NOW + 1)
        second = await decide(repository, await put(repository, "both", resources=["nas", "b"]))
        assert dict(await repository.held_needing(["nas", "b"])) == {}
        first = await claim(repository, first, "n1")
        await claim(repository, second, "n2")
        assert dict(await repository.held_needing(["nas", "b"])) == {"nas": 2, "b": 1}
        assert dict(await repository.held_needing(["b"])) == {"b": 1}
        await requeue(repository, first, Step.RETRY, attempt=1, due_at=NOW + MINUTE)
        assert dict(await repository.held_needing(["nas", "b"])) == {"nas": 1, "b": 1}
        await finish(repository, await run_of(repository, second))
        assert dict(await repository.held_needing(["nas", "b"])) == {}
        await claim(repository, third)
        await revise(repository, nas, resources=["b"])
        assert dict(await repository.held_needing(["nas", "b"])) == {"b": 1}

    async def test_only_the_handlers_asked_for_are_answered(self, repository: ScheduleRepository) -> None:
        """A node reads runs of its own handlers; several of them are merged in one order."""
        runs = []
        for place, handler in enumerate(("a", "b", "a", "c")):
            record = await put(repository, f"s{place}", handler=handler)
            runs.append((await decide(repository, record, NOW + place, decided_at=NOW + 9)).run_id)
        assert await ready_ids(repository, "a") == [runs[0], runs[2]]
        assert await ready_ids(repository, "b", "a") == runs[:3]
        assert await ready_ids(repository, "a", "b", "c", limit=2) == runs[:2]
        assert await ready_ids(repository, "unknown") == []
        assert await ready_ids(repository, "c", "unknown") == [runs[3]]
        assert await repository.read_ready([], 10) == []

    async def test_reading_takes_nothing(self, repository: ScheduleRepository) -> None:
        """A run stays ready until it is claimed or ends."""
        record = await put(repository)
        first, second = await decide(repository, record), await decide(repository, record, NOW + 1)
        assert await ready_ids(repository) == await ready_ids(repository) == [first.run_id, second.run_id]
        await claim(repository, first)
        assert await ready_ids(repository) == [second.run_id]
        await finish(repository, second, Step.CANCEL)
        assert await ready_ids(repository) == []

    async def test_a_run_is_not_ready_before_its_instant(self, repository: ScheduleRepository) -> None:
        """What is due later is found by the look at its instant, and not by an earlier one."""
        run = await decide(repository, await put(repository), due_at=NOW + MINUTE)
        await repository.read_due(NOW + MINUTE - 1, 10)
        assert await ready_ids(repository) == []
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository) == [run.run_id]

    async def test_a_waiting_run_follows_its_handler(self, repository: ScheduleRepository) -> None:
        """A revision that names another handler moves what waits to it, there and back again, and doubles nothing."""
        record = await put(repository, handler="old")
        run = await decide(repository, record)
        record = await revise(repository, record, handler="new")
        assert await ready_ids(repository, "old") == []
        assert await ready_ids(repository, "new") == [run.run_id]
        record = await revise(repository, record, handler="old")
        assert await ready_ids(repository, "old", "new") == [run.run_id]
        for handler in ("new", "old", "new", "old"):
            record = await revise(repository, record, handler=handler)
        assert await ready_ids(repository, "old", "new") == [run.run_id]
        assert (await claim(repository, await run_of(repository, run))).state is State.CLAIMED
        assert await ready_ids(repository, "old", "new") == []

    async def test_a_revision_makes_nothing_ready_before_its_instant(self, repository: ScheduleRepository) -> None:
        """A run that is due later waits on when its schedule gets another handler or priority."""
        record = await put(repository, handler="old", next_due_at=None)
        run = await decide(repository, record, due_at=NOW + MINUTE)
        await revise(repository, record, handler="new", priority=9)
        assert await ready_ids(repository, "old", "new") == []
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository, "old", "new") == [run.run_id]

    async def test_a_retry_follows_its_handler(self, repository: ScheduleRepository) -> None:
        """A run that waits for its instant is ready for the handler its schedule has then."""
        record = await put(repository, handler="old", next_due_at=None)
        run = await claim(repository, await decide(repository, record))
        await requeue(repository, run, due_at=NOW + MINUTE)
        await revise(repository, record, handler="new")
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository, "old") == []
        assert await ready_ids(repository, "new") == [run.run_id]

    async def test_a_waiting_run_follows_its_priority(self, repository: ScheduleRepository) -> None:
        """A revision that makes a schedule more urgent moves what waits forward, and back again."""
        first = await decide(repository, await put(repository, "first"))
        record = await put(repository, "second")
        second = await decide(repository, record, NOW + 1, decided_at=NOW + 1)
        assert await ready_ids(repository) == [first.run_id, second.run_id]
        record = await revise(repository, record, at=NOW + 1, priority=9)
        assert await ready_ids(repository) == [second.run_id, first.run_id]
        await revise(repository, record, at=NOW + 1)
        assert await ready_ids(repository) == [first.run_id, second.run_id]

    async def test_a_run_of_a_removed_schedule_stays_ready(self, repository: ScheduleRepository) -> None:
        """Removing a schedule ends none of its runs by itself: that is a decision, made in the same change."""
        record = await put(repository)
        run = await decide(repository, record)
        await remove(repository, record)
        assert await ready_ids(repository) == [run.run_id]
        assert (await finish(repository, await claim(repository, run))).state is State.SUCCEEDED

    async def test_many_runs_come_and_go_in_order(self, repository: ScheduleRepository) -> None:
        """However long a first run stays unclaimed, those behind it are offered once each and in order."""
        record = await put(repository)
        stuck = await decide(repository, record, NOW)
        taken: list[int] = []
        for wave in range(8):
            runs = [await decide(repository, record, NOW + 1 + wave * 50 + step) for step in range(50)]
            await repository.read_due(NOW + HOUR, 10)
            assert await ready_ids(repository) == [stuck.run_id, *(run.run_id for run in runs)]
            for run in runs:
                await claim(repository, run)
                taken.append(run.run_id)
        assert taken == sorted(set(taken))
        assert await ready_ids(repository) == [stuck.run_id]
