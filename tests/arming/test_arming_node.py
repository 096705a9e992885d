"""Whole nodes that arm: what becomes of a run is what the panel itself reports (A2, A3)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import (
    AWAY,
    DISARMED,
    EVENING,
    NIGHT,
    BenchPanel,
    Node,
    a_node,
    a_partition,
    arming,
    the_premises,
    virtual_clock,
)
from trioarm.arming.alerts import AlertKind
from trioarm.arming.model import Partition, Reported, VirtualPanel
from trioarm.arming.panels.base import FailureKind, PanelFailure
from trioarm.core.changes import Change
from trioarm.core.diff import first_put
from trioarm.core.instants import HOUR, MINUTE, SECOND
from trioarm.core.queries import RunQuery
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import Once
from trioarm.engine.attempt import RunContext
from trioarm.links.secrets import SecretRef
from trioarm.repositories.memory import InMemoryScheduleRepository


def at(seconds: float) -> int:
    return EVENING + round(seconds * SECOND)


async def test_a_run_succeeds_only_once_the_panel_is_past_its_exit_delay(autojump_clock: MockClock) -> None:
    """A run is `running` while the panel reports arming, and `succeeded` once it reports the target (A3.1)."""
    async with a_node(the_premises(arming("weeknight", NIGHT, 10))) as node:
        await node.at(39)
        assert (await node.installation.reported("house")).state is Reported.ARMING
        assert (await node.run_of("weeknight/house")).state is State.RUNNING
        await node.at(41)
        assert (await node.installation.reported("house")).state is Reported.ARMED_NIGHT
        run = await node.run_of("weeknight/house")
        assert run.state is State.SUCCEEDED
        assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}
        assert run.finished_at == at(40)


async def test_success_keeps_the_last_report_and_one_audit_entry(autojump_clock: MockClock) -> None:
    """The outcome's transaction keeps what the partition reported, and who had it so and why (A1.7, A5.1)."""
    async with a_node(the_premises(arming("weeknight", NIGHT, 10))) as node:
        await node.at(60)
        document = await node.repository.get_document("partition", "house")
        assert document is not None
        assert document.body["reported"] == "armed_night"
        (entry,) = await node.repository.read_journal("audit")
        assert entry.at == at(40)
        assert entry.body == {
            "actor": "schedule:weeknight/house",
            "origin": "schedule",
            "partition": "house",
            "verb": "arm",
            "before": "disarmed",
            "after": "armed_night",
            "reason": "1 sent",
            "correlation": "weeknight/house@2026-11-23T22:00:10Z",
        }


async def test_a_manual_run_says_so_in_the_audit(autojump_clock: MockClock) -> None:
    """The audit tells a person's run from the timetable's (A5.1)."""
    async with a_node(the_premises(arming("weeknight", NIGHT, 86400))) as node:
        await node.commands.fire("weeknight/house")
        await node.at(60)
        (entry,) = await node.repository.read_journal("audit")
        assert entry.body["origin"] == "manual"


async def test_an_open_zone_fails_the_run_by_name(autojump_clock: MockClock) -> None:
    """Arming blocked by open zones ends the run with their names, and sends nothing (A3.3)."""
    panel = VirtualPanel(open_zones=("kitchen window", "back door"))
    async with a_node(the_premises(arming("weeknight", NIGHT, 10), partitions=(a_partition(panel=panel),))) as node:
        await node.at(20)
        run = await node.run_of("weeknight/house")
        assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
        assert "kitchen window, back door" in (run.error or "")
        assert await node.repository.get_document("command", "house") is None
        (entry,) = await node.repository.read_journal("audit")
        assert entry.body["verb"] == "arm_failed"


async def test_a_zone_that_stands_open_does_not_hinder_disarming(autojump_clock: MockClock) -> None:
    """Open zones block arming only."""
    async with a_node(the_premises(arming("morning", DISARMED, 60))) as node:
        await node.panel().arm(NIGHT, "somebody")
        await node.at(10)
        await node.panel().open_zone("cellar")  # while it leaves by the exit delay
        await node.at(20)
        await node.panel().close_zone("cellar")
        await node.at(61)
        assert (await node.run_of("morning/house")).state is State.SUCCEEDED


