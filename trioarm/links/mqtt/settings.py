"""A broker as it is configured, `[mqtt.NAME]`, and the link that is made of that."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from secrets import token_hex

import attrs

from trioarm.links.mqtt.broker import KEEPALIVE_S, Broker, Tls, Version
from trioarm.links.mqtt.link import Mqtt
from trioarm.links.secrets import SecretRef, read_key


@attrs.frozen(slots=True, kw_only=True)
class MqttBroker:
    """Settings of a broker: `[mqtt.NAME]`. Whatever is reached by the same one, and stays, shares one link.

    Args:
        name: as configured.
        host: name or address.
        port: 1883 unless given, 8883 with TLS.
        tls: whether the connection is encrypted, and the broker's certificate checked.
        ca_file: certificates in PEM format that may have signed it; None for those that the system trusts.
        username: None to give none.
        password: None to give none.
        version: of MQTT.
        keepalive_s: for how long nothing may be said before a sign of life is asked for.
        client_id: what the name we have there begins with; each connection that stays adds an end of its own.
    """

    name: str
    host: str
    port: int | None = None
    tls: bool = False
    ca_file: str | None = None
    username: str | None = None
    password: SecretRef | None = None
    version: Version = Version.V3_1_1
    keepalive_s: float = KEEPALIVE_S
    client_id: str = "trioarm"


def make_link(broker: MqttBroker, *, speaks_apart: bool = False) -> Mqtt:
    """Return a link to a broker, which has yet to be run.

    Args:
        broker: as configured.
        speaks_apart: see `Mqtt`; without need where nothing is subscribed to.

    Raises:
        MqttFailed: paho-mqtt is not installed; the line says what to install.
    """
    tls = Tls(ca_file=None if broker.ca_file is None else Path(broker.ca_file)) if broker.tls else None
    settings = Broker(
        host=broker.host,
        tls=tls,
        username=broker.username,
        password=None if broker.password is None else partial(read_key, broker.password, "password"),
        client_id=f"{broker.client_id}-{token_hex(6)}",
        version=broker.version,
        keepalive_s=broker.keepalive_s,
    )
    at = settings if broker.port is None else attrs.evolve(settings, port=broker.port)
    return Mqtt(at, speaks_apart=speaks_apart)
