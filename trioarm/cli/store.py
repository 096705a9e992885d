"""`trioarm store`: looks after the store's file. Nothing here deletes or repairs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.progress import ProgressLine
from trioarm.cli.stored import existing, stored_config
from trioarm.cli.terminal import say, say_json
from trioarm.core.counting import counted, grouped
from trioarm.repositories.sqlite import care


def migrate(*, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """Bring the tables of the store up to date: all of it, or nothing. End the nodes on it before.

    For example:

    - `trioarm store backup before.db && trioarm store migrate`
    """
    path = _path(config, store)
    with ProgressLine() as progress:
        before, after = care.migrate(path, progress)
    if before == after:
        say(f"{path}: its tables are of version {after}, which is the newest")
    else:
        say(f"{path}: migrated from version {before} to version {after}")
    return Exit.CLEAN


def backup(
    copy: Annotated[Path, Parameter(name="FILE", help="Where to; a file that is not there yet.")],
    /,
    *,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Copy the store, as it is at one moment, into a new file. Nodes may go on working meanwhile.

    For example:

    - `trioarm store backup /var/backups/trioarm.db`
    """
    path = _path(config, store)
    try:
        with ProgressLine() as progress:
            size = care.backup(path, copy, progress)
    except FileExistsError as error:
        raise UsageError(f"{error.filename2 or error.filename or copy} is there already: name another file") from None
    except OSError as error:
        raise UsageError(f"{copy}: {error.strerror or error}") from None
    say(f"{copy}: {grouped(size)} bytes; to use it, stop the nodes, move {path} and its -wal away, put it there")
    return Exit.CLEAN


def check(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """Look at every page and every row of the store: a line for each problem, exit code 1 when there is one.

    Nothing is changed. What cannot be read is kept as it is, and stops nothing else: nodes leave it in quarantine.

    For example:

    - `trioarm store check`
    - `trioarm store check --json`
    """
    path = _path(config, store)
    with ProgressLine() as progress:
        findings = care.check(path, progress)
    for problem in findings.problems:
        if json:
            say_json({"problem": problem})
        else:
            say(problem)
    if not findings.problems and not json:
        rows = f"{counted(findings.schedules, 'schedule')} and {counted(findings.runs, 'run')}"
        say(f"{path} is fine: version {findings.version}, {rows}")
    return Exit.FAILURE if findings.problems else Exit.CLEAN


def _path(config: Path | None, store: str | None) -> Path:
    return existing(stored_config(config, store))
