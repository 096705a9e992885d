"""The announcer: keeps at the broker what is shown, as it is now, and nothing else of ours.

What it has published it knows for as long as the connection lasts; over the next, all is told anew, and what was
retained there in an earlier life and is not shown any more is removed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import trio

from trioarm.arming.discovery.entities import ONLINE, Thing, Topics
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.discovery.view import View
from trioarm.arming.panels.base import PanelReport
from trioarm.core.errors import TrioarmError
from trioarm.engine.ports import Chance
from trioarm.links.mqtt import Message, Mqtt, MqttFailed

DAMPING_S: Final = 1.0  # between two looks: what happens in between is shown together
WITHIN_S: Final = 10.0  # for the broker to acknowledge one message
BIRTH_S_MIN: Final = 1.0  # how long Home Assistant, which has just come, is given to listen
BIRTH_S_MAX: Final = 5.0  # likewise, and so that not all who are told of it speak at once
FOUND_MAX: Final = 10_000  # topics of an earlier life that are known at once

Reports: TypeAlias = Callable[[], Mapping[str, PanelReport]]
Know: TypeAlias = Callable[[Sequence[Thing]], None]

_log = logging.getLogger("trioarm.discovery")


class Announcer:
    """Publishes what is shown.

    Args:
        settings: under which topics.
        link: to the broker.
        view: what is to be shown.
        chance: spreads what many tell when Home Assistant comes back.
    """

    def __init__(self, settings: DiscoverySettings, link: Mqtt, view: View, chance: Chance) -> None:
        self._topics = Topics(settings)
        self._place = f"discovery at mqtt.{settings.broker.name}"
        self._link = link
        self._view = view
        self._chance = chance
        self._said: dict[str, str] = {}  # by topic, over this connection
        self._found: set[str] = set()  # topics on which something of ours was retained before this connection
        self._things = 0
        self._trouble: str | None = None
        self._news = trio.Event()
        self._born = trio.Event()
        heeds = {self._topics.birth: self._heed_birth, self._topics.availability: self._heed_availability}
        heeds |= dict.fromkeys(self._topics.ours, self._heed_ours)
        self._subscriptions = [link.subscribe(pattern, heed) for pattern, heed in heeds.items()]

    @property
    def trouble(self) -> str | None:
        """Why not all is shown as it is; None when it is."""
        if self._link.trouble is not None:
            return f"{self._place}: {self._link.trouble}"
        refused = [f"{one.filter}: {one.refusal}" for one in self._subscriptions if one.refusal is not None]
        return f"{self._place}: not heard: {refused[0]}" if refused else self._trouble

    def wake(self) -> None:
        """Look again soon."""
        self._news.set()

    def describe(self) -> str:
        """Say in a few words what is shown."""
        return f"schedules and partitions that are shown: {self._things}" if self.trouble is None else self.trouble

    async def run(self, know: Know, reports: Reports) -> None:
        """Show what there is until cancelled, whenever there is a connection.

        Args:
            know: told what is shown, before it is.
            reports: returns what panels said last.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_births)
            while True:
                await self._link.wait_connected()
                async with trio.open_nursery() as connected:
                    connected.start_soon(self._keep, know, reports)
                    await self._link.wait_lost()
                    connected.cancel_scope.cancel()
                self._said.clear()
                self._found.clear()

    async def _keep(self, know: Know, reports: Reports) -> None:
        """Look whenever there is news; what cannot be shown now, a later look shows."""
        while True:
            self._news = trio.Event()
            try:
                await self._look(know, reports)
            except (MqttFailed, TrioarmError) as error:
                self._tell(f"{self._place}: {error}")
            else:
                self._trouble = None
            await trio.sleep(DAMPING_S)
            await self._news.wait()

    async def _look(self, know: Know, reports: Reports) -> None:
        """Look, and publish what differs from what was published.

        Raises:
            MqttFailed: the broker does not take it.
            TrioarmError: nobody knows what is to be shown.
        """
        shown = await self._view.look(reports())
        know(shown.things)
        self._things = len(shown.things)
        meant = {**shown.payloads, self._topics.availability: ONLINE}
        for topic in sorted((self._found | self._said.keys()) - meant.keys()):
            await self._link.publish(topic, b"", retain=True, within_s=WITHIN_S)
            self._found.discard(topic)
            self._said.pop(topic, None)
        for topic, payload in meant.items():
            if payload is not None and self._said.get(topic) != payload:
                await self._link.publish(topic, payload, retain=True, within_s=WITHIN_S)
                self._said[topic] = payload

    async def _heed_births(self) -> None:
        """Tell all again when Home Assistant has come, though all of it is retained: some brokers forget."""
        while True:
            await self._born.wait()
            self._born = trio.Event()
            await trio.sleep(BIRTH_S_MIN + (BIRTH_S_MAX - BIRTH_S_MIN) * self._chance.random())
            self._said.clear()
            self.wake()

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning(trouble)

    # What is heard, as it comes

    def _heed_birth(self, message: Message) -> bool:
        if message.payload == ONLINE.encode():
            self._born.set()
        return False

    def _heed_availability(self, message: Message) -> bool:
        """Contradict who says that we are gone: another node of ours has ended, or a connection we lost."""
        if message.payload != ONLINE.encode():
            self._said.pop(self._topics.availability, None)
            self.wake()
        return False

    def _heed_ours(self, message: Message) -> bool:
        if message.is_retained and message.payload and len(self._found) < FOUND_MAX:
            self._found.add(message.topic)
            self.wake()
        return False
