"""A session: one connection to a broker, from its first packet to its last. It does not outlive it, and nor does paho.

paho makes and reads the packets and keeps count of what has been acknowledged. A client of its own for each connection
means that nothing it remembers is ever sent again over the next; trio carries the bytes, keeps time, and cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import trio
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from trioarm.links.dial import Stream, cut
from trioarm.links.mqtt.broker import Broker, Limits, MqttFailed, Version
from trioarm.links.mqtt.inbox import Inboxes, Message
from trioarm.links.mqtt.wire import PACKET_MAX, Garbled, Wire

IN_FLIGHT: Final = 20  # messages sent and not yet acknowledged, or fewer if the broker says so; more wait
CHUNK: Final = 64 * 1024  # bytes read at once
PACKETS: Final = 100  # handled before others get their turn
BREATH_S: Final = 0.005  # which they get then: a broker that floods would take all of a processor from who is arming
EARLY_S: Final = 0.1  # by how much paho's clock may be behind ours


class _Answer:
    """What the broker says to one thing asked of it."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.has_come = trio.Event()

    def give(self, refusal: str | None) -> None:
        if not self.has_come.is_set():
            self.refusal = refusal
            self.has_come.set()


class _Packets(Client):
    """paho's client on a wire in memory: the one method of its own that is overridden is where it makes its socket."""

    def __init__(self, broker: Broker, password: str | None, wire: Wire) -> None:
        is_5 = broker.version is Version.V5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=None if is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.wire = wire
        if broker.username is not None:
            self.username_pw_set(broker.username, password)
        if broker.will is not None:
            self.will_set(broker.will.topic, broker.will.payload, qos=1, retain=broker.will.retain)

    def _create_socket(self) -> Wire:
        return self.wire

    def greet(self, broker: Broker) -> None:
        """Say who we are. Nothing is remembered of an earlier connection, and nothing will be of this one."""
        keepalive_s = math.ceil(broker.keepalive_s)
        if broker.version is Version.V5:
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = PACKET_MAX
            self.connect(broker.host, broker.port, keepalive_s, clean_start=True, properties=limits)
        else:
            self.connect(broker.host, broker.port, keepalive_s)


