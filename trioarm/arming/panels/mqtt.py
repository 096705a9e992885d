"""A panel at an MQTT broker: it publishes what it is on one topic, and hears what to become on another (A1.3).

What it is, is what the broker told over the present connection, retained or not; after a loss nothing is known until it
is told again. Commands are acknowledged by the broker or failed, and never retained (A3.6).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from trioarm.arming.connections import Connections
from trioarm.arming.model import MqttPanel, Partition, Reported, Target
from trioarm.arming.panels.answers import Unclear
from trioarm.arming.panels.base import (
    OURSELVES,
    UNREAD,
    FailureKind,
    OwnCommand,
    OwnCommands,
    PanelFailure,
    PanelReport,
)
from trioarm.arming.panels.mqtt_words import Refusal, payload_of, refusal_in, understood
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import microseconds
from trioarm.core.reading import show
from trioarm.engine.ports import Clock
from trioarm.links.mqtt import Message, Mqtt, MqttFailed
from trioarm.links.mqtt.broker import PAYLOAD_MAX
from trioarm.links.mqtt.settings import MqttBroker, make_link
from trioarm.links.secrets import masking_of, references

CONFIRM_S: Final = 30.0  # beyond its exit delay, in which `pending` of a panel may still be that delay (A6.2)
ANSWER_S: Final = 5.0  # for a panel that says why it does not obey to say so
TOLD_S: Final = 60.0  # between two lines on messages that are no state
REASON_MAX: Final = 300  # characters of what went wrong, some of them the panel's

ON_THE_WAY: Final = frozenset({Reported.ARMING, Reported.DISARMING})
ARMED: Final = frozenset(Reported(target.value) for target in Target if target is not Target.DISARMED)

_log = logging.getLogger(__name__)


class MqttDriver:
    """One partition of a panel at a broker. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        settings: as configured.
        partition: its settings.
        link: to the broker.
        clock: what time it is.
        commands: what was sent before.

    Raises:
        ValueError: its broker has too many panels.
    """

    def __init__(
        self, settings: MqttPanel, partition: Partition, link: Mqtt, clock: Clock, commands: OwnCommands
    ) -> None:
        self._settings = settings
        self._partition = partition
        self._link = link
        self._clock = clock
        self._commands = commands
        own = [ref for ref in (partition.code,) if ref is not None]
        self._refs = (*references(settings.broker).values(), *references(settings).values(), *own)
        self._news = trio.Event()
        self._refusal: Refusal | None = None
        self._armed_at: int | None = None  # when it was last heard to be armed
        self._told_at: float | None = None
        heeds = {
            settings.availability_topic: self._heed_availability,
            settings.state_topic: self._heed_state,
            settings.event_topic: self._heed_event,
        }
        self._subscriptions = {topic: link.subscribe(topic, heed) for topic, heed in heeds.items() if topic is not None}
        self._needed = [topic for topic in self._subscriptions if topic != settings.event_topic]

    @property
    def name(self) -> str:
        """The physical panel: partitions that are commanded on one topic are commanded in order (A3.8)."""
        return f"mqtt:{self._settings.broker.name}:{self._settings.command_topic}"

    async def read_state(self) -> PanelReport:
        """Return what it said last, over the present connection.

        A connection is waited for, and what a new one brings, each within `timeout_s`; where that was in vain already,
        nothing is waited for.

        Raises:
            PanelFailure: `unavailable`: the broker is not reached, or nothing was heard, or nothing understood.
        """
        timeout_s = self._settings.timeout_s
        await self._until(self._is_known, timeout_s if self._link.steady_s < timeout_s else 0)
        report = self._heard()
        if report.state is not Reported.PENDING or not self._settings.pending_is_exit_delay:
            return report
        own = await self._commands.own_command(self._partition.name)
        return self._told_apart(self._heard(), own)  # heard again: meanwhile it may have said something else

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Publish a command; a panel that says why it does not obey is given a moment to say so.

        Raises:
            PanelFailure: `rejected` or `blocked`, as far as it says so; or `unavailable`: the broker has not
                acknowledged it, and whether the panel will hear it is not known.

        Cancellation: at once; what the broker has by then, it may yet deliver.
        """
        action = self._settings.payloads.get(target)
        if action is None:
            known = ", ".join(self._settings.payloads)
            raise PanelFailure(FailureKind.REJECTED, f"the panel knows no {target}, only {known}: look at its payloads")
        words = {"action": action, "code": code, "address": self._partition.address or None}
        payload = payload_of(self._settings.command_template, words)
        self._refusal = None
        try:
            topic, within_s = self._settings.command_topic, self._settings.timeout_s
            await self._link.publish(topic, payload, within_s=within_s)
        except MqttFailed as error:
            raise self._failure(FailureKind.UNAVAILABLE, str(error), code) from None
        if self._settings.event_topic is not None:
            await self._hear_answer(target, code)

    async def changed(self) -> None:
        """Return when something new was heard, or the connection is lost, made, or tried once more."""
        await self._link.wait_news(self._news)

    # What is heard, as it comes

    def _heed_state(self, message: Message) -> bool:
        try:
            report = understood(message.payload, self._settings, _as_it_is)
        except Unclear:
            self._tell_once(message)
            return False
        if report.state in ARMED:
            self._armed_at = self._clock.look()
        before = self._latest(message.topic)
        if before is None or before.payload != message.payload:  # what is said again and again is no news
            self._wake()
        return True

    def _heed_availability(self, message: Message) -> bool:
        self._wake()
        return True

    def _heed_event(self, message: Message) -> bool:
        if not message.is_retained and (refusal := refusal_in(message.payload, _as_it_is)) is not None:
            self._refusal = refusal
            self._wake()
        return False

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _tell_once(self, message: Message) -> None:
        now = trio.current_time()
        if self._told_at is not None and now < self._told_at + TOLD_S:
            return
        self._told_at = now
        why = self._unclear(message)
        _log.warning("%s: what was heard last is no state, so the one before counts: %s", self._partition.name, why)

    # What is made of it

    def _is_known(self) -> bool:
        """Whether a report can be made, or it is known that none can."""
        if not self._link.is_connected:
            return False
        refusals = [subscription.refusal for subscription in self._subscriptions.values()]
        return any(refusals) or self._is_away() or all(map(self._latest, self._needed))

    def _is_away(self) -> bool:
        """Whether the panel says that it is not there."""
        topic = self._settings.availability_topic
        message = None if topic is None else self._latest(topic)
        return message is not None and message.payload != self._settings.available.encode()

    def _latest(self, topic: str) -> Message | None:
        return self._subscriptions[topic].latest(topic)

    def _heard(self) -> PanelReport:
        """Return the report that what was heard amounts to.

        Raises:
            PanelFailure: `unavailable`: to none.
        """
        if not self._link.is_connected:
            raise self._failure(FailureKind.UNAVAILABLE, f"not connected: {self._link.trouble}")
        for topic in self._needed:
            if self._latest(topic) is None:
                raise self._failure(FailureKind.UNAVAILABLE, self._silence(topic))
            if topic == self._settings.availability_topic and self._is_away():
                message = f"the panel is not there: {topic} does not say {show(self._settings.available)}"
                raise self._failure(FailureKind.UNAVAILABLE, message)
        return self._reported()

    def _reported(self) -> PanelReport:
        message = self._latest(self._settings.state_topic)
        if message is None:
            return UNREAD
        return understood(message.payload, self._settings, masking_of(self._refs))

    def _silence(self, topic: str) -> str:
        """Return why nothing is known of a topic."""
        subscription = self._subscriptions[topic]
        if subscription.refusal is not None:
            return f"it does not tell of {topic}: {subscription.refusal}"
        if subscription.unheeded is not None:
            return f"{topic} tells no state: {self._unclear(subscription.unheeded)}"
        return f"nothing is retained on {topic}, nor was anything heard there: is it the topic, and does the panel run?"

    def _unclear(self, message: Message) -> str:
        """Return why a message is no state."""
        if len(message.payload) > PAYLOAD_MAX:
            return f"the message has more than {PAYLOAD_MAX} bytes"
        try:
            understood(message.payload, self._settings, masking_of(self._refs))
        except Unclear as error:
            return str(error)
        return "it has become one since"

    def _told_apart(self, report: PanelReport, own: OwnCommand | None) -> PanelReport:
        """Return what `pending` is: the exit delay of our own command, or an entry delay (A6.2)."""
        if report.state is not Reported.PENDING or own is None or own.target is Target.DISARMED or own.is_confirmed:
            return report
        age = self._clock.look() - own.sent_at
        is_recent = 0 <= age <= microseconds(self._settings.exit_delay_s + CONFIRM_S)
        was_armed = self._armed_at is not None and self._armed_at >= own.sent_at
        if was_armed or not is_recent:
            return report
        return attrs.evolve(report, state=Reported.ARMING, toward=own.target)

    async def _hear_answer(self, target: Target, code: str | None) -> None:
        """Wait until it refuses, or shows that it obeys.

        Raises:
            PanelFailure: `rejected` or `blocked`: it refuses.
        """

        def has_answered() -> bool:
            report = self._reported()
            obeys = report.state in ON_THE_WAY or report.reaches(target)
            return obeys or self._refusal is not None or not self._link.is_connected

        await self._until(has_answered, min(ANSWER_S, self._settings.timeout_s))
        if self._refusal is not None:
            raise self._failure(self._refusal.kind, self._refusal.message, code, self._refusal.zones)

    async def _until(self, holds: Callable[[], bool], within_s: float) -> None:
        """Wait until something is so, but not for ever."""
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(within_s):
            while not holds():
                await self.changed()

    def _failure(
        self, kind: FailureKind, reason: str, code: str | None = None, zones: tuple[str, ...] = ()
    ) -> PanelFailure:
        """Return a failure that names the broker, and nothing secret."""
        mask = masking_of(self._refs, code)
        said = mask(reason)
        cut = said if zones or len(said) <= REASON_MAX else said[:REASON_MAX] + "..."
        return PanelFailure(kind, f"mqtt {self._settings.broker.name}: {cut}", tuple(map(mask, zones)))


def broker_link(broker: MqttBroker, connections: Connections) -> Mqtt:
    """Return the link to a broker, which all that is reached by it shares.

    Raises:
        ConfigurationError: there can be none: paho-mqtt is not installed.
    """
    try:
        return connections.get(broker, partial(make_link, broker, speaks_apart=True))
    except MqttFailed as error:
        raise ConfigurationError((f"mqtt.{broker.name}: {error}",)) from None


def _as_it_is(text: str) -> str:
    """Return a text that nobody will see."""
    return text
