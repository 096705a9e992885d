"""The link to Home Assistant, held against a server that speaks its protocol, and against others that only look so."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.links.fake_home_assistant import (
    HOUSE,
    PATIENCE_S,
    TOKEN,
    FakeHomeAssistant,
    Panel,
    Socket,
    a_home_assistant,
    until,
)
from tests.links.tls import Certificate, a_server_context, certificate
from trioarm.core.errors import TrioarmError
from trioarm.links.homeassistant import HomeAssistant, HomeAssistantFailed, Instance, Limits, Refused, State, link
from trioarm.links.homeassistant.session import MESSAGE_MAX, STATES_MAX
from trioarm.testing.stores import InlineThread

__all__ = ["certificate"]

AWAY = {"entity_id": HOUSE}
SOON = Limits(answer_s=0.5, quiet_s=0.1)
Answering = Callable[[Socket], Awaitable[None]]


def an_instance(url: str, token: str = TOKEN, ca_file: Path | None = None) -> Instance:
    return Instance(url=url, token=lambda: token, ca_file=ca_file)


@asynccontextmanager
async def a_link(
    instance: Instance | FakeHomeAssistant, limits: Limits | None = None, *, connected: bool = True
) -> AsyncIterator[HomeAssistant]:
    """Keep a link up while the context lasts, and first wait until it has connected, unless it is not to."""
    if isinstance(instance, FakeHomeAssistant):
        instance = an_instance(instance.url)
    homeassistant = HomeAssistant(instance, limits=limits)
    homeassistant.watch(HOUSE)
    async with trio.open_nursery() as nursery:
        await nursery.start(homeassistant.run)
        if connected:
            await until(lambda: homeassistant.is_connected)
        yield homeassistant
        nursery.cancel_scope.cancel()


async def trouble_with(instance: Instance | FakeHomeAssistant, limits: Limits | None = None) -> str:
    """Return what comes of an attempt to connect, which must be in vain."""
    async with a_link(instance, limits, connected=False) as homeassistant:
        with trio.fail_after(PATIENCE_S):
            await homeassistant.wait_change()
            while homeassistant.is_connected:
                await homeassistant.wait_change()
        assert homeassistant.trouble is not None
        assert "\n" not in homeassistant.trouble
        return homeassistant.trouble


async def reading(homeassistant: HomeAssistant) -> State:
    state = await homeassistant.read(HOUSE)
    assert state is not None
    return state


# without an instance


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is needed before there is a link."""
    monkeypatch.setattr(link, "find_spec", lambda _: None)
    expected = r"^Home Assistant needs wsproto: python -m pip install 'trioarm\[homeassistant\]'$"
    with pytest.raises(HomeAssistantFailed, match=expected):
        HomeAssistant(an_instance("http://h"))


def test_it_can_be_imported_without_the_library() -> None:
    """Settings are read, and drivers known, wherever trioarm is installed."""
    program = "import sys; sys.modules['wsproto'] = None; import trioarm.arming.panels; print('fine')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "fine\n", "")


def test_an_instance_is_shown_without_its_token() -> None:
    """And without a path, which its API is put behind."""
    instance = an_instance("http://[::1]/core/")
    assert (str(instance), instance.path_of("websocket")) == ("http://[::1]:80", "/core/api/websocket")
    assert (str(an_instance("https://h")), an_instance("https://h:8123").port) == ("https://h:443", 8123)
    assert TOKEN not in repr(instance)


async def test_attempts_come_at_once_and_then_ever_more_rarely(autojump_clock: trio.testing.MockClock) -> None:
    """The first at once, then half to all of 1, 2, 4 ... 60 s apart, for as long as the token cannot be read."""
    attempts_at: list[float] = []

    def missing() -> str:
        attempts_at.append(trio.current_time())
        raise TrioarmError("it is not there")

    class Half:
        def random(self) -> float:
            return 0.5

    homeassistant = HomeAssistant(Instance(url="http://h", token=missing), chance=Half(), thread=InlineThread())
    with trio.move_on_after(300):
        await homeassistant.run()
    pauses = [later - earlier for earlier, later in pairwise(attempts_at)]
    assert pauses[:7] == pytest.approx([0.75, 1.5, 3, 6, 12, 24, 45])
    assert set(map(round, pauses[7:])) == {45}
    assert homeassistant.trouble == "the token: it is not there"


