"""Ping URLs: which can be fetched as a sign of life."""

from __future__ import annotations

from typing import Final

from trioarm.core.web_urls import web_url

SAMPLE: Final = "https://watcher.example/ping"


def ping_url(text: str) -> str:
    """Return a URL that can be fetched over HTTP or HTTPS.

    Raises:
        ValueError: it is none; shown without user and password.
    """
    return web_url(text, SAMPLE)
