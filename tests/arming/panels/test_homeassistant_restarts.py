"""What a start of Home Assistant made of a panel that forgets is told apart from a person's doing, or taken for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.links.fake_home_assistant import HOUSE, TOKEN, FakeHomeAssistant, Panel, a_home_assistant, until
from trioarm.arming.connections import Connections
from trioarm.arming.model import HomeAssistantInstance, HomeAssistantPanel, Reported
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.homeassistant import HomeAssistantDriver, link_to
from trioarm.links.secrets import SecretRef

ARMED = "armed_away"


@asynccontextmanager
async def a_house(
    folder: Path, *, forgets: bool = True
) -> AsyncIterator[tuple[FakeHomeAssistant, HomeAssistantDriver]]:
    """Run an instance with an armed panel, and the driver that is connected to it."""
    token = folder / "home.token"
    token.write_text(f"{TOKEN}\n")
    async with a_home_assistant(Panel(state=ARMED)) as home, trio.open_nursery() as nursery:
        instance = HomeAssistantInstance(name="home", url=home.url, token=SecretRef(file=str(token)))
        settings, connections = HomeAssistantPanel(instance=instance, entity=HOUSE, forgets=forgets), Connections()
        driver = HomeAssistantDriver(settings, link_to(instance, connections))
        nursery.start_soon(connections.run)
        await until(lambda: "get_states" in home.asked)
        assert (await driver.read_state()).state is Reported.ARMED_AWAY
        yield home, driver
        nursery.cancel_scope.cancel()


async def disarmed(driver: HomeAssistantDriver) -> PanelReport:
    """Return the report once it says so over a WebSocket."""
    with trio.fail_after(60):
        while not driver._link.is_connected:
            await driver.changed()
    report = await driver.read_state()
    assert report.state is Reported.DISARMED
    return report


async def test_what_fell_back_in_a_start_was_nobodys_doing(tmp_path: Path) -> None:
    """Armed up to the end of the connection, disarmed in the start that follows; and so until somebody acts."""
    async with a_house(tmp_path) as (home, driver):
        await home.fall_back()
        assert (await disarmed(driver)).restarted
        home.put(HOUSE, "disarmed", battery=55)
        assert (await disarmed(driver)).restarted
        home.press(ARMED)
        home.press("disarmed", by="anna")
        report = await disarmed(driver)
        assert (report.restarted, report.changed_by) == (False, "anna")


async def test_where_it_was_put_back_before_we_connected(tmp_path: Path) -> None:
    """The first states that are told in a start count as well as those that follow."""
    async with a_house(tmp_path) as (home, driver):
        home.panels[HOUSE].restores = False
        await home.stop()
        home.is_starting = True
        await home.start()
        assert (await disarmed(driver)).restarted


async def test_rest_does_not_tell_who_it_was(tmp_path: Path) -> None:
    """Until it can be told apart over the next connection, nothing is known; what has not changed is known at once."""
    async with a_house(tmp_path) as (home, driver):
        home.has_websocket = False
        await home.restart()
        assert (await driver.read_state()).state is Reported.ARMED_AWAY
        home.press("disarmed")
        with pytest.raises(PanelFailure) as raised:
            await driver.read_state()
        assert raised.value.kind is FailureKind.UNAVAILABLE
        assert "it ended the connection: what became of the panel it tells over the next" in str(raised.value)


async def test_a_panel_that_is_elsewhere_may_have_been_disarmed_there(tmp_path: Path) -> None:
    """Unless it is said that it forgets, a start of Home Assistant is none of it: a keypad may be on the wall."""
    async with a_house(tmp_path, forgets=False) as (home, driver):
        await home.fall_back()
        assert not (await disarmed(driver)).restarted


@pytest.mark.parametrize("known", ["disarmed before", "started before", "no administrator", "integration away"])
async def test_what_cannot_be_told_apart_is_a_persons(tmp_path: Path, known: str) -> None:
    """Somebody may have done it before the end; or after the start; or it is not told which of both it was."""
    async with a_house(tmp_path) as (home, driver):
        if known == "disarmed before":
            home.press("disarmed")
            assert not (await disarmed(driver)).restarted
        home.has_administrator = known != "no administrator"
        if known == "started before":
            home.panels[HOUSE].restores = False
            await home.restart()
        elif known == "integration away":
            home.put(HOUSE, "unavailable")
            home.panels[HOUSE].state = "disarmed"
            home.put(HOUSE, "disarmed")
        else:
            await home.fall_back()
        assert not (await disarmed(driver)).restarted


async def test_what_comes_back_after_the_start_is_a_persons(tmp_path: Path) -> None:
    """Only what is put back until Home Assistant says that it has started is of the start."""
    async with a_house(tmp_path) as (home, driver):
        home.panels[HOUSE].restores = False
        await home.stop()
        home.is_starting = True
        await home.start(is_ready=False)
        await until(lambda: home.asked.count("get_states") > 1)
        home.has_started()
        home.ready()
        assert not (await disarmed(driver)).restarted
