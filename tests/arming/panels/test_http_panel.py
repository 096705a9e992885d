"""The driver of a panel on the web: what it sends, and what it makes of each answer to a command."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from uuid import UUID

import pytest
import trio

from tests.arming.panels.http_asking import (
    BLOCKED,
    CODE,
    PATIENCE_S,
    REJECTED,
    SECRET,
    SOON_S,
    TOKEN,
    UNAVAILABLE,
    Recorder,
    a_driver,
    hmac_sha256,
    keys_in_place,
    refusal,
    shortly,
    unread,
)
from tests.arming.panels.http_panel import HttpAlarmPanel
from tests.arming.premises import some_parts
from tests.config.writing import config_of
from tests.links.web import Answer, Web, a_web_server, says, status
from trioarm import State, open_scheduler
from trioarm.arming.model import HttpPanel, Partition, Target
from trioarm.arming.panels import make_panel
from trioarm.arming.panels.base import NAME_MAX, ZONES_MAX, FailureKind, PanelFailure
from trioarm.arming.panels.http import SIZE_MAX
from trioarm.core.errors import ConfigurationError

__all__ = ["keys_in_place"]

pytestmark = pytest.mark.usefixtures("keys_in_place")


# What is sent


@pytest.mark.parametrize("secret", [SECRET, "x" * 65])
async def test_a_command_is_signed(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the timestamp, a dot, and the body as it is sent; the timestamp is the time of sending."""
    monkeypatch.setenv("PANEL_SECRET", secret)
    seen = Recorder(status(204))
    before = int(time.time())
    with a_web_server(seen) as web:
        await a_driver(web).command(Target.ARMED_NIGHT, CODE, "anna")
    [(method, path, headers, content)] = seen.requests
    assert (method, path) == ("POST", "/alarm/house")
    key = headers["idempotency-key"]
    said = {"id": key, "target": "armed_night", "partition": "house", "by": "anna", "code": CODE}
    assert json.loads(content) == said
    stamp = headers["x-trioarm-timestamp"]
    assert before <= int(stamp) <= time.time()
    signed = stamp.encode() + b"." + content
    assert headers["x-trioarm-signature"] == f"sha256={hmac_sha256(secret.encode(), signed)}"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == f"Bearer {TOKEN}"


async def test_what_is_not_configured_is_not_sent() -> None:
    """No code, no signature, no token: each is sent only where there is one."""
    seen = Recorder(says(b'{"state": "disarmed"}'))
    with a_web_server(seen) as web:
        driver = a_driver(web, secret=None, token=None, code=None)
        await driver.command(Target.DISARMED, None)
        await driver.read_state()
    [(_, _, posted, content), (_, _, fetched, _)] = seen.requests
    assert set(json.loads(content)) == {"id", "target", "partition", "by"}
    for headers in (posted, fetched):
        assert not {"authorization", "x-trioarm-signature", "x-trioarm-timestamp"} & set(headers)


async def test_each_command_has_a_key_of_its_own_and_is_sent_once() -> None:
    """The same key would let a receiver drop a command that is meant; a second request could be one too many."""
    seen = Recorder(status(503))
    with a_web_server(seen) as web:
        driver = a_driver(web)
        for _ in range(3):
            await refusal(driver)
    keys = [headers["idempotency-key"] for _, _, headers, _ in seen.requests]
    assert len(keys) == 3
    assert len({UUID(key) for key in keys}) == 3


async def test_a_read_is_authenticated_too() -> None:
    """By the token; there is nothing to sign."""
    seen = Recorder(says(b'{"state": "disarmed"}'))
    with a_web_server(seen) as web:
        await a_driver(web, address="1").read_state()
    [(method, path, headers, content)] = seen.requests
    assert (method, path, content) == ("GET", "/alarm/1/state", b"")
    assert (headers["authorization"], headers["accept"]) == (f"Bearer {TOKEN}", "application/json")


async def test_an_address_is_one_part_of_the_url() -> None:
    """Whatever is in it: it leads to no other path."""
    seen = Recorder(status(204))
    with a_web_server(seen) as web:
        await a_driver(web, address="../a/b?c=d&é#{address}").command(Target.DISARMED, None)
    assert [path for _, path, _, _ in seen.requests] == ["/alarm/..%2Fa%2Fb%3Fc%3Dd%26%C3%A9%23%7Baddress%7D"]


