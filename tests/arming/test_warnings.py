"""People are warned before a partition closes, in time and once, and told when it comes otherwise (A4.1, A4.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import (
    EVENING,
    NIGHT,
    BenchPanel,
    Node,
    a_node,
    arming,
    the_premises,
    virtual_clock,
)
from trioarm.arming.compile import engine_schedules
from trioarm.arming.model import Reported
from trioarm.core.alerts import AlertState, Severity
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.states import State
from trioarm.core.triggers import Ahead, Every
from trioarm.repositories.memory import InMemoryScheduleRepository

CLOSES = 3_600  # after EVENING, which is 23:00 in Prague: at midnight there
WARNED = the_premises(arming("night", NIGHT, CLOSES, warn_s=(900.0, 60.0)))
HOUSE = "night/house"

Deed = Callable[[Node], Awaitable[object]]


async def told(node: Node) -> list[tuple[str, str]]:
    """Return what people were told, kind and text, in order."""
    found = sorted(await node.alerts(), key=lambda alert: alert.raised_at)
    return [(alert.kind, alert.text) for alert in found]


def test_each_warning_is_a_schedule_of_its_own() -> None:
    """Due so long ahead of each occurrence, bounded and switched off with it, and made up for until it is too late."""
    one = arming("night", NIGHT, Every(86_400), "house", warn_s=(900.0, 60.0), start_at=EVENING, tags=["home"])
    closing, early, late = engine_schedules(the_premises(one))
    assert (closing.name, early.name, late.name) == (HOUSE, f"{HOUSE}/warn-15m", f"{HOUSE}/warn-1m")
    assert early.trigger == Ahead(Every(86_400), 900.0)
    assert (early.start_at, early.misfire_window_s, early.tags) == (EVENING - 15 * MINUTE, 900.0, ("home",))
    assert "partition" not in early.args
    [_, disabled] = engine_schedules(the_premises(arming("night", NIGHT, 0, warn_s=(60.0,), enabled=False)))
    assert not disabled.enabled


def test_a_name_has_room_for_its_warning() -> None:
    """Which is refused where it is declared, not found out at night."""
    long = "n" * 52  # with /house 58, with /warn-15m 67
    with pytest.raises(InvalidSchedule, match=r"its warning .* would have a name of more than 63 characters"):
        engine_schedules(the_premises(arming(long, NIGHT, 0, warn_s=(900.0,))))


async def test_people_are_warned_in_time_and_it_is_over_when_it_closes(autojump_clock: MockClock) -> None:
    """Each warning at its instant, in the time of the site; after the closing nothing of it is left open."""
    async with a_node(WARNED) as node:
        await node.at(CLOSES - 901)
        assert await told(node) == []
        await node.at(CLOSES - 899)
        assert await told(node) == [("closing_soon", "it becomes armed_night at Tue 24 Nov, 00:00, in 15m")]
        alert = await node.alert("closing_soon")
        assert (alert.severity, alert.state) == (Severity.NOTICE, AlertState.OPEN)
        assert "trioarm schedules postpone night/house" in alert.advice
        await node.at(CLOSES - 59)
        assert (await told(node))[1] == ("closing_soon", "it becomes armed_night at Tue 24 Nov, 00:00, in 1m")
        await node.at(CLOSES + 60)
        assert (await node.run_of(HOUSE)).state is State.SUCCEEDED
        assert {alert.state for alert in await node.alerts()} == {AlertState.RESOLVED}
        for name in ("warn-15m", "warn-1m"):
            run = await node.run_of(f"{HOUSE}/{name}")
            assert (run.state, run.result) == (State.SUCCEEDED, "house was announced to become armed_night")


async def _skip(node: Node) -> None:
    await node.commands.skip(HOUSE, author="anna")


async def _pause(node: Node) -> None:
    await node.commands.pause(HOUSE, author="anna")


async def _hold(node: Node) -> None:
    await node.installation.persons.hold("partition/house", by="anna", note="guests")


async def _remove(node: Node) -> None:
    await node.commands.remove(HOUSE)


async def _postpone(node: Node) -> None:
    await node.commands.postpone(HOUSE, by_s=1_800, author="anna")


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (_skip, "anna had it skipped"),
        (_pause, "its schedule is paused"),
        (_hold, "anna holds it until it is released: guests"),
        (_remove, "its schedule was removed"),
    ],
)
async def test_nobody_is_warned_of_what_will_not_come(deed: Deed, why: str, autojump_clock: MockClock) -> None:
    """Skipped, paused, held or removed before the warning: nothing is said, and the run says why."""
    async with a_node(WARNED) as node:
        await deed(node)
        await node.at(CLOSES + 60)
        assert not [text for kind, text in await told(node) if kind.startswith("closing")]
        run = await node.run_of(f"{HOUSE}/warn-15m")
        assert run.result == f"house does not become armed_night: {why}"


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (_skip, "anna had it skipped"),
        (_pause, "its schedule is paused"),
        (_hold, "anna holds it until it is released: guests"),
        (_remove, "its schedule was removed"),
    ],
)
async def test_what_was_announced_and_does_not_come_is_corrected_once(
    deed: Deed, why: str, autojump_clock: MockClock
) -> None:
    """Within a minute, however many warnings there were: one message that corrects them (A4.5)."""
    async with a_node(WARNED) as node:
        await node.at(CLOSES - 30)  # both have been said
        await deed(node)
        await node.at(CLOSES + 46)
        corrected = [text for kind, text in await told(node) if kind == "closing_changed"]
        assert corrected == [f"it does not become armed_night as announced: {why}"]
        assert all(alert.state is AlertState.RESOLVED for alert in await node.alerts("closing_soon"))


async def test_what_is_postponed_is_announced_for_its_new_moment(autojump_clock: MockClock) -> None:
    """Before the warning: the warning comes later. After it: one correction that names the new moment."""
    async with a_node(WARNED) as node:
        await _postpone(node)
        await node.at(CLOSES)
        assert await told(node) == []
        await node.at(CLOSES + 901)
        assert await told(node) == [("closing_soon", "it becomes armed_night at 00:30, in 15m")]
        await node.at(CLOSES + 1_840)
        assert (await node.run_of(HOUSE)).state is State.SUCCEEDED


async def test_what_is_postponed_after_its_warning_is_corrected(autojump_clock: MockClock) -> None:
    """At once, and again if it is postponed again; the warning that was still to come waits for the new moment."""
    async with a_node(WARNED) as node:
        await node.at(CLOSES - 600)  # the first has been said
        await _postpone(node)
        await node.at(CLOSES - 530)
        changed = [text for kind, text in await told(node) if kind == "closing_changed"]
        assert changed == ["it becomes armed_night at Tue 24 Nov, 00:30, not as announced before: anna postponed it"]
        await node.at(CLOSES + 1_700)
        assert len(await node.alerts("closing_soon")) == 1
        await node.at(CLOSES + 1_741)
        assert len(await node.alerts("closing_soon")) == 2
        await node.commands.postpone(HOUSE, EVENING + CLOSES * SECOND, by_s=3_600, author="ben")
        await node.at(CLOSES + 1_860)
        changed = [text for kind, text in await told(node) if kind == "closing_changed"]
        assert changed[1:] == ["it becomes armed_night at 01:00, not as announced before: ben postponed it"]
        await node.at(CLOSES + 3_700)
        assert (await node.run_of(HOUSE)).state is State.SUCCEEDED
        assert {alert.state for alert in await node.alerts()} == {AlertState.RESOLVED}


@pytest.mark.parametrize("silent", [False, True])
async def test_nobody_is_warned_of_what_is_so_already(silent: bool, autojump_clock: MockClock) -> None:
    """Somebody has armed it by hand: there is nothing to leave in time for. A panel that is silent is no reason."""
    panel = BenchPanel(virtual_clock(), state=Reported.ARMED_NIGHT, unreachable=silent)
    async with a_node(WARNED, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(CLOSES - 800)
        assert len(await node.alerts("closing_soon")) == silent
        if not silent:
            assert (await node.run_of(f"{HOUSE}/warn-15m")).result == "house is armed_night already"


async def test_a_warning_survives_a_restart_and_is_not_said_twice(autojump_clock: MockClock) -> None:
    """What was said is known after it; what came due meanwhile is said late, as long as that helps (A4.1)."""
    repository, clock = InMemoryScheduleRepository(), virtual_clock()
    async with a_node(WARNED, repository=repository, clock=clock) as node:
        await node.at(CLOSES - 890)
    async with a_node(WARNED, repository=repository, clock=clock) as node:
        await node.at(CLOSES - 61)
        assert len(await node.alerts("closing_soon")) == 1
    await trio.sleep(20)
    async with a_node(WARNED, repository=repository, clock=clock) as node:
        await node.at(CLOSES - 39)
        texts = [text for _, text in await told(node)]
        assert [text.partition(", in ")[2] for text in texts] == ["15m", "41s"]
        await node.at(CLOSES + 60)
        assert (await node.run_of(HOUSE)).state is State.SUCCEEDED


async def test_a_warning_that_would_come_too_late_is_none(autojump_clock: MockClock) -> None:
    """The node was down until the house had to close: that it closes late, others say (A2.3)."""
    async with a_node(WARNED, start=False) as node:
        await node.at(CLOSES + 600)
        node.engine.start()
        await node.at(CLOSES + 800)
        assert {kind for kind, _ in await told(node)} == {"late_arm"}
