"""The store, as commands meet it: the file that nodes live on, opened without being a node.

What a command commits is noticed by a running node within a second; without one it is kept until one starts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

import trio

from trioarm.arming.installation import Installation
from trioarm.bootstrap import open_store
from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit
from trioarm.config import MEMORY, SchedulerConfig
from trioarm.container import Container
from trioarm.core.errors import ConfigurationError, RepositoryError
from trioarm.core.queries import Page
from trioarm.engine.ports import ScheduleRepository

INSIDE: Final = f'{MEMORY}: this store lives inside its process, where no command can see it: set scheduler.store = "sqlite:///FILE"'

T = TypeVar("T")


def stored_config(config: Path | None, store: str | None) -> SchedulerConfig:
    """Read the configuration whose store is meant.

    Args:
        config: the file; None for the usual one.
        store: the store's URL, instead of what the configuration says.

    Raises:
        ConfigurationError: with a line for every problem; also where the store is in the memory of a process.
    """
    found = read_config(config, {} if store is None else {"scheduler.store": store})
    if found.scheduler.store == MEMORY:
        raise ConfigurationError((INSIDE,))
    return found


def with_store(
    config: Path | None,
    store: str | None,
    work: Callable[[Container], Awaitable[Exit]],
    *,
    make: bool = False,
) -> Exit:
    """Open the store, carry out work on it, and return how that ended.

    Args:
        config: the configuration file; None for the usual one.
        store: the store's URL, instead of what the configuration says.
        work: gets the components, none of which is running.
        make: whether a store that is not there is made.

    Raises:
        ConfigurationError: the configuration has problems.
        RepositoryError: the store cannot be opened.
    """
    found = stored_config(config, store)
    if not make:
        must_exist(found.store_path)
    logging.getLogger("trioarm").addHandler(logging.NullHandler())  # what goes wrong here is an error, told once
    return trio.run(_carry_out, found, work)


def with_panels(config: Path | None, store: str | None, work: Callable[[Container], Awaitable[Exit]]) -> Exit:
    """Open the store, or make it, and carry out work during which panels can be reached; see `with_store`."""
    return with_store(config, store, partial(_reaching, work), make=True)


async def _reaching(work: Callable[[Container], Awaitable[Exit]], container: Container) -> Exit:
    async with trio.open_nursery() as nursery:
        await nursery.start(container.get(Installation).run)
        found = await work(container)
        nursery.cancel_scope.cancel()
    return found


def must_exist(path: Path) -> None:
    """Refuse a store that is not there: to look must not make one.

    Raises:
        RepositoryError: there is none.
    """
    if path.parent.is_dir() and not path.exists():
        raise RepositoryError(f"{path}: there is no store yet: `trioarm run` makes it")


def existing(config: SchedulerConfig) -> Path:
    """Return where the store of a configuration is, which must be there; see `must_exist`."""
    must_exist(config.store_path)
    return config.store_path


async def _carry_out(config: SchedulerConfig, work: Callable[[Container], Awaitable[Exit]]) -> Exit:
    async with open_store(config) as container:
        return await work(container)


class Rows(Generic[T]):
    """What a question finds, a page at a time, so that no answer is too long: `async for row in Rows(ask)`.

    Args:
        ask: returns the page that follows another, by the `next` of that one; the first for None.
    """

    def __init__(self, ask: Callable[[str | None], Awaitable[Page[T]]]) -> None:
        self._ask = ask
        self._rows: Iterator[T] = iter(())
        self._after: str | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        """Iterate once."""
        return self

    async def __anext__(self) -> T:
        """Return the next row, reading the next page where that is needed."""
        while True:
            for row in self._rows:
                return row
            if self._ended:
                raise StopAsyncIteration
            page = await self._ask(self._after)
            self._rows, self._after = iter(page.rows), page.next
            self._ended = page.next is None


class News:
    """What other processes commit, for a command that waits for it: `async with` it, look, then `wait`.

    Args:
        repository: the store.
    """

    def __init__(self, repository: ScheduleRepository) -> None:
        self._repository = repository
        self._heard = trio.Event()

    async def listen(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled.

        Cancellation: at any checkpoint.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._note)
            await nursery.start(self._repository.run)
            task_status.started()

    async def _note(self) -> None:
        while True:
            await self._repository.changed()
            self._heard.set()

    async def wait(self) -> None:
        """Return once something was committed since the last time this returned."""
        await self._heard.wait()
        self._heard = trio.Event()