@pytest.mark.parametrize(
    ("set_url", "name"),
    [
        ("http://Panel.example/alarm/{address}", "http:http://panel.example:80"),
        ("https://panel.example/{address}?key=1", "http:https://panel.example:443"),
        ("http://[::1]:8080/x", "http:http://[::1]:8080"),
    ],
)
def test_one_server_is_one_panel(set_url: str, name: str) -> None:
    """Partitions behind one server are commanded in order, wherever they are read (A3.8)."""
    panel = HttpPanel(set_url=set_url, read_url="http://elsewhere/{address}")
    house, garage = (
        make_panel(Partition(name=one, site="home", panel=panel), some_parts()) for one in ("house", "garage")
    )
    assert house.name == garage.name == name


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://me:pw@panel.example/", "panel.example", "http://{address}/"]
)
def test_settings_that_exist_are_of_the_web(url: str) -> None:
    """In a program as in a file: no driver is made that would open anything else."""
    for urls in ({"set_url": url, "read_url": "http://x/"}, {"set_url": "http://x/", "read_url": url}):
        with pytest.raises(ConfigurationError) as raised:
            HttpPanel(**urls)
        assert "pw" not in str(raised.value)


# What an answer to a command means


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_a_success_is_taken(code: int) -> None:
    """That it was sent, and received; what becomes of it is read."""
    with a_web_server(status(code)) as web:
        await a_driver(web).command(Target.ARMED_AWAY, CODE)
        assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("code", "said", "kind", "message"),
    [
        (400, {"error": "no such mode"}, REJECTED, "the answer is 400 Bad Request: no such mode"),
        (401, None, REJECTED, "the answer is 401 Unauthorized: look at secret, token, and both clocks"),
        (403, {"error": "wrong code"}, REJECTED, "the answer is 403 Forbidden: wrong code"),
        (404, None, REJECTED, "the answer is 404 Not Found: look at the URL and the address of the partition"),
        (405, None, REJECTED, "the answer is 405 Method Not Allowed"),
        (409, {"open_zones": ["Kitchen", "Door"]}, BLOCKED, "zones are open: Kitchen, Door"),
        (409, {"error": "in alarm"}, REJECTED, "the answer is 409 Conflict: in alarm"),
        (409, {"open_zones": []}, REJECTED, "the answer is 409 Conflict"),
        (409, {"open_zones": "Kitchen"}, REJECTED, "the answer is 409 Conflict"),
        (410, None, REJECTED, "the answer is 410 Gone"),
        (422, {"error": "no vacation"}, REJECTED, ": no vacation"),
        (423, {"error": "keypad locked"}, REJECTED, "the answer is 423 Locked: keypad locked"),
        (499, None, REJECTED, "the answer is 499"),
        (408, None, UNAVAILABLE, "the answer is 408 Request Timeout"),
        (425, None, UNAVAILABLE, "the answer is 425 Too Early"),
        (429, {"error": "later"}, UNAVAILABLE, "the answer is 429 Too Many Requests: later"),
        (500, None, UNAVAILABLE, "the answer is 500 Internal Server Error"),
        (502, None, UNAVAILABLE, "the answer is 502 Bad Gateway"),
        (503, {"error": "starting"}, UNAVAILABLE, "the answer is 503 Service Unavailable: starting"),
        (304, None, UNAVAILABLE, "the answer is 304 Not Modified"),
        (599, None, UNAVAILABLE, "the answer is 599"),
        (403, {"error": ["wrong"]}, REJECTED, "the answer is 403 Forbidden"),
        (403, "wrong", REJECTED, "the answer is 403 Forbidden"),
    ],
)
async def test_every_status_has_a_meaning(code: int, said: object, kind: FailureKind, message: str) -> None:
    """Refused for good, blocked, or perhaps later: by the status, in the panel's words where it has some."""
    content = b"" if said is None else json.dumps(said).encode()
    with a_web_server(says(content, code) if code != 304 else status(304)) as web:
        failure = await refusal(a_driver(web))
    assert failure.kind is kind
    assert str(failure).startswith("http://127.0.0.1:")
    assert str(failure).endswith(message)
    assert failure.zones == (("Kitchen", "Door") if kind is BLOCKED else ())


