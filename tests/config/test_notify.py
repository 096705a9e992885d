"""Channels: what can be said of them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.cli.masking import known_secrets
from trioarm.config import SchedulerConfig
from trioarm.config.notify import KINDS, MESSAGES_MAX
from trioarm.core.alerts import Severity
from trioarm.core.instants import HOUR, MINUTE
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef
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
    WebhookWay,
)

WHOLE = """
[scheduler]
timezone = "Europe/Prague"
[notify.phone]
kind = "ntfy"
topic = "our-house"
url = "https://ntfy.example"
token = { env = "NTFY_TOKEN" }
priority = { warning = 2 }
tags = ["house"]
events = ["arm_*", "in_alarm"]
subjects = ["partition/*"]
severity = "error"
after = "10m"
repeat = { every = "15m", most = 8 }
quiet = { from = "22:00", until = "06:30", urgent = [] }
limit = { messages = 5, per = "1h" }
over = true
title = "{kind}"
text = "{text} {advice}"
timezone = "Europe/London"
timeout = "5s"
[notify.mail]
kind = "smtp"
host = "mail.example.org"
from = "house@example.org"
to = "ann@example.org"
username = "house"
password = { file = "mail.key" }
[notify.hook]
kind = "webhook"
url = { env = "HOOK_URL" }
secret = { env = "HOOK_KEY" }
[notify.any]
kind = "apprise"
url = { env = "ANY_URL" }
[notify.own]
kind = "command"
argv = ["/usr/local/bin/tell", "now"]
[mqtt.home]
host = "broker.example"
[notify.bus]
kind = "mqtt"
broker = "home"
topic = "house/alerts"
"""


def test_every_key_of_a_channel_is_read(tmp_path: Path) -> None:
    """What is not said is the default; local times are those of the scheduler's zone."""
    assert SchedulerConfig().notify == {}
    found = config_of(tmp_path, WHOLE).notify
    ways = {name: channel.way for name, channel in found.items()}
    assert found["phone"] == ChannelSettings(
        name="phone",
        way=NtfyWay(
            topic="our-house",
            url="https://ntfy.example",
            token=SecretRef(env="NTFY_TOKEN"),
            priority={Severity.NOTICE: 3, Severity.WARNING: 2, Severity.ERROR: 5},
            tags=("house",),
        ),
        events=("arm_*", "in_alarm"),
        subjects=("partition/*",),
        severity=Severity.ERROR,
        after_s=600.0,
        repeat=Repeat(900.0, 8),
        quiet=Quiet(22 * HOUR, 6 * HOUR + 30 * MINUTE, frozenset()),
        limit=Limit(5, 3600.0),
        over=True,
        title="{kind}",
        text="{text} {advice}",
        timezone="Europe/London",
        timeout_s=5.0,
    )
    assert ways["mail"] == SmtpWay(
        host="mail.example.org",
        port=587,
        security="starttls",
        sender="house@example.org",
        recipients=("ann@example.org",),
        username="house",
        password=SecretRef(file="mail.key"),
    )
    assert ways["hook"] == WebhookWay(url=SecretRef(env="HOOK_URL"), secret=SecretRef(env="HOOK_KEY"))
    assert ways["any"] == AppriseWay(SecretRef(env="ANY_URL"))
    assert ways["own"] == CommandWay(("/usr/local/bin/tell", "now"))
    assert ways["bus"] == MqttWay(broker=MqttBroker(name="home", host="broker.example"), topic="house/alerts")
    usual = ChannelSettings(name="own", way=ways["own"], timezone="Europe/Prague")
    assert found["own"] == usual
    assert {way.kind for way in ways.values()} == set(KINDS)


