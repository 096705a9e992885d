"""Runs that depend on conditions: sent, left, changed, waiting or blocked, and who is told of it (A4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
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
from trioarm.arming.alerts import ADVICE
from trioarm.arming.audit import AUDIT
from trioarm.arming.conditions.settings import Depends, OnUnknown, PartitionCondition
from trioarm.arming.model import ArmingSchedule, Premises, Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelReport
from trioarm.core.alerts import AlertState, Severity
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.states import Reason, State
from trioarm.repositories.memory import InMemoryScheduleRepository

HOUSE = "night/house"
OUT = Depends(only_if=("out",))
PARTITIONS = (a_partition("house"), a_partition("gate"))
CONDITIONS = {
    "out": PartitionCondition(name="out", partition="gate", yes=frozenset({Reported.ARMED_AWAY})),
    "in": PartitionCondition(name="in", partition="gate", yes=frozenset({Reported.DISARMED})),
}


def depending(depends: Depends, *more: ArmingSchedule, target: Target = AWAY, **fields: Any) -> Premises:
    """Return premises whose schedule `night` depends on the gate."""
    one = attrs.evolve(arming("night", target, 100, **fields), depends=depends)
    return the_premises(one, *more, partitions=PARTITIONS, conditions=CONDITIONS)


@attrs.define
class Scene:
    """A node with two panels on a workbench: `house` is armed, and `gate` is what that depends on."""

    node: Node
    house: BenchPanel
    gate: BenchPanel

    async def ended(self) -> tuple[State, Reason | None]:
        run = await self.node.run_of(HOUSE)
        return run.state, run.reason

    async def said(self, kind: str | None = None) -> list[tuple[str, str]]:
        found = sorted(await self.node.alerts(kind), key=lambda alert: alert.raised_at)
        return [(alert.kind, alert.text) for alert in found]

    async def audited(self) -> list[tuple[object, object]]:
        entries = await self.node.repository.read_journal(AUDIT)
        return [(entry.body["verb"], entry.body["reason"]) for entry in entries]

    def sent(self) -> list[tuple[int, Target]]:
        return [(round((at - EVENING) / SECOND), target) for at, target in self.house.commands]


@attrs.define
class Open(BenchPanel):
    """A panel with a window that stands open."""

    async def read_state(self) -> PanelReport:
        return attrs.evolve(await BenchPanel.read_state(self), open_zones=("Kitchen",))


@asynccontextmanager
async def a_scene(
    premises: Premises,
    gate: Reported = Reported.ARMED_AWAY,
    *,
    house: BenchPanel | None = None,
    repository: InMemoryScheduleRepository | None = None,
    start: bool = True,
) -> AsyncIterator[Scene]:
    clock = virtual_clock() if house is None else house.clock
    house = house or BenchPanel(clock, physical="house")
    panel = BenchPanel(clock, state=gate, physical="gate")
    panels = {"house": house, "gate": panel}
    async with a_node(premises, clock=clock, panels=panels, repository=repository, start=start) as node:
        yield Scene(node, house, panel)


async def test_what_depends_on_what_is_so_is_sent(autojump_clock: MockClock) -> None:
    """And the audit says what the condition said."""
    async with a_scene(depending(OUT)) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.SUCCEEDED, None)
        assert scene.sent() == [(100, AWAY)]
        assert await scene.audited() == [("arm", "1 sent; out says yes (gate is armed_away)")]
        assert await scene.said() == []


async def test_a_condition_that_says_no_leaves_everything_as_it_is(autojump_clock: MockClock) -> None:
    """Nothing is sent, the run and the audit say which condition said what, and nobody is told (A4.5)."""
    async with a_scene(depending(OUT), Reported.DISARMED) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert (await scene.node.run_of(HOUSE)).error == (
            "house was not made armed_away: out says no (gate is disarmed)"
        )
        assert await scene.audited() == [("arm_left", "out says no (gate is disarmed)")]
        assert (scene.sent(), await scene.said()) == ([], [])


@pytest.mark.parametrize(
    ("gate", "state"), [(Reported.DISARMED, State.OVERRIDDEN), (Reported.ARMED_NIGHT, State.SUCCEEDED)]
)
async def test_not_if_is_the_opposite(gate: Reported, state: State, autojump_clock: MockClock) -> None:
    """It is carried out unless the condition holds."""
    async with a_scene(depending(Depends(not_if=("in",))), gate) as scene:
        await scene.node.at(200)
        assert (await scene.ended())[0] is state


async def test_what_is_so_already_is_not_asked_about(autojump_clock: MockClock) -> None:
    """A partition that is what it should be has succeeded, whatever a condition says (A2.2)."""
    panel = BenchPanel(virtual_clock(), state=Reported.ARMED_AWAY, physical="house")
    async with a_scene(depending(OUT), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.SUCCEEDED, None)
        assert scene.gate.reads == 0


# Nobody can tell


async def test_arming_proceeds_where_nobody_can_tell_and_says_so(autojump_clock: MockClock) -> None:
    """A notice and the audit, and nothing is left open once it is armed (A4.5)."""
    async with a_scene(depending(OUT)) as scene:
        scene.gate.unreachable = True
        await scene.node.at(200)
        assert await scene.ended() == (State.SUCCEEDED, None)
        why = "nobody can tell out (gate: no answer)"
        assert await scene.audited() == [("arm", f"1 sent; {why}")]
        alert = await scene.node.alert("condition_unknown")
        assert (alert.severity, alert.state) == (Severity.NOTICE, AlertState.RESOLVED)
        assert alert.text == f"it becomes armed_away, and {why}"


async def test_disarming_is_blocked_where_nobody_can_tell(autojump_clock: MockClock) -> None:
    """Unless somebody wants it otherwise: an open house is worse than a closed one."""
    panel = BenchPanel(virtual_clock(), state=Reported.ARMED_NIGHT, physical="house")
    async with a_scene(depending(OUT, target=DISARMED), Reported.UNKNOWN, house=panel) as scene:
        await scene.node.at(200)
        assert (await scene.ended())[0] is State.FAILED
        assert scene.sent() == []
        alert = await scene.node.alert("not_applied")
        assert "nobody can tell out (the panel of gate reports unknown), so nothing was sent" in alert.text
        assert alert.severity is Severity.ERROR
        assert "trioarm conditions list" in alert.advice


@pytest.mark.parametrize(("target", "kind"), [(AWAY, "arm_failed"), (DISARMED, "not_applied")])
async def test_what_is_blocked_is_told(target: Target, kind: str, autojump_clock: MockClock) -> None:
    """Nothing is sent, and somebody has to look."""
    panel = BenchPanel(virtual_clock(), state=Reported.ARMED_NIGHT, physical="house")
    blocking = attrs.evolve(OUT, on_unknown=OnUnknown.BLOCK)
    async with a_scene(depending(blocking, target=target), Reported.UNAVAILABLE, house=panel) as scene:
        await scene.node.at(200)
        assert scene.sent() == []
        assert [found for found, _ in await scene.said()] == [kind]
        verb = "arm_failed" if target is AWAY else "disarm_failed"
        assert [found for found, _ in await scene.audited()] == [verb]


async def test_waiting_ends_when_it_can_be_told(autojump_clock: MockClock) -> None:
    """One warning that it waits; then it is carried out, or left (A4.5)."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    async with a_scene(depending(waiting), Reported.UNKNOWN) as scene:
        await scene.node.at(110)
        alert = await scene.node.alert("condition_unknown")
        assert (alert.severity, alert.state) == (Severity.WARNING, AlertState.OPEN)
        assert alert.text.endswith("; it waits until 2026-11-24T22:01:40Z at the latest")
        run = await scene.node.run_of(HOUSE)
        assert (run.state, run.attempt) == (State.PENDING, 0)
        await scene.node.at(191)
        assert scene.sent() == []
        scene.gate.state = Reported.ARMED_AWAY
        await scene.node.at(210)
        assert await scene.ended() == (State.SUCCEEDED, None)
        assert scene.sent() == [(205, AWAY)]  # 15 s between looks
        assert (await scene.node.alert("condition_unknown")).state is AlertState.RESOLVED


