"""The link to what only looks like a broker: it is bounded, and told in a line, whatever that does."""

from __future__ import annotations

import random
from functools import partial

import pytest
import trio
import trio.testing

from tests.links.broker import PATIENCE_S, Talk, a_link, a_server
from tests.links.tls import HOST
from trioarm.links.mqtt import Broker, Limits, MqttFailed, Tls, Version
from trioarm.links.mqtt.session import BREATH_S, PACKETS
from trioarm.links.mqtt.wire import QUEUE_MAX, Wire

SILENT = Limits(dial_s=PATIENCE_S, answer_s=0.3)
BUSY = Limits(dial_s=PATIENCE_S, answer_s=PATIENCE_S)
ACCEPTED = b"\x20\x02\x00\x00"
SUBSCRIBED, REFUSED = b"\x90\x03\x00\x01\x00", b"\x90\x03\x00\x01\x80"


async def listen(stream: trio.SocketStream) -> None:
    """Hear whatever comes, and say nothing."""
    async for _ in stream:
        pass


async def say(stream: trio.SocketStream, *answers: bytes) -> None:
    """Give an answer to each thing heard, then listen."""
    for answer in answers:
        await stream.receive_some()
        await stream.send_all(answer)
    await listen(stream)


def saying(*answers: bytes) -> Talk:
    return lambda stream: say(stream, *answers)


async def hang_up(stream: trio.SocketStream) -> None:
    await stream.aclose()


async def babble(stream: trio.SocketStream) -> None:
    """Say something else at once, and go on."""
    await stream.send_all(b"SSH-2.0-whatever\r\n" * 100)
    await listen(stream)


async def trickle(stream: trio.SocketStream) -> None:
    """Say that much follows, and let it follow for ever."""
    await stream.receive_some()
    await stream.send_all(ACCEPTED + b"\x30\xff\xff\xff\x08")
    while True:
        await stream.send_all(b"x" * 65_536)


@pytest.mark.parametrize(
    ("talk", "line"),
    [
        pytest.param(listen, "it accepted the connection and did not answer within 0.3 s", id="says nothing"),
        pytest.param(hang_up, "it closed the connection at once", id="hangs up"),
        pytest.param(saying(b"\x20\x02\x00\x02"), "it refuses us: client identifier not valid", id="refuses"),
        pytest.param(saying(b"\x20\x02\x00\x63"), "it refuses us: unspecified error", id="refuses for no reason"),
        pytest.param(saying(b"\x20\x02\x00"), "it accepted the connection and did not answer within 0.3 s", id="half"),
        pytest.param(saying(b"\x20\x01\x00"), "it does not answer as a broker of MQTT 3.1.1 does", id="too short"),
        pytest.param(saying(b"\xf0\x00"), "it does not answer as a broker of MQTT 3.1.1 does", id="no packet of ours"),
        pytest.param(saying(b"\x20\xff\xff\xff\xff\xff"), "its packets are none of MQTT", id="no length"),
        pytest.param(
            saying(b"\x20\xff\xff\xff\x7f"),
            "it sends a packet of 268435455 bytes: 16777216 at most are read",
            id="huge",
        ),
    ],
)
async def test_what_does_not_answer_as_a_broker_is_told(talk: Talk, line: str) -> None:
    """Silence, nonsense, refusals and half an answer: one line each, and soon."""
    limits = SILENT if "did not answer" in line else BUSY
    async with a_server(talk) as port, a_link(Broker(host=HOST, port=port), connected=False, limits=limits) as mqtt:
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_change()
        assert mqtt.trouble == line


async def test_another_protocol_is_told() -> None:
    """A server that speaks first, and something else."""
    async with a_server(babble) as port, a_link(Broker(host=HOST, port=port), connected=False, limits=BUSY) as mqtt:
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_change()
        assert mqtt.trouble == "it does not answer as a broker of MQTT 3.1.1 does"


