"""Sources: real brokers, servers, programs and panels that answer, do not, or talk nonsense; each says why (A4.5)."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from paho.mqtt import publish

from tests.arming.premises import EVENING, a_partition, some_parts, the_premises
from tests.links.broker import HOST, PATIENCE_S, Mosquitto, a_broker, a_link, a_server
from tests.links.fake_home_assistant import TOKEN, FakeHomeAssistant, a_home_assistant
from trioarm.arming.commanding.line import Line
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.conditions.base import Source
from trioarm.arming.conditions.settings import (
    CommandCondition,
    Condition,
    HomeAssistantCondition,
    MqttCondition,
    PartitionCondition,
)
from trioarm.arming.conditions.sources import Means, make_source
from trioarm.arming.conditions.verdict import Answer, Truth
from trioarm.arming.connections import Connections
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import HomeAssistantInstance, Reported, Target, VirtualPanel
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.core.errors import ConfigurationError
from trioarm.engine.clock import VirtualClock
from trioarm.links.mqtt.broker import PAYLOAD_MAX
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef

STEPS = 20  # of the loop, in which whoever does not wait has ended
YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
TOPIC = "presence/house"
FAMILY = "group.family"


@attrs.define
class Asked:
    """A source, and the clock it goes by."""

    source: Source
    clock: VirtualClock

    async def ask(self, within_s: float = PATIENCE_S) -> Answer:
        with trio.fail_after(within_s):
            return await self.source.ask()

    async def at_once(self) -> Answer:
        """Return an answer that nobody waits for: neither for a moment nor for the network."""
        found: list[Answer] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._into, found)
            for _ in range(STEPS):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        [answer] = found
        return answer

    async def _into(self, found: list[Answer]) -> None:
        found.append(await self.source.ask())

    async def until(self, wanted: Truth | str) -> Answer:
        """Return the first answer of that kind, or that says so."""
        with trio.fail_after(PATIENCE_S):
            while True:
                answer = await self.source.ask()
                if wanted is answer.truth or (not isinstance(wanted, Truth) and wanted in answer.why):
                    return answer
                await trio.sleep(0.01)  # what is heard is on its way


@asynccontextmanager
async def asked(condition: Condition, **more: Any) -> AsyncIterator[Asked]:
    """Make the source of a condition, and keep up what it is reached over."""
    connections, clock = Connections(), VirtualClock(EVENING, trio_start=trio.current_time())
    means = Means(premises=the_premises(**more), ways={}, connections=connections, clock=clock)
    source = make_source(condition, means)
    async with trio.open_nursery() as nursery:
        await nursery.start(connections.run)
        yield Asked(source, clock)
        nursery.cancel_scope.cancel()


# A topic


def a_topic(**fields: Any) -> MqttCondition:
    whole: dict[str, Any] = {"yes": frozenset({"home", "true"}), "no": frozenset({"away", "false"}), **fields}
    return MqttCondition(name="in", broker="home", topic=TOPIC, **whole)


def at_port(port: int) -> dict[str, Any]:
    return {"brokers": {"home": MqttBroker(name="home", host=HOST, port=port)}}


def listening(broker: Mosquitto, **fields: Any) -> Any:
    return asked(a_topic(**fields), **at_port(broker.port))


@pytest.mark.parametrize(
    ("payload", "path", "answer"),
    [
        ("home", None, Answer(YES, 'presence/house says "home"')),
        (" away\n", None, Answer(NO, 'presence/house says "away"')),
        ('{"who": {"home": true}}', "who.home", Answer(YES, 'presence/house says "true"')),
        ('{"who": [{"home": false}]}', "who.0.home", Answer(NO, 'presence/house says "false"')),
    ],
)
async def test_what_is_retained_is_heard(payload: str, path: str | None, answer: Answer, tmp_path: Path) -> None:
    """The whole message, or what a path leads to in its JSON; the words are those of the household."""
    with a_broker(tmp_path) as broker:
        broker.put(TOPIC, payload, retain=True)
        async with listening(broker, path=path) as asking:
            assert await asking.ask() == answer


@pytest.mark.parametrize(
    ("payload", "path", "why"),
    [
        ("perhaps", None, 'presence/house says "perhaps", which is among neither yes nor no'),
        ("HOME", None, 'presence/house says "HOME", which is among neither yes nor no'),
        (b"\xff\xfe", None, "presence/house: the message is no text: it is no UTF-8"),
        ("home", "who", 'presence/house: its answer is no JSON: it is "home"'),
        ('{"what": 1}', "who", 'presence/house: its answer has no who: the whole is a table of "what"'),
        ('{"who": ["home"]}', "who", "presence/house: its who is a list of 1, which is no state"),
        ("[" * 50_000, "who", "presence/house: its answer is nested too deep"),
        (b"x" * (PAYLOAD_MAX + 1), None, f"the message on presence/house has more than {PAYLOAD_MAX} bytes"),
    ],
)
async def test_what_is_no_answer_is_unknown(payload: bytes | str, path: str | None, why: str, tmp_path: Path) -> None:
    """Nothing is guessed, and it is said what was found."""
    with a_broker(tmp_path) as broker:
        broker.put(TOPIC, payload, retain=True)
        async with listening(broker, path=path) as asking:
            assert await asking.ask() == Answer(UNKNOWN, f"mqtt home: {why}")


async def test_a_topic_on_which_nothing_is_said_is_unknown(tmp_path: Path) -> None:
    """It is waited for, once; what is published then counts, and what is cleared does no more."""
    with a_broker(tmp_path) as broker:
        async with listening(broker, timeout_s=1.0) as asking:
            answer = await asking.ask()
            assert answer == Answer(
                UNKNOWN, "mqtt home: nothing is retained on presence/house, nor was anything heard there"
            )
            broker.put(TOPIC, "home", retain=True)
            await asking.until(YES)
            broker.put(TOPIC, None, retain=True)
            assert (await asking.until(UNKNOWN)).why == "mqtt home: presence/house: the message is empty"


async def test_a_broker_that_is_away_is_unknown_within_the_limit(tmp_path: Path) -> None:
    """It is waited for once; once it has been away for longer, nobody waits. When it is back, it tells."""
    with a_broker(tmp_path) as broker:
        broker.kill()
        async with listening(broker, timeout_s=1.0) as asking:
            answer = await asking.ask()
            assert answer.truth is UNKNOWN
            assert answer.why.startswith("mqtt home: not connected: ")
            assert "connection refused" in answer.why
            assert (await asking.at_once()).truth is UNKNOWN
            broker.start()
            broker.put(TOPIC, "away", retain=True)
            await asking.until(NO)
            broker.kill()
            assert "not connected" in (await asking.until(UNKNOWN)).why  # what it told is not believed any more


async def test_a_server_that_is_no_broker_is_unknown(tmp_path: Path) -> None:
    """It says something else, or nothing at all; neither holds anybody up for longer than the limit."""

    async def babble(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def keep_still(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    for talk in (babble, keep_still):
        async with a_server(talk) as port, asked(a_topic(timeout_s=1.0), **at_port(port)) as asking:
            assert "not connected" in (await asking.ask(10.0)).why


async def test_all_who_ask_at_once_are_answered(tmp_path: Path) -> None:
    """What one of them hears, all do."""
    with a_broker(tmp_path) as broker:
        async with listening(broker, timeout_s=20.0) as asking:
            found: list[Answer] = []

            async def ask() -> None:
                found.append(await asking.ask())

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked(0.3)
                await trio.to_thread.run_sync(broker.put, TOPIC, "away")
                await asking.until(NO)
            assert [answer.truth for answer in found] == [NO] * 3


async def test_a_flood_is_one_message(tmp_path: Path) -> None:
    """Of a thousand the last one counts, it is asked at once, and nothing of the others is kept."""
    with a_broker(tmp_path) as broker:
        async with listening(broker) as asking, a_link(broker.settings()) as flooder:
            for number in range(1_000):
                await flooder.publish(TOPIC, ("away", "?")[number % 2], within_s=PATIENCE_S)
            await flooder.publish(TOPIC, "home", retain=True, within_s=PATIENCE_S)
            answer = await asking.until(YES)
            assert answer.why == 'presence/house says "home"'
            assert (await asking.at_once()).truth is YES


async def test_what_is_old_is_unknown(tmp_path: Path) -> None:
    """What was retained has no age; what is heard as it is published counts for so long."""
    with a_broker(tmp_path) as broker:
        broker.put(TOPIC, "home", retain=True)
        async with listening(broker, max_age_s=3600.0) as asking:
            answer = await asking.ask()
            assert answer == Answer(
                UNKNOWN, "mqtt home: what is retained on presence/house may be old, and max_age is 1h"
            )
            broker.put(TOPIC, "home", retain=True)
            await asking.until(YES)
            asking.clock.step(3500.0)
            assert (await asking.ask()).truth is YES
            asking.clock.step(7200.0)
            answer = await asking.ask()
            assert answer.truth is UNKNOWN
            assert "presence/house told nothing for 2h58m" in answer.why
            asking.clock.step(-20_000.0)
            assert "the clock was set back" in (await asking.ask()).why


async def test_no_password_is_in_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that somebody publishes (A5.2)."""
    monkeypatch.setenv("BROKER_PASSWORD", "s3cr3t-word")
    with a_broker(tmp_path, users={"me": "s3cr3t-word"}) as broker:
        ref = SecretRef(env="BROKER_PASSWORD")
        brokers = {"home": MqttBroker(name="home", host=HOST, port=broker.port, username="me", password=ref)}
        auth: Any = {"username": "me", "password": "s3cr3t-word"}
        publish.single(TOPIC, "s3cr3t-word", qos=1, retain=True, hostname=HOST, port=broker.port, auth=auth)
        async with asked(a_topic(), brokers=brokers) as asking:
            answer = await asking.ask()
            assert answer.truth is UNKNOWN
            assert "s3cr3t" not in answer.why


