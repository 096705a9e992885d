"""A panel on the web: commands are posted to a webhook, signed, and its state is read back from a URL (A1.3).

How a receiver verifies a command, and what each answer of it means, is in docs/panels-http.md.
"""

from __future__ import annotations

import json
from typing import Final
from uuid import uuid4

import trio

from trioarm.arming.model import HttpPanel, Target
from trioarm.arming.panel_urls import origin_of, partition_url
from trioarm.arming.panels.answers import Unclear, parsed, refusal_of, report_of, status_of
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelFailure, PanelReport
from trioarm.engine.ports import Clock
from trioarm.links.secrets import Mask, SecretRef, SecretUnreadable, masking_of, references
from trioarm.links.signing import KEY_HEADER, bearer, signature
from trioarm.links.web import REDIRECTS, Limits, Web, WebFailed, redirection

SIZE_MAX: Final = 256 * 1024  # bytes of an answer; read in the loop, so it takes milliseconds
REASON_MAX: Final = 300  # characters of what went wrong, some of them the panel's


class HttpDriver:
    """One partition of a panel on the web. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        settings: as configured.
        address: which partition of the panel.
        clock: what commands are stamped by.
        code: where the code is that is sent instead of the panel's, so that no message repeats it.
    """

    def __init__(self, settings: HttpPanel, address: str, clock: Clock, *, code: SecretRef | None = None) -> None:
        self._settings = settings
        self._address = address
        self._clock = clock
        self._refs = (*references(settings).values(), *([] if code is None else [code]))
        self._set_url = partition_url(settings.set_url, address)
        self._read_url = partition_url(settings.read_url, address)
        self._web = Web(Limits(deadline_s=settings.timeout_s, redirects=0, size=SIZE_MAX))

    @property
    def name(self) -> str:
        """The server that takes the commands: partitions are commanded in order where it is the same (A3.8)."""
        return f"http:{origin_of(self._set_url)}"

    async def read_state(self) -> PanelReport:
        """Ask the panel what the partition is now.

        Raises:
            PanelFailure: `unavailable`: it does not answer, or not what can be understood.
        """
        try:
            answer = await self._web.get(self._read_url, {"Accept": "application/json", **bearer(self._settings.token)})
        except (WebFailed, SecretUnreadable) as error:
            raise self._failure(FailureKind.UNAVAILABLE, self._read_url, str(error)) from None
        if answer.status != 200:
            raise self._failure(FailureKind.UNAVAILABLE, self._read_url, status_of(answer.status))
        mask = self._mask()
        try:
            return report_of(parsed(answer.body, mask), self._settings, mask)
        except Unclear as error:
            raise self._failure(FailureKind.UNAVAILABLE, self._read_url, str(error)) from None

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Post a command, once, under a key of its own.

        Raises:
            PanelFailure: `rejected`, `blocked` or `unavailable`, by the status of the answer.

        Cancellation: at once; what was not sent by then is not sent any more.
        """
        key = str(uuid4())  # in the body as well, so that it is signed: nobody can repeat a command under another
        body = {"id": key, "target": target.value, "partition": self._address, "by": by}
        content = json.dumps(body if code is None else {**body, "code": code}).encode()
        try:
            signed = signature(self._settings.secret, content, self._clock.look())
            headers = {"Content-Type": "application/json", **bearer(self._settings.token), **signed}
        except SecretUnreadable as error:
            raise self._failure(FailureKind.REJECTED, self._set_url, f"nothing was sent: {error}", code) from None
        try:
            answer = await self._web.post(self._set_url, content, {**headers, KEY_HEADER: key})
        except WebFailed as error:
            raise self._failure(FailureKind.UNAVAILABLE, self._set_url, str(error), code) from None
        where = answer.headers.get("location")
        if answer.status in REDIRECTS and where is not None:
            leads = redirection(self._set_url, where)
            message = f"{status_of(answer.status)}: {leads}: put the address that it leads to into set"
            raise self._failure(FailureKind.UNAVAILABLE, self._set_url, message, code)
        refusal = refusal_of(answer.status, answer.body, self._mask(code))
        if refusal is not None:
            kind, message, zones = refusal
            raise self._failure(kind, self._set_url, message, code, zones)

    async def changed(self) -> None:
        """Never return: a panel that is asked does not tell by itself."""
        await trio.sleep_forever()

    # What is said of it

    def _failure(
        self, kind: FailureKind, url: str, reason: str, code: str | None = None, zones: tuple[str, ...] = ()
    ) -> PanelFailure:
        """Return a failure that names the server, and neither the rest of its URL nor anything secret."""
        said = self._mask(code)(reason)
        cut = said if zones or len(said) <= REASON_MAX else said[:REASON_MAX] + "..."
        return PanelFailure(kind, f"{origin_of(url)}: {cut}", zones)

    def _mask(self, code: str | None = None) -> Mask:
        """Return what takes codes and keys out of a text, however the panel spelt them when it repeated them."""
        return masking_of(self._refs, code)
