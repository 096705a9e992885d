"""Previews are what a node decides, and explanations say what is so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cli.programs import REPOSITORY, environment
from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core import forecast
from trioarm.core.changes import Change, Claim, Finished, PutSchedule, Verdict, restarted
from trioarm.core.diff import first_put
from trioarm.core.errors import InvalidTrigger
from trioarm.core.forecast import Explanation, Foreseen, Shift, explain, preview, shift_of
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import DAY, as_datetime, instant, parse_instant
from trioarm.core.planning import PlanRules, plan
from trioarm.core.run import RunRecord
from trioarm.core.schedule import (
    Amendment,
    AmendmentKind,
    Misfire,
    Overlap,
    Pause,
    Schedule,
    ScheduleRecord,
    ScheduleState,
)
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Cron, Every, Exclude, Intersect, Once, Trigger, Weekly
from trioarm.repositories.memory import InMemoryScheduleRepository

RULES = PlanRules()
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NIGHTS = {  # midnight, UTC, of the days on which clocks are changed
    "Europe/Prague": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
}
SPAN = 3 * DAY
PASSES_MAX = 20_000  # far beyond four schedules of every ten minutes: a node that gets nowhere fails instead of hanging

Line = tuple[int, str, State, Reason | None]


def _midnight(day: str) -> int:
    return instant(datetime.fromisoformat(day).replace(tzinfo=UTC))


Said = dict[str, tuple[tuple[Amendment, ...], int | None]]  # by schedule: its amendments, and until when it is paused


def _put(schedule: Schedule, at: int, said: Said) -> PutSchedule:
    """Return the step that puts a schedule at an instant, with what people said of it."""
    put = first_put(schedule, at)
    put.amendments, until_at = said.get(schedule.name, ((), None))
    if until_at is not None:
        put.state, put.pause = ScheduleState.PAUSED, Pause("somebody", "", at, until_at)
    return put


def _stored(schedules: Iterable[Schedule], at: int, said: Said | None = None) -> list[ScheduleRecord]:
    """Return what a node would keep of schedules that were put at an instant."""
    records = []
    for key, schedule in enumerate(schedules, 1):
        put = _put(schedule, at, said or {})
        record = ScheduleRecord(key, schedule, 1, at, put.next_due_at, put.anchor_at, 0, put.state, put.pause)
        records.append(attrs.evolve(record, amendments=put.amendments))
    return records


def _lines(found: Iterable[Foreseen]) -> list[Line]:
    return [(one.due_at, one.schedule.name, one.decision, one.reason) for one in found]


async def _live(schedules: Sequence[Schedule], start: int, until: int, said: Said) -> list[Line]:
    """Return what a repository and the planner decide step by step, when every run ends as soon as it begins.

    What a pause takes away is left out, and what waits at the end has its chance, too.
    """
    repository = InMemoryScheduleRepository()
    await repository.commit([Change(schedules=[_put(schedule, start, said)]) for schedule in schedules])
    lines: list[Line] = []
    for _ in range(PASSES_MAX):
        now = repository.next_due_at
        if now is None or now > until:
            return lines + [_line(run, State.PENDING) for run in await repository.unfinished_runs()]
        changes = [plan(group, now, RULES) for group in (await repository.read_due(now, 100)).groups]
        verdicts = await repository.commit(changes)
        for change, verdict in zip(changes, verdicts, strict=True):
            if verdict is Verdict.DONE and not any(move.resumed for move in change.moved):
                settled = [run for run in change.decided if run.state is not State.PENDING]
                lines += [_line(run, run.state) for run in (*settled, *(step.run for step in change.steps))]
        while ready := await repository.read_ready(["work"], 1):
            lines.append(_line(ready[0], State.PENDING))
            await _run_at_once(repository, ready[0], now)
    raise AssertionError(f"after {PASSES_MAX} passes there is still something due at {now}")


async def _run_at_once(repository: InMemoryScheduleRepository, run: RunRecord, now: int) -> None:
    """Let a run begin and end."""
    claimed = await repository.commit([Change(steps=[Claim(run, 0, "n1", now)])])
    move = restarted(run.schedule, now)
    done = Finished(run, 1, Step.SUCCEED, now)
    ended = await repository.commit([Change(steps=[done], moved=[] if move is None else [move])])
    assert claimed == ended == [Verdict.DONE]


def _line(run: RunRecord, state: State) -> Line:
    return run.due_at, run.schedule.schedule.name, state, run.reason


@st.composite
def _triggers(draw: st.DrawFn, zone: str, start: int) -> Trigger:
    policies = {
        "gap": draw(st.sampled_from(("run_after", "shift", "skip"))),
        "fold": draw(st.sampled_from(("first", "second", "both"))),
    }
    times = st.sampled_from(("00:30", "01:15", "01:45", "02:00", "02:15", "02:30", "03:00", "22:00"))
    kinds = st.sampled_from(("weekly", "cron", "wild", "every", "after", "once"))
    match draw(kinds):
        case "weekly":
            return Weekly(DAYS, draw(st.lists(times, min_size=1, max_size=3)), zone, **policies)
        case "cron":
            return Cron(draw(st.sampled_from(("30 2 * * *", "0,45 1-2 * * *", "15 0-4/2 * * *"))), zone, **policies)
        case "wild":
            return Cron(draw(st.sampled_from(("*/15 * * * *", "*/40 1-3 * * *", "5 */2 * * *"))), zone)
        case "every":
            return Every(draw(st.sampled_from((900.0, 1800.0, 5400.0))))
        case "after":
            return After(draw(st.sampled_from((1200.0, 3600.0, 40_000.0))))
        case _:
            return Once(start + draw(st.integers(1, SPAN // MINUTE)) * MINUTE)


@st.composite
def _nights(draw: st.DrawFn) -> tuple[int, list[Schedule]]:
    """Draw a night on which clocks are changed, and schedules around it, some of which replace each other."""
    zone = draw(st.sampled_from(sorted(NIGHTS)))
    start = _midnight(draw(st.sampled_from(NIGHTS[zone]))) - DAY
    bounds = st.none() | st.integers(0, SPAN // MINUTE).map(lambda minutes: start + minutes * MINUTE)
    schedules = []
    for name in "abcd"[: draw(st.integers(1, 4))]:
        start_at, end_at = draw(bounds), draw(bounds)
        if start_at is not None and end_at is not None and end_at < start_at:
            start_at, end_at = end_at, start_at
        lane = draw(st.sampled_from((None, "house", "house", "garden")))
        schedules.append(
            a_schedule(
                name,
                draw(_triggers(zone, start)),
                lane=lane,
                supersede=lane is not None and draw(st.booleans()),
                priority=draw(st.integers(4, 6)),
                max_runs=draw(st.none() | st.integers(1, 5)),
                overlap=draw(st.sampled_from(Overlap)),
                misfire=draw(st.sampled_from(Misfire)),
                start_at=start_at,
                end_at=end_at,
                enabled=draw(st.sampled_from((True, True, True, False))),
            )
        )
    return start, schedules


@st.composite
def _said(draw: st.DrawFn, start: int, schedules: Sequence[Schedule]) -> Said:
    """Draw what people say of some of the next occurrences of schedules, and how long they are paused."""
    said: Said = {}
    for schedule in schedules:
        amendments = []
        at = schedule.next_after(start, schedule.anchored(start))
        for _ in range(10):
            if at is None:
                break
            minutes = draw(st.sampled_from((None, None, None, 0, 7, 45, 120)))
            if minutes is not None:
                kind = AmendmentKind.POSTPONE if minutes else AmendmentKind.SKIP
                until_at = at + minutes * MINUTE if minutes else None
                amendments.append(Amendment(kind, at, until_at, "somebody", "", start))
            at = schedule.next_after(at, schedule.anchored(start))
        hours = draw(st.sampled_from((None, None, None, 1, 30, 200)))
        said[schedule.name] = tuple(amendments), None if hours is None else start + hours * HOUR
    return said


Told = tuple[int, list[Schedule], Said]


@st.composite
def _told(draw: st.DrawFn) -> Told:
    """Draw a night, and, every other time, what people say of it."""
    start, schedules = draw(_nights())
    return start, schedules, draw(_said(start, schedules)) if draw(st.booleans()) else {}


def _beside(
    trigger: Trigger, other: Trigger, nominal_at: int, minutes: int, paused_until: int | None = None, name: str = "b"
) -> Told:
    """Return a lane in which `a` supersedes, until then paused, and another, which does not, is postponed once."""
    amendment = Amendment(AmendmentKind.POSTPONE, nominal_at, nominal_at + minutes * MINUTE, "somebody", "", NOW)
    schedules = [a_schedule("a", trigger, lane="house", supersede=True), a_schedule(name, other, lane="house")]
    return NOW, schedules, {"a": ((), paused_until), name: ((amendment,), None)}


@given(_told())
@example(_beside(Every(3600), Every(3600), NOW + HOUR, 7))
@example(_beside(Every(900), Every(900), NOW + HOUR, 45))
@example(_beside(After(1200), After(1200), NOW + 20 * MINUTE, 7))
@example(_beside(Every(3600), Every(1800), NOW + HOUR, 45, NOW + HOUR))
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_preview_is_what_a_node_decides(told: Told) -> None:
    """Over every gap and fold, lane, fixed delay and bound, and whatever people said: the same decisions, in order."""
    start, schedules, said = told
    found = list(preview(_stored(schedules, start, said), start, start + SPAN, RULES))
    assert sorted(_lines(found)) == sorted(trio.run(_live, schedules, start, start + SPAN, said))
    in_time = [one.due_at for one in found if one.due_at == one.nominal_at or one.decision is State.PENDING]
    assert in_time == sorted(in_time)


@pytest.mark.parametrize("name", ["0", "b"])
@pytest.mark.parametrize("paused_until", [None, NOW + HOUR])
def test_what_is_due_at_one_instant_does_not_depend_on_who_is_decided_first(
    name: str, paused_until: int | None
) -> None:
    """What came due together with an occurrence that supersedes is no older: it stays postponed, and then it runs."""
    start, schedules, said = _beside(Once(NOW + HOUR), Once(NOW + HOUR), NOW + HOUR, 7, paused_until, name)
    for order in (schedules, schedules[::-1]):
        found = preview(_stored(order, start, said), start, start + SPAN, RULES)
        assert [(one.due_at, one.schedule.name, one.decision) for one in found] == [
            (NOW + HOUR, "a", State.PENDING),
            (NOW + HOUR + 7 * MINUTE, name, State.PENDING),
        ]


def test_what_gives_way_at_an_instant_is_unfinished_until_then() -> None:
    """An occurrence that comes due when its postponed forerunner gives way is skipped, as in a node (S5.4)."""
    start, schedules, said = _beside(Once(NOW + 75 * MINUTE), Every(900), NOW + HOUR, 45)
    found = preview(_stored(schedules, start, said), NOW + 50 * MINUTE, NOW + 90 * MINUTE, RULES)
    assert {((one.nominal_at - NOW) // MINUTE, one.schedule.name): (one.decision, one.reason) for one in found} == {
        (60, "b"): (State.SUPERSEDED, Reason.SUPERSEDED),
        (75, "a"): (State.PENDING, None),
        (75, "b"): (State.SKIPPED, Reason.OVERLAP),
        (90, "b"): (State.PENDING, None),
    }


@given(_nights(), st.integers(1, SPAN // MINUTE))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_preview_from_later_on_is_the_rest(night: tuple[int, list[Schedule]], minutes: int) -> None:
    """What is shown of the future does not depend on where one begins to look; delays and counts of runs do."""
    start, drawn = night
    schedules = [one for one in drawn if one.max_runs is None and not isinstance(one.trigger, After)]
    records, later = _stored(schedules, start), start + minutes * MINUTE
    whole = _lines(preview(records, start, start + SPAN, RULES))
    assert _lines(preview(records, later, start + SPAN, RULES)) == [line for line in whole if line[0] > later]


@given(_nights())
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_marks_are_those_of_the_wall(night: tuple[int, list[Schedule]]) -> None:
    """Times are those of the wall; a fold is marked where they come twice, a gap where they are not meant."""
    start, schedules = night
    for one in preview(_stored(schedules, start), start, start + SPAN, RULES):
        zone = ZoneInfo(one.zone)
        wall = as_datetime(one.due_at).astimezone(zone)
        assert one.local_at.isoformat() == wall.isoformat()
        twice = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
        trigger = one.schedule.trigger
        if isinstance(trigger, Weekly):
            meant = f"{wall:%H:%M}" in trigger.at
            assert one.shifted is (Shift.FOLD if meant and twice else None if meant else Shift.GAP)
        elif isinstance(trigger, Cron):
            assert (one.shifted is Shift.FOLD) <= twice
            assert one.shifted is not None or not twice
        else:
            assert (one.zone, one.shifted) == ("UTC", None)


def test_a_fold_of_half_an_hour_is_marked() -> None:
    """Lord Howe Island sets its clocks back by thirty minutes: 01:45 comes twice, 01:15 once."""
    begin = parse_instant("2026-04-04T12:00:00Z")
    trigger = Weekly(DAYS, ("01:15", "01:45"), "Australia/Lord_Howe", fold="both")
    found = preview([a_record(a_schedule(trigger=trigger), cursor_at=begin)], begin, begin + DAY // 2, RULES)
    assert [(f"{one.local_at:%H:%M%z}", one.shifted) for one in found] == [
        ("01:15+1100", None),
        ("01:45+1100", Shift.FOLD),
        ("01:45+1030", Shift.FOLD),
    ]


def test_times_may_be_shown_elsewhere() -> None:
    """Another zone changes how an instant is written, and nothing else."""
    record = a_record(a_schedule(trigger=Weekly(DAYS, "02:30", "Europe/Prague")), cursor_at=NOW)
    here, there = (next(preview([record], NOW, NOW + DAY, RULES, zone)) for zone in (None, "America/New_York"))
    assert (here.zone, f"{here.local_at:%H:%M %z}") == ("Europe/Prague", "02:30 +0100")
    assert (there.zone, f"{there.local_at:%H:%M %z}") == ("America/New_York", "20:30 -0500")
    assert here.due_at == there.due_at
    with pytest.raises(InvalidTrigger, match="did you mean Europe/Prague"):
        next(preview([record], NOW, NOW + DAY, RULES, "Europe/Prag"))


@pytest.mark.parametrize("state", [ScheduleState.PAUSED, ScheduleState.FINISHED, ScheduleState.QUARANTINED])
def test_what_is_not_active_has_no_future(state: ScheduleState) -> None:
    """A schedule that is paused, finished or quarantined yields nothing."""
    assert list(preview([attrs.evolve(a_record(), state=state)], NOW, NOW + DAY, RULES)) == []


def test_a_preview_changes_no_record() -> None:
    """The planner works on copies."""
    records = [a_record(), a_record(a_schedule("delay", After(60)), key=2)]
    before = [attrs.asdict(record, recurse=False) for record in records]
    assert len(list(preview(records, NOW, NOW + HOUR, RULES))) == 120
    assert [attrs.asdict(record, recurse=False) for record in records] == before


def test_a_preview_begins_where_a_schedule_was_decided_to() -> None:
    """What is decided already is not foreseen again."""
    record = a_record(cursor_at=NOW + 10 * MINUTE)
    assert next(preview([record], NOW, NOW + HOUR, RULES)).due_at == NOW + 11 * MINUTE


def test_a_fixed_delay_at_work_is_foreseen_from_now() -> None:
    """Nobody knows when its run will end: a preview takes it as ending where the preview begins."""
    record = attrs.evolve(a_record(a_schedule(trigger=After(3600)), cursor_at=NOW), next_due_at=None)
    found = preview([record], NOW + 2 * HOUR, NOW + 4 * HOUR, RULES)
    assert [one.due_at for one in found] == [NOW + 3 * HOUR, NOW + 4 * HOUR]


def test_runs_left_are_counted() -> None:
    """A schedule that had seven of nine runs has two to come."""
    record = a_record(a_schedule(max_runs=9), runs=7)
    assert len(list(preview([record], NOW - 1, NOW + DAY, RULES))) == 2


def test_of_equal_instants_in_a_lane_one_runs() -> None:
    """What is superseded is shown as such, with the reason."""
    house = {"lane": "house", "supersede": True}
    records = _stored([a_schedule("arm", Every(3600), **house), a_schedule("disarm", Every(7200), **house)], NOW)
    said = {
        (one.due_at - NOW) // HOUR: (one.schedule.name, one.decision, one.reason)
        for one in preview(records, NOW, NOW + 2 * HOUR, RULES)
        if one.decision is not State.PENDING
    }
    assert said == {2: ("arm", State.SUPERSEDED, Reason.SUPERSEDED)}


def test_a_preview_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule of every millisecond ends too: after so many steps a preview stops."""
    monkeypatch.setattr(forecast, "STEPS_MAX", 50)
    assert len(list(preview([a_record(a_schedule(trigger=Every(0.001)))], NOW, NOW + DAY, RULES))) == 50


