"""Whole nodes and a real panel on the web that is away for minutes, forty times as fast as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.config.writing import config_of
from tests.links.web import a_web_server, says
from tests.making import NOW
from tests.world import a_node
from trioarm.arming.installation import Installation
from trioarm.arming.model import Target
from trioarm.components import scheduler_components
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import AlertQuery
from trioarm.core.instants import SECOND, render_instant
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.repositories.sqlite import SqliteScheduleRepository

ROOMS: Final = ("attic", "cellar", "garage", "house")
RATE: Final = 40.0
REAL_S: Final = 60.0 * RATE  # virtual seconds that a busy machine may take for anything


@attrs.define
class Panel:
    """One panel with four partitions, none of which it tells of while it is away.

    Args:
        port: where it listens.
        asked: method and path of every request.
    """

    port: int = 0
    is_away: bool = True
    asked: list[tuple[str, str]] = attrs.Factory(list)
    states: dict[str, str] = attrs.Factory(lambda: dict.fromkeys(ROOMS, "disarmed"))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.command, request.path))
        name = request.path.split("/")[2]
        if self.is_away:
            says(b"{}", 503)(request)
        elif request.command == "POST":
            told = json.loads(request.rfile.read())
            self.states[name] = told["target"]
            says(b"{}", 202)(request)
        else:
            says(json.dumps({"state": self.states[name]}).encode())(request)


@pytest.fixture
def panel() -> Iterator[Panel]:
    """Serve a panel that is away."""
    found = Panel()
    with a_web_server(found.answer) as web:
        found.port = web.port
        yield found


def config(folder: Path, panel: Panel, watch: str) -> SchedulerConfig:
    rooms = "\n".join(
        f"""
        [partition.{name}]
        site = "home"
        min_gap = "0s"
        panel = {{ kind = "http", set = "{url}", read = "{url}/state", state = "state", timeout = "1m" }}
        """
        for name, url in ((name, f"http://127.0.0.1:{panel.port}/alarm/{name}") for name in ROOMS)
    )
    text = f"""
        [site.home]
        timezone = "UTC"
        [arming]
        watch = "{watch}"
        {rooms}
        [[schedule]]
        name = "night"
        partitions = {json.dumps(ROOMS)}
        target = "armed_night"
        once = "{render_instant(NOW + 10 * SECOND)}"
        """
    return config_of(folder, text)


async def kinds(scheduler: Scheduler) -> list[str]:
    page = await scheduler.alerts.find(AlertQuery(states=None, limit=100))
    return sorted(row.alert.kind for row in page.rows if row.alert is not None)


async def are_armed(scheduler: Scheduler) -> None:
    """Return once all runs have succeeded."""
    with trio.fail_after(REAL_S):
        for name in ROOMS:
            found = await scheduler.runs.wait(f"night/{name}@{render_instant(NOW + 10 * SECOND)}")
            assert found.state == "succeeded", found.error


async def test_the_other_end_is_asked_seldom_and_armed_once_it_is_back(
    tmp_path: Path, mock_clock: MockClock, panel: Panel
) -> None:
    """Four runs, five minutes: each asks once or twice, then one of them now and then. Each has its one alert."""
    mock_clock.rate = RATE
    async with a_node(config=config(tmp_path, panel, "0s")) as (scheduler, _):
        await trio.sleep(10 + 300)
        asked = len(panel.asked)
        assert 2 * len(ROOMS) <= asked <= 2 * len(ROOMS) + 5  # after 10, 20, 40, 80 and 120 s
        assert {path for _, path in panel.asked} == {f"/alarm/{name}/state" for name in ROOMS}
        assert await kinds(scheduler) == ["unreachable"] * 4
        panel.is_away = False
        back = trio.current_time()
        await are_armed(scheduler)
        assert trio.current_time() - back < 120 + 180 + len(ROOMS) + 60
        assert panel.states == dict.fromkeys(ROOMS, "armed_night")
        assert [method for method, _ in panel.asked].count("POST") == 4


async def test_what_another_process_is_told_the_node_goes_by(
    tmp_path: Path, mock_clock: MockClock, panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """A person at a terminal beside the node, which asks nothing by itself: the rest of a pause is not waited for."""
    caplog.set_level("INFO", "trioarm.arming")
    mock_clock.rate = RATE
    settings, path = config(tmp_path, panel, "0s"), tmp_path / "trioarm.db"
    async with a_node(config=settings, store=lambda _: SqliteScheduleRepository(path)) as (scheduler, container):
        await trio.sleep(10 + 190)
        mock_clock.rate = 4.0  # about 80 s of a pause of two minutes are left
        panel.is_away = False
        beside = scheduler_components(settings)
        beside.override(Clock, lambda _: container.get(Clock))
        beside.override(ScheduleRepository, lambda _: SqliteScheduleRepository(path))
        await beside.get(ScheduleRepository).open()
        back = trio.current_time()
        await beside.get(Installation).persons.arm("house", Target.ARMED_AWAY, by="ann")
        await are_armed(scheduler)
        assert trio.current_time() - back < 40
        await beside.get(ScheduleRepository).close()


async def test_a_person_is_let_through_and_the_answer_counts_for_all(
    tmp_path: Path, mock_clock: MockClock, panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """Looks go on while it is away, too; what one partition is told of it, the runs of the others go by."""
    caplog.set_level("INFO", "trioarm.arming")
    mock_clock.rate = RATE
    async with a_node(config=config(tmp_path, panel, "30s")) as (scheduler, container):
        await trio.sleep(10 + 120)
        assert "has not answered 5 times in a row, and is left alone" in caplog.text
        panel.is_away = False
        report = await container.get(Installation).persons.arm("house", Target.ARMED_AWAY, by="ann")
        assert report.state == "armed_away"
        assert "answers again" in caplog.text
        await are_armed(scheduler)
        assert panel.states == {**dict.fromkeys(ROOMS, "armed_night"), "house": panel.states["house"]}
