"""Whatever a node talks to may be out of order, all of it at once: each is given up in time and told of in one line.

Meanwhile another partition is armed and disarmed as if nothing were wrong.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from tests.cli.programs import DEADLINE_S, Program, rows, started
from tests.links.broker import a_broker, a_server
from tests.links.fake_home_assistant import HOUSE, TOKEN, Panel, a_home_assistant
from tests.links.tls import Certificate, an_encrypted_server, certificate
from tests.links.web import Answer, Web, a_web_server, says, status
from tests.notify.houses import Inbox, an_inbox

__all__ = ["certificate"]

ACCEPTED: Final = b"\x20\x02\x00\x00"
FLOOD: Final = b"\x30\x0f\x00\x0bflood/stateGO" * 4_096  # messages on the state topic of its panel, which say nothing
LATE_S: Final = 5.0  # how late a command to another partition may be, on a machine that does all of this
PERIOD_S: Final = 6  # between two of them
ROUNDS: Final = 4  # of them at least, while everything is out of order
MEMORY_MAX: Final = 200 << 20  # bytes that the node may ever have: it has 65 MB
DRAIN_S: Final = 5
SLACK_S: Final = 15.0  # of a stop, on a machine that does all of this
LINE_MAX: Final = 300  # characters of what a person reads of each


async def listen(stream: trio.SocketStream) -> None:
    """Accept, and never answer."""
    async for _ in stream:
        pass


async def babble(stream: trio.SocketStream) -> None:
    """Say something that is no MQTT."""
    await stream.send_all(b"\xff\x00garbage\r\n" * 1_000)
    await listen(stream)


async def flood(stream: trio.SocketStream) -> None:
    """Take whoever comes, and publish as fast as can be read."""
    await stream.receive_some()
    await stream.send_all(ACCEPTED)
    subscribe = await stream.receive_some()
    await stream.send_all(b"\x90\x03" + bytes(subscribe[2:4]) + b"\x00")
    while True:
        await stream.send_all(FLOOD)


def hang(request: BaseHTTPRequestHandler, web: Web) -> None:
    """Answer in a minute, or once all is over."""
    web.over.wait(60.0)


def only_states(set_: Answer) -> Answer:
    """Return a panel on the web that is disarmed, and answers commands as it is told to."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        (says(b'{"state": "disarmed"}') if request.command == "GET" else set_)(request)

    return answer


@attrs.frozen(kw_only=True)
class Neighbours:
    """All that is out of order, where it is, and how the file describes it.

    Args:
        panels: the tables of what their partitions need, by name.
        channels: likewise, of channels.
    """

    panels: dict[str, str]
    channels: dict[str, str]