async def test_what_waits_is_left_once_a_condition_says_no(autojump_clock: MockClock) -> None:
    """The warning that it waits is over with it."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    async with a_scene(depending(waiting), Reported.UNKNOWN) as scene:
        await scene.node.at(191)
        scene.gate.state = Reported.DISARMED
        await scene.node.at(300)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert (await scene.node.alert("condition_unknown")).state is AlertState.RESOLVED


async def test_what_waits_is_late_and_warns_first(autojump_clock: MockClock) -> None:
    """After hours people are no longer at the door (A2.3)."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    async with a_scene(depending(waiting), Reported.UNKNOWN) as scene:
        await scene.node.at(7_200)
        scene.gate.state = Reported.ARMED_AWAY
        await scene.node.at(7_600)
        assert await scene.ended() == (State.SUCCEEDED, None)
        [warned] = await scene.node.alerts("late_arm")
        [(sent_at, _)] = scene.house.commands
        assert sent_at == warned.raised_at + MINUTE


async def test_waiting_ends_with_an_alert_before_it_may_no_longer_be_done(autojump_clock: MockClock) -> None:
    """A day for what arms; nothing is sent, and the number of looks is bounded."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    async with a_scene(depending(waiting), Reported.UNKNOWN) as scene:
        await scene.node.at(90_000)
        run = await scene.node.run_of(HOUSE)
        assert run.state is State.FAILED
        assert "nobody can tell out" in (await scene.node.alert("arm_failed")).text
        assert "for as long as it might have been done" in (await scene.node.alert("arm_failed")).text
        assert scene.sent() == []
        assert 400 < run.token < 600
        assert scene.gate.reads <= run.token + 1


async def test_waiting_ends_before_the_partition_opens(autojump_clock: MockClock) -> None:
    """A night that is over is not made up for in the morning; that nobody armed it is told by then (A2.3)."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    premises = depending(waiting, arming("morning", DISARMED, 30_600))
    async with a_scene(premises, Reported.UNKNOWN) as scene:
        await scene.node.at(200)
        assert (await scene.node.alert("condition_unknown")).text.endswith("until 2026-11-24T06:30:00Z at the latest")
        await scene.node.at(30_599)
        assert (await scene.ended())[0] is State.FAILED
        assert (await scene.node.alert("arm_failed")).raised_at > EVENING + (30_600 - 200) * SECOND
        await scene.node.at(30_700)
        assert scene.sent() == []


