"""Named tables: sections such as `[site.NAME]`, and the names by which other tables mean them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from trioarm.core.reading import Reader, Table, show, suggest, text

T = TypeVar("T")


def read_each(whole: Table, section: str, read_name: Reader[str], read: Callable[[str, Table], T]) -> dict[str, T]:
    """Read every table of a section, those with problems too, so that nothing else is blamed for them."""
    found: dict[str, T] = {}
    tables = whole.table(section)
    if tables is None:
        return found
    for name in tables.tree:
        table = tables.table(name)
        if table is not None:
            table.judge(name, read_name)
            found[name] = read(name, table)
            table.close()
    return found


def one_of(known: Mapping[str, object], what: str) -> Reader[str]:
    """Return a reader of names that are configured."""

    def read_known(value: object) -> str:
        name = text(value)
        if name in known:
            return name
        raise ValueError(f"there is no {what} {show(name)}{suggest(name, known)}")

    return read_known
