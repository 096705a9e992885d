"""Refreshing: looking at calendars again is a run like any other (S6.10). What changed reaches every schedule; a
calendar that stays down is somebody's business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from trioarm.core.alerts import Alert, AlertQuery, AlertState, Severity, alerts_of, raising
from trioarm.core.changes import Change, Verdict
from trioarm.core.errors import CalendarUnavailable, InvalidSchedule, UnknownSchedule
from trioarm.core.instants import DAY, microseconds, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.triggers import Every
from trioarm.core.triggers.calendar import Events
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.announcing import announce
from trioarm.engine.attempt import Handler, RunContext
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.feeds.feed import Feed, Feeds
from trioarm.feeds.source import FeedSource
from trioarm.feeds.spreading import AUTHOR, spread

REFRESH: Final = "trioarm.refresh_calendar"
DOWN: Final = "not_refreshed"  # the kind of alert
DOWN_AFTER: Final = DAY  # or twice the time between two looks; a night without a server is no matter
ADVICE: Final = "look at its address, then try: trioarm schedules fire"
RETRY: Final = RetryPolicy(max_retries=5, base_s=60.0, max_s=900.0)  # a server that is started anew is back by then


def schedule_name(calendar: str) -> str:
    """Return the name of the schedule that refreshes a calendar."""
    return f"trioarm/calendar/{calendar}"


def refreshing_schedules(sources: Iterable[FeedSource]) -> list[Schedule]:
    """Return the built-in schedules that refresh calendars."""
    return [
        Schedule(
            schedule_name(source.name),
            Every(source.refresh_s),
            handler=REFRESH,
            args={"calendar": source.name},
            retry=RETRY,
        )
        for source in sources
    ]


class Refreshing:
    """The built-in handler that keeps calendars up to date.

    Args:
        feeds: fetches them, and keeps the last good copies.
        repository: where alerts go.
        clock: what time it is.
        metrics: counts alerts.
        hub: told of them.
        scheduler: whose schedules are to know what changed; late, because it knows the executor that calls this.
        known: called when a calendar was read, for schedules that waited for it.
        sources: which calendars there are, by name; may be replaced while the node runs.
    """

    def __init__(
        self,
        feeds: Feeds,
        repository: ScheduleRepository,
        clock: Clock,
        metrics: Metrics,
        hub: Hub,
        scheduler: Callable[[], Scheduler],
        known: Callable[[], Awaitable[None]],
        sources: Mapping[str, FeedSource],
    ) -> None:
        self._feeds = feeds
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._hub = hub
        self._alerts = AlertCommands(repository, clock)
        self._scheduler = scheduler
        self._known = known
        self.sources = sources

    @property
    def handlers(self) -> dict[str, Handler]:
        """The handlers by registered name."""
        return {REFRESH: self.refresh}

    async def events(self, sources: Mapping[str, FeedSource]) -> dict[str, Events]:
        """Return what is known of calendars, by name; those that nobody has read are left out."""
        feeds = {name: await self._feeds.known(name) for name in sources}
        return {name: feed.events for name, feed in feeds.items() if feed is not None}

    async def look(self) -> None:
        """Let calendars be refreshed now of which nothing good is known, or that are files."""
        now = self._clock.look()
        for source in self.sources.values():
            if await self._feeds.is_due(source, now):
                try:
                    await self._scheduler().runs.fire(schedule_name(source.name), overlap=Overlap.SKIP, author=AUTHOR)
                except (InvalidSchedule, UnknownSchedule):  # it is being refreshed, or its schedule is another node's
                    continue

    async def refresh(self, run: RunContext) -> Json:
        """Refresh one calendar, and return how many events are known of it.

        Raises:
            CalendarUnavailable: it cannot be had; the last good copy counts, if there is one.
        """
        source = self.sources.get(str(run.args.get("calendar")))
        if source is None:
            return "not refreshed: this node knows no such calendar"
        try:
            feed = await self._feeds.refresh(source, self._clock.look(), self._spread)
        except CalendarUnavailable as error:
            await self._complain(source, Severity.ERROR, f"never read, so schedules that name it wait: {error}")
            raise
        if feed.trouble is not None:
            await self._complain_of_age(source, feed, feed.trouble)
            raise CalendarUnavailable(feed.trouble)
        await self._known()
        await self._resolve(source)
        return len(feed.events.spans)

    async def _spread(self, events: Events) -> None:
        await spread(self._scheduler().schedules, events)

    # Alerts

    async def _complain_of_age(self, source: FeedSource, feed: Feed, trouble: str) -> None:
        if self._clock.look() - feed.fetched_at >= max(DOWN_AFTER, 2 * microseconds(source.refresh_s)):
            since = render_instant(feed.fetched_at)
            await self._complain(source, Severity.WARNING, f"not refreshed since {since}, which counts: {trouble}")

    async def _complain(self, source: FeedSource, severity: Severity, text: str) -> None:
        """Raise an alert unless one is open."""
        subject, now = _subject(source), self._clock.look()
        if (await self._alerts.find(_open(subject))).rows:
            return
        advice = f"{ADVICE} {schedule_name(source.name)}"
        alert = Alert(subject=subject, kind=DOWN, severity=severity, text=text, advice=advice, raised_at=now)
        documents = [raising(f"{alerts_of(subject)}{DOWN}@{render_instant(now)}", alert)]
        if await self._repository.commit([Change(documents=documents)]) == [Verdict.DONE]:
            announce(documents, self._metrics, self._hub)

    async def _resolve(self, source: FeedSource) -> None:
        for stored in (await self._alerts.find(_open(_subject(source)))).rows:
            await self._alerts.settle_one(stored.id, by=AUTHOR, note="it was refreshed")


def _subject(source: FeedSource) -> str:
    return f"calendar/{source.name}"


def _open(subject: str) -> AlertQuery:
    return AlertQuery(subject=subject, states=frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED}))
