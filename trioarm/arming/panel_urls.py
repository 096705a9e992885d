"""Panel URLs: addresses of a panel on the web, in which `{address}` stands for the partition."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from trioarm.core.web_urls import web_url

ADDRESS: Final = "{address}"
SAMPLE: Final = "https://panel.example/alarm/{address}"
HOME_SAMPLE: Final = "http://homeassistant.local:8123"
PORTS: Final = {"http": 80, "https": 443}


def panel_url(template: str) -> str:
    """Return what can be made the URL of every partition of a panel.

    Raises:
        ValueError: it cannot; shown without user and password.
    """
    url = web_url(template.replace(ADDRESS, "address"), SAMPLE)
    host = urlsplit(template).netloc
    if "@" in host:
        raise ValueError('has a user or a password in it: name a token instead, like token = { env = "HOUSE_TOKEN" }')
    if ADDRESS in host:
        raise ValueError(f'has {ADDRESS} in the host: it belongs behind it, like "{SAMPLE}"')
    if "{" in url or "}" in url:
        raise ValueError(f'has braces around something else than {ADDRESS}: write it like "{SAMPLE}"')
    return template


def instance_url(url: str) -> str:
    """Return what can be the URL of an instance of Home Assistant.

    Raises:
        ValueError: it cannot; shown without user and password.
    """
    parts = urlsplit(web_url(url, HOME_SAMPLE))
    if "@" in parts.netloc:
        raise ValueError('has a user or a password in it: name a token instead, like token = { env = "HOME_TOKEN" }')
    if parts.query or parts.fragment:
        raise ValueError(f'has something behind its path: write it like "{HOME_SAMPLE}"')
    return url


def partition_url(template: str, address: str) -> str:
    """Return the URL of one partition."""
    return template.replace(ADDRESS, quote(address, safe=""))


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: the server, whatever it is asked for."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{parts.port or PORTS[parts.scheme]}"
