"""The program as a process: started, listened to line by line, sent signals, and waited for."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

REPOSITORY = Path(__file__).parents[2]
PIPE = 1 << 20  # bytes: what a program says while a test listens to something else must not hold it up
DEADLINE_S = 60.0  # of a program to say or do something: no promise, but how long to wait for what never comes


class Program:
    """A running process of ours.

    Args:
        process: with pipes for stdout and stderr.
    """

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._rest = b""

    async def line_with(self, text: str) -> str:
        """Return the next line of stdout that contains a text."""
        with trio.move_on_after(DEADLINE_S):
            while True:
                line = await self._line()
                assert line is not None, f"it ended without {text!r}:\n" + "\n".join(self.lines)
                if text in line:
                    return line
        raise AssertionError(f"it did not say {text!r} in time:\n" + "\n".join(self.lines))

    async def _line(self) -> str | None:
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            data = await self.process.stdout.receive_some()
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        self.lines.append(line.decode())
        return self.lines[-1]

    async def end(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit code and its stderr. All of stdout is in `lines` then."""
        assert self.process.stderr is not None
        errors = b""
        with trio.fail_after(DEADLINE_S):
            while await self._line() is not None:
                pass
            async for data in self.process.stderr:
                errors += data
            code = await self.process.wait()
        assert b"Traceback" not in errors, errors.decode()
        return code, errors.decode()


@asynccontextmanager
async def started(
    folder: Path, arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run `python ARGUMENTS` in a folder while the context lasts."""
    process = await trio.lowlevel.open_process(
        [sys.executable, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(environ or {}),
    )
    assert process.stdout is not None
    fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which only the caller's settings count."""
    ours = ("SCHEDULER_", "TASK_EXECUTOR_", "TRIOARM_", "NO_COLOR", "COLUMNS")
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**rest, "PYTHONPATH": str(REPOSITORY), **more}


async def command(folder: Path, *words: str, text: str | None = None, user: int | None = None) -> tuple[int, str, str]:
    """Run `trioarm WORDS` in a folder to its end, as another user if need be; return exit code, stdout and stderr."""
    with trio.fail_after(DEADLINE_S):
        done = await trio.run_process(
            [sys.executable, "-m", "trioarm", *words],
            cwd=folder,
            stdin=b"" if text is None else text.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment({}),
        )
    out, errors = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in errors, errors
    return done.returncode, out, errors


async def said(folder: Path, *words: str) -> str:
    """Run `trioarm WORDS`, which must end well, and return its stdout."""
    code, out, errors = await command(folder, *words)
    assert code == 0, errors
    return out


async def rows(folder: Path, *words: str) -> list[dict[str, Any]]:
    """Run `trioarm WORDS --json`, which must end well, and return the objects it prints."""
    return [json.loads(line) for line in (await said(folder, *words, "--json")).splitlines()]


@asynccontextmanager
async def node(folder: Path, *more: str) -> AsyncIterator[Program]:
    """Run a node that has started, its log in JSON, while the context lasts."""
    async with started(folder, ("-m", "trioarm", "run", "--set", "log.format=json", *more)) as program:
        await program.line_with('"started: ')
        yield program
