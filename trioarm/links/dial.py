"""Dialling: from a host and a port to a stream of bytes, encrypted or not, or one line that says why not."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

_NO_LINGER: Final = struct.pack("ii", 1, 0)

Stream = trio.abc.Stream


class DialFailed(Exception):
    """There is no connection; one line."""


def make_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what a server's certificate is judged by. It reads files: call it in a thread.

    Args:
        ca_file: certificates in PEM format; None for those that the system trusts.

    Raises:
        DialFailed: they cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        raise DialFailed(f"TLS: certificates of {ca_file or 'the system'}: {line_of(error)}") from None


async def dial(host: str, port: int, tls: ssl.SSLContext | None, within_s: float) -> tuple[Stream, trio.SocketStream]:
    """Return a connection to a server: what is spoken over, and what carries it.

    Raises:
        DialFailed: there is none in time.

    Cancellation: at once.
    """
    with trio.move_on_after(within_s):
        try:
            carrier = await trio.open_tcp_stream(host, port)
        except OSError as error:
            raise DialFailed(_reason(error)) from None
        except UnicodeError as error:
            raise DialFailed(f"the name is none: {line_of(error)}") from None
        if tls is None:
            return carrier, carrier
        stream = trio.SSLStream(carrier, tls, server_hostname=host, https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError as error:
            await trio.aclose_forcefully(carrier)
            raise DialFailed(f"TLS: {line_of(error.__cause__ or error)}") from None
        except BaseException:
            await trio.aclose_forcefully(carrier)
            raise
        return stream, carrier
    raise DialFailed(f"no connection within {within_s:g} s")


async def cut(carrier: trio.SocketStream) -> None:
    """End a connection so that nothing of what the system still holds of it is sent."""
    with suppress(OSError, trio.ClosedResourceError):  # it is closed already
        carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    await trio.aclose_forcefully(carrier)


def line_of(error: BaseException) -> str:
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


def _reason(error: OSError) -> str:
    """Return what went wrong with the first address that was tried."""
    causes = error.__cause__
    if isinstance(causes, BaseExceptionGroup):
        return line_of(causes.exceptions[0])
    if isinstance(error, socket.gaierror):
        return f"the name is not found: {line_of(error)}"
    return line_of(error)
