"""Which tz database says what zones do: the system's, where it has one, else that of the package `tzdata` (S3.5)."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH

_ZONE: Final = "Europe/London"  # in every tz database there is
_VERSION: Final = re.compile(r"# version (\S+)")  # how the compact form of a database begins
LINE_MAX: Final = 100  # bytes of its first line that are read


@cache
def zone_data_version() -> str:
    """Return the version of the tz database in use, such as `2026a`, as it was when it was asked for first."""
    folder = next((Path(folder) for folder in TZPATH if (Path(folder) / _ZONE).is_file()), None)
    return version("tzdata") if folder is None else _system_version(folder)


def _system_version(folder: Path) -> str:
    """Return the version of a system's database; where it does not say, what changes with it."""
    try:
        with (folder / "tzdata.zi").open("rb") as compact:
            found = _VERSION.match(compact.read(LINE_MAX).decode("ascii", "replace"))
    except OSError:
        found = None
    return found[1] if found is not None else f"of {int((folder / _ZONE).stat().st_mtime)}"
