"""The program under a supervisor that wants to be told how it is: a real datagram socket, as systemd's is one."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns

import pytest
import trio
import trio.testing

from tests.cli.programs import DEADLINE_S, started
from tests.world import a_node, in_virtual_time
from trioarm import InMemoryScheduleRepository, SchedulerConfig
from trioarm.cli.pulse import Pulse
from trioarm.cli.systemd import ServiceManager
from trioarm.config import SchedulerSettings
from trioarm.engine.health import LATE_PASS_S
from trioarm.engine.ports import DueView

RUN = ("-m", "trioarm", "run")


def just_now() -> str:
    """Return what is due already, and not late."""
    return datetime.now(UTC).isoformat()


class Ear:
    """The supervisor's end of the socket."""

    def __init__(self, listening: trio.socket.SocketType) -> None:
        self._listening = listening
        self.heard: list[dict[str, str]] = []

    async def message_with(self, key: str) -> dict[str, str]:
        """Return the next message that says something of a key."""
        with trio.fail_after(DEADLINE_S):
            while True:
                data = await self._listening.recv(4096)
                self.heard.append(dict(line.split("=", 1) for line in data.decode().splitlines()))
                if key in self.heard[-1]:
                    return self.heard[-1]


@asynccontextmanager
async def an_ear(address: str) -> AsyncIterator[Ear]:
    """Listen at an address as long as the context lasts; `@` begins an abstract one."""
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as listening:
        await listening.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        yield Ear(listening)


def beating(folder: Path, handler: str = 'handler = "log"\nevery = "1h"') -> None:
    """Write a file with one schedule."""
    (folder / "scheduler.toml").write_text(f'[[schedule]]\nname = "beat"\n{handler}\n')


@pytest.mark.parametrize("abstract", [False, True])
async def test_a_life_is_told_from_start_to_end(abstract: bool, tmp_path: Path) -> None:
    """Ready once it is, then signs of life, a reload with its instant, and stopping with the time that it may take."""
    beating(tmp_path)
    address = f"@trioarm-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    async with an_ear(address) as ear, started(tmp_path, RUN, environ) as program:
        ready = await ear.message_with("READY")
        assert ready["READY"] == "1"
        assert ready["STATUS"].startswith("started: 1 schedule, next is beat at ")
        for _ in range(3):
            assert await ear.message_with("WATCHDOG") == {"WATCHDOG": "1"}
        before = monotonic_ns() // 1000
        program.process.send_signal(signal.SIGHUP)
        reloading = await ear.message_with("RELOADING")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= monotonic_ns() // 1000
        assert await ear.message_with("READY") == ready
        (tmp_path / "scheduler.toml").write_text("=")
        program.process.send_signal(signal.SIGHUP)
        await ear.message_with("RELOADING")
        failed = await ear.message_with("READY")
        assert failed["STATUS"] == f"{ready['STATUS']}; the configuration has problems, see the log"
        program.process.send_signal(signal.SIGTERM)
        stopping = await ear.message_with("STOPPING")
        assert stopping["STATUS"] == "stopping: SIGTERM"
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 30_000_000
        assert await program.end() == (0, "")


