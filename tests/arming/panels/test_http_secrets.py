"""The driver of a panel on the web: what it authenticates with is shown to nobody, and to no stranger (A5.2)."""

from __future__ import annotations

import json
import logging
import os
from urllib.parse import quote

import pytest
import trio

from tests.arming.panels.http_asking import (
    CODE,
    LONG,
    PATHS,
    PATIENCE_S,
    REJECTED,
    SECRET,
    TOKEN,
    UNAVAILABLE,
    Recorder,
    a_driver,
    checked,
    hmac_sha256,
    keys_in_place,
    refusal,
    report,
    settings_of,
    unread,
)
from tests.arming.premises import some_parts
from tests.links.tls import Certificate, an_encrypted_server, certificate
from tests.links.web import Answer, a_web_server, says, status
from trioarm.arming.model import Partition, Reported, Target
from trioarm.arming.panels import make_panel
from trioarm.arming.panels.base import NAME_MAX, PanelFailure
from trioarm.arming.panels.http import HttpDriver
from trioarm.links.secrets import SecretRef

__all__ = ["certificate", "keys_in_place"]

pytestmark = pytest.mark.usefixtures("keys_in_place")


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
        says(f'{{"{LONG}": 1, "{LONG}": 2}}'.encode()),
        says(LONG.encode()),
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
        assert failure is None or not any("00x42" in zone or "token" in zone for zone in failure.zones)
    assert not any(secret in caplog.text for secret in ("00x42", "hook-secret", "bearer.token"))


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
        driver = make_panel(partition, some_parts())
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


async def test_a_certificate_nobody_trusts_is_not_spoken_to(certificate: Certificate) -> None:
    """Neither command nor token reach whoever only says to be the panel; the line says what to do."""
    with an_encrypted_server(certificate) as (url, received):
        failure = await refusal(a_driver(url))
        assert failure.kind is UNAVAILABLE
        assert "its certificate is not trusted: unable to get local issuer certificate" in str(failure)
        assert "SSL_CERT_FILE" in str(failure)
        assert "its certificate is not trusted" in await unread(a_driver(url))
    assert set(received) <= {b"refused"}


async def test_a_certificate_can_be_trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the message says: the file of it in SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
    with an_encrypted_server(certificate) as (url, received):
        assert (await a_driver(url).read_state()).state is Reported.DISARMED
        assert received[0].startswith(b"GET /alarm/house/state ")