@asynccontextmanager
async def the_neighbours(folder: Path, certificate: Certificate) -> AsyncIterator[Neighbours]:
    """Run all of them."""
    async with AsyncExitStack() as stack:
        panels: dict[str, str] = {}

        def at_broker(name: str, port: int, more: str = "") -> None:
            panels[name] = f"""
                [mqtt.{name}]
                host = "127.0.0.1"
                port = {port}
                {more}
                [partition.{name}]
                site = "home"
                confirm = "1s"
                [partition.{name}.panel]
                kind = "mqtt"
                broker = "{name}"
                preset = "manual_mqtt"
                state_topic = "{name}/state"
                command_topic = "{name}/set"
                exit_delay = "0s"
                timeout = "2s"
                """

        talks: dict[str, Callable[[trio.SocketStream], Awaitable[None]]] = {
            "silent": listen,
            "garbage": babble,
            "flood": flood,
        }
        for name, talk in talks.items():
            at_broker(name, await stack.enter_async_context(a_server(talk)))
        for name in ("huge", "untrusted"):
            (folder / name).mkdir()
        huge = stack.enter_context(a_broker(folder / "huge"))
        huge.put("huge/state", b"x" * 1_000_000, retain=True)
        at_broker("huge", huge.port)
        untrusted = stack.enter_context(a_broker(folder / "untrusted", certificate=certificate))
        at_broker("untrusted", untrusted.port, "tls = true")

        home = await stack.enter_async_context(a_home_assistant(Panel(deaf=None)))
        home.has_websocket = False  # each service call is answered with 200
        panels["deaf"] = f"""
            [homeassistant.deaf]
            url = "{home.url}"
            token = {{ env = "HOME_TOKEN" }}
            [partition.deaf]
            site = "home"
            confirm = "1s"
            min_gap = "0s"
            panel = {{ kind = "homeassistant", instance = "deaf", entity = "{HOUSE}", exit_delay = "0s" }}
            """

        redirect = stack.enter_context(a_web_server(only_states(status(302, "file:///etc/passwd"))))
        slow = stack.enter_context(a_web_server())
        slow.answer = only_states(lambda request: hang(request, slow))
        forged, _ = stack.enter_context(an_encrypted_server(certificate))
        urls = {"redirects": redirect.url(""), "slow": slow.url(""), "forged": forged}
        for name, url in urls.items():
            panels[name] = f"""
                [partition.{name}]
                site = "home"
                confirm = "1s"
                min_gap = "0s"
                [partition.{name}.panel]
                kind = "http"
                set = "{url}/set"
                read = "{url}/state"
                exit_delay = "0s"
                timeout = "2s"
                """

        hung = stack.enter_context(a_web_server())
        hung.answer = lambda request: hang(request, hung)
        moved = stack.enter_context(a_web_server(status(302, "file:///etc/passwd")))
        channels = {
            "hangs": f'kind = "ntfy"\ntopic = "x"\nurl = "{hung.url()}"\ntimeout = "2s"',
            "moved": f'kind = "webhook"\nurl = "{moved.url("/x")}"',
        }
        yield Neighbours(panels=panels, channels=channels)


REACHED: Final = "it is to become armed_away, and is out of reach: "
TOLD: Final = {  # what a person reads of each, as patterns
    "partition/silent": REACHED
    + "mqtt silent: not connected: it (has not answered yet|accepted the connection and .*);",
    "partition/garbage": REACHED + "mqtt garbage: not connected: it does not answer as a broker of MQTT 3.1.1 does;",
    "partition/flood": REACHED + 'mqtt flood: flood/state tells no state: its state is "GO", which means nothing here:',
    "partition/huge": REACHED + "mqtt huge: huge/state tells no state: the message has more than 65536 bytes;",
    "partition/untrusted": REACHED + "mqtt untrusted: not connected: TLS: certificate verify failed: unable to get",
    "partition/forged": REACHED + "https://127.0.0.1:[0-9]+: its certificate is not trusted: unable to get",
    "partition/deaf": "it did not become armed_away: 3 commands had no effect: the panel still reports disarmed$",
    "partition/redirects": REACHED
    + "http://127.0.0.1:[0-9]+: the answer is 302 Found: it redirects to what is no address of a web server, which is "
    "not followed: put the address that it leads to into set;",
    "partition/slow": REACHED + "http://127.0.0.1:[0-9]+: no answer within 2 s;",
    "notify/moved": "nobody is told of alerts by moved: it answered with 302: it redirects, which is not followed: ",
}


def file_of(neighbours: Neighbours, inbox: Inbox) -> str:
    """Return a configuration in which all of them are, and a house that has nothing to do with them."""
    parts = [
        f"""
        [site.home]
        timezone = "UTC"
        [scheduler]
        store = "sqlite:///trioarm.db"
        drain = "{DRAIN_S}s"
        [partition.house]
        site = "home"
        allow_disarm = true
        panel = {{ kind = "virtual", exit_delay = "0s" }}
        [[schedule]]
        name = "arm"
        partition = "house"
        target = "armed_night"
        every = {{ period = "{2 * PERIOD_S}s", anchor = "2026-01-01T00:00:00Z" }}
        [[schedule]]
        name = "disarm"
        partition = "house"
        target = "disarmed"
        every = {{ period = "{2 * PERIOD_S}s", anchor = "2026-01-01T00:00:0{PERIOD_S}Z" }}
        [notify.phone]
        kind = "webhook"
        url = "{inbox.web.url("/phone")}"
        severity = "warning"
        limit = {{ messages = 1000, per = "10m" }}
        """
    ]
    parts += [f"[notify.{name}]\n{way}\n" for name, way in neighbours.channels.items()]
    for name, panel in neighbours.panels.items():
        schedule = f'[[schedule]]\nname = "{name}"\npartition = "{name}"\ntarget = "armed_away"\n'
        parts.append(f'{panel}\n{schedule}once = "{datetime.now(UTC).isoformat()}"\n')
    return "\n".join(parts)