def test_what_channels_authenticate_with_is_masked_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As codes of panels are, whole URLs that are secret included."""
    for name in ("NTFY_TOKEN", "HOOK_URL", "HOOK_KEY", "ANY_URL"):
        monkeypatch.setenv(name, f"the {name}")
    assert known_secrets(config_of(tmp_path, WHOLE)) == {
        "the NTFY_TOKEN",
        "the HOOK_URL",
        "the HOOK_KEY",
        "the ANY_URL",
    }


NTFY = '[notify.a]\nkind = "ntfy"\ntopic = "t"\n'
MAIL = '[notify.a]\nkind = "smtp"\nhost = "h"\nfrom = "a@b"\nto = ["a@b"]\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[notify.a]\n", "notify.a.kind: is missing: say what it is: apprise, smtp, ntfy, webhook, command"),
        ('[notify.a]\nkind = "nfty"\n', 'notify.a.kind: "nfty" is no kind of channel; did you mean ntfy?'),
        (
            '[notify.a]\nkind = "mqtt"\nbroker = "home"\ntopic = "a"\n',
            'notify.a.broker: there is no broker "home"; there is none',
        ),
        (
            '[mqtt.home]\nhost = "h"\n[notify.a]\nkind = "mqtt"\nbroker = "home"\ntopic = "a/#"\n',
            "notify.a.topic: the topic 'a/#' has the wildcard #, which only a filter may have",
        ),
        (
            '[mqtt.home]\nhost = "h"\n[notify.a]\nkind = "mqtt"\nbroker = "home"\n',
            'notify.a.topic: is missing: name it, like topic = "house/alerts"',
        ),
        ('[notify.A]\nkind = "command"\nargv = ["x"]\n', "notify.A: channel 'A': a name starts with a small letter"),
        (f'[notify.{"a" * 60}]\nkind = "command"\nargv = ["x"]\n', "would have more than 63 characters"),
        (NTFY + "topics = 1\n", "notify.a.topics: unknown key; did you mean topic?"),
        (NTFY.replace('"t"', '"a b"'), 'notify.a.topic: "a b" is no topic: it has up to 64 letters, digits, - and _'),
        (NTFY + 'url = "https://u:secret@ntfy.example"\n', "notify.a.url: has a user or a password in it"),
        (NTFY + 'token = "secret"\n', "notify.a.token: a token is not written into a file that others read"),
        (NTFY + "priority = { error = 6 }\n", "notify.a.priority: 6 is outside 1 to 5"),
        (
            NTFY + "priority = { urgent = 5 }\n",
            'notify.a.priority: "urgent" is unknown; there is notice',
        ),
        (NTFY + "events = []\n", "notify.a.events: names 0: leave it out for all, or name 1 to 100"),
        (NTFY + 'events = [""]\n', "notify.a.events: an empty pattern means nothing"),
        (NTFY + 'severity = "info"\n', 'notify.a.severity: "info" is unknown; there is notice, warning, error'),
        (NTFY + 'repeat = { every = "10s" }\n', 'notify.a.repeat.every: "10s" is outside 1m to'),
        (NTFY + "repeat = { most = 3 }\n", "notify.a.repeat.every: is missing: say how often"),
        (NTFY + 'quiet = { from = "22:00" }\n', "notify.a.quiet.until: is missing: say when they end"),
        (NTFY + 'quiet = { from = "25:00", until = "7:00" }\n', "notify.a.quiet.from: '25:00' is no time of day"),
        (NTFY + 'quiet = { from = "7:00", until = "07:00" }\n', "notify.a.quiet: never ends"),
        (NTFY + "limit = { messages = 0 }\n", f"notify.a.limit.messages: 0 is outside 1 to {MESSAGES_MAX}"),
        (NTFY + 'title = "{subjekt}"\n', 'notify.a.title: "{subjekt}" stands for nothing here; did you mean subject?'),
        (NTFY + 'text = "{}"\n', 'notify.a.text: "{}" stands for nothing here'),
        (NTFY + 'timezone = "Europe/Prag"\n', "notify.a.timezone: time zone 'Europe/Prag' is unknown"),
        (NTFY + 'timeout = "10m"\n', 'notify.a.timeout: "10m" is outside 1s to 2m'),
        (MAIL + 'security = "ssl"\n', 'notify.a.security: "ssl" is unknown'),
        (MAIL + 'username = "u"\n', "notify.a.password: is missing: username alone is no login"),
        (MAIL.replace('["a@b"]', "[]"), "notify.a.to: names 0 recipients: 1 to 50 are possible"),
        (MAIL.replace('["a@b"]', '["a b@c"]'), 'notify.a.to: "a b@c" is no address: write it like "ann@example.org"'),
        ('[notify.a]\nkind = "smtp"\n', 'notify.a.host: is missing: name the server, like host = "mail.example.org"'),
        ('[notify.a]\nkind = "webhook"\n', "notify.a.url: is missing: say where"),
        ('[notify.a]\nkind = "webhook"\nurl = "ftp://x"\n', 'notify.a.url: "ftp://x" is neither http nor https'),
        ('[notify.a]\nkind = "apprise"\n', "notify.a.url: is missing: say where it is"),
        (
            '[notify.a]\nkind = "apprise"\nurl = "tgram://s3cret"\n',
            "notify.a.url: a url is not written into a file that",
        ),
        ('[notify.a]\nkind = "command"\nargv = []\n', "notify.a.argv: names no program"),
        ('[notify.a]\nkind = "command"\n', "notify.a.argv: is missing: name the program"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    """What is wrong is said with its path and what would be right, and shows nothing secret."""
    problems = problems_of(tmp_path, text)
    assert any(line in problem for problem in problems), problems
    assert "s3cret" not in "".join(problems)
