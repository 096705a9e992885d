"""Store URLs: which can be used, and how to show one without its password."""

from __future__ import annotations

import re
from typing import Final

from trioarm.core.reading import show, suggest

MEMORY: Final = "memory://"
URL_MAX: Final = 2_000  # characters of a URL; nothing is looked for in longer ones, and nothing of them is shown

_LATER: Final = {
    "sqlite": "the SQLite store is not available yet",
    "postgresql": "the PostgreSQL store is not available yet",
    "postgres": "the PostgreSQL store is not available yet",
}
_USER = re.compile(r"(?s)(?<=://)([^@:/\s]*):.*@")  # up to the last @: a password may hold anything
_QUERY = re.compile(r"(?i)((?:password|passwd|passphrase|token|secret)=)[^&\s]*")


def mask(text: str) -> str:
    """Return a text with the passwords of the URLs in it replaced by stars."""
    if len(text) > URL_MAX:
        return "***"
    return _QUERY.sub(r"\1***", _USER.sub(r"\1:***@", text))


def store_url(text: str) -> str:
    """Return the URL of a store that can be used: for now `memory://` alone, which forgets all when its process ends.

    Raises:
        ValueError: no such store; the URL is shown without its password.
    """
    if text == MEMORY:
        return text
    scheme, found, _ = text.partition("://")
    if found and scheme in _LATER:
        raise ValueError(f'{show(mask(text))}: {_LATER[scheme]}; use "{MEMORY}", which forgets all when it ends')
    near = suggest(scheme, ["memory", *_LATER])
    raise ValueError(f'{show(mask(text))} is no store: write "{MEMORY}"{near if found else ""}')
