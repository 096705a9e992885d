"""Web URLs: which text is an address of a web server, and how to show one without what it authenticates with."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from trioarm.core.reading import show

URL_MAX: Final = 2_000  # characters of a URL: longer ones are refused by servers, too

_USERINFO: Final = re.compile(r"(?<=://)[^/?#]*@")


def mask_userinfo(text: str) -> str:
    """Return a URL with the user and the password in it replaced by stars: either may be the secret."""
    return _USERINFO.sub("***@", text)


def web_url(text: str, sample: str) -> str:
    """Return a URL that can be fetched over HTTP or HTTPS.

    Args:
        text: what should be one.
        sample: a good one, for what is said of others.

    Raises:
        ValueError: it is none; shown without user and password.
    """
    shown = show(mask_userinfo(text))
    if len(text) > URL_MAX:
        raise ValueError(f"{shown} is longer than {URL_MAX} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{shown} has characters that no URL has: write them as %20 and the like")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown} is no URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f'{shown} is neither http nor https: write it like "{sample}"')
    if not parts.hostname or port == 0:
        raise ValueError(f'{shown} names no host: write it like "{sample}"')
    return text
