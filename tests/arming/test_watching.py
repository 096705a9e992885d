"""Whole nodes between commands: what others do is on record once, drift is told, and nobody is commanded against."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from tests.arming.houses import PRAGUE, a_config, alerts_in, audit_of, daily, done, panel_of
from tests.arming.premises import AWAY, NIGHT, a_partition
from trioarm.arming.installation import Installation
from trioarm.arming.model import OnDrift, Reported, VirtualPanel
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.arming.watch import FLAP_MAX, MISSES_MAX
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import AlertState, Severity
from trioarm.core.changes import Change, PutDocument
from trioarm.core.instants import parse_instant
from trioarm.engine.metrics import Metrics
from trioarm.engine.ports import Clock
from trioarm.notify.model import ChannelSettings, CommandWay
from trioarm.testing import Fault, FileStore, World, a_world

NIGHTLY = daily("night", NIGHT, "22:30")
ARMED = ("schedule:night/house", "arm", "armed_night")


def drifting(drift: OnDrift) -> SchedulerConfig:
    return a_config(NIGHTLY, partitions=(a_partition(drift=drift),))


@pytest.fixture
async def house(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    caplog.set_level(logging.INFO, logger="trioarm.alert")
    async with a_world(start_at="2026-11-23 20:00", zone=PRAGUE) as world:
        yield world


async def test_what_nobody_commanded_is_on_record_once(autojump_clock: MockClock, house: World) -> None:
    """Who, since when, before and after; however often it is looked at afterwards (A5.1)."""
    node = await house.start(config=a_config())
    await house.advance(300)
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(3600)
    [entry] = await audit_of(house)
    assert (entry.actor, entry.verb) == ("somebody", "observed")
    assert (entry.before, entry.after) == (Reported.DISARMED, Reported.ARMED_AWAY)
    assert entry.since_at == parse_instant("2026-11-23T19:05:30Z")


async def test_what_a_person_had_armed_without_waiting_for_it_is_on_record_as_armed(
    autojump_clock: MockClock, house: World
) -> None:
    """The command says `arming`; that it was armed then is said by who had asked, and nobody is told of drift."""
    node = await house.start(config=a_config(NIGHTLY))
    await house.until("2026-11-23 23:00")
    await node.container.get(Installation).persons.arm("house", AWAY, by="ann", confirm=False)
    await house.advance(600)
    assert await done(house) == [ARMED, ("ann", "arm", "arming"), ("ann", "observed", "armed_away")]
    assert await alerts_in(house) == []


async def test_it_is_heard_of_without_waiting_for_the_next_look(autojump_clock: MockClock, house: World) -> None:
    """A driver that can watch tells at once; with `watch` off nobody looks at all."""
    node = await house.start(config=a_config(watch_s=3600.0))
    await house.advance(3700)
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(31)
    await panel_of(node).disarm("somebody else")
    await house.advance(1)
    assert await done(house) == []  # armed for a second, between two looks
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(3600)
    await panel_of(node).disarm("somebody else")
    await house.advance(1)
    assert await done(house) == [
        ("somebody", "observed", "armed_away"),
        ("somebody else", "observed", "disarmed"),
    ]


async def test_switched_off_nobody_looks(autojump_clock: MockClock, house: World) -> None:
    """`watch = "0s"`."""
    node = await house.start(config=a_config(NIGHTLY, watch_s=0.0))
    await house.until("2026-11-23 23:00")
    await panel_of(node).disarm("somebody")
    await house.advance(3600)
    assert await done(house) == [ARMED]


async def test_a_manual_disarm_after_a_scheduled_arm_stays(autojump_clock: MockClock, house: World) -> None:
    """The node is down when somebody disarms: it is on record, told once, and never commanded against (A3.7)."""
    await house.start(config=a_config(NIGHTLY))
    await house.until("2026-11-23 23:00")
    async with house.outage():
        await house.advance(600)
        await at_the_panel(house).disarm("somebody")
        await house.advance(600)
    await house.until("2026-11-24 22:00")
    assert await done(house) == [ARMED, ("somebody", "observed", "disarmed")]
    [alert] = await alerts_in(house)
    assert (alert.kind, alert.severity, alert.state) == ("overridden", Severity.NOTICE, AlertState.OPEN)
    assert "it did not stay armed_night: somebody made it disarmed" in alert.text
    await house.until("2026-11-24 23:00")
    [alert] = await alerts_in(house)
    assert alert.state is AlertState.RESOLVED


async def test_what_a_look_finds_is_told_at_once(
    autojump_clock: MockClock, house: World, caplog: pytest.LogCaptureFixture
) -> None:
    """One message within seconds, one line in the log and one of the alerts that are counted: no minute is waited."""
    phone = ChannelSettings(name="phone", way=CommandWay(("false",)))  # what it would do is not done in a world
    node = await house.start(config=attrs.evolve(a_config(NIGHTLY), notify={"phone": phone}))
    await house.until("2026-11-23 23:00:01")
    assert house.messages == []
    await panel_of(node).disarm("somebody")
    await house.advance(10)
    [sent] = house.messages
    assert (sent.message.title, sent.message.alerts[0]["kind"]) == ("notice: partition/house", "overridden")
    [line] = [record.getMessage() for record in caplog.records if record.name == "trioarm.alert"]
    assert line.startswith("partition/house: it did not stay armed_night: somebody made it disarmed")
    assert node.container.get(Metrics).alerts[Severity.NOTICE] == 1
    await house.advance(3600)
    assert len(house.messages) == 1


@pytest.mark.parametrize("drift", [OnDrift.ALERT, OnDrift.IGNORE, OnDrift.REASSERT])
async def test_a_persons_change_stands(autojump_clock: MockClock, house: World, drift: OnDrift) -> None:
    """Whatever the policy is, nobody is commanded against; `ignore` tells nobody."""
    node = await house.start(config=drifting(drift))
    await house.until("2026-11-23 23:00")
    await panel_of(node).disarm("somebody")
    await house.advance(600)
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(600)
    await panel_of(node).disarm("somebody")
    await house.advance(3600)
    assert (await done(house))[1:] == [
        ("somebody", "observed", "disarmed"),
        ("somebody", "observed", "armed_away"),
        ("somebody", "observed", "disarmed"),
    ]
    assert len(await alerts_in(house)) == (0 if drift is OnDrift.IGNORE else 1)


async def test_what_restarted_is_armed_again_where_that_is_wanted(autojump_clock: MockClock, house: World) -> None:
    """By the schedule that had armed it, verified like any other command; people are told nothing (A3.7)."""
    node = await house.start(config=drifting(OnDrift.REASSERT))
    await house.until("2026-11-23 23:00")
    await panel_of(node).restart()
    await house.advance(120)
    assert await done(house) == [ARMED, ("somebody", "observed", "disarmed"), ARMED]
    assert (await panel_of(node).read_state()).state is Reported.ARMED_NIGHT
    assert await alerts_in(house) == []


async def test_what_restarted_is_not_armed_again_by_a_schedule_that_is_paused(
    autojump_clock: MockClock, house: World
) -> None:
    """A person wants it to arm nothing: people are told instead."""
    node = await house.start(config=drifting(OnDrift.REASSERT))
    await house.until("2026-11-23 23:00")
    await house.scheduler.schedules.pause("night/house")
    await panel_of(node).restart()
    await house.advance(600)
    assert await done(house) == [ARMED, ("somebody", "observed", "disarmed")]
    [alert] = await alerts_in(house)
    assert alert.kind == "overridden"


async def test_two_nodes_record_it_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    """On one file, both look, and each hears of what the other commits."""
    async with a_world(FileStore(tmp_path / "w.db"), start_at="2026-11-23 22:29", zone=PRAGUE) as world:
        config = a_config(NIGHTLY, watch_s=20.0)
        nodes = [await world.start(config=config), await world.start(config=config)]
        await world.advance(150)
        for node, act in zip(nodes, ("disarm", "arm"), strict=True):
            panel = panel_of(node)
            await (panel.disarm("ann") if act == "disarm" else panel.arm(NIGHT, "ann"))
            await world.advance(90)
        assert await done(world) == [ARMED, ("ann", "observed", "disarmed"), ("ann", "observed", "armed_night")]
        assert len(await alerts_in(world)) == 1


async def test_what_restarted_is_not_armed_again_otherwise(autojump_clock: MockClock, house: World) -> None:
    """People are told, and it stays."""
    node = await house.start(config=drifting(OnDrift.ALERT))
    await house.until("2026-11-23 23:00")
    await panel_of(node).restart()
    await house.advance(7200)
    assert await done(house) == [ARMED, ("somebody", "observed", "disarmed")]
    [alert] = await alerts_in(house)
    assert alert.severity is Severity.WARNING
    assert "the panel restarted" in alert.text


async def test_what_restarted_is_not_armed_again_after_a_person(autojump_clock: MockClock, house: World) -> None:
    """A person had disarmed it: what a schedule had made of it holds no more."""
    node = await house.start(config=drifting(OnDrift.REASSERT))
    await house.until("2026-11-23 23:00")
    await panel_of(node).disarm("somebody")
    await house.advance(120)
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(120)
    await panel_of(node).restart()
    await house.advance(7200)
    assert [verb for _, verb, _ in await done(house)] == ["arm", "observed", "observed", "observed"]
    assert (await panel_of(node).read_state()).state is Reported.DISARMED


async def test_an_alert_of_drift_ends_when_somebody_arms_again(autojump_clock: MockClock, house: World) -> None:
    """It complained that it is not armed_night, and now it is."""
    node = await house.start(config=drifting(OnDrift.ALERT))
    await house.until("2026-11-23 23:00")
    await panel_of(node).disarm("somebody")
    await house.advance(60)
    await panel_of(node).arm(NIGHT, "somebody")
    await house.advance(120)
    [alert] = await alerts_in(house)
    assert alert.resolved is not None
    assert alert.resolved.by == "somebody"


async def test_what_a_person_does_here_is_no_drift(autojump_clock: MockClock, house: World) -> None:
    """It is on record already, by name, and nobody has to be told."""
    node = await house.start(config=drifting(OnDrift.ALERT))
    await house.until("2026-11-23 23:00")
    await node.container.get(Installation).persons.disarm("house", by="somebody")
    await house.advance(3600)
    assert await done(house) == [ARMED, ("somebody", "disarm", "disarmed")]
    assert await alerts_in(house) == []


async def test_a_panel_that_flaps_fills_no_audit(autojump_clock: MockClock, house: World) -> None:
    """So many changes in an hour are recorded; the last of them says so, and the next one how many were not."""
    node = await house.start(config=a_config(partitions=(a_partition(panel=VirtualPanel(exit_delay_s=0)),)))
    await house.advance(120)
    for _ in range(20):
        await panel_of(node).arm(AWAY, "somebody")
        await house.advance(61)
        await panel_of(node).disarm("somebody")
        await house.advance(61)
    found = await audit_of(house)
    assert len(found) == FLAP_MAX
    assert [entry for entry in found if "it changes all the time" in entry.reason] == [found[-1]]
    await house.advance(3600)
    await panel_of(node).arm(AWAY, "somebody")
    await house.advance(3600)
    last = (await audit_of(house))[-1]
    assert f"{40 - FLAP_MAX} changes before this one are not on record" in last.reason
    assert last.after is Reported.ARMED_AWAY


async def test_a_panel_that_does_not_answer_is_told_once_and_over_by_itself(
    autojump_clock: MockClock, house: World
) -> None:
    """After three looks, not at once; and nothing is written for every look after that."""
    await house.start(config=a_config())
    await house.advance(90)
    repository = house.store.open()
    broken = PutDocument("panel", "house", 0, {"who": "knows"})
    await repository.commit([Change(documents=[broken])])
    await house.advance(60 * (MISSES_MAX - 1))
    assert await alerts_in(house) == []
    await house.advance(60)
    [alert] = await alerts_in(house, "panel_silent")
    assert alert.state is AlertState.OPEN
    [before] = await repository.list_documents("watched")
    await house.advance(3600)
    [after] = await repository.list_documents("watched")
    assert (after.version, len(await alerts_in(house))) == (before.version, 1)
    await repository.commit([Change(documents=[PutDocument("panel", "house", 1, None)])])
    await house.advance(60)
    [alert] = await alerts_in(house)
    assert alert.state is AlertState.RESOLVED
    assert await done(house) == []


async def test_the_clock_is_set_while_nobody_commands(autojump_clock: MockClock, house: World) -> None:
    """Forward and back: what others do is on record once all the same."""
    node = await house.start(config=a_config(NIGHTLY))
    await house.until("2026-11-23 23:00")
    for number, seconds in enumerate((-3600, 7200, -1800)):
        house.step(seconds)
        await (panel_of(node).arm(NIGHT, "somebody") if number % 2 else panel_of(node).disarm("somebody"))
        await house.advance(300)
    found = await done(house)
    assert [verb for _, verb, after in found] == ["arm", "observed", "observed", "observed"]


@pytest.mark.parametrize("nth", range(1, 9))
@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.REFUSED])
async def test_it_is_recorded_once_though_the_store_fails_and_the_node_dies(
    autojump_clock: MockClock, house: World, fault: Fault, nth: int
) -> None:
    """What is found is kept as a whole or not at all, at whichever commit the store fails, and the node with it."""
    node = await house.start(config=a_config(NIGHTLY))
    await house.until("2026-11-23 23:00")
    await panel_of(node).disarm("somebody")
    house.plant(fault, nth=nth)
    await house.advance(nth * 0.01)
    house.kill(node)
    await house.start(config=a_config(NIGHTLY))
    await house.advance(600)
    assert await done(house) == [ARMED, ("somebody", "observed", "disarmed")]
    [alert] = await alerts_in(house)
    assert alert.kind == "overridden"


def at_the_panel(world: World) -> VirtualDriver:
    """Return the panel itself, whether a node lives or not."""
    clock = world.nodes[-1].container.get(Clock)
    return VirtualDriver(VirtualPanel(), "house", world.store.open(), clock)
