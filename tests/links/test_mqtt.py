"""The link to a broker, held against a real one: mosquitto, that is killed, frozen, cut off and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.links.broker import PATIENCE_S, Mosquitto, a_broker, a_link, a_relay, subscribed
from tests.links.tls import HOST, a_certificate
from trioarm.core.errors import TrioarmError
from trioarm.links.mqtt import Broker, Message, Mqtt, MqttFailed, Tls, Version, Will, link
from trioarm.testing.stores import InlineThread

DISCONNECT = b"\xe0\x00"
WILL = Will(topic="alive", payload=b"offline")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with a_broker(tmp_path) as broker:
        yield broker


async def trouble_with(broker: Broker) -> str:
    """Return what comes of an attempt to connect, which must be in vain."""
    async with a_link(broker, connected=False) as mqtt:
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_change()
        assert not mqtt.is_connected
        assert mqtt.trouble is not None
        return mqtt.trouble


async def heard(mqtt: Mqtt, topic: str) -> Message:
    """Return the first message of a topic."""
    with trio.fail_after(PATIENCE_S), mqtt.subscribe(topic) as subscription:
        return await subscription.receive()


# without a broker


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is needed before there is a link."""
    monkeypatch.setattr(link, "find_spec", lambda _: None)
    with pytest.raises(MqttFailed, match=r"^MQTT needs paho-mqtt: python -m pip install 'trioarm\[mqtt\]'$"):
        Mqtt(Broker(host=HOST))


def test_it_can_be_imported_without_the_library() -> None:
    """Settings of a broker are read, and topics judged, wherever trioarm is installed."""
    program = "import sys; sys.modules['paho'] = None; import trioarm.links.mqtt as m; print(m.Broker(host='h'))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "h:1883\n", "")


async def test_attempts_come_at_once_and_then_ever_more_rarely(autojump_clock: trio.testing.MockClock) -> None:
    """The first at once, then half to all of 1, 2, 4 ... 60 s apart."""
    attempts_at: list[float] = []

    def missing() -> str:
        attempts_at.append(trio.current_time())
        assert len(attempts_at) < 20
        raise TrioarmError("not there")

    class Half:
        def random(self) -> float:
            return 0.5

    settings = Broker(host=HOST, username="u", password=missing)
    mqtt = Mqtt(settings, chance=Half(), thread=InlineThread())
    start = trio.current_time()
    with trio.move_on_after(200):
        await mqtt.run()
    pauses = [now - before for before, now in pairwise([start, *attempts_at])]
    assert pauses == pytest.approx([0, 0.75, 1.5, 3, 6, 12, 24, 45, 45, 45])


# said and heard


