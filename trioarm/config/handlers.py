"""Handlers with workers of their own: every `[handler.NAME]`. Nothing else keeps those waiting (S6.1, S6.6)."""

from __future__ import annotations

from typing import Final

from trioarm.arming.model import HANDLER
from trioarm.config.named import read_each
from trioarm.core.reading import Table, show, text, whole
from trioarm.core.schedule import HANDLER_LENGTH_MAX
from trioarm.handlers.housekeeping import OWNER

WORKERS_MAX: Final = 1_000


def read_workers(tables: Table) -> dict[str, int]:
    """Read how many workers of its own each named handler has."""
    return read_each(tables, "handler", _name, _read)


def _name(value: object) -> str:
    name = text(value)
    if name == HANDLER:
        raise ValueError(f"{show(name)} has workers of its own already: set arming.workers")
    if name.startswith(f"{OWNER}/"):
        raise ValueError(f"{show(name)} is a handler of the node itself, with workers of its own")
    if not 0 < len(name) <= HANDLER_LENGTH_MAX:
        raise ValueError(f"{show(name)} is no name of a handler")
    return name


def _read(name: str, table: Table) -> int:
    return table.need("workers", whole(1, WORKERS_MAX), "say how many, such as workers = 1") or 1
