"""Electronic mail: one message for each notification, in a thread whose line is cut when nobody waits any more."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from trioarm.core.alerts import Severity
from trioarm.core.instants import as_datetime
from trioarm.engine.ports import Clock
from trioarm.links.abandoned import Abandoned
from trioarm.links.secrets import Mask, SecretUnreadable, masking, read_key
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain
from trioarm.notify.message import Message
from trioarm.notify.model import SmtpWay

SECURITIES: Final = ("starttls", "tls", "none")
READY: Final = 220
REASON_MAX: Final = 200  # characters of what a server says


class SmtpChannel:
    """Sends mail. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
        timeout_s: how long the server may be silent.
        clock: what mail is dated by.
    """

    def __init__(self, way: SmtpWay, timeout_s: float, clock: Clock) -> None:
        self._way = way
        self._timeout_s = timeout_s
        self._clock = clock
        self._threads = Abandoned()

    async def send(self, message: Message) -> Answer:
        """Send one mail to all recipients.

        Cancellation: at once; the line is cut, and what the server had not taken by then it takes no more.
        """
        password = None
        if self._way.password is not None:
            try:
                password = read_key(self._way.password, "password")
            except SecretUnreadable as error:
                return Refused(str(error))
        mail = _mail(self._way, message, self._clock.look())
        errand = _Errand(self._way, self._timeout_s, password, mail)
        return await self._threads.run(errand.run, errand.cut)


class _Errand:
    """One mail on its way, and the line it takes.

    Args:
        way: as configured.
        timeout_s: how long the server may be silent.
        password: to log in by; None for no login.
        mail: what is sent.
    """

    def __init__(self, way: SmtpWay, timeout_s: float, password: str | None, mail: EmailMessage) -> None:
        self._way = way
        self._timeout_s = timeout_s
        self._password = password
        self._mail = mail
        self._client: smtplib.SMTP | None = None
        self._is_cut = False

    def run(self) -> Answer:
        """Send it, in a thread, and return what became of it."""
        mask = masking([] if self._password is None else [self._password])
        try:
            return self._send(mask)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused_recipients(error.recipients, mask)
        except smtplib.SMTPNotSupportedError as error:
            return Refused(mask(str(error)))
        except smtplib.SMTPResponseException as error:
            return _judged(error.smtp_code, error.smtp_error, mask)
        except ssl.SSLCertVerificationError as error:
            return Refused(f"its certificate is not trusted: {error.verify_message}")
        except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: lines that are no protocol
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return TryAgain(_shown(mask(said)) or type(error).__name__)

    def cut(self) -> None:
        """Let the thread come to its end: nobody waits for it."""
        self._is_cut = True
        line = None if self._client is None else self._client.sock
        if line is not None:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)

    def _send(self, mask: Mask) -> Answer:
        way, context = self._way, ssl.create_default_context()
        if way.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(timeout=self._timeout_s, context=context)
        else:
            client = smtplib.SMTP(timeout=self._timeout_s)
        self._client = client
        client._host = way.host  # type: ignore[attr-defined]  # what TLS verifies: only the constructor sets it
        try:
            code, said = client.connect(way.host, way.port)
            if code != READY:
                raise smtplib.SMTPConnectError(code, said)
            if way.security == "starttls":
                client.starttls(context=context)
            if way.username is not None and self._password is not None:
                client.login(way.username, self._password)
            if self._is_cut:
                return TryAgain("nobody waited for it any more")
            lacking = client.send_message(self._mail, way.sender, way.recipients)
            with suppress(smtplib.SMTPException, OSError):  # it is taken, however the server takes its leave
                client.quit()
        finally:
            client.close()
        return Delivered(_names(lacking, mask) if lacking else "")


def _mail(way: SmtpWay, message: Message, now: int) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.title
    mail["From"] = way.sender
    mail["To"] = ", ".join(way.recipients)
    mail["Date"] = format_datetime(as_datetime(now))
    mail["Message-ID"] = f"<{message.id}@trioarm>"  # the same for what is sent again, for whoever shows mails only once
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity is Severity.ERROR and not message.over:
        mail["Importance"] = "high"
    mail.set_content(message.text or message.title)
    return mail


def _judged(code: int, said: bytes | str, mask: Mask) -> Answer:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    answer = f"it answered with {code} {_shown(mask(text))}".rstrip()
    return Refused(answer) if 500 <= code < 600 else TryAgain(answer)


def _refused_recipients(recipients: dict[str, tuple[int, bytes]], mask: Mask) -> Answer:
    """Return what it means that nobody may receive it: it may be otherwise later if one of them says so."""
    answer = f"it refused {_names(recipients, mask)}"
    lasting = all(500 <= code < 600 for code, _ in recipients.values())
    return Refused(answer) if lasting else TryAgain(answer)


def _names(recipients: dict[str, tuple[int, bytes]], mask: Mask) -> str:
    answers = {
        name: f"{code} {_shown(mask(said.decode(errors='replace')))}" for name, (code, said) in recipients.items()
    }
    return ", ".join(f"{name} ({answer})" for name, answer in answers.items())


def _shown(said: str) -> str:
    text = " ".join(said.split())
    return text if len(text) <= REASON_MAX else text[:REASON_MAX] + "..."
