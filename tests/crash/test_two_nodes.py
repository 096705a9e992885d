"""Two programs on one file: they share the work, and what one leaves behind when it is killed the other takes over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio

from tests.cli.programs import DEADLINE_S, REPOSITORY, Program, started
from tests.crash.node import Place
from tests.crash.torture import kept
from tests.world import decided_instants
from trioarm import Origin, State
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.links.watch import DirectoryWatch
from trioarm.repositories.sqlite.nodes import MARK

RUN = ("-m", "trioarm", "run")
AT_ONCE_S = 15.0  # a lease has 20 s left at least: so early only the lock of a dead node tells

# Appends who was called, by which node, under which token; then does something that takes a while.
SAY = 'printf "%s %s %s %s %s\\n" "$TRIOARM_RUN_ID" "$TRIOARM_ATTEMPT" "$TRIOARM_TOKEN" "$PPID" "$$" >> said/lines'


def _command(name: str, when: str, then: str, *more: str) -> str:
    argv = json.dumps(["/bin/sh", "-c", f"{SAY}; {then}"])
    lines = ["[[schedule]]", f'name = "{name}"', 'handler = "command"', f"args = {{ argv = {argv} }}", when, *more]
    return "\n".join(lines) + "\n"


class Said:
    """What the programs that the nodes ran have said: run, attempt, token, node, own process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "said"
        self._folder.mkdir()
        self.path = self._folder / "lines"

    def lines(self) -> list[tuple[str, int, int, int, int]]:
        """Return all of it."""
        if not self.path.exists():
            return []
        rows = [line.split() for line in self.path.read_text().splitlines()]
        return [(run, int(attempt), int(token), int(node), int(own)) for run, attempt, token, node, own in rows]

    async def until(self, wanted: Callable[[list[tuple[str, int, int, int, int]]], bool]) -> float:
        """Wait until it is as wanted, and return when that was noticed."""
        return await changed_until(self._folder, lambda: wanted(self.lines()))


async def changed_until(folder: Path, wanted: Callable[[], bool]) -> float:
    """Wait until the files of a folder are as wanted, and return when that was noticed."""
    watch = DirectoryWatch.open(folder)
    assert watch is not None
    try:
        with trio.fail_after(DEADLINE_S):
            while not wanted():
                await watch.names()
            return time.monotonic()
    finally:
        watch.close()


@contextmanager
def nobody_left(said: Said) -> Iterator[None]:
    """End what killed nodes have left running."""
    try:
        yield
    finally:
        for *_, own in said.lines():
            with suppress(ProcessLookupError):
                os.kill(own, signal.SIGKILL)


@asynccontextmanager
async def two_nodes(folder: Path, text: str) -> AsyncIterator[tuple[Program, Program]]:
    """Run two nodes on one file."""
    (folder / "scheduler.toml").write_text(text)
    async with started(folder, RUN) as one, started(folder, RUN) as other:
        for program in (one, other):
            await program.line_with("started: ")
        yield one, other


async def test_two_nodes_decide_once_and_share_the_work(tmp_path: Path) -> None:
    """Each occurrence is decided by one of them and begun once, and each node gets some of the work (S2.4)."""
    text = "".join(_command(f"beat-{number}", 'every = "200ms"', "sleep 0.1") for number in range(6))
    said = Said(tmp_path)
    async with two_nodes(tmp_path, text) as nodes:
        pids = {program.process.pid for program in nodes}
        await said.until(lambda lines: len(lines) > 40 and {line[3] for line in lines} == pids)
        for program in nodes:
            program.process.send_signal(signal.SIGTERM)
        for program in nodes:
            assert (await program.end())[0] == 0
    lines = said.lines()
    assert len({(run, token) for run, _, token, _, _ in lines}) == len(lines)
    rows, records = await _kept(tmp_path)
    for record in records:
        mine = [row for row in rows if row.schedule.key == record.key]
        decided = decided_instants(mine)
        assert len(set(decided)) == len(decided)
        assert len(decided) == record.trigger.count(record.anchor_at, record.cursor_at)
    assert len({run for run, *_ in lines}) == len([row for row in rows if row.state is State.SUCCEEDED])
    waiting = [row for row in rows if row.unfinished]  # decided, or given back, as the nodes stopped
    assert {(row.state, row.started_at) for row in waiting} <= {(State.PENDING, None)}


def _locks(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if MARK in name]


