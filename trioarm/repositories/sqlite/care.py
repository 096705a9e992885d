"""Care of a store's file: looking at it, checking it row by row, copying it, bringing it up to date.

Nothing here deletes or repairs anything, and only `migrate` writes to the store. It runs without trio, on a connection
of its own, whether or not nodes live on the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from trioarm.core.chain import broken_links
from trioarm.core.operations import JOURNAL
from trioarm.core.record import ScheduleState
from trioarm.core.states import Reason
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.database import (
    MODE,
    StoreDamaged,
    StoreUnavailable,
    as_text,
    check_header,
    in_words,
    migrate_file,
    version_of,
)
from trioarm.repositories.sqlite.rows import Records, journal_entry
from trioarm.repositories.sqlite.schema import VERSION

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is; 0 where nobody knows."""

WAIT_S: Final = 10.0  # for another program that holds the file
PAGES: Final = 1_000  # copied between two reports of progress
ROWS: Final = 1_000  # read between two reports of progress
PROBLEMS_MAX: Final = 1_000  # lines of one kind; nobody reads more
PART: Final = ".part"  # ends the name of a copy that is not complete


@contextmanager
def reading(path: Path, wait_s: float = WAIT_S) -> Iterator[sqlite3.Connection]:
    """Open a store to look at, and at nothing that is not one.

    Args:
        wait_s: for another program that holds the file.

    Raises:
        RepositoryError: it is not there, no store of ours, too new, or cannot be read.
    """
    if not path.is_file():
        raise StoreUnavailable(f"{path}: there is no store")
    try:
        check_header(path)
        # Never made, and never written to: what opens it for reading alone could not read a log that is not folded in.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=wait_s)
        with closing(connection):
            connection.text_factory = as_text
            connection.execute("PRAGMA query_only = 1")
            version_of(path, connection)
            yield connection
    except sqlite3.Error as error:
        raise in_words(path, error) from error
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror or error}") from error


def version(path: Path) -> int:
    """Return the version of a store's tables; 0 for an empty file, or for none.

    Raises:
        RepositoryError: it cannot be read.
    """
    if not path.exists():
        return 0
    with reading(path) as connection:
        return version_of(path, connection)


def migrate(path: Path, progress: Progress) -> tuple[int, int]:
    """Bring a store's tables up to date, in one transaction, and return which version they had and have.

    Raises:
        RepositoryError: it is not there, cannot be written, or is too new; nothing was changed.
    """
    with reading(path):
        pass
    connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    with closing(connection):
        try:
            before = migrate_file(path, connection, lambda step: progress("migrating", step, VERSION))
        except sqlite3.Error as error:
            raise in_words(path, error) from error
    return before, VERSION


# Backup


def backup(path: Path, copy: Path, progress: Progress) -> int:
    """Copy a store as it is at one moment into a new file, and return how many bytes that has.

    The copy appears under its name once it is complete and on the disk. Nodes go on meanwhile.

    Raises:
        RepositoryError: the store cannot be read.
        FileExistsError: the copy is there already.
        OSError: the copy cannot be written.
    """
    if os.path.lexists(copy):
        raise FileExistsError(f"{copy} is there already: name another file")
    part = copy.with_name(copy.name + PART)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    try:
        with reading(path) as source:
            _copy(source, part, progress)
        _settle(part, copy)
    finally:
        part.unlink(missing_ok=True)
    return copy.stat().st_size


def _copy(source: sqlite3.Connection, part: Path, progress: Progress) -> None:
    source.execute("BEGIN")  # one moment for all of it: the copy never begins anew, however much nodes write meanwhile
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    target = sqlite3.connect(part, isolation_level=None)
    with closing(target):
        try:
            source.backup(target, pages=PAGES, progress=lambda _, left, pages: progress("copying", pages - left, pages))
            target.execute("PRAGMA journal_mode = DELETE")  # one file, that opens wherever it is put
        except sqlite3.Error as error:
            raise in_words(part, error) from error
    source.rollback()


def _settle(part: Path, copy: Path) -> None:
    """Put a complete copy on the disk, then under its name, unless something has that name by now."""
    for place in (part, part.parent):
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    os.link(part, copy)


# Check