async def test_what_waits_gives_way_to_what_comes_next(autojump_clock: MockClock) -> None:
    """The newest occurrence of a partition is the one that counts (A2.1)."""
    waiting = attrs.evolve(OUT, on_unknown=OnUnknown.WAIT)
    premises = depending(waiting, arming("later", NIGHT, 400))
    async with a_scene(premises, Reported.UNKNOWN) as scene:
        await scene.node.at(500)
        assert await scene.ended() == (State.CANCELLED, Reason.SUPERSEDED)
        assert scene.sent() == [(400, NIGHT)]


async def test_a_condition_that_is_not_configured_any_more_cannot_be_told(autojump_clock: MockClock) -> None:
    """A stored schedule may name it still: that is unknown, and never an error."""
    premises = depending(OUT)
    repository = InMemoryScheduleRepository()
    async with a_scene(premises, repository=repository, start=False):
        pass
    later = attrs.evolve(premises, schedules=(), conditions={})
    async with a_scene(later, repository=repository) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.SUCCEEDED, None)
        [(_, reason)] = await scene.audited()
        assert reason == "1 sent; nobody can tell out (there is no such condition: add it to the configuration)"


# Somebody is home: another mode


INSTEAD = attrs.evolve(OUT, otherwise=NIGHT)


async def test_somebody_who_is_home_changes_the_mode(autojump_clock: MockClock) -> None:
    """It becomes what it should instead, and that is what it should be: no drift, no alert (A4.5)."""
    async with a_scene(depending(INSTEAD), Reported.DISARMED) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.SUCCEEDED, None)
        assert scene.sent() == [(100, NIGHT)]
        why = "armed_night instead of armed_away: out says no (gate is disarmed)"
        assert await scene.audited() == [("arm", f"1 sent; {why}")]
        status = await scene.node.installation.persons.partition("house")
        assert (status.reported, status.desired) == (Reported.ARMED_NIGHT, NIGHT)
        assert await scene.node.installation.watcher.look("house") is False
        assert await scene.said() == []