def _with_code(tmp_path: Path, sent: str) -> Partition:
    (tmp_path / "expected").write_text("04x07-expected\n")
    (tmp_path / "sent").write_text(f"{sent}\n")
    panel = VirtualPanel(exit_delay_s=0, code=SecretRef(file=str(tmp_path / "expected")))
    return a_partition(panel=panel, code=SecretRef(file=str(tmp_path / "sent")))


async def _everything_kept(node: Node) -> str:
    kept: list[object] = []
    for namespace in ("panel", "command", "partition"):
        kept += await node.repository.list_documents(namespace)
    kept += await node.repository.read_journal("audit")
    run = await node.run_of("weeknight/house")
    return f"{kept} {run} {run.schedule}"


async def test_the_right_code_is_accepted_and_kept_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A code appears in no log, row, audit entry or result, leading zeros or not (A5.2)."""
    caplog.set_level(logging.DEBUG)
    partition = _with_code(tmp_path, "04x07-expected")
    async with a_node(the_premises(arming("weeknight", NIGHT, 10), partitions=(partition,))) as node:
        await node.at(20)
        assert (await node.run_of("weeknight/house")).state is State.SUCCEEDED
        assert "04x07" not in await _everything_kept(node)
        assert "04x07" not in caplog.text


async def test_a_wrong_code_is_rejected_and_kept_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A rejected code ends the run without another try, and neither code appears anywhere (A3.3, A5.2)."""
    caplog.set_level(logging.DEBUG)
    partition = _with_code(tmp_path, "08x15-wrong")
    async with a_node(the_premises(arming("weeknight", NIGHT, 10), partitions=(partition,))) as node:
        await node.at(3600)
        run = await node.run_of("weeknight/house")
        assert (run.state, run.reason, run.attempt) == (State.FAILED, Reason.DISCARDED, 1)
        assert "refuses the code" in (run.error or "")
        everything = await _everything_kept(node) + caplog.text
        assert "04x07" not in everything
        assert "08x15" not in everything
        assert (await node.installation.reported("house")).state is Reported.DISARMED


async def test_a_code_that_is_not_there_sends_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A missing code is named by its place, and no command is announced or sent."""
    partition = a_partition(panel=VirtualPanel(code=SecretRef(file=str(tmp_path / "none"))))
    async with a_node(the_premises(arming("weeknight", NIGHT, 10), partitions=(partition,))) as node:
        await node.at(20)
        run = await node.run_of("weeknight/house")
        assert run.state is State.FAILED
        assert str(tmp_path / "none") in (run.error or "")
        assert await node.repository.get_document("command", "house") is None


async def _after_downtime(until: float, arm_at: float, disarm_at: float, late_disarm_s: float = 900.0) -> Node:
    schedules = (arming("night", NIGHT, arm_at), arming("morning", DISARMED, disarm_at))
    async with a_node(the_premises(*schedules, late_disarm_s=late_disarm_s), start=False) as node:
        await node.at(until)
        node.engine.start()
        await trio.sleep(120)
    return node


async def test_of_an_arm_and_a_disarm_missed_together_only_the_later_counts(autojump_clock: MockClock) -> None:
    """After downtime the older is superseded, never sent; a disarm in its limit is applied (A2.1)."""
    node = await _after_downtime(until=30_600 + 600, arm_at=0, disarm_at=30_600)
    assert (await node.run_of("night/house")).state is State.SUPERSEDED
    morning = await node.run_of("morning/house")
    assert (morning.state, morning.result) == (
        State.SUCCEEDED,
        {"partition": "house", "reported": "disarmed", "sends": 0},
    )
    assert await node.repository.get_document("command", "house") is None


async def test_an_arm_and_a_disarm_both_within_tolerance_never_both_fire(autojump_clock: MockClock) -> None:
    """Also on time, only the last occurrence of one pass is applied (A2.1)."""
    node = await _after_downtime(until=120, arm_at=10, disarm_at=70)
    assert (await node.run_of("night/house")).state is State.SUPERSEDED
    assert (await node.run_of("morning/house")).state is State.SUCCEEDED
    assert await node.repository.get_document("command", "house") is None


async def test_a_disarm_later_than_its_limit_is_missed_and_the_arm_stays_superseded(autojump_clock: MockClock) -> None:
    """Nothing is sent after a downtime that outlasted the disarm's limit (A2.3)."""
    node = await _after_downtime(until=30_600 + 1200, arm_at=0, disarm_at=30_600)
    assert (await node.run_of("night/house")).state is State.SUPERSEDED
    assert (await node.run_of("morning/house")).state is State.MISSED
    assert await node.repository.get_document("panel", "house") is None


