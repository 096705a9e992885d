"""What is late: applied, overridden or left alone by what people did meanwhile, never without a word (A2.1-A2.3)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import (
    AWAY,
    DISARMED,
    EVENING,
    HOME,
    NIGHT,
    BenchPanel,
    Node,
    a_node,
    a_partition,
    arming,
    the_premises,
    virtual_clock,
)
from trioarm.arming.model import Premises, Reported, VirtualPanel
from trioarm.arming.panels.base import PanelReport
from trioarm.core.alerts import AlertState, Fact, Severity
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.instants import SECOND
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.states import Reason, State
from trioarm.repositories.memory import InMemoryScheduleRepository

LATE = 18_000  # five hours
NIGHTLY = the_premises(arming("night", NIGHT, 0), arming("morning", DISARMED, 30_600))


def at(seconds: float) -> int:
    return EVENING + round(seconds * SECOND)


@asynccontextmanager
async def back_after(
    seconds: float, premises: Premises = NIGHTLY, panel: BenchPanel | None = None
) -> AsyncIterator[Node]:
    """Run a node that is down until then: its schedules are stored, and nothing is decided before."""
    panels, clock = ({}, None) if panel is None else ({"house": panel}, panel.clock)
    async with a_node(premises, clock=clock, panels=panels, start=False) as node:
        await node.at(seconds)
        node.engine.start()
        yield node


def a_bench(state: Reported, **fields: object) -> BenchPanel:
    return BenchPanel(virtual_clock(), state=state, **fields)


# The warning of a late arm


async def test_a_late_arm_warns_a_minute_before_it_is_sent(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """People have a minute to leave; then it is armed, and the warning is over (A2.3)."""
    async with back_after(LATE) as node:
        await node.at(LATE + 59)
        warning = await node.alert("late_arm")
        assert (warning.severity, warning.state, warning.raised_at) == (Severity.WARNING, AlertState.OPEN, at(LATE))
        assert "it becomes armed_night at 2026-11-24T03:01:00Z, late: that was due at 2026-11-23T22:00:00Z" in (
            warning.text
        )
        assert warning.run == "night/house@2026-11-23T22:00:00Z"
        assert (await node.run_of("night/house")).state is State.PENDING
        assert await node.repository.get_document("command", "house") is None
        await node.at(LATE + 100)
        command = await node.repository.get_document("command", "house")
        assert command is not None
        assert command.body["sent_at"] == "2026-11-24T03:01:00Z"
        run = await node.run_of("night/house")
        assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
        assert (await node.alert("late_arm")).state is AlertState.RESOLVED
        assert len(await node.alerts()) == 1
    told = [record for record in caplog.records if record.name == "trioarm.alert"]
    assert [record.levelno for record in told] == [logging.WARNING]


@pytest.mark.parametrize(("down_until", "sent"), [(30, 60), (59.5, 60), (7200, 7200)])
async def test_a_crash_after_the_warning_neither_warns_again_nor_sends_earlier(
    down_until: float, sent: float, autojump_clock: MockClock
) -> None:
    """What was warned when is kept with the run: the minute counts from the first warning, whoever comes after."""
    repository, clock = InMemoryScheduleRepository(), virtual_clock()
    async with a_node(NIGHTLY, repository=repository, clock=clock, start=False) as node:
        await node.at(LATE)
        node.engine.start()
        await node.at(LATE + 20)
    await node.at(LATE + down_until)
    async with a_node(NIGHTLY, repository=repository, clock=clock) as node:
        await node.at(LATE + sent + 40)
        (warning,) = await node.alerts()
        assert warning.raised_at == at(LATE)
        run = await node.run_of("night/house")
        assert run.state is State.SUCCEEDED
        assert run.finished_at == at(LATE + sent + 30)


async def test_a_warning_whose_record_is_spoilt_lets_nothing_be_sent(autojump_clock: MockClock) -> None:
    """Nobody can tell how long ago people were warned: the run waits, and says which document to look at."""
    async with back_after(LATE) as node:
        await node.at(LATE + 20)
        (document,) = await node.repository.list_documents("alert")
        put = PutDocument("alert", document.key, document.version, {"spoilt": True})
        assert await node.repository.commit([Change(documents=[put])]) == [Verdict.DONE]
        await node.at(LATE + 600)
        run = await node.run_of("night/house")
        assert run.state is State.PENDING
        assert f"document alert/{document.key}" in (run.error or "")
        assert await node.repository.get_document("command", "house") is None


async def test_within_its_tolerance_an_arm_is_sent_without_a_warning(autojump_clock: MockClock) -> None:
    """A restart of a few minutes is no reason to tell people that it is late."""
    async with back_after(299) as node:
        await node.at(299 + 31)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED
        assert await node.alerts() == []


@pytest.mark.parametrize(("tolerance_s", "warned"), [(60.0, 1), (120.0, 0)])
async def test_what_is_late_is_said_by_the_schedule(tolerance_s: float, warned: int, autojump_clock: MockClock) -> None:
    """A tolerance of its own counts instead of the node's."""
    async with back_after(90, the_premises(arming("night", NIGHT, 0, tolerance_s=tolerance_s))) as node:
        await node.at(91)
        assert len(await node.alerts("late_arm")) == warned