@pytest.mark.parametrize(
    "content", [b"\xff", b"[" * 100_000, b'{"error": NaN}', b'{"error": "a\\u0000\\nb\\ud800"}'], ids=shortly
)
async def test_a_refusal_counts_whatever_its_words(content: bytes) -> None:
    """What is no JSON explains nothing, and refuses nevertheless."""
    with a_web_server(says(content, 403)) as web:
        assert (await refusal(a_driver(web))).kind is REJECTED


async def test_long_words_are_cut() -> None:
    """A panel fills no log."""
    with a_web_server(says(json.dumps({"error": "x" * 5_000}).encode(), 403)) as web:
        assert str(await refusal(a_driver(web))).endswith("Forbidden: " + "x" * NAME_MAX + "...")
    zones = [f"zone {number}" for number in range(1_000)]
    with a_web_server(says(json.dumps({"open_zones": zones}).encode(), 409)) as web:
        with pytest.raises(PanelFailure) as caught:
            await a_driver(web).command(Target.ARMED_AWAY, CODE)
        assert caught.value.zones == tuple(zones[:ZONES_MAX])


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_command_follows_no_redirect(code: int) -> None:
    """It is sent once, to the address that was configured: another host never hears of it."""
    with a_web_server() as other, a_web_server(status(code, other.url("/alarm/house"))) as web:
        failure = await refusal(a_driver(web))
        assert (len(web.asked), other.asked) == (1, [])
        told = f"it redirects to {other.url('')}, which is not followed: put the address that it leads to into set"
    assert failure.kind is UNAVAILABLE
    assert f"the answer is {code} " in str(failure)
    assert str(failure).endswith(f": {told}")


LEADS = [
    ("file:///etc/passwd", "what is no address of a web server"),
    ("/alarm/house", "itself"),
    ("/alarm/house/", "the same address with a slash at its end"),
    ("/alarm/house?key=0042", "another path of the same server"),
    ("http://[", "what is no address"),
    ("https://ann:0042@panel.example/key-0042", "https://panel.example"),
    (f"https://{'x' * 200}/", "another server"),
]


@pytest.mark.parametrize(("where", "said"), LEADS)
async def test_a_redirect_leads_nowhere(where: str, said: str) -> None:
    """To a file, to itself, to nonsense: neither a command nor a read goes there. People are told to which server."""
    with a_web_server(status(307, where)) as web:
        failure = await refusal(a_driver(web))
        assert failure.kind is UNAVAILABLE
        assert f": it redirects to {said}, which is not followed: put " in str(failure)
        read = a_driver(web, read_url=web.url("/alarm/house"))
        assert f": it redirects to {said}, which is not followed" in await unread(read)
        assert len(web.asked) == 2


async def test_a_redirect_that_names_no_address_is_a_status() -> None:
    """There is nothing more to be said of it."""
    with a_web_server(status(307)) as web:
        assert str(await refusal(a_driver(web))).endswith("the answer is 307 Temporary Redirect")


# Silence, and too much of everything


