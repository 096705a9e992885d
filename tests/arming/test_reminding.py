"""Whole nodes while somebody holds a partition: people are reminded for as long as it lasts, and no longer (A4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.arming.houses import PRAGUE, a_config, alerts_in, daily
from tests.arming.premises import NIGHT, a_partition
from trioarm.arming.installation import Installation
from trioarm.arming.persons import Persons
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import Alert, AlertState, Fact, Severity
from trioarm.core.changes import Change, PutDocument
from trioarm.core.instants import HOUR, as_datetime, parse_instant
from trioarm.notify.model import ChannelSettings, NtfyWay
from trioarm.testing import FileStore, World, a_world

NIGHTLY = daily("night", NIGHT, "22:30")
PLACED = "2026-11-23T19:00:00Z"
LOOK = timedelta(minutes=10)


@pytest.fixture
async def house(autojump_clock: MockClock) -> AsyncIterator[World]:
    async with a_world(start_at="2026-11-23 20:00", zone=PRAGUE) as world:
        yield world


def persons_of(world: World) -> Persons:
    return world.nodes[-1].container.get(Installation).persons


async def reminders(world: World) -> list[Alert]:
    """Return those there were, the oldest first, closed ones too."""
    return sorted(await alerts_in(world, "held"), key=lambda alert: alert.raised_at)


async def told(world: World) -> list[tuple[str, AlertState]]:
    """Return when reminders were due that there were, in hours after the hold, and what became of them."""
    placed = parse_instant(PLACED)
    return [(f"{(one.raised_at - placed) // HOUR}h", one.state) for one in await reminders(world)]


OPEN, RESOLVED = AlertState.OPEN, AlertState.RESOLVED


async def test_people_are_reminded_day_after_day(autojump_clock: MockClock, house: World) -> None:
    """Who holds what, since and until when, what it has kept back, and how it ends; the one before is over."""
    await house.start(config=a_config(NIGHTLY))
    await persons_of(house).hold("partition/house", by="ann", note="painters")
    await house.until("2026-11-24 19:59")
    assert await told(house) == []
    await house.until("2026-11-26 20:11")
    assert await told(house) == [("24h", RESOLVED), ("48h", RESOLVED), ("72h", OPEN)]
    alert = (await reminders(house))[-1]
    assert (alert.subject, alert.severity, alert.settled_by) == ("partition/house", Severity.NOTICE, None)
    assert alert.text == (
        f"it is held since {PLACED}, and 3 scheduled commands were not sent because of that: "
        "ann holds it until it is released: painters"
    )
    assert alert.advice == "trioarm partitions release house, once that is over"
    assert alert.facts == (Fact("kept back", "3"),)
    assert as_datetime(alert.raised_at) - as_datetime(parse_instant("2026-11-26T19:00:00Z")) <= LOOK


async def test_a_restart_neither_forgets_nor_repeats(autojump_clock: MockClock, house: World) -> None:
    """What was due while nobody was there is told once it is over, and once."""
    await house.start(config=a_config(NIGHTLY))
    await persons_of(house).hold("partition/house", by="ann")
    await house.until("2026-11-24 21:00")
    assert len(await told(house)) == 1
    for _ in range(3):
        async with house.outage():
            await house.advance(60)
        await house.advance(1200)
    assert await told(house) == [("24h", OPEN)]
    async with house.outage():
        await house.until("2026-11-28 09:00")
    await house.until("2026-11-28 09:11")
    assert [state for _, state in await told(house)] == [RESOLVED, OPEN]
    assert (await reminders(house))[-1].text.startswith(f"it is held since {PLACED}, and ")


async def test_two_nodes_of_one_store_remind_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Whoever looks: one reminder for each time."""
    async with a_world(FileStore(tmp_path / "holds.db"), start_at="2026-11-23 20:00", zone=PRAGUE) as world:
        for _ in range(2):
            await world.start(config=a_config(NIGHTLY, watch_s=0.0, hold_reminder_s=3600.0))
        await persons_of(world).hold("site/home", by="ann")
        await world.advance(2 * 3600 + 900)
        assert [state for _, state in await told(world)] == [RESOLVED, OPEN]
        assert [alert.subject for alert in await reminders(world)] == ["site/home"] * 2