async def test_what_cannot_be_reached_is_one_line() -> None:
    """A port that nobody listens at, a name that nobody has; a read says so, too."""
    assert await trouble_with(an_instance("http://127.0.0.1:9")) == "connection refused"
    assert (await trouble_with(an_instance("http://nowhere.invalid"))).startswith("the name is not found: ")
    async with a_link(an_instance("http://127.0.0.1:9"), connected=False) as homeassistant:
        with pytest.raises(HomeAssistantFailed, match="Connection refused"):
            await homeassistant.read(HOUSE)
        with pytest.raises(HomeAssistantFailed, match="Connection refused"):
            await homeassistant.call("alarm_arm_away", AWAY)


# over a WebSocket


async def test_changes_are_told() -> None:
    """A state is known once we are connected, and each change wakes who waits; what others do wakes nobody."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        assert (await reading(homeassistant)).state == "disarmed"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(homeassistant.changed, HOUSE)
            await trio.testing.wait_all_tasks_blocked(0.05)
            home.put("light.kitchen", "on")
            await homeassistant.read(HOUSE)
            assert nursery.child_tasks
            home.press("armed_home")
        state = await reading(homeassistant)
        assert (state.state, state.attributes["changed_by"]) == ("armed_home", "anna")
        assert state.changed_at is not None
        assert [path for _, path in home.requests] == ["/api/websocket"]


async def test_a_read_is_fresh() -> None:
    """What was told before the answer to a read is part of it, however fast it changes."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        for number in range(50):
            state = f"state {number}"
            home.put(HOUSE, state)
            assert (await reading(homeassistant)).state == state


async def test_what_we_called_is_known_to_be_ours() -> None:
    """By the context that Home Assistant names in its answer."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        await homeassistant.call("alarm_arm_away", AWAY)
        assert homeassistant.is_ours(await reading(homeassistant))
        home.press("disarmed")
        assert not homeassistant.is_ours(await reading(homeassistant))


async def test_an_entity_that_is_not_there_is_none() -> None:
    """Also one that is removed, and one that nobody said to watch."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        assert await homeassistant.read("alarm_control_panel.hosue") is None
        home.put(HOUSE, None)
        assert await homeassistant.read(HOUSE) is None
        home.put("binary_sensor.door", "on")
        door = await homeassistant.read("binary_sensor.door")
        assert door is not None
        assert (door.state, door.attributes["friendly_name"]) == ("on", "Door")


async def test_what_is_put_back_after_a_start_did_not_change() -> None:
    """Nor what comes back after it was away, nor what became so within minutes of a start; a person's change did."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        assert (await reading(homeassistant)).changed_at is None  # it is as old as Home Assistant
        for away in ("unavailable", "unknown", None):
            home.put(HOUSE, away)
            home.put(HOUSE, "disarmed", note="put back")
            assert (await reading(homeassistant)).changed_at is None, away
            home.put(HOUSE, "disarmed", note="an attribute")
            assert (await reading(homeassistant)).changed_at is None, away
        await homeassistant.call("alarm_arm_home", AWAY)
        assert (await reading(homeassistant)).changed_at is not None
        home.put(HOUSE, "armed_home", note="an attribute")
        assert homeassistant.is_ours(await reading(homeassistant))
        assert (await reading(homeassistant)).changed_at is not None
        await home.restart()
        await until(lambda: homeassistant.is_connected)
        assert await reading(homeassistant) == State(
            state="armed_home",
            attributes=home.states[HOUSE]["attributes"],
            context=home.states[HOUSE]["context"]["id"],
        )


async def test_it_connects_again_and_reads_anew() -> None:
    """What it said before the loss is not believed any more: what it is then comes over REST, or is not known."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        await home.stop()
        with trio.fail_after(PATIENCE_S):
            await homeassistant.changed(HOUSE)
        assert homeassistant.trouble is not None
        with pytest.raises(HomeAssistantFailed):
            await homeassistant.read(HOUSE)
        home.panels[HOUSE].state = "armed_night"
        await home.start()
        await until(lambda: homeassistant.is_connected)
        assert (await reading(homeassistant)).state == "armed_night"


