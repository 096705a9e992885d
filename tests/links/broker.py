"""A real MQTT broker for tests: mosquitto on a port of its own, that can be killed, frozen, and started again there.

Beside it a relay that holds or cuts what goes through, and servers that only look like brokers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import attrs
import trio
from paho.mqtt import publish

from tests.links.ports import free_port
from tests.links.tls import HOST, Certificate
from tests.needs import program_named
from trioarm.links.mqtt import Broker, Limits, Mqtt, Subscription, Tls

PATIENCE_S = 30.0  # for anything that is to happen on a busy machine
TRIES = 5  # another program may take the port that was free


@attrs.define(eq=False)
class Mosquitto:
    """A broker.

    Args:
        directory: where its configuration is.
        port: where it listens.
        tls: what its certificate is signed by; None if it speaks in the clear.
        process: None while it does not run.
        said: its log.
    """

    directory: Path
    port: int
    tls: Tls | None
    process: subprocess.Popen[str] | None = None
    said: list[str] = attrs.field(factory=list)
    _reader: threading.Thread | None = None

    def settings(self, **others: object) -> Broker:
        """Return how to connect to it."""
        defaults: dict[str, object] = {"host": HOST, "port": self.port, "tls": self.tls}
        return Broker(**defaults | others)  # type: ignore[arg-type]

    def start(self) -> None:
        """Start it, and return once it accepts connections."""
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") or program_named(
            "mosquitto", "mosquitto"
        )
        self.process = subprocess.Popen(
            [program, "-c", str(self.directory / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        is_running = threading.Event()
        self._reader = threading.Thread(target=self._listen, args=(self.process, is_running))
        self._reader.start()
        if not is_running.wait(PATIENCE_S) or self.process.poll() is not None:
            self.kill()
            raise ConnectionError("\n".join(self.said))

    def _listen(self, process: subprocess.Popen[str], is_running: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.said.append(line.rstrip())
                if line.rstrip().endswith(" running"):
                    is_running.set()
        is_running.set()  # it has ended

    def kill(self) -> None:
        """End it at once, with all it kept in memory: retained messages, too."""
        if self.process is not None and self._reader is not None:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process = None

    def freeze(self) -> None:
        """Let it do nothing until it is thawed; the system still accepts connections for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def put(self, topic: str, payload: bytes | str | None, *, retain: bool = False) -> None:
        """Publish by a client that is not ours. It blocks until the broker has acknowledged that."""
        publish.single(topic, payload, qos=1, retain=retain, hostname=HOST, port=self.port)


@contextmanager
def a_broker(
    directory: Path, *, users: Mapping[str, str] | None = None, certificate: Certificate | None = None, more: str = ""
) -> Iterator[Mosquitto]:
    """Run a broker while the context lasts.

    Args:
        directory: for its files.
        users: names and passwords; None lets everybody in.
        certificate: of the broker, which then speaks TLS alone.
        more: lines of its configuration.
    """
    for attempt in range(TRIES):
        broker = Mosquitto(directory, free_port(), None if certificate is None else Tls(ca_file=certificate.ca))
        (directory / "mosquitto.conf").write_text(_configuration(broker, users, certificate) + more)
        try:
            broker.start()
        except ConnectionError:
            if attempt == TRIES - 1 or not any("Address already in use" in line for line in broker.said):
                raise
        else:
            break
    try:
        yield broker
    finally:
        broker.kill()


def _configuration(broker: Mosquitto, users: Mapping[str, str] | None, certificate: Certificate | None) -> str:
    lines = [f"listener {broker.port} {HOST}", f"allow_anonymous {str(users is None).lower()}", "log_dest stderr"]
    if os.geteuid() == 0:
        lines.append("user root")  # it would become another user, who cannot read our files
    if users is not None:
        path = broker.directory / "passwords"
        path.touch(mode=0o600)
        for name, password in users.items():
            subprocess.run([program_named("mosquitto_passwd", "mosquitto"), "-b", path, name, password], check=True)
        lines.append(f"password_file {path}")
    if certificate is not None:
        lines += [f"certfile {certificate.chain}", f"keyfile {certificate.key}"]
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def a_link(
    broker: Broker, connected: bool = True, limits: Limits | None = None, speaks_apart: bool = False
) -> AsyncIterator[Mqtt]:
    """Run a link while the context lasts."""
    async with trio.open_nursery() as nursery:
        mqtt = Mqtt(broker, limits=limits, speaks_apart=speaks_apart)
        await nursery.start(mqtt.run)
        if connected:
            with trio.fail_after(PATIENCE_S):
                await mqtt.wait_connected()
        yield mqtt
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def subscribed(mqtt: Mqtt, pattern: str) -> AsyncIterator[Subscription]:
    """Subscribe while the context lasts, from when the broker has answered."""
    with mqtt.subscribe(pattern) as subscription:
        with trio.fail_after(PATIENCE_S):
            await subscription.wait_answered()
        yield subscription


Talk = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def a_server(talk: Talk) -> AsyncIterator[int]:
    """Serve connections while the context lasts; its value is the port. Who hangs up is no error."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await talk(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HOST))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class Relay:
    """What goes between a client and a broker.

    Args:
        port: where clients connect.
        target: port of the broker.
        connections: how many there have been.
        sent: what clients have sent, in all.
    """

    port: int = 0
    target: int = 0
    connections: int = 0
    sent: bytearray = attrs.field(factory=bytearray)
    _open: list[trio.SocketStream] = attrs.field(factory=list)
    _moved: trio.Event = attrs.field(factory=trio.Event)

    async def wait_sent(self, data: bytes) -> None:
        """Wait until clients have sent something."""
        while data not in self.sent:
            self._moved = trio.Event()
            await self._moved.wait()

    async def cut(self, which: int | None = None) -> None:
        """Cut a connection, by its number since the last cut, or all of them, on both sides."""
        for stream in self._open if which is None else self._open[2 * which : 2 * which + 2]:
            await trio.aclose_forcefully(stream)
        self._open.clear()

    async def talk(self, client: trio.SocketStream) -> None:
        """Relay one connection."""
        self.connections += 1
        broker = await trio.open_tcp_stream(HOST, self.target)
        self._open += [client, broker]
        async with broker, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass, client, broker, self.sent)
            nursery.start_soon(self._pass, broker, client, None)

    async def _pass(self, source: trio.SocketStream, to: trio.SocketStream, seen: bytearray | None) -> None:
        try:
            async for data in source:
                if seen is not None:
                    seen += data
                    self._moved.set()
                await to.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await trio.aclose_forcefully(to)


@asynccontextmanager
async def a_relay(target: int) -> AsyncIterator[Relay]:
    """Relay to a port while the context lasts."""
    relay = Relay(target=target)
    async with a_server(relay.talk) as relay.port:
        yield relay