def look_a_year_ahead() -> float:
    """Foresee 400 days of a dozen schedules, and return how many seconds of a processor that took."""
    schedules = [
        a_schedule(f"s{n}", Weekly(DAYS, f"{n + 6:02}:30", "Europe/Prague"), lane=f"l{n % 3}", supersede=n % 2 == 0)
        for n in range(12)
    ]
    began_s = process_time()
    assert len(list(preview(_stored(schedules, NOW), NOW, NOW + 400 * DAY, RULES))) == 12 * 400
    return process_time() - began_s


def test_a_year_of_a_dozen_schedules_is_a_moment() -> None:
    """Looking ahead takes time for what happens, and none for groups that stay as they are. In a process of its own:
    nobody counts its lines there."""
    code = "from tests.core.test_forecast import look_a_year_ahead; print(look_a_year_ahead())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment({}), capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1


def test_a_skipped_and_a_postponed_occurrence_are_foreseen() -> None:
    """The one with its reason, the other when it will run, under the local time it has then."""
    record = a_record(a_schedule(trigger=Weekly(DAYS, "22:00", "Europe/Prague")), cursor_at=NOW)
    tomorrow = NOW + 23 * HOUR
    record.amendments = (
        Amendment(AmendmentKind.SKIP, tomorrow, None, "somebody", "", NOW),
        Amendment(AmendmentKind.POSTPONE, tomorrow + DAY, tomorrow + DAY + HOUR, "somebody", "", NOW, 1),
    )
    found = list(preview([record], NOW, NOW + 3 * DAY, RULES))
    assert [(one.nominal_at, one.due_at, one.decision, one.reason) for one in found] == [
        (tomorrow, tomorrow, State.SKIPPED, Reason.USER),
        (tomorrow + DAY, tomorrow + DAY + HOUR, State.PENDING, None),
        (tomorrow + 2 * DAY, tomorrow + 2 * DAY, State.PENDING, None),
    ]
    assert [f"{one.local_at:%H:%M}" for one in found] == ["22:00", "23:00", "22:00"]


