"""The program as the first process of a PID namespace, as in a container: signals, orphans, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from tests.cli.programs import DEADLINE_S, Program, started

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
if os.geteuid() != 0:
    CONTAINER += ["--user", "--map-root-user"]
RUN = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"  # so that `started` can start it, too
JUST_NOW = datetime.now(UTC).isoformat()
WAIT_S = 0.02


@asynccontextmanager
async def a_container(folder: Path, *arguments: str) -> AsyncIterator[tuple[Program, int]]:
    """Run `python -m trioarm ARGUMENTS` as PID 1; also return the number that its PID 1 has outside."""

    async with started(folder, ("-c", RUN, *CONTAINER, sys.executable, "-m", "trioarm", *arguments)) as program:
        first = await child_of(program.process.pid)
        yield program, first


def children(pid: int) -> list[int]:
    """Return the children of a process, the dead that nobody reaped included."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def child_of(pid: int) -> int:
    """Return the one child of a process, once it has one."""
    with trio.fail_after(DEADLINE_S):
        while not children(pid):  # noqa: ASYNC110
            await trio.sleep(WAIT_S)
    [child] = children(pid)
    return child


def runs(folder: Path, *argv: str) -> None:
    """Write a file with one schedule that runs a program now."""
    listed = ", ".join(f"'''{part}'''" for part in argv)
    (folder / "scheduler.toml").write_text(
        f'[[schedule]]\nname = "nap"\nhandler = "command"\nargs = {{ argv = [{listed}] }}\nonce = "{JUST_NOW}"\n'
    )


@pytest.mark.parametrize(("drain", "code", "said"), [("60s", 0, "1 succeeded"), ("0s", 3, "given back")])
async def test_signals_reach_the_node_and_its_exit_code_comes_back(
    drain: str, code: int, said: str, tmp_path: Path
) -> None:
    """SIGTERM to PID 1 drains, and the container ends as the node does: 0, or 3 when the deadline was hit."""
    awake = tmp_path / "awake"
    runs(tmp_path, "/bin/sh", "-c", f"until test -e {awake}; do sleep 0.05; done")
    settings = ("--set", "log.level=debug", "--set", f"scheduler.drain={drain}")
    async with a_container(tmp_path, "run", *settings) as (program, first):
        await program.line_with("nap  running")
        os.kill(first, signal.SIGTERM)
        await program.line_with("SIGTERM: stopping")
        if code == 0:
            awake.touch()
        assert said in await program.line_with("stopped")
        assert await program.end() == (code, "")


async def test_sighup_and_sigint_are_handed_on(tmp_path: Path) -> None:
    """PID 1 hands on what it is told, and Ctrl+C once: the node has a process group of its own."""
    (tmp_path / "scheduler.toml").write_text("")
    async with a_container(tmp_path, "run") as (program, first):
        await program.line_with("started")
        os.kill(first, signal.SIGHUP)
        await program.line_with("what it said before")
        node = await child_of(first)
        assert os.getpgid(node) == node != os.getpgid(first)
        os.kill(first, signal.SIGINT)
        await program.line_with("SIGINT: stopping")
        assert await program.end() == (0, "")


async def test_orphans_are_reaped(tmp_path: Path) -> None:
    """What a program of a handler leaves behind, in a session of its own, becomes a child of PID 1, and is gone once it
    has ended."""
    evidence, away, seen = tmp_path / "parent", tmp_path / "away", tmp_path / "seen"
    until_seen = f"while [ ! -e {seen} ]; do sleep 0.01; done"
    orphan = f"touch {away}; {until_seen}; grep PPid: /proc/$$/status > {evidence}"
    until_away = f"while [ ! -e {away} ]; do sleep 0.01; done"  # what is still in its session would end with it
    runs(tmp_path, "/bin/sh", "-c", f"(setsid sh -c '{orphan}' > /dev/null 2>&1 &); {until_away}")
    async with a_container(tmp_path, "run") as (program, first):
        await program.line_with("nap  succeeded")
        [node] = [child for child in children(first) if os.getsid(child) == os.getsid(first)]  # numbers start anew
        assert len(children(first)) > 1
        seen.touch()
        with trio.fail_after(DEADLINE_S):
            while not evidence.exists() or not evidence.read_text():  # noqa: ASYNC110
                await trio.sleep(WAIT_S)
            assert evidence.read_text().split() == ["PPid:", "1"]
            while children(first) != [node]:  # noqa: ASYNC110
                await trio.sleep(WAIT_S)
        assert children(node) == []
        os.kill(first, signal.SIGTERM)
        assert await program.end() == (0, "")


async def test_a_node_that_is_killed_ends_the_container(tmp_path: Path) -> None:
    """A node that a signal ended is told as shells tell it: 128 and its number."""
    (tmp_path / "scheduler.toml").write_text("")
    async with a_container(tmp_path, "run") as (program, first):
        await program.line_with("started")
        os.kill(await child_of(first), signal.SIGKILL)
        code, _ = await program.end()
        assert code == 128 + signal.SIGKILL


async def test_other_commands_work_too(tmp_path: Path) -> None:
    """A command that fails does so with its own exit code and its own line."""
    async with started(tmp_path, ("-c", RUN, *CONTAINER, "python3", "-c", "pass")) as plain:
        assert await plain.end() == (0, "")

    command = (sys.executable, "-m", "trioarm", "check", "-c", "nosuch.toml")
    async with started(tmp_path, ("-c", RUN, *CONTAINER, *command)) as program:
        code, errors = await program.end()
    assert code == 2
    assert errors.startswith("error: nosuch.toml: there is no such file")
