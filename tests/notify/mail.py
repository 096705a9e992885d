"""A real mail server for tests, on trio, on a port that the system chose: it keeps what it takes."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from ssl import SSLContext
from typing import Final

import attrs
import trio

from tests.notify.houses import until

LINE_MAX: Final = 100_000  # bytes of a dialogue


@attrs.define(eq=False)
class MailServer:
    """A server.

    Args:
        port: where it listens.
        answers: what it says to a verb, or to `greeting` and `content`, instead of what is usual.
        mails: recipients and content of what it took.
        logins: user and password of each login.
        verbs: what it was told, in order.
    """

    port: int = 0
    answers: Mapping[str, str] = attrs.field(factory=dict)
    mails: list[tuple[list[str], EmailMessage]] = attrs.field(factory=list)
    logins: list[tuple[str, str]] = attrs.field(factory=list)
    verbs: list[str] = attrs.field(factory=list)

    async def has(self, count: int) -> None:
        """Return once it has taken so many mails."""
        await until(lambda: len(self.mails) >= count)


@asynccontextmanager
async def a_mail_server(
    answers: Mapping[str, str] | None = None, *, tls: SSLContext | None = None, starttls: SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """Serve while the context lasts.

    Args:
        answers: instead of the usual ones, by verb; an empty one for silence.
        tls: encrypt from the first byte on.
        starttls: offer it.
    """
    server = MailServer(answers=answers or {})
    async with trio.open_nursery() as nursery:
        meet = partial(_meet, server, tls, starttls)
        [listener] = await nursery.start(partial(trio.serve_tcp, meet, 0, host="127.0.0.1"))
        server.port = listener.socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()


async def _meet(
    server: MailServer, tls: SSLContext | None, starttls: SSLContext | None, stream: trio.abc.Stream
) -> None:
    if tls is not None:
        stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
    try:
        await _Dialogue(server, stream, starttls).hold()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # whoever called has hung up


class _Dialogue:
    def __init__(self, server: MailServer, stream: trio.abc.Stream, starttls: SSLContext | None) -> None:
        self._server = server
        self._stream = stream
        self._starttls = starttls
        self._rest = b""
        self._recipients: list[str] = []

    async def hold(self) -> None:
        """Answer until the other side goes."""
        await self._say("greeting", "220 ready")
        while (line := await self._line()) is not None:
            verb = line.partition(" ")[0].upper()
            self._server.verbs.append(verb)
            match verb:
                case "EHLO":
                    offers = [*(["STARTTLS"] if self._starttls else []), "AUTH PLAIN"]
                    lines = [f"250-{offer}" for offer in offers] + ["250 8BITMIME"]
                    await self._say(verb, "250-house\r\n" + "\r\n".join(lines))
                case "STARTTLS" if self._starttls is not None:
                    await self._say(verb, "220 go on")
                    self._stream = trio.SSLStream(self._stream, self._starttls, server_side=True, https_compatible=True)
                    self._starttls = None
                case "AUTH":
                    _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    self._server.logins.append((user, password))
                    await self._say(verb, "235 welcome")
                case "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    said = self._server.answers.get(f"RCPT {address}", "250 fine")
                    if said.startswith("250"):
                        self._recipients.append(address)
                    await self._say(verb, said)
                case "DATA":
                    await self._say(verb, "354 go on")
                    await self._take()
                case "QUIT":
                    await self._say(verb, "221 bye")
                    return
                case _:
                    await self._say(verb, "250 fine")

    async def _take(self) -> None:
        lines = []
        while (line := await self._line()) not in (".", None):
            lines.append(str(line))
        mail = message_from_bytes("\r\n".join(lines).encode(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if "content" not in self._server.answers:
            self._server.mails.append((self._recipients, mail))
        await self._say("content", "250 taken")

    async def _say(self, about: str, usual: str) -> None:
        said = self._server.answers.get(about, usual)
        if not said:
            await trio.sleep_forever()
        await self._stream.send_all(f"{said}\r\n".encode())

    async def _line(self) -> str | None:
        while b"\r\n" not in self._rest:
            data = await self._stream.receive_some()
            self._rest += data
            if not data or len(self._rest) > LINE_MAX:
                return None
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line.decode()