def test_what_waits_already_is_foreseen() -> None:
    """A run that is postponed comes first, with its own instant; a fixed delay counts from its end."""
    delay = attrs.evolve(a_record(a_schedule("delay", After(3600)), key=2), cursor_at=NOW, next_due_at=None)
    paused = attrs.evolve(a_record(a_schedule("paused"), key=3), state=ScheduleState.PAUSED)
    waiting = [
        a_run(record, NOW - MINUTE, due_at=NOW + later * MINUTE, waiting_for=WaitingFor.POSTPONE)
        for record, later in ((delay, 30), (paused, 20))
    ]
    found = list(preview([delay, paused], NOW, NOW + 2 * HOUR, RULES, postponed=waiting))
    assert [((one.due_at - NOW) // MINUTE, one.schedule.name, one.decision) for one in found] == [
        (20, "paused", State.PENDING),
        (30, "delay", State.PENDING),
        (90, "delay", State.PENDING),
    ]
    assert all(run.state is State.PENDING for run in waiting)


def test_what_is_paused_until_an_instant_has_a_future_behind_it() -> None:
    """From that instant on, which is included; a fixed delay counts from it."""
    record = attrs.evolve(a_record(), state=ScheduleState.PAUSED, pause=Pause("somebody", "", NOW, NOW + 10 * MINUTE))
    assert next(preview([record], NOW, NOW + HOUR, RULES)).due_at == NOW + 10 * MINUTE
    delay = attrs.evolve(record, schedule=a_schedule(trigger=After(60)), next_due_at=NOW, anchor_at=NOW - MINUTE)
    assert next(preview([delay], NOW, NOW + HOUR, RULES)).due_at == NOW + 11 * MINUTE
    assert list(preview([record], NOW, NOW + 9 * MINUTE, RULES)) == []


# Explanations


def _explained(record: ScheduleRecord, now: int = NOW) -> Explanation:
    return explain(record, now, RULES)


def test_an_explanation_shows_before_and_after() -> None:
    """The rule in words, the occurrence before now and the next five, on the wall."""
    said = _explained(a_record(a_schedule(trigger=Cron("30 2 * * *", "Europe/Prague"))))
    assert (said.name, said.rule) == ("nightly", "every day at 02:30 in Europe/Prague")
    assert f"{said.previous_at:%d %H:%M %z}" == "23 02:30 +0100"
    assert [f"{at:%d %H:%M}" for at in said.next_at] == [f"{day} 02:30" for day in range(24, 29)]


def test_an_occurrence_now_is_the_previous_one() -> None:
    """What is due now is not to come any more."""
    said = _explained(a_record())
    assert said.previous_at == as_datetime(NOW)
    assert said.next_at[0] == as_datetime(NOW + MINUTE)


@pytest.mark.parametrize(
    ("fields", "previous_at", "first", "count"),
    [
        ({}, NOW, NOW + MINUTE, 5),
        ({"start_at": NOW + HOUR}, None, NOW + HOUR, 5),
        ({"start_at": NOW}, NOW, NOW + MINUTE, 5),
        ({"start_at": NOW + 1 - MINUTE, "end_at": NOW - 1}, None, None, 0),
        ({"end_at": NOW - HOUR}, NOW - HOUR, None, 0),
        ({"end_at": NOW + 2 * MINUTE}, NOW, NOW + MINUTE, 2),
        ({"max_runs": 9}, NOW, NOW + MINUTE, 2),
    ],
)
def test_an_explanation_keeps_to_the_bounds(
    fields: dict[str, Any], previous_at: int | None, first: int | None, count: int
) -> None:
    """Neither before the start nor after the end nor beyond the last run there are occurrences."""
    said = _explained(a_record(a_schedule(**fields), runs=7))
    assert said.previous_at == (None if previous_at is None else as_datetime(previous_at))
    assert said.next_at[:1] == (() if first is None else (as_datetime(first),))
    assert len(said.next_at) == count


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (a_record(), "it is the first one that the rule yields from now on"),
        (a_record(a_schedule(start_at=NOW + HOUR)), "it is the first one that the rule yields after its start"),
        (attrs.evolve(a_record(), state=ScheduleState.PAUSED), "the schedule is paused: nothing of it will run"),
        (
            attrs.evolve(a_record(), state=ScheduleState.PAUSED, pause=Pause("somebody", "", NOW, NOW + HOUR)),
            "the schedule is paused until 2026-11-23T23:00:00Z: nothing of it will run before",
        ),
        (a_record(a_schedule(trigger=Once(NOW - 1))), "nothing is to come"),
        (
            attrs.evolve(a_record(a_schedule(trigger=After(60))), next_due_at=None, anchor_at=NOW - HOUR),
            "its delay begins when the run that is at work ends",
        ),
    ],
)
def test_an_explanation_says_why_the_next_instant_is_what_it_is(record: ScheduleRecord, why: str) -> None:
    """A state, a bound, a run at work, or just the rule."""
    assert _explained(record).why == why


