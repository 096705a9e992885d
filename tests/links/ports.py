"""A port to listen on again and again: one that the system gives to nobody who connects meanwhile."""

from __future__ import annotations

import errno
import random
import socket
from typing import Final

from tests.links.tls import HOST

PORTS: Final = range(12_000, 32_000)  # below those from which Linux and others take the ports of who connects
TRIES: Final = 100


def free_port() -> int:
    """Return a port that nobody listens on."""
    for port in random.sample(PORTS, TRIES):
        with socket.socket() as one:
            try:
                one.bind((HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
    raise ConnectionError(f"of {TRIES} ports none is free")
