"""Watching: what panels say, kept up to date for as long as it is shown.

A panel that tells of its changes is read when it does. One that has to be asked is asked after each run that commanded
it, and as often as what is shown is looked at: to ask a program or a web server at every event would be too much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from trioarm.arming.discovery.view import View
from trioarm.arming.installation import Installation
from trioarm.arming.panels.base import UNREAD, PanelReport
from trioarm.core.errors import RepositoryError
from trioarm.core.run import Run
from trioarm.engine.ports import Clock

SETTLE_S: Final = 0.005  # past the announced end of a delay, so that the look then finds it ended
GAP_S: Final = 0.5  # between two reads of one panel, however often it changes


class Watching:
    """The reports of the partitions that are shown.

    Args:
        installation: asked for them.
        view: which partitions are shown.
        clock: ends naps until a delay is over.
        changed: called when one of them says something new.
    """

    def __init__(self, installation: Installation, view: View, clock: Clock, changed: Callable[[], None]) -> None:
        self.reports: dict[str, PanelReport] = {}
        self._installation = installation
        self._view = view
        self._clock = clock
        self._changed = changed
        self._asked: dict[str, trio.Event] = {}

    def again(self) -> None:
        """Ask every panel again."""
        for asked in self._asked.values():
            asked.set()

    def again_after(self, run: Run) -> None:
        """Ask the panel again that a run may have commanded."""
        for name, asked in self._asked.items():
            if run.schedule.endswith(f"/{name}"):
                asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            for name in self._view.partitions:
                self._asked[name] = trio.Event()
                nursery.start_soon(self._listen, name)
                nursery.start_soon(self._watch, name)

    async def _listen(self, name: str) -> None:
        """Hear all that a panel tells by itself, also while it is being read."""
        panel = self._installation.panels[name]
        while True:
            await panel.changed()
            self._asked[name].set()

    async def _watch(self, name: str) -> None:
        while True:
            self._asked[name] = asked = trio.Event()
            report = await self._read(name)
            if report != self.reports.get(name):
                self.reports[name] = report
                self._changed()
            await trio.sleep(GAP_S)
            if report.settles_at is None:
                await asked.wait()
            else:
                with self._clock.nap_until(report.settles_at, at_least_s=SETTLE_S):
                    await asked.wait()

    async def _read(self, name: str) -> PanelReport:
        try:
            return await self._installation.reported(name)
        except RepositoryError:  # the built-in panel is kept there, and it is out of reach; others tell of that
            return UNREAD