async def test_a_killed_node_is_followed_at_once(tmp_path: Path) -> None:
    """What a node held when SIGKILL came is begun again by the other long before its lease ends, and its history says
    why; what runs at most once is not begun again, and its end is unknown (S2.2, S7.1)."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = _command("nap", f'once = "{now}"', "exec sleep 60", 'retry = { max_retries = 2, base = "1h", max = "1h" }')
    text += _command("once", f'once = "{now}"', "exec sleep 60", 'delivery = "at_most_once"')
    said = Said(tmp_path)
    (tmp_path / "scheduler.toml").write_text(text)
    with nobody_left(said):
        async with started(tmp_path, RUN) as first:
            await said.until(lambda lines: len(lines) == 2)
            async with started(tmp_path, RUN) as second:
                await second.line_with("started: ")
                assert {line[3] for line in said.lines()} == {first.process.pid}
                killed_at = time.monotonic()
                first.process.kill()
                begun_at = await said.until(lambda lines: len(lines) == 3)
                assert begun_at - killed_at < AT_ONCE_S
                again = said.lines()[2]
                assert (again[0].partition("@")[0], again[1:4]) == ("nap", (2, 2, second.process.pid))
                await second.line_with("once  unknown: the node that held it is gone")
                os.kill(again[4], signal.SIGTERM)
                await second.line_with("nap  attempt 2 failed")
                await changed_until(tmp_path, lambda: len(_locks(tmp_path)) == 1)  # the dead one is forgotten
                second.process.send_signal(signal.SIGTERM)
                assert (await second.end())[0] == 0
    assert len(said.lines()) == 3
    rows, _ = await _kept(tmp_path)
    ends = {row.schedule.schedule.name: (row.state, row.reason, row.attempt) for row in rows}
    assert ends["once"] == (State.UNKNOWN, Reason.LOST, 1)
    assert ends["nap"][2] == 2
    assert not _locks(tmp_path)


FIRE = """
import sys
import trio
from pathlib import Path
from trioarm.bootstrap import open_store
from trioarm.config import SchedulerConfig, SchedulerSettings
from trioarm.engine.commands import Commands
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Clock, ScheduleRepository

async def main(times):
    config = SchedulerConfig(scheduler=SchedulerSettings(store="sqlite:///trioarm.db"))
    for _ in range(times):
        async with open_store(config) as c:
            repository = c.get(ScheduleRepository)
            commands = Commands(repository, c.get(Clock), c.get(Hub), c.get(SchedulingEngine))
            await commands.fire("work", author=sys.argv[1])

trio.run(main, int(sys.argv[2]))
"""
COMMANDERS, TIMES = 4, 8


async def test_a_node_and_many_commands_write_at_the_same_time(tmp_path: Path) -> None:
    """Whatever short-lived processes commit while a node works is kept once, carried out once, and noted in order."""
    text = _command("work", 'once = "2099-01-01T00:00:00Z"', "true") + _command("beat", 'every = "50ms"', "true")
    (tmp_path / "scheduler.toml").write_text(text)
    (tmp_path / "fire.py").write_text(FIRE)
    said = Said(tmp_path)

    async def command(author: str) -> None:
        arguments = [sys.executable, "fire.py", author, str(TIMES)]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        await trio.run_process(arguments, cwd=tmp_path, env=environ, stderr=subprocess.STDOUT, capture_stdout=True)

    async with started(tmp_path, RUN) as program:
        await program.line_with("started: ")
        async with trio.open_nursery() as nursery:
            for number in range(COMMANDERS):
                nursery.start_soon(command, f"commander-{number}")
        await said.until(lambda lines: _fired(lines) == COMMANDERS * TIMES)
        program.process.send_signal(signal.SIGTERM)
        assert (await program.end())[0] == 0
    lines = said.lines()
    assert len({(run, token) for run, _, token, _, _ in lines}) == len(lines)
    rows, _ = await _kept(tmp_path)
    fired = [row for row in rows if row.origin is Origin.MANUAL]
    assert [row.state for row in fired] == [State.SUCCEEDED] * (COMMANDERS * TIMES)


def _fired(lines: list[tuple[str, int, int, int, int]]) -> int:
    return sum(line[0].startswith("work@") for line in lines)


async def _kept(folder: Path) -> tuple[list[RunRecord], list[ScheduleRecord]]:
    return await kept(Place(folder).store, "")
