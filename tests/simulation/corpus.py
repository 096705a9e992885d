"""The corpus: histories that once did not hold, each with what was wrong, so that it stays right."""

from __future__ import annotations

from typing import Any, Final

from tests.simulation.history import (
    History,
    Joined,
    Keeps,
    Killed,
    Pruned,
    Put,
    Said,
    Stalled,
    Stepped,
    Stopped,
    Strayed,
)
from trioarm import After, Cron, Every, Misfire, Once, Overlap, RetryPolicy, Schedule
from trioarm.core.instants import MINUTE
from trioarm.testing import Fault
from trioarm.testing.faults import Away
from trioarm.testing.world import BEGIN

QUICK: Final[dict[str, Any]] = {"timeout_s": 20.0, "retry": RetryPolicy(0)}


OFTEN: Final[dict[str, Any]] = {"timeout_s": 20.0, "retry": RetryPolicy(2, base_s=5.0, max_s=30.0)}


def _lane(name: str) -> Schedule:
    return Schedule(name, Every(20.0), handler="fails_at_first", lane="red", supersede=True, misfire=Misfire.EACH)


def _every(name: str, period_s: float) -> Schedule:
    return Schedule(name, Every(period_s), handler="succeeds", **QUICK)


_SOON: Final = (("a", 1), ("b", 2), ("c", 2))
ONCE_BY_NOW: Final = History(
    schedules=(Schedule("a", Once(BEGIN + MINUTE), handler="always_fails", **OFTEN),),
    acts=((65.0, Put(Schedule("a", Once(BEGIN + MINUTE), handler="always_fails", delivery="at_most_once", **OFTEN))),),
    faults={},
    workers=1,
    with_file=False,
)
CORPUS: Final = {
    "a pause while its schedule is decided set its cursor back, and it stood still for ever": History(
        schedules=(_lane("a"), _lane("b")),
        acts=((1_800.0, Stepped(-90.0)), (0.0, Said("pause", "a")), (1_800.0, Stepped(-90.0))),
        faults={},
        workers=1,
        with_file=False,
    ),
    "a fixed delay whose next run had not begun was forgotten when the clock was set back": History(
        schedules=(Schedule("a", After(45.0), handler="discards", **QUICK),),
        acts=(
            (130.0, Killed(45.0)),
            (550.0, Stepped(-40_000.0)),
            (1.0, Stalled(200.0)),
            (13.0, Stepped(-14_400.0)),
        ),
        faults={},
        workers=3,
        with_file=False,
    ),
    "what came due while a schedule was paused had no row once it was removed": History(
        schedules=(Schedule("a", Every(20.0), handler="succeeds", **QUICK),),
        acts=((45.0, Said("pause", "a")), (61.0, Said("remove", "a"))),
        faults={},
        workers=1,
        with_file=False,
    ),
    "an occurrence of the past, put into a superseding lane, cancelled the later one that ran": History(
        schedules=(Schedule("a", Cron("5,35 * * * *"), handler="hangs", lane="red", supersede=True, **QUICK),),
        acts=(
            (61.0, Killed(9_000.0)),
            (
                0.0,
                Put(
                    Schedule(
                        "c", Once(BEGIN + 15 * MINUTE), handler="discards", lane="red", supersede=True, tolerance_s=0.0
                    )
                ),
            ),
        ),
        faults={},
        workers=3,
        with_file=False,
    ),
    "a resource whose last use lay in the future, since the clock was set back, was not free before that": History(
        schedules=(Schedule("a", Every(60.0), handler="succeeds", resources=["mail"], **QUICK),),
        acts=((130.0, Stepped(-14_400.0)), (1_800.0, Said("fire", "a"))),
        faults={},
        workers=1,
        with_file=False,
    ),
    "a run that snoozed when the clock was set back twice kept its lane until the clock had caught up": History(
        schedules=(
            Schedule("a", Once(BEGIN + MINUTE), handler="snoozes", lane="blue", **QUICK),
            Schedule("b", Every(60.0), handler="succeeds", lane="blue", **QUICK),
        ),
        acts=((65.0, Stepped(-40_000.0)), (62.0, Stepped(-40_000.0)), (130.0, Joined())),
        faults={},
        workers=1,
        with_file=False,
    ),
    "a handler given up when its node was stopped returned before that was kept, and had succeeded when it had not": (
        History(
            schedules=(Schedule("a", Once(BEGIN + MINUTE), handler="ignores_cancellation", **QUICK),),
            acts=((67.0, Stopped(30.0)), (130.0, Joined())),
            faults={("commit", 5): Fault.SLOW},
            workers=1,
            with_file=False,
        )
    ),
    "a run whose turn it was in a lane, and whose resource failed, kept another waiting": History(
        schedules=(
            Schedule("a", Every(20.0), handler="always_fails", lane="blue", **OFTEN),
            Schedule(
                "b",
                Every(20.0),
                handler="always_fails",
                lane="blue",
                overlap=Overlap.BUFFER_ONE,
                priority=9,
                resources=("mail",),
                **OFTEN,
            ),
        ),
        acts=((130.0, Joined()),),
        faults={},
        workers=1,
        with_file=False,
    ),
    "a fixed delay whose clock was corrected during its last run was active for ever": History(
        schedules=(Schedule("a", After(45.0), handler="ignores_cancellation", max_runs=1, timeout_s=20.0),),
        acts=((0.0, Joined()), (13.0, Stepped(-90.0)), (130.0, Stepped(-14_400.0)), (0.0, Stalled(40.0))),
        faults={},
        workers=1,
        with_file=True,
    ),
    "a fixed delay whose run ended while the clock was corrected stood still for ever": History(
        schedules=(
            Schedule(
                "a", After(45.0), handler="is_slow", lane="blue", overlap="buffer_one", resources=["mail"], **QUICK
            ),
        ),
        acts=((130.0, Stepped(-14_400.0)),),
        faults={},
        workers=2,
        with_file=False,
    ),
    "a start that was refused, since somebody else had a name, had changed the rest of the set": History(
        schedules=(_every("a", 60.0), _every("b", 60.0)),
        acts=(
            (61.0, Said("remove", "a")),
            (0.0, Put(_every("a", 97.0))),
            (1.0, Said("remove", "b")),
            (1.0, Killed(3.0)),
        ),
        faults={},
        workers=1,
        with_file=False,
        owner="config",
    ),
    "a node whose store was away tried twice to keep its last outcomes, for ten seconds": History(
        schedules=(Schedule("a", Once(BEGIN + MINUTE), handler="is_slow", timeout_s=100.0),),
        acts=((65.0, Stopped(3.0, away=Away.STALL)),),
        faults={},
        workers=1,
        with_file=False,
    ),
    "a run whose node died was not told so, where another node had claimed it and stopped before it began": History(
        schedules=(
            Schedule("a", Once(BEGIN + 2 * MINUTE), handler="is_slow", timeout_s=100.0, priority=6),
            Schedule("b", Once(BEGIN + MINUTE), handler="is_slow", timeout_s=100.0),
        ),
        acts=((125.0, Killed(0.0)), (1.0, Stopped(0.0))),
        faults={},
        workers=1,
        with_file=False,
    ),
    "what had failed was tried again although its schedule was delivered at most once by then": ONCE_BY_NOW,
    "a fixed delay whose delay had passed while it waited for its start stood still once it had none": History(
        schedules=(Schedule("a", After(45.0), handler="succeeds", start_at=BEGIN + 5 * MINUTE, **QUICK),),
        acts=((61.0, Put(Schedule("a", After(45.0), handler="succeeds", **QUICK))),),
        faults={},
        workers=1,
        with_file=False,
    ),
    "what ended before anybody had looked at a clock that was astray was tried again a day later": History(
        schedules=(
            Schedule("a", Once(BEGIN + MINUTE), handler="fails_at_first", **OFTEN),
            Schedule("b", After(60.0), handler="succeeds", **QUICK),
        ),
        acts=((60.5, Strayed(90_000.0, 20.0)), (130.0, Joined())),
        faults={},
        workers=2,
        with_file=False,
    ),
    "a failure that was forgotten did not count, and what kept failing went on for ever": History(
        schedules=(Schedule("a", Every(60.0), handler="breaks", retry=RetryPolicy(0), pause_after_failures=3),),
        acts=tuple((61.0, Pruned()) for _ in range(5)),
        faults={},
        workers=1,
        with_file=False,
        keeps=Keeps(86_400.0, 1),
    ),
    "what was declared and over was forgotten, and the next start ran it again": History(
        schedules=(Schedule("a", Once(BEGIN + MINUTE), handler="succeeds", misfire_window_s=7_200.0, **QUICK),),
        acts=((1_800.0, Pruned()), (61.0, Killed(3.0))),
        faults={},
        workers=1,
        with_file=False,
        owner="config",
        keeps=Keeps(86_400.0, 1_000, schedules_s=600.0),
    ),
    "what was old by a clock that was set back was kept until that had caught up": History(
        schedules=(Schedule("a", Every(600.0), handler="succeeds", **QUICK),),
        acts=((1_800.0, Stepped(-3_000.0)), (0.0, Said("fire", "a")), (130.0, Pruned())),
        faults={},
        workers=1,
        with_file=False,
        keeps=Keeps(60.0, 1_000),
    ),
    "what was resumed with others had an open alert still that it was paused": History(
        schedules=(Schedule("a", Every(60.0), handler="breaks", retry=RetryPolicy(0), pause_after_failures=2),),
        acts=((185.0, Said("resume_all", "a")),),
        faults={},
        workers=1,
        with_file=False,
    ),
    "what was fired to run alone held no lane, and the next occurrence of its schedule ran beside it": History(
        schedules=(Schedule("a", Every(600.0), handler="is_slow", overlap="buffer_one", timeout_s=100.0),),
        acts=((550.0, Said("fire_alone", "a")),),
        faults={},
        workers=2,
        with_file=False,
    ),
    "what was fired to run alone was decided while an occurrence of its schedule was, and ran beside it": History(
        schedules=tuple(
            Schedule(name, Every(period_s), handler="is_slow", **OFTEN)
            for name, period_s in {"a": 60.0, "b": 97.0, "c": 60.0}.items()
        ),
        acts=((0.0, Killed(0.0)), (61.0, Said("fire_alone", "b"))),
        faults={},
        workers=1,
        with_file=False,
        spare=0,
        resizes=True,
        chunk=2,
    ),
    "what ended by itself as all were cancelled was missed in the answer": History(
        schedules=(
            *(Schedule(name, Once(BEGIN + minutes * MINUTE), handler="succeeds", **OFTEN) for name, minutes in _SOON),
            Schedule("d", After(2_700.0), handler="succeeds", **OFTEN),
        ),
        acts=((61.0, Said("cancel_all", "a")),),
        faults={},
        workers=1,
        with_file=False,
        spare=0,
        chunk=1,
    ),
    "what a node did that was started behind what is written was taken for a call of another": History(
        schedules=(Schedule("a", Every(20.0), handler="succeeds", **OFTEN),),
        acts=((0.0, Joined()), (0.0, Stepped(-2.0)), (0.0, Killed(0.0)), (0.0, Stalled(40.0))),
        faults={},
        workers=1,
        with_file=True,
        spare=0,
        lacks=("succeeds",),
        chunk=1,
    ),
}
