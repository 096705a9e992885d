"""Discovery: it announces, shows, and lets people press (A6.1). What is shown is looked at, not heard of.

Events, other processes and a run of a built-in handler only say that it is time to look; what is published is what then
differs from what this connection has published. So nothing waits for a broker that is away: once it is back, what is
true then is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from trioarm.arming.discovery.announcer import Announcer
from trioarm.arming.discovery.entities import OFFLINE, Topics
from trioarm.arming.discovery.presses import Presses
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.discovery.view import View
from trioarm.arming.discovery.watching import Watching
from trioarm.arming.installation import Installation
from trioarm.core.events import (
    ConfigChanged,
    NodeStarted,
    ObserverLagged,
    RunDecided,
    RunFinished,
    RunRequeued,
    ScheduleChanged,
)
from trioarm.core.jsonable import Json
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.triggers import Every
from trioarm.engine.attempt import Handler, RunContext
from trioarm.engine.health import ComponentHealth, Level
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Chance, Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.links.mqtt import Will

LOOK: Final = "trioarm.discovery"
SCHEDULE: Final = "trioarm/discovery"

EVENTS: Final = (RunDecided, RunRequeued, RunFinished, ScheduleChanged, ConfigChanged, NodeStarted, ObserverLagged)


def discovery_schedules(settings: DiscoverySettings | None, check_interval_s: float) -> list[Schedule]:
    """Return the built-in schedule by which what is shown is looked at though no event said so."""
    if settings is None:
        return []
    return [Schedule(SCHEDULE, Every(check_interval_s), handler=LOOK, overlap=Overlap.SKIP)]


class Discovery:
    """What Home Assistant is shown of a node.

    Args:
        settings: None to show nothing.
        version: of trioarm.
        installation: the partitions; its connection to the broker is used, and says when we are gone.
        repository: what is shown.
        clock: what time it is.
        hub: says when to look.
        chance: spreads what many nodes tell at once.
        scheduler: late, because it knows the executor that calls this.

    Raises:
        ConfigurationError: paho-mqtt is not installed.
    """

    def __init__(
        self,
        settings: DiscoverySettings | None,
        version: str,
        installation: Installation,
        repository: ScheduleRepository,
        clock: Clock,
        hub: Hub,
        chance: Chance,
        scheduler: Callable[[], Scheduler],
    ) -> None:
        self._hub = hub
        self._repository = repository
        self._announcer = None
        if settings is not None:
            link = installation.link_to(settings.broker)
            link.leave_word(Will(topic=Topics(settings).availability, payload=OFFLINE.encode()))
            view = View(settings, version, installation, repository, clock)
            self._announcer = announcer = Announcer(settings, link, view, chance)
            self._watching = Watching(installation, view, clock, announcer.wake)
            self._presses = Presses(settings, link, installation, repository, clock, scheduler, self._look_all)

    @property
    def handlers(self) -> dict[str, Handler]:
        """The handlers by registered name."""
        return {LOOK: self.look}

    async def look(self, run: RunContext) -> Json:
        """Let what is shown be looked at, and panels that tell nothing by themselves be asked.

        On a node that shows nothing nothing happens; that the run was there is noticed by the one that does.
        """
        if self._announcer is None:
            return "nothing is shown: this node has no [discovery]"
        self._look_all()
        return self._announcer.describe()

    def health(self) -> ComponentHealth | None:
        """Return whether the broker is reached and takes everything; None where nothing is shown."""
        if self._announcer is None:
            return None
        trouble = self._announcer.trouble or self._presses.refusal
        level = Level.HEALTHY if trouble is None else Level.DEGRADED
        return ComponentHealth("discovery", level, () if trouble is None else (trouble,))

    async def run(self) -> None:
        """Announce, show and obey until cancelled; where nothing is to be shown, return.

        That we are gone is said by the connection, when it ends.
        """
        if self._announcer is None:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._announcer.run, self._presses.know, lambda: self._watching.reports)
            nursery.start_soon(self._presses.run)
            nursery.start_soon(self._watching.run)
            nursery.start_soon(self._heed_others, self._announcer)
            with self._hub.subscribe(*EVENTS) as events:
                async for event in events:
                    if isinstance(event, RunFinished):
                        self._watching.again_after(event.run)
                    self._announcer.wake()

    def _look_all(self) -> None:
        """Look soon, and ask panels that tell nothing by themselves."""
        if self._announcer is not None:
            self._watching.again()
            self._announcer.wake()

    async def _heed_others(self, announcer: Announcer) -> None:
        while True:
            await self._repository.changed()
            announcer.wake()
