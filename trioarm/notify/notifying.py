"""Notifying: telling people of alerts is a run like any other, one schedule for each channel (S6.9, S6.10).

What there is to tell lies in the alerts, kept in the transaction of their cause, so that it cannot be forgotten by
whoever raised one, nor lost by whoever tells. The schedules look at them again and again; that one was raised only
wakes them. A channel that hangs keeps its own runs waiting, and nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import trio

from trioarm.core.errors import TrioarmError
from trioarm.core.jsonable import Json
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.triggers import Every
from trioarm.engine.attempt import Handler, RunContext
from trioarm.engine.health import ComponentHealth, Level
from trioarm.engine.hub import Hub
from trioarm.engine.pool import PoolSettings
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.notify.channels.base import Channel
from trioarm.notify.model import ChannelSettings
from trioarm.notify.post import AUTHOR, RETRY, Post
from trioarm.notify.telling import AT_ONCE_MAX

NOTIFY: Final = "trioarm.notify"
POOL: Final = "notify"
SCHEDULE: Final = "trioarm/notify/"  # what the names of its schedules begin with
LOOK_EVERY_S: Final = 60.0  # repetitions, escalations and the ends of quiet hours are up to so much late
DAMPING_S: Final = 1.0  # between two looks out of turn: what is raised in between is told together
SPARE_S: Final = 60.0  # of a run, beside what its messages may take

_log = logging.getLogger("trioarm.notify")

MakeChannel: TypeAlias = Callable[[ChannelSettings, Clock], Channel]


def schedule_of(channel: str) -> str:
    """Return the name of the schedule that looks whether a channel has something to tell."""
    return SCHEDULE + channel


def notifying_schedules(channels: Iterable[ChannelSettings]) -> list[Schedule]:
    """Return the built-in schedules that tell people of alerts."""
    return [
        Schedule(
            schedule_of(channel.name),
            Every(LOOK_EVERY_S),
            handler=NOTIFY,
            args={"channel": channel.name},
            overlap=Overlap.BUFFER_ONE,
            timeout_s=AT_ONCE_MAX * channel.timeout_s + SPARE_S,
            retry=RETRY,
        )
        for channel in channels
    ]


def workers_for(channels: Mapping[str, ChannelSettings]) -> PoolSettings:
    """Return the size of the pool: a worker for each channel, so that none waits for another."""
    count = max(1, len(channels))
    return PoolSettings(count, count)


class Notifying:
    """The built-in handler that tells people of alerts.

    Args:
        channels: settings by name; may be replaced while the node runs.
        repository: where alerts are.
        clock: what time it is.
        hub: says when alerts were raised.
        scheduler: whose schedules are fired then; late, because it knows the executor that calls this.
        make: returns what carries messages.
    """

    def __init__(
        self,
        channels: Mapping[str, ChannelSettings],
        repository: ScheduleRepository,
        clock: Clock,
        hub: Hub,
        scheduler: Callable[[], Scheduler],
        make: MakeChannel,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._scheduler = scheduler
        self._make = make
        self._posts: dict[str, Post] = {}
        self._raised = trio.Event()
        self._raised.set()  # what was raised before this node, and nobody was told of
        hub.alerted = self._wake
        self.declare(channels)

    @property
    def handlers(self) -> dict[str, Handler]:
        """The handlers by registered name."""
        return {NOTIFY: self.tell}

    def declare(self, channels: Mapping[str, ChannelSettings]) -> None:
        """Take over other channels; one that is as it was goes on with what is known of it."""
        before = self._posts
        self._posts = {
            name: before[name]
            if name in before and before[name].settings == settings
            else Post(settings, self._make(settings, self._clock), self._repository, self._clock)
            for name, settings in channels.items()
        }

    async def run(self) -> None:
        """Let every channel look at once when alerts were raised, until cancelled."""
        while True:
            await self._raised.wait()
            self._raised = trio.Event()
            channels = tuple(self._posts)
            for channel in channels:
                await self._fire(channel)
            if channels:
                await trio.sleep(DAMPING_S)

    async def tell(self, run: RunContext) -> Json:
        """Let one channel tell what it has to tell, and return how many messages that took."""
        post = self._posts.get(str(run.args.get("channel")))
        if post is None:
            return "nothing was told: this node knows no such channel"
        return await post.look(run)

    def health(self) -> ComponentHealth | None:
        """Return whether messages arrive; None where there is no channel."""
        if not self._posts:
            return None
        reasons = tuple(f"{name}: {post.trouble}" for name, post in self._posts.items() if post.trouble is not None)
        return ComponentHealth("notify", Level.DEGRADED if reasons else Level.HEALTHY, reasons)

    def _wake(self) -> None:
        self._raised.set()

    async def _fire(self, channel: str) -> None:
        """Let a channel look now; where that is not to be had, its schedule looks within a minute."""
        try:
            await self._scheduler().runs.fire(schedule_of(channel), overlap=Overlap.BUFFER_ONE, author=AUTHOR)
        except TrioarmError as error:  # one waits already, or the store is out of reach
            _log.debug("channel %s looks later: %s", channel, error)
