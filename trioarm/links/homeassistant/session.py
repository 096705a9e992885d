"""A session: one WebSocket to Home Assistant, from the token to its end. Nothing that it told outlives it.

What Home Assistant sends comes in the order in which it happened. So once it has answered a ping, what is known here of
an entity is what it was when the ping arrived there: that is a fresh look, for the price of a few bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Final

import attrs
import trio

from trioarm.links.homeassistant.instance import HomeAssistantFailed, Limits, Refused, TokenRefused
from trioarm.links.homeassistant.states import (
    AWAY,
    Garbled,
    State,
    as_changed,
    context_of,
    parsed,
    read_all,
    state_of,
    table_of,
    was_away,
)
from trioarm.links.homeassistant.websocket import Closed, WebSocket

SUBSCRIBE: Final = {
    "type": "subscribe_events",
    "event_type": "state_changed",
}  # for users who are no administrator, too
STARTED: Final = "homeassistant_started"
HEAR_OF_START: Final = {"type": "subscribe_events", "event_type": STARTED}  # for administrators alone
GET_CONFIG: Final = {"type": "get_config"}
STARTING: Final = frozenset({"NOT_RUNNING", "STARTING"})  # what it is while it puts entities back
GET_STATES: Final = {"type": "get_states"}
STATES_MAX: Final = 8 * 1024 * 1024  # characters of what it says first: all states, of ten thousand entities
MESSAGE_MAX: Final = 1024 * 1024  # characters of any other message
SAID_MAX: Final = 1_000  # characters that are kept of a refusal


@attrs.define(slots=True, eq=False)
class _Answer:
    """What it says to one thing asked of it; nothing, if the session ends first."""

    message: Mapping[str, object] | None = None
    has_come: trio.Event = attrs.Factory(trio.Event)


@attrs.frozen(slots=True, kw_only=True)
class Wanted:
    """What a session is for.

    Args:
        entities: those whose states are kept; of all others nothing is.
        before: what those of them that forget what they were, when Home Assistant is started anew, were up to its end;
            nothing where that is not certain.
    """

    entities: Collection[str]
    before: Mapping[str, State] = attrs.Factory(dict)


class Session:
    """A session.

    Args:
        socket: which has been greeted.
        wanted: what it is for.
        limits: of its patience.
        on_news: called with the entity of which there is something new.

    Attributes:
        states: of the entities, as far as they are told.
        is_established: whether all of them are.
        reason: why it ended; None while it has not.
        has_told_all: whether it was ended by the other side, after which nothing is missing that was told.
    """

    def __init__(self, socket: WebSocket, wanted: Wanted, limits: Limits, on_news: Callable[[str], None]) -> None:
        self.states: dict[str, State] = {}
        self.is_established = False
        self.reason: str | None = None
        self.has_told_all = False
        self._socket = socket
        self._wanted = wanted
        self.entities = frozenset(wanted.entities)
        self._began_in_start = False
        self._has_started = False
        self._limits = limits
        self._on_news = on_news
        self._answers: dict[int, _Answer] = {}
        self._asked = 0
        self._states_number = 0
        self._scope = trio.CancelScope()

    def end(self, reason: str) -> None:
        """End it; the first reason is the one that counts."""
        if self.reason is None:
            self.reason = reason
        self.is_established = False
        self._scope.cancel()

    async def authenticate(self, token: str) -> None:
        """Show the token.

        Raises:
            TokenRefused: it is not accepted.
            HomeAssistantFailed: it does not answer as it should, or not in time.
        """
        with trio.move_on_after(self._limits.answer_s):
            try:
                await self._expect("auth_required")
                await self._socket.send(json.dumps({"type": "auth", "access_token": token}))
                await self._expect("auth_ok")
                return
            except (Closed, Garbled) as error:
                raise HomeAssistantFailed(str(error)) from None
        raise HomeAssistantFailed(_silent(self._limits))

    async def _expect(self, kind: str) -> None:
        told = table_of(parsed(await self._socket.receive(MESSAGE_MAX)), "a message")
        if told.get("type") == "auth_invalid":
            raise TokenRefused
        if told.get("type") != kind:
            raise Garbled("it does not answer as Home Assistant does")

    async def run(self, on_established: Callable[[], None]) -> None:
        """Hear what it tells until it ends.

        Args:
            on_established: called once every state that matters is known.

        Cancellation: at any time; then there is no `reason`.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    try:
                        await self._find_out_whether_it_starts()
                        await self._ask(SUBSCRIBE)
                        self._states_number = self._asked + 1
                        await self._ask(GET_STATES)
                    except (HomeAssistantFailed, Refused) as error:
                        self.end(str(error))
                    if self.reason is None:
                        self.is_established = True
                        on_established()
                        await self._keep_alive()
        finally:
            self.is_established = False
            for answer in self._answers.values():
                answer.has_come.set()
            self._answers.clear()

    async def _find_out_whether_it_starts(self) -> None:
        """Ask whether it is just starting, once it is certain to tell when it has started."""
        if not self._wanted.before:
            return
        try:
            await self._ask(HEAR_OF_START)
            config = (await self._ask(GET_CONFIG)).get("result")
        except Refused:
            return  # to whom it does not tell, nothing can be told apart
        self._began_in_start = isinstance(config, dict) and config.get("state") in STARTING

    async def refresh(self) -> None:
        """Return once `states` are as of now.

        Raises:
            HomeAssistantFailed: it does not answer.
        """
        try:
            await self._ask({"type": "ping"})
        except Refused as error:
            raise HomeAssistantFailed(f"it refuses a ping: {error.code}") from None

    async def call(self, service: str, data: Mapping[str, object]) -> str | None:
        """Call a service of alarm panels, once, and return the name of the context that what it changes will have.

        Raises:
            Refused: it says that it did not do so.
            HomeAssistantFailed: it does not answer: nobody knows whether it did.

        Cancellation: at any time; it may have been called.
        """
        call = {"type": "call_service", "domain": "alarm_control_panel", "service": service}
        answer = await self._ask({**call, "service_data": dict(data)})
        result = answer.get("result")
        return context_of(result.get("context")) if isinstance(result, dict) else None

    async def _ask(self, message: Mapping[str, object]) -> Mapping[str, object]:
        """Send something and return the answer to it."""
        self._asked += 1
        number, answer = self._asked, _Answer()
        self._answers[number] = answer
        try:
            with trio.move_on_after(self._limits.answer_s):
                await self._socket.send(json.dumps({"id": number, **message}))
                await answer.has_come.wait()
                return _checked(answer.message, self.reason)
        except Closed as error:
            self.end(str(error))
            raise HomeAssistantFailed(str(error)) from None
        finally:
            self._answers.pop(number, None)
        raise HomeAssistantFailed(_silent(self._limits))

    async def _keep_alive(self) -> None:
        while True:
            await trio.sleep(self._limits.quiet_s)
            try:
                await self.refresh()
            except HomeAssistantFailed as error:
                self.end(f"it gives no sign of life: {error}")

    # What is heard

    async def _read(self) -> None:
        try:
            while True:
                most = MESSAGE_MAX if self.is_established else STATES_MAX
                self._hear(table_of(parsed(await self._socket.receive(most)), "a message"))
        except Closed as error:
            self.has_told_all = error.in_order and self.reason is None
            self.end(str(error))
        except Garbled as error:
            self.end(str(error))

    def _hear(self, told: Mapping[str, object]) -> None:
        number = told.get("id")
        if told.get("type") == "event":
            self._hear_event(told.get("event"))
        elif isinstance(number, int) and (answer := self._answers.pop(number, None)) is not None:
            if number == self._states_number and told.get("success") is True:  # here, in the order in which it came
                states = read_all(told.get("result"), self.entities)
                self.states = {entity: self._put_back(entity, state) for entity, state in states.items()}
                answer.message = {"success": True}
            else:
                answer.message = told
            answer.has_come.set()

    def _hear_event(self, event: object) -> None:
        if isinstance(event, dict) and event.get("event_type") == STARTED:
            self._has_started = True
        data = event.get("data") if isinstance(event, dict) else None
        entity = data.get("entity_id") if isinstance(data, dict) else None
        if not isinstance(entity, str) or entity not in self.entities or not isinstance(data, dict):
            return
        new = data.get("new_state")
        if new is None:  # it was removed
            self.states.pop(entity, None)
        else:
            self.states[entity] = self._followed(data.get("old_state"), state_of(new), entity)
        self._on_news(entity)

    def _followed(self, old: object, new: State, entity: str) -> State:
        """Return a new state; one whose attributes alone changed is as old as it was, and made so by the same."""
        known = self.states.get(entity)
        if known is not None and isinstance(old, dict) and old.get("state") == new.state == known.state:
            return attrs.evolve(
                new, changed_at=known.changed_at, context=known.context, is_fallen_back=known.is_fallen_back
            )
        changed = as_changed(old, new)
        return self._put_back(entity, changed) if was_away(old) else changed

    def _put_back(self, entity: str, state: State) -> State:
        """Return a state that was put back, which a start of Home Assistant made other than it was, or nobody knows."""
        before = self._wanted.before.get(entity)
        is_starting = self._began_in_start and not self._has_started
        if not is_starting or before is None or {before.state, state.state} & AWAY or before.state == state.state:
            return state
        return attrs.evolve(state, is_fallen_back=True)


def _checked(message: Mapping[str, object] | None, reason: str | None) -> Mapping[str, object]:
    """Return an answer that is no refusal."""
    if message is None:
        raise HomeAssistantFailed(reason or "the connection was ended")
    if message.get("type") == "pong" or message.get("success") is True:
        return message
    error = message.get("error")
    told = error if isinstance(error, dict) else {}
    raise Refused(_text(told.get("code")) or "unknown_error", _text(told.get("message")))


def _text(value: object) -> str:
    return value[:SAID_MAX] if isinstance(value, str) else ""


def _silent(limits: Limits) -> str:
    return f"no answer within {limits.answer_s:g} s"
