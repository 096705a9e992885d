"""Previews show what is to come, and explanations say what is so."""

from __future__ import annotations

import subprocess
import sys
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.programs import REPOSITORY, environment
from tests.core.foreseeing import DAYS, NIGHTS, RULES, SPAN, beside, stored
from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core import forecast
from trioarm.core.errors import InvalidTrigger
from trioarm.core.forecast import Explanation, Shift, explain, preview, shift_of
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import DAY, as_datetime, parse_instant
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import After, Cron, Every, Excepted, Exclude, Intersect, Once, Stretch, Trigger, Weekly


@pytest.mark.parametrize("name", ["0", "b"])
@pytest.mark.parametrize("paused_until", [None, NOW + HOUR])
def test_what_is_due_at_one_instant_does_not_depend_on_who_is_decided_first(
    name: str, paused_until: int | None
) -> None:
    """What came due together with an occurrence that supersedes is no older: it stays postponed, and then it runs."""
    start, schedules, said = beside(Once(NOW + HOUR), Once(NOW + HOUR), NOW + HOUR, 7, paused_until, name)
    for order in (schedules, schedules[::-1]):
        found = preview(stored(order, start, said), start, start + SPAN, RULES)
        assert [(one.due_at, one.schedule.name, one.decision) for one in found] == [
            (NOW + HOUR, "a", State.PENDING),
            (NOW + HOUR + 7 * MINUTE, name, State.PENDING),
        ]


def test_what_gives_way_at_an_instant_is_unfinished_until_then() -> None:
    """An occurrence that comes due when its postponed forerunner gives way is skipped, as in a node (S5.4)."""
    start, schedules, said = beside(Once(NOW + 75 * MINUTE), Every(900), NOW + HOUR, 45)
    found = preview(stored(schedules, start, said), NOW + 50 * MINUTE, NOW + 90 * MINUTE, RULES)
    assert {((one.nominal_at - NOW) // MINUTE, one.schedule.name): (one.decision, one.reason) for one in found} == {
        (60, "b"): (State.SUPERSEDED, Reason.SUPERSEDED),
        (75, "a"): (State.PENDING, None),
        (75, "b"): (State.SKIPPED, Reason.OVERLAP),
        (90, "b"): (State.PENDING, None),
    }


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
    records = stored([a_schedule("arm", Every(3600), **house), a_schedule("disarm", Every(7200), **house)], NOW)
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
    assert len(list(preview(stored(schedules, NOW), NOW, NOW + 400 * DAY, RULES))) == 12 * 400
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
        (
            Excepted(Cron("0 6 * * *"), [Stretch(NOW, NOW + DAY, "guests")]),
            "Tue 24 Nov 06:00 is left out: guests",
        ),
        (Exclude([Once(NOW - HOUR), on_weekdays(["sun"], "UTC")]), "nothing is to come"),
    ],
)
def test_what_is_left_out_before_the_next_one_is_told(trigger: Trigger, why: str) -> None:
    """The occurrence that people expect and will not see, and by which member of the rule."""
    assert _explained(a_record(a_schedule(trigger=trigger))).why == why


def test_what_is_otherwise_for_some_days_is_shown_and_why() -> None:
    """What is left out stands where it would be, in order with what happens, and what stands in says so, too."""
    stretch = Stretch(NOW, NOW + 2 * DAY, "guests")
    nightly, late = Cron("0 6 * * *"), Cron("30 5 * * *")
    records = [
        a_record(a_schedule("nightly", Excepted(nightly, [stretch])), key=1),
        a_record(a_schedule("late", Excepted(late, [stretch], inside=True)), key=2),
        a_record(a_schedule("paused", Excepted(nightly, [stretch]), enabled=False), key=3),
    ]
    records[2].state = ScheduleState.PAUSED
    found = preview(records, NOW, NOW + 3 * DAY, RULES)
    assert [(one.schedule.name, one.local_at.day, one.decision, one.exception) for one in found] == [
        ("late", 24, State.PENDING, "guests"),
        ("nightly", 24, State.SKIPPED, "guests"),
        ("late", 25, State.PENDING, "guests"),
        ("nightly", 25, State.SKIPPED, "guests"),
        ("nightly", 26, State.PENDING, None),
    ]
    alone = preview([a_record(a_schedule("once", Excepted(Once(NOW + HOUR), [stretch])))], NOW, NOW + DAY, RULES)
    assert [(one.due_at, one.reason, one.exception) for one in alone] == [(NOW + HOUR, None, "guests")]


def test_what_is_left_out_before_the_start_is_not_told() -> None:
    """Nobody expected it."""
    trigger = Exclude([Cron("0 6 * * *"), on_weekdays(["tue"], "UTC")])
    record = a_record(a_schedule(trigger=trigger, start_at=NOW + DAY))
    assert _explained(record).why == "it is the first one that the rule yields after its start"
