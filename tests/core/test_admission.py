from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import NOW, a_record, a_run, a_schedule
from trioarm.core.admission import Admission, Room, start_at_once
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import State


def _run(handler: str = "work", lane: str | None = None, **fields: object) -> RunRecord:
    delivery = fields.pop("delivery", Delivery.AT_LEAST_ONCE)
    return a_run(a_record(a_schedule(handler=handler, lane=lane, delivery=delivery)), **fields)


def test_a_pool_takes_what_it_has_room_for() -> None:
    """A room admits as many runs as it is free for and takes that room at once."""
    admission = Admission({"work": Room(2, 2)}, set())
    assert [admission.admit(_run()) for _ in range(3)] == [True, True, False]


def test_a_handler_that_is_not_registered_is_not_admitted() -> None:
    """A run of an unknown handler stays pending (S2.6)."""
    assert not Admission({"work": Room(2, 2)}, set()).admit(_run("other"))


def test_a_saturated_pool_delays_no_other() -> None:
    """Handlers have rooms of their own unless they share a pool (S6.6)."""
    shared = Room(1, 1)
    admission = Admission({"work": shared, "also": shared, "arm": Room(1, 1)}, set())
    assert [admission.admit(_run(handler)) for handler in ("work", "also", "arm")] == [True, False, True]


def test_what_runs_at_most_once_needs_an_idle_worker() -> None:
    """An at-most-once run is not queued behind a busy worker, where it could be lost after its claim (S2.2)."""
    admission = Admission({"work": Room(2, 1)}, set())
    assert admission.admit(_run())
    assert not admission.admit(_run(delivery=Delivery.AT_MOST_ONCE))
    assert admission.admit(_run())


def test_a_lane_admits_one_run() -> None:
    """Runs of one lane never overlap, whether the lane was busy before or is taken by this very pass."""
    admission = Admission({"work": Room(9, 9)}, {"house"})
    assert not admission.admit(_run(lane="house"))
    assert admission.admit(_run(lane="garden"))
    assert not admission.admit(_run(lane="garden"))
    assert admission.admit(_run(lane=None))


def test_the_holder_of_a_lane_is_admitted_again() -> None:
    """A retry keeps its lane: it is busy with this very run, and so nothing else gets it (S5.5)."""
    admission = Admission({"work": Room(9, 9)}, {"house"})
    assert admission.admit(_run(lane="house", token=1))
    assert not admission.admit(_run(lane="house", token=1))


def test_a_refused_run_takes_no_room() -> None:
    """Room and lane stay free when a run is turned away for the other one."""
    admission = Admission({"work": Room(1, 1)}, {"house"})
    assert not admission.admit(_run(lane="house"))
    assert not admission.admit(_run("other", lane="garden"))
    assert admission.admit(_run(lane="garden"))


def test_what_can_start_now_is_inserted_claimed() -> None:
    """A decided run that is due and admitted is claimed before it is written; all else is left alone (S6.2)."""
    skipped = _run(state=State.SKIPPED)
    later = _run(due_at=NOW + 1)
    first, second = _run(give_up_at=NOW + 60), _run(give_up_at=NOW + 60)
    start_at_once([skipped, later, first, second], Admission({"work": Room(1, 1)}, set()), "n1")
    assert (first.state, first.attempt, first.token, first.node, first.waiting_for) == (State.CLAIMED, 1, 1, "n1", None)
    assert [run.state for run in (skipped, later, second)] == [State.SKIPPED, State.PENDING, State.PENDING]
    assert (later.token, second.token, second.node) == (0, 0, None)
    assert (first.give_up_at, second.give_up_at) == (None, NOW + 60)  # who has a worker waits for none


_offers = st.tuples(
    st.sampled_from(("work", "also", "arm", "other")),
    st.sampled_from((None, "house", "garden")),
    st.sampled_from(Delivery),
    st.integers(0, 1),
)


@given(
    st.lists(_offers, max_size=20), st.integers(0, 5), st.integers(0, 5), st.sets(st.sampled_from(("house", "garden")))
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_pass_never_admits_too_much(
    offers: list[tuple[str, str | None, Delivery, int]], free: int, idle: int, busy: set[str]
) -> None:
    """However runs are offered: no pool exceeds its room, no lane is taken twice, no at-most-once run is queued."""
    pools = {"work": "common", "also": "common", "arm": "own"}
    common, own = Room(free, idle), Room(1, 1)
    admission = Admission({"work": common, "also": common, "arm": own}, busy)
    admitted = []
    for handler, lane, delivery, attempt in offers:
        run = _run(handler, lane, delivery=delivery, attempt=attempt)
        if admission.admit(run):
            admitted.append(run)
    for pool, room, workers in (("common", free, idle), ("own", 1, 1)):
        mine = [run.schedule.schedule for run in admitted if pools.get(run.schedule.schedule.handler) == pool]
        assert len(mine) <= room
        last_exclusive = max((at for at, one in enumerate(mine, 1) if one.delivery is Delivery.AT_MOST_ONCE), default=0)
        assert last_exclusive <= workers
    for lane in ("house", "garden"):
        holders = [run for run in admitted if run.lane == lane]
        assert len(holders) <= 1
        assert lane not in busy or all(run.attempt for run in holders)
    assert all(run.schedule.schedule.handler in pools for run in admitted)


def test_what_is_backfilled_leaves_a_worker_to_others() -> None:
    """It takes none that is reserved, whether workers or what may be held are short; others take all (S5.3)."""
    back = {"origin": Origin.BACKFILL}
    admission = Admission({"work": Room(3, 3, reserved=1)}, set())
    assert [admission.admit(_run(**back)) for _ in range(3)] == [True, True, False]
    assert admission.admit(_run())
    assert not Admission({"work": Room(1, 3, reserved=1)}, set()).admit(_run(**back))
    assert not Admission({"work": Room(3, 1, reserved=1)}, set()).admit(_run(**back))
    alone = Admission({"work": Room(1, 1)}, set())
    assert [alone.admit(_run(**back)), alone.admit(_run())] == [True, False]


def test_what_needs_resources_is_claimed_by_a_look_at_them() -> None:
    """It is not begun with its decision, and later only by a worker that is idle: it begins when they say (S6.5)."""
    record = a_record(a_schedule(resources=["nas"]))
    run = a_run(record)
    start_at_once([run], Admission({"work": Room(2, 2)}, set()), "node")
    assert run.state is State.PENDING
    assert Admission({"work": Room(2, 1)}, set()).admit(run)
    assert not Admission({"work": Room(2, 0)}, set()).admit(run)
