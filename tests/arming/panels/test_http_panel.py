"""The driver of a panel on the web: what it sends, what it makes of each answer, and what it never shows."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import attrs
import pytest
import trio

from tests.arming.panels.http_panel import HttpAlarmPanel
from tests.config.writing import config_of
from tests.links.tls import an_encrypted_server, certificate
from tests.links.web import Answer, Web, a_web_server, says, status
from trioarm import State, open_scheduler
from trioarm.arming.model import HttpPanel, Partition, Reported, SecretRef, Target
from trioarm.arming.panels import make_panel
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.http import REASON_MAX, SIZE_MAX, HttpDriver
from trioarm.arming.panels.http_answers import NAME_MAX, ZONES_MAX
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import SECOND
from trioarm.engine.clock import SystemClock
from trioarm.repositories.memory import InMemoryScheduleRepository

__all__ = ["certificate"]

CODE = "0042-öäü"
SECRET = "hook-secret-é"
TOKEN = "bearer.token-1234567890"
PATIENCE_S = 30.0  # of a test, on a busy machine
SOON_S = 0.3
REJECTED, BLOCKED, UNAVAILABLE = FailureKind.REJECTED, FailureKind.BLOCKED, FailureKind.UNAVAILABLE


@pytest.fixture(autouse=True)
def keys_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put code, secret and token where the drivers of this module look for them."""
    monkeypatch.setenv("PANEL_CODE", CODE)
    monkeypatch.setenv("PANEL_SECRET", SECRET)
    monkeypatch.setenv("PANEL_TOKEN", TOKEN)


def settings_of(web: Web | str, **more: Any) -> HttpPanel:
    """Return settings of a panel that wants everything there is to authenticate with."""
    root = web if isinstance(web, str) else web.url("")
    whole: dict[str, Any] = {
        "set_url": root + "/alarm/{address}",
        "read_url": root + "/alarm/{address}/state",
        "secret": SecretRef(env="PANEL_SECRET"),
        "token": SecretRef(env="PANEL_TOKEN"),
        "code": SecretRef(env="PANEL_CODE"),
        **more,
    }
    return HttpPanel(**whole)


def a_driver(web: Web | str, *, address: str = "house", **more: Any) -> HttpDriver:
    return HttpDriver(settings_of(web, **more), address, SystemClock())


def shows_nothing_secret(failure: BaseException) -> bool:
    """Whether neither the failure nor what it comes from shows code, secret or token."""
    told, error = "", failure
    chain: BaseException | None = error
    while chain is not None:
        told += f"{chain} {chain!r} "
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return not any(part in told for part in (CODE, "0042", SECRET, "hook-secret", TOKEN, "bearer.token"))


async def refusal(driver: HttpDriver, target: Target = Target.ARMED_AWAY) -> PanelFailure:
    """Return how a command fails: one line of bounded length that shows nothing secret."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PanelFailure) as caught:
        await driver.command(target, CODE)
    return checked(caught.value)


async def unread(driver: HttpDriver) -> str:
    """Return why a panel cannot be read: it is `unavailable`, and one line says why."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PanelFailure) as caught:
        await driver.read_state()
    assert caught.value.kind is UNAVAILABLE
    return str(checked(caught.value))


def checked(failure: PanelFailure) -> PanelFailure:
    assert "\n" not in str(failure)
    assert len(str(failure)) < REASON_MAX + 50
    assert shows_nothing_secret(failure)
    return failure


async def report(content: object, **more: Any) -> PanelReport:
    """Return what a driver makes of a JSON answer."""
    with a_web_server(says(json.dumps(content).encode())) as web, trio.fail_after(PATIENCE_S):
        return await a_driver(web, **more).read_state()


@attrs.define
class Recorder:
    """Answers as told, and remembers every request with its body."""

    then: Answer
    requests: list[tuple[str, str, dict[str, str], bytes]] = attrs.Factory(list)

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.command, request.path, headers, content))
        self.then(request)


# What is sent


