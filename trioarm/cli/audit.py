"""`trioarm audit list` and `verify`: who or what armed it, and why; and whether that is what was written (A5.1)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.arming.audit import AUDIT, AuditEntry, entries_of, read_entry
from trioarm.arming.installation import Installation
from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl, instant_of
from trioarm.cli.partitions import known
from trioarm.cli.planned import current_instant
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import Style, remark, say, say_json
from trioarm.cli.wording import wall
from trioarm.container import Container
from trioarm.core.chain import Chain
from trioarm.core.codec import to_json
from trioarm.core.counting import counted
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import as_datetime, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import JournalEntry
from trioarm.engine.ports import ScheduleRepository

ROWS: Final = 50  # shown unless somebody asks for more
ROWS_MAX: Final = 10_000
_SEALED: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@attrs.frozen
class Wanted:
    """Which entries.

    Args:
        partition: only of this one.
        actor: only what this person or schedule did.
        since: only of this instant or later.
        until: only before this instant.
        limit: the newest so many; None for all.
    """

    partition: str | None
    actor: str | None
    since: int | None
    until: int | None
    limit: int | None

    def means(self, kept: JournalEntry, entry: AuditEntry) -> bool:
        """Whether an entry is wanted."""
        return (
            self.partition in (None, entry.partition)
            and self.actor in (None, entry.actor)
            and (self.since is None or self.since <= kept.at)
            and (self.until is None or kept.at < self.until)
        )


def list_(
    partition: Annotated[str | None, Parameter(name="PARTITION", help="Only what was done to this one.")] = None,
    /,
    *,
    actor: Annotated[str | None, Parameter(help="Only by this person, or schedule:NAME.")] = None,
    since: Annotated[str | None, Parameter(help="Only at or after this: an instant, or 2h ago.")] = None,
    until: Annotated[str | None, Parameter(help="Only before this: an instant, or 2h ago.")] = None,
    limit: Annotated[int | None, Parameter(help=f"The newest so many; otherwise {ROWS}.")] = None,
    all_: Annotated[bool, Parameter(name="--all", help="All that is kept.")] = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """List what was done to partitions, the newest last: by whom, what they found, what became of it, and why.

    For example:

    - `trioarm audit list house --since 7d`
    - `trioarm audit list --actor schedule:weeknight/house`
    - `trioarm audit list --all --json`
    """
    now = current_instant()
    if limit is not None and not 1 <= limit <= ROWS_MAX:
        raise UsageError(f"--limit {limit}: it must lie between 1 and {ROWS_MAX}; --all is for more")
    wanted = Wanted(
        partition,
        actor,
        None if since is None else instant_of(since, "--since", now, past=True),
        None if until is None else instant_of(until, "--until", now, past=True),
        None if all_ else limit or ROWS,
    )

    async def work(container: Container) -> Exit:
        shown = 0
        columns = Columns("AT", "PARTITION", "WHAT", "BY", "BEFORE", "AFTER", "WHY")
        for kept, entry in await _found(container.get(ScheduleRepository), wanted):
            shown += 1
            if json:
                say_json(_as_json(kept, entry))
            else:
                columns.add(_cells(kept, entry), _style(entry))
        columns.flush()
        if not shown and partition is not None:
            known(container.get(Installation), partition)
        if not shown:
            remark("there is no entry that this could list")
        return Exit.CLEAN

    return with_store(config, store, work)


async def _found(repository: ScheduleRepository, wanted: Wanted) -> Iterable[tuple[JournalEntry, AuditEntry]]:
    """Return the newest entries that are wanted; one that cannot be read is said to be so."""
    found = deque[tuple[JournalEntry, AuditEntry]](maxlen=wanted.limit)
    async for kept in entries_of(repository, AUDIT):
        try:
            entry = read_entry(kept)
        except RepositoryError as error:
            remark(f"an entry cannot be read: {error}; trioarm audit verify says whether it was changed")
            continue
        if wanted.means(kept, entry):
            found.append((kept, entry))
    return found


def _cells(kept: JournalEntry, entry: AuditEntry) -> tuple[str, ...]:
    return (
        wall(as_datetime(kept.at)),
        entry.partition,
        entry.verb if entry.label is None else f"{entry.verb} ({entry.label})",
        entry.actor,
        "-" if entry.before is None else entry.before.value,
        "-" if entry.after is None else entry.after.value,
        entry.reason,
    )


def _style(entry: AuditEntry) -> Style | None:
    if entry.verb.endswith("_failed"):
        return Style.BAD
    return Style.NOTICE if entry.verb.endswith("_overridden") else None


def _as_json(kept: JournalEntry, entry: AuditEntry) -> dict[str, Json]:
    form: dict[str, Json] = {"seq": kept.seq, "at": render_instant(kept.at)}
    return form | to_json(entry) | {"label": entry.label, "seal": kept.seal}


# Whether it is what was written


def verify(
    *,
    sealed: Annotated[
        str | None, Parameter(help="NUMBER:SEAL, as printed by an earlier verify and kept elsewhere: it must be in it.")
    ] = None,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Prove that the audit is what was written: a line for each problem, exit code 1 when there is one.

    Each entry is sealed with the one before. Whoever can write the file could seal all of it anew, or cut off its end:
    that shows beside the number and seal that are printed here, if you keep them somewhere else.

    For example:

    - `trioarm audit verify`
    - `trioarm audit verify --sealed 42:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`
    """
    wanted = None if sealed is None else _read_sealed(sealed)

    async def work(container: Container) -> Exit:
        chain, met, problems = Chain(whole=True), wanted is None, 0
        async for entry in entries_of(container.get(ScheduleRepository), AUDIT):
            met = met or (entry.seq, entry.seal) == wanted
            if (problem := chain.broken_at(entry)) is not None:
                problems += 1
                _say_problem(problem, json=json)
        if wanted is not None and not met:
            problems += 1
            _say_problem(f"journal {AUDIT}: entry {wanted[0]} is not there with the seal that was kept", json=json)
        if not problems:
            _say_whole(chain.last, json=json)
        return Exit.FAILURE if problems else Exit.CLEAN

    return with_store(config, store, work)


def _say_problem(problem: str, *, json: bool) -> None:
    if json:
        say_json({"problem": problem})
    else:
        say(problem)


def _say_whole(last: JournalEntry | None, *, json: bool) -> None:
    if json:
        say_json({"entries": 0, "sealed": None} if last is None else {"entries": last.seq, "sealed": _sealed(last)})
    elif last is None:
        say("the audit is empty: nothing was done to a partition yet")
    else:
        entries = counted(last.seq, "entry", "entries")
        say(f"the audit is what was written: {entries}, the last of {wall(as_datetime(last.at))}")
        say(f"keep this elsewhere, for --sealed: {_sealed(last)}")


def _sealed(entry: JournalEntry) -> str:
    return f"{entry.seq}:{entry.seal}"


def _read_sealed(text: str) -> tuple[int, str]:
    found = _SEALED.fullmatch(text)
    if found is None:
        raise UsageError(f"--sealed {text!r}: write the number and the seal that trioarm audit verify printed")
    return int(found[1]), found[2]