@attrs.frozen(slots=True)
class Findings:
    """What a check found.

    Args:
        version: of the tables.
        schedules: rows looked at.
        runs: likewise.
        problems: a line each.
    """

    version: int
    schedules: int
    runs: int
    problems: tuple[str, ...]


def check(path: Path, progress: Progress) -> Findings:
    """Look at every page and every row of a store.

    Raises:
        RepositoryError: it is not there, no store of ours, too new, or cannot be read.
    """
    try:
        with reading(path) as connection:
            return _check(connection, version_of(path, connection), progress)
    except StoreDamaged as error:
        return Findings(0, 0, 0, (f"damaged: {error}",))


def _check(connection: sqlite3.Connection, found: int, progress: Progress) -> Findings:
    problems = _few(_pages(connection, progress))
    if found != VERSION:
        problems.append(f"its tables are of version {found}, not {VERSION}: run `trioarm store migrate`")
    if problems:
        return Findings(found, 0, 0, tuple(problems))  # what else there is can be trusted no more than the pages
    schedules, runs = _count(connection, "schedules"), _count(connection, "runs")
    for look in (_schedules, _runs, _strays, _lanes, _papers):
        problems += _few(look(connection, progress))
    return Findings(found, schedules, runs, tuple(problems))


def _few(lines: Iterator[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if len(found) == PROBLEMS_MAX:
            return [*found, f"and more: these {PROBLEMS_MAX} are not all"]
        found.append(line)
    return found


def _count(connection: sqlite3.Connection, table: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(rows)


def _pages(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    progress("looking at every page", 0, 0)
    for (line,) in connection.execute(f"PRAGMA integrity_check({PROBLEMS_MAX})"):
        if line != "ok":
            yield f"damaged: {' '.join(line.split())}"


def _schedules(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    """Find schedules that cannot be understood."""
    total = _count(connection, "schedules")
    records = Records()
    for number, row in enumerate(connection.execute(questions.SCHEDULES)):
        if number % ROWS == 0:
            progress("looking at schedules", number, total)
            records = Records()  # nothing of them is needed again
        record = records.schedule(row)
        if record.state is ScheduleState.QUARANTINED or record.trouble is not None:
            yield f"schedule {row[1]} (key {row[0]}) is in quarantine: {record.trouble or 'its trigger fails'}"


def _runs(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    """Find runs that cannot be understood."""
    total = _count(connection, "runs")
    for number, row in enumerate(connection.execute(f"SELECT {questions.RUN} FROM runs r ORDER BY id")):
        if number % ROWS == 0:
            progress("looking at runs", number, total)
        [run] = Records().runs([row], {}, 0)
        if run.reason is Reason.UNREADABLE:
            yield f"run {row[0]} of the schedule with key {row[1]}: {run.error}"


def _strays(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    """Find rows that belong to nothing, or do not belong together."""
    progress("looking at what belongs together", 0, 0)
    for run_id, key in connection.execute(questions.RUNS_OF_NOBODY):
        yield f"run {run_id} belongs to no schedule: there is none with key {key}"
    for name, key in connection.execute(questions.DISAGREEING):
        yield f"schedule {name} (key {key}) and its cursor disagree on whether it was removed"
    for (key,) in connection.execute(questions.CURSORS_OF_NOBODY):
        yield f"a cursor belongs to no schedule: there is none with key {key}"
    for tag, key in connection.execute(questions.TAGS_OF_NOBODY):
        yield f"tag {tag} belongs to no schedule: there is none with key {key}"
    for resource, key in connection.execute(questions.NEEDS_OF_NOBODY):
        yield f"resource {resource} is needed by no schedule: there is none with key {key}"


def _lanes(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    """Find lanes that are held twice, without the index that should have refused it."""
    progress("looking at lanes", 0, 0)
    for lane, holders in connection.execute(questions.LANES_HELD_TWICE):
        yield f"lane {lane} is held by {holders} runs at once"


def _papers(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    """Find documents that are no JSON, and journals whose entries are not what was written (A5.1)."""
    progress("looking at documents and journals", 0, 0)
    for namespace, key in connection.execute("SELECT namespace, key FROM documents WHERE NOT json_valid(body)"):
        yield f"document {namespace}/{key} is no JSON"
    entries = map(journal_entry, connection.execute(questions.JOURNALS))
    for namespace, journal in groupby(entries, key=attrgetter("namespace")):
        yield from broken_links(journal, whole=namespace != JOURNAL)
