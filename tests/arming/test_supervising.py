"""Openings and closings that nobody commands: who did not come is told, once, and over when somebody did (A4.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from trio.testing import MockClock

from tests.arming.houses import EVERY_DAY, PRAGUE, a_config, alerts_in, done, panel_of
from tests.arming.premises import AWAY, NIGHT
from trioarm.arming.installation import Installation
from trioarm.arming.model import Hours
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import AlertState, Severity
from trioarm.core.changes import Change, PutDocument
from trioarm.core.triggers import Weekly
from trioarm.testing import World, a_world

SHOP = Hours(
    name="shop",
    partition="house",
    opens=Weekly(EVERY_DAY, "08:00", PRAGUE),
    closes=Weekly(EVERY_DAY, "18:30", PRAGUE),
    early_s=1800.0,
    late_s=900.0,
)


def supervised() -> SchedulerConfig:
    return a_config(hours=(SHOP,))


@pytest.fixture
async def town(autojump_clock: MockClock) -> AsyncIterator[World]:
    async with a_world(start_at="2025-03-29 12:00", zone=PRAGUE) as world:
        yield world


async def test_what_nobody_closed_is_told_when_its_window_ends(autojump_clock: MockClock, town: World) -> None:
    """Not before, once, and it is over when somebody closes it by hand."""
    node = await town.start(config=supervised())
    await town.until("2025-03-29 18:44")
    assert await alerts_in(town) == []
    await town.until("2025-03-29 18:45")
    [alert] = await alerts_in(town)
    assert (alert.kind, alert.severity, alert.state) == ("not_closed", Severity.ERROR, AlertState.OPEN)
    assert alert.text == "nobody closed it: that was expected at 18:30, and until 18:45 at the latest"
    await town.until("2025-03-29 20:00")
    await panel_of(node).arm(NIGHT, "bob")
    await town.until("2025-03-29 20:02")
    [alert] = await alerts_in(town)
    assert alert.resolved is not None
    assert alert.resolved.by == "bob"


async def test_it_is_over_when_it_is_closed_from_here(autojump_clock: MockClock, town: World) -> None:
    """By a command of a person."""
    node = await town.start(config=supervised())
    await town.until("2025-03-29 19:00")
    await node.container.get(Installation).persons.arm("house", AWAY, by="ann")
    [alert] = await alerts_in(town)
    assert alert.state is AlertState.RESOLVED


async def test_what_nobody_opened_is_a_notice_in_local_time(autojump_clock: MockClock, town: World) -> None:
    """On the morning after clocks went forward, too."""
    node = await town.start(config=supervised())
    await panel_of(node).arm(AWAY, "bob")
    await town.until("2025-03-30 08:14")
    assert await alerts_in(town) == []
    await town.until("2025-03-30 08:15")
    [alert] = await alerts_in(town)
    assert (alert.kind, alert.severity) == ("not_opened", Severity.NOTICE)
    await panel_of(node).disarm("ann")
    await town.advance(60)
    [alert] = await alerts_in(town)
    assert alert.state is AlertState.RESOLVED


async def test_what_is_as_expected_is_told_to_nobody(autojump_clock: MockClock, town: World) -> None:
    """Nor what is on its way when the window ends."""
    node = await town.start(config=supervised())
    await town.until("2025-03-29 18:44:50")
    await panel_of(node).arm(AWAY, "bob")
    await town.until("2025-03-30 07:30")
    await panel_of(node).disarm("ann")
    await town.until("2025-03-30 12:00")
    assert await alerts_in(town) == []
    assert [after for _, _, after in await done(town)] == ["armed_away", "disarmed"]


@pytest.mark.parametrize("away", [("18:00", "18:40"), ("18:40", "19:30"), ("18:44", "23:00")])
async def test_a_node_that_was_down_tells_all_the_same(
    autojump_clock: MockClock, town: World, away: tuple[str, str]
) -> None:
    """Killed before or in the window, and back in it or after it: once."""
    await town.start(config=supervised())
    await town.until(f"2025-03-29 {away[0]}")
    async with town.outage():
        await town.until(f"2025-03-29 {away[1]}")
    await town.until("2025-03-29 23:30")
    assert [alert.kind for alert in await alerts_in(town)] == ["not_closed"]


async def test_a_clock_that_is_set_loses_and_doubles_none(autojump_clock: MockClock, town: World) -> None:
    """Back in the window, and forward over its end."""
    await town.start(config=supervised())
    await town.until("2025-03-29 18:35")
    town.step(-600)
    await town.advance(300)
    town.step(3600)
    await town.advance(1800)
    assert [alert.kind for alert in await alerts_in(town)] == ["not_closed"]


async def test_what_does_not_answer_is_judged_by_what_it_was(autojump_clock: MockClock, town: World) -> None:
    """It was seen open, and is silent when the window ends: somebody has to look."""
    await town.start(config=supervised())
    await town.until("2025-03-29 18:40")
    await town.store.open().commit([Change(documents=[PutDocument("panel", "house", 0, {"who": "knows"})])])
    await town.until("2025-03-29 18:46")
    assert "not_closed" in [alert.kind for alert in await alerts_in(town)]
