"""A Home Assistant for tests: a real server on loopback that speaks the published protocol, REST and WebSocket on one
port, with panels that behave as its `manual` one does, and on demand as Alarmo does. h11 and wsproto read and write."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import attrs
import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage

from tests.links.ports import free_port

TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.a-long-lived.token"
HOUSE: Final = "alarm_control_panel.house"
FEATURES: Final = {"armed_home": 1, "armed_away": 2, "armed_night": 4, "armed_custom_bypass": 16, "armed_vacation": 32}
SERVICES: Final = {f"alarm_arm_{mode.removeprefix('armed_')}": mode for mode in FEATURES} | {"alarm_disarm": "disarmed"}
UP_FOR: Final = timedelta(days=3)  # so long it has run already, unless a test restarts it
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.01
LOST: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for as long as a busy machine may take."""
    with trio.fail_after(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for is in a log or a server, and sets no event
            await trio.sleep(LOOK_S)


class Invalid(Exception):
    """A ServiceValidationError of Home Assistant."""


class Failed(Exception):
    """A HomeAssistantError, as integrations raise it when their device does not answer."""


@attrs.define(eq=False)
class Panel:
    """A panel of integration `manual`.

    Args:
        code: that it wants to hear.
        exit_delay_s: how long it is `arming`.
        modes: that it has.
        open_sensors: those that keep it from arming: it is Alarmo then.
        deaf: how many calls it takes without doing anything; None for all.
        restores: whether it is after a restart what it was before.
        trouble: what its integration says instead of doing anything; None where all is well.
        state: what it is, `arming` where it is on its way to it.
        arms: how often it was armed, so that a delay that was cut off does not end.
    """

    code: str | None = None
    exit_delay_s: float = 0.0
    modes: tuple[str, ...] = tuple(FEATURES)
    open_sensors: list[str] = attrs.field(factory=list)
    deaf: int | None = 0
    restores: bool = True
    trouble: str | None = None
    state: str = "disarmed"
    arms: int = 0


@attrs.define(eq=False)
class Connection:
    """A WebSocket that has been authenticated."""

    token: str
    send: Callable[[object], None]
    close: Callable[[], None]
    subscriptions: list[int] = attrs.field(factory=list)
    hears_of_start: list[int] = attrs.field(factory=list)


class FakeHomeAssistant:
    """An instance.

    Attributes:
        calls: of services: over what, which, and with what data.
        requests: methods and paths over HTTP, those of WebSockets too.
        tokens: that are accepted.
        refused: how often it was shown a token that it does not accept, over whatever.
        has_websocket: whether it speaks WebSocket, too.
        before: replaces all that is said over a WebSocket, where a test wants another server.
        rest: answers instead of REST, likewise.
        loses_answers: whether it carries calls out and cuts the line before it answers.
        is_silent: whether it accepts, and answers nothing any more.
        is_starting: whether it says that it has not started yet.
        has_administrator: whether the token is one of an administrator.
        asked: types of what was asked over WebSockets, in order.
    """

    def __init__(self, panel: Panel | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.panels = {HOUSE: panel or Panel()}
        self.states: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens = {TOKEN}
        self.refused = 0
        self.has_websocket = True
        self.loses_answers = False
        self.is_silent = False
        self.is_starting = False
        self.has_administrator = True
        self.asked: list[str] = []
        self.before: Callable[[Socket], Any] | None = None
        self.rest: Callable[[str, str], tuple[int, bytes]] | None = None
        self.port = 0
        self._tls = tls
        self._contexts = (f"01CONTEXT{number}" for number in count())
        self._connections: list[Connection] = []
        self._nursery: trio.Nursery | None = None
        self._serving: trio.CancelScope | None = None
        self._ended = trio.Event()
        self._fill(UP_FOR)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many WebSockets stand."""
        return len(self._connections)

    def sent(self, service: str = "alarm_arm_away") -> int:
        """Return how often a service was called."""
        return [name for _, name, _ in self.calls].count(service)

    # Its life

    def _fill(self, ago: timedelta = timedelta(0)) -> None:
        for entity in ("zone.home", *self.panels):
            self.put(entity, "0" if entity == "zone.home" else self.panels[entity].state, ago=ago)

    async def start(self, *, is_ready: bool = True) -> None:
        """Listen; entities are there at once, or when `ready` is called."""
        assert self._nursery is not None
        listeners = await trio.open_tcp_listeners(self.port or free_port(), host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        if is_ready and not self.states:
            self.ready()
        self._ended = trio.Event()
        await self._nursery.start(self._serve, listeners)

    async def _serve(self, listeners: Any, task_status: Any) -> None:
        with trio.CancelScope() as self._serving:
            try:
                await trio.serve_listeners(self._handle, listeners, task_status=task_status)
            finally:
                self._connections.clear()
                self._ended.set()

    async def stop(self) -> None:
        """Cut every line and listen no more; states that are not restored are lost."""
        assert self._serving is not None
        self._serving.cancel()
        await self._ended.wait()
        self.states.clear()
        for panel in self.panels.values():
            panel.arms += 1
            panel.state = panel.state if panel.restores else "disarmed"

    async def restart(self) -> None:
        """Stop, and start with all entities in their place."""
        await self.stop()
        await self.start()

    def ready(self) -> None:
        """Put the entities back, as at the end of a start."""
        self._fill()

    async def fall_back(self) -> None:
        """Stop, and start as slowly as real ones do: whoever connects at once sees entities being put back."""
        for panel in self.panels.values():
            panel.restores = False
        await self.stop()
        self.is_starting, told = True, self.asked.count("get_states")
        await self.start(is_ready=False)
        if self.has_websocket:
            await until(lambda: self.asked.count("get_states") > told)
        self.ready()
        self.has_started()

    def has_started(self) -> None:
        """Be at the end of a start, and say so."""
        self.is_starting = False
        event = {"event_type": "homeassistant_started", "data": {}, "origin": "LOCAL"}
        for connection in self._connections:
            for number in connection.hears_of_start:
                connection.send({"id": number, "type": "event", "event": event})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeHomeAssistant]:
        """Run while the context lasts."""
        async with trio.open_nursery() as self._nursery:
            await self.start()
            yield self
            self._nursery.cancel_scope.cancel()

    def revoke(self, token: str = TOKEN) -> None:
        """Take a token back, as its user does in the profile: its connections end at once."""
        self.tokens.discard(token)
        for connection in [one for one in self._connections if one.token == token]:
            connection.close()

    # Its states

    def put(
        self, entity: str, state: str | None, *, ago: timedelta = timedelta(0), context: str | None = None, **more: Any
    ) -> None:
        """Let an entity have a state, and tell those who listen; None removes it."""
        old, at = self.states.get(entity), (datetime.now(UTC) - ago).isoformat()
        new: dict[str, Any] | None = None
        if state is not None:
            since = old["last_changed"] if old is not None and old["state"] == state else at
            attributes = self._attributes(entity) | more
            who = {"id": context or next(self._contexts), "parent_id": None, "user_id": None}
            new = {"entity_id": entity, "state": state, "attributes": attributes, "last_changed": since, "context": who}
            self.states[entity] = new
        else:
            self.states.pop(entity, None)
        self.tell({"entity_id": entity, "old_state": old, "new_state": new})

    def _attributes(self, entity: str) -> dict[str, Any]:
        if entity not in self.panels:
            return {"friendly_name": entity.partition(".")[2].replace("_", " ").capitalize()}
        features = sum(FEATURES[mode] for mode in self.panels[entity].modes)
        return {"code_format": "text", "changed_by": None, "code_arm_required": True, "supported_features": features}

    def babble(self, text: str) -> None:
        """Say something over every WebSocket."""
        for connection in self._connections:
            connection.send(text)

    def tell(self, data: dict[str, Any]) -> None:
        """Tell everybody who listens of a change."""
        event = {"event_type": "state_changed", "data": data, "origin": "LOCAL"}
        for connection in self._connections:
            for number in connection.subscriptions:
                connection.send({"id": number, "type": "event", "event": event})

    def press(self, state: str, entity: str = HOUSE, by: str = "anna") -> None:
        """Let a person make it so at the keypad, at once."""
        panel = self.panels[entity]
        panel.state, panel.arms = state, panel.arms + 1
        self.put(entity, state, changed_by=by)

    def open_sensor(self, sensor: str, entity: str = HOUSE) -> None:
        """Open a sensor, which keeps Alarmo from arming."""
        self.panels[entity].open_sensors.append(sensor)
        self.put(sensor, "on")

    def close_sensor(self, sensor: str, entity: str = HOUSE) -> None:
        """Close it; Alarmo remembers that it was open until it is told to arm again."""
        self.panels[entity].open_sensors.remove(sensor)
        self.put(sensor, "off")

    def _call(self, over: str, service: str, data: dict[str, Any], context: str) -> None:
        self.calls.append((over, service, data))
        entity = data.get("entity_id", "")
        panel, target = self.panels.get(entity), SERVICES[service]
        if panel is None or entity not in self.states:  # succeeds, as with the real one
            return
        if target != "disarmed" and target not in panel.modes:
            raise Invalid(f"Entity {entity} does not support action alarm_control_panel.{service}")
        if panel.code is not None and data.get("code") != panel.code:
            raise Invalid("Invalid alarm code provided")
        if panel.trouble is not None:
            raise Failed(panel.trouble)
        if panel.deaf is None or panel.deaf > 0:
            panel.deaf = None if panel.deaf is None else panel.deaf - 1
            return
        if target != "disarmed" and panel.open_sensors:
            panel.arms += 1
            self.put(entity, panel.state, context=context, open_sensors=dict.fromkeys(panel.open_sensors, "open"))
            return
        panel.state, panel.arms = target, panel.arms + 1
        if target == "disarmed" or not panel.exit_delay_s:
            self.put(entity, target, context=context)
            return
        self.put(entity, "arming", context=context, next_state=target, previous_state="disarmed")
        assert self._nursery is not None
        self._nursery.start_soon(self._leave, entity, panel, panel.arms)

    async def _leave(self, entity: str, panel: Panel, arms: int) -> None:
        await trio.sleep(panel.exit_delay_s)
        if panel.arms == arms and entity in self.states:
            if panel.open_sensors:
                panel.state = "disarmed"
            self.put(entity, panel.state, open_sensors=dict.fromkeys(panel.open_sensors, "open") or None)

    # How it is spoken to

    async def _handle(self, plain: trio.SocketStream) -> None:
        stream: trio.abc.Stream = plain
        if self._tls is not None:
            stream = trio.SSLStream(plain, self._tls, server_side=True, https_compatible=True)
        try:
            await self._converse(stream)
        except* (*LOST, h11.RemoteProtocolError):
            pass  # the client has gone
        finally:
            await trio.aclose_forcefully(plain)

    async def _converse(self, stream: trio.abc.Stream) -> None:
        http, body = h11.Connection(h11.SERVER), b""
        request: h11.Request | None = None
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Request):
                request = event
                self.requests.append((event.method.decode(), event.target.decode()))
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                break
            else:
                return
        if self.is_silent:
            await trio.sleep_forever()
        if request.target == b"/api/websocket" and self.has_websocket:
            await self._websocket(Socket(stream, request))
            return
        status, content = self._answer(request, body)
        if self.loses_answers and request.method == b"POST":
            return
        headers = [("Content-Length", str(len(content))), ("Connection", "close")]
        await stream.send_all(
            (http.send(h11.Response(status_code=status, headers=headers)) or b"")
            + (http.send(h11.Data(data=content)) or b"")
            + (http.send(h11.EndOfMessage()) or b"")
        )

    def _answer(self, request: h11.Request, body: bytes) -> tuple[int, bytes]:
        method, path = request.method.decode(), request.target.decode()
        if self.rest is not None:
            return self.rest(method, path)
        if path == "/api/websocket":
            return 404, b"404: Not Found"
        bearer = dict(request.headers).get(b"authorization", b"").decode().removeprefix("Bearer ")
        if bearer not in self.tokens:
            self.refused += 1
            return 401, b"401: Unauthorized"
        match path.split("/")[2:]:
            case ["states", entity] if entity in self.states:
                return 200, json.dumps(self.states[entity]).encode()
            case ["states", _]:
                return 404, b'{"message":"Entity not found."}'
            case ["services", "alarm_control_panel", service] if service in SERVICES:
                context = next(self._contexts)
                try:
                    self._call("rest", service, json.loads(body), context)
                except (Invalid, Failed):
                    return 500, b"500 Internal Server Error\n\nServer got itself in trouble"
                changed = [state for state in self.states.values() if state["context"]["id"] == context]
                return 200, json.dumps(changed).encode()
            case ["services", *_]:
                return 400, b"400: Bad Request"
            case _:
                return 404, b"404: Not Found"

    async def _websocket(self, socket: Socket) -> None:
        await socket.accept()
        if self.before is not None:
            await self.before(socket)
            return
        await socket.say({"type": "auth_required", "ha_version": "2025.4.4"})
        shown = (await socket.hear()).get("access_token")
        if shown not in self.tokens:
            self.refused += 1
            await socket.say({"type": "auth_invalid", "message": "Invalid access token or password"})
            return
        await socket.say({"type": "auth_ok", "ha_version": "2025.4.4"})
        queue, waiting = trio.open_memory_channel[object](100_000)
        async with trio.open_nursery() as nursery:
            connection = Connection(shown, queue.send_nowait, nursery.cancel_scope.cancel)
            self._connections.append(connection)
            nursery.start_soon(self._write, socket, waiting)
            with self._listed(connection):
                while True:
                    told = await socket.hear()
                    if self.loses_answers and told["type"] == "call_service":
                        self._reply(connection, told)
                        nursery.cancel_scope.cancel()
                    elif not self.is_silent:
                        connection.send(self._reply(connection, told))

    @contextmanager
    def _listed(self, connection: Connection) -> Iterator[None]:
        try:
            yield
        finally:
            if connection in self._connections:
                self._connections.remove(connection)

    async def _write(self, socket: Socket, waiting: trio.MemoryReceiveChannel[object]) -> None:
        async for message in waiting:
            await socket.say(message)

    def _reply(self, connection: Connection, told: dict[str, Any]) -> dict[str, Any]:
        number = told["id"]
        self.asked.append(told["type"])
        match told["type"]:
            case "ping":
                return {"id": number, "type": "pong"}
            case "subscribe_events" if told["event_type"] == "homeassistant_started":
                if not self.has_administrator:
                    return _refusal(number, "unauthorized", "Unauthorized")
                connection.hears_of_start.append(number)
                return _result(number, None)
            case "get_config":
                return _result(number, {"state": "STARTING" if self.is_starting else "RUNNING"})
            case "subscribe_events":
                connection.subscriptions.append(number)
                return _result(number, None)
            case "get_states":
                return _result(number, list(self.states.values()))
            case "call_service" if told["domain"] == "alarm_control_panel" and told["service"] in SERVICES:
                context = next(self._contexts)
                try:
                    self._call("websocket", told["service"], told["service_data"], context)
                except Invalid as error:
                    return _refusal(number, "service_validation_error", f"Validation error: {error}")
                except Failed as error:
                    return _refusal(number, "home_assistant_error", str(error))
                return _result(number, {"context": {"id": context, "parent_id": None, "user_id": "7"}})
            case "call_service":
                return _refusal(number, "not_found", "Service not found.")
            case _:
                return _refusal(number, "unknown_command", "Unknown command.")


def _result(number: int, result: object) -> dict[str, Any]:
    return {"id": number, "type": "result", "success": True, "result": result}


def _refusal(number: int, code: str, message: str) -> dict[str, Any]:
    return {"id": number, "type": "result", "success": False, "error": {"code": code, "message": message}}


class Socket:
    """The server's end of a WebSocket."""

    def __init__(self, stream: trio.abc.Stream, request: h11.Request) -> None:
        self.stream = stream
        self._frames = WSConnection(ConnectionType.SERVER)
        self._frames.initiate_upgrade_connection(list(request.headers), request.target)
        self._turn = trio.Lock()

    async def accept(self) -> None:
        """Give the WebSocket that is asked for."""
        assert isinstance(next(self._frames.events()), Request)
        await self.stream.send_all(self._frames.send(AcceptConnection()))

    async def say(self, message: object) -> None:
        """Send a message: a text as it is, anything else as JSON."""
        async with self._turn:
            text = message if isinstance(message, str) else json.dumps(message)
            await self.stream.send_all(self._frames.send(TextMessage(data=text)))

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        text = ""
        while True:
            for event in self._frames.events():
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        return json.loads(text)
                elif isinstance(event, Ping):
                    await self.stream.send_all(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    raise trio.BrokenResourceError
            data = await self.stream.receive_some(65536)
            if not data:
                raise trio.BrokenResourceError
            self._frames.receive_data(data)


@asynccontextmanager
async def a_home_assistant(
    panel: Panel | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FakeHomeAssistant]:
    """Run an instance with one panel, on a port of its own, while the context lasts."""
    async with FakeHomeAssistant(panel, tls).running() as home:
        yield home
