"""The page on notifications: its example tells those it says, in the order it says, and its tables are true."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from tests.cli.programs import command, started
from tests.config.writing import config_of, problems_of, write
from tests.notify.houses import an_inbox
from tests.notify.mail import a_mail_server
from tests.testing.playing import play
from trioarm.arming.alerts import AlertKind
from trioarm.arming.discovery.offers import offers
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.config.notify import ANSWER_S_MAX, KINDS, PORTS
from trioarm.core.alerts import Alert, Severity
from trioarm.core.instants import MINUTE, parse_instant, render_duration
from trioarm.core.reading import Problems, Table
from trioarm.engine.gatekeeper import BREAKER_OPEN
from trioarm.engine.timekeeping import KIND as NOT_TRUSTED
from trioarm.feeds.refreshing import DOWN
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.notify.channels.command import NO_USE
from trioarm.notify.ledger import DUES_MAX
from trioarm.notify.message import NAMED_MAX, WORDS, Told, compose
from trioarm.notify.model import FAILED, ChannelSettings, CommandWay, Limit, NtfyWay, Repeat
from trioarm.notify.notifying import LOOK_EVERY_S, SCHEDULE
from trioarm.notify.post import RETRY
from trioarm.notify.telling import AGAIN_AFTER_REFUSAL, AT_ONCE_MAX

PAGE = (files("trioarm") / "docs" / "notifications.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION], [TEST] = ([text for name, text in BLOCKS if name == language] for language in ("toml", "python"))
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
USUAL = ChannelSettings(name="x", way=CommandWay(("x",)))


def test_its_example_passes_as_a_users_own_test(tmp_path: Path) -> None:
    """The file and the test beside each other, with nothing installed but pytest."""
    write(tmp_path, CONFIGURATION)
    write(tmp_path, TEST, "test_house.py")
    played = play(tmp_path, "-p", "no:trio")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "1 passed" in played.stdout


async def test_its_example_tells_real_servers(tmp_path: Path) -> None:
    """All that is changed is where the servers are: the phone and the mail are told of a failure at once."""
    key, token, password = "json://127.0.0.1:9/", "the-token-4711", "the-password-4711"
    write(tmp_path, f"{key}\n", "neighbour.url")
    write(tmp_path, f"{password}\n", "mail.key")
    with an_inbox() as inbox:
        async with a_mail_server() as server:
            topic = 'topic = "our-house-4711"\n'
            text = CONFIGURATION.replace(topic, f'{topic}url = "{inbox.web.url()}"\n')
            here = f'host = "127.0.0.1"\nport = {server.port}\nsecurity = "none"'
            write(tmp_path, text.replace('host = "mail.example.org"', here))
            async with started(tmp_path, ("-m", "trioarm", "run"), {"NTFY_TOKEN": token}) as program:
                await program.line_with("started")
                await command(tmp_path, "schedules", "fire", "weeknight/house", "--wait")
                await inbox.has(1)
                await server.has(1)
                _, listed, _ = await command(tmp_path, "notify", "list", "--json")
                _, alerts, _ = await command(tmp_path, "alerts", "list", "--json")
    assert [json.loads(line)["name"] for line in listed.splitlines()] == ["phone", "neighbour", "mail"]
    assert "back door" in inbox.messages[0]["message"]
    assert server.logins == [("house", password)]
    [(recipients, _)] = server.mails
    assert recipients == ["ann@example.org", "bob@example.org"]
    said = "".join(program.lines) + listed + alerts
    assert not any(secret in said for secret in (key, token, password))


def test_its_keys_are_those_there_are(tmp_path: Path) -> None:
    """Of all channels and of each kind, none left out; and the defaults are true."""
    common = [row[0].strip("`") for row in ROWS if len(row) == 3 and row[0].strip("`") not in KINDS]
    kinds = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in ROWS if row[0].strip("`") in KINDS}
    assert kinds.keys() == KINDS.keys()
    for kind, keys in kinds.items():
        [problem] = [line for line in problems_of(tmp_path, f'[notify.x]\nkind = "{kind}"\nqqq = 1\n') if "qqq" in line]
        listed = problem.partition("; there is ")[2].split(", ")
        assert sorted(listed) == sorted(["kind", *keys, *common]), problem
        table = Table({}, "notify.x", Problems(lambda lines: AssertionError(lines)))
        KINDS[kind](table, {})
        assert list(table._asked) == keys, kind
    defaults = {row[0].strip("`"): row[1] for row in ROWS if len(row) == 3}
    assert defaults["timeout"] == f'`"{render_duration(USUAL.timeout_s)}"`'
    assert f"1s to {render_duration(ANSWER_S_MAX)}" in TEXT
    assert f'`"{USUAL.title}"`' in TEXT
    assert defaults["severity"] == f'`"{USUAL.severity}"`'
    assert USUAL.limit == Limit(20, 600.0)
    assert Repeat(900.0).most == 10
    assert NtfyWay(topic="x").priority == {"notice": 3, "warning": 3, "error": 5}
    assert f"`starttls` (port {PORTS['starttls']}), `tls` ({PORTS['tls']}) or `none` ({PORTS['none']})" in TEXT


def test_its_words_and_kinds_of_alerts_are_those_there_are(tmp_path: Path) -> None:
    """Every placeholder is read; every kind that is raised anywhere is named."""
    for word in WORDS:
        assert f"`{{{word}}}`" in TEXT, word
    channel = '[notify.x]\nkind = "command"\nargv = ["x"]\ntext = "{}"\n'
    assert config_of(tmp_path, channel.format(" ".join(f"{{{word}}}" for word in WORDS))).notify["x"].text
    for kind in (*AlertKind, BREAKER_OPEN, DOWN, NOT_TRUSTED, FAILED):
        assert f"`{kind}`" in TEXT, kind


def test_its_numbers_are_true() -> None:
    """How often it looks and tries, and how much at once."""
    words: dict[str, Any] = {
        "looks once a minute": LOOK_EVERY_S == 60.0,
        f"`{SCHEDULE}NAME`": True,
        "five attempts in about two minutes": RETRY.max_retries == 4,
        "what was refused every 15 minutes": AGAIN_AFTER_REFUSAL == 15 * MINUTE,
        f"up to {NAMED_MAX} of them": True,
        f"up to {DUES_MAX} alerts and sends up to {AT_ONCE_MAX} messages": True,
        f"{NO_USE} refused": True,
    }
    assert [said for said, is_true in words.items() if not (is_true and said in TEXT)] == []


def test_what_it_shows_of_actions_is_what_is_sent() -> None:
    """To the letter."""
    [shown] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    settings = DiscoverySettings(broker=MqttBroker(name="home", host="127.0.0.1"))
    alert = Alert(
        subject="partition/house",
        kind="closing_soon",
        severity=Severity.NOTICE,
        text="soon",
        raised_at=0,
        actions=offers("weeknight/house", parse_instant("2026-11-23T21:30:00Z"), settings),
    )
    message = compose(USUAL, [Told("x", alert, 1)])
    assert json.loads(f"{{{shown}}}")["actions"] == message.alerts[0]["actions"]
    for key in message.alerts[0]:
        assert f"`{key}`" in TEXT
