"""`trioarm schedules pause, resume, skip, postpone, undo, remove`: what people change about the future (S5.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trioarm.cli.bulk import BY_NAME, say_results
from trioarm.cli.bulk import Schedules as Many
from trioarm.cli.each import NAME, each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import due_first, meant, said_of
from trioarm.cli.options import PLAINLY, Asked, instant_of, span_s
from trioarm.cli.planned import current_instant
from trioarm.cli.progress import ProgressLine
from trioarm.cli.sheet import here
from trioarm.cli.stored import with_store
from trioarm.container import Container
from trioarm.core.instants import instant
from trioarm.core.queries import ScheduleQuery
from trioarm.core.record import Amendment, AmendmentKind, ScheduleRecord, StoredSchedule
from trioarm.engine.backfill_commands import Progress
from trioarm.engine.bulk_commands import BulkOutcome, BulkResult
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler, Schedules

Name: TypeAlias = Annotated[str, Parameter(name="NAME", help="Which schedules.")]
Note: TypeAlias = Annotated[str, Parameter(help="Why, for whoever looks later.")]
At: TypeAlias = Annotated[
    str | None, Parameter(name="--at", help="Which occurrence, by its instant; otherwise the next one.")
]


def pause(
    *names: Name,
    note: Note = "",
    until: Annotated[
        str | None, Parameter(help="Resume by itself then: an instant, or 2h from now; otherwise when resumed.")
    ] = None,
    which: Many = BY_NAME,
    asked: Asked = PLAINLY,
) -> Exit:
    """Pause schedules. What comes due meanwhile is skipped, and never caught up; runs that have begun go on.

    For example:

    - `trioarm schedules pause weeknight --note "guests" --until 2026-12-27T08:00:00+01:00`
    - `trioarm schedules pause backup --until 2h`
    - `trioarm schedules pause --tag nightly --dry-run`
    """
    now, query = current_instant(), which.query(names)
    until_at = None if until is None else instant_of(until, "--until", now)
    became = "paused until it is resumed" if until_at is None else f"paused until {here(until_at, now)}"

    async def act(schedules: Schedules, name: str) -> str:
        await schedules.pause(name, until=until_at, author=asked.by, note=note)
        return became

    async def act_on_all(schedules: Schedules, query: ScheduleQuery, progress: Progress) -> list[BulkResult]:
        return await schedules.pause_many(
            query, until=until_at, dry_run=which.dry_run, author=asked.by, note=note, progress=progress
        )

    if query is None:
        return _change(names, act, asked)
    words = {BulkOutcome.CHANGED: became, BulkOutcome.UNCHANGED: "is paused so already"}
    return _change_many(query, act_on_all, words, which.dry_run, asked)


def resume(
    *names: Name,
    note: Note = "",
    which: Many = BY_NAME,
    asked: Asked = PLAINLY,
) -> Exit:
    """Resume paused schedules.

    For example:

    - `trioarm schedules resume weeknight`
    - `trioarm schedules resume --tag nightly`
    """
    query = which.query(names)

    async def act(schedules: Schedules, name: str) -> str:
        return _next(await schedules.resume(name, author=asked.by, note=note))

    async def act_on_all(schedules: Schedules, query: ScheduleQuery, progress: Progress) -> list[BulkResult]:
        return await schedules.resume_many(query, dry_run=which.dry_run, author=asked.by, note=note, progress=progress)

    if query is None:
        return _change(names, act, asked)
    words = {BulkOutcome.CHANGED: "resumed", BulkOutcome.UNCHANGED: "is not paused"}
    return _change_many(query, act_on_all, words, which.dry_run, asked)


def skip(
    *names: Name,
    at: At = None,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Skip one occurrence: the next one, or the one that is named. `undo` takes it back.

    For example:

    - `trioarm schedules skip weeknight`
    - `trioarm schedules skip weeknight --at 2026-12-24T22:30:00+01:00 --note "Christmas"`
    """
    now = current_instant()
    at_instant = _at(at, now)

    async def act(schedules: Schedules, name: str) -> str:
        if at_instant is None:
            kept = await schedules.skip_next(name, author=asked.by, note=note)
        else:
            kept = await schedules.skip(name, at_instant, author=asked.by, note=note)
        return _said(kept, AmendmentKind.SKIP, at_instant, now) or "skipped"

    return _amend(names, at_instant, act, asked)


