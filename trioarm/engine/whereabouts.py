"""Where a handler is that does not end: the frames its task waits in, and those of tasks it waits for (S6.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile, islice
from pathlib import Path
from types import FrameType
from typing import Final, TypeAlias

import attrs
import trio

LINES_MAX: Final = 10  # frames told of one task: the innermost
TASKS_MAX: Final = 3  # told of one handler, its own included: the others do the same, or end with these
FRAMES_MAX: Final = 1_000  # looked at of one task: no more are awaited within each other, unless somebody allows it

_WORKER: Final = "trioarm.engine."  # modules of the worker that called the handler
_WAITS_FOR_TASKS: Final = "_nested_child_finished"  # where trio waits at the end of a nursery

Frames: TypeAlias = Sequence[tuple[FrameType, int]]


@attrs.frozen(slots=True)
class Whereabouts:
    """Where a handler is.

    Args:
        place: in a few words, such as `fetch (backup.py, line 42)`.
        frames: the same for its tasks, from the outermost call to the innermost; a few tasks, and a few frames of each.
    """

    place: str
    frames: tuple[str, ...]


def whereabouts(task: trio.lowlevel.Task) -> Whereabouts:
    """Return where the handler is that a worker's task calls; what lies within trio is left out.

    Where it waits at the end of a nursery, its place is that of the first task that does not: this is what goes on.
    """
    own = list(islice(task.iter_await_frames(), FRAMES_MAX))
    called = list(dropwhile(lambda frame: _module(frame[0]).startswith(_WORKER), own))
    stacks = [called or own, *_below(task)] if _waits(own) else [called or own]
    told = [[place for frame in stack if (place := _place(*frame))][-LINES_MAX:] for stack in stacks[:TASKS_MAX]]
    busy = next((lines for stack, lines in zip(stacks, told, strict=False) if lines and not _waits(stack)), told[0])
    return Whereabouts(busy[-1] if busy else "somewhere in trio", tuple(line for lines in told for line in lines))


def _below(task: trio.lowlevel.Task) -> Iterator[Frames]:
    """Yield the frames of the tasks below a task, a generation at a time."""
    tasks = [task]
    for _ in range(TASKS_MAX):
        tasks = [child for one in tasks for nursery in one.child_nurseries for child in nursery.child_tasks][:TASKS_MAX]
        for child in tasks:
            yield list(islice(child.iter_await_frames(), FRAMES_MAX))


def _waits(frames: Frames) -> bool:
    return any(frame.f_code.co_name == _WAITS_FOR_TASKS for frame, _ in frames[-3:])


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _place(frame: FrameType, line: int) -> str | None:
    if _module(frame).partition(".")[0] == "trio":
        return None
    return f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}, line {line})"
