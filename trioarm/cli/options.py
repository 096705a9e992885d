"""Options that several commands share, and how settings are written on a command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trioarm.cli.exits import UsageError
from trioarm.config import FILE, FILE_ENV

ConfigFile: TypeAlias = Annotated[
    Path | None,
    Parameter(name=["--config", "-c"], help=f"The configuration file; otherwise ${FILE_ENV}, else {FILE}."),
]
AsJson: TypeAlias = Annotated[bool, Parameter(name="--json", help="One JSON object per line, instants in UTC with Z.")]


def read_overrides(settings: Iterable[str]) -> dict[str, object]:
    """Read `KEY=VALUE` settings: a value is meant as in the file, and text needs no quotes.

    Raises:
        UsageError: one has no `=`.
    """
    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or "." not in key:
            raise UsageError(f"--set {setting}: write it like --set scheduler.check_interval=30s")
        overrides[key.strip()] = read_value(value.strip())
    return overrides


def read_value(text: str) -> object:
    """Return what a value means in the file; what is none there is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