def told(inbox: Inbox) -> dict[str, list[str]]:
    """Return what a person was told, by subject."""
    found: dict[str, list[str]] = {}
    for message in inbox.messages:
        for alert in message["alerts"]:
            found.setdefault(alert["subject"], []).append(alert["text"])
    return found


async def commands_to_the_house(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of the house that nothing is wrong with, in order."""
    listed = await rows(folder, "runs", "list", "--limit", "10000")
    found = [row for row in listed if row["schedule"] in ("arm/house", "disarm/house")]
    return sorted(found, key=lambda row: str(row["due_at"]))


def memory_of(program: Program) -> int:
    """Return how much of the machine's memory it had at most, in bytes."""
    lines = Path(f"/proc/{program.process.pid}/status").read_text(encoding="ascii").splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) * 1024


async def everything_is_told(inbox: Inbox, program: Program) -> None:
    """Return once people were told of each."""
    with trio.move_on_after(2 * DEADLINE_S):
        while not told(inbox).keys() >= TOLD.keys():
            await program.line_with("")  # it says something every few seconds
    assert told(inbox).keys() >= TOLD.keys(), "\n".join(program.lines)


async def commands_while_out_of_order(folder: Path) -> list[dict[str, Any]]:
    """Return them, once there are enough."""
    before = len(await commands_to_the_house(folder))
    with trio.fail_after(DEADLINE_S + ROUNDS * PERIOD_S):
        while True:
            found = [row for row in await commands_to_the_house(folder) if row["finished_at"] is not None]
            if len(found) >= before + ROUNDS:
                return found


async def test_whatever_is_out_of_order_is_given_up_told_of_and_in_nobodys_way(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, in memory, and when it stops; one line each; and every command to the house is on time."""
    monkeypatch.setenv("HOME_TOKEN", TOKEN)
    with an_inbox() as inbox:
        async with the_neighbours(tmp_path, certificate) as neighbours:
            (tmp_path / "scheduler.toml").write_text(file_of(neighbours, inbox), encoding="utf-8")
            async with started(tmp_path, ("-m", "trioarm", "run")) as program:
                await everything_is_told(inbox, program)
                commands = await commands_while_out_of_order(tmp_path)
                assert memory_of(program) < MEMORY_MAX
                began = trio.current_time()
                program.process.terminate()
                assert await program.end() == (0, "")
                assert trio.current_time() - began < DRAIN_S + SLACK_S
    for subject, pattern in TOLD.items():
        first = told(inbox)[subject][0]
        assert re.match(pattern, first), (subject, first)
        assert "\n" not in first
        assert len(first) < LINE_MAX
    assert told(inbox).keys() - {"notify/hangs"} == TOLD.keys()
    hung = [line for line in program.lines if "trioarm/notify/hangs  attempt 1 failed" in line]
    assert len(hung) == 1, "its alert follows after five attempts, in two minutes: tests/notify/test_trouble.py"
    assert hung[0].endswith(": no answer within 2s")
    assert {row["state"] for row in commands} == {"succeeded"}
    assert max(row["late_s"] for row in commands) < LATE_S
    due = [datetime.fromisoformat(row["due_at"]) for row in commands]
    assert {(later - sooner).total_seconds() for sooner, later in pairwise(due)} == {PERIOD_S}, "one was left out"