@pytest.mark.parametrize(
    ("gap", "next_at", "meant"),
    [("run_after", "03:00", "02:15"), ("shift", "03:15", "02:15")],
)
def test_an_explanation_names_what_a_gap_took(gap: str, next_at: str, meant: str) -> None:
    """It says which local time does not exist on that day, whatever runs instead."""
    evening = parse_instant("2026-03-28T20:00:00Z")
    said = _explained(a_record(a_schedule(trigger=Weekly(DAYS, "02:15", "Europe/Prague", gap=gap))), evening)
    assert f"{said.next_at[0]:%H:%M}" == next_at
    assert said.why == f"{meant} does not exist in Europe/Prague on that day, because clocks go forward"


def test_an_explanation_names_a_fold() -> None:
    """It says that the local time comes twice."""
    evening = parse_instant("2026-10-24T20:00:00Z")
    said = _explained(a_record(a_schedule(trigger=Weekly(DAYS, "02:15", "Europe/Prague"))), evening)
    assert said.why == "that local time comes twice in Europe/Prague on that day, because clocks go back"


@pytest.mark.parametrize(
    ("fields", "policies"),
    [
        (
            {},
            [
                "after downtime, only the newest occurrence runs, if it is not older than 1h",
                "while a run of it is unfinished, further occurrences are skipped",
            ],
        ),
        (
            {"misfire": "each", "misfire_window_s": 7200.0, "overlap": "allow", "lane": "disk", "max_runs": 3},
            [
                "after downtime, each occurrence not older than 2h runs",
                "its runs may overlap",
                "its runs wait for lane disk",
                "it ends after 3 runs",
            ],
        ),
        (
            {"misfire": "skip", "tolerance_s": 90.0, "lane": "house", "supersede": True},
            [
                "noticed more than 1m30s late, it is missed",
                "in lane house, only the last of all occurrences that came due counts; older runs give way",
            ],
        ),
        (
            {"misfire": "skip"},
            [
                "noticed more than 5m late, it is missed",
                "while a run of it is unfinished, further occurrences are skipped",
            ],
        ),
    ],
)
def test_each_policy_is_a_sentence(fields: dict[str, Any], policies: list[str]) -> None:
    """What was configured, or what the node does where nothing was."""
    assert list(_explained(a_record(a_schedule(**fields))).policies) == policies


