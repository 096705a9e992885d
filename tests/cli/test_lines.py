"""Lines that nobody reads: they wait, within bounds, and never keep a node from its work."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import trio

from tests.cli.programs import DEADLINE_S, Program, environment, rows
from trioarm.cli.lines import WAITING_MAX, Lines

PIPE = 4096  # bytes: the least a pipe holds
ARMED = ("runs", "list", "beat/house")
LATER = ("superseded", "cancelled")  # by the next one, on a machine that needs more than a second for one


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe that holds little: the end to read from, and the other as text."""
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE)
    with open(theirs, "w", encoding="utf-8", errors="backslashreplace") as stream:
        yield ours, stream
    os.close(ours)


def taken(ours: int, count: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < count:
        data += os.read(ours, count - len(data))
    return data


def test_whoever_writes_waits_for_nobody_and_nothing_is_lost(pipe: tuple[int, TextIO]) -> None:
    """A hundred pipes full are taken in order once somebody reads, with what no encoding can hold as escapes."""
    ours, stream = pipe
    lines = Lines(stream)
    texts = [f"{number} žluťoučký \udcff {'x' * PIPE}\n" for number in range(100)]
    for text in texts:
        lines.write(text)
    expected = "".join(texts).encode("utf-8", "backslashreplace")
    assert taken(ours, len(expected)) == expected
    lines.finish()
    assert lines.left_out() == 0


def test_what_is_too_much_is_left_out_and_counted(pipe: tuple[int, TextIO]) -> None:
    """It is said how many there were, once there is room for it; one text is never too long to wait alone."""
    ours, stream = pipe
    lines = Lines(stream)
    first, second = "a" * (WAITING_MAX + 1), "b" * PIPE
    lines.write(first)
    for _ in range(3):
        lines.write(second)
    assert lines.left_out() == 0  # there is no room yet
    assert taken(ours, len(first)) == first.encode()
    while not (count := lines.left_out()):
        os.sched_yield()
    assert count == 3
    assert lines.left_out() == 0
    lines.write(second)
    assert taken(ours, PIPE) == second.encode()


def test_the_end_waits_for_the_last_lines_but_not_for_ever(pipe: tuple[int, TextIO]) -> None:
    """A reader who comes late gets them; without one it ends all the same."""
    ours, stream = pipe
    lines = Lines(stream)
    lines.write("x" * 3 * PIPE)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(taken(ours, 3 * PIPE)))
    reader.start()
    lines.finish()
    reader.join()
    assert found == [b"x" * 3 * PIPE]
    unread = Lines(stream)
    unread.write("x" * 3 * PIPE)
    unread.finish()
    assert taken(ours, 3 * PIPE) == b"x" * 3 * PIPE


def test_a_reader_who_is_gone_is_told(tmp_path: Path) -> None:
    """The next one to write hears of it."""
    ours, theirs = os.pipe()
    with open(theirs, "w", encoding="utf-8") as stream:
        lines = Lines(stream)
        os.close(ours)
        lines.write("to whom?")
        lines.finish()
        with pytest.raises(BrokenPipeError):
            lines.write("to nobody")


async def test_a_node_whose_output_nobody_reads_arms_on_time_and_stops_when_asked(tmp_path: Path) -> None:
    """Its pipe is full long before: nobody reads on once it has started."""
    (tmp_path / "scheduler.toml").write_text(
        f"""
        [log]
        format = "json"
        [site.home]
        timezone = "UTC"
        [partition.house]
        site = "home"
        panel = {{ exit_delay = "0s" }}
        [[schedule]]
        name = "loud"
        handler = "log"
        args = {{ message = "{"x" * PIPE}" }}
        every = "100ms"
        [[schedule]]
        name = "beat"
        partition = "house"
        target = "armed_night"
        every = "1s"
        """
    )
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "trioarm", "run"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment({}),
    )
    assert process.stdout is not None
    fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE)
    try:
        await Program(process).line_with("started: ")
        with trio.fail_after(DEADLINE_S):
            while len(await rows(tmp_path, *ARMED, "--state", "succeeded")) < 5:
                await trio.lowlevel.checkpoint()
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        ended = {run["state"] for run in await rows(tmp_path, *ARMED) if run["finished_at"]}
        assert ended <= {"succeeded", *LATER}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
