"""Planted faults: rules of the guarantee that nobody keeps; each has to be found by drawn histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import pytest
import trio

from tests.simulation.corpus import ONCE_BY_NOW
from tests.simulation.history import History, Joined, Killed, Put, Said, Stalled, Strayed
from tests.simulation.planted_in_nodes import PLANTED_IN_NODES
from tests.simulation.planting import Planted, once
from trioarm import Every, RetryPolicy, Schedule
from trioarm.core import course, planning, retrying
from trioarm.core.backfilling import Known
from trioarm.core.changes import Change, Finished, Requeued, Verdict
from trioarm.core.instants import DAY
from trioarm.core.overlap import Earlier
from trioarm.core.record import ScheduleRecord
from trioarm.core.resources import Gate
from trioarm.core.run import RunRecord
from trioarm.core.states import State
from trioarm.engine import attempt, engine, executor, pausing
from trioarm.engine.clock import VirtualClock
from trioarm.engine.executor import RunExecutor
from trioarm.engine.leases import Lease
from trioarm.repositories.memory import InMemoryScheduleRepository as Memory
from trioarm.repositories.memory.shelf import Shelf
from trioarm.repositories.memory.waiting import Waiting
from trioarm.repositories.sqlite import statements, values
from trioarm.testing import Fault

Patch = pytest.MonkeyPatch

# Each node has one of the two runs, and its store is away when the first one ends.
TAKEN_OVER: Final = History(
    schedules=(once("a", 1, handler="is_slow"), once("b", 1, handler="is_slow")),
    acts=((0.0, Joined()), (120.0, Stalled(40.0))),
    faults={},
    workers=1,
    with_file=True,
)
# The store is away while both work, until after the other one may take over.
CUT_OFF: Final = attrs.evolve(TAKEN_OVER, acts=((0.0, Joined()), (65.0, Stalled(60.0))))
REPLACED: Final = History(
    schedules=(Schedule("a", Every(20.0), handler="succeeds"),),
    acts=((61.0, Said("remove", "a")), (1.0, Put(Schedule("b", Every(20.0), handler="succeeds")))),
    faults={},
    workers=1,
    with_file=False,
)
CUT_SHORT: Final = History(  # by the end of its node
    schedules=(once("a", 1, handler="is_slow"),),
    acts=((70.0, Killed(30.0)),),
    faults={},
    workers=1,
    with_file=False,
)
BOTH_DUE: Final = History(
    schedules=(
        once("a", 10, handler="succeeds", lane="red", supersede=True),
        once("b", 20, handler="succeeds", lane="red", supersede=True),
    ),
    acts=((61.0, Killed(1_500.0)),),
    faults={},
    workers=1,
    with_file=False,
)
AT_ONCE: Final = attrs.evolve(
    BOTH_DUE,
    schedules=tuple(
        Schedule(name, Every(600.0), handler="succeeds", lane="red", supersede=True, precedence=precedence)
        for name, precedence in (("a", 1), ("b", 0))
    ),
)
TOO_LATE: Final = attrs.evolve(BOTH_DUE, schedules=(once("a", 10, handler="succeeds", misfire="skip"),))
RETURNS_JUNK: Final = attrs.evolve(TOO_LATE, schedules=(once("a", 10, handler="returns_junk"),))
GOES_ON: Final = History(
    schedules=(Schedule("a", Every(20.0), handler="succeeds"),),
    acts=((550.0, Joined()),),
    faults={},
    workers=1,
    with_file=False,
)
TRIES_AGAIN: Final = History(  # and another is waiting for its lane meanwhile
    schedules=(
        once("a", 1, handler="always_fails", lane="blue", priority=9),
        once("b", 1, handler="succeeds", lane="blue"),
    ),
    acts=((130.0, Joined()),),
    faults={},
    workers=1,
    with_file=False,
)
WAITS_ITS_TURN: Final = History(
    schedules=(Schedule("a", Every(20.0), handler="is_slow", overlap="buffer_all", timeout_s=100.0),),
    acts=((130.0, Joined()),),
    faults={},
    workers=2,
    with_file=False,
)
IS_SKIPPED: Final = attrs.evolve(
    WAITS_ITS_TURN, schedules=(Schedule("a", Every(20.0), handler="is_slow", overlap="skip", timeout_s=100.0),)
)
BOTH_NEED_IT: Final = History(
    schedules=(
        once("a", 1, handler="is_slow", resources=["nas"]),
        once("b", 1, handler="is_slow", resources=["nas"]),
    ),
    acts=((130.0, Joined()),),
    faults={},
    workers=2,
    with_file=False,
)
KEEPS_FAILING: Final = History(
    schedules=(Schedule("a", Every(60.0), handler="breaks", retry=RetryPolicy(0), pause_after_failures=2),),
    acts=((550.0, Joined()),),
    faults={},
    workers=1,
    with_file=False,
)
NEVER_AGAIN: Final = attrs.evolve(
    KEEPS_FAILING, schedules=(once("a", 1, handler="breaks", retry=RetryPolicy(2, 5.0, never=["OSError"])),)
)
BREAKS_TWICE: Final = attrs.evolve(KEEPS_FAILING, schedules=(once("a", 1, handler="breaks"),))
BACKFILLED_TWICE: Final = History(
    schedules=(Schedule("a", Every(60.0), handler="succeeds"),),
    acts=((130.0, Said("backfill", "a")), (61.0, Said("backfill", "a"))),
    faults={},
    workers=1,
    with_file=False,
)
ONE_AFTER_THE_OTHER: Final = attrs.evolve(
    BOTH_NEED_IT,
    schedules=tuple(once(name, 1, handler="breaks", resources=["mail"]) for name in ("a", "b")),
)
IS_TOLD: Final = attrs.evolve(
    BACKFILLED_TWICE, acts=((130.0, Said("skip", "a")), (130.0, Said("pause_for", "a")), (700.0, Joined()))
)
PUT_OFF: Final = attrs.evolve(
    IS_TOLD,
    schedules=(once("a", 10, handler="succeeds"),),
    acts=((61.0, Said("postpone_long", "a")), (550.0, Joined())),
)
ASTRAY: Final = attrs.evolve(BACKFILLED_TWICE, acts=((65.0, Strayed(90_000.0, 20.0)),))
NEVER_ANSWERED: Final = History(
    schedules=(Schedule("a", Every(20.0), handler="succeeds", timeout_s=20.0),),
    acts=((130.0, Joined()),),
    faults={("commit", number): Fault.AFTER for number in range(3, 12)},
    workers=1,
    with_file=False,
)


def _forgets_the_missed(patch: Patch) -> None:
    kept = Memory._keep_decision

    def keep(self: Memory, run: RunRecord) -> None:
        if run.state is not State.MISSED:
            kept(self, run)

    patch.setattr(Memory, "_keep_decision", keep)


def _decides_again(patch: Patch) -> None:
    kept = Memory._keep_move
    moves = 0

    def keep(self: Memory, move: Any) -> None:
        nonlocal moves
        moves += 1
        if moves % 5:
            kept(self, move)

    patch.setattr(Memory, "_keep_move", keep)
    patch.setattr(Memory, "_fits", lambda self, change: all(map(self._step_fits, change.steps)))


def _does_not_start_again(patch: Patch) -> None:
    from trioarm.testing.stores import _OutlivingRepository

    patch.setattr(_OutlivingRepository, "read_due", Memory.read_due)


def _calls_again_what_runs_once(patch: Patch) -> None:
    patch.setattr(retrying, "_once", lambda run: False)


def _calls_again_what_runs_once_by_now(patch: Patch) -> None:
    patch.setattr(executor, "not_again", lambda run: None)


def _takes_stale_results(patch: Patch) -> None:
    tail = statements.FINISH.tail.replace("token = v.column8", "v.column8 > 0")
    patch.setitem(values._STEP_STATEMENTS, Finished, attrs.evolve(statements.FINISH, tail=tail))
    change = statements.WENT_WELL.change.replace("token = {token}", "{token} > 0")
    went_well = attrs.evolve(statements.WENT_WELL, change=change)
    lines = [went_well if line is statements.WENT_WELL else line for line in statements.LINES]
    patch.setattr(statements, "LINES", lines)


def _uses_keys_again(patch: Patch) -> None:
    removed = Shelf.remove

    def remove(self: Shelf, record: ScheduleRecord) -> None:
        removed(self, record)
        self._last_key = record.key - 1

    patch.setattr(Shelf, "remove", remove)


def _moves_without_deciding(patch: Patch) -> None:
    commit = Memory.commit
    commits = 0

    async def torn(self: Memory, changes: Sequence[Change]) -> list[Verdict]:
        nonlocal commits
        commits += 1
        for change in changes:
            if commits % 7 == 0 and change.decided and change.moved and self._fits(change):
                for move in change.moved:
                    self._keep_move(move)
                return [Verdict.UNKNOWN] * len(changes)
        return await commit(self, changes)

    patch.setattr(Memory, "commit", torn)


def _dies_of_what_a_handler_returns(patch: Patch) -> None:
    def returned(result: object) -> object:
        if result is not None:
            raise BufferError("junk")
        return attempt._WENT_WELL

    patch.setattr(attempt, "_returned", returned)
    patch.setattr(
        attempt, "_raised", lambda attempt, error: None if isinstance(error, BufferError) else _raised(attempt, error)
    )


_raised = attempt._raised


def _counts_who_is_busy(patch: Patch) -> None:
    release = RunExecutor.release
    releases = 0

    def forgets(self: RunExecutor, attempts: Any) -> bool:
        nonlocal releases
        releases += 1
        return release(self, attempts if releases % 3 else ())

    patch.setattr(RunExecutor, "release", forgets)


def _frees_the_lane_of_a_retry(patch: Patch) -> None:
    put_again = Waiting.put_again

    def frees(self: Waiting, run: RunRecord, now: int) -> None:
        if run.lane is not None and self._lanes[run.lane].holder is run:
            self._lanes[run.lane].holder = None
            self.busy_lanes.discard(run.lane)
        put_again(self, run, now)

    patch.setattr(Waiting, "put_again", frees)


def _lets_the_first_win(patch: Patch) -> None:
    order = planning._order
    patch.setattr(planning, "_order", lambda due: (-order(due)[0], *order(due)[1:]))


def _heeds_no_precedence(patch: Patch) -> None:
    order = planning._order
    patch.setattr(planning, "_order", lambda due: (*order(due)[:3], 0, order(due)[4]))


def _keeps_nothing_apart(patch: Patch) -> None:
    patch.setattr(ScheduleRecord, "lane", lambda self, overlap: self.schedule.lane)


def _lets_everything_run(patch: Patch) -> None:
    patch.setattr(Earlier, "leave_room", lambda self, overlap: True)


def _lets_everybody_in(patch: Patch) -> None:
    async def nobody(self: Memory, resources: Any) -> dict[str, int]:
        return {}

    patch.setattr(Memory, "held_needing", nobody)


def _tries_everything_again(patch: Patch) -> None:
    patch.setattr(RetryPolicy, "allows", lambda self, kinds: True)


def _tries_again_at_once(patch: Patch) -> None:
    patch.setattr(retrying, "backoff_s", lambda *policy, **more: 0.0)


def _gives_up_at_once(patch: Patch) -> None:
    patch.setattr(retrying, "_once", lambda run: True)


def _goes_on_failing(patch: Patch) -> None:
    patch.setattr(pausing, "one_too_many", lambda *failures: False)


def _backfills_what_went_well(patch: Patch) -> None:
    patch.setattr(Known, "enough", None)


def _waits_for_no_resource(patch: Patch) -> None:
    patch.setattr(Gate, "_until", lambda self, at, wait_s: self.now)


def _works_on_without_a_lease(patch: Patch) -> None:
    patch.setattr(Lease, "_stop_everything", lambda self, why: None)


def _doubts_nothing(patch: Patch) -> None:
    patch.setattr(engine, "Verdict", _NobodyDoubts)


class _NobodyDoubts:
    DONE = Verdict.DONE
    REFUSED = Verdict.REFUSED
    UNKNOWN = None


def _does_not_wait_for_the_rest(patch: Patch) -> None:
    async def see_out(self: VirtualClock) -> None:
        await trio.lowlevel.checkpoint()

    patch.setattr(VirtualClock, "see_out", see_out)


def _runs_what_is_skipped(patch: Patch) -> None:
    patch.setattr(planning, "skips", lambda *which: ())


def _runs_what_is_postponed(patch: Patch) -> None:
    patch.setattr(planning._Due, "starts_at", lambda self, nominal_at: nominal_at)


def _makes_up_for_a_pause(patch: Patch) -> None:
    ended = planning.end_of_pause

    def end(record: ScheduleRecord, until_at: int, now: int) -> Change:
        return ended(record, record.cursor_at + 1, now)

    patch.setattr(planning, "end_of_pause", end)


def _believes_any_clock(patch: Patch) -> None:
    patch.setattr(course, "BELIEVED_MAX", 100 * DAY)


def _hides_that_a_node_was_lost(patch: Patch) -> None:
    after_loss = planning._after_loss

    def hides(run: RunRecord, now: int, rules: planning.PlanRules) -> Finished | Requeued:
        step = after_loss(run, now, rules)
        step.reason = None
        return step

    patch.setattr(planning, "_after_loss", hides)


def _runs_what_is_too_late(patch: Patch) -> None:
    patch.setattr(planning, "_oldest", lambda record, now, rules: 0)


PLANTED: Final = {
    "missed": Planted("S2.1", "occurrences that are missed have no row", _forgets_the_missed, made=TOO_LATE),
    "again": Planted("S2.1", "an occurrence may have two decisions", _decides_again),
    "not begun again": Planted(
        "S2.2", "runs of a node that is gone are left as they are", _does_not_start_again, made=CUT_SHORT
    ),
    "not told": Planted(
        "S2.2", "nobody is told that the attempt before was lost", _hides_that_a_node_was_lost, made=CUT_SHORT
    ),
    "at most once": Planted("S2.2", "what runs at most once is called again", _calls_again_what_runs_once),
    "by now": Planted(
        "S2.2",
        "what was called is called again, though it runs at most once by then",
        _calls_again_what_runs_once_by_now,
        made=ONCE_BY_NOW,
    ),
    "stale": Planted("S2.3", "results are taken whatever their token", _takes_stale_results, made=TAKEN_OVER),
    "keys": Planted("S2.4", "the key of a removed schedule is used again", _uses_keys_again, made=REPLACED),
    "torn": Planted("S2.5", "a cursor moves on although its decisions are lost", _moves_without_deciding),
    "junk": Planted(
        "S2.6",
        "a node dies of what a handler returns",
        _dies_of_what_a_handler_returns,
        dies=BufferError,
        made=RETURNS_JUNK,
    ),
    "busy": Planted("S2.7", "a count says who is busy, and is wrong at times", _counts_who_is_busy, made=GOES_ON),
    "early": Planted("S3.2", "what is almost due is begun at once", _does_not_wait_for_the_rest),
    "astray": Planted("S3.3", "a clock is believed whatever it shows", _believes_any_clock, made=ASTRAY),
    "late": Planted("S5.2", "nothing is too late to run", _runs_what_is_too_late, made=TOO_LATE),
    "backfilled": Planted(
        "S5.3", "what was backfilled is backfilled again", _backfills_what_went_well, made=BACKFILLED_TWICE
    ),
    "made up": Planted("S5.3", "what came due in a pause runs after it", _makes_up_for_a_pause, made=IS_TOLD),
    "skipped": Planted("S5.7", "what is skipped runs", _runs_what_is_skipped, made=IS_TOLD),
    "postponed": Planted("S5.7", "what is postponed runs at its time", _runs_what_is_postponed, made=PUT_OFF),
    "apart": Planted(
        "S5.4", "runs of a schedule that keeps them apart overlap", _keeps_nothing_apart, made=WAITS_ITS_TURN
    ),
    "precedence": Planted("S4.4", "names decide whatever takes precedence", _heeds_no_precedence, made=AT_ONCE),
    "room": Planted("S5.4", "there is always room for one more run", _lets_everything_run, made=IS_SKIPPED),
    "lane": Planted("S5.5", "a lane is free between two attempts", _frees_the_lane_of_a_retry, made=TRIES_AGAIN),
    "order": Planted("S5.5", "the first of a superseding lane runs, not the last", _lets_the_first_win, made=BOTH_DUE),
    "on and on": Planted("S5.9", "what keeps failing is not paused", _goes_on_failing, made=KEEPS_FAILING),
    "never": Planted("S6.4", "an error that is never tried again is", _tries_everything_again, made=NEVER_AGAIN),
    "soon": Planted("S6.4", "another attempt follows at once", _tries_again_at_once, made=BREAKS_TWICE),
    "given up": Planted("S6.4", "what failed once is given up", _gives_up_at_once, made=BREAKS_TWICE),
    "limit": Planted("S6.5", "who holds a resource is not counted", _lets_everybody_in, made=BOTH_NEED_IT),
    "gap": Planted("S6.5", "nobody waits for a gap or for a breaker", _waits_for_no_resource, made=ONE_AFTER_THE_OTHER),
    "lease": Planted("S7.2", "a node works on without a lease", _works_on_without_a_lease, made=CUT_OFF),
    "unknown": Planted("S7.4", "a claim that may be kept counts as refused", _doubts_nothing, made=NEVER_ANSWERED),
    **PLANTED_IN_NODES,
}