@pytest.mark.parametrize("version", Version)
async def test_what_is_published_is_acknowledged_and_heard(broker: Mosquitto, version: Version) -> None:
    """In both versions of MQTT: live it is no retained message, and who comes later gets what was retained."""
    async with a_link(broker.settings(version=version)) as one, a_link(broker.settings(version=version)) as other:
        async with subscribed(one, "home/+/state") as states, subscribed(other, "home/+/set") as commands:
            await other.publish("home/door/state", "armed_away", retain=True, within_s=PATIENCE_S)
            await one.publish("home/door/set", b"\x00\xff", within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                assert await states.receive() == Message("home/door/state", b"armed_away", is_retained=False)
                assert await commands.receive() == Message("home/door/set", b"\x00\xff", is_retained=False)
        assert await heard(one, "home/#") == Message("home/door/state", b"armed_away", is_retained=True)


async def test_of_each_topic_the_newest_message_waits_for_its_reader(broker: Mosquitto) -> None:
    """Who reads slowly misses what is over, and no topic pushes out another one."""
    async with (
        a_link(broker.settings()) as mqtt,
        subscribed(mqtt, "home/#") as states,
        subscribed(mqtt, "home/end") as end,
    ):
        await mqtt.publish("home/a", "first", within_s=PATIENCE_S)
        for number in range(50):
            await mqtt.publish("home/b", str(number), within_s=PATIENCE_S)
        await mqtt.publish("home/end", "", within_s=PATIENCE_S)
        with trio.fail_after(PATIENCE_S):
            await end.receive()
            read = [await states.receive() for _ in range(3)]
        assert [(one.topic, one.payload) for one in read] == [
            ("home/a", b"first"),
            ("home/b", b"49"),
            ("home/end", b""),
        ]
        newest = states.latest("home/b")
        assert newest is not None
        assert newest.payload == b"49"
        assert states.latest("home/c") is None


async def test_what_is_not_heeded_leaves_what_was_before(broker: Mosquitto) -> None:
    """Each message is shown to whoever subscribed as it comes, and one that is of no use to it is not kept."""
    seen: list[bytes] = []

    def is_word(message: Message) -> bool:
        seen.append(message.payload)
        return message.payload.isalpha()

    async with a_link(broker.settings()) as mqtt, subscribed(mqtt, "end") as end:
        with mqtt.subscribe("home", is_word) as words:
            await words.wait_answered()
            for payload in ("one", "2", "three", "4"):
                await mqtt.publish("home", payload, within_s=PATIENCE_S)
            await mqtt.publish("end", "", within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                await end.receive()
            newest = words.latest("home")
            assert newest is not None
            assert newest.payload == b"three"
            assert words.unheeded == Message("home", b"4", is_retained=False)
            broker.put("home", "x" * 65_537)
            await mqtt.publish("end", "", within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                await end.receive()
            assert seen == [b"one", b"2", b"three", b"4"]
            assert words.latest("home") is None  # what is too large makes it unknown
            assert words.unheeded == Message("home", b"x" * 65_537, is_retained=False)
            broker.put("home", "six")
            broker.put("home", "7")
            with trio.fail_after(PATIENCE_S):
                assert (await words.receive()).payload == b"six"
                while words.unheeded != Message("home", b"7", is_retained=False):
                    await trio.lowlevel.checkpoint()
            broker.kill()
            await mqtt.wait_lost()
            assert (words.latest("home"), words.unheeded) == (None, None)


async def test_how_long_it_has_been_so_is_known(broker: Mosquitto) -> None:
    """For how long there is a connection, or none: attempts in vain do not begin it anew."""
    assert Mqtt(broker.settings()).steady_s == 0
    async with a_link(broker.settings()) as mqtt:
        began = trio.current_time()
        assert mqtt.steady_s <= PATIENCE_S
        connected_s = mqtt.steady_s
        broker.kill()
        await mqtt.wait_lost()
        lost_at = trio.current_time()
        for _ in range(2):
            await mqtt.wait_change()
        assert mqtt.steady_s >= trio.current_time() - lost_at > 0
        broker.start()
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_connected()
        assert mqtt.steady_s < connected_s + trio.current_time() - began


async def test_topics_of_a_subscription_are_few(broker: Mosquitto) -> None:
    """Of more than 256 topics the one longest silent is forgotten, and counted."""
    async with (
        a_link(broker.settings()) as mqtt,
        subscribed(mqtt, "#") as everything,
        subscribed(mqtt, "t/299") as last,
    ):
        for number in range(300):
            await mqtt.publish(f"t/{number}", "", within_s=PATIENCE_S)
        with trio.fail_after(PATIENCE_S):
            await last.receive()
            assert (await everything.receive()).topic == "t/44"
        assert everything.dropped == 44
        assert everything.latest("t/43") is None


async def test_a_message_too_large_is_dropped_and_makes_its_topic_unknown(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """A retained megabyte does no harm: it is counted, told of once, and what was known of its topic no longer is."""
    async with a_link(broker.settings()) as mqtt, subscribed(mqtt, "big/+") as big, subscribed(mqtt, "end") as end:
        for payload in ("small", b"x" * 1_000_000, b"y" * 65_537):
            await trio.to_thread.run_sync(lambda payload=payload: broker.put("big/a", payload, retain=True))
            if payload == "small":
                with trio.fail_after(PATIENCE_S):
                    await big.receive()
        await mqtt.publish("end", "", within_s=PATIENCE_S)
        with trio.fail_after(PATIENCE_S):
            await end.receive()
        assert mqtt.dropped == 2
        assert big.latest("big/a") is None
    told = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert told == ["messages are dropped, 1 so far: one on 'big/a' has 1000000 bytes, 65536 at most are taken"]


async def test_a_subscription_ends_with_its_context(broker: Mosquitto) -> None:
    """Who waits for a message is told, what comes later goes to the others, and nobody else loses the same filter."""
    async with a_link(broker.settings()) as mqtt:
        first, second = mqtt.subscribe("a"), mqtt.subscribe("a")
        with trio.fail_after(PATIENCE_S):
            await second.wait_answered()
            async with trio.open_nursery() as nursery:

                async def read_all() -> None:
                    assert [message async for message in first] == []

                nursery.start_soon(read_all)
                await trio.testing.wait_all_tasks_blocked()
                first.close()
                first.close()
            await mqtt.publish("a", "", within_s=PATIENCE_S)
            await second.receive()
        assert first.latest("a") is None
        second.close()


@pytest.mark.parametrize(
    ("topic", "payload", "line"),
    [
        ("a/+", "", "the topic 'a/+' has the wildcard +, which only a filter may have"),
        ("a", "x" * 65_537, "the payload has 65537 bytes: 65536 at most"),
        ("a", "\udc80", "'utf-8' codec can't encode character '\\udc80' in position 0: surrogates not allowed"),
    ],
)
async def test_what_cannot_be_published_is_refused_before(
    broker: Mosquitto, topic: str, payload: str, line: str
) -> None:
    """A wildcard, too much, or no text: one line, and the connection stays."""
    async with a_link(broker.settings()) as mqtt:
        with pytest.raises(MqttFailed) as raised:
            await mqtt.publish(topic, payload, within_s=PATIENCE_S)
        assert str(raised.value) == line
        await mqtt.publish("a", "", within_s=PATIENCE_S)


async def test_what_the_broker_forbids_is_told(tmp_path: Path) -> None:
    """A broker of MQTT 5 says what may not be published, and everything else goes on."""
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite free/#\n")
    rules.chmod(0o600)
    with a_broker(tmp_path, more=f"acl_file {rules}\n") as broker:
        async with a_link(broker.settings(version=Version.V5)) as mqtt, subscribed(mqtt, "free/a") as free:
            with pytest.raises(MqttFailed, match=r"^the broker refuses it: not authorized$"):
                await mqtt.publish("secret/a", "", within_s=PATIENCE_S)
            await mqtt.publish("free/a", "", within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                await free.receive()
            assert free.refusal is None


# connecting


async def test_a_broker_that_is_away_keeps_nobody_from_starting(broker: Mosquitto) -> None:
    """The link has started at once, says why it is not connected, and connects once the broker is there."""
    broker.kill()
    async with a_link(broker.settings(), connected=False) as mqtt:
        assert mqtt.trouble == "it has not answered yet"
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_change()
            assert mqtt.trouble == "connection refused"
            with pytest.raises(
                MqttFailed, match=f"^not connected to the broker {HOST}:{broker.port}: connection refused$"
            ):
                await mqtt.publish("a", "", within_s=PATIENCE_S)
            broker.start()
            await mqtt.wait_connected()
        assert mqtt.trouble is None


@pytest.mark.parametrize(
    ("name", "line"), [("broker.invalid", "the name is not found: "), ("broker..invalid", "the name is none: ")]
)
async def test_a_name_that_is_none_is_told(name: str, line: str) -> None:
    """Names that end in .invalid are nobody's, and some cannot be names."""
    assert (await trouble_with(Broker(host=name))).startswith(line)


@pytest.mark.parametrize("version", Version)
async def test_only_the_right_password_is_let_in(tmp_path: Path, version: Version) -> None:
    """It may be asked for at each connection, and a wrong one is told without showing it."""
    with a_broker(tmp_path, users={"trioarm": "right 1"}) as broker:
        for wrong in ("a wrong one", lambda: "a wrong one", None):
            settings = broker.settings(username="trioarm", password=wrong, version=version)
            assert await trouble_with(settings) == "it refuses us: not authorized"
        async with a_link(broker.settings(username="trioarm", password=lambda: "right 1", version=version)) as mqtt:
            await mqtt.publish("a", "", within_s=PATIENCE_S)


async def test_a_password_that_cannot_be_had_is_told() -> None:
    """The line is that of whoever keeps it; and one that cannot be sent is not shown."""

    def missing() -> str:
        raise TrioarmError("Environment variable MQTT_PASSWORD is not set")

    line = await trouble_with(Broker(host=HOST, username="u", password=missing))
    assert line == "the password: environment variable MQTT_PASSWORD is not set"
    line = await trouble_with(Broker(host=HOST, username="u", password="secret\udc80"))
    assert line == "the password cannot be sent as UTF-8, or is too long"


async def test_only_a_certificate_that_is_trusted_and_of_that_host_is_accepted(tmp_path: Path) -> None:
    """Not one that nobody trusted has signed, not one of another host, and no server that does not speak TLS."""
    certificate = a_certificate(tmp_path / "one")
    with a_broker(tmp_path, certificate=certificate) as broker:
        async with a_link(broker.settings()) as mqtt, subscribed(mqtt, "a") as subscription:
            await mqtt.publish("a", "x" * 60_000, within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                assert len((await subscription.receive()).payload) == 60_000
        other = Tls(ca_file=a_certificate(tmp_path / "two").ca)
        assert (await trouble_with(broker.settings(tls=other))).startswith("TLS: certificate verify failed: ")
        assert (await trouble_with(broker.settings(tls=Tls()))).startswith("TLS: certificate verify failed: ")
        missing = Tls(ca_file=tmp_path / "no.pem")
        assert await trouble_with(broker.settings(tls=missing)) == (
            f"TLS: certificates of {missing.ca_file}: no such file or directory"
        )
        assert await trouble_with(broker.settings(tls=None)) == "it closed the connection at once"


async def test_a_certificate_of_another_host_is_not_accepted(tmp_path: Path) -> None:
    """Whoever signed it."""
    with a_broker(tmp_path, certificate=a_certificate(tmp_path / "other", "DNS:other.example")) as broker:
        assert "not valid for '127.0.0.1'" in await trouble_with(broker.settings())


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(broker: Mosquitto) -> None:
    """Whoever wants TLS gets it or no connection."""
    assert (await trouble_with(broker.settings(tls=Tls()))).startswith("TLS: ")


# losing


async def test_subscriptions_outlive_the_broker_and_nothing_is_believed_meanwhile(broker: Mosquitto) -> None:
    """While it is away no state is known; after that what it retains is told, and no other one."""
    async with a_link(broker.settings()) as mqtt, subscribed(mqtt, "home/#") as states:
        await mqtt.publish("home/door", "armed_away", within_s=PATIENCE_S)
        with trio.fail_after(PATIENCE_S):
            await states.receive()
            assert states.latest("home/door") is not None
            broker.kill()
            await mqtt.wait_lost()
            assert not mqtt.is_connected
            assert states.latest("home/door") is None
            broker.start()
            await trio.to_thread.run_sync(lambda: broker.put("home/window", "disarmed", retain=True))
            await mqtt.wait_connected()
            assert (await states.receive()).topic == "home/window"
            assert states.latest("home/door") is None


async def test_nothing_is_sent_later(broker: Mosquitto) -> None:
    """Not what was published while the broker was away, nor what was on its way when it was lost."""
    async with a_relay(broker.port) as relay, a_link(broker.settings(port=relay.port)) as mqtt:
        broker.freeze()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing, mqtt, "on its way", "not acknowledged, the connection was lost: it closed")
            with trio.fail_after(PATIENCE_S):
                await relay.wait_sent(b"on its way")
            broker.kill()
        await failing(mqtt, "while away", "not connected to the broker")
        broker.start()
        async with a_link(broker.settings()) as other, subscribed(other, "#") as everything:
            with trio.fail_after(PATIENCE_S):
                await mqtt.wait_connected()
                await mqtt.publish("command", "in time", within_s=PATIENCE_S)
                assert (await everything.receive()).payload == b"in time"
        assert bytes(relay.sent).count(b"on its way") == 1
        assert b"while away" not in relay.sent


async def failing(mqtt: Mqtt, payload: str, line: str) -> None:
    """Publish what must fail."""
    with pytest.raises(MqttFailed, match=f"^{line}"):
        await mqtt.publish("command", payload, within_s=PATIENCE_S)


async def test_a_broker_that_does_not_acknowledge_loses_the_connection(broker: Mosquitto) -> None:
    """What is not acknowledged in time failed, and the connection is made anew, so that nothing of it can follow."""
    async with a_link(broker.settings()) as mqtt:
        broker.freeze()
        with pytest.raises(MqttFailed, match=r"did not acknowledge it within 0\.05 s$"):
            await mqtt.publish("command", "", within_s=0.05)
        assert not mqtt.is_connected
        with trio.fail_after(PATIENCE_S):
            await mqtt.wait_lost()
            assert mqtt.trouble == "a message was not acknowledged in time"
            broker.thaw()
            await mqtt.wait_connected()
        await mqtt.publish("command", "", within_s=PATIENCE_S)


async def test_two_clients_of_one_name_do_not_drop_each_other_without_rest(broker: Mosquitto) -> None:
    """A connection that did not stand for long is no reason to be back at once."""
    settings = broker.settings(client_id="the same")
    async with a_link(settings) as older, a_link(settings, connected=False):
        with trio.fail_after(PATIENCE_S):
            await older.wait_lost()
            lost_at = trio.current_time()
            await older.wait_connected()
        assert trio.current_time() - lost_at > 0.4


async def test_many_may_publish_at_once(broker: Mosquitto) -> None:
    """More than may be on their way wait for each other, each in its time, and all are acknowledged."""
    async with (
        a_link(broker.settings()) as mqtt,
        a_link(broker.settings()) as other,
        subscribed(other, "many/+") as many,
    ):
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(lambda number=number: mqtt.publish(f"many/{number}", "", within_s=PATIENCE_S))
        with trio.fail_after(PATIENCE_S):
            assert len({(await many.receive()).topic for _ in range(100)}) == 100


# hearing and speaking on lines of their own


async def test_who_speaks_apart_is_heard_and_hears(broker: Mosquitto) -> None:
    """What is said comes back on the other line, in whose name the will was left; leaving, both say goodbye."""
    async with a_link(broker.settings()) as other, subscribed(other, "alive") as alive, a_relay(broker.port) as relay:
        settings = broker.settings(port=relay.port, will=WILL)
        async with a_link(settings, speaks_apart=True) as mqtt, subscribed(mqtt, "home/#") as states:
            await mqtt.publish("home/door", "open", within_s=PATIENCE_S)
            with trio.fail_after(PATIENCE_S):
                assert (await states.receive()).payload == b"open"
        with trio.fail_after(PATIENCE_S):
            assert await alive.receive() == Message("alive", b"offline", is_retained=False)
        assert relay.connections == 2
        assert relay.sent.count(b"offline") == 2  # in one greeting, and at the end
        assert relay.sent.count(DISCONNECT) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["hearing", "speaking"])
async def test_who_loses_one_line_loses_both(broker: Mosquitto, which: int) -> None:
    """Nothing is believed any more that was heard; both are made again, and it is heard anew."""
    broker.put("home/door", "open", retain=True)
    async with a_relay(broker.port) as relay, a_link(broker.settings(port=relay.port), speaks_apart=True) as mqtt:
        with trio.fail_after(PATIENCE_S), mqtt.subscribe("home/door") as states:
            await states.receive()
            await relay.cut(which)
            await mqtt.wait_lost()
            assert states.latest("home/door") is None
            assert mqtt.trouble == "it closed the connection"
            await mqtt.wait_connected()
            assert (await states.receive()).payload == b"open"
        assert relay.connections == 4


async def test_who_may_not_speak_is_not_connected(tmp_path: Path) -> None:
    """One line says why, though the broker lets us hear."""
    with a_broker(tmp_path, more="max_connections 1\n") as broker:
        async with a_link(broker.settings(), connected=False, speaks_apart=True) as mqtt:
            with trio.fail_after(PATIENCE_S):
                while mqtt.trouble != "it closed the connection at once":
                    await mqtt.wait_change()
            assert not mqtt.is_connected
            with pytest.raises(MqttFailed, match="not connected to the broker"):
                await mqtt.publish("a", "", within_s=PATIENCE_S)


# leaving


async def test_who_is_cut_off_is_declared_gone_by_the_broker(broker: Mosquitto) -> None:
    """The will is told when the connection ends without a goodbye; the link is back at once."""
    async with (
        a_link(broker.settings()) as other,
        subscribed(other, "alive") as alive,
        a_relay(broker.port) as relay,
        a_link(broker.settings(port=relay.port, will=WILL)) as mqtt,
    ):
        await relay.cut()
        with trio.fail_after(PATIENCE_S):
            assert (await alive.receive()).payload == b"offline"
            await mqtt.wait_lost()
            await mqtt.wait_connected()


@pytest.mark.parametrize("version", Version)
async def test_who_leaves_says_so(broker: Mosquitto, version: Version) -> None:
    """The will is told by ourselves, acknowledged, and then we disconnect: the broker need not tell it again."""
    async with a_link(broker.settings()) as other, a_relay(broker.port) as relay:
        async with subscribed(other, "alive") as alive:
            async with a_link(broker.settings(port=relay.port, will=WILL, version=version)) as mqtt:
                mqtt.subscribe("b").close()  # so that something is being sent when it ends
            with trio.fail_after(PATIENCE_S):
                assert await alive.receive() == Message("alive", b"offline", is_retained=False)
        assert relay.sent.count(b"offline") == 2  # in the greeting, and at the end
        assert relay.sent.endswith(DISCONNECT)
        assert (await heard(other, "alive")).is_retained


@pytest.mark.parametrize("is_frozen", [False, True], ids=["a broker that lives", "one that is frozen"])
async def test_leaving_takes_a_second_at_most(
    broker: Mosquitto, is_frozen: bool, mock_clock: trio.testing.MockClock
) -> None:
    """Of a broker that does not answer; no time is waited for with one that does."""
    async with trio.open_nursery() as nursery:
        mqtt = Mqtt(broker.settings(will=WILL))
        await nursery.start(mqtt.run)
        await mqtt.wait_connected()
        if is_frozen:
            broker.freeze()
            mock_clock.autojump_threshold = 0
        before = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - before == (1.0 if is_frozen else 0.0)
    broker.thaw()


@pytest.mark.parametrize("first", ["connect", "publish"])
async def test_cancelled_at_any_moment_it_ends(
    broker: Mosquitto, first: str, mock_clock: trio.testing.MockClock
) -> None:
    """After each number of steps of the loop, from the first one on or from a publish on: well, though time stands
    still, so that nobody has to be given up."""
    for steps in (*range(20), *range(20, 300, 20)):
        async with trio.open_nursery() as nursery:
            mqtt = Mqtt(broker.settings(will=WILL))
            await nursery.start(mqtt.run)
            if first == "publish":
                await mqtt.wait_connected()
                nursery.start_soon(partial(mqtt.publish, "a", "", within_s=PATIENCE_S))
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert not mqtt.is_connected
    assert trio.current_time() == 0


async def test_idle_it_sleeps(broker: Mosquitto) -> None:
    """Between two signs of life nothing happens: no thread waits, and no time of the processor is used."""
    async with a_link(broker.settings(keepalive_s=5)) as mqtt:
        await trio.testing.wait_all_tasks_blocked()
        used = time.process_time()
        with trio.move_on_after(0.5):
            await mqtt.wait_lost()
        assert time.process_time() - used < 0.1
        assert mqtt.is_connected