async def test_an_arm_hours_late_is_applied(autojump_clock: MockClock) -> None:
    """The slot lost while the machine was down is made up for until the next opening (A2.3)."""
    node = await _after_downtime(until=18_000, arm_at=0, disarm_at=30_600)
    assert (await node.run_of("night/house")).state is State.SUCCEEDED


async def test_a_disarm_cancels_an_arm_in_its_exit_delay(autojump_clock: MockClock) -> None:
    """A newer occurrence of the lane cancels the run that waits, and is carried out (S5.5)."""
    async with a_node(the_premises(arming("night", NIGHT, 10), arming("morning", DISARMED, 20))) as node:
        await node.at(21)
        night = await node.run_of("night/house")
        assert (night.state, night.reason) == (State.CANCELLED, Reason.SUPERSEDED)
        await node.at(25)
        assert (await node.run_of("morning/house")).state is State.SUCCEEDED
        assert (await node.installation.reported("house")).state is Reported.DISARMED


async def test_hanging_ordinary_handlers_do_not_delay_an_arm(autojump_clock: MockClock) -> None:
    """With every other worker hanging, the arm is sent within a second of its instant (S6.1)."""

    async def hang(run: RunContext) -> None:
        await trio.sleep_forever()

    async with a_node(the_premises(arming("weeknight", NIGHT, 10)), ordinary={"hang": hang}) as node:
        hanging = [Schedule(f"hang-{number}", Once(EVENING + SECOND), handler="hang") for number in range(10)]
        await node.commands.put_many(hanging)
        await node.at(11)
        command = await node.repository.get_document("command", "house")
        assert command is not None
        assert command.body["sent_at"] == "2026-11-23T22:00:10Z"
        assert (await node.installation.reported("house")).state is Reported.ARMING


async def _on_the_bench(panel: BenchPanel, seconds: float, *, state: Reported = Reported.DISARMED) -> Node:
    panel.state = state
    premises = the_premises(arming("weeknight", NIGHT, 10))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(seconds)
    return node


async def test_a_dropped_command_is_sent_again_after_the_timeout(autojump_clock: MockClock) -> None:
    """A second command follows only after exit delay and confirmation time have passed without effect (A3.2)."""
    panel = BenchPanel(virtual_clock(), drops=1)
    node = await _on_the_bench(panel, 200)
    assert [when for when, _ in panel.commands] == [at(10), at(70)]
    run = await node.run_of("weeknight/house")
    assert (run.state, run.result) == (
        State.SUCCEEDED,
        {"partition": "house", "reported": "armed_night", "sends": 2},
    )


async def test_three_commands_without_effect_end_the_run(autojump_clock: MockClock) -> None:
    """At most three are sent; then the run fails with the last state and what to do (A3.2, A3.4)."""
    panel = BenchPanel(virtual_clock(), drops=None)
    node = await _on_the_bench(panel, 86_400)
    assert [when for when, _ in panel.commands] == [at(10), at(70), at(130)]
    run = await node.run_of("weeknight/house")
    assert (run.state, run.attempt) == (State.FAILED, 1)
    assert "3 commands had no effect: the panel still reports disarmed" in (run.error or "")
    assert "look at the panel" in (run.error or "")


async def test_a_panel_already_in_the_target_gets_no_command(autojump_clock: MockClock) -> None:
    """The target already reported is success, nothing sent (A2.2)."""
    panel = BenchPanel(virtual_clock())
    node = await _on_the_bench(panel, 20, state=Reported.ARMED_NIGHT)
    assert panel.commands == []
    assert (await node.run_of("weeknight/house")).state is State.SUCCEEDED


