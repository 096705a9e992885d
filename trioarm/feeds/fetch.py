"""Fetching: the content of a calendar, out of a file or from the web, of bounded size and in bounded time.

Messages name a file by its path, and a web address by its host alone: the rest of it may be all that is secret.
"""

from __future__ import annotations

import os
import stat
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import attrs

from trioarm.core.errors import CalendarUnavailable, TrioarmError
from trioarm.core.reading import show
from trioarm.feeds.ics import SIZE_MAX, too_large
from trioarm.links.threads import Thread
from trioarm.links.web import Limits, Web, WebFailed

DEADLINE_S: Final = 30.0  # for a feed, redirects included: a slow server is one that is down
REDIRECTS_MAX: Final = 5  # in a row; a loop has no end
SOURCE_MAX: Final = 2_000  # characters of an address: longer ones are refused by servers, too
HEADER_MAX: Final = 1_000  # characters of what a server calls a version of its answer
OK, UNCHANGED = 200, 304
_NO_ADDRESS: Final = "the address is none of the web: write it like https://example.org/school.ics"


@attrs.frozen(slots=True)
class Version:
    """By what a server knows a version of a feed; empty texts for what it does not say."""

    etag: str = ""
    modified: str = ""


@attrs.frozen(slots=True)
class Fetched:
    """What was fetched.

    Args:
        content: None where it is the version that is known already.
        version: by which to ask the next time.
    """

    content: bytes | None
    version: Version


class Fetcher:
    """Fetches calendars.

    Args:
        thread: in which files are read.
        deadline_s: for a web address, all in all.
    """

    def __init__(self, thread: Thread, deadline_s: float = DEADLINE_S) -> None:
        self._thread = thread
        self._web = Web(Limits(deadline_s=deadline_s, redirects=REDIRECTS_MAX, size=SIZE_MAX))

    async def fetch(self, source: str, known: Version | None = None) -> Fetched:
        """Fetch a calendar.

        Args:
            source: an address that begins with http, https or webcal, or the path of a file.
            known: the version of it that is known already, if it is still wanted as it is.

        Raises:
            CalendarUnavailable: it cannot be had; one line, without secrets of the address.
            InvalidCalendar: a file is too large.
        """
        if "://" in source:
            return await self._from_web(source, known or Version())
        return Fetched(await self._thread.run(partial(_read_file, source)), Version())

    async def _from_web(self, source: str, known: Version) -> Fetched:
        url = web_url(source)
        asked = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
        try:
            answer = await self._web.get(url, {name: value for name, value in asked.items() if value})
        except WebFailed as error:
            raise CalendarUnavailable(f"{shown(source)}: {error}") from None
        if answer.status == UNCHANGED and known != Version():
            return Fetched(None, known)
        if answer.status != OK:
            raise CalendarUnavailable(f"{shown(source)}: the answer is {answer.status}")
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        return Fetched(answer.body, Version(_kept(etag), _kept(modified)))


def shown(source: str) -> str:
    """Return a source as messages name it: of a web address the host."""
    if "://" not in source:
        return show(source)
    try:
        host = urlsplit(source).hostname or "nowhere"
    except ValueError:
        return "the address"
    return show(host).strip('"')


def web_url(source: str) -> str:
    """Return the address of a feed that can be asked for.

    Raises:
        CalendarUnavailable: it is none.
    """
    if len(source) > SOURCE_MAX:
        raise CalendarUnavailable(f"the address has {len(source)} characters: at most {SOURCE_MAX}")
    if not source.isascii() or not source.isprintable() or " " in source:
        raise CalendarUnavailable("the address has characters that none has: write them as %20 and the like")
    try:
        parts = urlsplit(source)
        is_usable = parts.scheme in ("http", "https", "webcal") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is no number
        raise CalendarUnavailable(_NO_ADDRESS) from None
    if not is_usable:
        raise CalendarUnavailable(_NO_ADDRESS)
    return parts._replace(scheme="https").geturl() if parts.scheme == "webcal" else source


def _kept(header: str) -> str:
    """Return what a server calls a version, if it is worth to be sent back."""
    return header if len(header) <= HEADER_MAX and header.isascii() and header.isprintable() else ""


def _read_file(path: str) -> bytes:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # reading a pipe may never end
            raise CalendarUnavailable(f"{show(path)} is no file")
        if found.st_size > SIZE_MAX:
            raise too_large(found.st_size)
        with open(path, "rb") as file:
            content = file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, TrioarmError):
            raise
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CalendarUnavailable(f"{show(path)}: {said}") from None
    if len(content) > SIZE_MAX:  # it grew
        raise too_large()
    return content
