"""Telling people from the command line: trying a channel, and what a node has told to whom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.programs import command, rows, started
from tests.config.writing import write
from tests.links.web import status
from tests.notify.houses import an_inbox
from trioarm.cli.app import main

HOUSE = """
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
panel = { kind = "virtual", open_zones = ["back door"], exit_delay = "0s" }
[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
once = "2100-01-01T00:00:00Z"
[notify.hook]
kind = "webhook"
url = "URL"
[notify.own]
kind = "command"
argv = ["false"]
events = ["flood"]
"""


def test_a_trial_says_in_one_line_what_came_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 where it was delivered, 1 where not, 2 where there is no such channel."""
    with an_inbox() as inbox:
        path = str(write(tmp_path, HOUSE.replace("URL", inbox.web.url())))
        assert main(["notify", "test", "hook", "--config", path]) == 0
        assert capsys.readouterr() == ("hook: delivered\n", "")
        assert main(["notify", "test", "hook", "--json", "--config", path]) == 0
        assert json.loads(capsys.readouterr().out) == {"channel": "hook", "delivered": True, "answer": "delivered"}
    assert inbox.messages[0]["title"] == "trioarm: a test"
    assert inbox.messages[0]["text"].startswith("This is a test of the channel hook, sent 20")
    with an_inbox(status(401)) as inbox:
        path = str(write(tmp_path, HOUSE.replace("URL", inbox.web.url())))
        assert main(["notify", "test", "hook", "--config", path]) == 1
        said = capsys.readouterr().err
        assert said == "error: hook: refused: it answered with 401: look at its token or secret, and at both clocks\n"
    assert main(["notify", "test", "own", "--config", path]) == 1
    assert capsys.readouterr().err == "error: own: not delivered: false ended with 1\n"
    assert main(["notify", "test", "hok", "--config", path]) == 2
    assert "there is no channel 'hok'; did you mean hook?" in capsys.readouterr().err


async def test_a_node_says_whom_it_told_of_what(tmp_path: Path) -> None:
    """An arm that fails is told within seconds, and every listing says so, until somebody acknowledges it."""
    with an_inbox() as inbox:
        write(tmp_path, HOUSE.replace("URL", inbox.web.url()))
        async with started(tmp_path, ("-m", "trioarm", "run")) as program:
            await program.line_with("started")
            await command(tmp_path, "schedules", "fire", "night/house", "--wait")
            await inbox.has(1)
            [message] = inbox.messages
            assert message["title"] == "error: partition/house"
            assert message["alerts"][0]["kind"] == "arm_failed"
            assert "back door" in message["text"]
            [alert] = await rows(tmp_path, "alerts", "list")
            assert alert["told"]["hook"]["times"] == 1
            code, shown, errors = await command(tmp_path, "alerts", "show", alert["id"])
            assert (code, errors) == (0, "")
            assert re.search("told +hook: 1 time, last ", shown)
            hook, own = await rows(tmp_path, "notify", "list")
            assert (hook["kind"], hook["trouble"], own["last_at"]) == ("webhook", None, None)
            assert hook["last_at"] == alert["told"]["hook"]["last_at"]


async def test_a_channel_that_fails_is_seen_in_every_listing(tmp_path: Path) -> None:
    """Also where nobody could be told of it."""
    with an_inbox(status(403)) as inbox:
        write(tmp_path, HOUSE.replace("URL", inbox.web.url()))
        async with started(tmp_path, ("-m", "trioarm", "run")) as program:
            await program.line_with("started")
            await command(tmp_path, "schedules", "fire", "night/house", "--wait")
            await program.line_with("nobody is told of alerts by hook: it answered with 403")
            kinds = {alert["kind"] for alert in await rows(tmp_path, "alerts", "list")}
            assert kinds == {"arm_failed", "channel_failed"}
            hook, _ = await rows(tmp_path, "notify", "list")
            assert hook["trouble"].startswith("nobody is told of alerts by hook: it answered with 403")
            _, said, _ = await command(tmp_path, "status")
            assert "notify    nobody is told of alerts by hook: it answered with 403" in said


def test_check_warns_of_what_channels_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Secrets, programs and the extra that are not on this machine; the configuration is fine all the same."""
    monkeypatch.setattr("trioarm.cli.lacking.find_spec", lambda name: None)
    text = """
        [notify.any]
        kind = "apprise"
        url = { env = "NO_SUCH_URL" }
        [notify.own]
        kind = "command"
        argv = ["/no/such/program"]
        """
    assert main(["check", "--config", str(write(tmp_path, text))]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: notify.any.url: environment variable NO_SUCH_URL is not set: it should hold the url",
        "warning: notify.any.kind: apprise is not installed: pip install 'trioarm[notify]'",
        "warning: notify.own.argv: there is no program /no/such/program here, or it may not be run",
    ]
