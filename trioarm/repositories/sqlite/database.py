"""One SQLite file: opened and told to be ours, written by one thread and read by another, its errors put into words.

A transaction is one call in a thread. Waiting for another process that writes is done outside of it, where it can be
cancelled with nothing begun; questions that take long are interrupted.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import trio

from trioarm.core.errors import RepositoryError
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite.holder import holder_of
from trioarm.repositories.sqlite.lines import make_view
from trioarm.repositories.sqlite.schema import APPLICATION_ID, SQLITE_MIN, VERSION, migrate
from trioarm.repositories.sqlite.statements import Statement

_log = logging.getLogger("trioarm.store")

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
_Identity: TypeAlias = "tuple[int, int] | None"  # device and inode; None where there is no such file

BUSY_S: Final = 0.1  # what a call waits inside SQLite for another process to end its transaction
BUSY_PAUSE_S: Final = 0.02  # between two such calls
LOCKED_S_MAX: Final = 10.0  # until a file counts as locked: no transaction of ours is anywhere near that long
MODE: Final = 0o600  # of the file: what it holds is nobody else's business
CACHE_KIB: Final = 32 * 1024  # of pages per connection
# Of 4 KiB in the log before it is folded into the file, which the commit that reaches so many waits for: measured, that
# takes 5 to 50 us for each that differs, and with half as many a busy node comes to 4 % less, with a fourth to 16 %.
LOG_PAGES: Final = 8_000
SYNCED: Final = "PRAGMA synchronous = FULL"  # a commit returns once it is on the disk
_HEADER: Final = b"SQLite format 3\0"


class StoreUnavailable(RepositoryError):
    """The file cannot be used now; it may be again."""


class Database:
    """A store's file and the connections to it.

    Args:
        path: of the file; it is made when it is not there.
        thread: makes the threads that work on it.
        patience_s: how long to wait for another process that holds it, in seconds.
    """

    def __init__(self, path: Path, thread: Callable[[], Thread] = Thread, *, patience_s: float = LOCKED_S_MAX) -> None:
        self.path = path
        self._paths = (str(path), f"{os.path.realpath(path)}-wal")  # SQLite follows links before it names its log
        self._patience_s = patience_s
        self._writing = thread()
        self._reading = thread()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._troubles: dict[str, str] = {}  # what cannot be done, and why
        """Why it could not be written the last time; None when it could."""
        self._files: tuple[_Identity, ...] = ()
        self._alone = threading.Lock()  # with the writing connection, which is used from more than one thread

    async def open(self, *, migrate: bool = True) -> None:
        """Open the file, making or migrating it where that is needed.

        Args:
            migrate: false to refuse a file of an older version.

        Raises:
            RepositoryError: it cannot be opened; one line that says why and what to do.
        """
        self._writer = await self._patiently(partial(_open, self.path))
        try:
            await self._patiently(partial(_transaction, self._writer, partial(_migrate, self.path, migrate)))
            await self._patiently(partial(make_view, self._writer))
            self._reader = await self._reading.run(partial(self._told, partial(_connect, self.path)))
            self._files = self._found()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        with trio.CancelScope(shield=True):  # each is at most one short checkpoint of the log
            if self._reader is not None:
                reader, self._reader = self._reader, None
                await self._reading.run(reader.close)
            if self._writer is not None:
                writer, self._writer = self._writer, None
                await self._writing.run(partial(self._with_writer, writer.close))

    async def write(self, work: Work[T], *, synced: bool = True) -> T:
        """Carry out work in a transaction of its own, and commit it.

        Args:
            synced: false for what may be undone when the power fails, as long as nothing was committed after it: then
                nobody waits for the disk.

        Raises:
            RepositoryError: nothing was kept, or nobody knows whether it was.

        Cancellation: before the transaction has begun; then nothing was written.
        """
        transaction = self._transaction if synced else self._unsynced
        return await self._telling(
            "write", partial(self._patiently, partial(transaction, self._opened(self._writer), work))
        )

    async def write_at_once(self, prepare: Work[tuple[Statement, T]], *, beside: bool = True) -> T | None:
        """Carry out one statement as a transaction of its own, and commit it.

        Args:
            prepare: returns the statement, and what is returned once it is kept.
            beside: whether the loop waits until it is carried out beside it: worth it where that takes long.

        Returns:
            None where the statement, or a constraint, refuses what it says; then nothing was kept.

        Raises:
            RepositoryError: nothing was kept, or nobody knows whether it was.

        Cancellation: before it has begun; then nothing was written.
        """
        begun = threading.Event()
        work = partial(self._at_once, self._opened(self._writer), prepare, begun)

        async def carried_out() -> T | None:
            done = await self._patiently(work, begun if beside else None)
            self._look_for_the_file()  # here, and not in the thread: it would wait for Python's lock once more
            return done

        return await self._telling("write", carried_out)

    def write_blocking(self, work: Work[T]) -> T:
        """Do as `write`, from any thread and without trio, but wait for no other process.

        Raises:
            RepositoryError: nothing was kept, or nobody knows whether it was.
        """
        return self._with_writer(lambda: self._told(partial(self._transaction, self._opened(self._writer), work)))

    async def look(self, work: Work[T]) -> T:
        """Carry out work that reads what the writer wrote last, in the writer's thread: it must be short.

        Raises:
            RepositoryError: it cannot be read.
        """
        return await self._telling(
            "read", partial(self._patiently, partial(self._readably, self._opened(self._writer), work))
        )

    async def read(self, work: Work[T]) -> T:
        """Carry out work that reads, on a connection that never keeps the writer waiting.

        Raises:
            RepositoryError: it cannot be read.

        Cancellation: at any time; the statement is interrupted.
        """
        reader = self._opened(self._reader)
        return await self._reading.run_or(reader.interrupt, partial(self._told, partial(self._readably, reader, work)))

    @property
    def trouble(self) -> str | None:
        """Why the file cannot be written now, or what was written last not be read; None when it can."""
        return next(iter(self._troubles.values()), None)

    async def _telling(self, what: str, carry_out: Callable[[], Awaitable[T]]) -> T:
        """Have the writer's thread do something; the log says once that this fails, and once that it does no longer."""
        try:
            done = await carry_out()
        except RepositoryError as error:
            if not self._troubles:
                _log.error("%s", error)
            self._troubles[what] = str(error)
            raise
        if self._troubles.pop(what, None) is not None and not self._troubles:
            _log.warning("%s can be used again", self.path)
        return done

    async def _patiently(self, work: Callable[[], T], begun: threading.Event | None = None) -> T:
        """Carry out work in the writer's thread, again and again while another process holds the file."""
        deadline = trio.current_time() + self._patience_s
        while True:
            try:
                return await self._writing.run(partial(self._with_writer, partial(self._told, work)), begun=begun)
            except StoreLocked:
                if trio.current_time() >= deadline:
                    raise
                await trio.sleep(BUSY_PAUSE_S)

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise RepositoryError(f"{self.path} is closed")
        return connection

    def _known(self, work: Work[T], connection: sqlite3.Connection) -> T:
        """Carry out work on tables of our version: a newer program may have changed them since they were opened."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise _too_new(self.path, version)
        return work(connection)

    def _with_writer(self, work: Callable[[], T]) -> T:
        with self._alone:
            return work()

    def _transaction(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        """Carry out a transaction. One whose file was taken away meanwhile may be kept where nobody looks for it."""
        self._look_for_the_file()
        done = _transaction(connection, partial(self._known, work))
        self._look_for_the_file()
        return done

    def _at_once(
        self, connection: sqlite3.Connection, prepare: Work[tuple[Statement, T]], begun: threading.Event
    ) -> T | None:
        try:
            self._look_for_the_file()
            (text, values), answer = self._known(prepare, connection)
        finally:
            begun.set()
        try:
            connection.execute(text, values)
        except sqlite3.IntegrityError:
            return None
        return answer

    def _unsynced(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            return self._transaction(connection, work)
        finally:
            connection.execute(SYNCED)

    def _readably(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        self._look_for_the_file()
        return readably(connection, partial(self._known, work))

    def _look_for_the_file(self) -> None:
        """Look whether the files are those that were opened: SQLite itself goes on with files that have no name."""
        for path, then, now in zip(self._paths, self._files, self._found(), strict=False):
            if now != then:
                raise StoreUnavailable(
                    f"{path} was removed or replaced while it was in use: put it back, or restart the node"
                )

    def _found(self) -> tuple[_Identity, ...]:
        return tuple(map(_identity, self._paths))

    def _told(self, work: Callable[[], T]) -> T:
        """Put what SQLite and the system say into words."""
        try:
            return work()
        except sqlite3.Error as error:
            raise in_words(self.path, error) from error
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror or error}") from error


class StoreDamaged(RepositoryError):
    """What is in the file is no longer a database as a whole."""


class StoreLocked(StoreUnavailable):
    """Another process holds the file."""


def _identity(path: str) -> _Identity:
    try:
        found = os.stat(path)  # with text it takes a third of the time
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _open(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that is a database, made with the right mode if it was not there."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        least = ".".join(map(str, SQLITE_MIN))
        raise RepositoryError(f"this Python has SQLite {sqlite3.sqlite_version}: a store needs {least} or newer")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
    except FileNotFoundError:
        raise StoreUnavailable(f"{path}: there is no directory {path.parent}: make it first") from None
    except IsADirectoryError:
        raise StoreUnavailable(f"{path} is a directory: name a file in it, such as {path / 'trioarm.db'}") from None
    except PermissionError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}: give this user the right to") from None
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from None
    check_header(path)
    connection = _connect(path)
    try:
        version_of(path, connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise RepositoryError(f"{path} lies where SQLite cannot share memory: choose a local disk")
        if not _forget_statistics(connection):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return _connect(path)  # one that has never known of them


def _forget_statistics(connection: sqlite3.Connection) -> bool:
    """Forget what ANALYZE found, and return whether there was something.

    By what it says of a big table, SQLite reads all of it for each statement that changes five hundred of its rows, to
    make a filter of their keys; the indexes suit every statement without it.
    """
    tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchall()
    for (table,) in tables:
        connection.execute(f"DROP TABLE {table}")
    return len(tables) > 0


def check_header(path: Path) -> None:
    """Look whether a file is a database, or empty.

    Raises:
        RepositoryError: it is neither; nothing of it is touched.
    """
    with path.open("rb") as file:
        head = file.read(len(_HEADER))
    if head and head != _HEADER:
        raise RepositoryError(f"{path} is no SQLite database: name another file; this one is left as it is")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(SYNCED)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")  # the rows of one statement are no reason to make a file
    except BaseException:
        connection.close()
        raise
    return connection


def readably(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Carry out work that reads. Bytes that are no text, in one row, keep nobody from reading the others (S2.6)."""
    try:
        return work(connection)
    except sqlite3.OperationalError as error:
        if hasattr(error, "sqlite_errorcode"):
            raise
        connection.text_factory = as_text  # from now on: it is slower, and seldom needed
    return work(connection)