async def test_refusals_are_told_as_such() -> None:
    """A bad code, a mode it does not have: in its own words; a service that is not there is none of them."""
    async with a_home_assistant(Panel(code="0042", modes=("armed_away",))) as home, a_link(home) as homeassistant:
        with pytest.raises(Refused, match="service_validation_error: Validation error: Invalid alarm code provided"):
            await homeassistant.call("alarm_arm_away", {**AWAY, "code": "1"})
        with pytest.raises(Refused, match="does not support"):
            await homeassistant.call("alarm_arm_night", {**AWAY, "code": "0042"})
        with pytest.raises(Refused, match="not_found"):
            await homeassistant.call("alarm_arm_lunch", AWAY)
        await homeassistant.call("alarm_arm_away", {"entity_id": "alarm_control_panel.hosue"})  # as the real one


async def test_a_lost_answer_is_not_asked_for_again() -> None:
    """The line is cut before the answer: nobody knows, and it is called once, over nothing else."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        home.loses_answers = True
        with pytest.raises(HomeAssistantFailed, match="it closed the connection"):
            await homeassistant.call("alarm_arm_away", AWAY)
        assert home.sent() == 1


async def test_silence_on_a_standing_line_is_noticed() -> None:
    """Who asks is told in time, the line is given up, and what is needed comes over REST if that still works."""
    async with a_home_assistant() as home, a_link(home, Limits(answer_s=0.5)) as homeassistant:
        home.is_silent = True
        with trio.fail_after(PATIENCE_S):
            with pytest.raises(HomeAssistantFailed, match=r"no answer within 0\.5 s"):
                await homeassistant.call("alarm_arm_away", AWAY)
            with pytest.raises(HomeAssistantFailed, match=r"no answer within 0\.5 s"):
                await homeassistant.read(HOUSE)
        assert not homeassistant.is_connected
    async with a_home_assistant() as home, a_link(home, SOON) as homeassistant:
        home.is_silent = True
        await until(lambda: not homeassistant.is_connected)
        assert homeassistant.trouble == "it gives no sign of life: no answer within 0.5 s"


async def test_it_lives_as_long_as_it_gives_signs_of_life() -> None:
    """A line on which nothing happens is asked, and stays."""
    async with a_home_assistant() as home, a_link(home, Limits(quiet_s=0.01)) as homeassistant:
        await trio.sleep(0.5)
        assert homeassistant.is_connected
        assert len(home.requests) == 1


# over REST


async def test_without_a_websocket_it_is_rest() -> None:
    """Both ways work, and who waits for news is woken to look; no instant is told, since nobody knows what it means."""
    async with a_home_assistant(Panel(code="0042")) as home:
        home.has_websocket = False
        async with a_link(home, Limits(poll_s=0.05), connected=False) as homeassistant:
            assert await homeassistant.read("alarm_control_panel.hosue") is None
            await homeassistant.call("alarm_arm_away", {**AWAY, "code": "0042"})
            with trio.fail_after(PATIENCE_S):
                await homeassistant.changed(HOUSE)
            state = await reading(homeassistant)
            assert (state.state, state.changed_at) == ("armed_away", None)
            with pytest.raises(Refused, match="the answer is 500 Internal Server Error"):
                await homeassistant.call("alarm_disarm", {**AWAY, "code": "1"})
            assert homeassistant.trouble == "it gives us no WebSocket: the answer is 404 Not Found"


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (301, "the answer is 301 Moved Permanently"),
        (403, "the answer is 403 Forbidden: it may have banned this machine"),
        (502, "the answer is 502 Bad Gateway"),
        (599, "the answer is 599"),
        (200, "it sends what is no JSON"),
    ],
)
async def test_other_answers_over_rest_are_one_line(status: int, line: str) -> None:
    """Nobody knows then what became of a call."""
    async with a_home_assistant() as home:
        home.has_websocket = False
        home.rest = lambda method, _: (status, b"{" if method == "GET" else b"")
        async with a_link(home, connected=False) as homeassistant:
            with pytest.raises(HomeAssistantFailed, match=line):
                await homeassistant.read(HOUSE)
            if status >= 300:
                with pytest.raises(HomeAssistantFailed, match=line):
                    await homeassistant.call("alarm_arm_away", AWAY)


async def test_who_may_not_command_is_told_apart_from_a_refused_token() -> None:
    """Both are a 401: who can still read has a token that is accepted."""
    async with a_home_assistant() as home:
        home.has_websocket = False
        told = json.dumps(home.states[HOUSE]).encode()
        home.rest = lambda method, _: (200, told) if method == "GET" else (401, b"401: Unauthorized")
        async with a_link(home, connected=False) as homeassistant:
            with pytest.raises(Refused, match="unauthorized: the user of the token may not do so"):
                await homeassistant.call("alarm_arm_away", AWAY)


# tokens


async def test_a_refused_token_is_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    """Neither reads nor calls show it again, since Home Assistant may ban who does; a new one is taken at once."""
    tokens = ["a-wrong-token"]
    async with a_home_assistant() as home:
        instance = Instance(url=home.url, token=lambda: tokens[-1])
        async with a_link(instance, connected=False) as homeassistant:
            for _ in range(20):
                with pytest.raises(HomeAssistantFailed, match="it refuses the token: make a long-lived access token"):
                    await homeassistant.read(HOUSE)
                with pytest.raises(HomeAssistantFailed, match="it refuses the token"):
                    await homeassistant.call("alarm_arm_away", AWAY)
            assert home.refused == 1
            tokens.append(TOKEN)
            assert (await reading(homeassistant)).state == "disarmed"
            await until(lambda: homeassistant.is_connected)
    assert caplog.text.count("it refuses the token") == 1
    assert not any(token in caplog.text for token in tokens)


async def test_a_refused_token_is_shown_again_rarely() -> None:
    """It may have been refused by mistake."""
    async with a_home_assistant() as home:
        home.tokens.clear()
        async with a_link(home, Limits(refused_s=0.1), connected=False) as homeassistant:
            await until(lambda: home.refused == 3)
            home.tokens.add(TOKEN)
            await until(lambda: homeassistant.is_connected)


async def test_a_token_that_no_header_can_hold_is_not_sent() -> None:
    """One line, without it."""
    async with a_home_assistant() as home:
        assert (
            await trouble_with(an_instance(home.url, "tok\r\nen")) == "the token has characters that no header can hold"
        )
        assert home.requests == []


# certificates


async def test_a_certificate_of_ones_own_is_trusted_if_it_is_named(certificate: Certificate) -> None:
    """Over WebSocket and REST; without its name, neither is."""
    async with a_home_assistant(tls=a_server_context(certificate)) as home:
        async with a_link(an_instance(home.url, ca_file=certificate.ca)) as homeassistant:
            assert (await reading(homeassistant)).state == "disarmed"
            home.put("binary_sensor.door", "on")
            assert await homeassistant.read("binary_sensor.door") is not None  # over REST
        reached = len(home.requests)
        assert "certificate verify failed" in await trouble_with(home)
        async with a_link(home, connected=False) as homeassistant:
            with pytest.raises(HomeAssistantFailed, match="its certificate is not trusted"):
                await homeassistant.read(HOUSE)
        assert len(home.requests) == reached


async def test_certificates_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    """The file is named."""
    instance = an_instance("https://127.0.0.1:9", ca_file=tmp_path / "ca.pem")
    assert await trouble_with(instance) == f"TLS: certificates of {tmp_path}/ca.pem: no such file or directory"


# others that look like it


async def says_garbage(socket: Socket) -> None:
    await socket.say("<html>")


async def says_a_number(socket: Socket) -> None:
    await socket.say("1")


async def says_something_else(socket: Socket) -> None:
    await socket.say({"type": "auth_ok"})


async def asks_for_the_token_for_ever(socket: Socket) -> None:
    while True:
        await socket.say({"type": "auth_required"})
        await socket.hear()


async def says_nothing(socket: Socket) -> None:
    await trio.sleep_forever()


async def closes(socket: Socket) -> None:
    await socket.stream.aclose()


async def breaks_the_frames(socket: Socket) -> None:
    await socket.stream.send_all(b"\xff\xff\xff\xff")
    await trio.sleep_forever()


async def sends_octets(socket: Socket) -> None:
    await socket.stream.send_all(b"\x82\x01x")
    await trio.sleep_forever()


async def sends_ten_megabytes(socket: Socket) -> None:
    await socket.say(" " * 10_000_000)


async def sends_for_ever(socket: Socket) -> None:
    await socket.stream.send_all(b"\x01\x01 ")
    while True:
        await socket.stream.send_all(b"\x00\x7e\x40\x00" + b" " * 0x4000)


def after_the_token(then: Callable[[Socket, dict[str, Any]], Awaitable[None]]) -> Answering:
    """Return a server that accepts any token, and then does something else with what it is asked."""

    async def answer(socket: Socket) -> None:
        await socket.say({"type": "auth_required"})
        await socket.hear()
        await socket.say({"type": "auth_ok"})
        while True:
            await then(socket, await socket.hear())

    return answer


async def refuses(socket: Socket, asked: dict[str, Any]) -> None:
    error = {"code": "unauthorized", "message": "Unauthorized"}
    await socket.say({"id": asked["id"], "type": "result", "success": False, "error": error})


async def does_not_answer_pings(socket: Socket, asked: dict[str, Any]) -> None:
    if asked["type"] == "ping":
        await refuses(socket, asked)
    else:
        await socket.say({"id": asked["id"], "type": "result", "success": True, "result": []})


async def has_no_list(socket: Socket, asked: dict[str, Any]) -> None:
    await socket.say({"id": asked["id"], "type": "result", "success": True, "result": {}})


async def has_no_word(socket: Socket, asked: dict[str, Any]) -> None:
    await socket.say({"id": asked["id"], "type": "result", "success": True, "result": [{"entity_id": HOUSE}]})


async def sends_too_many_states(socket: Socket, asked: dict[str, Any]) -> None:
    await socket.say({"id": asked["id"], "type": "result", "success": True, "result": "x" * STATES_MAX})


async def nests_too_deep(socket: Socket, asked: dict[str, Any]) -> None:
    await socket.say("[" * 100_000)


@pytest.mark.parametrize(
    ("answering", "line"),
    [
        (says_garbage, "it sends what is no JSON"),
        (says_a_number, "it sends a message that is no JSON object"),
        (says_something_else, "it does not answer as Home Assistant does"),
        (asks_for_the_token_for_ever, "it does not answer as Home Assistant does"),
        (says_nothing, "no answer within 0.5 s"),
        (closes, "it closed the connection"),
        (breaks_the_frames, "its frames are none of a WebSocket"),
        (sends_octets, "it sends what is no text"),
        (sends_ten_megabytes, f"it sends a message of more than {MESSAGE_MAX} characters"),
        (sends_for_ever, f"it sends a message of more than {MESSAGE_MAX} characters"),
        (after_the_token(refuses), "unauthorized: Unauthorized"),
        (after_the_token(has_no_list), "it sends states that are no list"),
        (after_the_token(has_no_word), "it sends a state without a word for it"),
        (after_the_token(sends_too_many_states), f"it sends a message of more than {STATES_MAX} characters"),
        (after_the_token(nests_too_deep), "it sends what is no JSON"),
    ],
)
async def test_what_is_no_home_assistant_is_one_line(answering: Answering, line: str) -> None:
    """It is given up within its time, however much it sends; what comes over REST is read meanwhile."""
    async with a_home_assistant() as home:
        home.before = answering
        limits = Limits(answer_s=0.5 if answering is says_nothing else PATIENCE_S)
        assert await trouble_with(home, limits) == line
        async with a_link(home, limits, connected=False) as homeassistant:
            assert (await reading(homeassistant)).state == "disarmed"


async def test_who_refuses_a_ping_gives_no_sign_of_life() -> None:
    """And is read over REST."""
    async with a_home_assistant() as home:
        home.before = after_the_token(does_not_answer_pings)
        async with a_link(home) as homeassistant:
            assert (await reading(homeassistant)).state == "disarmed"
            assert not homeassistant.is_connected
        expected = "it gives no sign of life: it refuses a ping: unauthorized"
        assert await trouble_with(home, Limits(quiet_s=0.05)) == expected


async def test_an_instant_that_is_none_is_not_told() -> None:
    """The state counts all the same."""
    async with a_home_assistant() as home:
        for told in ("yesterday", 5, None):
            home.states[HOUSE]["last_changed"] = told
            async with a_link(home) as homeassistant:
                assert await reading(homeassistant) == State(
                    state="disarmed",
                    attributes=home.states[HOUSE]["attributes"],
                    context=home.states[HOUSE]["context"]["id"],
                )


async def test_a_flood_of_events_is_read_and_forgotten() -> None:
    """Nothing of what does not concern us is kept, and an answer comes through all the same."""
    limits = Limits(answer_s=PATIENCE_S)  # the flood is made in the same loop
    async with a_home_assistant() as home, a_link(home, limits) as homeassistant:
        for number in range(20_000):
            home.tell({"entity_id": f"sensor.s{number}", "old_state": None, "new_state": {"state": "x" * 100}})
        home.press("armed_home")
        with trio.fail_after(PATIENCE_S):
            assert (await reading(homeassistant)).state == "armed_home"
        assert homeassistant.is_connected
        home.babble(" " * 10_000_000)
        await until(lambda: not homeassistant.is_connected)
        assert homeassistant.trouble == f"it sends a message of more than {MESSAGE_MAX} characters"


async def test_the_states_of_a_large_house_are_read() -> None:
    """They are one message of some megabytes."""
    async with a_home_assistant() as home:
        for number in range(10_000):
            home.states[f"sensor.s{number}"] = {**home.states["zone.home"], "entity_id": f"sensor.s{number}"}
        async with a_link(home) as homeassistant:
            assert (await reading(homeassistant)).state == "disarmed"


async def test_events_that_say_nothing_are_passed_over() -> None:
    """Of a strange form, or of entities that are none of ours."""
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        for event in (1, {}, {"data": 1}, {"data": {}}, {"data": {"entity_id": 1}}, {"data": {"entity_id": []}}):
            home.babble(json.dumps({"type": "event", "event": event}))
        home.babble('{"id": 999, "type": "result", "success": true}')
        for number in ('"x"', "[]", "{}", "null", "1.5", "true"):
            home.babble(f'{{"id": {number}, "type": "pong"}}')
        home.tell({"entity_id": HOUSE, "old_state": {"state": []}, "new_state": {"state": "disarmed", "context": []}})
        assert (await reading(homeassistant)).state == "disarmed"


async def test_a_redirect_says_where_to_look() -> None:
    """It is not followed: what we show is for one server only."""
    async with a_home_assistant() as home:
        home.has_websocket = False
        home.rest = lambda *_: (302, b"")
        expected = "it redirects (302), which is not followed: put the address that it leads to into url"
        assert await trouble_with(home) == expected


async def test_losses_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """A line for what is wrong, another once it is right again; the token is in none of them."""
    caplog.set_level(logging.DEBUG)
    async with a_home_assistant() as home, a_link(home) as homeassistant:
        await home.stop()
        await until(lambda: homeassistant.trouble == "connection refused")
        with trio.fail_after(PATIENCE_S):
            await homeassistant.wait_change()
        await home.start()
        await until(lambda: homeassistant.is_connected)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("trioarm")]
    at = f"Home Assistant at {home.url}"
    assert lines == [
        f"connected to {at}",
        f"no WebSocket to {at}: it closed the connection",
        f"no WebSocket to {at}: connection refused",
        f"connected to {at}",
    ]
    assert TOKEN not in caplog.text
