"""Panels on the web, asked by their driver: what failures have in common, and what was heard at the other end."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import attrs
import pytest
import trio

from tests.links.web import Answer, Web, a_web_server, says
from trioarm.arming.model import HttpPanel, Target
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.http import REASON_MAX, HttpDriver
from trioarm.engine.clock import SystemClock
from trioarm.links.secrets import SecretRef

CODE = "00x42-öäü"
SECRET = "hook-secret-é"
TOKEN = "bearer.token-1234567890"
LONG = "x" * 25 + TOKEN  # cut where it is shown, in the middle of the token
PATIENCE_S = 30.0  # of a test, on a busy machine
SOON_S = 0.3
PATHS = {"changed_by_path": "who", "since_path": "at", "open_zones_path": "zones"}
REJECTED, BLOCKED, UNAVAILABLE = FailureKind.REJECTED, FailureKind.BLOCKED, FailureKind.UNAVAILABLE


@pytest.fixture
def keys_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put code, secret and token where the drivers of this module look for them."""
    monkeypatch.setenv("PANEL_CODE", CODE)
    monkeypatch.setenv("PANEL_SECRET", SECRET)
    monkeypatch.setenv("PANEL_TOKEN", TOKEN)


def shortly(value: object) -> str:
    """Return what a test of a long text is called."""
    return repr(value)[:30]


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
    return not any(part in told for part in (CODE, "00x42", SECRET, "hook-secret", TOKEN, "bearer.token"))


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


def hmac_sha256(key: bytes, text: bytes) -> str:
    """Compute it by the book (RFC 2104), not as the driver does."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block) + text).digest()
    return hashlib.sha256(bytes(octet ^ 0x5C for octet in block) + inner).hexdigest()
