"""scheduler.local.toml: what `config set` says beside a person's file, written as a whole or not at all.

Nobody else writes it, and a person's file is never rewritten. Comments in it do not outlive the next change.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import tomli_w

from trioarm.config.keys import Key, file_key, keys_of
from trioarm.config.layering import SECTIONS
from trioarm.config.sources import LOCAL, Tree
from trioarm.core.errors import ConfigurationError
from trioarm.core.reading import suggest

if sys.platform != "win32":
    import fcntl

_HEAD: Final = "# Written by `trioarm config set`; change it with that, too.\n"


def find_key(wanted: str) -> Key:
    """Return what is known of a setting.

    Raises:
        ConfigurationError: there is no such setting; with what may have been meant.
    """
    sections = SECTIONS.items()
    known = {f"{name}.{file_key(f, key)}": key for name, section in sections for f, key in keys_of(section).items()}
    if wanted not in known:
        raise ConfigurationError((f"there is no setting {wanted}{suggest(wanted, known)}",))
    return known[wanted]


def changed(tree: Tree, key: str, value: object | None) -> dict[str, object]:
    """Return a tree with one setting said, or no longer said; what else is in it stays.

    Args:
        tree: as read.
        key: such as `scheduler.drain`.
        value: as in the file; None to say nothing of it.
    """
    section, _, name = key.partition(".")
    found = tree.get(section)
    table = dict(found) if isinstance(found, Mapping) else {}
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
    rest = {other: said for other, said in tree.items() if other != section}
    return {**rest, section: table} if table else rest


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep two changes beside one file from losing one of them, where the system can."""
    if sys.platform == "win32":
        yield
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def write_local(path: Path, tree: Tree) -> Path:
    """Write what is said beside a file, atomically, and return where; a tree that says nothing removes it.

    Whoever may read the file itself may read this one.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    local = Path(os.path.realpath(path.parent / LOCAL))
    if not tree:
        local.unlink(missing_ok=True)
        return local
    model = (local if local.exists() else path).stat()
    number, name = tempfile.mkstemp(prefix=f".{LOCAL}.", dir=local.parent)
    try:
        with open(number, "wb") as file:
            file.write(_HEAD.encode() + tomli_w.dumps(tree).encode())
            file.flush()
            os.chmod(name, model.st_mode & 0o777)
            if hasattr(os, "chown"):
                with suppress(PermissionError):  # only root can give a file away, and need not where it is its own
                    os.chown(name, model.st_uid, model.st_gid)
            os.fsync(file.fileno())
        os.replace(name, local)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync_directory(local.parent)
    return local


def _sync_directory(directory: Path) -> None:
    """Let the new name outlive a loss of power, where the system can."""
    with suppress(OSError):
        number = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
