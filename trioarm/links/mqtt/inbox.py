"""Inboxes: what is heard, kept for whoever subscribed until it is read, and known for as long as the connection stands.

Of each topic only the newest message is kept: who reads slowly misses states that are over, and the loop that reads
from the network never waits for anybody. So what must not replace each other has topics of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

import attrs
import trio

from trioarm.links.mqtt.broker import PAYLOAD_MAX
from trioarm.links.mqtt.topics import check_filter, matches

TOPICS_MAX: Final = 256  # of one subscription, each with its newest message; the one longest silent is forgotten
SUBSCRIPTIONS_MAX: Final = 500  # a panel needs two, a house some dozens
TOLD_S: Final = 60.0  # between two lines that messages were dropped

_log = logging.getLogger(__name__)


@attrs.frozen(slots=True)
class Message:
    """A message.

    Args:
        topic: where it was published.
        payload: what.
        is_retained: whether it was there already when we subscribed.
    """

    topic: str
    payload: bytes
    is_retained: bool


Heed: TypeAlias = Callable[[Message], bool]


class Subscription:
    """What is heard on the topics that a filter means: an iterator of messages, and the newest of each topic.

    It outlives connections, and begins anew with each of them: what came before and has not been read is forgotten, and
    nothing is the `latest` of any topic until the broker has told it again. It ends with its context.

    Args:
        filter: which topics.
        home: where it is registered.
        heed: called with each message as it comes, before any other; one for which it returns false is not kept, and
            the one before stays the `latest`. It must be quick, and must not raise.
    """

    def __init__(self, pattern: str, home: Inboxes, heed: Heed | None = None) -> None:
        self.filter = pattern
        self.unheeded: Message | None = None  # the newest not kept, over this connection; one too large is cut short
        self._heed = heed
        self.refusal: str | None = None  # why the broker does not deliver it; None if it does, or has not answered yet
        self.dropped = 0  # messages of topics that were too many
        self._home = home
        self._latest: dict[str, Message] = {}  # the one longest silent first
        self._unread: dict[str, Message] = {}
        self._news, self._answered = trio.Event(), trio.Event()
        self._is_closed = False

    def latest(self, topic: str) -> Message | None:
        """Return the newest message of a topic; None if the present connection has brought none that was kept."""
        return self._latest.get(topic)

    async def wait_answered(self) -> None:
        """Wait until the broker has answered over the present connection: from then on nothing is missed."""
        await self._answered.wait()

    async def receive(self) -> Message:
        """Return the next message that has not been read.

        Raises:
            trio.EndOfChannel: the subscription has ended.

        Cancellation: at once; no message is lost.
        """
        await trio.lowlevel.checkpoint()
        while not self._unread:
            if self._is_closed:
                raise trio.EndOfChannel
            self._news = trio.Event()
            await self._news.wait()
        return self._unread.pop(next(iter(self._unread)))

    def __aiter__(self) -> Self:
        """Iterate over what is received."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message."""
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def close(self) -> None:
        """End it: what has not been read is forgotten, and whoever waits for more is told."""
        if not self._is_closed:
            self._is_closed = True
            self._home.remove(self)
            self._forget()
            self._news.set()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def _take(self, message: Message) -> None:
        if self._heed is not None and not self._heed(message):
            self.unheeded = message
            return
        for kept in (self._latest, self._unread):
            kept.pop(message.topic, None)
            kept[message.topic] = message
        if len(self._latest) > TOPICS_MAX:
            oldest = next(iter(self._latest))
            del self._latest[oldest]
            self._unread.pop(oldest, None)
            self.dropped += 1
        self._news.set()

    def _answer(self, refusal: str | None) -> None:
        self.refusal = refusal
        self._answered.set()

    def _drop(self, message: Message) -> None:
        self._forget(message.topic)
        self.unheeded = attrs.evolve(message, payload=message.payload[: PAYLOAD_MAX + 1])

    def _lose(self) -> None:
        self.refusal, self._answered, self.unheeded = None, trio.Event(), None
        self._forget()

    def _forget(self, topic: str | None = None) -> None:
        for kept in (self._latest, self._unread):
            if topic is None:
                kept.clear()
            else:
                kept.pop(topic, None)


class Inboxes:
    """All subscriptions of a connection, and who of them hears what."""

    def __init__(self) -> None:
        self.dropped = 0  # messages too large, or of a topic that is none
        self.on_unwanted: Callable[[str], None] | None = None  # told of a filter that nobody has any more
        self._all: list[Subscription] = []
        self._told_at: float | None = None

    def add(self, pattern: str, heed: Heed | None = None) -> Subscription:
        """Return a new subscription.

        Raises:
            InvalidTopic: that is no filter.
            ValueError: there are too many.
        """
        if len(self._all) >= SUBSCRIPTIONS_MAX:
            raise ValueError(f"there are {SUBSCRIPTIONS_MAX} subscriptions already")
        subscription = Subscription(check_filter(pattern), self, heed)
        self._all.append(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription hear nothing any more."""
        self._all.remove(subscription)
        if self.on_unwanted is not None and subscription.filter not in self.filters:
            self.on_unwanted(subscription.filter)

    @property
    def filters(self) -> frozenset[str]:
        """What the broker is asked for."""
        return frozenset(subscription.filter for subscription in self._all)

    def deliver(self, message: Message) -> None:
        """Give a message to all whose filter means it; one that is too large makes its topic unknown."""
        hearers = [one for one in self._all if matches(one.filter, message.topic)]
        if len(message.payload) <= PAYLOAD_MAX:
            for hearer in hearers:
                hearer._take(message)
            return
        for hearer in hearers:
            hearer._drop(message)
        self.drop(f"one on {message.topic[:100]!r} has {len(message.payload)} bytes, {PAYLOAD_MAX} at most are taken")

    def drop(self, why: str) -> None:
        """Count a message that nobody gets, and tell of it once a minute."""
        self.dropped += 1
        now = trio.current_time()
        if self._told_at is None or now >= self._told_at + TOLD_S:
            self._told_at = now
            _log.warning("messages are dropped, %d so far: %s", self.dropped, why)

    def answer(self, pattern: str, refusal: str | None) -> None:
        """Tell the subscriptions to a filter why the broker does not deliver it; None if it does."""
        for subscription in self._all:
            if subscription.filter == pattern:
                subscription._answer(refusal)

    def forget(self) -> None:
        """Forget what was heard: the connection is gone, and what it told may no longer be so."""
        for subscription in self._all:
            subscription._lose()