@pytest.mark.parametrize("state", [Reported.TRIGGERED, Reported.PENDING])
async def test_a_panel_in_alarm_is_never_touched(state: Reported, autojump_clock: MockClock) -> None:
    """Triggered or in entry delay: no command, and the run says why (A2.2)."""
    panel = BenchPanel(virtual_clock())
    node = await _on_the_bench(panel, 3600, state=state)
    assert panel.commands == []
    run = await node.run_of("weeknight/house")
    assert run.state is State.FAILED
    assert "in alarm" in (run.error or "")


async def test_an_unreachable_panel_is_tried_again_until_it_answers(autojump_clock: MockClock) -> None:
    """Unavailable is not the end: the run waits for the panel, for hours (A3.3)."""
    panel = BenchPanel(virtual_clock(), unreachable=True)
    async with a_node(the_premises(arming("weeknight", NIGHT, 10)), clock=panel.clock, panels={"house": panel}) as node:
        await node.at(7200)
        run = await node.run_of("weeknight/house")
        assert (run.state, run.attempt > 20) == (State.PENDING, True)
        assert (await node.installation.reported("house")).state is Reported.UNAVAILABLE
        panel.unreachable = False
        await node.at(7200 + 200)
        assert (await node.run_of("weeknight/house")).state is State.SUCCEEDED
        assert len(panel.commands) == 1


async def test_a_disarm_that_waited_for_its_panel_is_not_sent_after_its_limit(autojump_clock: MockClock) -> None:
    """A late disarm applies within its limit, however the time was lost (A2.3)."""
    panel = BenchPanel(virtual_clock(), unreachable=True, state=Reported.ARMED_NIGHT)
    premises = the_premises(arming("morning", DISARMED, 10))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(10 + 700)
        assert (await node.run_of("morning/house")).state is State.PENDING
        await node.at(10 + 1200)
        run = await node.run_of("morning/house")
        assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
        (entry,) = await node.repository.read_journal("audit")
        assert (entry.body["verb"], entry.body["after"]) == ("disarm_failed", "unavailable")
        assert await node.repository.get_document("partition", "house") is None
        panel.unreachable = False
        await node.at(7200)
        assert panel.commands == []


async def test_a_refused_mode_is_not_tried_again(autojump_clock: MockClock) -> None:
    """Rejected is final (A3.3)."""
    panel = BenchPanel(virtual_clock(), refuses=PanelFailure(FailureKind.REJECTED, "it has no such mode"))
    node = await _on_the_bench(panel, 86_400)
    assert len(panel.commands) == 1
    assert (await node.run_of("weeknight/house")).state is State.FAILED


async def test_somebody_who_disarms_during_the_exit_delay_is_not_fought(autojump_clock: MockClock) -> None:
    """What went elsewhere after our command is a person's change: noticed at once, no second command (A3.7)."""
    async with a_node(the_premises(arming("weeknight", NIGHT, 10))) as node:
        await node.at(20)
        await node.panel().disarm("somebody")
        await node.at(21)
        run = await node.run_of("weeknight/house")
        assert run.state is State.FAILED
        assert "changed by somebody" in (run.error or "")
        await node.at(3600)
        assert (await node.installation.reported("house")).state is Reported.DISARMED


async def test_somebody_elses_arming_toward_the_target_is_waited_for(autojump_clock: MockClock) -> None:
    """Progress toward the target needs no command of ours (A3.2)."""
    async with a_node(the_premises(arming("weeknight", NIGHT, 10))) as node:
        await node.panel().arm(NIGHT, "somebody")
        await node.at(60)
        run = await node.run_of("weeknight/house")
        assert run.result == {"partition": "house", "reported": "armed_night", "sends": 0}
        assert run.finished_at == at(30)


async def test_a_node_that_stops_before_confirming_resumes_without_a_second_command(autojump_clock: MockClock) -> None:
    """After a stop between sending and confirming the next node reads first and goes on confirming (A3.5)."""
    repository, clock = InMemoryScheduleRepository(), virtual_clock()
    premises = the_premises(arming("weeknight", NIGHT, 10))
    async with a_node(premises, repository=repository, clock=clock) as node:
        await node.at(20)
    await trio.sleep(60)
    async with a_node(premises, repository=repository, clock=clock) as node:
        await node.at(81)
        run = await node.run_of("weeknight/house")
        assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}
        assert (run.state, run.token) == (State.SUCCEEDED, 2)


