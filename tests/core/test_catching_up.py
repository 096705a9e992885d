"""Back after a year: what a second would have held is decided in one pass, in a few rows, at once (S5.1, S5.2)."""

from __future__ import annotations

from datetime import datetime
from time import process_time

import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND, a_schedule
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import DAY
from trioarm.core.planning import DECISIONS_MAX, Group, PlanRules, plan
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Misfire, Overlap
from trioarm.core.states import Reason, State
from trioarm.core.triggers import Cron, Every, Exclude, Intersect, RRule, Trigger, Union

RULES = PlanRules()
YEAR = 365 * DAY
SECONDS = YEAR // SECOND
DOWN_AT = NOW - NOW % SECOND
BACK_AT = DOWN_AT + YEAR
DECIDED_IN_S = 2.0  # of a processor that others use as well; stepping takes minutes

TRIGGERS: dict[str, Trigger] = {
    "every": Every(1.0),
    "cron": Cron("* * * * * *", timezone="Europe/Prague"),
    "rrule": RRule("FREQ=SECONDLY", start=datetime.fromisoformat("2020-01-01")),
    "union": Union((Every(1.0), Cron("0 * * * * *"), Cron("*/7 * * * * *"))),
    "union of unions": Union((Union((Every(1.0), Every(2.0))), Union((Every(2.0), Every(4.0))))),
    "but at minutes": Exclude((Every(1.0), Cron("* * * * *"))),
    "only on days": Intersect((Every(1.0), on_weekdays(["mon", "tue", "wed", "thu", "fri"], "Europe/Prague"))),
}


def behind(trigger: Trigger, name: str = "beat", **policies: object) -> ScheduleRecord:
    """Return a schedule that was decided a year ago for the last time."""
    schedule = a_schedule(name, trigger, **policies)
    return ScheduleRecord(1, schedule, 1, DOWN_AT, trigger.next_after(DOWN_AT), DOWN_AT)


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_the_newest_runs_and_one_row_stands_for_the_others(trigger: Trigger) -> None:
    """By the default policy: a row with both ends and how many, a run, and the cursor is where now is."""
    began = process_time()
    change = plan(Group([behind(trigger)]), BACK_AT, RULES)
    assert process_time() - began < DECIDED_IN_S
    missed, run = change.decided
    newest = trigger.previous_before(BACK_AT + 1)
    assert newest is not None
    assert (run.state, run.nominal_at) == (State.PENDING, newest)
    assert (missed.state, missed.reason) == (State.MISSED, Reason.COALESCED)
    assert (missed.nominal_at, missed.last_at) == (trigger.next_after(DOWN_AT), trigger.previous_before(newest))
    assert missed.count == trigger.count(DOWN_AT, newest - 1)
    assert SECONDS // 2 < missed.count < SECONDS
    [move] = change.moved
    assert (move.cursor_at, move.next_due_at) == (BACK_AT, trigger.next_after(BACK_AT))


def test_a_second_of_each_kind_is_counted_exactly() -> None:
    """Where arithmetic tells, no number is a guess."""
    for name in ("every", "cron", "rrule"):
        missed, _ = plan(Group([behind(TRIGGERS[name])]), BACK_AT, RULES).decided
        assert (missed.count, missed.error) == (SECONDS - 1, None)


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_each_within_its_window_runs_a_chunk_at_a_time(trigger: Trigger) -> None:
    """One row for what is older than the window, then a run for each second of it, a thousand rows in a pass."""
    policies = {"misfire": Misfire.EACH, "misfire_window_s": 3_600.0, "overlap": Overlap.ALLOW}
    began = process_time()
    change = plan(Group([behind(trigger, **policies)]), BACK_AT, RULES)
    assert process_time() - began < DECIDED_IN_S
    missed, *runs = change.decided
    assert len(change.decided) == DECISIONS_MAX
    assert missed.last_at == trigger.previous_before(BACK_AT - HOUR)
    assert runs[0].nominal_at == trigger.next_after(BACK_AT - HOUR - 1)
    assert {run.state for run in runs} == {State.PENDING}
    [move] = change.moved
    assert move.next_due_at == trigger.next_after(runs[-1].nominal_at)


def test_what_is_not_caught_up_is_one_row() -> None:
    """By the policy `skip`, where the newest is too late; for a node that does not recover; after a pause."""
    late = behind(Every(90 * 60.0), misfire=Misfire.SKIP)
    [missed] = plan(Group([late]), BACK_AT - BACK_AT % (90 * MINUTE) + 80 * MINUTE, RULES).decided
    assert (missed.state, missed.reason, missed.count > 5_800) == (State.MISSED, Reason.TOO_LATE, True)
    [missed] = plan(Group([behind(Every(1.0))]), BACK_AT, PlanRules(recover_from=BACK_AT + 1)).decided
    assert (missed.reason, missed.count) == (Reason.RECOVERY_OFF, SECONDS)


def test_a_lane_of_seconds_is_one_pass() -> None:
    """Of all that superseding schedules of a lane would have done in a year the last one runs: a row for each other."""
    beats = [
        behind(trigger, name.replace(" ", "-"), lane="house", supersede=True) for name, trigger in TRIGGERS.items()
    ]
    began = process_time()
    change = plan(Group(beats), BACK_AT, RULES)
    assert process_time() - began < DECIDED_IN_S * len(beats)
    assert [run.state for run in change.decided].count(State.PENDING) == 1
    assert len(change.decided) == len(beats) + 1
    assert {run.state for run in change.decided} == {State.SUPERSEDED, State.PENDING}
    assert len(change.moved) == len(beats)