def as_text(value: bytes) -> str:
    """Return text, whatever the bytes."""
    return value.decode(errors="replace")


def _transaction(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done


def version_of(path: Path, connection: sqlite3.Connection) -> int:
    """Return the version of a file's tables, 0 for an empty one; a file that is not ours is left untouched."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise RepositoryError(f"{path} is the database of another program: name another file; this one is left alone")
    if version > VERSION:
        raise _too_new(path, version)
    return int(version)


def _too_new(path: Path, version: int) -> RepositoryError:
    return RepositoryError(
        f"{path} was written by a newer trioarm (version {version} of its tables, known here is {VERSION}): "
        "use that one, or restore the backup made before it"
    )


def _migrate(path: Path, allowed: bool, connection: sqlite3.Connection) -> None:
    version = version_of(path, connection)
    if version and version != VERSION and not allowed:
        raise RepositoryError(
            f"{path} has tables of version {version}, not {VERSION}: end the nodes on it, run `trioarm store migrate`"
        )
    if version != VERSION:
        migrate(connection, version, VERSION)


def migrate_file(path: Path, connection: sqlite3.Connection, tell: Callable[[int], None]) -> int:
    """Bring the tables of a file up to date, in one transaction, and return which version they had.

    Args:
        tell: told of each version that is reached.
    """

    def work(connection: sqlite3.Connection) -> int:
        version = version_of(path, connection)
        if version != VERSION:
            migrate(connection, version, VERSION, tell)
        return version

    return _transaction(connection, work)


def in_words(path: Path, error: sqlite3.Error) -> RepositoryError:
    """Return what SQLite complains of, as an error that says what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            holder = holder_of(path)
            named = f" ({holder})" if holder else ""
            return StoreLocked(f"{path} is locked by another program: end it, then try again{named}")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreUnavailable(f"{path} is read-only: give this user the right to write it and its directory")
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnavailable(f"{path} cannot be opened: look at the rights of its directory")
        case sqlite3.SQLITE_FULL:
            return StoreUnavailable(f"{path}: the disk is full: make room")
        case sqlite3.SQLITE_IOERR:
            return StoreUnavailable(f"{path}: the disk does not do its work ({error}): look at the system's log")
        case sqlite3.SQLITE_NOTADB:
            return RepositoryError(f"{path} is no SQLite database: name another file; this one is left as it is")
        case sqlite3.SQLITE_CORRUPT:
            return StoreDamaged(f"{path} is damaged ({error}): keep it, and restore a backup beside it")
    if str(error).startswith("no such "):
        return RepositoryError(f"{path} lacks a part of every store ({error}): restore a backup, or name another file")
    return RepositoryError(f"{path}: {error}")
