"""What notifying speaks of: channels, the ways they lead, and which alerts take them. Settings, and no doing."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Final, TypeAlias

import attrs

from trioarm.core.alerts import Alert, Severity
from trioarm.core.instants import DAY
from trioarm.core.triggers.zones import find_zone
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef

FAILED: Final = "channel_failed"  # the kind of the alert that complains of a channel
SUBJECT: Final = "notify/"  # what the subjects of such alerts begin with

SEVERITIES: Final = tuple(Severity)  # the least urgent first

PRIORITIES: Final = {Severity.NOTICE: 3, Severity.WARNING: 3, Severity.ERROR: 5}  # of ntfy, where nobody says otherwise


@attrs.frozen(slots=True)
class AppriseWay:
    """Any service that apprise knows.

    Args:
        url: where its URL is; all of it is secret.
    """

    kind: ClassVar[str] = "apprise"
    url: SecretRef


@attrs.frozen(slots=True, kw_only=True)
class SmtpWay:
    """Electronic mail.

    Args:
        host: of the server.
        port: where it listens.
        security: `tls` from the first byte on, `starttls` before anything is said, or `none`.
        sender: the address it comes from.
        recipients: those it goes to.
        username: to log in by; None for no login.
        password: where the password is; None for no login.
    """

    kind: ClassVar[str] = "smtp"
    host: str
    port: int
    security: str
    sender: str
    recipients: tuple[str, ...]
    username: str | None = None
    password: SecretRef | None = None


@attrs.frozen(slots=True, kw_only=True)
class NtfyWay:
    """A topic of an ntfy server.

    Args:
        topic: its name.
        url: of the server.
        token: what it wants to hear; None for nothing.
        priority: 1 to 5, by severity.
        tags: shown with each message; ntfy makes pictures of some.
    """

    kind: ClassVar[str] = "ntfy"
    topic: str
    url: str = "https://ntfy.sh"
    token: SecretRef | None = None
    priority: Mapping[Severity, int] = attrs.Factory(lambda: dict(PRIORITIES))
    tags: tuple[str, ...] = ()


@attrs.frozen(slots=True, kw_only=True)
class WebhookWay:
    """An address that messages are posted to, as JSON.

    Args:
        url: the address, or where it is: of some services it is all that is secret.
        secret: messages are signed with it, as commands of panels are; None for no signature.
        token: sent as bearer token; None for none.
    """

    kind: ClassVar[str] = "webhook"
    url: str | SecretRef
    secret: SecretRef | None = None
    token: SecretRef | None = None


@attrs.frozen(slots=True)
class CommandWay:
    """A program that finds the message on its standard input.

    Args:
        argv: the program and its arguments; no shell touches them.
    """

    kind: ClassVar[str] = "command"
    argv: tuple[str, ...]


@attrs.frozen(slots=True, kw_only=True)
class MqttWay:
    """A topic at a broker.

    Args:
        broker: where it is.
        topic: its name.
    """

    kind: ClassVar[str] = "mqtt"
    broker: MqttBroker
    topic: str


Way: TypeAlias = AppriseWay | SmtpWay | NtfyWay | WebhookWay | CommandWay | MqttWay


@attrs.frozen(slots=True)
class Quiet:
    """Hours in which nobody is told what can wait.

    Args:
        begins: time of day on the wall, in microseconds since midnight.
        ends: likewise; before `begins` when the hours reach across midnight.
        urgent: severities that do not wait.
    """

    begins: int
    ends: int
    urgent: frozenset[Severity] = frozenset({Severity.ERROR})

    def holds(self, severity: Severity, now: int, timezone: str) -> bool:
        """Return whether something of this severity has to wait now."""
        if severity in self.urgent:
            return False
        shown = find_zone(timezone).to_local(now) % DAY
        if self.begins <= self.ends:
            return self.begins <= shown < self.ends
        return shown >= self.begins or shown < self.ends


@attrs.frozen(slots=True)
class Repeat:
    """How often somebody is told again who does not answer.

    Args:
        every_s: how long after the message before, in seconds.
        most: messages about one alert, the first included.
    """

    every_s: float
    most: int = 10


@attrs.frozen(slots=True)
class Limit:
    """How many messages a channel may send within a time; what is more goes into one.

    Args:
        messages: how many.
        per_s: within how many seconds.
    """

    messages: int = 20
    per_s: float = 600.0


@attrs.frozen(slots=True, kw_only=True)
class ChannelSettings:
    """A way to people, and which alerts take it.

    Args:
        name: as configured.
        way: where it leads.
        events: patterns of kinds of alerts; empty for all.
        subjects: patterns of what alerts are about; empty for all.
        severity: the least urgent that it takes.
        after_s: how long an alert must have stood open: 0 for at once, more for those to whom it escalates; a notice
            escalates to nobody.
        repeat: how often it is told again until somebody acknowledges it, or it is over; None for once. A
            notice is told once.
        quiet: when it waits; None for never.
        limit: how much it may send.
        over: whether those who were told of an alert are told that it is over.
        title: template of the first line.
        text: template of the rest; None for all that is known.
        timezone: of local times: quiet hours, and those in messages.
        timeout_s: how long one message may take.
    """

    name: str
    way: Way
    events: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    severity: Severity = Severity.NOTICE
    after_s: float = 0.0
    repeat: Repeat | None = None
    quiet: Quiet | None = None
    limit: Limit = attrs.field(factory=Limit)
    over: bool = False
    title: str = "{severity}: {subject}"
    text: str | None = None
    timezone: str = "UTC"
    timeout_s: float = 20.0

    def wants(self, alert: Alert) -> bool:
        """Return whether an alert takes this way at all; that it fails itself is never told by it."""
        if alert.kind == FAILED and alert.subject == subject_of(self.name):
            return False
        if self.after_s and alert.severity is Severity.NOTICE:
            return False
        if SEVERITIES.index(alert.severity) < SEVERITIES.index(self.severity):
            return False
        return _matches(self.events, alert.kind) and _matches(self.subjects, alert.subject)

    def waits(self, severity: Severity, now: int) -> bool:
        """Return whether quiet hours hold something of this severity back now."""
        return self.quiet is not None and self.quiet.holds(severity, now, self.timezone)


def subject_of(channel: str) -> str:
    """Return what alerts about a channel name as their subject."""
    return SUBJECT + channel


def _matches(patterns: tuple[str, ...], word: str) -> bool:
    return not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)
