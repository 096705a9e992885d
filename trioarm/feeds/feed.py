"""A feed: a calendar that is fetched again and again, and of which the last good copy counts when it is down (S9.1).

The copy is a document, so that a node that starts without a network knows its calendars. When to refresh, whether
somebody is told, and what becomes of schedules, is decided elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, TypeAlias

import attrs

from trioarm.core.changes import Change, PutDocument
from trioarm.core.errors import CalendarUnavailable, InvalidCalendar
from trioarm.core.forms import Around
from trioarm.core.forms.calendar import read_events as read_kept
from trioarm.core.forms.calendar import write_events
from trioarm.core.instants import microseconds, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import Document
from trioarm.core.reading import Problems, Table, moment, text
from trioarm.core.triggers.calendar import Events
from trioarm.engine.ports import ScheduleRepository
from trioarm.feeds.fetch import Fetcher, Version, shown
from trioarm.feeds.ics import Asked, read_events
from trioarm.feeds.source import FeedSource
from trioarm.links.threads import Thread

NAMESPACE: Final = "calendar"  # documents by name of the calendar

Spread: TypeAlias = Callable[[Events], Awaitable[None]]

_log = logging.getLogger("trioarm.calendar")


@attrs.frozen(slots=True)
class Feed:
    """What is known of a calendar.

    Args:
        events: of the last good copy.
        fetched_at: when that was had; microseconds since 1970 UTC.
        trouble: why there is no newer one, in one line; None when there is.
    """

    events: Events
    fetched_at: int
    trouble: str | None = None


@attrs.frozen(slots=True, kw_only=True)
class _Copy:
    """The last good copy as it is kept.

    Args:
        feed: what is known.
        wanted: digest of what was wanted: only of the same an old version is as good as a new one.
        version: by which the server knows it.
    """

    feed: Feed
    wanted: str
    version: Version


class Feeds:
    """Refreshes calendars, and keeps the last good copy of each.

    Args:
        repository: where copies are kept.
        thread: in which files and calendars are read, one at a time.
        fetcher: gets their content.
    """

    def __init__(self, repository: ScheduleRepository, thread: Thread, fetcher: Fetcher) -> None:
        self._repository = repository
        self._thread = thread
        self._fetcher = fetcher

    async def known(self, name: str) -> Feed | None:
        """Return the last good copy of a calendar; None when there is none, or none that can be understood."""
        copy = _read(await self._repository.get_document(NAMESPACE, name))
        return None if copy is None else copy.feed

    async def is_due(self, source: FeedSource, now: int) -> bool:
        """Whether there is reason to refresh a calendar before its time: its copy is no good one of today, or a file's.

        Raises:
            RepositoryError: copies cannot be asked for.
        """
        copy = _read(await self._repository.get_document(NAMESPACE, source.name))
        if copy is None or copy.feed.trouble is not None or source.is_file:
            return True
        asked = Asked.around(source.name, source.timezone, now)
        return copy.wanted != _wanted(source, asked) or now - copy.feed.fetched_at >= microseconds(source.refresh_s)

    async def refresh(self, source: FeedSource, now: int, spread: Spread | None = None) -> Feed:
        """Fetch a calendar, and return what is known of it then: the last good copy if that fails.

        A failure is logged when it is another one than before, and so is its end.

        Args:
            source: which.
            now: the instant.
            spread: told of other events than before, before they are kept: if it fails, they are other events again.

        Raises:
            CalendarUnavailable: it cannot be had or understood, and no good copy is kept.
            InvalidTrigger: the name or the zone is none.
            RepositoryError: copies cannot be asked for.
        """
        asked = Asked.around(source.name, source.timezone, now)
        document = await self._repository.get_document(NAMESPACE, source.name)
        copy, version = _read(document), 0 if document is None else document.version
        try:
            fresh = await self._fetch(source, asked, copy, now)
        except (CalendarUnavailable, InvalidCalendar) as error:
            return await self._fall_back(source.name, copy, version, str(error))
        if spread is not None and (copy is None or fresh.feed.events != copy.feed.events):
            await spread(fresh.feed.events)
        await self._keep(source.name, version, fresh)
        if copy is not None and copy.feed.trouble is not None:
            _log.info("calendar %s is refreshed again from %s", source.name, shown(source.address))
        return fresh.feed

    async def _fetch(self, source: FeedSource, asked: Asked, copy: _Copy | None, now: int) -> _Copy:
        wanted = _wanted(source, asked)
        known = copy if copy is not None and copy.wanted == wanted else None
        fetched = await self._fetcher.fetch(source.address, None if known is None else known.version)
        if fetched.content is not None:
            events = await read_events(fetched.content, asked, self._thread)
        elif known is not None:
            events = known.feed.events
        else:
            raise AssertionError("nothing was known that could be unchanged")
        return _Copy(feed=Feed(events, now), wanted=wanted, version=fetched.version)

    async def _fall_back(self, name: str, copy: _Copy | None, version: int, trouble: str) -> Feed:
        if copy is None:
            raise CalendarUnavailable(trouble)
        if copy.feed.trouble == trouble:
            return copy.feed
        had_at = render_instant(copy.feed.fetched_at)
        _log.warning("calendar %s cannot be refreshed, the copy of %s counts: %s", name, had_at, trouble)
        troubled = attrs.evolve(copy, feed=attrs.evolve(copy.feed, trouble=trouble))
        await self._keep(name, version, troubled)
        return troubled.feed

    async def _keep(self, name: str, version: int, copy: _Copy) -> None:
        """Keep a copy. If another node was faster, its copy is as good; what is not kept is fetched again."""
        await self._repository.commit([Change(documents=[PutDocument(NAMESPACE, name, version, _write(copy))])])


def _wanted(source: FeedSource, asked: Asked) -> str:
    """Return a digest of what is wanted: the address may be secret, and is not kept."""
    said = "\n".join((source.address, asked.timezone, str(asked.start), str(asked.end)))
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _write(copy: _Copy) -> dict[str, Json]:
    return {
        **write_events(copy.feed.events),
        "fetched_at": render_instant(copy.feed.fetched_at),
        "trouble": copy.feed.trouble,
        "wanted": copy.wanted,
        "etag": copy.version.etag,
        "modified": copy.version.modified,
    }


def _read(document: Document | None) -> _Copy | None:
    """Read a kept copy; one that cannot be understood is as good as none, and the next refresh replaces it."""
    if document is None:
        return None
    problems = Problems(lambda lines: InvalidCalendar("; ".join(lines)))
    table = Table(document.body, f"document {NAMESPACE}/{document.key}", problems)
    try:
        events = read_kept(table, Around())
        fetched_at = table.need("fetched_at", moment, "it was kept without")
        trouble = table.take("trouble", lambda value: None if value is None else text(value), None)
        wanted = table.take("wanted", text, "")
        version = Version(table.take("etag", text, ""), table.take("modified", text, ""))
        table.close()
        problems.settle()
    except InvalidCalendar as error:
        _log.warning("a copy of a calendar is of no use: %s", error)
        return None
    if events is None or fetched_at is None:
        raise AssertionError("what is missing is a problem, which was settled")
    return _Copy(feed=Feed(events, fetched_at, trouble), wanted=wanted, version=version)