def test_an_explanation_says_what_people_changed() -> None:
    """A sentence for each occurrence that somebody skipped or postponed, as long as it means something."""
    record = a_record()
    record.amendments = (
        Amendment(AmendmentKind.SKIP, NOW - HOUR, None, "somebody", "over", NOW),
        Amendment(AmendmentKind.SKIP, NOW + HOUR, None, "somebody", "guests", NOW),
        Amendment(AmendmentKind.POSTPONE, NOW + 2 * HOUR, NOW + 3 * HOUR, "another", "", NOW, 1),
    )
    assert _explained(record).policies[-2:] == (
        "the occurrence at 2026-11-23T23:00:00Z is skipped by somebody: guests",
        "the occurrence at 2026-11-24T00:00:00Z is postponed to 2026-11-24T01:00:00Z by another",
    )
    assert not any("over" in policy for policy in _explained(record).policies)


@given(st.integers(0, 3 * 365 * 24 * 4), st.sampled_from([*NIGHTS, "Pacific/Apia", "Antarctica/Troll", "UTC"]))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_fold_is_where_the_wall_shows_the_same_twice(quarters: int, zone: str) -> None:
    """By whatever amount clocks are set back, exactly the instants of both passes are marked."""
    trigger = Cron("*/15 * * * *", zone)
    at = parse_instant("2025-01-01T00:00:00Z") + quarters * 15 * MINUTE
    wall = as_datetime(at).astimezone(ZoneInfo(zone))
    twice = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
    assert shift_of(trigger, at) == (Shift.FOLD if twice else None)