async def test_a_disarm_within_its_limit_is_sent_without_a_warning(autojump_clock: MockClock) -> None:
    """Nobody has to leave a house because it is opened; what was recorded lets it be (A2.2, A2.3)."""
    panel = a_bench(Reported.DISARMED)
    premises = the_premises(arming("night", NIGHT, 10), arming("morning", DISARMED, 3600))
    repository = InMemoryScheduleRepository()
    async with a_node(premises, repository=repository, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(100)
    await node.at(3600 + 800)
    async with a_node(premises, repository=repository, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(3600 + 802)
        assert (await node.run_of("morning/house")).state is State.SUCCEEDED
        assert panel.state is Reported.DISARMED
        assert await node.alerts() == []


# The table, on whole nodes


async def test_a_late_arm_is_not_played_against_a_person(autojump_clock: MockClock) -> None:
    """Somebody came home after it was due: overridden, nothing sent, and people are told (A2.2)."""
    async with a_node(NIGHTLY, start=False) as node:
        await node.panel().arm(AWAY, "somebody")
        await node.at(3600)
        await node.panel().disarm("somebody")
        await node.at(LATE)
        node.engine.start()
        await node.at(LATE + 200)
        run = await node.run_of("night/house")
        assert (run.state, run.reason) == (State.OVERRIDDEN, Reason.PERSON)
        assert "house was not made armed_night: somebody made it disarmed at 2026-11-23T23:00:00Z" in (run.error or "")
        assert (await node.installation.reported("house")).state is Reported.DISARMED
        alert = await node.alert("overridden")
        assert (alert.severity, alert.settled_by, alert.run) == (
            Severity.WARNING,
            "armed_night",
            "night/house@2026-11-23T22:00:00Z",
        )
        assert await node.audit() == [("schedule:night/house", "arm_overridden")]
        assert len(await node.alerts()) == 1


async def test_a_person_who_acts_on_the_warning_is_heard(autojump_clock: MockClock) -> None:
    """What somebody does in the minute of the warning overrides the arm, and ends the warning."""
    async with back_after(LATE) as node:
        await node.at(LATE + 10)
        await node.panel().arm(AWAY, "somebody")
        await node.at(LATE + 20)
        await node.panel().disarm("somebody")
        await node.at(LATE + 100)
        assert (await node.run_of("night/house")).state is State.OVERRIDDEN
        assert (await node.alert("late_arm")).state is AlertState.RESOLVED
        assert (await node.alert("overridden")).state is AlertState.OPEN


async def test_a_change_between_the_instant_and_its_command_is_heard_on_time_too(autojump_clock: MockClock) -> None:
    """Three minutes late is on time, and long enough for somebody to come home."""
    async with a_node(NIGHTLY, start=False) as node:
        await node.panel().arm(AWAY, "somebody")
        await node.at(120)
        await node.panel().disarm("somebody")
        await node.at(180)
        node.engine.start()
        await node.at(300)
        assert (await node.run_of("night/house")).state is State.OVERRIDDEN


async def test_a_late_arm_of_what_is_armed_already_succeeds_in_silence(autojump_clock: MockClock) -> None:
    """Nothing is sent, nobody is warned, whoever armed it and whenever (A2.2)."""
    async with a_node(NIGHTLY, start=False) as node:
        await node.at(3600)
        await node.panel().arm(NIGHT, "somebody")
        await node.at(LATE)
        node.engine.start()
        await node.at(LATE + 1)
        run = await node.run_of("night/house")
        assert run.result == {"partition": "house", "reported": "armed_night", "sends": 0}
        assert await node.alerts() == []


@pytest.mark.parametrize(
    ("found", "state", "commands"),
    [(Reported.ARMED_HOME, State.SUCCEEDED, 2), (Reported.DISARMED, State.OVERRIDDEN, 1)],
)
async def test_a_silent_panel_is_judged_by_what_was_recorded_before_the_gap(
    found: Reported, state: State, commands: int, autojump_clock: MockClock
) -> None:
    """The same state as recorded: applied. Another one: somebody may have been there (A2.2)."""
    panel, repository = a_bench(Reported.DISARMED), InMemoryScheduleRepository()
    premises = the_premises(arming("evening", HOME, 10), arming("night", NIGHT, 3600))
    async with a_node(premises, repository=repository, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(100)
    panel.state = found
    await node.at(LATE)
    async with a_node(premises, repository=repository, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(LATE + 100)
        assert (await node.run_of("night/house")).state is state
        assert len(panel.commands) == commands


async def test_a_late_disarm_of_what_nobody_knows_is_not_applied(autojump_clock: MockClock) -> None:
    """Nothing was ever recorded: it stays closed, and people are told (A2.2)."""
    panel = a_bench(Reported.ARMED_NIGHT)
    async with back_after(800, the_premises(arming("morning", DISARMED, 0)), panel) as node:
        await node.at(900)
        run = await node.run_of("morning/house")
        assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
        alert = await node.alert("not_applied")
        assert "nothing was ever recorded of it" in alert.text
        assert alert.severity is Severity.ERROR
        assert panel.commands == []


@pytest.mark.parametrize("state", [Reported.TRIGGERED, Reported.PENDING])
@pytest.mark.parametrize("late", [0, 800])
async def test_a_panel_in_alarm_is_not_touched_and_people_are_told(
    state: Reported, late: int, autojump_clock: MockClock
) -> None:
    """On time or late: no command, and an alert that says to see to the alarm first (A2.2)."""
    panel = a_bench(state)
    async with back_after(late, the_premises(arming("morning", DISARMED, 0)), panel) as node:
        await node.at(late + 60)
        assert (await node.run_of("morning/house")).state is State.FAILED
        alert = await node.alert("in_alarm")
        assert (alert.severity, alert.advice) == (Severity.ERROR, "see to the alarm first")
        assert panel.commands == []


async def test_a_panel_out_of_reach_is_told_of_once_and_when_it_is_over(autojump_clock: MockClock) -> None:
    """However often it is tried: one alert, resolved by the success it waited for (A2.2)."""
    panel = a_bench(Reported.DISARMED, unreachable=True)
    async with a_node(the_premises(arming("night", NIGHT, 10)), clock=panel.clock, panels={"house": panel}) as node:
        await node.at(200)
        alert = await node.alert("unreachable")
        assert (alert.state, alert.raised_at) == (AlertState.OPEN, at(10))
        assert "no answer; it is tried until 2026-11-24T22:00:10Z" in alert.text
        panel.unreachable = False
        await node.at(400)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED
        (alert,) = await node.alerts()
        assert alert.resolved is not None
        assert (alert.resolved.by, alert.resolved.note) == ("schedule:night/house", "it is armed_night")


async def test_what_was_said_of_a_run_that_was_superseded_is_over_with_the_next(autojump_clock: MockClock) -> None:
    """The run that was out of reach did not live to say so; the one that took its place does."""
    panel = a_bench(Reported.DISARMED, unreachable=True)
    premises = the_premises(arming("night", NIGHT, 10), arming("morning", DISARMED, 200))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(190)
        panel.unreachable = False
        await node.at(210)
        assert (await node.run_of("night/house")).state is State.CANCELLED
        assert (await node.alert("unreachable")).state is AlertState.RESOLVED


async def test_an_arm_that_waited_for_its_panel_for_hours_warns_as_well(autojump_clock: MockClock) -> None:
    """It is late all the same: people who came home meanwhile have their minute."""
    panel = a_bench(Reported.DISARMED, unreachable=True)
    async with a_node(the_premises(arming("night", NIGHT, 10)), clock=panel.clock, panels={"house": panel}) as node:
        await node.at(3600)
        panel.unreachable = False
        await node.at(3600 + 400)
        warning = await node.alert("late_arm")
        assert [when for when, _ in panel.commands] == [warning.raised_at + 60 * SECOND]


async def test_a_disarm_out_of_reach_beyond_its_limit_is_told_as_not_applied(autojump_clock: MockClock) -> None:
    """The alert that it is tried again is over, the one that it was not done takes its place."""
    panel = a_bench(Reported.ARMED_NIGHT, unreachable=True)
    async with a_node(
        the_premises(arming("morning", DISARMED, 10)), clock=panel.clock, panels={"house": panel}
    ) as node:
        await node.at(10 + 1200)
        assert (await node.run_of("morning/house")).state is State.FAILED
        assert (await node.alert("unreachable")).state is AlertState.RESOLVED
        assert (await node.alert("not_applied")).state is AlertState.OPEN


async def test_a_late_arm_is_not_carried_past_the_next_opening(autojump_clock: MockClock) -> None:
    """It applies until the partition's next disarm, which a paused schedule is not (A2.3)."""
    panel = a_bench(Reported.DISARMED, unreachable=True)
    premises = the_premises(
        arming("night", NIGHT, 0), arming("early", DISARMED, LATE + 600), arming("morning", DISARMED, 30_600)
    )
    async with a_node(premises, clock=panel.clock, panels={"house": panel}, start=False) as node:
        await node.commands.pause("early/house", author="somebody")
        await node.at(LATE)
        node.engine.start()
        await node.at(LATE + 1)
        assert "it is tried until 2026-11-24T06:30:00Z" in (await node.alert("unreachable")).text


# What planning decides alone


async def test_a_disarm_older_than_its_limit_is_missed_with_an_alert(autojump_clock: MockClock) -> None:
    """The decision and its alert are one; the arm that it outlived is superseded without one (A2.3)."""
    async with back_after(30_600 + 1200) as node:
        await node.at(30_600 + 1201)
        assert (await node.run_of("morning/house")).state is State.MISSED
        (alert,) = await node.alerts()
        assert (alert.kind, alert.subject, alert.settled_by) == ("not_applied", "partition/house", "disarmed")
        assert "it was not made disarmed: that was due at 2026-11-24T06:30:00Z, which is too long ago" in alert.text
        assert alert.run == "morning/house@2026-11-24T06:30:00Z"


async def test_an_arm_older_than_a_day_is_missed_with_an_alert(autojump_clock: MockClock) -> None:
    """The arm that did not happen is never silent."""
    async with back_after(90_000, the_premises(arming("night", NIGHT, 0))) as node:
        await node.at(90_001)
        assert (await node.run_of("night/house")).state is State.MISSED
        assert "it was not made armed_night" in (await node.alert("not_applied")).text


# What fails


async def test_a_blocked_arm_says_which_zones_and_what_to_do(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Zones, attempts, commands, last state and advice are in the alert; the next success ends it (A3.4)."""
    panel = VirtualPanel(open_zones=("kitchen window", "back door"))
    schedules = arming("night", NIGHT, 10), arming("again", NIGHT, 3600)
    async with a_node(the_premises(*schedules, partitions=(a_partition(panel=panel),))) as node:
        await node.at(20)
        alert = await node.alert("arm_failed")
        assert alert.facts == (
            Fact("zones", "kitchen window, back door"),
            Fact("attempts", "1"),
            Fact("commands", "0"),
            Fact("last state", "disarmed"),
        )
        assert alert.advice == "close them, then trioarm partitions arm house --target armed_night"
        for zone in panel.open_zones:
            await node.panel().close_zone(zone)
        await node.at(3700)
        assert (await node.alert("arm_failed")).state is AlertState.RESOLVED
    (told,) = [record for record in caplog.records if record.name == "trioarm.alert"]
    assert told.levelno == logging.ERROR
    assert "kitchen window, back door" in told.getMessage()


async def test_a_driver_that_breaks_is_told_of_when_no_attempt_is_left(autojump_clock: MockClock) -> None:
    """An end the handler did not live to see raises its alert all the same."""

    class Broken(BenchPanel):
        async def read_state(self) -> PanelReport:
            raise ZeroDivisionError("a bug")

    panel = Broken(virtual_clock())
    premises = the_premises(arming("night", NIGHT, 10, retry=RetryPolicy(max_retries=1, base_s=1)))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(60)
        assert (await node.run_of("night/house")).state is State.FAILED
        (alert,) = await node.alerts()
        assert (alert.kind, alert.facts) == (
            "arm_failed",
            (Fact("schedule", "night/house"), Fact("attempts", "2")),
        )
        assert "ZeroDivisionError: a bug" in alert.text


async def test_retries_of_a_persons_own_policy_that_are_used_up_are_told(autojump_clock: MockClock) -> None:
    """Out of reach to the last attempt: people learn that it is over, too."""
    panel = a_bench(Reported.DISARMED, unreachable=True)
    premises = the_premises(arming("night", NIGHT, 10, retry=RetryPolicy(max_retries=0)))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(60)
        assert (await node.run_of("night/house")).state is State.FAILED
        assert sorted(alert.kind for alert in await node.alerts()) == ["arm_failed", "unreachable"]


async def test_a_stray_schedule_of_no_partition_is_told_of(autojump_clock: MockClock) -> None:
    """What cannot be carried out at all is no less a failure."""
    async with a_node(the_premises(arming("night", NIGHT, 86_400))) as node:
        await node.commands.fire("night/house", {"partition": "a:b", "target": 7})
        await trio.sleep(5)
        (alert,) = await node.alerts()
        assert (alert.kind, alert.subject) == ("arm_failed", "partition/a_b")
        assert "there is no partition 'a:b'" in alert.text


# What is later by the will of a person


async def test_what_was_postponed_is_not_late(autojump_clock: MockClock) -> None:
    """A person had it start later: it is on time then, warns of nothing, and what was done before does not end it."""
    async with a_node(the_premises(arming("night", NIGHT, 600))) as node:
        await node.commands.postpone("night/house", by_s=3_600, author="anna")
        await node.at(900)  # after its instant, before what it was postponed to
        await node.installation.persons.arm("house", AWAY, by="anna")
        await node.at(4_300)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED
        assert (await node.panel().read_state()).state is Reported.ARMED_NIGHT
        assert await node.alerts() == []


async def test_what_jitter_spreads_is_not_late(autojump_clock: MockClock) -> None:
    """However far that is: it is meant."""
    async with a_node(the_premises(arming("night", NIGHT, 600, jitter_s=7_200.0))) as node:
        await node.at(8_000)
        run = await node.run_of("night/house")
        assert run.started_at is not None
        assert run.started_at > at(600 + 300)
        assert run.state is State.SUCCEEDED
        assert await node.alerts() == []