def drip(web_of: Callable[[], Web], head: bytes, drop: bytes) -> Answer:
    """Return an answer that goes on for ever, a little at a time."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(head)
        while not web_of().over.wait(0.05):
            try:
                request.wfile.write(drop)
            except OSError:
                return

    return answer


@pytest.mark.parametrize(
    ("head", "drop"),
    [(b"", b"H"), (b"HTTP/1.0 200 OK\r\n", b"X: y\r\n"), (b"HTTP/1.0 403 Forbidden\r\n\r\n", b" ")],
)
async def test_an_answer_that_drips_is_given_up(head: bytes, drop: bytes) -> None:
    """The time limit is for all of it."""
    with a_web_server() as web:
        web.answer = drip(lambda: web, head, drop)
        failure = await refusal(a_driver(web, timeout_s=SOON_S))
        assert failure.kind is UNAVAILABLE
        assert str(failure).endswith("no answer within 0.3 s")
        assert await unread(a_driver(web, timeout_s=SOON_S))


async def test_what_was_taken_was_taken_whatever_follows() -> None:
    """A success counts by its status: its body is not waited for."""
    with a_web_server() as web:
        web.answer = drip(lambda: web, b"HTTP/1.0 200 OK\r\n\r\n", b"x")
        with trio.fail_after(PATIENCE_S):
            await a_driver(web, timeout_s=PATIENCE_S).command(Target.ARMED_AWAY, CODE)
        assert len(web.asked) == 1


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_without_end_is_not_read(is_announced: bool) -> None:
    """A refusal is one by its status; a state is none beyond its limit."""
    length = f"Content-Length: {1 << 40}\r\n" if is_announced else ""

    def flood(request: BaseHTTPRequestHandler) -> None:
        code = "403 Forbidden" if request.command == "POST" else "200 OK"
        request.wfile.write(f"HTTP/1.0 {code}\r\n{length}\r\n".encode())
        try:
            while not web.over.is_set():
                request.wfile.write(b" " * 65536)
        except OSError:
            return

    with a_web_server(flood) as web:
        assert (await refusal(a_driver(web))).kind is REJECTED
        assert f"the answer has more than {SIZE_MAX} bytes" in await unread(a_driver(web))


async def test_a_server_that_closes_or_is_not_there_is_unavailable() -> None:
    """Without a word, in the middle of one, or never met."""
    with a_web_server(lambda request: None) as web:
        assert (await refusal(a_driver(web))).kind is UNAVAILABLE
        assert await unread(a_driver(web))
        web.answer = lambda request: request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{") and None
        assert "is cut off" in await unread(a_driver(web))
        web.answer = lambda request: request.wfile.write(b"SSH-2.0-whatever\r\n") and None
        assert "SSH-2.0" in await unread(a_driver(web))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert str(await refusal(a_driver(nobody))) == f"{nobody}: Connection refused"
        assert await unread(a_driver(nobody)) == f"{nobody}: Connection refused"


# From end to end


PREMISES = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
confirm = "20s"
code = {{ env = "PANEL_CODE" }}
[partition.house.panel]
kind = "http"
set = "{url}/alarm/{{address}}"
read = "{url}/alarm/{{address}}/state"
secret = {{ file = "{secret}" }}
state = "panel.mode"
changed_by = "panel.who"
open_zones = "zones.open"
states = {{ OFF = "disarmed", LEAVING = "arming", AWAY = "armed_away" }}

[[schedule]]
name = "evening"
partition = "house"
target = "armed_away"
weekly = {{ days = ["mon"], at = "22:30" }}
"""


async def test_a_run_succeeds_once_the_panel_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A node of a file commands it, and waits until the panel itself reports the target (A3.1)."""
    caplog.set_level(logging.DEBUG)
    (tmp_path / "hook.key").write_text(f"{SECRET}\n", encoding="utf-8")
    panel = HttpAlarmPanel(CODE, SECRET, exit_delay_s=PATIENCE_S)
    with a_web_server(panel.answer) as web, trio.fail_after(PATIENCE_S):
        config = config_of(tmp_path, PREMISES.format(url=web.url(""), secret=tmp_path / "hook.key"))
        async with open_scheduler("memory://", config=config) as scheduler:
            run = await scheduler.runs.fire("evening/house")
            while panel.reads_on_the_way < 2:  # noqa: ASYNC110 - a thread tells
                await trio.sleep(0.005)
            assert (await scheduler.runs.get(run.id)).state is State.RUNNING
            panel.set("AWAY", "trioarm")
            ended = await scheduler.runs.wait(run.id)
    assert ended.state is State.SUCCEEDED
    assert ended.result == {"partition": "house", "reported": "armed_away", "sends": 1}
    assert [path for path, _ in web.asked].count("/alarm/house") == 1
    assert not any(secret in f"{caplog.text} {ended}" for secret in ("00x42", "hook-secret"))


async def test_a_code_that_is_wrong_ends_the_run(tmp_path: Path) -> None:
    """At once, in the panel's words, which repeated it."""
    (tmp_path / "hook.key").write_text(f"{SECRET}\n", encoding="utf-8")
    with a_web_server(HttpAlarmPanel("1111", SECRET, 0.0).answer) as web, trio.fail_after(PATIENCE_S):
        config = config_of(tmp_path, PREMISES.format(url=web.url(""), secret=tmp_path / "hook.key"))
        async with open_scheduler("memory://", config=config) as scheduler:
            run = await scheduler.runs.fire("evening/house")
            ended = await scheduler.runs.wait(run.id)
    assert ended.state is State.FAILED
    assert "the answer is 403 Forbidden: the code *** is wrong" in (ended.error or "")
