"""Nothing reaches out of a world: a configuration that runs a house can be played without harm to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.writing import config_of
from tests.feeds.writing import calendar
from trioarm import Every, HandlerRefused, RunContext, Schedule, State
from trioarm.core.instants import HOUR
from trioarm.core.run import RunRecord
from trioarm.testing import Fault, World, a_world, all_runs, assert_decided, in_virtual_time
from trioarm.testing.faults import faulty_calls
from trioarm.testing.nodes import STARTED_NOTHING
from trioarm.testing.world import BEGIN


def test_no_program_is_started_unless_the_test_says_so(tmp_path: Path) -> None:
    """`command` succeeds and does nothing; a handler of that name takes its place."""
    mark = tmp_path / "mark"
    config = config_of(
        tmp_path,
        f'[[schedule]]\nname = "one"\nhandler = "command"\nargs = {{ argv = ["/bin/touch", "{mark}"] }}\nafter = "1s"\n'
        "max_runs = 1",
    )
    called = []

    async def command(run: RunContext) -> None:
        called.append(run.args["argv"])

    async def main(world: World, handlers: dict[str, object]) -> object:
        async with world.alive():
            await world.start(handlers, config)  # type: ignore[arg-type]
            await world.advance(10)
            [run] = [run for run in (await world.scheduler.runs.find()).rows if run.schedule == "one"]
            return run.state, run.result

    assert in_virtual_time(main, World(), {}) == (State.SUCCEEDED, STARTED_NOTHING)
    assert in_virtual_time(main, World(), {"command": command}) == (State.SUCCEEDED, None)
    assert called == [["/bin/touch", str(mark)]]
    assert not mark.exists()


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Listen where nobody should come."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        yield door


def test_no_panel_is_commanded(tmp_path: Path, door: socket.socket) -> None:
    """Built-in ones take the places of all, as slow to arm as they are: no test arms a house, or needs its code.

    And nobody connects to a broker.
    """
    mark = tmp_path / "mark"
    touch = f'["/bin/touch", "{mark}"]'
    config = config_of(
        tmp_path,
        f"""
        [site.home]
        timezone = "UTC"
        [mqtt.home]
        host = "127.0.0.1"
        port = {door.getsockname()[1]}
        [discovery]
        broker = "home"
        [notify.bus]
        kind = "mqtt"
        broker = "home"
        topic = "alerts"
        [partition.attic]
        site = "home"
        panel = {{ kind = "mqtt", broker = "home", preset = "alarmo", exit_delay = "10s" }}
        [partition.house]
        site = "home"
        code = {{ env = "NO_SUCH_CODE" }}
        panel = {{ kind = "command", set = {touch}, read = {touch}, exit_delay = "45s" }}
        [partition.shed]
        site = "home"
        panel = {{ kind = "http", set = "http://127.0.0.1:9/", read = "http://127.0.0.1:9/", exit_delay = "0s" }}
        [homeassistant.home]
        url = "http://127.0.0.1:9"
        token = {{ env = "NO_SUCH_TOKEN" }}
        [partition.barn]
        site = "home"
        address = "alarm_control_panel.barn"
        panel = {{ kind = "homeassistant", instance = "home", exit_delay = "20s" }}
        [[schedule]]
        name = "night"
        partitions = ["house", "shed", "attic", "barn"]
        target = "armed_night"
        once = "2026-11-23T22:10:00Z"
        """,
    )

    async def main() -> dict[str, tuple[object, float]]:
        async with a_world() as world:
            await world.start({}, config)
            await world.advance(700)
            found = await world.scheduler.runs.find()
            return {
                run.schedule: (run.state, (run.finished_at - run.due_at).total_seconds())
                for run in found.rows
                if run.finished_at is not None and run.schedule.startswith("night/")
            }

    assert in_virtual_time(main) == {
        "night/house": (State.SUCCEEDED, pytest.approx(45, abs=1)),
        "night/attic": (State.SUCCEEDED, pytest.approx(10, abs=1)),
        "night/shed": (State.SUCCEEDED, pytest.approx(0, abs=1)),
        "night/barn": (State.SUCCEEDED, pytest.approx(20, abs=1)),
    }
    assert not mark.exists()
    with pytest.raises(BlockingIOError):
        door.accept()


def test_nobody_is_told_that_a_node_lives(tmp_path: Path) -> None:
    """Nor does a node look after itself, unless that is asked for; then, too, its dead man's switch is left alone."""
    config = config_of(tmp_path, '[scheduler]\ndead_man_url = "http://127.0.0.1:9/"')

    async def main(housekeeping: bool) -> set[tuple[str, object]]:
        async with a_world(housekeeping=housekeeping) as world:
            await world.start({}, config)
            await world.advance(600)
            return {(run.schedule, run.result) for run in (await world.scheduler.runs.find()).rows}

    assert in_virtual_time(main, False) == set()
    said = in_virtual_time(main, True)
    assert said == {("trioarm/health", "healthy"), ("trioarm/dead-man", "not sent: there is no dead_man_url")}