async def test_what_it_became_instead_is_watched(autojump_clock: MockClock) -> None:
    """Drift is from what was confirmed (A3.7)."""
    async with a_scene(depending(INSTEAD), Reported.DISARMED) as scene:
        await scene.node.at(200)
        scene.house.state, scene.house.changed_by = Reported.DISARMED, "anna"
        await scene.node.at(400)
        assert await scene.node.installation.watcher.look("house") is True
        [(kind, text)] = await scene.said()
        assert (kind, text.split(":")[0]) == ("overridden", "it did not stay armed_night")


async def test_a_crash_after_the_command_resumes_with_what_was_sent(autojump_clock: MockClock) -> None:
    """Whatever conditions say by then, what was commanded is what is confirmed, with no second command (A3.5)."""
    repository, clock = InMemoryScheduleRepository(), virtual_clock()
    panel = BenchPanel(clock, takes_s=50.0, physical="house")
    async with a_scene(depending(INSTEAD), Reported.DISARMED, house=panel, repository=repository) as scene:
        await scene.node.at(110)
        assert scene.sent() == [(100, NIGHT)]
    panel.state = Reported.ARMED_NIGHT  # it arrived all the same
    async with a_scene(depending(INSTEAD), Reported.ARMED_AWAY, house=panel, repository=repository) as scene:
        await scene.node.at(400)
        assert (await scene.ended())[0] is State.SUCCEEDED
        assert scene.sent() == [(100, NIGHT)]
        [(verb, reason)] = await scene.audited()
        assert verb == "arm"
        assert "armed_night instead of armed_away: as conditions said before it was sent" in str(reason)