async def test_a_release_ends_it_at_once(autojump_clock: MockClock, house: World) -> None:
    """Whoever releases it has settled it, and nobody is reminded of what was."""
    await house.start(config=a_config(NIGHTLY))
    await persons_of(house).hold("partition/house", by="ann")
    await house.until("2026-11-24 20:15")
    assert await persons_of(house).release("partition/house", by="bob")
    [alert] = await reminders(house)
    assert alert.resolved is not None
    assert (alert.resolved.by, alert.resolved.note) == ("bob", "it is released")
    await house.until("2026-11-27 20:15")
    assert await told(house) == [("24h", RESOLVED)]


async def test_a_hold_placed_anew_counts_anew(autojump_clock: MockClock, house: World) -> None:
    """The latest word counts, for its reminders too."""
    await house.start(config=a_config(NIGHTLY))
    await persons_of(house).hold("partition/house", by="ann")
    await house.until("2026-11-24 21:00")
    await persons_of(house).hold("partition/house", by="bob", note="guests")
    assert await told(house) == [("24h", RESOLVED)]
    await house.until("2026-11-25 20:59")
    assert len(await told(house)) == 1
    await house.until("2026-11-25 21:11")
    assert await told(house) == [("24h", RESOLVED), ("49h", OPEN)]
    assert "1 scheduled command was not sent because of that: bob holds it" in (await reminders(house))[-1].text


async def test_a_hold_that_ends_by_itself_is_told_of_no_more(autojump_clock: MockClock, house: World) -> None:
    """Its reminder is settled by the next look."""
    await house.start(config=a_config(NIGHTLY))
    until = parse_instant("2026-11-25T06:00:00Z")
    await persons_of(house).hold("partition/house", by="ann", until_at=until)
    await house.until("2026-11-24 20:11")
    assert "ann holds it until 2026-11-25T06:00:00Z" in (await reminders(house))[0].text
    await house.until("2026-11-25 07:11")
    [alert] = await reminders(house)
    assert alert.resolved is not None
    assert (alert.resolved.by, alert.resolved.note) == ("trioarm.holds", "nobody holds it any more")
    await house.until("2026-11-27 07:11")
    assert len(await reminders(house)) == 1


async def test_a_hold_that_cannot_be_read_is_told_of_at_once(autojump_clock: MockClock, house: World) -> None:
    """It is in force, and nobody knows that it is."""
    node = await house.start(config=a_config(NIGHTLY))
    put = PutDocument("hold", "partition/house", 0, {"author": 5})
    await node.repository.commit([Change(documents=[put])])
    await house.advance(601)
    [alert] = await reminders(house)
    assert alert.text.startswith(
        "it is held, and 0 scheduled commands were not sent because of that: somebody holds it"
    )
    assert "release it, it cannot be read" in alert.text
    await house.advance(1800)
    assert len(await reminders(house)) == 1
    assert await persons_of(house).release("partition/house", by="ann")
    assert (await reminders(house))[0].state is RESOLVED


async def test_several_partitions_of_a_site_are_counted_together(autojump_clock: MockClock, house: World) -> None:
    """What a hold on a site has kept back is that of all its partitions."""
    partitions = (a_partition("house"), a_partition("garage"))
    await house.start(config=a_config(daily("night", NIGHT, "22:30", "house", "garage"), partitions=partitions))
    await persons_of(house).hold("site/home", by="ann")
    await house.until("2026-11-24 20:11")
    [alert] = await reminders(house)
    assert alert.facts == (Fact("kept back", "2"),)
    assert alert.advice == "trioarm partitions release site/home, once that is over"


@pytest.mark.parametrize(("every_s", "count"), [(0.0, 0), (3600.0, 5), (86400.0, 0)])
async def test_how_often_is_configured(autojump_clock: MockClock, house: World, every_s: float, count: int) -> None:
    """`[arming] hold_reminder`; nothing is told of a hold that lasts shorter."""
    await house.start(config=a_config(NIGHTLY, hold_reminder_s=every_s))
    await persons_of(house).hold("partition/house", by="ann")
    await house.advance(5 * 3600 + 900)
    assert len(await reminders(house)) == count


async def test_channels_tell_it_like_any_notice(autojump_clock: MockClock, house: World) -> None:
    """Once for each reminder; that is all the way to people."""
    phone = ChannelSettings(name="phone", way=NtfyWay(topic="house"))
    config = SchedulerConfig(premises=a_config(NIGHTLY).premises, notify={"phone": phone})
    await house.start(config=config)
    await persons_of(house).hold("partition/house", by="ann", note="painters")
    await house.until("2026-11-25 20:15")
    held = [sent.message.title for sent in house.messages if "it is held since" in sent.message.text]
    assert held == ["notice: partition/house"] * 2
