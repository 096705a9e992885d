"""A whole run with codes, keys and passwords of every kind, among others that repeat them: none is shown (A5.2)."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trio

from tests.cli.programs import DEADLINE_S, command, node, rows
from tests.links.web import Web, a_web_server
from tests.notify.mail import a_mail_server

SECRETS = {
    "HOUSE_CODE": "0042-küche",
    "SHED_CODE": "7391-schuppen",
    "SHOP_CODE": "5518-laden",
    "SHOP_KEY": "sign-me-with-this-9x",
    "SHOP_TOKEN": "bearer-token-of-the-shop-4k",
    "HOOK_KEY": "hook-key-8q",
    "HOOK_TOKEN": "hook-token-3w",
    "MAIL_PASSWORD": "mail-pass-2e",
}
TALKATIVE = """
import os, sys
code = sys.stdin.read()
if sys.argv[1] == "state":
    print("disarmed")
    sys.exit(0)
print(f"the code {code.strip()} is not good, {code.strip()!r} neither", file=sys.stderr)
print(code)
sys.exit(10)
"""
FILE = """
[features]
debug = true
[log]
level = "debug"
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
allow_disarm = true
panel = {{ kind = "virtual", exit_delay = "0s", code = {{ env = "HOUSE_CODE" }} }}
[partition.shed]
site = "home"
code = {{ env = "SHED_CODE" }}
panel = {{ kind = "command", set = ["{python}", "talkative.py", "set"], read = ["{python}", "talkative.py", "state"] }}
[partition.shop]
site = "home"
[partition.shop.panel]
kind = "http"
set = "{url}/shop"
read = "{url}/shop/state"
secret = {{ env = "SHOP_KEY" }}
token = {{ env = "SHOP_TOKEN" }}
code = {{ env = "SHOP_CODE" }}
[notify.hook]
kind = "webhook"
url = "{url}/hook"
secret = {{ env = "HOOK_KEY" }}
token = {{ env = "HOOK_TOKEN" }}
[notify.mail]
kind = "smtp"
host = "127.0.0.1"
port = {port}
security = "none"
from = "house@example.org"
to = ["ann@example.org"]
username = "house"
password = {{ file = "mail.key" }}
[[schedule]]
name = "night"
partitions = ["house", "shed", "shop"]
target = "armed_night"
every = "2s"
max_runs = 1
"""
LISTINGS = (
    ("check",),
    ("preview", "--json"),
    ("explain", "night/shop", "--json"),
    ("config", "show", "--json"),
    ("schedules", "list", "--json"),
    ("schedules", "show", "night/shop", "--json"),
    ("runs", "list", "--all", "--builtin", "--json"),
    ("partitions", "list", "--json"),
    ("partitions", "show", "shop", "--json"),
    ("alerts", "list", "--all", "--json"),
    ("partitions", "arm", "shop", "shed", "house", "--as", "ann"),
    ("audit", "list", "--json"),
    ("notify", "list", "--json"),
    ("notify", "test", "hook"),
    ("status", "--json"),
    ("statistics", "--json"),
    ("store", "check"),
)


def repeating(request: BaseHTTPRequestHandler) -> None:
    """Give a state, and refuse whatever is posted, in words that repeat what a panel shows of them."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if request.command == "GET":
        answer, code = {"state": "disarmed"}, 200
    else:
        said = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        answer, code = {"error": f"{said.get('code')} and {token} are no good"}, 403
    request.send_response(code)
    request.end_headers()
    request.wfile.write(json.dumps(answer).encode())


@pytest.fixture
def server() -> Iterator[Web]:
    """A server that repeats what it is told."""
    with a_web_server(repeating) as found:
        yield found


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a panel that repeats its code, and secrets where the file will say that they are."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    (tmp_path / "talkative.py").write_text(TALKATIVE, encoding="utf-8")
    (tmp_path / "mail.key").write_text(SECRETS["MAIL_PASSWORD"] + "\n", encoding="utf-8")
    monkeypatch.delenv("MAIL_PASSWORD")
    return tmp_path


def shown_in(text: bytes) -> list[str]:
    """Return the names of secrets that a text has, as they are, in JSON, or in a URL."""
    found = []
    for name, secret in SECRETS.items():
        spellings = {secret.encode(), json.dumps(secret)[1:-1].encode(), secret.encode("unicode_escape")}
        if any(spelling in text for spelling in spellings):
            found.append(name)
    return found


def pages(folder: Path) -> dict[str, bytes]:
    """Return all that the store has on the disk, its log folded into it and left."""
    found = {path.name: path.read_bytes() for path in folder.glob("trioarm.db*")}
    with closing(sqlite3.connect(folder / "trioarm.db")) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = found["trioarm.db"]
    return found | {"trioarm.db": before + (folder / "trioarm.db").read_bytes()}


async def raised(folder: Path) -> Counter[str]:
    """Return how many alerts of each kind there are."""
    return Counter(alert["kind"] for alert in await rows(folder, "alerts", "list"))


def test_the_search_finds_what_is_there() -> None:
    """It would be worth nothing otherwise."""
    assert shown_in("… 0042-küche …".encode()) == ["HOUSE_CODE"]
    assert shown_in(json.dumps({"code": "0042-küche"}).encode()) == ["HOUSE_CODE"]
    assert shown_in(b"hook-key-8q and 7391-schuppen") == ["SHED_CODE", "HOOK_KEY"]


async def test_nothing_of_a_whole_run_shows_a_secret(house: Path, server: Web) -> None:
    """No log line, page of the store, entry of the audit, alert, message or answer, however often it was repeated."""
    refusal = f"535 house may not come in with {SECRETS['MAIL_PASSWORD']}"
    async with a_mail_server({"AUTH": refusal}) as mail:
        text = FILE.format(python=sys.executable, url=server.url(""), port=mail.port)
        (house / "scheduler.toml").write_text(text, encoding="utf-8")
        seen = await all_that_is_shown(house)
    assert mail.logins
    assert {"/shop", "/shop/state", "/hook"} <= {path for path, authorization in server.asked if authorization}
    assert b"night/shop" in seen["log"]
    assert b"***" in seen["trioarm.db"]  # what was repeated is there, without the secret
    assert {where: found for where, text in seen.items() if (found := shown_in(text))} == {}


async def all_that_is_shown(house: Path) -> dict[str, bytes]:
    """Run a node until all that can fail has failed; return what it and every command said, and what is on the disk."""
    async with node(house) as program:
        with trio.fail_after(DEADLINE_S):
            while await raised(house) != {"arm_failed": 2, "channel_failed": 2}:
                assert program.process.returncode is None
        seen: dict[str, bytes] = {}
        for words in LISTINGS:
            _, out, errors = await command(house, *words)
            seen[" ".join(words)] = (out + errors).encode()
        seen["arm by hand"] = "".join(
            (await command(house, "partitions", "arm", "shop", "shed", "--as", "ann"))[1:]
        ).encode()
        program.process.terminate()
        _, errors = await program.end()
    seen["log"] = "\n".join(program.lines).encode()
    seen["stderr"] = errors.encode()
    seen |= pages(house)
    return seen