async def test_a_command_that_had_no_effect_is_asked_about_again(autojump_clock: MockClock) -> None:
    """Each command has a fresh answer behind it."""
    panel = BenchPanel(virtual_clock(), drops=1, physical="house")
    async with a_scene(depending(INSTEAD), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(110)
        scene.gate.state = Reported.ARMED_AWAY
        await scene.node.at(400)
        assert [target for _, target in scene.sent()] == [NIGHT, AWAY]
        assert await scene.ended() == (State.SUCCEEDED, None)
        assert (await scene.node.installation.persons.partition("house")).desired is AWAY


# People were told


WARNED = {"warn_s": (60.0,)}


async def test_a_warning_of_what_is_left_is_corrected_once(autojump_clock: MockClock) -> None:
    """At the moment it was announced for, and it says why (A4.5)."""
    async with a_scene(depending(OUT, **WARNED), Reported.DISARMED) as scene:
        await scene.node.at(101)
        corrected = "it does not become armed_away as announced: out says no (gate is disarmed)"
        assert [text for kind, text in await scene.said() if kind == "closing_changed"] == [corrected]
        await scene.node.at(400)
        assert [kind for kind, _ in await scene.said()] == ["closing_soon", "closing_changed"]
        assert (await scene.node.alert("closing_soon")).state is AlertState.RESOLVED


async def test_a_warning_of_another_mode_is_corrected_before_the_exit_delay(autojump_clock: MockClock) -> None:
    """With the command, so that people know while they can still leave or stay."""
    panel = BenchPanel(virtual_clock(), takes_s=20.0, physical="house")
    async with a_scene(depending(INSTEAD, **WARNED), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(105)
        why = "out says no (gate is disarmed)"
        corrected = ("closing_changed", f"it becomes armed_night, not armed_away as announced: {why}")
        assert await scene.said() == [
            ("closing_soon", "it becomes armed_away at 23:01, in 1m, only if out, otherwise armed_night"),
            corrected,
        ]
        await scene.node.at(400)
        assert await scene.said("closing_changed") == [corrected]
        assert await scene.ended() == (State.SUCCEEDED, None)


async def test_a_late_arm_obeys_its_conditions_when_it_is_sent(autojump_clock: MockClock) -> None:
    """Not when it warns: who came home in that minute stays undisturbed, and is told (A2.3)."""
    async with a_scene(depending(OUT), start=False) as scene:
        await scene.node.at(3_600)
        scene.node.engine.start()
        await scene.node.at(3_630)
        assert [kind for kind, _ in await scene.said()] == ["late_arm"]
        scene.gate.state = Reported.DISARMED
        await scene.node.at(3_700)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert scene.sent() == []
        assert (await scene.said())[1:] == [
            ("closing_changed", "it does not become armed_away as announced: out says no (gate is disarmed)")
        ]
        assert (await scene.node.alert("late_arm")).state is AlertState.RESOLVED


async def test_nobody_is_warned_of_a_late_arm_that_a_condition_forbids(autojump_clock: MockClock) -> None:
    """A warning would say what will not happen."""
    async with a_scene(depending(OUT), Reported.DISARMED, start=False) as scene:
        await scene.node.at(3_600)
        scene.node.engine.start()
        await scene.node.at(3_700)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert await scene.said() == []


async def test_a_late_arm_warns_of_the_mode_it_comes_to(autojump_clock: MockClock) -> None:
    """So that nothing has to be corrected."""
    async with a_scene(depending(INSTEAD), Reported.DISARMED, start=False) as scene:
        await scene.node.at(3_600)
        scene.node.engine.start()
        await scene.node.at(3_800)
        assert scene.sent() == [(3_660, NIGHT)]
        [(kind, text)] = await scene.said()
        assert (kind, text.split(" at ")[0]) == ("late_arm", "it becomes armed_night")


async def test_a_late_arm_that_changes_its_mode_after_its_warning_says_so(autojump_clock: MockClock) -> None:
    """Who was told of one mode is told of the other."""
    async with a_scene(depending(INSTEAD), Reported.DISARMED, start=False) as scene:
        await scene.node.at(3_600)
        scene.node.engine.start()
        await scene.node.at(3_630)
        scene.gate.state = Reported.ARMED_AWAY
        await scene.node.at(3_800)
        assert scene.sent() == [(3_660, AWAY)]
        why = "out says yes (gate is armed_away)"
        assert (await scene.said())[1:] == [
            ("closing_changed", f"it becomes armed_away, not armed_night as announced: {why}")
        ]


@pytest.mark.parametrize(("was", "alerts"), [(Reported.DISARMED, ["not_applied"]), (Reported.ARMED_NIGHT, [])])
async def test_what_gave_way_to_what_is_left_is_told(
    was: Reported, alerts: list[str], autojump_clock: MockClock
) -> None:
    """After downtime only the newest counts: where a condition leaves that, that neither is done is told (A2.1)."""
    panel = BenchPanel(virtual_clock(), state=was, physical="house")
    premises = depending(OUT, arming("earlier", NIGHT, 50))
    async with a_scene(premises, Reported.DISARMED, house=panel, start=False) as scene:
        await scene.node.at(3_600)
        scene.node.engine.start()
        await scene.node.at(3_700)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert (await scene.node.run_of("earlier/house")).state is State.SUPERSEDED
        assert [kind for kind, _ in await scene.said()] == alerts
        for _, text in await scene.said():
            assert text == (
                "it was not made armed_away: out says no (gate is disarmed); and earlier/house, which was to make it "
                "armed_night, had given way to it"
            )


# What comes first


async def test_a_hold_is_no_alarm_of_open_zones(autojump_clock: MockClock) -> None:
    """What is held is not to be armed, so nobody is told that it could not be."""
    panel = Open(virtual_clock(), physical="house")
    async with a_scene(the_premises(arming("night", AWAY, 100), partitions=PARTITIONS), house=panel) as scene:
        await scene.node.installation.persons.hold("partition/house", by="anna")
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.HOLD)
        assert [kind for kind, _ in await scene.said()] == ["overridden"]


async def test_a_hold_comes_before_conditions(autojump_clock: MockClock) -> None:
    """Who holds a partition is told that it was held; conditions are not asked."""
    async with a_scene(depending(OUT), Reported.DISARMED) as scene:
        await scene.node.installation.persons.hold("partition/house", by="anna")
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.HOLD)
        assert scene.gate.reads == 0


