"""The built-in handler `command`: runs a program, never a shell, and tells it who it is."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Final

import trio

from trioarm.core.instants import instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard
from trioarm.engine.attempt import RunContext

TAIL: Final = 2_000  # bytes of output kept with the run
TERMINATION_S: Final = 3.0  # for a program to end when told to; less than a handler gets before it counts as stuck


class ProgramFailed(Exception):
    """The program ended with an exit code other than 0."""


async def command(run: RunContext) -> Json:
    """Run the argument vector `argv` to its end; its exit code decides.

    Returns:
        the last 2 000 bytes of its output, as text.

    Raises:
        Discard: `argv` is no list of text, or the program cannot be started at all.
        ProgramFailed: it ended with an exit code other than 0.

    Cancellation: the program is told to terminate, and killed when it does not within three seconds.
    """
    argv = _argv(run)
    try:
        process = await trio.lowlevel.open_process(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(run)
        )
    except OSError as error:
        raise Discard(f"cannot start {argv[0]!r}: {error.strerror}") from error
    tail = await _attend(process)
    if process.returncode != 0:
        raise ProgramFailed(f"{argv[0]} ended with {process.returncode}: {_last_line(tail)}")
    return tail or None


def _argv(run: RunContext) -> list[str]:
    argv = run.args.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(part, str) for part in argv):
        raise Discard('args.argv must be a list of text, such as ["/usr/bin/rsync", "-a", "/home", "/backup"]')
    return [str(part) for part in argv]


def _environment(run: RunContext) -> dict[str, str]:
    return {
        **os.environ,
        "TRIOARM_RUN_ID": run.id,
        "TRIOARM_SCHEDULE": run.schedule,
        "TRIOARM_DUE_AT": render_instant(instant(run.due_at)),
        "TRIOARM_ATTEMPT": str(run.attempt),
        "TRIOARM_TOKEN": str(run.token),
        "TRIOARM_ARGS": json.dumps(run.args),
    }


async def _attend(process: trio.Process) -> str:
    """Read what the program says until it ends, keeping only the tail."""
    tail = b""
    try:
        if process.stdout is not None:
            async for data in process.stdout:
                tail = (tail + data)[-TAIL:]
        await process.wait()
    finally:
        if process.returncode is None:
            await _end(process)
    return tail.decode(errors="replace")


async def _end(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        process.terminate()
        with trio.move_on_after(TERMINATION_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_line(tail: str) -> str:
    lines = tail.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
