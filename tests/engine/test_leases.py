"""A node that cannot renew its lease stops its runs in time, begins none, and what it tells later is refused (S7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import trio

from tests.engine.nodes import a_config
from trioarm import Delivery, Every, Once, Overlap, RunContext, Schedule, State
from trioarm.core.instants import SECOND
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.engine.executor import RunExecutor
from trioarm.engine.leases import LEASE_S, MARGIN_S
from trioarm.testing import Away, Fault, FileStore, MemoryDisk, Node, World, a_world, all_runs, in_virtual_time

LONG_S = 200.0
LATE_S = 4.0  # less than what counts as ignoring a cancellation
TRUST_S = LEASE_S - MARGIN_S
ONCE = Delivery.AT_MOST_ONCE


@attrs.define
class Witness:
    """What handlers did: node, run, what, and when."""

    told: list[tuple[str, str, str, float]] = attrs.Factory(list)

    def tell(self, node: str, run: RunContext, what: str) -> None:
        """Note what a handler does now."""
        self.told.append((node, run.schedule, what, trio.current_time()))

    def times(self, node: str, what: str) -> list[float]:
        """Return when handlers of a node did that."""
        return [at for who, _, did, at in self.told if (who, did) == (node, what)]

    def handlers(self, node: str) -> dict[str, Callable[[RunContext], Awaitable[str]]]:
        """Return a handler that can be cancelled, and one that answers all the same."""

        async def work(run: RunContext) -> str:
            self.tell(node, run, "begins")
            try:
                await trio.sleep(LONG_S)
            finally:
                self.tell(node, run, "ends")
            return node

        async def stubborn(run: RunContext) -> str:
            self.tell(node, run, "begins")
            with trio.CancelScope(shield=True):
                await trio.sleep(TRUST_S + LATE_S)
            self.tell(node, run, "ends")
            return node

        return {"work": work, "stubborn": stubborn}


def _schedule(handler: str, **policies: object) -> Schedule:
    return Schedule("long", Every(86400), handler=handler, timeout_s=2 * LONG_S, **policies)  # type: ignore[arg-type]


async def _one_node_loses_it(world: World, witness: Witness, schedule: Schedule, outage: Away) -> list[RunRecord]:
    """Let a node begin a run and lose the store for longer than its lease, while another takes over."""
    first = await world.start(witness.handlers("first"))
    await first.scheduler.schedules.put(schedule)
    await first.scheduler.runs.fire("long")
    await trio.sleep(1)
    second = await world.start(witness.handlers("second"))
    first.line.break_off(outage)
    await trio.sleep(2 * LEASE_S)
    first.line.go_on()
    await trio.sleep(2 * LONG_S)
    return await all_runs(second.repository, "long")


@pytest.mark.parametrize(("handler", "outage"), [("work", Away.HANG), ("work", Away.FAIL), ("stubborn", Away.STALL)])
def test_who_cannot_renew_stops_in_time_and_one_result_is_kept(tmp_path: Path, handler: str, outage: Away) -> None:
    """Whatever keeps it from renewing, its handler is cancelled before the lease ends; the other begins the run after
    that, and its result, under its token, is the only one that is kept (S2.3, S7.2)."""
    witness = Witness()

    async def main() -> tuple[list[RunRecord], Node]:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            return await _one_node_loses_it(world, witness, _schedule(handler), outage), world.nodes[0]

    [row], first = in_virtual_time(main)
    [begun], [ended] = witness.times("first", "begins"), witness.times("first", "ends")
    [again] = witness.times("second", "begins")
    assert ended <= begun + TRUST_S + (LATE_S if handler == "stubborn" else 0.0)
    assert ended < again <= begun + LEASE_S + 1
    assert (row.state, row.reason, row.attempt, row.token) == (State.SUCCEEDED, Reason.RECOVERED, 2, 2)
    assert row.result == "second"
    assert first.scheduler.metrics().refused == 1


def test_what_runs_at_most_once_is_not_begun_by_the_other(tmp_path: Path) -> None:
    """Nobody knows how far it came; a result that comes later changes nothing in that, and is refused (S2.2)."""
    witness = Witness()

    async def main() -> tuple[list[RunRecord], Node]:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            schedule = _schedule("stubborn", delivery=ONCE)
            return await _one_node_loses_it(world, witness, schedule, Away.HANG), world.nodes[0]

    [row], first = in_virtual_time(main)
    assert (row.state, row.reason, row.result) == (State.UNKNOWN, Reason.LOST, None)
    metrics = first.scheduler.metrics()
    assert (metrics.refused, sum(metrics.finished.values())) == (1, 0)
    assert len(witness.times("first", "begins")) == 1
    assert witness.times("second", "begins") == []


@pytest.mark.parametrize("delivery", list(Delivery))
def test_a_claim_that_comes_back_after_the_trust_is_not_begun(delivery: Delivery) -> None:
    """The store took its time, and no renewal came through: what it answers at last is given back, and is begun once
    the lease is good again. That counts no attempt, for nobody was called (S7.2)."""
    witness = Witness()
    due_s, good_s = TRUST_S - 5, TRUST_S + 4  # since the node joined; SLOW_S lies between

    async def main() -> list[RunRecord]:
        async with a_world(MemoryDisk(leased=True), check_interval_s=60.0) as world:
            began = trio.current_time()
            world.faults.update({("renew", number): Fault.BEFORE for number in range(1, 1000)})
            node = await world.start(witness.handlers("first"), a_config(1))
            once = Once(world.wall() + round(due_s * SECOND))
            await node.scheduler.schedules.put(Schedule("long", once, handler="work", delivery=delivery))
            await trio.sleep(due_s - 1)
            world.faults["commit", world.calls["commit"] + 1] = Fault.SLOW
            await trio.sleep_until(began + good_s)
            world.faults.clear()
            await trio.sleep(2 * LONG_S)
            return await all_runs(node.repository, "long")

    [row] = in_virtual_time(main)
    assert (row.state, row.attempt, row.token) == (State.SUCCEEDED, 1, 2)
    [begun] = witness.times("first", "begins")
    assert begun >= good_s


# The store is away: shorter and longer than the lease, with more to do than may wait

HELD = 4


@pytest.mark.parametrize(("away_s", "stopped"), [(TRUST_S - 11.0, 0), (10 * LEASE_S, 1)])
def test_a_store_that_is_away_is_a_state_that_heals(
    away_s: float, stopped: int, caplog: pytest.LogCaptureFixture
) -> None:
    """What runs goes on until the lease is no longer trusted; what ended waits, as much as may be held; nothing new
    begins; every instant is decided, and every outcome kept, once it is back. That is said in few lines (S7.5)."""
    called: list[str] = []
    most = 0
    ends = trio.Event()

    async def brief(run: RunContext) -> None:
        called.append(run.id)
        await trio.sleep(3)

    async def lasting(run: RunContext) -> str:
        await ends.wait()
        return "well"

    async def main() -> tuple[list[RunRecord], list[RunRecord]]:
        nonlocal most, ends
        ends = trio.Event()
        async with a_world(MemoryDisk(leased=True), check_interval_s=60.0) as world:
            node = await world.start({"work": brief, "lasting": lasting}, a_config(HELD))
            scheduler = node.scheduler
            await scheduler.schedules.put(Schedule("lasting", Every(86400), handler="lasting", timeout_s=3600.0))
            await scheduler.runs.fire("lasting")
            many = [Schedule(f"s{number}", Every(2.0), handler="work") for number in range(6)]
            await scheduler.schedules.put_many(many)
            await trio.sleep(5.0)
            node.line.break_off(Away.FAIL)
            before = len(called)
            await trio.sleep(away_s)
            assert len(called) - before < HELD
            health = {item.component: item.reasons for item in (await scheduler.health()).components}
            assert f"did not keep {HELD - 1 + stopped} outcomes yet" in health["recorder"][0]
            assert health["repository"]
            node.line.go_on()
            await trio.sleep(5.0)
            ends.set()
            for one in many:
                await scheduler.schedules.pause(one.name)
            await trio.sleep(30.0)
            assert (await scheduler.health()).level == "healthy"
            rows = [row for one in many for row in await all_runs(node.repository, one.name)]
            return rows, await all_runs(node.repository, "lasting")

    rows, [row] = in_virtual_time(main)
    assert (row.state, row.result, row.attempt) == (State.SUCCEEDED, "well", 1 + stopped)
    assert len(set(called)) == len(called)
    assert {run.attempt for run in rows if run.state is State.SUCCEEDED} == {1}
    assert not [run for run in rows if run.unfinished]
    said = [record for record in caplog.records if record.name in ("trioarm.engine", "trioarm.lease")]
    assert [record.levelname for record in said] == ["ERROR"] * (1 + stopped) + ["WARNING"]


def test_claims_that_nobody_knows_of_take_room() -> None:
    """While answers are lost, each pass could claim as many as there seem to be workers for. What is held once they are
    found stays within what may be held, so that what waits for the store is bounded (S7.4, S7.5)."""
    held: list[int] = []

    async def main() -> None:
        async with a_world(MemoryDisk(leased=True), check_interval_s=60.0) as world:
            node = await world.start({"work": brief}, a_config(1, HELD))
            executor = node.container.get(RunExecutor)

            async def look() -> None:
                while True:
                    held.append(len(executor.held))
                    await trio.sleep(0.05)

            many = [Schedule(f"s{number}", Every(1.0), handler="work", overlap=Overlap.ALLOW) for number in range(2)]
            await node.scheduler.schedules.put_many(many)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                await trio.sleep(3.5)
                world.faults.update({("commit", number): Fault.AFTER for number in range(1000)})
                world.faults.update({("unfinished_runs", number): Fault.BEFORE for number in range(1000)})
                await trio.sleep(20)
                world.faults.clear()
                await trio.sleep(20)
                nursery.cancel_scope.cancel()

    async def brief(run: RunContext) -> None:
        await trio.sleep(0.2)

    in_virtual_time(main)
    assert 2 < max(held) <= HELD


@pytest.mark.parametrize("timeout_s", [12.0, 400.0])
def test_a_handler_knows_how_long_it_has_left(tmp_path: Path, timeout_s: float) -> None:
    """It is cancelled when its last look at `deadline_s` said, by its timeout or by the end of the lease (S6.3)."""
    seen: list[tuple[float, float]] = []
    cancelled: list[float] = []

    async def looks(run: RunContext) -> None:
        try:
            while run.attempt == 1:
                seen.append((trio.current_time(), run.deadline_s))
                await trio.sleep(1)
        finally:
            cancelled.append(trio.current_time())

    async def main() -> None:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            node = await world.start({"looks": looks})
            await node.scheduler.schedules.put(attrs.evolve(_schedule("looks"), timeout_s=timeout_s))
            await node.scheduler.runs.fire("long")
            await trio.sleep(15)  # a renewal
            node.line.break_off(Away.FAIL)
            await trio.sleep(LEASE_S)
            node.line.go_on()
            await trio.sleep(1)

    in_virtual_time(main)
    ends = [at + left_s for at, left_s in seen]
    assert all(left_s > -0.001 for _, left_s in seen)  # nothing is left at the very instant
    assert cancelled[0] == pytest.approx(ends[-1], abs=0.01)
    if timeout_s < TRUST_S:
        assert {round(end, 3) for end in ends} == {round(seen[0][0] + timeout_s, 3)}
    else:
        assert ends[0] == pytest.approx(TRUST_S, abs=0.1)  # the lease was taken when the world began
        assert 1 <= ends[-1] - ends[0] < timeout_s - TRUST_S  # it was renewed, and lost
