"""`trioarm calendars list` and `show`: calendars of events, what is known of them, and who depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.known import kept_copies, opened
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here, moment, say_sheet
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.cli.wording import distance
from trioarm.config import SchedulerConfig
from trioarm.core.counting import grouped
from trioarm.core.forecast import local_time
from trioarm.core.instants import SECOND, render_duration, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.reading import suggest
from trioarm.core.schedule import Schedule
from trioarm.core.triggers.refreshing import events_of
from trioarm.core.triggers.zones import find_zone
from trioarm.feeds.feed import Feed
from trioarm.feeds.fetch import shown
from trioarm.feeds.refreshing import schedule_name
from trioarm.feeds.source import FeedSource

EVENTS_SHOWN: Final = 10
NEVER_READ: Final = "no node has read it yet"


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List calendars of events: where they come from, when they were read last, and what hinders that.

    For example:

    - `trioarm calendars list`
    - `trioarm calendars list --json`
    """
    found, copies, now = _known(config, store)
    if not found.feeds:
        remark('no calendar has events: write [calendar.school] with ics = "school.ics", for one')
    columns = Columns("NAME", "FROM", "EVENTS", "READ", "TROUBLE")
    for source in found.feeds.values():
        feed = copies.get(source.name)
        if json:
            say_json(_as_json(found, source, feed, now))
        else:
            columns.add(_cells(source, feed, now), Style.NOTICE if feed is None or feed.trouble else None)
    columns.flush()
    return Exit.CLEAN


def show(
    name: Annotated[str, Parameter(name="NAME", help="Which calendar.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Show what is known of a calendar of events, those that come next, and the schedules that name it.

    For example:

    - `trioarm calendars show school`
    """
    found, copies, now = _known(config, store)
    if name not in found.feeds:
        raise UsageError(f"there is no calendar of events {name!r}{suggest(name, found.feeds)}")
    source, feed = found.feeds[name], copies.get(name)
    if json:
        say_json(_as_json(found, source, feed, now))
    else:
        say_sheet(name, _entries(found, source, feed, now))
    return Exit.CLEAN


def _known(config: ConfigFile, store: StoreUrl) -> tuple[SchedulerConfig, dict[str, Feed], int]:
    found = read_config(config, {} if store is None else {"scheduler.store": store})
    return found, trio.run(_copies, found) if found.feeds else {}, current_instant()


async def _copies(config: SchedulerConfig) -> dict[str, Feed]:
    async with opened(config) as store:
        return await kept_copies(config, store)


def _cells(source: FeedSource, feed: Feed | None, now: int) -> tuple[str, ...]:
    if feed is None:
        return source.name, shown(source.address), "-", "-", NEVER_READ
    read = distance((feed.fetched_at - now) / SECOND)
    return source.name, shown(source.address), grouped(len(feed.events.spans)), read, feed.trouble or ""


def _entries(config: SchedulerConfig, source: FeedSource, feed: Feed | None, now: int) -> Iterator[tuple[str, str]]:
    yield "from", f"{shown(source.address)}, looked at every {render_duration(source.refresh_s)}"
    if feed is None:
        yield "read", NEVER_READ
    else:
        yield "read", here(feed.fetched_at, now)
        if feed.trouble is not None:
            yield "trouble", f"{feed.trouble}; what was read then counts"
        yield "events", f"{grouped(len(feed.events.spans))}, known until {render_instant(feed.events.known_until)}"
        zone = find_zone(source.timezone)
        for number, (start, end) in enumerate(_next(feed, now)):
            lasts = render_duration((end - start) / SECOND)
            yield "" if number else "next", f"{moment(local_time(start, zone), now)}, lasts {lasts}"
    yield "refresh", f"trioarm schedules fire {schedule_name(source.name)}"
    for number, schedule in enumerate(_dependants(config, source)):
        yield "" if number else "schedules", schedule.name


def _as_json(config: SchedulerConfig, source: FeedSource, feed: Feed | None, now: int) -> dict[str, Json]:
    return {
        "name": source.name,
        "from": shown(source.address),
        "timezone": source.timezone,
        "refresh_s": source.refresh_s,
        "read_at": None if feed is None else render_instant(feed.fetched_at),
        "trouble": None if feed is None else feed.trouble,
        "events": None if feed is None else len(feed.events.spans),
        "known_until": None if feed is None else render_instant(feed.events.known_until),
        "next": [] if feed is None else [[render_instant(at) for at in span] for span in _next(feed, now)],
        "schedules": [schedule.name for schedule in _dependants(config, source)],
    }


def _next(feed: Feed, now: int) -> list[tuple[int, int]]:
    """Return the next events that are not over."""
    return [span for span in feed.events.spans if span[1] > now][:EVENTS_SHOWN]


def _dependants(config: SchedulerConfig, source: FeedSource) -> list[Schedule]:
    schedules = [*config.schedules, *(one.schedule for one in config.premises.schedules)]
    return [schedule for schedule in schedules if source.name in events_of(schedule.trigger)]