async def test_a_handshake_that_never_ends_is_told() -> None:
    """What accepts a connection and does not speak TLS, nor anything else."""
    async with (
        a_server(listen) as port,
        a_link(Broker(host=HOST, port=port, tls=Tls()), connected=False, limits=Limits(dial_s=0.3)) as mqtt,
    ):
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_change()
        assert mqtt.trouble == "no connection within 0.3 s"


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("seed", range(8))
async def test_any_bytes_end_in_a_line_or_a_connection(seed: int, version: Version) -> None:
    """Packets of every type with any content, after a greeting as it should be: nothing else comes of them."""
    chance = random.Random(seed)
    packets = [b"\x20\x02\x00\x00" if version is Version.V3_1_1 else b"\x20\x03\x00\x00\x00"]
    for _ in range(200):
        content = chance.randbytes(chance.randrange(12))
        packets.append(
            bytes([chance.choice([chance.randrange(256), 0x30, 0x40, 0x90, 0xB0, 0xE0]), len(content)]) + content
        )

    async def play(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        for packet in packets:
            await stream.send_all(packet)

    async with a_server(play) as port:
        settings = Broker(host=HOST, port=port, version=version)
        async with a_link(settings, connected=False, limits=BUSY) as mqtt:
            with trio.fail_after(PATIENCE_S):
                while mqtt.trouble in (None, "no connection has been tried yet"):
                    await mqtt.wait_change()
            assert "\n" not in str(mqtt.trouble)


async def test_more_than_can_be_kept_ends_the_connection() -> None:
    """A packet of 16 MB and more is not read to its end."""
    async with a_server(trickle) as port, a_link(Broker(host=HOST, port=port), connected=False, limits=BUSY) as mqtt:
        with trio.fail_after(PATIENCE_S):
            while mqtt.trouble is None or not mqtt.trouble.startswith("it sends a packet"):
                await mqtt.wait_change()
        assert mqtt.trouble == "it sends a packet of 18874367 bytes: 16777216 at most are read"


async def test_messages_of_a_quality_nobody_asked_for_end_the_connection() -> None:
    """Exactly-once delivery would have to be remembered; nothing of ours asks for it."""
    talk = saying(ACCEPTED + b"\x34\x05\x00\x01t\x00\x01")
    async with a_server(talk) as port, a_link(Broker(host=HOST, port=port), connected=False, limits=BUSY) as mqtt:
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
            while mqtt.trouble is None or "quality" not in mqtt.trouble:
                await mqtt.wait_change()


async def test_a_refused_subscription_says_so() -> None:
    """The connection stays, for whoever else needs it."""
    async with (
        a_server(saying(ACCEPTED, REFUSED)) as port,
        a_link(Broker(host=HOST, port=port), connected=True, limits=BUSY) as mqtt,
    ):
        with mqtt.subscribe("a") as subscription, trio.fail_after(PATIENCE_S):
            await subscription.wait_answered()
            assert subscription.refusal == "unspecified error"
            assert mqtt.is_connected


async def test_a_subscription_that_is_not_answered_ends_the_connection() -> None:
    """Without it nobody would know what is true."""
    async with a_server(saying(ACCEPTED)) as port:
        settings = Broker(host=HOST, port=port)
        async with a_link(settings, limits=Limits(answer_s=0.3)) as mqtt:
            with mqtt.subscribe("a"), trio.fail_after(PATIENCE_S):
                await mqtt.wait_lost()
            assert mqtt.trouble == "it did not answer a subscription within 0.3 s"


async def test_a_broker_that_takes_nothing_is_left() -> None:
    """Its buffers are full, so nothing more is sent, and whoever publishes is told in time."""

    async def take_nothing(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(ACCEPTED)
        await trio.sleep_forever()

    async with (
        a_server(take_nothing) as port,
        a_link(Broker(host=HOST, port=port), limits=Limits(send_s=0.3)) as mqtt,
        trio.open_nursery() as nursery,
    ):

        async def fill() -> None:
            while mqtt.is_connected:
                with pytest.raises(MqttFailed):
                    await mqtt.publish("a", "x" * 65_536, within_s=PATIENCE_S)

        for _ in range(100):
            nursery.start_soon(fill)
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
        nursery.cancel_scope.cancel()


async def test_a_flood_leaves_time_for_others_and_bounded_memory() -> None:
    """While 5 000 messages come in, other tasks and threads have most of the processor, and few messages are kept."""
    count = 5_000
    turns = 0

    async def flood(stream: trio.SocketStream) -> None:
        for answer in (ACCEPTED, SUBSCRIBED):
            await stream.receive_some()
            await stream.send_all(answer)
        packets = b"".join(b"\x30\x09\x00\x05%05d\x00\x00" % number for number in range(count))
        await stream.send_all(packets)
        await stream.send_all(b"\x30\x05\x00\x03end")
        await listen(stream)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with a_server(flood) as port, a_link(Broker(host=HOST, port=port)) as mqtt, trio.open_nursery() as nursery:
        with mqtt.subscribe("+") as everything, mqtt.subscribe("end") as end, trio.fail_after(PATIENCE_S):
            nursery.start_soon(take_turns)
            began = trio.current_time()
            await end.receive()
            assert trio.current_time() - began >= count // PACKETS * BREATH_S
            assert turns >= count / 50
            assert everything.dropped == count + 1 - 256
            assert (await everything.receive()).topic == f"{count - 255:05d}"
        nursery.cancel_scope.cancel()


async def test_without_a_sign_of_life_the_connection_is_lost() -> None:
    """A broker that has gone silent is asked, once per time, and left if it does not answer."""
    asked = trio.Event()

    async def fall_silent(stream: trio.SocketStream) -> None:
        await say_accepted(stream)
        assert await stream.receive_some() == b"\xc0\x00"
        asked.set()
        await listen(stream)

    async with (
        a_server(fall_silent) as port,
        a_link(Broker(host=HOST, port=port, keepalive_s=1), limits=Limits(answer_s=0.3)) as mqtt,
    ):
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
        assert asked.is_set()
        assert mqtt.trouble == "it gives no sign of life: no answer within 0.3 s"


async def say_accepted(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(ACCEPTED)


async def test_a_broker_that_says_why_it_goes_is_quoted() -> None:
    """In MQTT 5 it can."""
    talk = saying(b"\x20\x03\x00\x00\x00\xe0\x01\x8e")
    async with a_server(talk) as port:
        settings = Broker(host=HOST, port=port, version=Version.V5)
        async with a_link(settings, connected=False, limits=BUSY) as mqtt:
            with trio.fail_after(PATIENCE_S):
                while mqtt.trouble != "it closed the connection: session taken over":
                    await mqtt.wait_change()


async def test_what_is_not_acknowledged_in_time_is_not_left_to_the_system() -> None:
    """The connection is reset, not closed: what the system still holds of it is thrown away."""
    was_reset = trio.Event()

    async def be_reset(stream: trio.SocketStream) -> None:
        await say_accepted(stream)
        try:
            await listen(stream)
        except trio.BrokenResourceError:
            was_reset.set()

    async with a_server(be_reset) as port, a_link(Broker(host=HOST, port=port)) as mqtt:
        with pytest.raises(MqttFailed, match=r"did not acknowledge it within 0\.05 s$"):
            await mqtt.publish("command", "", within_s=0.05)
        with trio.fail_after(PATIENCE_S):
            await was_reset.wait()


@pytest.mark.parametrize(
    ("accepted", "most", "version"),
    [(ACCEPTED, 20, Version.V3_1_1), (b"\x20\x06\x00\x00\x03\x21\x00\x02", 2, Version.V5)],
)
async def test_what_was_never_sent_costs_no_connection(accepted: bytes, most: int, version: Version) -> None:
    """Twenty messages are on their way at most, or as many as the broker allows; the next may run out of time."""
    async with (
        a_server(saying(accepted)) as port,
        a_link(Broker(host=HOST, port=port, version=version)) as mqtt,
        trio.open_nursery() as nursery,
    ):
        for _ in range(most):
            nursery.start_soon(partial(mqtt.publish, "command", "", within_s=PATIENCE_S))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(MqttFailed):
            await mqtt.publish("command", "", within_s=0.05)
        assert mqtt.is_connected
        nursery.cancel_scope.cancel()


async def test_who_stops_waiting_for_a_message_gives_the_connection_up() -> None:
    """What nobody waits for any more is not to arrive."""
    async with a_server(saying(ACCEPTED)) as port, a_link(Broker(host=HOST, port=port)) as mqtt:
        with trio.move_on_after(0.05):
            await mqtt.publish("command", "", within_s=PATIENCE_S)
        assert not mqtt.is_connected
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
        assert mqtt.trouble == "a message was not acknowledged in time"


async def test_nothing_more_is_read_while_too_much_waits_to_be_sent(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever reads waits until the queue has been taken."""
    wire = Wire()
    wire.send(b"x" * QUEUE_MAX)
    await wire.room()
    wire.send(b"x")
    with trio.move_on_after(1) as patience:
        await wire.room()
    assert patience.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.room)
        await trio.testing.wait_all_tasks_blocked()
        assert len(await wire.take()) == QUEUE_MAX + 1


async def test_a_packet_that_never_ends_is_no_sign_of_life() -> None:
    """A broker that sends a byte of it now and then, and answers nothing, is left."""

    async def send_a_packet_for_ever(stream: trio.SocketStream) -> None:
        await say_accepted(stream)
        await stream.send_all(b"\x30\xff\xff\x7f")
        while True:
            await stream.send_all(b"x")
            await trio.sleep(0.1)

    async with (
        a_server(send_a_packet_for_ever) as port,
        a_link(Broker(host=HOST, port=port, keepalive_s=1), limits=Limits(answer_s=0.3)) as mqtt,
    ):
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
        assert mqtt.trouble == "it gives no sign of life"
