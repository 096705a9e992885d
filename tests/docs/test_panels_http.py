"""The page on panels on the web: its example works as it stands, and its tables are true."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import trio

from tests.cli.programs import DEADLINE_S, Program, command, started
from tests.config.writing import problems_of, write
from trioarm.arming.model import HttpPanel, Reported
from trioarm.arming.panels.answers import NAME_MAX, refusal_of
from trioarm.arming.panels.http import SIZE_MAX
from trioarm.config.panel_keys import ANSWER_S_MAX
from trioarm.config.panels import KINDS
from trioarm.core.instants import render_duration
from trioarm.core.reading import Problems, Table
from trioarm.links.web import Limits, Web

PAGE = (files("trioarm") / "docs" / "panels-http.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION], [RECEIVER] = ([text for name, text in BLOCKS if name == language] for language in ("toml", "python"))
PORT = "8080"
KEY = "a-long-random-line"
ENVIRON = {"HOUSE_CODE": "0042-code"}
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")]


def free_port() -> str:
    """Return a port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return str(held.getsockname()[1])


@asynccontextmanager
async def a_receiver(folder: Path) -> AsyncIterator[tuple[str, Program]]:
    """Run the receiver of the page on a free port, which takes the place of its own in the configuration too."""
    port = free_port()
    write(folder, CONFIGURATION.replace(PORT, port))
    write(folder, RECEIVER.replace(f'"127.0.0.1", {PORT}', f'"127.0.0.1", {port}'), "receiver.py")
    write(folder, f"{KEY}\n", "hook.key")
    async with started(folder, ("-u", "receiver.py"), ENVIRON) as receiver:
        with trio.fail_after(DEADLINE_S):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", int(port))).aclose()
                    break
                except OSError:
                    await trio.sleep(0.02)
        yield f"http://127.0.0.1:{port}/alarm/house", receiver


async def requests_of(receiver: Program) -> list[tuple[str, str]]:
    """End the receiver, and return which requests it answered how."""
    receiver.process.terminate()
    _, said = await receiver.end()
    return re.findall(r'"(\w+) \S+ HTTP/1.1" (\d+)', said)


async def test_its_example_arms(tmp_path: Path) -> None:
    """Receiver and node as two programs: a command is signed, verified, taken, and read back until it is done."""
    async with (
        a_receiver(tmp_path) as (_, receiver),
        started(tmp_path, ("-m", "trioarm", "run", "--set", "log.level=debug"), ENVIRON) as program,
    ):
        await program.line_with("started")
        status, out, errors = await command(tmp_path, "schedules", "fire", "evening/house", "--wait")
        assert status == 0, out + errors
        await program.line_with("evening/house  succeeded")
        said = await requests_of(receiver)
    assert said.count(("POST", "202")) == 1
    assert said.index(("POST", "202")) < len(said) - 3  # and was read until it had left
    assert not any(secret in "".join(program.lines) for secret in (ENVIRON["HOUSE_CODE"], KEY))


async def test_its_receiver_verifies(tmp_path: Path) -> None:
    """What is unsigned, signed by another key, or old is refused; what comes again is not carried out again."""
    web = Web(Limits(deadline_s=DEADLINE_S, redirects=0, size=1_000))

    async def tell(key: str, target: str, at: float, *, secret: str = KEY, code: str = ENVIRON["HOUSE_CODE"]) -> int:
        content = json.dumps({"id": key, "target": target, "by": "x", "code": code}).encode()
        signed = hmac.new(secret.encode(), f"{at:.0f}.".encode() + content, hashlib.sha256).hexdigest()
        headers = {"X-Trioarm-Timestamp": f"{at:.0f}", "X-Trioarm-Signature": f"sha256={signed}"}
        return (await web.post(url, content, headers)).status

    async def mode() -> object:
        return json.loads((await web.get(f"{url}/state")).body)["panel"]["mode"]

    async with a_receiver(tmp_path) as (url, _):
        now = time.time()
        assert (await web.post(url, b'{"id": "0", "target": "armed_away"}')).status == 401
        assert await tell("1", "armed_away", now, secret="another") == 401
        assert await tell("2", "armed_away", now - 400) == 401
        assert await tell("3", "armed_away", now + 400) == 401
        assert await tell("4", "armed_away", now, code="0000") == 403
        assert await tell("5", "armed_night", now) == 422
        assert await mode() == "OFF"
        assert await tell("6", "armed_away", now) == 202
        assert await mode() in ("LEAVING", "AWAY")
        assert await tell("7", "disarmed", now) == 202
        assert await tell("6", "armed_away", now) == 202
        assert await mode() == "OFF"


def test_its_table_of_answers_is_true() -> None:
    """Each status it names is what it says; every other is as its neighbours."""
    rows = [row for row in ROWS if len(row) == 3 and row[2].startswith(("it ", "the run "))]
    named: dict[int, str] = {}
    for status, failure, _ in rows:
        listed = status.partition("such as")[2] or status
        named |= {int(code): failure.strip("`") for code in re.findall(r"\b\d{3}\b", listed) if code not in ("409",)}
    assert len(named) > 15
    for code in range(100, 600):
        refusal = refusal_of(code, b"", str)
        meant = "" if refusal is None else refusal[0].value
        default = "" if 200 <= code < 300 else "rejected" if 400 <= code < 500 else "unavailable"
        assert meant == named.get(code, default), code
    [zones] = [found for status, _, _ in rows for found in re.findall(r"`(\{.open_zones.*\})`", status)]
    blocked = refusal_of(409, zones.encode(), str)
    assert blocked is not None
    assert (blocked[0].value, blocked[2]) == ("blocked", ("Kitchen window",))
    assert f"up to {NAME_MAX} characters of it" in TEXT
    assert f"at most {SIZE_MAX // 1024} KiB of JSON" in TEXT


def test_its_settings_are_those_there_are(tmp_path: Path) -> None:
    """Each key is read, none is left out, and the defaults are true."""
    keys = [row[0].strip("`") for row in ROWS if len(row) == 3 and row[0].startswith("`")]
    [problem] = problems_of(tmp_path, CONFIGURATION.replace('kind = "http"', 'kind = "http"\nqqq = 1'))
    assert problem == "partition.house.panel.qqq: unknown key; there is kind, " + ", ".join(known_keys())
    assert sorted(keys) == sorted(known_keys())
    default = HttpPanel(set_url="http://x", read_url="http://x")
    defaults = {row[0].strip("`"): row[1] for row in ROWS if len(row) == 3}
    assert defaults["state"] == f'`"{default.state_path}"`'
    assert defaults["timeout"] == render_duration(default.timeout_s)
    assert defaults["exit_delay"] == render_duration(default.exit_delay_s)
    assert f"1s to {render_duration(ANSWER_S_MAX)}" in TEXT
    for state in Reported:
        assert f"`{state}`" in PAGE


def known_keys() -> list[str]:
    """Return the keys of such a panel, in the order they are read."""
    table = Table({}, "panel", Problems(lambda lines: AssertionError(lines)))
    KINDS["http"](table)
    return list(table._asked)