class Session:
    """A connection.

    Args:
        broker: whom we speak to.
        password: None to give none.
        stream: what is spoken over.
        carrier: the socket under it.
        inboxes: whose filters are subscribed to, and who gets what is heard.
        limits: of its patience.
    """

    def __init__(
        self,
        broker: Broker,
        password: str | None,
        stream: Stream,
        carrier: trio.SocketStream,
        inboxes: Inboxes,
        limits: Limits,
    ) -> None:
        self.reason: str | None = None  # why it is over
        self.is_established = False
        self._broker, self._limits = broker, limits
        self._stream, self._carrier = stream, carrier
        self._inboxes = inboxes
        self._wire = Wire()
        self._packets = _Packets(broker, password, self._wire)
        self._greeting = _Answer()
        self._answers: dict[int, _Answer] = {}
        self._turns = trio.Semaphore(IN_FLIGHT)
        self._over = trio.Event()
        self._is_sending = False
        self._sending = trio.CancelScope()  # of what is being sent: not cancelled with the rest, half a packet is none
        self._leave_by = math.inf
        self._sent_at = self._heard_at = trio.current_time()
        self._handled = 0  # packets
        self._late: list[str] = []  # filters of subscriptions made after the greeting
        self._has_late = trio.Event()
        self._packets.on_connect = self._on_connect
        self._packets.on_disconnect = self._on_disconnect
        self._packets.on_subscribe = self._on_subscribe
        self._packets.on_publish = self._on_publish
        self._packets.on_message = self._on_message

    async def run(self, established: Callable[[], None]) -> None:
        """Greet the broker, subscribe to everything, and stay until the connection is lost; `reason` says why.

        Args:
            established: called once the broker has answered all of that.

        Cancellation: says goodbye, for a second at most.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._write)
                nursery.start_soon(self._establish, established)
                nursery.start_soon(self._subscribe_late)
                try:
                    await self._over.wait()
                finally:
                    self._leave_by = trio.current_time() + (self._limits.goodbye_s if self.reason is None else 0)
                    self._sending.deadline = min(self._sending.deadline, self._leave_by)
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._leave()

    async def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish and wait until the broker has acknowledged it.

        Raises:
            MqttFailed: it refused, or the connection was lost.

        Cancellation: at once. If it was sent, the connection is given up: what nobody waits for any more is not to
        arrive, if that can still be prevented.
        """
        async with self._turns:
            if not self.is_established:
                raise MqttFailed(f"not sent, the connection was lost: {self.reason or 'it was ended'}")
            answer = self._say(topic, payload, retain)
            try:
                await answer.has_come.wait()
            finally:
                if not answer.has_come.is_set():
                    self.end("a message was not acknowledged in time")
        if answer.refusal is not None:
            raise MqttFailed(answer.refusal)

    def subscribe(self, pattern: str) -> None:
        """Ask for what a filter means; if the broker has not greeted us yet, that is done with all others."""
        if self._greeting.has_come.is_set():
            self._late.append(pattern)
            self._has_late.set()

    def end(self, reason: str) -> None:
        """Give the connection up."""
        if self.reason is None:
            self.reason = reason
            self.is_established = False
            self._fail_all(f"not acknowledged, the connection was lost: {reason}")
            self._greeting.give(reason)
            self._over.set()

    def _fail_all(self, why: str) -> None:
        for answer in self._answers.values():
            answer.give(why)
        self._answers.clear()

    # what is said

    async def _establish(self, established: Callable[[], None]) -> None:
        self._packets.greet(self._broker)
        with trio.move_on_after(self._limits.answer_s) as patience:
            await self._greeting.has_come.wait()
        if patience.cancelled_caught:
            self.end(f"it accepted the connection and did not answer within {self._limits.answer_s:g} s")
        if self.reason is not None:
            return
        await self._subscribe_all(self._inboxes.filters)
        if self.reason is None:
            self.is_established = True
            self._inboxes.on_unwanted = self._unsubscribe
            established()
            await self._keep_alive()

    async def _subscribe_late(self) -> None:
        while True:
            await self._has_late.wait()
            self._has_late = trio.Event()
            patterns, self._late = self._late, []
            await self._subscribe_all(patterns)

    async def _subscribe_all(self, patterns: Iterable[str]) -> None:
        async with trio.open_nursery() as nursery:
            for pattern in patterns:
                nursery.start_soon(self._subscribe, pattern)

    async def _subscribe(self, pattern: str) -> None:
        _, number = self._packets.subscribe(pattern, qos=1)
        answer = self._expect(number)
        with trio.move_on_after(self._limits.answer_s) as patience:
            await answer.has_come.wait()
        if patience.cancelled_caught:
            self.end(f"it did not answer a subscription within {self._limits.answer_s:g} s")
        if self.reason is None:
            self._inboxes.answer(pattern, answer.refusal)

    def _unsubscribe(self, pattern: str) -> None:
        self._packets.unsubscribe(pattern)

    def _say(self, topic: str, payload: bytes, retain: bool) -> _Answer:
        return self._expect(self._packets.publish(topic, payload, qos=1, retain=retain).mid)

    def _expect(self, number: int | None) -> _Answer:
        answer = _Answer()
        if number is None:  # paho has closed already, which is told in a moment
            answer.give("the connection was lost")
        else:
            self._answers[number] = answer
        return answer

    async def _keep_alive(self) -> None:
        """Ask for a sign of life when either side has been silent for too long."""
        while quiet_s := self._packets.keepalive:
            await trio.sleep_until(min(self._sent_at, self._heard_at) + quiet_s + EARLY_S)
            asked_at, queued = trio.current_time(), self._wire.queued
            if min(self._sent_at, self._heard_at) + quiet_s > asked_at:
                continue
            if self._packets.loop_misc() != 0:
                self.end("it gives no sign of life")
            asked = self._wire.queued > queued
            await trio.sleep(self._limits.answer_s if asked else 1)
            if asked and self._heard_at < asked_at:
                self.end(f"it gives no sign of life: no answer within {self._limits.answer_s:g} s")

    async def _leave(self) -> None:
        """Say goodbye if nothing is wrong; else cut the connection, and the broker tells that we are gone."""
        is_well, self.is_established = self.is_established and not self._is_sending, False
        self._inboxes.on_unwanted = None
        self._fail_all("not acknowledged: the connection was ended")
        if is_well:
            with trio.move_on_at(self._leave_by), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._say_goodbye()
        await cut(self._carrier)

    async def _say_goodbye(self) -> None:
        if self._broker.will is not None:
            will = self._broker.will
            answer = self._say(will.topic, will.payload, will.retain)
            await self._stream.send_all(self._wire.take_nowait())
            while not answer.has_come.is_set():
                if not await self._read_once():
                    return
        self._packets.disconnect()
        await self._stream.send_all(self._wire.take_nowait())
        await self._stream.aclose()

    # what is heard

    async def _read(self) -> None:
        while await self._read_once():
            await self._wire.room()

    async def _read_once(self) -> bool:
        """Read what has come; return whether more can come."""
        try:
            data = await self._stream.receive_some(CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            self.end(
                "it closed the connection" if self._greeting.has_come.is_set() else "it closed the connection at once"
            )
            return False
        self._heard_at = trio.current_time()
        self._wire.feed(data)
        try:
            await self._handle_packets()
        except Garbled as error:
            self.end(str(error))
        return self.reason is None

    async def _handle_packets(self) -> None:
        while self._wire.next_packet():
            if self._packets.loop_read() != 0:
                self.end(f"it does not answer as a broker of MQTT {self._broker.version} does")
            if self.reason is not None:
                return
            if self._packets.want_write():
                self._packets.loop_write()
            self._handled += 1
            if self._handled % PACKETS == 0:
                await trio.sleep(BREATH_S)

    async def _write(self) -> None:
        while True:
            data = await self._wire.take()
            self._is_sending = True
            with trio.CancelScope(deadline=trio.current_time() + self._limits.send_s, shield=True) as self._sending:
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._over.wait()  # whoever reads says why
            if self._sending.cancelled_caught:
                if self._leave_by == math.inf:
                    self.end(f"it takes nothing: {len(data)} bytes within {self._limits.send_s:g} s")
                return  # half a packet may be on its way
            self._is_sending = False
            self._sent_at = trio.current_time()

    # what paho reads in the packets; what it hands over besides is of no use here

    def _on_connect(self, _: Client, __: Any, ___: ConnectFlags, code: ReasonCode, allowed: Properties | None) -> None:
        if code.is_failure:
            self.end(f"it refuses us: {str(code).lower()}")
        else:
            self._turns = trio.Semaphore(min(IN_FLIGHT, getattr(allowed, "ReceiveMaximum", IN_FLIGHT)))
            self._greeting.give(None)

    def _on_disconnect(
        self, _: Client, __: Any, flags: DisconnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.end(f"it closed the connection: {str(code).lower()}")

    def _on_subscribe(self, _: Client, __: Any, number: int, codes: list[ReasonCode], ___: Properties | None) -> None:
        failed = [str(code).lower() for code in codes if code.is_failure]
        self._answer(number, failed[0] if failed else None)

    def _on_publish(self, _: Client, __: Any, number: int, code: ReasonCode, ___: Properties | None) -> None:
        self._answer(number, f"the broker refuses it: {str(code).lower()}" if code.is_failure else None)

    def _answer(self, number: int, refusal: str | None) -> None:
        if answer := self._answers.pop(number, None):
            answer.give(refusal)

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        if self.reason is not None or not self._greeting.has_come.is_set():
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._inboxes.drop("one has a topic that is no UTF-8")
            return
        self._inboxes.deliver(Message(topic, bytes(message.payload), message.retain))
