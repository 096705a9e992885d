"""Channels: every `[notify.NAME]`, by which way people are told of which alerts; one reader for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from trioarm.config.named import one_of, read_each
from trioarm.config.panel_keys import read_secret
from trioarm.core.alerts import Severity
from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.codec import named
from trioarm.core.forms.family import zone
from trioarm.core.instants import HOUR, MINUTE, SECOND
from trioarm.core.reading import Table, duration, flag, listed, mapping, member, show, suggest, text, whole
from trioarm.core.schedule import NAME
from trioarm.core.triggers.daytimes import time_of_day
from trioarm.core.web_urls import mask_userinfo, web_url
from trioarm.links.mqtt import check_topic
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef
from trioarm.notify.channels.smtp import SECURITIES
from trioarm.notify.message import PLACEHOLDER, WORDS
from trioarm.notify.model import (
    AppriseWay,
    ChannelSettings,
    CommandWay,
    Limit,
    MqttWay,
    NtfyWay,
    Quiet,
    Repeat,
    SmtpWay,
    Way,
    WebhookWay,
)
from trioarm.notify.notifying import schedule_of

ANSWER_S_MAX: Final = 120.0  # for a channel to answer
MESSAGES_MAX: Final = 1_000  # that a channel may send within its time
REPEATS_MAX: Final = 1_000
REPEAT_S_MIN: Final = 60.0  # more often nobody looks
PATTERNS_MAX: Final = 100
RECIPIENTS_MAX: Final = 50
TEMPLATE_MAX: Final = 2_000  # characters
PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
SAMPLE: Final = "https://house.example/alerts"
NTFY: Final = "https://ntfy.sh"

Brokers: TypeAlias = Mapping[str, MqttBroker]

_NOWHERE: Final = CommandWay(("false",))  # stands in while there are problems


def read_channels(tables: Table, timezone: str, brokers: Brokers) -> dict[str, ChannelSettings]:
    """Read every `[notify.NAME]`.

    Args:
        tables: all that is declared.
        timezone: of local times where a channel does not say.
        brokers: those that are configured.
    """
    return read_each(tables, "notify", _channel_name, lambda name, table: _read(name, table, timezone, brokers))


def _channel_name(value: object) -> str:
    """Read the name of a channel, which must leave room for that of its schedule."""
    name = named("channel")(value)
    if NAME.fullmatch(schedule_of(name)) is None:
        raise ValueError(f"channel {name!r} is too long: {schedule_of(name)} would have more than 63 characters")
    return name


def _read(name: str, table: Table, timezone: str, brokers: Brokers) -> ChannelSettings:
    kind = table.need("kind", _kind, f"say what it is: {', '.join(KINDS)}")
    way = _NOWHERE if kind is None else KINDS[kind](table, brokers)
    usual = ChannelSettings(name=name, way=way)
    found = ChannelSettings(
        name=name,
        way=way,
        events=table.take("events", _patterns, ()),
        subjects=table.take("subjects", _patterns, ()),
        severity=table.take("severity", member(Severity), usual.severity),
        after_s=table.take("after", duration(0, DURATION_S_MAX), usual.after_s),
        repeat=_read_repeat(table),
        quiet=_read_quiet(table),
        limit=_read_limit(table),
        over=table.take("over", flag, usual.over),
        title=table.take("title", _template, usual.title),
        text=table.take("text", _template, None),
        timezone=table.take("timezone", zone, timezone),
        timeout_s=table.take("timeout", duration(1, ANSWER_S_MAX), usual.timeout_s),
    )
    if kind is None:  # whose keys are not known
        table.knows(*table.tree)
    return found


def _kind(value: object) -> str:
    kind = text(value)
    if kind in KINDS:
        return kind
    raise ValueError(f"{show(kind)} is no kind of channel{suggest(kind, KINDS)}")


# Which alerts, and when


def _read_repeat(owner: Table) -> Repeat | None:
    table = owner.table("repeat")
    if table is None:
        return None
    every_s = table.need("every", duration(REPEAT_S_MIN, DURATION_S_MAX), 'say how often, such as every = "15m"')
    most = table.take("most", whole(2, REPEATS_MAX), Repeat(0.0).most)
    table.close()
    return None if every_s is None else Repeat(every_s, most)


def _read_quiet(owner: Table) -> Quiet | None:
    table = owner.table("quiet")
    if table is None:
        return None
    begins = table.need("from", _time, 'say when they begin, such as from = "22:00"')
    ends = table.need("until", _time, 'say when they end, such as until = "07:00"')
    urgent = frozenset(table.take("urgent", listed(member(Severity)), [Severity.ERROR]))
    table.close()
    if begins is None or ends is None:
        return None
    if begins == ends:
        table.problems.add(table.path, "never ends: from and until are the same time of day")
    return Quiet(begins, ends, urgent)


def _read_limit(owner: Table) -> Limit:
    table, usual = owner.table("limit"), Limit()
    if table is None:
        return usual
    messages = table.take("messages", whole(1, MESSAGES_MAX), usual.messages)
    per_s = table.take("per", duration(1, DURATION_S_MAX), usual.per_s)
    table.close()
    return Limit(messages, per_s)


def _time(value: object) -> int:
    """Read a time of day as microseconds since midnight."""
    hour, minute, second = (*map(int, time_of_day(text(value)).split(":")), 0)[:3]
    return hour * HOUR + minute * MINUTE + second * SECOND


def _patterns(value: object) -> tuple[str, ...]:
    found = tuple(listed(_word)(value))
    if not 0 < len(found) <= PATTERNS_MAX:
        raise ValueError(f"names {len(found)}: leave it out for all, or name 1 to {PATTERNS_MAX}")
    return found


def _word(value: object) -> str:
    if found := text(value):
        return found
    raise ValueError('an empty pattern means nothing: write it like "arm_*"')


def _template(value: object) -> str:
    """Read a template: words in braces stand for what is known of the alert."""
    found = text(value)
    if not 0 < len(found) <= TEMPLATE_MAX:
        raise ValueError(f"has {len(found)} characters: 1 to {TEMPLATE_MAX} are read")
    for word in PLACEHOLDER.findall(found):
        if word not in WORDS:
            shown = show(f"{{{word}}}")
            raise ValueError(f"{shown} stands for nothing here{suggest(word, WORDS)}")
    return found


# Where to


def _apprise(table: Table, _: Brokers) -> Way:
    url = read_secret(table, "url")
    if url is None:
        if "url" not in table:
            table.problems.add(table.at("url"), 'is missing: say where it is, like url = { env = "PHONE_URL" }')
        return _NOWHERE
    return AppriseWay(url)


def _smtp(table: Table, _: Brokers) -> Way:
    host = table.need("host", _word, 'name the server, like host = "mail.example.org"')
    security = table.take("security", _security, SECURITIES[0])
    port = table.take("port", whole(1, 65_535), PORTS[security])
    sender = table.need("from", _address, 'say who sends, like from = "house@example.org"')
    recipients = table.need("to", _addresses, 'say who gets it, like to = ["ann@example.org"]')
    username = table.take("username", _word, None)
    password = read_secret(table, "password")
    for key, other in (("username", "password"), ("password", "username")):
        if key in table and other not in table:
            table.problems.add(table.at(other), f"is missing: {key} alone is no login")
    if host is None or sender is None or recipients is None:
        return _NOWHERE
    return SmtpWay(
        host=host,
        port=port,
        security=security,
        sender=sender,
        recipients=recipients,
        username=username,
        password=password,
    )


def _security(value: object) -> str:
    if (found := text(value)) in SECURITIES:
        return found
    raise ValueError(f"{show(found)} is unknown{suggest(found, SECURITIES)}")


def _address(value: object) -> str:
    """Read an address of electronic mail, as far as it must be one to be written into a header."""
    found = text(value)
    local, at, host = found.rpartition("@")
    if not (local and at and host) or not found.isascii() or not found.isprintable() or set(found) & set(' ,;<>"'):
        raise ValueError(f'{show(found)} is no address: write it like "ann@example.org"')
    return found


def _addresses(value: object) -> tuple[str, ...]:
    found = tuple(listed(_address)([value] if isinstance(value, str) else value))
    if not 0 < len(found) <= RECIPIENTS_MAX:
        raise ValueError(f"names {len(found)} recipients: 1 to {RECIPIENTS_MAX} are possible")
    return found


def _ntfy(table: Table, _: Brokers) -> Way:
    topic = table.need("topic", _topic, 'name it, like topic = "our-house-4711"')
    usual = NtfyWay(topic=topic or "")
    return NtfyWay(
        topic=usual.topic,
        url=table.take("url", partial(_url, sample=NTFY), usual.url),
        token=read_secret(table, "token"),
        priority={**usual.priority, **table.take("priority", _priorities, {})},
        tags=tuple(table.take("tags", listed(_word), [])),
    )


def _topic(value: object) -> str:
    found = text(value)
    if 0 < len(found) <= 64 and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in found):
        return found
    raise ValueError(f"{show(found)} is no topic: it has up to 64 letters, digits, - and _")


def _priorities(value: object) -> dict[Severity, int]:
    return {member(Severity)(key): whole(1, 5)(number) for key, number in mapping(value).items()}


def _webhook(table: Table, _: Brokers) -> Way:
    known = isinstance(table.tree.get("url"), str)
    url: str | SecretRef | None
    if known or "url" not in table:
        url = table.need("url", partial(_url, sample=SAMPLE), f'say where, like url = "{SAMPLE}"')
    else:
        url = read_secret(table, "url")
    secret, token = read_secret(table, "secret"), read_secret(table, "token")
    return _NOWHERE if url is None else WebhookWay(url=url, secret=secret, token=token)


def _url(value: object, sample: str) -> str:
    found = web_url(text(value), sample)
    if mask_userinfo(found) != found:
        raise ValueError("has a user or a password in it: name a token instead, or where the whole url is")
    return found


def _command(table: Table, _: Brokers) -> Way:
    argv = table.need("argv", listed(text), 'name the program, like argv = ["/usr/local/bin/tell"]')
    if argv is not None and not (argv and argv[0]):
        table.problems.add(table.at("argv"), 'names no program: write it like ["/usr/local/bin/tell"]')
        return _NOWHERE
    return _NOWHERE if argv is None else CommandWay(tuple(argv))


def _mqtt(table: Table, brokers: Brokers) -> Way:
    hint = 'say at which broker, like broker = "home", which [mqtt.home] describes'
    broker = table.need("broker", lambda value: brokers[one_of(brokers, "broker")(value)], hint)
    topic = table.need("topic", lambda value: check_topic(text(value)), 'name it, like topic = "house/alerts"')
    return _NOWHERE if broker is None or topic is None else MqttWay(broker=broker, topic=topic)


KINDS: Final[dict[str, Callable[[Table, Brokers], Way]]] = {
    "apprise": _apprise,
    "smtp": _smtp,
    "ntfy": _ntfy,
    "webhook": _webhook,
    "command": _command,
    "mqtt": _mqtt,
}