def hmac_sha256(key: bytes, text: bytes) -> str:
    """Compute it by the book (RFC 2104), not as the driver does."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block) + text).digest()
    return hashlib.sha256(bytes(octet ^ 0x5C for octet in block) + inner).hexdigest()


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
        make_panel(Partition(name=one, site="home", panel=panel), InMemoryScheduleRepository(), SystemClock())
        for one in ("house", "garage")
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


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"error": NaN}', b'{"error": "a\\u0000\\nb\\ud800"}'])
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
    assert failure.kind is UNAVAILABLE
    assert f"the answer is {code} " in str(failure)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "/alarm/house", "/alarm/house/state", "http://["])
async def test_a_redirect_leads_nowhere(where: str) -> None:
    """To a file, to itself, to nonsense: neither a command nor a read goes there."""
    with a_web_server(status(307, where)) as web:
        failure = await refusal(a_driver(web))
        assert failure.kind is UNAVAILABLE
        assert "it redirects, which is not followed" in await unread(a_driver(web))
        assert len(web.asked) == 2


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


# What a state is


@pytest.mark.parametrize("state", Reported)
async def test_the_words_of_trioarm_mean_themselves(state: Reported) -> None:
    """Where the panel speaks like that, nothing has to be said about it."""
    assert await report({"state": state.value}) == PanelReport(state=state)


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        ("AWAY", Reported.ARMED_AWAY),
        (2, Reported.ARMED_NIGHT),
        (True, Reported.ARMED_HOME),
        ("armed_away", Reported.ARMED_AWAY),
        ("pending", Reported.ARMING),
    ],
)
async def test_its_own_words_mean_what_was_said(mode: object, state: Reported) -> None:
    """Texts, whole numbers, true and false; the words of trioarm too, unless said otherwise."""
    states = {"AWAY": "armed_away", "2": "armed_night", "true": "armed_home", "pending": "arming"}
    settings = {word: Reported(meaning) for word, meaning in states.items()}
    found = await report({"areas": [{}, {"mode": mode}]}, state_path="areas.1.mode", states=settings)
    assert found.state is state


PATHS = {"changed_by_path": "who", "since_path": "at", "open_zones_path": "zones"}


async def test_a_whole_report_is_read() -> None:
    """Who made it so, since when, and what stands open: each from its path."""
    said = {"state": "disarmed", "who": "anna", "at": "2026-11-23T23:00:00.5+01:00", "zones": ["Kitchen", "Back door"]}
    at = 1_795_471_200_500_000
    assert await report(said, **PATHS) == PanelReport(
        state=Reported.DISARMED, changed_by="anna", since_at=at, open_zones=("Kitchen", "Back door")
    )
    assert (await report({**said, "at": at / SECOND}, **PATHS)).since_at == at
    unsaid = {"state": "disarmed", "who": None, "at": None, "zones": None}
    assert await report(unsaid, **PATHS) == PanelReport(state=Reported.DISARMED)
    assert await report(said) == PanelReport(state=Reported.DISARMED)


async def test_names_are_one_line_that_can_be_kept() -> None:
    """Whatever a panel calls its zones and its people."""
    said = {"state": "disarmed", "who": "an\nna\ud800", "at": None, "zones": ["x" * 500, *map(str, range(1_000))]}
    found = await report(said, **PATHS)
    assert found.changed_by == "an na\\ud800"
    assert found.open_zones[0] == "x" * NAME_MAX + "..."
    assert len(found.open_zones) == ZONES_MAX


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", 'its answer is no JSON: it is ""'),
        (b"<html>\n<h1>It works!</h1>", 'its answer is no JSON: it is "<html>\\n<h1>It works!</h1>"'),
        (b'{"state": "disarmed"', 'its answer is no JSON: it is "{"state": "disarmed""'),
        (b'{"state": "disarmed"} x', "its answer is no JSON: it is "),
        (b'\xff{"state": "disarmed"}', "its answer is no JSON: it is no UTF-8"),
        ('{"state": "disarmed"}'.encode("utf-16"), "its answer is no JSON: it is no UTF-8"),
        (b"[" * 100_000, "its answer is nested too deep"),
        (b'{"state":' * 20_000 + b"1" + b"}" * 20_000, "its answer is nested too deep"),
        (b'{"state": NaN}', "its answer is no JSON: NaN is no number of it"),
        (b'{"state": "disarmed", "x": -Infinity}', "its answer is no JSON: -Infinity is no number of it"),
        (b'{"state": ' + b"1" * 5_000 + b"}", "its answer is no JSON: it is "),
        (b'{"state": "disarmed", "state": "armed_away"}', 'its answer says "state" twice'),
        (b"{}", "its answer has no state: the whole is an empty table"),
        (b'"disarmed"', 'its answer has no state: the whole is "disarmed"'),
        (b"[1, 2]", "its answer has no state: the whole is a list of 2"),
        (b"null", "its answer has no state: the whole is null"),
        (b'{"mode": 1, "b": 2}', 'its answer has no state: the whole is a table of "mode", "b"'),
        (b'{"state": null}', "its state is null, which is no state"),
        (b'{"state": ["disarmed"]}', "its state is a list of 1, which is no state"),
        (b'{"state": {"a": 1}}', 'its state is a table of "a", which is no state'),
        (b'{"state": 1.0}', "its state is 1.0, which is no state"),
        (
            b'{"state": "Disarmed"}',
            'its state is "Disarmed", which means nothing here: say it in states, like { "Disarmed" = "armed_away" }',
        ),
        (b'{"state": 3}', 'its state is "3", which means nothing here'),
        (b'{"state": false}', 'its state is "false", which means nothing here'),
        (b'{"state": ""}', 'its state is "", which means nothing here'),
        (b'{"state": "' + b"x" * 50_000 + b'"}', 'its state is "' + "x" * 39 + "..., which means nothing here"),
    ],
)
async def test_what_is_no_state_is_said_and_not_guessed(content: bytes, message: str) -> None:
    """One line shows what was found instead, and not too much of it."""
    with a_web_server(says(content)) as web:
        said = await unread(a_driver(web))
    assert said.startswith(f"{web.url('')}: {message}")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("who", 5, "its who is 5, which is no name"),
        ("who", "", 'its who is "", which is no name'),
        ("at", "yesterday", 'its at is "yesterday", which is no instant'),
        ("at", "2026-11-23T23:00:00", "which is no instant"),
        ("at", 1_795_471_200_500, "its at is 1795471200500, which is no instant"),
        ("at", True, "its at is true, which is no instant"),
        ("at", -1, "its at is -1, which is no instant"),
        ("at", 10**400, "which is no instant: those are like 1970-01-01T00:00:00Z, or seconds since then"),
        ("zones", "Kitchen", 'its zones is "Kitchen", which is no list of names'),
        ("zones", [1], "its zones is 1, which is no name"),
        ("zones", [{"name": "Kitchen"}], 'its zones is a table of "name", which is no name'),
    ],
)
async def test_what_else_is_said_must_make_sense_too(path: str, value: object, message: str) -> None:
    """A report is a whole: half of one is none."""
    said = {"state": "disarmed", "who": None, "at": None, "zones": None, path: value}
    with a_web_server(says(json.dumps(said).encode())) as web:
        assert message in await unread(a_driver(web, **PATHS))


@pytest.mark.parametrize("path", ["a.2", "a.-1", "a.x", "a.0.b", "x", "a.0.b.c"])
async def test_a_path_that_leads_nowhere_is_unavailable(path: str) -> None:
    """Beyond the end of a list, into a text, or to a key that is not there."""
    with a_web_server(says(b'{"a": [1, 2]}')) as web:
        assert f"its answer has no {path}: " in await unread(a_driver(web, state_path=path))


@pytest.mark.parametrize("code", [201, 204, 304, 401, 404, 429, 500])
async def test_a_state_comes_with_200_alone(code: int) -> None:
    """Whatever else is answered is no state, even if it looks like one."""
    with a_web_server(says(b"" if code in (204, 304) else b'{"state": "disarmed"}', code)) as web:
        assert f"the answer is {code} " in await unread(a_driver(web))


# Nothing secret is shown


def all_of_it() -> str:
    """Return everything secret at once, as a panel could repeat it."""
    return f"{CODE} {SECRET} {TOKEN} {quote(CODE)} {quote(SECRET)}"


async def refused_or_taken(driver: HttpDriver) -> PanelFailure | None:
    """Return how a command fails, if it does."""
    with trio.fail_after(PATIENCE_S):
        try:
            await driver.command(Target.ARMED_AWAY, CODE)
        except PanelFailure as failure:
            return checked(failure)
    return None


@pytest.mark.parametrize(
    "answer",
    [
        says(json.dumps({"error": all_of_it()}).encode(), 403),
        says(json.dumps({"open_zones": [all_of_it()]}).encode(), 409),
        says(json.dumps({"state": all_of_it()}).encode()),
        says(json.dumps({"state": CODE, "x": [{}] * 3}).encode()[:-2]),
        says(json.dumps({all_of_it(): 1, CODE: 2}).encode()),
        says(json.dumps({"state": [], "who": all_of_it()}).encode()),
        says(all_of_it().encode()),
        says(f'{{"{"x" * 30}{TOKEN}": 1, "{"x" * 30}{TOKEN}": 2}}'.encode()),
        says(("x" * 20 + TOKEN).encode()),
        says(("x" * (NAME_MAX - 5) + CODE).encode()),
        lambda request: request.wfile.write(all_of_it().encode() + b"\r\n") and None,
        lambda request: request.wfile.write(b"HTTP/1.0 200 " + all_of_it().encode() + b"\r\n\r\n") and None,
        status(302, f"http://elsewhere/{quote(all_of_it())}"),
    ],
    ids=range(13),
)
async def test_a_panel_that_repeats_secrets_is_not_repeated(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither code nor secret nor token is in a message, a name or a log, in whatever spelling (A5.2)."""
    caplog.set_level(logging.DEBUG)
    with a_web_server(answer) as web:
        assert await unread(a_driver(web))
        failure = await refused_or_taken(a_driver(web))
        assert failure is None or not any("0042" in zone or "token" in zone for zone in failure.zones)
    assert not any(secret in caplog.text for secret in ("0042", "hook-secret", "bearer.token"))


