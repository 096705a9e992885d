"""REST: one state read, one service called, for as long as there is no WebSocket. Each request stands for itself.

What is read so has no instant: that is when Home Assistant put the state back after a start, as often as not, and
nothing in the answer tells which.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import attrs

from trioarm.links.homeassistant.instance import HomeAssistantFailed, Instance, Limits, Refused, TokenRefused
from trioarm.links.homeassistant.states import Garbled, State, parsed, state_of
from trioarm.links.web import Answer, Web, WebFailed
from trioarm.links.web import Limits as WebLimits

SIZE_MAX: Final = 256 * 1024  # bytes of an answer: one state, or the states that a service changed
SAID_MAX: Final = 1_000  # characters that are kept of a refusal


class Rest:
    """Requests to an instance.

    Args:
        instance: whom.
        limits: of its patience.
    """

    def __init__(self, instance: Instance, limits: Limits) -> None:
        self._instance = instance
        self._web = Web(WebLimits(deadline_s=limits.answer_s, redirects=0, size=SIZE_MAX))

    async def read(self, entity: str, token: str, tls: ssl.SSLContext | None) -> State | None:
        """Return the state of an entity, without an instant; None where there is no such entity.

        Raises:
            TokenRefused: it does not accept the token.
            HomeAssistantFailed: it does not answer, or not as it should.
        """
        url = self._instance.url_of(f"states/{quote(entity, safe='')}")
        try:
            answer = await self._web.get(url, _bearer(token), tls=tls)
        except WebFailed as error:
            raise HomeAssistantFailed(str(error)) from None
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise _failure(answer)
        try:
            return attrs.evolve(state_of(parsed(answer.body)), changed_at=None)
        except Garbled as error:
            raise HomeAssistantFailed(str(error)) from None

    async def call(self, service: str, data: Mapping[str, object], token: str, tls: ssl.SSLContext | None) -> None:
        """Call a service of alarm panels, once.

        Raises:
            Refused: it says that it did not do so.
            HomeAssistantFailed: it does not answer, or not as it should: nobody knows whether it did.

        Cancellation: at once; what was not sent by then is not sent any more.
        """
        url = self._instance.url_of(f"services/alarm_control_panel/{service}")
        headers = {"Content-Type": "application/json", **_bearer(token)}
        try:
            answer = await self._web.post(url, json.dumps(data).encode(), headers, tls=tls)
        except WebFailed as error:
            raise HomeAssistantFailed(str(error)) from None
        if answer.status == HTTPStatus.UNAUTHORIZED:
            await self.read(str(data["entity_id"]), token, tls)  # raises if the token is what it refuses
            raise Refused("unauthorized", "the user of the token may not do so")
        if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR):
            raise Refused(_status(answer), answer.body[:SAID_MAX].decode(errors="replace"))
        if not 200 <= answer.status < 300:
            raise _failure(answer)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _failure(answer: Answer) -> HomeAssistantFailed:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return TokenRefused()
    if answer.status == HTTPStatus.FORBIDDEN:
        return HomeAssistantFailed(f"{_status(answer)}: it may have banned this machine, see ip_bans.yaml there")
    return HomeAssistantFailed(_status(answer))


def _status(answer: Answer) -> str:
    try:
        return f"the answer is {answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return f"the answer is {answer.status}"