@pytest.mark.parametrize(("zone", "quarters"), [*zip(NIGHTS, (8, 8, 4), strict=True), ("Antarctica/Troll", 16)])
def test_every_fold_of_a_year_is_marked(zone: str, quarters: int) -> None:
    """Walked through by quarters of an hour, a year has the folds that the tz database says, and no more."""
    trigger, begin = Cron("*/15 * * * *", zone), parse_instant("2026-01-01T00:00:00Z")
    marked = [begin + n * 15 * MINUTE for n in range(365 * 96) if shift_of(trigger, begin + n * 15 * MINUTE)]
    walls = [f"{as_datetime(at).astimezone(ZoneInfo(zone)):%d %H:%M}" for at in marked]
    assert len(walls) == quarters
    assert walls[: quarters // 2] == walls[quarters // 2 :]


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        (
            Exclude([Cron("0 6 * * *", "Europe/Prague"), on_weekdays(["tue"], "Europe/Prague")]),
            "Tue 24 Nov 06:00 is left out: on tue in Europe/Prague",
        ),
        (
            Intersect([on_weekdays(["wed"], "Europe/Prague"), Cron("0 6 * * *", "Europe/Prague")]),
            "Tue 24 Nov 06:00 is left out: not on wed in Europe/Prague",
        ),
        (
            Exclude([Cron("0 6 * * *"), Cron("0 6 24 11 *")]),
            "Tue 24 Nov 06:00 is left out: when also on day 24 of nov at 06:00 in UTC",
        ),
        (
            Exclude([Cron("0 6 * * *"), on_weekdays(["sun"], "UTC")]),
            "it is the first one that the rule yields from now on",
        ),
        (Exclude([Once(NOW - HOUR), on_weekdays(["sun"], "UTC")]), "nothing is to come"),
    ],
)
def test_what_is_left_out_before_the_next_one_is_told(trigger: Trigger, why: str) -> None:
    """The occurrence that people expect and will not see, and by which member of the rule."""
    assert _explained(a_record(a_schedule(trigger=trigger))).why == why


def test_what_is_left_out_before_the_start_is_not_told() -> None:
    """Nobody expected it."""
    trigger = Exclude([Cron("0 6 * * *"), on_weekdays(["tue"], "UTC")])
    record = a_record(a_schedule(trigger=trigger, start_at=NOW + DAY))
    assert _explained(record).why == "it is the first one that the rule yields after its start"
