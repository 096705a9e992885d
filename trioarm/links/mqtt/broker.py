"""A broker: where it is, how it is spoken to, and what it is to say of us when we are gone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs
from attrs.validators import ge, le

from trioarm.links.mqtt.topics import check_topic

PORT: Final = 1883
TLS_PORT: Final = 8883
PAYLOAD_MAX: Final = 64 * 1024  # bytes of a message, either way: a state has twenty, an announcement some thousand
NAME_MAX: Final = 256  # characters of a client's name or a user's
KEEPALIVE_S: Final = 30.0  # with ten seconds for an answer, a dead connection is noticed within the minute
KEEPALIVE_S_MIN: Final = 1.0
KEEPALIVE_S_MAX: Final = 3600.0


class MqttFailed(Exception):
    """A message was not acknowledged, or there is no connection; one line, without what we authenticate with."""


class Version(StrEnum):
    """Which MQTT is spoken."""

    V3_1_1 = "3.1.1"
    V5 = "5"


@attrs.frozen(slots=True, kw_only=True)
class Will:
    """A message that says that we are gone: told by us when we leave, and by the broker when it loses us.

    Args:
        topic: where.
        payload: what.
        retain: whether it stays until the next one.

    Raises:
        InvalidTopic: the topic is none.
        ValueError: the payload is too large.
    """

    topic: str = attrs.field(validator=lambda _, __, value: check_topic(value))
    payload: bytes = attrs.field(validator=lambda _, __, value: check_payload(value))
    retain: bool = True


@attrs.frozen(slots=True, kw_only=True)
class Tls:
    """What a broker's certificate must be signed by. The name in it is always that of the host.

    Args:
        ca_file: certificates in PEM format; None for those that the system trusts.
    """

    ca_file: Path | None = None


def _name(_: object, attribute: attrs.Attribute[str], value: str | None) -> None:
    if value is not None and not (0 < len(value) <= NAME_MAX and value.isprintable()):
        raise ValueError(f"{attribute.name} has 1 to {NAME_MAX} printable characters")


@attrs.frozen(slots=True, kw_only=True)
class Broker:
    """A broker and how we connect to it. Shown, it is its address.

    Args:
        host: name or address.
        port: 1883 unless given, 8883 with TLS.
        tls: None for a connection that anybody on the way can read.
        username: None to give none.
        password: or what returns it, called in a thread before each connection, so that a new one is taken without a
            restart; it may raise TrioarmError or OSError, whose line is shown.
        client_id: a broker has one client of a name, and drops the older of two; a new name per boot unless given.
        version: of MQTT.
        keepalive_s: for how long nothing may be said before a sign of life is asked for.
        will: None for none.

    Raises:
        ValueError: something of it is not so.
    """

    host: str = attrs.field(validator=_name)
    tls: Tls | None = None
    port: int = attrs.field(validator=[ge(1), le(65_535)])
    username: str | None = attrs.field(default=None, validator=_name)
    password: str | Callable[[], str] | None = attrs.field(default=None, repr=False)
    client_id: str = attrs.field(factory=lambda: f"trioarm-{secrets.token_hex(6)}", validator=_name)
    version: Version = Version.V3_1_1
    keepalive_s: float = attrs.field(default=KEEPALIVE_S, validator=[ge(KEEPALIVE_S_MIN), le(KEEPALIVE_S_MAX)])
    will: Will | None = None

    @port.default
    def _usual_port(self) -> int:
        return PORT if self.tls is None else TLS_PORT

    @password.validator
    def _has_a_user(self, _: object, value: object) -> None:
        if value is not None and self.username is None:
            raise ValueError("a password is given without a username")

    def __str__(self) -> str:
        """Return the address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """How long a broker may take for something.

    Args:
        dial_s: to be found and connected to, all its addresses tried, the handshake of TLS included.
        answer_s: to answer anything but a publish, whose time its sender knows.
        send_s: to take what is sent.
        goodbye_s: to hear our last words and acknowledge them.
    """

    dial_s: float = 10.0
    answer_s: float = 10.0
    send_s: float = 10.0
    goodbye_s: float = 1.0


def check_payload(payload: bytes) -> bytes:
    """Return a payload that is sent.

    Raises:
        ValueError: it is too large.
    """
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"the payload has {len(payload)} bytes: {PAYLOAD_MAX} at most")
    return payload
