"""Dialling a broker: what is read before each connection, and the connection, or one line that says why not."""

from __future__ import annotations

import ssl

import attrs
import trio

from trioarm.core.errors import TrioarmError
from trioarm.links import dial as lines
from trioarm.links.dial import DialFailed, Stream, line_of, make_context
from trioarm.links.mqtt.broker import Broker, MqttFailed


@attrs.frozen(slots=True)
class Credentials:
    """What is read before each connection, from files or from whatever keeps secrets.

    Args:
        password: None to give none.
        tls: None for a connection that is not encrypted.
    """

    password: str | None = attrs.field(repr=False)
    tls: ssl.SSLContext | None


def read_credentials(broker: Broker) -> Credentials:
    """Read what a connection needs. It blocks: call it in a thread.

    Raises:
        MqttFailed: the password or the certificates cannot be read.
    """
    try:
        password = broker.password() if callable(broker.password) else broker.password
    except (TrioarmError, OSError) as error:
        raise MqttFailed(f"the password: {line_of(error)}") from None
    if password is not None and not _is_text(password):
        raise MqttFailed("the password cannot be sent as UTF-8, or is too long") from None
    try:
        return Credentials(password, None if broker.tls is None else make_context(broker.tls.ca_file))
    except DialFailed as error:
        raise MqttFailed(str(error)) from None


async def dial(broker: Broker, tls: ssl.SSLContext | None, within_s: float) -> tuple[Stream, trio.SocketStream]:
    """Return a connection to a broker: what is spoken over, and what carries it.

    Raises:
        MqttFailed: there is none in time.

    Cancellation: at once.
    """
    try:
        return await lines.dial(broker.host, broker.port, tls, within_s)
    except DialFailed as error:
        raise MqttFailed(str(error)) from None


def _is_text(text: str) -> bool:
    try:
        return len(text.encode()) <= 65_535
    except UnicodeEncodeError:
        return False