async def test_sends_are_counted_over_the_attempts_of_a_run(autojump_clock: MockClock) -> None:
    """A restart does not give a run three more commands (A3.2)."""
    repository, panel = InMemoryScheduleRepository(), BenchPanel(virtual_clock(), drops=None)
    premises = the_premises(arming("weeknight", NIGHT, 10))
    for until in (20, 80, 140, 3600):
        async with a_node(premises, repository=repository, clock=panel.clock, panels={"house": panel}) as node:
            await node.at(until)
    (run,) = (await repository.find_runs(RunQuery())).rows
    assert run.state is State.FAILED
    assert [when for when, _ in panel.commands] == [at(10), at(70), at(130)]


async def test_partitions_of_one_panel_are_commanded_in_turn_with_their_gap(autojump_clock: MockClock) -> None:
    """Commands to one physical panel keep the minimum gap; another panel is not held up (A3.8)."""
    names = ("house", "garage", "shed", "cabin")
    partitions = tuple(a_partition(name, min_gap_s=3.0) for name in names)
    clock = virtual_clock()
    panels = {name: BenchPanel(clock, physical="far" if name == "cabin" else "bench") for name in names}
    premises = the_premises(arming("all", AWAY, 10, *names), partitions=partitions)
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(60)
        for name in names:
            assert (await node.run_of(f"all/{name}")).state is State.SUCCEEDED
    sent = {name: panel.commands[0][0] for name, panel in panels.items()}
    assert sorted(sent[name] for name in names[:3]) == [at(10), at(13), at(16)]
    assert sent["cabin"] == at(10)


async def test_the_next_partition_waits_until_a_slow_command_is_sent(autojump_clock: MockClock) -> None:
    """Commands of one panel never overlap, however long one takes (A3.8)."""
    names = ("house", "garage", "shed")
    clock = virtual_clock()
    panels = {name: BenchPanel(clock, takes_s=5) for name in names}
    premises = the_premises(arming("all", AWAY, 10, *names), partitions=tuple(map(a_partition, names)))
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(60)
    assert sorted(panel.commands[0][0] for panel in panels.values()) == [at(10), at(15), at(20)]


async def test_somebody_who_arms_while_the_turn_is_awaited_spares_the_command(autojump_clock: MockClock) -> None:
    """Each send follows a fresh read: what is on its way by now is not commanded (A3.2)."""
    clock = virtual_clock()
    first, second = BenchPanel(clock), BenchPanel(clock)
    partitions = (a_partition("a", min_gap_s=20), a_partition("b", min_gap_s=20))
    premises = the_premises(arming("all", AWAY, 10, "a", "b"), partitions=partitions)
    async with a_node(premises, clock=clock, panels={"a": first, "b": second}) as node:
        await node.at(20)
        later = second if first.commands else first
        later.state = Reported.ARMING
        await node.at(40)
        later.state = Reported.ARMED_AWAY
        await node.at(60)
        assert later.commands == []
        for name in ("a", "b"):
            assert (await node.run_of(f"all/{name}")).state is State.SUCCEEDED


async def test_a_dropped_disarm_does_not_wait_for_an_exit_delay(autojump_clock: MockClock) -> None:
    """Disarming has none: the second command follows after the confirmation time alone."""
    panel = BenchPanel(virtual_clock(), drops=1, state=Reported.ARMED_NIGHT)
    partition = a_partition(panel=VirtualPanel(exit_delay_s=600), confirm_s=20)
    premises = the_premises(arming("morning", DISARMED, 10), partitions=(partition,))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(60)
    assert [when for when, _ in panel.commands] == [at(10), at(30)]


