"""Dialling: from the address of a broker to a stream of bytes, encrypted or not, or one line that says why not."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from contextlib import suppress
from typing import Final

import attrs
import trio

from trioarm.core.errors import TrioarmError
from trioarm.links.mqtt.broker import Broker, MqttFailed, Tls

_NO_LINGER: Final = struct.pack("ii", 1, 0)

Stream = trio.abc.Stream


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
        raise MqttFailed(f"the password: {_line(error)}") from None
    if password is not None and not _is_text(password):
        raise MqttFailed("the password cannot be sent as UTF-8, or is too long") from None
    return Credentials(password, None if broker.tls is None else _make_context(broker.tls))


async def dial(broker: Broker, tls: ssl.SSLContext | None, within_s: float) -> tuple[Stream, trio.SocketStream]:
    """Return a connection to a broker: what is spoken over, and what carries it.

    Raises:
        MqttFailed: there is none in time.

    Cancellation: at once.
    """
    with trio.move_on_after(within_s):
        try:
            carrier = await trio.open_tcp_stream(broker.host, broker.port)
        except OSError as error:
            raise MqttFailed(_reason(error)) from None
        except UnicodeError as error:
            raise MqttFailed(f"the name is none: {_line(error)}") from None
        if tls is None:
            return carrier, carrier
        stream = trio.SSLStream(carrier, tls, server_hostname=broker.host, https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError as error:
            await trio.aclose_forcefully(carrier)
            raise MqttFailed(f"TLS: {_line(error.__cause__ or error)}") from None
        except BaseException:
            await trio.aclose_forcefully(carrier)
            raise
        return stream, carrier
    raise MqttFailed(f"no connection within {within_s:g} s")


async def cut(carrier: trio.SocketStream) -> None:
    """End a connection so that nothing of what the system still holds of it is sent."""
    with suppress(OSError, trio.ClosedResourceError):  # it is closed already
        carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    await trio.aclose_forcefully(carrier)


def _make_context(tls: Tls) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:  # SSLError is one
        raise MqttFailed(f"TLS: certificates of {tls.ca_file or 'the system'}: {_line(error)}") from None


def _is_text(text: str) -> bool:
    try:
        return len(text.encode()) <= 65_535
    except UnicodeEncodeError:
        return False


def _reason(error: OSError) -> str:
    """Return what went wrong with the first address that was tried."""
    causes = error.__cause__
    if isinstance(causes, BaseExceptionGroup):
        return _line(causes.exceptions[0])
    if isinstance(error, socket.gaierror):
        return f"the name is not found: {_line(error)}"
    return _line(error)


def _line(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"certificate verify failed: {error.verify_message}"
    elif isinstance(error, ssl.SSLError) and error.reason:
        said = error.reason.replace("_", " ").lower()
    elif isinstance(error, socket.gaierror) and error.strerror:
        said = error.strerror
    elif isinstance(error, OSError) and error.errno:
        said = os.strerror(error.errno)  # whose own text may name the address once more
    else:
        said = str(error)
    line = " ".join(said.split())
    return line[:1].lower() + line[1:] if line else type(error).__name__
