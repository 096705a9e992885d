"""systemd: tells a supervisor how the node is, in the protocol of sd_notify, and gives the signs of life it waits for.

A message is one datagram on a socket that the environment names, so no library is needed. Nothing here can stop a
node, or keep it waiting: what cannot be delivered is lost, after one warning.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Final

import trio

SOCKET_ENV: Final = "NOTIFY_SOCKET"
WATCHDOG_ENV: Final = "WATCHDOG_USEC"
WATCHDOG_PID_ENV: Final = "WATCHDOG_PID"
WATCHDOG_SHARE: Final = 0.4  # of the time allowed between two signs of life: one may be late and the next still counts
STATUS_MAX: Final = 200  # characters of a status; `systemctl status` shows one line

_MICROSECONDS: Final = re.compile(r"[0-9]{1,18}")

_log = logging.getLogger("trioarm.systemd")


class ServiceManager:
    """Whoever started this process and wants to be told how it is; nobody, when no socket is named.

    Args:
        address: of its datagram socket: a path, or a name that begins with `@`; None when nobody wants to be told.
        watchdog_s: the longest time between two signs of life before it kills the process; None when it waits for none.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._warned = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> ServiceManager:
        """Take what it said out of an environment, so that programs of handlers do not speak in the node's name."""
        address = environ.pop(SOCKET_ENV, "") or None
        allowed, pid = environ.pop(WATCHDOG_ENV, ""), environ.pop(WATCHDOG_PID_ENV, "")
        ours = pid in ("", str(os.getpid()))
        watchdog_s = int(allowed) / 1e6 if ours and _MICROSECONDS.fullmatch(allowed) else 0.0
        return cls(address, watchdog_s or None)

    def ready(self, status: str) -> None:
        """Say that the node is ready, or that it has read its configuration again."""
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` says when that is over."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", _status("reading the configuration"))

    def stopping(self, status: str, within_s: float) -> None:
        """Say that the node begins to stop, and how long that may take at most."""
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(within_s * 1e6)}", _status(status))

    async def keep_watch(self, alive: Callable[[], bool]) -> None:
        """Give a sign of life as often as is waited for, while `alive`; return at once when none is waited for.

        Cancellation: between two signs.
        """
        if self._address is None or self._watchdog_s is None:
            return
        while True:
            if alive():
                self._tell("WATCHDOG=1")
            await trio.sleep(self._watchdog_s * WATCHDOG_SHARE)

    def _tell(self, *assignments: str) -> None:
        if self._address is None:
            return
        try:
            self._send("\n".join(assignments).encode())
        except (OSError, ValueError) as error:  # ValueError: what is no address at all
            if not self._warned:
                self._warned = True
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                _log.warning("%s %s cannot be told how the node is: %s", SOCKET_ENV, self._address, reason)

    def _send(self, message: bytes) -> None:
        address = self._address or ""
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            raise ValueError("only sockets with a path or an abstract name are known")
        path = os.fsencode(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message, b"\0" + path[1:] if address.startswith("@") else path)


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:STATUS_MAX]}"
