"""Whole nodes and a panel that does not answer: asked seldom, told of, and armed once it is back."""

from __future__ import annotations

import logging

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
from trioarm.arming.alerts import AlertKind
from trioarm.arming.commanding.line import Line, NotAsked
from trioarm.arming.conditions.settings import Depends, PartitionCondition
from trioarm.arming.installation import Installation
from trioarm.arming.model import ArmingSchedule, Premises, Reported
from trioarm.arming.panels.base import FailureKind, PanelFailure
from trioarm.core.alerts import AlertState
from trioarm.core.instants import SECOND
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.states import State
from trioarm.engine.clock import VirtualClock

ROOMS = ("attic", "cellar", "garage", "house")


def a_house(*schedules: ArmingSchedule) -> Premises:
    """Return premises of four partitions, armed at once unless said otherwise."""
    wanted = schedules or (arming("night", NIGHT, 10, *ROOMS),)
    return the_premises(*wanted, partitions=tuple(map(a_partition, ROOMS)))


def panels_in(clock: VirtualClock, **fields: object) -> dict[str, BenchPanel]:
    """Return the partitions of one panel, which does not answer."""
    return {name: BenchPanel(clock, unreachable=True, **fields) for name in ROOMS}  # type: ignore[arg-type]


def reads(panels: dict[str, BenchPanel]) -> int:
    return sum(panel.reads for panel in panels.values())


def come_back(panels: dict[str, BenchPanel]) -> None:
    for panel in panels.values():
        panel.unreachable = False


async def states(node: Node) -> set[State]:
    return {(await node.run_of(f"night/{name}")).state for name in ROOMS}


