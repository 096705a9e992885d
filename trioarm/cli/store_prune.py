"""`trioarm store prune --dry-run`: how much retention lets a node forget, found out by forgetting it in a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final, TypeVar

import trio
from cyclopts import Parameter

from trioarm.bootstrap import open_store
from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.progress import ProgressLine
from trioarm.cli.stored import existing, stored_config
from trioarm.cli.terminal import say, say_json
from trioarm.config import SchedulerConfig
from trioarm.core.counting import counted, grouped
from trioarm.core.queries import Statistics
from trioarm.core.record import ScheduleState
from trioarm.core.states import State
from trioarm.engine.ports import ScheduleRepository
from trioarm.handlers.housekeeping import Housekeeping
from trioarm.repositories.sqlite import care

NOW: Final = "trioarm schedules fire trioarm/prune"

S = TypeVar("S", State, ScheduleState)


def prune(
    *,
    dry_run: Annotated[bool, Parameter(help="Only say how much would go.")] = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Say how much of the store is older, or more, than `scheduler.retention` and `[history]` let a node keep.

    It is forgotten in a copy, which lies beside the store meanwhile; the store itself is only read. A node forgets
    every six hours, by its built-in schedule `trioarm/prune`.

    For example:

    - `trioarm store prune --dry-run`
    """
    if not dry_run:
        raise UsageError(f"a node does this every six hours, or now by `{NOW}`; with --dry-run this says how much")
    path = existing(stored_config(config, store))
    with _a_copy(path) as copy:
        before, after, gone = trio.run(_forget, stored_config(config, f"sqlite:///{copy}"))
    _say(before, after, gone, json=json)
    return Exit.CLEAN


@contextmanager
def _a_copy(path: Path) -> Iterator[Path]:
    """Copy a store for as long as the context lasts."""
    with ExitStack() as stack:
        try:
            copy = Path(stack.enter_context(TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-")), path.name)
            with ProgressLine() as progress:
                care.backup(path, copy, progress)
        except OSError as error:
            raise UsageError(f"no copy can be made beside {path}: {error.strerror or error}") from None
        yield copy


async def _forget(copy: SchedulerConfig) -> tuple[Statistics, Statistics, int]:
    """Let a store forget, and return what was kept before and after, and how many rows went."""
    async with open_store(copy) as container:
        repository = container.get(ScheduleRepository)
        before = await repository.statistics()
        gone = await container.get(Housekeeping).forget()
        return before, await repository.statistics(), gone


def _say(before: Statistics, after: Statistics, gone: int, *, json: bool) -> None:
    rows = [*_rows("runs", before.runs, after.runs), *_rows("schedules", before.schedules, after.schedules)]
    others = gone - sum(would_go for _, _, would_go in rows)
    if json:
        for what, kept, would_go in rows:
            say_json({"what": what, "kept": kept, "would_go": would_go})
        say_json({"what": "others", "kept": None, "would_go": others})
        return
    columns = Columns("WHAT", "KEPT", "WOULD GO")
    for what, kept, would_go in rows:
        columns.add((what, grouped(kept), grouped(would_go)))
    columns.add(("alerts, journal entries", "", grouped(others)))
    columns.flush()
    say(f"{counted(gone, 'row')} would go; to have it done now: {NOW}" if gone else "nothing would go")


def _rows(of: str, before: Mapping[S, int], after: Mapping[S, int]) -> Iterator[tuple[str, int, int]]:
    for state, count in before.items():
        if count:
            kept = after.get(state, 0)
            yield f"{of}: {state}", kept, count - kept
