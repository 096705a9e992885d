"""A program of somebody else's: started in a session of its own, heard to its end, and ended with all it started.

Whatever it does is bounded: of what it says the end is kept, a pipe that others hold open is left once it has ended,
and its process group is told to terminate, then killed. Who is to outlive it must begin a session of its own (setsid).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

TAIL: Final = 2_000  # bytes of output kept
LINGER_S: Final = 1.0  # for what others say into its pipe once it has ended
TERMINATION_S: Final = 3.0  # for a group to end when told to; with KILLED_S less than a handler has to clean up
KILLED_S: Final = 1.0  # for the system to end it when killed
PROC: Final = Path("/proc")  # where Linux tells of processes
LOOK_S: Final = 0.05  # between two looks whether a group is gone

PASSED: Final = re.compile(r"PATH|HOME|LANG|LC_.*|TZ|TMPDIR|USER|LOGNAME|SHELL")
"""The variables of the node that every program gets; the others may hold secrets that are not its business."""


def passed() -> dict[str, str]:
    """Return the variables of the node that every program gets."""
    return {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}


class NotStarted(Exception):
    """A program cannot be started; one line says why."""


class Output:
    """The end of what a program says, and what had to be done about it.

    Args:
        limit: bytes of it that are kept.

    Attributes:
        cut: whether it said more than is kept.
    """

    def __init__(self, limit: int = TAIL) -> None:
        self.cut = False
        self._limit = limit
        self._tail = b""
        self._notes: list[str] = []

    def add(self, data: bytes | bytearray) -> None:
        """Take more of it, and forget the beginning."""
        whole = self._tail + data
        self.cut = self.cut or len(whole) > self._limit
        self._tail = whole[-self._limit :]

    def note(self, text: str) -> None:
        """Add a line of ours to its end."""
        self._notes.append(f"[{text}]")

    @property
    def data(self) -> bytes:
        """What the program said, as it came."""
        return self._tail

    @property
    def said(self) -> str:
        """What the program said; what is no UTF-8 is replaced, and what no database can hold left out."""
        return self._tail.decode(errors="replace").replace("\0", "")

    @property
    def text(self) -> str:
        """What the program said, and what had to be done about it."""
        said = self.said
        between = "\n" if self._notes and said and not said.endswith("\n") else ""
        return said + between + "\n".join(self._notes)


async def run_program(
    argv: Sequence[str],
    output: Output,
    *,
    env: Mapping[str, str],
    errors: Output | None = None,
    cwd: str | None = None,
    stdin: str | None = None,
) -> int:
    """Run a program to its end and return its exit code; that of a signal is negative.

    Args:
        argv: the program and its arguments; no shell touches them.
        output: takes what it says.
        env: all of its environment.
        errors: takes what it says on standard error; None where `output` takes that, too.
        cwd: where it works; None for where we do.
        stdin: what it can read; None for nothing.

    Raises:
        NotStarted: it cannot be started.

    Cancellation: it is told to terminate, and killed when it does not; four seconds later it is left in any case.
    """
    where = "" if cwd is None else f" in {cwd}"
    try:
        process = await trio.lowlevel.open_process(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors is None else subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise NotStarted(f"cannot start {argv[0]}{where}: {error.strerror}") from error
    except ValueError as error:
        what = "an argument or a variable holds what none can, such as NUL"
        raise NotStarted(f"cannot start {argv[0]}{where}: {what}") from error
    try:
        return await _attend(process, output, errors, stdin or "")
    finally:
        with trio.CancelScope(shield=True):
            await _end_group(process, output)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    await pipe.aclose()


async def _attend(process: trio.Process, output: Output, errors: Output | None, text: str) -> int:
    async with trio.open_nursery() as nursery:
        if process.stdin is not None:
            nursery.start_soon(_feed, process.stdin, text)
        heard_all = [trio.Event() for _ in range(2)]
        for pipe, takes, heard in zip((process.stdout, process.stderr), (output, errors), heard_all, strict=True):
            if pipe is None or takes is None:
                heard.set()
            else:
                nursery.start_soon(_listen, pipe, takes, heard)
        code = await process.wait()
        with trio.move_on_after(LINGER_S):
            for heard in heard_all:
                await heard.wait()
        nursery.cancel_scope.cancel()
    return code


async def _feed(pipe: trio.abc.SendStream, text: str) -> None:
    """Hand a program what it can read; it need not."""
    with suppress(trio.BrokenResourceError):
        await pipe.send_all(text.encode())
    await pipe.aclose()


async def _listen(pipe: trio.abc.ReceiveStream, output: Output, heard_all: trio.Event) -> None:
    async for data in pipe:
        output.add(data)
    heard_all.set()


def ending(code: int) -> str:
    """Return how a program ended, in words."""
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a signal that has no name
        return f"was ended by signal {-code}"


def last_line(said: str) -> str:
    """Return the last line of what a program said."""
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def _end_group(process: trio.Process, output: Output) -> None:
    """End the program and what is left of its process group, which has its number."""
    whose = "it" if process.returncode is None else "what it left running"
    if process.returncode is not None and not _has_living(process.pid):
        return
    _signal(process.pid, signal.SIGTERM)
    if await _is_gone(process, TERMINATION_S):
        output.note(f"{whose} was terminated")
        return
    _signal(process.pid, signal.SIGKILL)
    if await _is_gone(process, KILLED_S):
        output.note(f"{whose} was killed: it did not end when told to")
    else:
        output.note(f"{whose} cannot be ended")


async def _is_gone(process: trio.Process, within_s: float) -> bool:
    with trio.move_on_after(within_s):
        await process.wait()
        while _has_living(process.pid):  # noqa: ASYNC110
            await trio.sleep(LOOK_S)  # nobody tells when a process that is not our child has ended
        return True
    return False


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it is gone, or belongs to another user now
        os.killpg(group, number)


def _has_living(group: int) -> bool:
    """Whether anybody in a process group still lives. Who only waits to be reaped is signalled in vain."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not PROC.is_dir():
        return True
    return any(_lives(process, group) for process in PROC.iterdir() if process.name.isdecimal())


def _lives(process: Path, group: int) -> bool:
    """Whether a process is of that group and has not ended (proc(5): state, parent, group after the name)."""
    try:
        state, _, its_group = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False  # it ended between two looks
    return int(its_group) == group and state not in "ZX"