def postpone(
    *names: Name,
    by: Annotated[str | None, Parameter(help="For how long, counted from the scheduled time, such as 30m.")] = None,
    until: Annotated[str | None, Parameter(help="Until when: an instant, or 30m from now.")] = None,
    at: At = None,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Let one occurrence start later: the next one, or the one that is named. `undo` takes it back.

    At most two hours, three times, and never past the occurrence that follows it.

    For example:

    - `trioarm schedules postpone weeknight --by 30m`
    - `trioarm schedules postpone weeknight --until 2026-12-24T23:30:00+01:00`
    """
    if (by is None) == (until is None):
        raise UsageError("say either --by how much, such as 30m, or --until when")
    now = current_instant()
    by_s = None if by is None else span_s(by, "--by")
    until_at = None if until is None else instant_of(until, "--until", now)
    at_instant = _at(at, now)

    async def act(schedules: Schedules, name: str) -> str:
        kept = await schedules.postpone(name, at_instant, by_s=by_s, until=until_at, author=asked.by, note=note)
        return _said(kept, AmendmentKind.POSTPONE, at_instant, now) or "postponed"

    return _amend(names, at_instant, act, asked)


def undo(
    *names: Name,
    at: At = None,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Take back that an occurrence is skipped or postponed: the first of which anybody said anything, or the one named.

    For example:

    - `trioarm schedules undo weeknight`
    """
    at_instant = _at(at, current_instant())

    async def act(schedules: Schedules, name: str) -> str:
        return _next(await schedules.undo(name, at_instant, author=asked.by, note=note))

    return _amend(names, at_instant, act, asked, said_of)


def remove(
    *names: Name,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Remove schedules. Their runs stay in the history; what waits is cancelled, what works may end.

    One that a file declares is refused: it is removed there.

    For example:

    - `trioarm schedules remove nightly-report`
    """

    async def act(schedules: Schedules, name: str) -> str:
        await schedules.remove(name, author=asked.by, note=note)
        return "removed"

    return _change(names, act, asked)


def _change(
    names: Iterable[str],
    act: Callable[[Schedules, str], Awaitable[str]],
    asked: Asked,
) -> Exit:
    """Carry something out for each stored schedule that names mean."""
    return _for_each(names, act, asked, meant)


def _amend(
    names: Iterable[str],
    nominal_at: int | None,
    act: Callable[[Schedules, str], Awaitable[str]],
    asked: Asked,
    find: Callable[[ScheduleRepository, Iterable[str], int | None], Awaitable[list[ScheduleRecord]]] = due_first,
) -> Exit:
    """Carry something out for each stored schedule of which names mean an occurrence."""
    return _for_each(names, act, asked, lambda repository, wanted: find(repository, wanted, nominal_at))


def _for_each(
    names: Iterable[str],
    act: Callable[[Schedules, str], Awaitable[str]],
    asked: Asked,
    find: Callable[[ScheduleRepository, Iterable[str]], Awaitable[list[ScheduleRecord]]],
) -> Exit:
    wanted = tuple(names)
    if not wanted:
        raise UsageError("name a schedule: `trioarm schedules list` shows what there is")

    async def work(container: Container) -> Exit:
        records = await find(container.get(ScheduleRepository), wanted)
        schedules = container.get(Scheduler).schedules
        return await each(
            [record.schedule.name for record in records], lambda name: act(schedules, name), json=asked.json
        )

    return with_store(asked.config, asked.store, work)


def _change_many(
    query: ScheduleQuery,
    act: Callable[[Schedules, ScheduleQuery, Progress], Awaitable[list[BulkResult]]],
    words: Mapping[BulkOutcome, str],
    dry_run: bool,
    asked: Asked,
) -> Exit:
    """Carry something out for each stored schedule that options mean."""

    async def work(container: Container) -> Exit:
        with ProgressLine() as progress:
            schedules = container.get(Scheduler).schedules
            results = await act(schedules, query, lambda done, total: progress("changing", done, total))
        return say_results(
            results, words, dry_run=dry_run, json=asked.json, key=NAME, none="no stored schedule is meant by this"
        )

    return with_store(asked.config, asked.store, work)


def _at(text: str | None, now: int) -> int | None:
    return None if text is None else instant_of(text, "--at", now)


def _next(kept: StoredSchedule) -> str:
    due_at = kept.next_due_at
    return str(kept.state) if due_at is None else f"{kept.state}, next {here(instant(due_at), current_instant())}"


def _said(kept: StoredSchedule, kind: AmendmentKind, nominal_at: int | None, now: int) -> str | None:
    """Return in words what was just said of an occurrence; None where that is over already."""
    same = [one for one in kept.amendments if one.kind is kind and nominal_at in (None, one.nominal_at)]
    return amendment_words(max(same, key=lambda one: one.at), now) if same else None


def amendment_words(amendment: Amendment, now: int) -> str:
    """Return what somebody changed about an occurrence."""
    which = here(amendment.nominal_at, now)
    if amendment.until_at is None:
        return f"skipped: {which}"
    return f"postponed: {which}, until {here(amendment.until_at, now)}"
