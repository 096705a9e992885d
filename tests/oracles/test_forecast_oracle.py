"""Previews of drawn nights on which clocks are changed, against a node that lives through them, and the wall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.core.foreseeing import DAYS, NIGHTS, RULES, SPAN, Said, Told, beside, put_of, stored
from tests.making import HOUR, MINUTE, NOW, a_schedule
from trioarm.core.changes import Change, Claim, Finished, Verdict, restarted
from trioarm.core.forecast import Foreseen, Shift, preview
from trioarm.core.instants import DAY, as_datetime, instant
from trioarm.core.planning import plan
from trioarm.core.record import Amendment, AmendmentKind
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State, Step
from trioarm.core.triggers import After, Cron, Every, Once, Trigger, Weekly
from trioarm.repositories.memory import InMemoryScheduleRepository

PASSES_MAX = 20_000  # far beyond four schedules of every ten minutes: a node that gets nowhere fails instead of hanging

Line = tuple[int, str, State, Reason | None]


def _midnight(day: str) -> int:
    return instant(datetime.fromisoformat(day).replace(tzinfo=UTC))


def _lines(found: Iterable[Foreseen]) -> list[Line]:
    return [(one.due_at, one.schedule.name, one.decision, one.reason) for one in found]


async def _live(schedules: Sequence[Schedule], start: int, until: int, said: Said) -> list[Line]:
    """Return what a repository and the planner decide step by step, when every run ends as soon as it begins.

    What a pause takes away is left out, and what waits at the end has its chance, too.
    """
    repository = InMemoryScheduleRepository()
    await repository.commit([Change(schedules=[put_of(schedule, start, said)]) for schedule in schedules])
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
        overlap = draw(st.sampled_from(Overlap))
        supersede = lane is not None and not overlap.keeps_apart and draw(st.booleans())
        schedules.append(
            a_schedule(
                name,
                draw(_triggers(zone, start)),
                lane=lane,
                supersede=supersede,
                precedence=draw(st.integers(0, 1)) if supersede else 0,
                priority=draw(st.integers(4, 6)),
                max_runs=draw(st.none() | st.integers(1, 5)),
                overlap=overlap,
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


@st.composite
def _told(draw: st.DrawFn) -> Told:
    """Draw a night, and, every other time, what people say of it."""
    start, schedules = draw(_nights())
    return start, schedules, draw(_said(start, schedules)) if draw(st.booleans()) else {}


@given(_told())
@example(beside(Every(3600), Every(3600), NOW + HOUR, 7))
@example(beside(Every(900), Every(900), NOW + HOUR, 45))
@example(beside(After(1200), After(1200), NOW + 20 * MINUTE, 7))
@example(beside(Every(3600), Every(1800), NOW + HOUR, 45, NOW + HOUR))
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_preview_is_what_a_node_decides(told: Told) -> None:
    """Over every gap and fold, lane, fixed delay and bound, and whatever people said: the same decisions, in order."""
    start, schedules, said = told
    found = list(preview(stored(schedules, start, said), start, start + SPAN, RULES))
    assert sorted(_lines(found)) == sorted(trio.run(_live, schedules, start, start + SPAN, said))
    in_time = [one.due_at for one in found if one.due_at == one.nominal_at or one.decision is State.PENDING]
    assert in_time == sorted(in_time)


@given(_nights(), st.integers(1, SPAN // MINUTE))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_preview_from_later_on_is_the_rest(night: tuple[int, list[Schedule]], minutes: int) -> None:
    """What is shown of the future does not depend on where one begins to look; delays and counts of runs do."""
    start, drawn = night
    schedules = [one for one in drawn if one.max_runs is None and not isinstance(one.trigger, After)]
    records, later = stored(schedules, start), start + minutes * MINUTE
    whole = _lines(preview(records, start, start + SPAN, RULES))
    assert _lines(preview(records, later, start + SPAN, RULES)) == [line for line in whole if line[0] > later]


@given(_nights())
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_marks_are_those_of_the_wall(night: tuple[int, list[Schedule]]) -> None:
    """Times are those of the wall; a fold is marked where they come twice, a gap where they are not meant."""
    start, schedules = night
    for one in preview(stored(schedules, start), start, start + SPAN, RULES):
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
