"""The link to an instance of Home Assistant: a WebSocket whenever that is possible, REST when it is not.

The rule is simple: what is asked while the WebSocket stands is asked over it, everything else over REST. A service
whose answer is lost with the WebSocket is not called again over REST: nobody knows what became of it.
"""

from __future__ import annotations

import logging
import random
import ssl
from collections import deque
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NoReturn

import attrs
import trio

from trioarm.core.errors import TrioarmError
from trioarm.engine.ports import Chance
from trioarm.links.backoff import STEADY_S, pause_s
from trioarm.links.dial import DialFailed, cut, dial, line_of, make_context
from trioarm.links.homeassistant.instance import HomeAssistantFailed, Instance, Limits, TokenRefused
from trioarm.links.homeassistant.rest import Rest
from trioarm.links.homeassistant.states import State
from trioarm.links.threads import Thread

if TYPE_CHECKING:
    from trioarm.links.homeassistant.session import Session

STOPS_S: Final = (
    300.0  # from when Home Assistant ended a connection until it must be there again to have been restarted
)
CALLS_KEPT: Final = 64  # the latest calls of ours, whose changes are known to be ours

_log = logging.getLogger(__name__)


@attrs.frozen(slots=True)
class _Credentials:
    """What is read before each connection."""

    token: str = attrs.field(repr=False)
    tls: ssl.SSLContext | None


