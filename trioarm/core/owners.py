"""Owners: who declares schedules as a set again wherever a node starts, so that what is over must not be new (S5.8)."""

from __future__ import annotations

from typing import Final

FILE_OWNER: Final = "file:"  # before the name of the file
CODE_OWNER: Final = "config"  # who owns schedules of a configuration that was made in code, not read from a file


def declares_at_start(owner: str | None) -> bool:
    """Whether whoever owns a schedule declares it again whenever a node starts, be it over or not."""
    return owner is not None and (owner == CODE_OWNER or owner.startswith(FILE_OWNER))
