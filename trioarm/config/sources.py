"""Sources: where settings come from, read as trees and laid over each other, the weakest first.

A file is read whole or refused in one line. Trees are not understood here.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from trioarm.core.errors import ConfigurationError

FILE_BYTES_MAX: Final = 1024 * 1024  # a larger one is no configuration, and would keep a node from starting for minutes
DEPTH_MAX: Final = 8  # tables in tables that are laid over each other; what is meant has four
KEY_PARTS_MAX: Final = 64  # parts of a dotted key: the parser takes minutes for thousands of them
LOCAL: Final = "scheduler.local.toml"  # beside the file; written by `config set`

_LONG_KEY: Final = re.compile(rf"(?:\.[ \t]*+[\w\"'-]++[ \t]*+){{{KEY_PARTS_MAX}}}")

Tree: TypeAlias = Mapping[str, object]


@attrs.frozen(slots=True)
class Layer:
    """A tree and where it comes from.

    Args:
        source: as `config show` says it.
        path: what its problems begin with; empty for the file itself.
        tree: as parsed.
    """

    source: str
    path: str
    tree: Tree


def read_toml(path: Path) -> Tree:
    """Return the tree of a TOML file.

    Raises:
        ConfigurationError: one line that says why it cannot be read, and what to do.
    """
    try:
        if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise _refused(path, "is no ordinary file: a pipe or a device is read to no end, so name a file")
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _refused(path, "there is no such file: write one with `trioarm init`, or name another") from None
    except IsADirectoryError:
        raise _refused(path, "this is a directory: name the file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _refused(path, f"cannot be read: {reason}") from None
    if len(content) > FILE_BYTES_MAX:
        raise _refused(path, "is larger than 1 MiB: schedules by the thousand belong into the store")
    return parse_toml(path, content)


def parse_toml(path: Path, content: bytes) -> Tree:
    """Return the tree of a TOML document.

    Args:
        path: where it comes from, for people.

    Raises:
        ConfigurationError: one line that says why it cannot be understood.
    """
    try:
        text = content.decode("utf-8-sig")
        if _LONG_KEY.search(text):
            raise _refused(path, f"has a key of more than {KEY_PARTS_MAX} parts")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(path, f"is not UTF-8, see line {line}: save it as UTF-8") from None
    except RecursionError:
        raise _refused(path, "is nested too deeply") from None
    except ValueError as error:  # tomllib's own is one; a number of 5000 digits is another
        raise _refused(path, f"is not TOML: {error}") from None


def _refused(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError((f"{path}: {message}",))


def overlay(below: Tree, above: Tree, depth: int = DEPTH_MAX) -> dict[str, object]:
    """Return `below` with what `above` says instead.

    Tables are laid over each other key by key. A schedule replaces the one of its name, or is added. Everything else
    is replaced.
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if depth and isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = overlay(old, value, depth - 1)
        elif key == "schedule" and isinstance(old, list) and isinstance(value, list):
            merged[key] = _replace_schedules(old, value)
        else:
            merged[key] = value
    return merged


def _replace_schedules(below: list[object], above: list[object]) -> list[object]:
    replaced = {name for item in above if (name := _name(item)) is not None}
    return [item for item in below if _name(item) not in replaced] + above


def _name(schedule: object) -> str | None:
    name = schedule.get("name") if isinstance(schedule, Mapping) else None
    return name if isinstance(name, str) else None