async def test_an_alarm_comes_before_conditions(autojump_clock: MockClock) -> None:
    """It is never touched, and people are told (A2.2)."""
    panel = BenchPanel(virtual_clock(), state=Reported.TRIGGERED, physical="house")
    async with a_scene(depending(OUT), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(200)
        assert [kind for kind, _ in await scene.said()] == ["in_alarm"]
        assert scene.gate.reads == 0


async def test_a_person_comes_before_conditions(autojump_clock: MockClock) -> None:
    """What somebody made of it since it was due stands (A2.2)."""
    since = EVENING + 101 * SECOND
    panel = BenchPanel(virtual_clock(), since_at=since, changed_by="anna", physical="house")
    async with a_scene(depending(OUT), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.PERSON)
        assert scene.gate.reads == 0


async def test_zones_are_no_trouble_where_nothing_is_to_be_armed(autojump_clock: MockClock) -> None:
    """Windows may stand open while somebody is home: no alert that it could not be armed."""
    panel = Open(virtual_clock(), physical="house")
    async with a_scene(depending(OUT), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert await scene.said() == []


async def test_a_panel_out_of_reach_is_not_tried_for_hours_where_nothing_is_to_be_armed(
    autojump_clock: MockClock,
) -> None:
    """A condition that says no says so whatever the panel may be."""
    panel = BenchPanel(virtual_clock(), unreachable=True, physical="house")
    async with a_scene(depending(OUT), Reported.DISARMED, house=panel) as scene:
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)


async def test_who_comes_while_conditions_are_asked_is_seen(autojump_clock: MockClock) -> None:
    """What took long to answer was asked about a house that may have changed: it is read again."""
    clock = virtual_clock()
    house = BenchPanel(clock, physical="house")

    @attrs.define
    class Slow(BenchPanel):
        async def read_state(self) -> PanelReport:
            await trio.sleep(5.0)
            house.state, house.changed_by = Reported.ARMED_AWAY, "anna"
            return PanelReport(state=Reported.ARMED_AWAY)

    async with a_node(
        depending(OUT), clock=clock, panels={"house": house, "gate": Slow(clock, physical="gate")}
    ) as node:
        await node.at(200)
        assert house.commands == []
        run = await node.run_of(HOUSE)
        assert (run.state, run.result) == (
            State.SUCCEEDED,
            {"partition": "house", "reported": "armed_away", "sends": 0},
        )


# What a partition should be


async def test_what_was_left_says_nothing_of_what_it_should_be(autojump_clock: MockClock) -> None:
    """What came before still counts, and nobody says that it drifted from what it never was to be."""
    earlier = arming("earlier", NIGHT, 50)
    async with a_scene(depending(OUT, earlier), Reported.DISARMED) as scene:
        await scene.node.at(90)
        assert (await scene.node.installation.persons.partition("house")).desired is NIGHT
        await scene.node.at(200)
        assert await scene.ended() == (State.OVERRIDDEN, Reason.CONDITION)
        assert (await scene.node.installation.persons.partition("house")).desired is NIGHT
        assert await scene.node.installation.watcher.look("house") is False
        scene.house.state, scene.house.changed_by = Reported.DISARMED, "anna"
        await scene.node.at(300)
        assert await scene.node.installation.watcher.look("house") is True
        [(kind, text)] = await scene.said()
        assert (kind, text.split(":")[0]) == ("overridden", "it did not stay armed_night")


async def test_where_nothing_came_before_nothing_is_wanted(autojump_clock: MockClock) -> None:
    """The first occurrence of all was left."""
    async with a_scene(depending(OUT), Reported.DISARMED) as scene:
        await scene.node.at(200)
        assert (await scene.node.installation.persons.partition("house")).desired is None


async def test_arguments_that_mean_nothing_are_said(autojump_clock: MockClock) -> None:
    """Somebody has stored what no condition can be read from: the run says so, and nothing is sent."""
    async with a_scene(depending(OUT), start=False) as scene:
        record = await scene.node.repository.get_schedule(HOUSE)
        assert record is not None
        args = {**record.schedule.args, "conditions": {"only_if": 7}}
        await scene.node.commands.put_many([attrs.evolve(record.schedule, args=args)])
        scene.node.engine.start()
        await scene.node.at(200)
        run = await scene.node.run_of(HOUSE)
        assert run.state is State.FAILED
        assert "nobody can tell what night/house depends on: conditions.only_if" in str(run.error)
        assert scene.sent() == []


def test_every_kind_of_failure_says_what_to_do() -> None:
    """Nobody can tell is one of them."""
    assert set(ADVICE) == set(FailureKind)