def test_calendars_are_read_from_files_and_not_from_the_web(tmp_path: Path) -> None:
    """Those of a file count in virtual time; an address is not called, and a failed run says why."""
    (tmp_path / "bins.ics").write_text(calendar(["DTSTART:20261124T190000Z"]), encoding="utf-8")
    config = config_of(
        tmp_path,
        '[calendar.bins]\nics = "bins.ics"\n[calendar.far]\nics = "http://127.0.0.1:9/"\n'
        '[[schedule]]\nname = "bins"\nhandler = "log"\nargs = { message = "x" }\ncalendar = "bins"\n',
    )

    async def main() -> None:
        async with a_world() as world:
            await world.start({}, config)
            await world.until("2026-11-24 20:00")
            assert_decided(await world.decisions("bins"), [("2026-11-24 19:00", "succeeded")])
            [first, *_] = await world.decisions("trioarm/calendar/far")
            assert "a world reads no calendar from the web" in str(first.error)

    in_virtual_time(main)


def test_a_fault_strikes_the_call_it_was_planted_for() -> None:
    """The next one of that name, or a later one, and no other."""

    async def main() -> None:
        async with a_world() as world:
            await world.start()
            await world.scheduler.runs.find()
            world.plant(Fault.SLOW, "find_runs", nth=2)
            struck = []
            for _ in range(3):
                await world.scheduler.runs.find()
                struck.append(world.calls["find_runs: slow"])
            assert struck == [0, 1, 1]

    in_virtual_time(main)


def test_a_fault_that_would_never_strike_is_refused() -> None:
    """What is no call, what a node cannot do without, and what was before."""
    world = World()
    for call in ("comit", "open", "next_due_at"):
        with pytest.raises(ValueError, match=f"no fault strikes '{call}': name one of commit, "):
            world.plant(Fault.BEFORE, call)
    with pytest.raises(ValueError, match="counted from 1"):
        world.plant(Fault.BEFORE, nth=0)
    assert {"commit", "read_due", "renew", "find_runs"} < set(faulty_calls())


def test_a_world_whose_store_is_away_ends() -> None:
    """Its node stops without it."""

    async def main() -> None:
        async with a_world() as world:
            node = await world.start()
            node.line.stall()
            await world.advance(HOUR / 1e6)

    in_virtual_time(main)


def test_what_goes_wrong_leaves_a_world_as_itself() -> None:
    """No group is around it, whether the test fails or a node does not start; its causes stay."""

    async def failing() -> None:
        async with a_world() as world:
            await world.start()
            try:
                raise KeyError("first")
            except KeyError as error:
                raise LookupError("then") from error

    with pytest.raises(LookupError, match="then") as failed:
        in_virtual_time(failing)
    assert isinstance(failed.value.__cause__, KeyError)

    async def refused() -> None:
        async with a_world() as world:
            with pytest.raises(HandlerRefused):
                await world.start({"work": int})
            assert world.nodes == []
            assert world.wall() == BEGIN

    in_virtual_time(refused)


def test_plain_functions_are_called_in_the_loop() -> None:
    """A thread would take no part in virtual time: its deadline would come before it had begun."""
    where: list[int] = []

    def work(run: RunContext) -> str:
        where.append(threading.get_ident())
        time.sleep(0.05)  # while nothing else turns
        return "done"

    async def main() -> list[RunRecord]:
        async with a_world() as world:
            await world.start({"work": work})
            await world.scheduler.schedules.put(Schedule("plain", Every(60), handler="work", timeout_s=1))
            await world.advance(150)
            return await all_runs(world.nodes[0].repository, "plain")

    runs = in_virtual_time(main)
    assert {(run.state, run.result) for run in runs} == {(State.SUCCEEDED, "done")}
    assert set(where) == {threading.get_ident()}
    assert len(where) == len(runs) >= 2