async def test_four_partitions_of_a_dead_panel_ask_it_as_one_would(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each run asks once; then one of them tries after each pause, however many wait. All are armed once it is back."""
    caplog.set_level(logging.INFO, "trioarm.arming")
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await node.at(11)
        assert reads(panels) == 4
        await node.at(10 + 3600)
        assert 4 + 3600 / 180 <= reads(panels) <= 4 + 1 + 6 + 3600 / 120
        assert await states(node) == {State.PENDING}
        assert [alert.kind for alert in await node.alerts()] == [AlertKind.UNREACHABLE] * 4
        come_back(panels)
        await node.at(10 + 3600 + 120 + 1 + len(ROOMS) + 180)
        assert await states(node) == {State.SUCCEEDED}
        assert [len(panel.commands) for panel in panels.values()] == [1, 1, 1, 1]
        assert {alert.state for alert in await node.alerts("unreachable")} == {AlertState.RESOLVED}
    told = [record.getMessage() for record in caplog.records if "bench" in record.getMessage()]
    assert told[:2] == [
        "bench has not answered 5 times in a row, and is left alone for 10 s: no answer",
        "bench answers again",
    ]
    assert len(told) == 3
    assert told[2].startswith("bench is asked now by runs that waited for it: ")


async def test_a_panel_that_restarts_is_armed_within_seconds(autojump_clock: MockClock) -> None:
    """A short outage costs about what it lasts: the first pauses are short, and one answer is enough for all."""
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await node.at(15)
        come_back(panels)
        await node.at(15 + 10 + 2 * len(ROOMS))
        assert await states(node) == {State.SUCCEEDED}


async def test_a_run_that_comes_due_asks_at_least_once(autojump_clock: MockClock) -> None:
    """Whoever was left without an answer before: a panel that is back by then is armed to the second."""
    clock = virtual_clock()
    panels = panels_in(clock)
    premises = a_house(arming("night", NIGHT, 10, "attic", "cellar", "garage"), arming("later", AWAY, 600, "house"))
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(599)
        assert panels["house"].reads == 0
        come_back(panels)
        await node.at(601)
        assert panels["house"].commands == [(EVENING + 600 * SECOND, AWAY)]


async def test_a_person_is_obeyed_and_closes_it(autojump_clock: MockClock) -> None:
    """What somebody asks for is asked at once; the answer counts for all who wait."""
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await node.at(1800)
        before = reads(panels)
        for _ in range(3):
            with pytest.raises(PanelFailure) as raised:
                await node.installation.persons.arm("house", AWAY, by="ann")
            assert (raised.value.kind, str(raised.value)) == (FailureKind.UNAVAILABLE, "no answer")
        assert reads(panels) == before + 3
        come_back(panels)
        assert (await node.installation.persons.arm("house", AWAY, by="ann")).state is Reported.ARMED_AWAY
        assert panels["house"].commands[-1] == (clock.now(), AWAY)


async def test_a_look_closes_it(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Looks ask whether it is open or not; the first that is answered ends the pause for all partitions."""
    caplog.set_level(logging.INFO, "trioarm.arming")
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await node.at(1800)
        assert await node.installation.watcher.look("cellar") is None
        come_back(panels)
        assert "answers again" not in caplog.text
        await node.installation.watcher.look("cellar")
        assert "bench answers again" in caplog.text


async def a_panel_that_is_back(node: Node, panels: dict[str, BenchPanel]) -> None:
    """Let the panel be back in the middle of a pause of which there is much left."""
    await node.at(100)
    assert node.installation.premises.watch_s == 60  # the last look was at 60 s
    come_back(panels)
    runs = [await node.run_of(f"night/{name}") for name in ROOMS]
    assert max(run.due_at for run in runs) > EVENING + 120 * SECOND


async def test_whoever_waited_asks_as_soon_as_a_look_is_answered(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A pause without a reason is over, for all partitions: one that a person held back was not waiting for it."""
    caplog.set_level(logging.INFO, "trioarm.arming")
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await a_panel_that_is_back(node, panels)
        await node.installation.watcher.look("cellar")
        await node.at(100 + 2 * len(ROOMS))
        assert await states(node) == {State.SUCCEEDED}
        assert [len(panel.commands) for panel in panels.values()] == [1, 1, 1, 1]
    assert "bench is asked now by runs that waited for it: 4" in caplog.text


async def test_whoever_waited_asks_as_soon_as_a_person_was_obeyed(autojump_clock: MockClock) -> None:
    """What somebody asks of one partition shows for the others that the panel answers."""
    clock = virtual_clock()
    panels = panels_in(clock)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        await a_panel_that_is_back(node, panels)
        await node.installation.persons.arm("house", NIGHT, by="ann")
        await node.at(100 + 2 * len(ROOMS))
        assert await states(node) == {State.SUCCEEDED}


async def test_whoever_waited_asks_as_soon_as_another_process_was_answered(autojump_clock: MockClock) -> None:
    """A person at a terminal is no node; the one that runs hears of it by what is kept, and by no question of its own.

    What was kept before the panel fell silent says nothing.
    """
    clock = virtual_clock()
    panels = panels_in(clock)
    come_back(panels)
    async with a_node(a_house(), clock=clock, panels=panels) as node:
        terminal = Installation(node.installation.premises, node.repository, clock, panels=panels)
        await terminal.persons.disarm("house", by="ann")
        for panel in panels.values():
            panel.unreachable = True
        await node.at(90)
        node.installation.doubt()
        await a_panel_that_is_back(node, panels)
        await terminal.persons.arm("house", AWAY, by="ann")
        before = reads(panels)
        await node.at(102)
        assert reads(panels) == before
        node.installation.doubt()
        await node.at(102 + 2 * len(ROOMS))
        assert await states(node) == {State.SUCCEEDED}


async def test_a_run_whose_own_condition_is_answered_does_not_wait_either(autojump_clock: MockClock) -> None:
    """While it is about to leave the panel alone, it finds out from another partition that it need not."""
    clock = virtual_clock()
    panels = panels_in(clock)
    every_second = RetryPolicy(max_retries=100, base_s=1.0, max_s=1.0)
    night = attrs.evolve(arming("night", NIGHT, 10, "house", retry=every_second), depends=Depends(only_if=("calm",)))
    calm = PartitionCondition(name="calm", partition="attic", yes=frozenset({Reported.DISARMED}))
    premises = attrs.evolve(a_house(night), conditions={"calm": calm})
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(12)
        come_back(panels)
        assert reads(panels) == 6  # three attempts, and the breaker has opened
        await node.at(14.5)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED


async def test_what_somebody_postponed_waits_as_long_as_they_said(autojump_clock: MockClock) -> None:
    """It is the panel that no run waits for any more, not a person."""
    clock = virtual_clock()
    panels = panels_in(clock)
    premises = a_house(arming("night", NIGHT, 10, *ROOMS), arming("later", AWAY, 95, "house"))
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(20)
        await node.commands.postpone("later/house", by_s=600)
        await node.at(100)
        come_back(panels)
        await node.installation.watcher.look("cellar")
        await node.at(100 + 500)
        later = await node.run_of("later/house")
        assert (later.state, later.due_at) == (State.PENDING, EVENING + 695 * SECOND)


async def test_what_may_not_be_carried_out_later_is_tried_at_its_end(autojump_clock: MockClock) -> None:
    """A disarm whose time would be over before the pause asks all the same: it is not the breaker that misses it."""
    clock = virtual_clock()
    panels = panels_in(clock, state=Reported.ARMED_NIGHT)
    premises = a_house(arming("night", DISARMED, 10, *ROOMS))
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(10 + 900 - 121)
        before = {name: panel.reads for name, panel in panels.items()}
        await node.at(10 + 900 + 400)
        assert all(panel.reads > before[name] for name, panel in panels.items())
        assert await states(node) == {State.FAILED}
        assert sorted(alert.kind for alert in await node.alerts()) == ["not_applied"] * 4 + ["unreachable"] * 4


async def test_an_attempt_that_asked_nothing_is_not_counted(autojump_clock: MockClock) -> None:
    """Who says how often it is tried means tries: those of others do not use them up, nor do pauses."""
    clock = virtual_clock()
    panels = panels_in(clock)
    few = RetryPolicy(max_retries=3, base_s=1.0, max_s=1.0)
    premises = a_house(arming("night", NIGHT, 10, *ROOMS, retry=few))
    async with a_node(premises, clock=clock, panels=panels) as node:
        await node.at(3600)
        assert await states(node) == {State.FAILED}
        assert {(await node.run_of(f"night/{name}")).attempt for name in ROOMS} == {4}
        assert [panel.reads for panel in panels.values()] == [4, 4, 4, 4]


async def test_a_refusal_is_an_answer(autojump_clock: MockClock) -> None:
    """A panel that says no is there."""
    line = Line("bench", ("house",))
    for _ in range(20):
        with pytest.raises(PanelFailure), line.asking():
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")
        line.leave_alone("house", EVENING, EVENING)
        with pytest.raises(PanelFailure), line.asking():
            raise PanelFailure(FailureKind.REJECTED, "wrong code")
    assert line.breaker.failures == 0


async def test_who_is_cancelled_has_found_out_nothing(autojump_clock: MockClock) -> None:
    """Neither an answer nor a failure; and the next one may try."""
    line = Line("bench", ("attic", "house"))
    for _ in range(5):
        with pytest.raises(PanelFailure), line.asking():
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")
    await trio.sleep(10)
    with trio.move_on_after(3), line.asking():
        with pytest.raises(NotAsked) as raised:
            line.leave_alone("house", EVENING, EVENING + 3600 * SECOND)
        assert raised.value.until_at == EVENING + 22 * SECOND
        await trio.sleep_forever()
    assert line.breaker.failures == 5
    line.leave_alone("house", EVENING, EVENING + 3600 * SECOND)