async def test_names_do_not_repeat_secrets() -> None:
    """A report is kept: what a panel puts into it is looked through as well."""
    said = {"state": "disarmed", "who": f"anna with {CODE}", "at": None, "zones": [f"zone {TOKEN}", SECRET]}
    found = await report(said, **PATHS)
    assert (found.changed_by, found.open_zones) == ("anna with ***", ("zone ***", "***"))


async def test_the_code_of_a_partition_is_masked_as_well() -> None:
    """It is sent instead of the panel's own, and just as secret when the state is read."""
    with a_web_server(says(json.dumps({"state": CODE}).encode())) as web:
        settings = settings_of(web, code=None)
        partition = Partition(name="house", site="home", panel=settings, code=SecretRef(env="PANEL_CODE"))
        driver = make_panel(partition, InMemoryScheduleRepository(), SystemClock())
        assert isinstance(driver, HttpDriver)
        assert 'its state is "***"' in await unread(driver)


async def test_another_code_is_not_repeated_either() -> None:
    """Whatever was sent is secret, wherever it came from."""
    with a_web_server(says(b'{"error": "9999-other is wrong"}', 403)) as web, pytest.raises(PanelFailure) as caught:
        await a_driver(web).command(Target.ARMED_AWAY, "9999-other")
    assert str(caught.value).endswith("Forbidden: *** is wrong")