class HomeAssistant:
    """An instance, spoken to in whatever way works.

    Args:
        instance: whom we speak to.
        chance: spreads the attempts of many nodes that lost the same instance.
        thread: where tokens and certificates are read.
        limits: of its patience.

    Raises:
        HomeAssistantFailed: wsproto is not installed; the line says what to install.
    """

    def __init__(
        self,
        instance: Instance,
        *,
        chance: Chance | None = None,
        thread: Thread | None = None,
        limits: Limits | None = None,
    ) -> None:
        if find_spec("wsproto") is None:
            raise HomeAssistantFailed("Home Assistant needs wsproto: python -m pip install 'trioarm[homeassistant]'")
        self.instance = instance
        self._chance = chance or random.Random()
        self._thread = thread or Thread()
        self._limits = limits or Limits()
        self._rest = Rest(instance, self._limits)
        self._entities: dict[str, trio.Event] = {}  # each with what is set when there is news of it
        self._forgetful: set[str] = set()
        self._session: Session | None = None
        self._before: dict[str, State] = {}  # what those were when Home Assistant ended the latest session
        self._ended_at = 0.0
        self._connected_at: float | None = None
        self._is_first = False  # whether the first attempt to connect is under way
        self._trouble = "no connection has been tried yet"
        self._changed = trio.Event()
        self._calls: deque[str] = deque(maxlen=CALLS_KEPT)
        self._refused: str | None = None  # the token it does not accept, to be shown again rarely
        self._accepted = trio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the WebSocket stands, and every state has been told, as far as we know."""
        return self._session is not None and self._session.is_established

    @property
    def trouble(self) -> str | None:
        """Why there is no WebSocket, in a line without the token; None if there is one."""
        if self.is_connected:
            return None
        return (self._session and self._session.reason) or self._trouble

    async def wait_change(self) -> None:
        """Wait until we are connected, or are no longer, or have tried in vain once more."""
        await self._changed.wait()

    def watch(self, entity: str, *, forgets: bool = False) -> None:
        """Keep the state of an entity from now on, over all connections that follow.

        Args:
            forgets: whether it forgets what it was when Home Assistant is started anew, and nobody else changes it.
        """
        self._entities.setdefault(entity, trio.Event())
        if forgets:
            self._forgetful.add(entity)

    def is_ours(self, state: State) -> bool:
        """Whether a call of this process made it so."""
        return state.context is not None and state.context in self._calls

    async def read(self, entity: str) -> State | None:
        """Return what an entity is now; None where there is no such entity.

        Raises:
            HomeAssistantFailed: it cannot be found out; nor, for minutes, that an entity which forgets has changed
                since Home Assistant ended the connection: whether a start did that, the next one alone tells.

        Cancellation: at any time.
        """
        session = await self._standing()
        if session is not None and entity in session.entities:
            try:
                await session.refresh()
                return session.states.get(entity)
            except HomeAssistantFailed:
                session.end("it gave no answer when it was asked for one")
        credentials = await self._credentials_for_rest()
        try:
            state = await self._rest.read(entity, credentials.token, credentials.tls)
        except TokenRefused:
            self._refused = credentials.token
            raise
        self._accept()
        before = self._known_before().get(entity)
        if before is not None and state is not None and state.state != before.state:
            raise HomeAssistantFailed("it ended the connection: what became of the panel it tells over the next")
        return state

    async def call(self, service: str, data: Mapping[str, object]) -> None:
        """Call a service of alarm panels, once.

        Args:
            service: such as `alarm_arm_away`.
            data: what goes with it, `entity_id` at least.

        Raises:
            Refused: it says that it did not do so.
            HomeAssistantFailed: it was not reached, or its answer was lost: nobody knows whether it did.

        Cancellation: at any time; it may have been called.
        """
        session = await self._standing()
        if session is not None:
            context = await session.call(service, data)
            if context is not None:
                self._calls.append(context)
            return
        credentials = await self._credentials_for_rest()
        try:
            await self._rest.call(service, data, credentials.token, credentials.tls)
        except TokenRefused:
            self._refused = credentials.token
            raise

    async def changed(self, entity: str) -> None:
        """Return once there may be something new of an entity, or how it is reached: without a WebSocket, soon."""
        if self.is_connected:
            await self._entities[entity].wait()
        else:
            with trio.move_on_after(self._limits.poll_s):
                await self._changed.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep the WebSocket up; `started` at once, since an instance that is away must not keep anybody from starting.

        Cancellation: at any time.
        """
        self._is_first = True
        task_status.started()
        failures = 0
        try:
            while True:
                stood_s = await self._connect()
                failures = 0 if stood_s >= STEADY_S else failures + 1
                await self._pause(failures)
        finally:
            self._is_first = False

    async def _pause(self, failures: int) -> None:
        if self._refused is None:
            await trio.sleep(pause_s(failures, self._chance))
        if self._refused is not None:  # meanwhile perhaps, over REST
            self._accepted = trio.Event()
            with trio.move_on_after(self._limits.refused_s):
                await self._accepted.wait()

    async def _connect(self) -> float:
        """Connect, and stay until the connection is lost; return for how many seconds it stood."""
        carrier: trio.SocketStream | None = None
        self._connected_at = None
        try:
            credentials = await self._credentials()
            stream, carrier = await dial(self.instance.host, self.instance.port, credentials.tls, self._limits.answer_s)
            self._session = await self._greet(stream, credentials.token)
            await self._session.run(self._on_established)
            self._remember(self._session)
            self._tell(self._session.reason or self._trouble)
        except (DialFailed, HomeAssistantFailed) as error:
            self._tell(str(error))
        finally:
            self._session = None
            self._change()
            if carrier is not None:
                await cut(carrier)
        return 0.0 if self._connected_at is None else trio.current_time() - self._connected_at

    def _remember(self, session: Session) -> None:
        """Keep what was so to the end of a session, where that is certain."""
        told = session.states if session.has_told_all else {}
        self._before = {entity: state for entity, state in told.items() if entity in self._forgetful}
        self._ended_at = trio.current_time()

    def _known_before(self) -> dict[str, State]:
        """Return what was so to the end of the session before; nothing when that is long ago."""
        return self._before if trio.current_time() < self._ended_at + STOPS_S else {}

    async def _greet(self, stream: trio.abc.Stream, token: str) -> Session:
        from trioarm.links.homeassistant.session import Session, Wanted
        from trioarm.links.homeassistant.websocket import Closed, WebSocket

        socket = WebSocket(stream, self._limits.answer_s)
        wanted = Wanted(entities=self._entities, before=self._known_before())
        session = Session(socket, wanted, self._limits, self._on_news)
        with trio.move_on_after(self._limits.answer_s):
            try:
                await socket.greet(self.instance.authority, self.instance.path_of("websocket"))
            except Closed as error:
                raise HomeAssistantFailed(str(error)) from None
            try:
                await session.authenticate(token)
            except TokenRefused:
                self._refused = token
                raise
            self._accept()
            return session
        raise HomeAssistantFailed(f"no answer within {self._limits.answer_s:g} s")

    async def _standing(self) -> Session | None:
        """Return the session if the WebSocket stands; the first attempt may come to its end, which is soon."""
        with trio.move_on_after(self._limits.answer_s):
            while self._is_first:
                await self._changed.wait()
        return self._session if self.is_connected else None

    async def _credentials_for_rest(self) -> _Credentials:
        """Return what a request needs, unless Home Assistant has refused it already."""
        credentials = await self._credentials()
        if credentials.token == self._refused:
            raise TokenRefused
        return credentials

    def _accept(self) -> None:
        """Know that the token of now is accepted."""
        self._refused = None
        self._accepted.set()

    async def _credentials(self) -> _Credentials:
        try:
            return await self._thread.run(partial(_read_credentials, self.instance))
        except (TrioarmError, OSError) as error:
            raise HomeAssistantFailed(f"the token: {line_of(error)}") from None
        except DialFailed as error:
            raise HomeAssistantFailed(str(error)) from None

    def _on_established(self) -> None:
        self._connected_at = trio.current_time()
        self._trouble = "the connection has been ended"  # what is true when nothing is said when it ends
        _log.info("connected to Home Assistant at %s", self.instance)
        self._change()

    def _on_news(self, entity: str) -> None:
        self._entities[entity].set()
        self._entities[entity] = trio.Event()

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("no WebSocket to Home Assistant at %s: %s", self.instance, trouble)

    def _change(self) -> None:
        self._is_first = False
        self._changed.set()
        self._changed = trio.Event()
        for entity in self._entities:
            self._on_news(entity)


def _read_credentials(instance: Instance) -> _Credentials:
    """Read what a connection needs. It blocks: call it in a thread."""
    token = instance.token()
    if not token.isascii() or not token.isprintable():
        raise HomeAssistantFailed("the token has characters that no header can hold")
    return _Credentials(token, make_context(instance.ca_file) if instance.is_encrypted else None)
