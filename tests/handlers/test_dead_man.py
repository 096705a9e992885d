"""Signs of life: sent while the node is well, to a real server, and no trouble for anybody when they fail (A5.4)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from tests.links.web import a_web_server, status
from trioarm import (
    Container,
    RunExecutor,
    Scheduler,
    SchedulerConfig,
    ScheduleRepository,
    SchedulingEngine,
    State,
    open_scheduler,
    scheduler_components,
)
from trioarm.config import SchedulerSettings
from trioarm.core.jsonable import Json
from trioarm.engine.health import ComponentHealth, Health, Level
from trioarm.engine.ports import Clock
from trioarm.engine.recorder import Recorder

DEAD_MAN = "trioarm/dead-man"


@asynccontextmanager
async def a_node_that_pings(
    url: str, health: Callable[[Container], Health] | None = None
) -> AsyncIterator[tuple[Scheduler, Container]]:
    """Run a node on the machine's clock whose signs of life go to a URL, when they are fired and once a day."""
    config = SchedulerConfig(scheduler=SchedulerSettings(dead_man_url=url, dead_man_interval_s=86400.0))
    container = scheduler_components(config)
    if health is not None:
        container.override(Health, health)
    with trio.fail_after(20):
        async with open_scheduler(container=container) as scheduler:
            while scheduler.metrics().passes < 1:  # noqa: ASYNC110
                await trio.sleep(0.001)
            yield scheduler, container


async def pinged(scheduler: Scheduler) -> Json:
    """Give a sign of life now; it is a success whatever comes of it."""
    run = await scheduler.runs.fire(DEAD_MAN)
    ended = await scheduler.runs.wait(run.id)
    assert ended.state is State.SUCCEEDED
    return ended.result


async def how(scheduler: Scheduler) -> ComponentHealth:
    """Return what health says of signs of life."""
    report = await scheduler.health()
    return next(each for each in report.components if each.component == "dead man")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return what was logged of signs of life; other components have their own to say."""
    return [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "trioarm.dead_man"]


async def test_signs_of_life_reach_whoever_waits(caplog: pytest.LogCaptureFixture) -> None:
    """While all is well there is an answer, and nothing to say about it."""
    with a_web_server() as web, caplog.at_level(logging.INFO, "trioarm.dead_man"):
        async with a_node_that_pings(web.url("/alive")) as (scheduler, _):
            assert await pinged(scheduler) == "answered with 204"
            assert await how(scheduler) == ComponentHealth("dead man", Level.HEALTHY)
        assert web.asked == [("/alive", None)]
    assert said(caplog) == []


async def test_a_failure_is_a_warning_and_a_degraded_node(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once while it lasts, health says it, the secret path stays out, and the end of it is told."""
    with a_web_server(status(500)) as web, caplog.at_level(logging.INFO, "trioarm.dead_man"):
        async with a_node_that_pings(web.url("/secret-path")) as (scheduler, _):
            for _ in range(2):
                assert await pinged(scheduler) == "failed: the answer is 500"
            reason = "no sign of life reaches 127.0.0.1: the answer is 500"
            assert await how(scheduler) == ComponentHealth("dead man", Level.DEGRADED, (reason,))
            assert (await scheduler.health()).level is Level.DEGRADED
            web.answer = status(200)
            assert await pinged(scheduler) == "answered with 200"
            assert (await how(scheduler)).level is Level.HEALTHY
    assert said(caplog) == [
        ("WARNING", reason),
        ("INFO", "signs of life reach 127.0.0.1 again"),
    ]


class Down(Health):
    """Health of a node whose engine hangs."""

    def _engine_health(self) -> ComponentHealth:
        return ComponentHealth("engine", Level.DOWN, ("it hangs",))


async def test_a_node_that_is_down_gives_no_sign_of_life() -> None:
    """Silence is the message: what does not do its work does not say that it lives."""
    with a_web_server() as web:
        async with a_node_that_pings(web.url(), down) as (scheduler, _):
            assert await pinged(scheduler) == "not sent: the node is down"
        assert web.asked == []


def down(c: Container) -> Health:
    """Make the health of a node that is down."""
    asked = c.get(ScheduleRepository), c.get(SchedulingEngine), c.get(RunExecutor), c.get(Recorder), c.get(Clock)
    return Down(*asked, check_interval_s=60.0)


async def test_without_a_url_there_is_nothing_of_it() -> None:
    """A node that nobody waits for has no such schedule, and health does not mention it."""
    async with open_scheduler() as scheduler:
        assert DEAD_MAN not in [each.name for each in (await scheduler.schedules.find()).rows]
        assert "dead man" not in [each.component for each in (await scheduler.health()).components]