async def test_a_clock_set_back_does_not_hold_up_the_next_command(autojump_clock: MockClock) -> None:
    """The gap counts only from commands that lie in the past (S3.3)."""
    panel = BenchPanel(virtual_clock(), state=Reported.ARMED_NIGHT)
    premises = the_premises(arming("away", AWAY, 10), arming("morning", DISARMED, 86_400))
    async with a_node(premises, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(60)
        panel.clock.step(-3600)
        await node.commands.fire("morning/house")
        await trio.sleep(10)
        assert panel.state is Reported.DISARMED


async def test_waiting_is_not_busy(autojump_clock: MockClock) -> None:
    """An exit delay without any hint is polled about once a second, a hopeless panel no more often."""
    panel = BenchPanel(virtual_clock(), drops=None)
    await _on_the_bench(panel, 3600)
    assert panel.reads < 200


async def test_a_partition_that_may_not_be_disarmed_is_not(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A stored schedule cannot disarm what its owner has since protected (A2.4)."""
    repository, clock = InMemoryScheduleRepository(), virtual_clock()
    stray = Schedule("stray", Once(EVENING + SECOND), handler="arm", args={"partition": "house", "target": "disarmed"})
    await repository.commit([Change(schedules=[first_put(stray, EVENING)])])
    partition = a_partition(allow_disarm=False)
    async with a_node(the_premises(partitions=(partition,)), repository=repository, clock=clock) as node:
        await node.panel().arm(NIGHT, "somebody")
        await node.at(120)
        run = await node.run_of("stray")
        assert (run.state, "allow_disarm" in (run.error or "")) == (State.FAILED, True)
        assert (await node.installation.reported("house")).state is Reported.ARMED_NIGHT


async def test_the_installation_tells_what_is_reported_and_what_is_wanted(autojump_clock: MockClock) -> None:
    """Reported is the panel's word, desired is the timeline's (A1.6)."""
    async with a_node(the_premises(arming("night", NIGHT, 10), arming("morning", DISARMED, 3600))) as node:
        assert await node.installation.desired("house") is None
        await node.at(12)
        wanted = await node.installation.desired("house")
        assert wanted is not None
        assert (wanted.target, wanted.since_at, wanted.schedule) == (NIGHT, at(10), "night/house")
        assert (await node.installation.reported("house")).state is Reported.ARMING


async def test_a_clock_set_forward_ends_the_exit_delay_within_a_check_interval(autojump_clock: MockClock) -> None:
    """A wait follows the wall clock, at the latest when the nap that began before the step is over (S3.2)."""
    panel = VirtualPanel(exit_delay_s=1800)
    async with a_node(the_premises(arming("night", NIGHT, 10), partitions=(a_partition(panel=panel),))) as node:
        await node.at(20)
        node.clock.step(HOUR / SECOND)
        await trio.sleep(MINUTE / SECOND)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED


MOVED = PanelFailure(FailureKind.UNAVAILABLE, "it redirects to https://panel.example, which is not followed")


async def test_what_a_panel_said_to_the_last_command_is_told_in_the_end(autojump_clock: MockClock) -> None:
    """It takes no command, and says why; attempts that only read and wait know it as well."""
    clock = virtual_clock()
    panel = BenchPanel(clock, refuses=MOVED)
    async with a_node(the_premises(arming("night", NIGHT, 10)), clock=clock, panels={"house": panel}) as node:
        await node.at(1800)
        run = await node.run_of("night/house")
        assert (run.state, len(panel.commands)) == (State.FAILED, 3)
        text = f"3 commands had no effect: the panel still reports disarmed; to the last one it had said: {MOVED}"
        assert (await node.alert(AlertKind.ARM_FAILED)).text == f"it did not become armed_night: {text}"
        assert text in str(run.error)


async def test_what_it_said_before_it_took_one_is_not_told(autojump_clock: MockClock) -> None:
    """The last command was taken, and had no effect."""
    clock = virtual_clock()
    panel = BenchPanel(clock, refuses=MOVED, drops=None)
    async with a_node(the_premises(arming("night", NIGHT, 10)), clock=clock, panels={"house": panel}) as node:
        await node.at(15)
        panel.refuses = None
        await node.at(1800)
        alert = await node.alert(AlertKind.ARM_FAILED)
        assert alert.text.endswith("3 commands had no effect: the panel still reports disarmed")
