from __future__ import annotations

import attrs
import pytest

from tests.making import MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.errors import UnknownRun
from trioarm.core.instants import as_datetime
from trioarm.core.run import Origin, Run, parse_run_id, render_run_id
from trioarm.core.states import ACTIVE, Reason, State, WaitingFor


def test_a_readable_id_names_the_occurrence() -> None:
    """The id is schedule and nominal instant; what did not come from the trigger, and a later epoch, say so (S2.4)."""
    assert render_run_id("arm-night", NOW, Origin.SCHEDULE) == "arm-night@2026-11-23T22:00:00Z"
    assert render_run_id("arm-night", NOW, Origin.MANUAL) == "arm-night@2026-11-23T22:00:00Z+manual"
    assert render_run_id("arm-night", NOW, Origin.SCHEDULE, 2) == "arm-night@2026-11-23T22:00:00Z~2"


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("epoch", [0, 7])
@pytest.mark.parametrize("nominal_at", [NOW, NOW + 1, NOW + 500_000])
def test_a_readable_id_is_read_back(nominal_at: int, origin: Origin, epoch: int) -> None:
    """What was written is read as what it says."""
    text = render_run_id("file/arm-night.2", nominal_at, origin, epoch)
    assert parse_run_id(text) == ("file/arm-night.2", nominal_at, origin, epoch)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arm-night",
        "@2026-11-23T22:00:00Z",
        "arm@yesterdayZ",
        "arm@2026-11-23T22:00:00",
        "arm@2026-11-23T22:00:00Z+magic",
        "arm@2026-11-23T22:00:00Z~",
        "arm@2026-11-23T22:00:00Z~1234567890",
        "arm@2026-13-23T22:00:00Z",
    ],
)
def test_what_is_no_readable_id_is_refused(text: str) -> None:
    """The refusal quotes the text and shows how to write one."""
    with pytest.raises(UnknownRun, match="is no id of a run: write it like"):
        parse_run_id(text)


def test_an_identity_is_key_epoch_instant_and_origin() -> None:
    """Each of the four parts tells runs apart, and nothing else does (S2.4)."""
    run = a_run(a_record(key=3))
    assert (run.occurrence, run.origin) == ((3, 0, NOW), Origin.SCHEDULE)
    others = [
        a_run(a_record(key=4)),
        a_run(a_record(key=3), NOW + 1),
        a_run(a_record(key=3), epoch=1),
        a_run(a_record(key=3), origin=Origin.BACKFILL),
    ]
    assert (run.occurrence, run.origin) not in [(other.occurrence, other.origin) for other in others]
    assert a_run(a_record(key=3), due_at=NOW + MINUTE, attempt=2, state=State.FAILED).occurrence == run.occurrence


@pytest.mark.parametrize("state", list(State))
def test_a_run_is_unfinished_while_its_state_has_a_way_out(state: State) -> None:
    """Pending, claimed and running are unfinished."""
    assert a_run(state=state).unfinished == (state in ACTIVE)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("token", [0, 1, 3])
def test_a_lane_is_held_from_the_first_claim_to_the_end(state: State, token: int) -> None:
    """A run holds its lane while it is claimed or running, and while it waits after that, attempt or not (S5.5)."""
    held = state in (State.CLAIMED, State.RUNNING) or (state is State.PENDING and token > 0)
    assert a_run(state=state, token=token, attempt=0).holds_lane == held


def test_what_people_see_is_a_copy() -> None:
    """A `Run` shows what the record said when it was made and does not change with it."""
    record = a_run(
        a_record(a_schedule("arm-night", handler="arming")),
        state=State.RUNNING,
        run_id=17,
        attempt=2,
        token=5,
        node="n1",
        started_at=NOW + 1_500_000,
        error="first try failed",
        waiting_for=None,
    )
    run = Run.of(record)
    assert (run.id, run.key, run.schedule, run.handler) == ("arm-night@2026-11-23T22:00:00Z", 17, "arm-night", "arming")
    assert (run.nominal_at, run.due_at) == (as_datetime(NOW), as_datetime(NOW))
    assert (run.started_at, run.finished_at, run.late_s) == (as_datetime(NOW + 1_500_000), None, 1.5)
    assert (run.state, run.attempt, run.token, run.node, run.error) == (State.RUNNING, 2, 5, "n1", "first try failed")
    record.state = State.SUCCEEDED
    assert run.state is State.RUNNING
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        run.state = State.SUCCEEDED  # type: ignore[misc]


def test_a_range_shows_both_ends_and_its_count() -> None:
    """What did not run may be one row for many occurrences (S2.1)."""
    row = a_run(
        state=State.MISSED,
        reason=Reason.TOO_LATE,
        last_at=NOW + 9 * MINUTE,
        count=10,
        finished_at=NOW + 10 * MINUTE,
    )
    run = Run.of(row)
    assert (run.last_at, run.occurrences, run.reason) == (as_datetime(NOW + 9 * MINUTE), 10, Reason.TOO_LATE)
    assert (run.started_at, run.late_s, run.finished_at) == (None, None, as_datetime(NOW + 10 * MINUTE))


def test_only_a_pending_run_says_what_it_waits_for() -> None:
    """A run that no longer waits does not show what it waited for last."""
    assert Run.of(a_run(waiting_for=WaitingFor.LANE)).waiting_for is WaitingFor.LANE
    assert Run.of(a_run(state=State.CLAIMED, waiting_for=WaitingFor.LANE)).waiting_for is None


def test_an_early_start_is_negative_lateness() -> None:
    """Lateness is measured from the instant a run was due, not from its occurrence."""
    assert Run.of(a_run(due_at=NOW + 30 * SECOND, started_at=NOW, state=State.RUNNING)).late_s == -30.0