@pytest.mark.parametrize("name", ["PANEL_SECRET", "PANEL_TOKEN"])
async def test_without_its_keys_nothing_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that nobody can verify is none: the message names the place."""
    monkeypatch.delenv(name)
    with a_web_server() as web:
        failure = await refusal(a_driver(web))
        assert (failure.kind, web.asked) == (REJECTED, [])
        assert f"nothing was sent: environment variable {name} is not set" in str(failure)


@pytest.mark.parametrize("token", ["bearer.token\u2026", "bearer.token\x7f", "bearer.token\ttwo"])
async def test_a_token_that_no_header_can_hold_is_not_shown(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, without a character of it, before anything is sent."""
    monkeypatch.setenv("PANEL_TOKEN", token)
    with a_web_server() as web:
        said = "the token has characters that no header can hold"
        assert said in str(await refusal(a_driver(web)))
        assert said in await unread(a_driver(web))
        assert web.asked == []


async def test_a_secret_of_any_octets_is_signed_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables need not be UTF-8."""
    monkeypatch.setitem(os.environb, b"PANEL_SECRET", b"\xff\xfe-octets")
    seen = Recorder(status(204))
    with a_web_server(seen) as web:
        await a_driver(web).command(Target.DISARMED, None)
    [(_, _, headers, content)] = seen.requests
    signed = headers["x-trioarm-timestamp"].encode() + b"." + content
    assert headers["x-trioarm-signature"] == f"sha256={hmac_sha256(bytes([255, 254]) + b'-octets', signed)}"


# TLS


async def test_a_certificate_nobody_trusts_is_not_spoken_to(certificate: Path) -> None:
    """Neither command nor token reach whoever only says to be the panel; the line says what to do."""
    with an_encrypted_server(certificate) as (url, received):
        failure = await refusal(a_driver(url))
        assert failure.kind is UNAVAILABLE
        assert "its certificate is not trusted: self-signed certificate" in str(failure)
        assert "SSL_CERT_FILE" in str(failure)
        assert "its certificate is not trusted" in await unread(a_driver(url))
    assert set(received) <= {b"refused"}


async def test_a_certificate_can_be_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the message says: the file of it in SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with an_encrypted_server(certificate) as (url, received):
        assert (await a_driver(url).read_state()).state is Reported.DISARMED
        assert received[0].startswith(b"GET /alarm/house/state ")


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
    assert not any(secret in f"{caplog.text} {ended}" for secret in ("0042", "hook-secret"))


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
