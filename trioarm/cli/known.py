"""What commands know of calendars of events and of exceptions: what a node keeps of them, or would if it read now."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import attrs
import trio

from trioarm.arming.exceptions.kept import Book
from trioarm.arming.installation import Installation
from trioarm.bootstrap import open_store
from trioarm.cli.planned import current_instant
from trioarm.cli.progress import ProgressLine
from trioarm.cli.terminal import remark
from trioarm.config import MEMORY, SchedulerConfig
from trioarm.config.known import excepting, knowing, waiting
from trioarm.container import Container
from trioarm.core.errors import CalendarUnavailable, RepositoryError
from trioarm.core.triggers import Events
from trioarm.feeds.feed import Feed, Feeds
from trioarm.feeds.fetch import Fetcher, shown
from trioarm.feeds.source import FeedSource
from trioarm.links.threads import Thread
from trioarm.repositories.memory import InMemoryScheduleRepository


@attrs.frozen(slots=True)
class Opened:
    """The store of a configuration, opened once for all that is asked of it.

    Args:
        container: components to ask it with; None where there is none yet.
        trouble: why it could not be opened; None where it could, or is none.
    """

    container: Container | None = None
    trouble: RepositoryError | None = None

    def components(self) -> Container | None:
        """Return what to ask the store with; None where there is none.

        Raises:
            RepositoryError: there is one, and it cannot be opened.
        """
        if self.trouble is not None:
            raise self.trouble
        return self.container


@asynccontextmanager
async def opened(config: SchedulerConfig) -> AsyncIterator[Opened]:
    """Open the store that there is, without being a node, and yield it; whoever asks hears why it cannot be opened."""
    if config.scheduler.store == MEMORY or not config.store_path.exists():
        yield Opened()
        return
    logging.getLogger("trioarm").addHandler(logging.NullHandler())  # what goes wrong here is told once
    async with AsyncExitStack() as stack:
        try:
            found = Opened(await stack.enter_async_context(open_store(config)))
        except RepositoryError as error:
            found = Opened(trouble=error)
        yield found


async def with_all_known(config: SchedulerConfig, store: Opened) -> SchedulerConfig:
    """Return a configuration whose schedules know their calendars, and what is otherwise for some days.

    Raises:
        RepositoryError: there is a store with calendars, and it cannot be opened.
    """
    return await with_exceptions(await with_calendars(config, store), store)


async def with_exceptions(config: SchedulerConfig, store: Opened) -> SchedulerConfig:
    """Return a configuration whose schedules are as exceptions want them: those kept, and those of the file that will
    be. Why they are not known is remarked on stderr."""
    if not config.premises.partitions:
        return config
    book, rules = Book(), config.premises.declared_exceptions
    try:
        if (container := store.components()) is not None:
            book = await container.get(Installation).exceptions.read()
    except RepositoryError as error:
        remark(f"exceptions that were added by command are not known: {error}")
    now = current_instant()
    return excepting(config, book.declaring(rules, now).settled(now).kept)


async def with_calendars(config: SchedulerConfig, store: Opened) -> SchedulerConfig:
    """Return a configuration whose schedules know their calendars. Why one is not known is remarked on stderr.

    Raises:
        RepositoryError: there is a store, and it cannot be opened.
    """
    if not config.feeds:
        return config
    logging.getLogger("trioarm").addHandler(logging.NullHandler())  # what goes wrong here is told once
    events, troubles = await _read(config, store)
    found = knowing(config, events)
    left_out = waiting(found)
    for name, trouble in troubles.items():
        without = f"; left out: {', '.join(left_out[name])}" if name in left_out else ""
        remark(f"calendar {name}: {trouble}{without}")
    return found


async def _read(config: SchedulerConfig, store: Opened) -> tuple[dict[str, Events], dict[str, str]]:
    """Return what is known of calendars, and what hinders knowing more."""
    events = {name: feed.events for name, feed in (await kept_copies(config, store)).items()}
    troubles: dict[str, str] = {}
    sources = [source for source in config.feeds.values() if source.is_file or source.name not in events]
    with ProgressLine() as progress:
        async with trio.open_nursery() as nursery:
            for source in sources:
                progress(f"reading calendar {source.name} from {shown(source.address)}", 0, 0)
                nursery.start_soon(partial(_read_now, source, events, troubles))
    return events, troubles


async def _read_now(source: FeedSource, events: dict[str, Events], troubles: dict[str, str]) -> None:
    thread, repository = Thread(), InMemoryScheduleRepository()
    await repository.open()
    try:
        feed = await Feeds(repository, thread, Fetcher(thread)).refresh(source, current_instant())
    except CalendarUnavailable as error:
        troubles[source.name] = str(error)
    else:
        events[source.name] = feed.events


async def kept_copies(config: SchedulerConfig, store: Opened) -> dict[str, Feed]:
    """Return the last good copies that a store keeps, by name of the calendar.

    Raises:
        RepositoryError: there is a store, and it cannot be opened.
    """
    container = store.components()
    if container is None:
        return {}
    feeds = {name: await container.get(Feeds).known(name) for name in config.feeds}
    return {name: feed for name, feed in feeds.items() if feed is not None}
