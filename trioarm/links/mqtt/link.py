"""The link to a broker: connected whenever that is possible, and honest about when it is not."""

from __future__ import annotations

import logging
import random
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NoReturn

import attrs
import trio

from trioarm.engine.ports import Chance
from trioarm.links.backoff import STEADY_S, pause_s
from trioarm.links.mqtt.broker import Broker, Limits, MqttFailed, Will, check_payload
from trioarm.links.mqtt.dial import Credentials, dial, read_credentials
from trioarm.links.mqtt.inbox import Heed, Inboxes, Subscription
from trioarm.links.mqtt.topics import check_topic
from trioarm.links.threads import Thread

if TYPE_CHECKING:
    from trioarm.links.mqtt.session import Session

APART: Final = "-s"  # what the name we have there ends with on a line on which we only speak

_log = logging.getLogger(__name__)


class Mqtt:
    """A connection to a broker that is made again whenever it is lost.

    Args:
        broker: whom we speak to.
        chance: spreads the attempts of many nodes that lost the same broker.
        thread: where passwords and certificates are read.
        limits: of its patience.
        speaks_apart: whether what we say has a line of its own beside that on which we hear, made with it and lost with
            it. A broker drops what it cannot hand on as fast as it comes, and mosquitto does not spare what it owes:
            where a topic is flooded, what is published on the same line may never be acknowledged.

    Raises:
        MqttFailed: paho-mqtt is not installed; the line says what to install.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        chance: Chance | None = None,
        thread: Thread | None = None,
        limits: Limits | None = None,
        speaks_apart: bool = False,
    ) -> None:
        if find_spec("paho") is None:
            raise MqttFailed("MQTT needs paho-mqtt: python -m pip install 'trioarm[mqtt]'")
        self.broker = broker
        self._chance = chance or random.Random()
        self._thread = thread or Thread()
        self._limits = limits or Limits()
        self._inboxes = Inboxes()
        self._speaks_apart = speaks_apart
        self._session: Session | None = None  # in which we hear
        self._speaking: Session | None = None  # in which we speak: the same, unless that is done apart
        self._connected_at: float | None = None
        self._alone_at: float | None = None  # since when there is no connection; None before `run`, and if there is one
        self._trouble = "no connection has been tried yet"
        self._changed = trio.Event()

    def leave_word(self, will: Will) -> None:
        """Have it said that we are gone, once the connection that is made next has ended, however it ends."""
        self.broker = attrs.evolve(self.broker, will=will)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted us and answered all subscriptions, and is still there as far as we know."""
        return self._connected_at is not None and all(session.is_established for session in self._sessions())

    @property
    def dropped(self) -> int:
        """Messages that were too large, or of a topic that is none, since the beginning."""
        return self._inboxes.dropped

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, in a line without what we authenticate with; None if there is one."""
        if self.is_connected:
            return None
        return next((session.reason for session in self._sessions() if session.reason), self._trouble)

    @property
    def steady_s(self) -> float:
        """For how many seconds there has been a connection, if there is one, else for how many there has been none."""
        since = self._alone_at if self._connected_at is None else self._connected_at
        return 0.0 if since is None else trio.current_time() - since

    async def wait_connected(self) -> None:
        """Wait until there is a connection."""
        await trio.lowlevel.checkpoint()
        while not self.is_connected:
            await self._changed.wait()

    async def wait_lost(self) -> None:
        """Wait until the present connection is lost, and what it told is forgotten; if there is none, not at all."""
        session = self._session
        await trio.lowlevel.checkpoint()
        while self._connected_at is not None and self._session is session:
            await self._changed.wait()

    @property
    def change(self) -> trio.Event:
        """What `wait_change` waits for: to be taken before looking, so that no change is missed."""
        return self._changed

    async def wait_change(self) -> None:
        """Wait until we are connected, or are no longer, or have tried in vain once more."""
        await self._changed.wait()

    async def wait_news(self, news: trio.Event) -> None:
        """Wait for an event of a subscriber, or for what `wait_change` waits for.

        Args:
            news: set once something was heard; a new one each time, since an event is set for good.
        """

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, news)
            nursery.start_soon(wait, self._changed)

    def subscribe(self, pattern: str, heed: Heed | None = None) -> Subscription:
        """Subscribe to the topics that a filter means, over this connection and all that follow; a context.

        Args:
            pattern: which topics.
            heed: called with each message as it comes; see `Subscription`.

        Raises:
            InvalidTopic: that is no filter.
            ValueError: there are too many subscriptions.
        """
        subscription = self._inboxes.add(pattern, heed)
        if self._session is not None:
            self._session.subscribe(pattern)
        return subscription

    async def publish(self, topic: str, payload: bytes | str, *, retain: bool = False, within_s: float) -> None:
        """Publish a message, with QoS 1, and return once the broker has acknowledged it.

        It is sent now or never. If time is up and it has been sent, the connection is given up: what still waits in the
        buffers of our system is thrown away, and what has reached the broker's, it may yet carry out. So whether it
        has arrived is then not known. A broker that speaks 3.1.1 acknowledges what it forbids, too.

        Args:
            topic: where.
            payload: what; text as UTF-8.
            retain: whether the broker keeps it for whoever subscribes later.
            within_s: for all of it.

        Raises:
            MqttFailed: it was not sent, refused or not acknowledged; one line.

        Cancellation: at once, and as if time were up.
        """
        try:
            data = payload.encode() if isinstance(payload, str) else payload
            check_topic(topic)
            check_payload(data)
        except ValueError as error:  # of a text that is no UTF-8, too
            raise MqttFailed(str(error)) from None
        session = self._speaking
        if session is None or not self.is_connected:
            await trio.lowlevel.checkpoint()
            raise MqttFailed(f"not connected to the broker {self.broker}: {self.trouble}")
        with trio.move_on_after(within_s):
            await session.publish(topic, data, retain)
            return
        raise MqttFailed(f"the broker {self.broker} did not acknowledge it within {within_s:g} s")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep the connection; `started` at once, since a broker that is away must not keep anybody from starting.

        Cancellation: publishes the will, if there is one, and says goodbye, for a second at most.
        """
        self._alone_at, self._trouble = trio.current_time(), "it has not answered yet"
        task_status.started()
        failures = 0
        while True:
            await trio.sleep(pause_s(failures, self._chance))
            stood_s = await self._connect()
            failures = 0 if stood_s >= STEADY_S else failures + 1

    async def _connect(self) -> float:
        """Connect, and stay until the connection is lost; return for how many seconds it stood."""
        try:
            credentials = await self._thread.run(partial(read_credentials, self.broker))
            session = await self._open(self.broker, credentials, self._inboxes)
        except MqttFailed as error:
            self._tell(str(error))
            self._change()
            return 0.0
        self._session = session
        try:
            if self._speaks_apart:
                await self._hear_and_speak(session, credentials)
            else:
                self._speaking = session
                await session.run(self._on_established)
        finally:
            stood_s = self._on_lost(session)
        return stood_s

    async def _hear_and_speak(self, hearing: Session, credentials: Credentials) -> None:
        """Stay until one of the two lines is lost, which ends the other: who is not heard believes nothing it hears."""

        async def speak() -> None:
            broker = attrs.evolve(self.broker, client_id=f"{self.broker.client_id}{APART}", will=None)
            try:
                self._speaking = speaking = await self._open(broker, credentials, Inboxes())
            except MqttFailed as error:
                hearing.end(str(error))
                return
            await speaking.run(self._on_established)
            hearing.end(str(speaking.reason))

        async with trio.open_nursery() as nursery:
            await hearing.run(lambda: nursery.start_soon(speak))
            if self._speaking is not None:
                self._speaking.end(str(hearing.reason))
            nursery.cancel_scope.cancel()

    async def _open(self, broker: Broker, credentials: Credentials, inboxes: Inboxes) -> Session:
        """Return a session that has yet to be run.

        Raises:
            MqttFailed: the broker is not reached.
        """
        from trioarm.links.mqtt.session import Session

        stream, carrier = await dial(broker, credentials.tls, self._limits.dial_s)
        return Session(broker, credentials.password, stream, carrier, inboxes, self._limits)

    def _sessions(self) -> list[Session]:
        return [session for session in (self._session, self._speaking) if session is not None]

    def _on_established(self) -> None:
        self._connected_at, self._alone_at = trio.current_time(), None
        self._trouble = "the connection has been ended"  # what is true when nothing is said when it ends
        _log.info("connected to the broker %s", self.broker)
        self._change()

    def _on_lost(self, session: Session) -> float:
        """Believe nothing any more that was heard; return for how many seconds the connection stood."""
        self._session = self._speaking = None
        self._inboxes.forget()
        connected_at, self._connected_at = self._connected_at, None
        self._alone_at = self._alone_at or trio.current_time()
        if session.reason is not None:
            self._tell(session.reason)
        self._change()
        return 0.0 if connected_at is None else trio.current_time() - connected_at

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("not connected to the broker %s: %s", self.broker, trouble)

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
