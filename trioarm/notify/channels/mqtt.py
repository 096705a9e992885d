"""MQTT: a message is published on a topic, as the JSON that a webhook gets, and never retained.

It connects for each message. Messages are few, and so the channel works the same in a node, in `trioarm notify test`,
and while whatever else is at that broker is stuck.
"""

from __future__ import annotations

import json
from typing import Final

import trio

from trioarm.core.jsonable import Json
from trioarm.links.mqtt import Mqtt, MqttFailed
from trioarm.links.mqtt.broker import PAYLOAD_MAX
from trioarm.links.mqtt.settings import make_link
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain
from trioarm.notify.message import Message, form_of
from trioarm.notify.model import MqttWay

NOT_IN_TIME: Final = "the broker has not answered yet"


class MqttChannel:
    """Publishes messages. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
        timeout_s: how long the broker may take.
    """

    def __init__(self, way: MqttWay, timeout_s: float) -> None:
        self._way = way
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> Answer:
        """Publish one message; it is delivered once the broker has acknowledged it."""
        try:
            link = make_link(self._way.broker)
        except MqttFailed as error:
            return Refused(str(error))
        answer: Answer = TryAgain(NOT_IN_TIME)
        change = link.change
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            await change.wait()  # connected, or tried in vain: whoever sends tries again in a moment
            answer = await self._publish(link, _fitting(form_of(message)))
            nursery.cancel_scope.cancel()
        return answer

    async def _publish(self, link: Mqtt, payload: str) -> Answer:
        if link.trouble is not None:
            return TryAgain(f"not connected to the broker {link.broker}: {link.trouble}")
        try:
            await link.publish(self._way.topic, payload, within_s=self._timeout_s)
        except MqttFailed as error:
            return TryAgain(str(error))
        return Delivered()


def _fitting(form: dict[str, Json]) -> str:
    """Return a message as it is published: without the alerts one by one where these are more than fits."""
    payload = json.dumps(form)
    return payload if len(payload.encode()) <= PAYLOAD_MAX else json.dumps({**form, "alerts": []})
