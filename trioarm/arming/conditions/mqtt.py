"""A condition that is what was published last on a topic (A4.5).

As with panels, what was heard over a connection that is lost is not believed any more. Of a topic one message is kept,
however many come.
"""

from __future__ import annotations

from typing import Final

import trio

from trioarm.arming.conditions.base import understood, unknown
from trioarm.arming.conditions.settings import MqttCondition
from trioarm.arming.conditions.verdict import Answer, Truth
from trioarm.arming.panels.answers import Unclear, word_of
from trioarm.arming.panels.mqtt_words import answer_in
from trioarm.core.instants import SECOND, render_duration
from trioarm.core.reading import show
from trioarm.engine.ports import Clock
from trioarm.links.mqtt import Message, Mqtt
from trioarm.links.mqtt.broker import PAYLOAD_MAX
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import masking_of, references

REASON_MAX: Final = 300  # characters of what went wrong, some of them the publisher's


class MqttSource:
    """Listens to a topic. Implements `trioarm.arming.conditions.base.Source`.

    Args:
        settings: as configured.
        broker: where the topic is.
        link: to it.
        clock: what time it is.

    Raises:
        ValueError: its broker has too many topics.
    """

    def __init__(self, settings: MqttCondition, broker: MqttBroker, link: Mqtt, clock: Clock) -> None:
        self._settings = settings
        self._broker = broker
        self._link = link
        self._clock = clock
        self._heard_at: int | None = None  # when the latest message was published; None where nobody knows
        self._news = trio.Event()
        self._subscription = link.subscribe(settings.topic, self._heed)

    async def ask(self) -> Answer:
        """Return what the latest message of the present connection means.

        A connection is waited for, and what a new one brings, each within `timeout_s`; where that was in vain already,
        nothing is waited for.

        Cancellation: at any checkpoint.
        """
        timeout_s = self._settings.timeout_s
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(timeout_s if self._link.steady_s < timeout_s else 0):
            while not self._is_known():
                await self._link.wait_news(self._news)
        answer, mask = self._answer(), masking_of(references(self._broker).values())
        if answer.truth is not Truth.UNKNOWN:
            return answer
        return unknown(f"mqtt {self._broker.name}: {mask(answer.why)[:REASON_MAX]}")

    def _heed(self, message: Message) -> bool:
        self._heard_at = None if message.is_retained else self._clock.look()
        self._news.set()
        self._news = trio.Event()
        return True

    def _is_known(self) -> bool:
        """Whether there is an answer, or it is known that there is none."""
        heard = self._subscription
        said = heard.latest(self._settings.topic) or heard.refusal or heard.unheeded
        return self._link.is_connected and said is not None

    def _answer(self) -> Answer:
        settings, heard = self._settings, self._subscription
        if not self._link.is_connected:
            return unknown(f"not connected: {self._link.trouble}")
        if heard.refusal is not None:
            return unknown(f"it does not tell of {settings.topic}: {heard.refusal}")
        message = heard.latest(settings.topic)
        if message is None and heard.unheeded is not None:
            return unknown(f"the message on {settings.topic} has more than {PAYLOAD_MAX} bytes")
        if message is None:
            return unknown(f"nothing is retained on {settings.topic}, nor was anything heard there")
        return self._too_old() or self._meaning(message)

    def _too_old(self) -> Answer | None:
        """Return that nobody can tell because the latest message is old, or may be; None where it is not."""
        most_s, topic = self._settings.max_age_s, self._settings.topic
        if most_s is None:
            return None
        if self._heard_at is None:
            return unknown(f"what is retained on {topic} may be old, and max_age is {render_duration(most_s)}")
        age_s = (self._clock.look() - self._heard_at) / SECOND
        if 0 <= age_s <= most_s:
            return None
        if age_s < 0:
            return unknown(f"the clock was set back since {topic} told something, so nobody knows how old it is")
        return unknown(
            f"{topic} told nothing for {render_duration(round(age_s))}, and max_age is {render_duration(most_s)}"
        )

    def _meaning(self, message: Message) -> Answer:
        settings, mask = self._settings, masking_of(references(self._broker).values())
        try:
            answer = answer_in(message.payload, settings.path, mask)
            word = word_of(answer, settings.path, settings.path or "message", mask)
        except Unclear as error:
            return unknown(f"{settings.topic}: {error}")
        return understood(word, settings.yes, settings.no, f"{settings.topic} says {show(mask(word))}")