async def test_signs_of_life_come_faster_than_they_are_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The time between two is less than half of what is allowed."""
    address = str(tmp_path / "notify")
    async with an_ear(address) as ear, trio.open_nursery() as nursery:
        nursery.start_soon(ServiceManager(address, 1.0).keep_watch, lambda: True)
        await ear.message_with("WATCHDOG")
        seen_at = trio.current_time()
        await ear.message_with("WATCHDOG")
        assert 0 < trio.current_time() - seen_at < 0.5
        nursery.cancel_scope.cancel()


async def test_signs_of_life_go_on_while_a_run_is_drained(tmp_path: Path) -> None:
    """Until it has ended."""
    argv = '["/bin/sh", "-c", "until test -e go; do sleep 0.05; done"]'
    beating(tmp_path, f'handler = "command"\nargs = {{ argv = {argv} }}\nonce = "{just_now()}"')
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": ""}
    debug = (*RUN, "--set", "log.level=debug")
    async with an_ear(environ["NOTIFY_SOCKET"]) as ear, started(tmp_path, debug, environ) as program:
        await program.line_with("beat  running")
        program.process.send_signal(signal.SIGTERM)
        await ear.message_with("STOPPING")
        for _ in range(2):
            await ear.message_with("WATCHDOG")
        (tmp_path / "go").touch()
        assert await program.end() == (0, "")


async def test_a_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    """WATCHDOG_PID names whose signs of life are waited for."""
    beating(tmp_path)
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "50000", "WATCHDOG_PID": "1"}
    async with an_ear(environ["NOTIFY_SOCKET"]) as ear, started(tmp_path, (*RUN, "--for", "1s"), environ) as program:
        await ear.message_with("STOPPING")
        assert [*map(set, ear.heard)] == [{"READY", "STATUS"}, {"STOPPING", "EXTEND_TIMEOUT_USEC", "STATUS"}]
        assert await program.end() == (0, "")


async def test_programs_of_handlers_cannot_speak_for_the_node(tmp_path: Path) -> None:
    """What the supervisor said to the node is not handed on to the programs it starts."""
    argv = '["/bin/sh", "-c", "test -z \\"$NOTIFY_SOCKET$WATCHDOG_USEC$WATCHDOG_PID\\""]'
    beating(tmp_path, f'handler = "command"\nargs = {{ argv = {argv} }}\nonce = "{just_now()}"')
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    async with (
        an_ear(environ["NOTIFY_SOCKET"]) as ear,
        started(tmp_path, (*RUN, "--until-idle"), environ) as program,
    ):
        await ear.message_with("READY")
        await program.line_with("beat  succeeded")
        assert await program.end() == (0, "")


@pytest.mark.parametrize("address", ["nowhere", "relative", "/dev/null", "vsock:2:1234"])
async def test_a_socket_that_cannot_be_used_is_one_warning(address: str, tmp_path: Path) -> None:
    """A missing or broken socket is told once, however often it is missed, and stops nothing."""
    beating(tmp_path)
    environ = {
        "NOTIFY_SOCKET": str(tmp_path / "nowhere") if address == "nowhere" else address,
        "WATCHDOG_USEC": "20000",
    }
    async with started(tmp_path, (*RUN, "--for", "500ms"), environ) as program:
        assert await program.end() == (0, "")
    [warning] = [line for line in program.lines if "NOTIFY_SOCKET" in line]
    assert "warning" in warning
    assert "cannot be told how the node is" in warning


async def test_without_a_supervisor_nothing_is_said(tmp_path: Path) -> None:
    """No NOTIFY_SOCKET, no word about it."""
    beating(tmp_path)
    async with started(tmp_path, (*RUN, "--for", "200ms"), {"WATCHDOG_USEC": "20000"}) as program:
        assert await program.end() == (0, "")
    assert not any("NOTIFY_SOCKET" in line for line in program.lines)


class Hanging(InMemoryScheduleRepository):
    """A repository that from some moment on answers no more."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return what is due, or never return."""
        if self.hangs:
            await trio.sleep_forever()
        return await super().read_due(now, limit)


def counted(listening: socket.socket) -> int:
    """Return how many messages have come, and forget them."""
    count = 0
    while True:
        try:
            listening.recv(4096)
        except BlockingIOError:
            return count
        count += 1


def test_an_engine_that_hangs_gives_no_sign_of_life(tmp_path: Path) -> None:
    """Signs go on while the engine naps, and stop once it has made no pass for longer than a nap may take."""
    address = str(tmp_path / "notify")
    allowed_s = 30.0

    async def main() -> None:
        repository = Hanging()
        config = SchedulerConfig(scheduler=SchedulerSettings(check_interval_s=60))
        async with (
            a_node((), config, store=lambda _: repository, check_interval_s=60) as (_, container),
            trio.open_nursery() as nursery,
        ):
            supervisor = ServiceManager(address, watchdog_s=allowed_s)
            nursery.start_soon(supervisor.keep_watch, Pulse(container).beats)
            for _ in range(20):
                await trio.sleep(allowed_s)
                assert counted(listening) >= 2
            repository.hangs = True
            await trio.sleep(60 + LATE_PASS_S + allowed_s)
            counted(listening)
            await trio.sleep(600)
            assert counted(listening) == 0
            nursery.cancel_scope.cancel()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.setblocking(False)
        in_virtual_time(main)


def test_a_node_that_waits_to_be_started_lives() -> None:
    """With auto_start off the engine makes no pass, and that is as it should be."""

    async def main() -> None:
        config = SchedulerConfig(scheduler=SchedulerSettings(auto_start=False))
        async with a_node((), config) as (_, container):
            pulse = Pulse(container)
            await trio.sleep(3600)
            assert pulse.beats()

    in_virtual_time(main)