# An entity


def an_entity(**fields: Any) -> HomeAssistantCondition:
    whole: dict[str, Any] = {"yes": frozenset({"home"}), "no": frozenset({"not_home"}), **fields}
    return HomeAssistantCondition(name="in", instance="home", entity=FAMILY, **whole)


def of_instance(home: FakeHomeAssistant, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> dict[str, Any]:
    monkeypatch.setenv("HOME_TOKEN", token)
    instance = HomeAssistantInstance(name="home", url=home.url, token=SecretRef(env="HOME_TOKEN"), timeout_s=2.0)
    return {"instances": {"home": instance}}


@pytest.mark.parametrize("has_websocket", [True, False])
async def test_an_entity_says_yes_or_no_or_something_else(has_websocket: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over either way; `unknown` and `unavailable` are neither, nor is an entity that is not there."""
    async with a_home_assistant() as home:
        home.has_websocket = has_websocket
        home.put(FAMILY, "home")
        async with asked(an_entity(), **of_instance(home, monkeypatch)) as asking:
            assert await asking.until(YES) == Answer(YES, 'group.family is "home"')
            home.put(FAMILY, "not_home")
            assert await asking.until(NO) == Answer(NO, 'group.family is "not_home"')
            for state in ("unavailable", "unknown", "on holiday"):
                home.put(FAMILY, state)
                answer = await asking.until(f'"{state}"')
                assert answer == Answer(UNKNOWN, f'group.family is "{state}", which is among neither yes nor no')
            home.put(FAMILY, None)
            answer = await asking.until("has no entity group.family")
            assert answer.truth is UNKNOWN


async def test_an_instance_that_is_away_or_refuses_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the limit, with why, and without the token."""
    async with a_home_assistant() as home:
        home.put(FAMILY, "home")
        async with asked(an_entity(), **of_instance(home, monkeypatch, "a-wrong-token")) as asking:
            answer = await asking.ask()
            assert (answer.truth, "token" in answer.why, "a-wrong-token" in answer.why) == (UNKNOWN, True, False)
        async with asked(an_entity(timeout_s=1.0), **of_instance(home, monkeypatch)) as asking:
            await asking.until(YES)
            await home.stop()
            answer = await asking.until(UNKNOWN)
            assert answer.why.startswith(f"Home Assistant at {home.url.removesuffix('/')}: ")


async def test_an_instance_that_says_nothing_is_unknown_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection, and keeps still."""
    monkeypatch.setenv("HOME_TOKEN", TOKEN)

    async def keep_still(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with a_server(keep_still) as port:
        url = f"http://{HOST}:{port}"
        instance = HomeAssistantInstance(name="home", url=url, token=SecretRef(env="HOME_TOKEN"), timeout_s=30.0)
        async with asked(an_entity(timeout_s=1.0), instances={"home": instance}) as asking:
            answer = await asking.ask(10.0)
            assert answer == Answer(UNKNOWN, f"Home Assistant at {url} gave no answer within 1s")


# A program


def a_program(*argv: str, **fields: Any) -> CommandCondition:
    return CommandCondition(name="in", run=argv, **fields)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("exit 0", Answer(YES, "sh ended with 0")),
        ("echo two phones; exit 1", Answer(NO, "sh ended with 1: it said two phones")),
        ("echo a >&2; echo lost >&2; exit 2", Answer(UNKNOWN, "sh ended with 2: it said lost")),
        ("kill -9 $$", Answer(UNKNOWN, "sh was ended by SIGKILL")),
        ("printf 'a\\tb\\033[31m'", Answer(YES, "sh ended with 0: it said a b?[31m")),
    ],
)
async def test_a_program_answers_by_its_exit_code(script: str, answer: Answer) -> None:
    """0 is yes, 1 is no, and everything else is that it does not know; what it said last is why."""
    async with asked(a_program("sh", "-c", script)) as asking:
        assert await asking.ask() == answer


async def test_a_program_that_hangs_is_unknown_within_the_limit(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    """It is ended with all it started. Time stands still until it has said something."""

    async def listen() -> None:
        while not os.listdir(tmp_path):
            os.sched_yield()
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()  # that is heard
        mock_clock.jump(1.0)
        mock_clock.rate = 1

    script = f"echo looking; touch {tmp_path}/said; sleep 600"
    async with asked(a_program("sh", "-c", script, timeout_s=1.0)) as asking, trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        assert await asking.ask() == Answer(UNKNOWN, "sh did not end within 1s: it said looking")


async def test_a_program_that_floods_is_bounded() -> None:
    """Of all it says only the end is kept, and a message repeats a part of that."""
    flood = "import sys\nfor _ in range(300): sys.stdout.write('x' * 65536)\nsys.exit(1)"
    async with asked(a_program(sys.executable, "-c", flood)) as asking:
        answer = await asking.ask()
        assert answer.truth is NO
        assert len(answer.why) < 400


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("/nowhere/at-all",), "cannot start /nowhere/at-all: No such file or directory"),
        (("sh", "-c", "exit 0\0"), "cannot start sh: an argument or a variable holds what none can, such as NUL"),
    ],
)
async def test_a_program_that_cannot_be_started_is_unknown(argv: tuple[str, ...], why: str) -> None:
    """With the reason of the system."""
    async with asked(a_program(*argv)) as asking:
        assert await asking.ask() == Answer(UNKNOWN, why)


async def test_a_program_gets_nothing_that_is_not_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the condition, and what every program gets (A5.2)."""
    monkeypatch.setenv("HOUSE_CODE", "0042")
    async with asked(a_program("sh", "-c", 'echo "$TRIOARM_CONDITION:$HOUSE_CODE:"')) as asking:
        assert (await asking.ask()).why == "sh ended with 0: it said in::"


# What is not there


@pytest.mark.parametrize(
    "condition",
    [
        PartitionCondition(name="in", partition="gate", yes=frozenset({Reported.DISARMED})),
        a_topic(),
        an_entity(),
    ],
)
def test_premises_made_in_code_are_judged(condition: Condition) -> None:
    """One line, not an error of ours."""
    parts = some_parts()
    means = Means(premises=the_premises(), ways={}, connections=parts.connections, clock=parts.clock)
    with pytest.raises(ConfigurationError, match=r"condition\.in: there is no '(gate|home)' to ask"):
        make_source(condition, means)


# A panel


async def test_a_panel_says_what_it_reports() -> None:
    """One of the states is yes, any other no; who cannot be asked is unknown."""
    parts = some_parts()
    panel = VirtualDriver(VirtualPanel(exit_delay_s=0.0), "gate", parts.repository, parts.clock)
    condition = PartitionCondition(name="out", partition="gate", yes=frozenset({Reported.ARMED_AWAY}))
    way = Way(a_partition("gate"), panel, Line("gate", ("gate",)), Ledger(parts.repository), parts.clock)
    means = Means(premises=the_premises(), ways={"gate": way}, connections=parts.connections, clock=parts.clock)
    source = make_source(condition, means)
    way.line.breaker.failures = 1
    assert await source.ask() == Answer(NO, "gate is disarmed")
    assert way.line.breaker.failures == 0  # whoever asks, it has answered
    await panel.arm(Target.ARMED_AWAY, "anna")
    assert await source.ask() == Answer(YES, "gate is armed_away")
