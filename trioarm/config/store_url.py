"""Store URLs: which can be used, and how to show one without its password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from trioarm.core.reading import show, suggest

MEMORY: Final = "memory://"
SQLITE: Final = "sqlite:///"  # then a path; one that begins with / is absolute
URL_MAX: Final = 2_000  # characters of a URL; nothing is looked for in longer ones, and nothing of them is shown

_LATER: Final = {
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
    """Return the URL of a store that can be used: `sqlite:///FILE`, or `memory://`, which forgets all at its end.

    Raises:
        ValueError: no such store; the URL is shown without its password.
    """
    if text == MEMORY or (text.startswith(SQLITE) and _is_file(text.removeprefix(SQLITE))):
        return text
    scheme, found, _ = text.partition("://")
    usable = f'use "{SQLITE}trioarm.db", or "{MEMORY}", which forgets all when it ends'
    if found and scheme in _LATER:
        raise ValueError(f"{show(mask(text))}: {_LATER[scheme]}; {usable}")
    if scheme == "sqlite":
        raise ValueError(f'{show(mask(text))} names no file: write it like "{SQLITE}trioarm.db"')
    near = suggest(scheme, ["memory", "sqlite", *_LATER])
    raise ValueError(f'{show(mask(text))} is no store: write "{SQLITE}trioarm.db" or "{MEMORY}"{near if found else ""}')


def sqlite_path(url: str) -> Path:
    """Return the file that a URL names.

    Raises:
        ValueError: it names none.
    """
    if not url.startswith(SQLITE):
        raise ValueError(f"{show(mask(url))} names no file")
    return Path(url.removeprefix(SQLITE))


def _is_file(path: str) -> bool:
    return path not in ("", "/") and "\0" not in path and not path.startswith(":") and len(path) <= URL_MAX
