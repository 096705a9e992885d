"""Messages: what people read of one alert, or of several at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import attrs

from trioarm.core.alerts import Action, Alert, Severity
from trioarm.core.instants import SECOND, as_datetime, localised, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.triggers.zones import find_zone
from trioarm.notify.model import SEVERITIES, ChannelSettings

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
WORDS: Final = (
    "subject",
    "kind",
    "severity",
    "text",
    "advice",
    "facts",
    "raised_at",
    "run",
    "id",
    "channel",
    "times",
)
"""What stands for something in a template, in braces."""

NAMED_MAX: Final = 20  # alerts named in one message; the rest is counted
TITLE_MAX: Final = 200  # characters


@attrs.frozen(slots=True)
class Told:
    """One thing to tell.

    Args:
        id: of the alert.
        alert: as it is kept.
        times: which message about it this is, from 1.
        over: whether it is told that the alert is over.
    """

    id: str
    alert: Alert
    times: int
    over: bool = False


@attrs.frozen(slots=True, kw_only=True)
class Message:
    """What is sent.

    Args:
        id: the same for what is sent again because nobody knows whether it arrived.
        title: one line.
        text: lines.
        severity: the most urgent of all that it tells.
        over: whether it tells of nothing but what is over.
        alerts: what it tells of, for programs; at most `NAMED_MAX`.
        count: of how many alerts it tells.
    """

    id: str
    title: str
    text: str
    severity: Severity
    over: bool = False
    alerts: tuple[dict[str, Json], ...] = ()
    count: int = 1


def compose(settings: ChannelSettings, group: Sequence[Told]) -> Message:
    """Return the message by which a channel tells of one thing, or of several together."""
    one = group[0]
    several = len(group) > 1
    title = f"{len(group)} alerts" if several else _title(settings, one)
    return Message(
        id=_identity(settings.name, group),
        title=" ".join(title.split())[:TITLE_MAX],
        text=_list(settings, group) if several else _text(settings, one),
        severity=max((told.alert.severity for told in group), key=SEVERITIES.index),
        over=all(told.over for told in group),
        alerts=tuple(_form(told) for told in group[:NAMED_MAX]),
        count=len(group),
    )


def trial(settings: ChannelSettings, now: int) -> Message:
    """Return a message that tells of nothing: whether the way is open."""
    text = f"This is a test of the channel {settings.name}, sent {_shown(now, settings.timezone)}."
    return Message(id=f"test-{now}", title="trioarm: a test", text=text, severity=Severity.NOTICE, count=0)


def form_of(message: Message) -> dict[str, Json]:
    """Return a message as programs get it."""
    return {
        "id": message.id,
        "title": message.title,
        "text": message.text,
        "severity": message.severity.value,
        "over": message.over,
        "count": message.count,
        "alerts": [*message.alerts],
    }


def filled(template: str, words: dict[str, str]) -> str:
    """Return a template with what its words stand for; what these say is looked at no further."""
    return PLACEHOLDER.sub(lambda found: words[found[1]], template)


def _title(settings: ChannelSettings, told: Told) -> str:
    if told.over:
        return f"over: {told.alert.subject}"
    return filled(settings.title, _words(settings, told))


def _text(settings: ChannelSettings, told: Told) -> str:
    alert, words = told.alert, _words(settings, told)
    if told.over:
        how = alert.resolved
        said = (
            "" if how is None else f"{how.note or 'it is over'} ({how.by}, {_shown(how.closed_at, settings.timezone)})"
        )
        return _lines(said, f"it was: {words['text']}")
    if settings.text is not None:
        return filled(settings.text, words)
    again = f"message {told.times} about this" if told.times > 1 else ""
    return _lines(words["text"], words["advice"], words["facts"], f"since {words['raised_at']}", again)


def _lines(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _list(settings: ChannelSettings, group: Sequence[Told]) -> str:
    lines = [
        f"{'over' if told.over else told.alert.severity}: {told.alert.subject}: {_local(settings, told.alert.text)}"
        for told in group[:NAMED_MAX]
    ]
    more = len(group) - NAMED_MAX
    return "\n".join([*lines, *([f"and {more} more: trioarm alerts list"] if more > 0 else [])])


def _words(settings: ChannelSettings, told: Told) -> dict[str, str]:
    alert = told.alert
    return {
        "subject": alert.subject,
        "kind": alert.kind,
        "severity": alert.severity.value,
        "text": _local(settings, alert.text),
        "advice": _local(settings, alert.advice),
        "facts": _local(settings, ", ".join(f"{fact.name}: {fact.value}" for fact in alert.facts)),
        "raised_at": _shown(alert.raised_at, settings.timezone),
        "run": alert.run or "",
        "id": told.id,
        "channel": settings.name,
        "times": str(told.times),
    }


def _local(settings: ChannelSettings, text: str) -> str:
    """Return a text with its instants as clocks on the walls of its readers show them."""
    return localised(text, lambda at: _shown(at, settings.timezone))


def _shown(at: int, timezone: str) -> str:
    """Return an instant as the clock on the wall shows it, with its offset."""
    zone = find_zone(timezone)
    offset_s = zone.observed_offset(at) // SECOND
    sign, minutes = ("-" if offset_s < 0 else "+"), abs(offset_s) // 60
    local = as_datetime(zone.to_local(at)).replace(tzinfo=None, microsecond=0)
    return f"{local.isoformat(' ')}{sign}{minutes // 60:02}:{minutes % 60:02}"


def _form(told: Told) -> dict[str, Json]:
    alert = told.alert
    return {
        "id": told.id,
        "subject": alert.subject,
        "kind": alert.kind,
        "severity": alert.severity.value,
        "text": alert.text,
        "advice": alert.advice,
        "raised_at": render_instant(alert.raised_at),
        "run": alert.run,
        "facts": {fact.name: fact.value for fact in alert.facts},
        "actions": [] if told.over else [_action(action) for action in alert.actions],
        "times": told.times,
        "over": told.over,
    }


def _action(action: Action) -> dict[str, Json]:
    said: dict[str, Json] = {"name": action.name, "argv": [*action.argv]}
    if action.topic is None:
        return said
    return {**said, "broker": action.broker, "topic": action.topic, "payload": action.payload}


def _identity(channel: str, group: Sequence[Told]) -> str:
    digest = blake2b(channel.encode(), digest_size=16)
    for told in group:
        digest.update(f"\0{told.id}\0{told.times}\0{told.over}".encode())
    return digest.hexdigest()
