"""ntfy: a message is published to a topic of https://ntfy.sh, or of a server of one's own."""

from __future__ import annotations

import json
from typing import Final

from trioarm.core.alerts import Severity
from trioarm.core.jsonable import Json
from trioarm.links.secrets import SecretUnreadable
from trioarm.links.signing import bearer
from trioarm.links.web import Limits, Web, WebFailed
from trioarm.notify.channels.answers import answer_of
from trioarm.notify.channels.base import Answer, Refused, TryAgain
from trioarm.notify.message import Message
from trioarm.notify.model import NtfyWay

PICTURES: Final = {Severity.NOTICE: "bell", Severity.WARNING: "warning", Severity.ERROR: "rotating_light"}
OVER: Final = "white_check_mark"
OVER_PRIORITY: Final = 2  # no sound
TEXT_MAX: Final = 3_500  # bytes: of 4 096 and more the server would make an attachment


class NtfyChannel:
    """Publishes messages. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
        timeout_s: how long the server may take.
    """

    def __init__(self, way: NtfyWay, timeout_s: float) -> None:
        self._way = way
        self._web = Web(Limits(deadline_s=timeout_s, redirects=0))

    async def send(self, message: Message) -> Answer:
        """Publish one message."""
        picture = OVER if message.over else PICTURES[message.severity]
        tags: list[Json] = [picture, *self._way.tags]
        form: dict[str, Json] = {
            "topic": self._way.topic,
            "title": message.title,
            "message": message.text.encode()[:TEXT_MAX].decode(errors="ignore"),
            "priority": OVER_PRIORITY if message.over else self._way.priority[message.severity],
            "tags": tags,
        }
        try:
            headers = {"Content-Type": "application/json", **bearer(self._way.token)}
        except SecretUnreadable as error:
            return Refused(str(error))
        try:
            return answer_of((await self._web.post(self._way.url, json.dumps(form).encode(), headers)).status)
        except WebFailed as error:
            return TryAgain(str(error))
