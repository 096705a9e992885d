"""A webhook: a message is posted as JSON, signed as the commands of panels are (docs/panels-http.md)."""

from __future__ import annotations

import json
from typing import Final

from trioarm.core.web_urls import web_url
from trioarm.engine.ports import Clock
from trioarm.links.secrets import SecretRef, SecretUnreadable, read_key
from trioarm.links.signing import KEY_HEADER, bearer, signature
from trioarm.links.web import Limits, Web, WebFailed
from trioarm.notify.channels.answers import answer_of
from trioarm.notify.channels.base import Answer, Refused, TryAgain
from trioarm.notify.message import Message, form_of
from trioarm.notify.model import WebhookWay

SAMPLE: Final = "https://house.example/alerts"


class WebhookChannel:
    """Posts messages to an address. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
        timeout_s: how long the other side may take.
        clock: what messages are stamped by.
    """

    def __init__(self, way: WebhookWay, timeout_s: float, clock: Clock) -> None:
        self._way = way
        self._clock = clock
        self._web = Web(Limits(deadline_s=timeout_s, redirects=0))

    async def send(self, message: Message) -> Answer:
        """Post one message, under a key that is the same for what is posted again."""
        content = json.dumps(form_of(message)).encode()
        try:
            url = _url(self._way.url)
            headers = {
                "Content-Type": "application/json",
                KEY_HEADER: message.id,
                **bearer(self._way.token),
                **signature(self._way.secret, content, self._clock.look()),
            }
        except SecretUnreadable as error:
            return Refused(str(error))
        try:
            return answer_of((await self._web.post(url, content, headers)).status)
        except WebFailed as error:
            return TryAgain(str(error))


def _url(url: str | SecretRef) -> str:
    if isinstance(url, str):
        return url
    try:
        return web_url(read_key(url, "url"), SAMPLE)
    except ValueError:  # its words would show what is there
        raise SecretUnreadable(f"its url is no address of a web server: write it like {SAMPLE}") from None
