"""Reporting: reports are made from what is kept, for whoever asks, or told as a notice every day or week (A4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from enum import StrEnum
from typing import Final

import attrs

from trioarm.arming.alerts import AlertKind, subject_of
from trioarm.arming.audit import AUDIT, entries_of, read_entry
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import REPORT, Premises
from trioarm.arming.supervision.expected import Judged, Outcome
from trioarm.arming.supervision.report import Day, Report
from trioarm.arming.watch import latest
from trioarm.core.alerts import Alert, AlertQuery, AlertState, Fact, Severity, StoredAlert, raising
from trioarm.core.counting import counted, grouped
from trioarm.core.errors import RepositoryError
from trioarm.core.forecast import local_time
from trioarm.core.instants import DAY, SECOND, as_datetime, render_duration
from trioarm.core.jsonable import Json
from trioarm.core.operations import JOURNAL, Verb, read_operation
from trioarm.core.outcome import Discard
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.schedule import Schedule
from trioarm.core.states import State
from trioarm.core.triggers import Weekly
from trioarm.core.triggers.wording import WEEKDAYS
from trioarm.core.triggers.zones import Zone, find_zone
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository

WEEK: Final = 7
THURSDAY: Final = 3  # day 0 was one
MINUTE_S: Final = 60
AT: Final = "07:00"  # when reports are told, in local time
BAD: Final = (Outcome.FAILED, Outcome.LATE, Outcome.EARLY)  # exceptions: what people want to know of
PASSED: Final = frozenset({State.SKIPPED, State.SUPERSEDED})  # occurrences that nobody expects anything of
ALERTS_MAX: Final = 10_000  # of one partition in one report
UNREADABLE_MAX: Final = 10  # entries of the audit that a report names


class Often(StrEnum):
    """How often reports are told."""

    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


@attrs.frozen(slots=True)
class Made:
    """A report that is made.

    Args:
        report: of which partitions were what.
        zones: local times, by partition.
        days: all of them, partition by partition.
        unreadable: why entries of the audit are not in it, the first few.
    """

    report: Report
    zones: dict[str, Zone]
    days: list[Day]
    unreadable: list[str]

    @property
    def is_week(self) -> bool:
        """Whether there is a picture to it."""
        return len(self.days) == WEEK * len(self.zones)


@attrs.frozen(slots=True)
class Maker:
    """Makes reports.

    Args:
        premises: sites, and when partitions are expected to open and close.
        schedules: those that arm, as the engine runs them.
        repository: where the audit and the alerts are.
        clock: what time it is.
    """

    premises: Premises
    schedules: Sequence[Schedule]
    repository: ScheduleRepository
    clock: Clock

    async def make(self, names: Sequence[str], *, first: int, days: int, now: int) -> Made:
        """Read the audit and the alerts, and return the report.

        Args:
            names: of partitions.
            first: number of its first day, since 1970.
            days: how many.
            now: later than that nothing is known.

        Raises:
            RepositoryError: the store is out of reach.
        """
        zones = {name: self.zone(name) for name in names}
        report = Report(zones, self.premises.hours, self.schedules, first=first, days=days, now=now)
        unreadable = await self._read_audit(report)
        await self._read_passed(report, names)
        await self._read_postponed(report, names)
        await self._read_looks(report, names)
        found = [day for name in names for day in report.days(name, await self._alerts_of(name))]
        return Made(report, zones, found, unreadable)

    def zone(self, partition: str) -> Zone:
        """Return where local times of a partition come from."""
        return find_zone(self.premises.sites[self.premises.partitions[partition].site].timezone)

    async def _read_audit(self, report: Report) -> list[str]:
        unreadable: list[str] = []
        async for kept in entries_of(self.repository, AUDIT):
            try:
                report.add(kept.at, read_entry(kept))
            except RepositoryError as error:
                if len(unreadable) < UNREADABLE_MAX:
                    unreadable.append(str(error))
        return unreadable

    async def _read_passed(self, report: Report, names: Sequence[str]) -> None:
        """Read which occurrences people skipped; of those that are no longer kept, what was declared counts."""
        spans = [(report.histories[name].start, report.histories[name].until) for name in names]
        start, until = min(start for start, _ in spans), max(until for _, until in spans)
        for schedule in self.schedules:
            if schedule.args.get("partition") not in names:
                continue
            query = RunQuery(schedule=schedule.name, states=PASSED, due_from=start, due_until=until, limit=PAGE_MAX)
            for run in (await self.repository.find_runs(query)).rows:
                report.passed(schedule.name, run.nominal_at)

    async def _read_postponed(self, report: Report, names: Sequence[str]) -> None:
        """Read which occurrences people postponed; of those that are no longer kept, what was declared counts."""
        mine = {one.name for one in self.schedules if one.args.get("partition") in names}
        async for kept in entries_of(self.repository, JOURNAL):
            if kept.body.get("verb") not in (Verb.POSTPONE, Verb.UNDO) or kept.body.get("subject") not in mine:
                continue
            with suppress(RepositoryError):
                said = read_operation(kept)
                until_at = said.until_at if said.verb is Verb.POSTPONE else None
                if said.nominal_at is not None:
                    report.postponed(said.subject, said.nominal_at, until_at)

    async def _read_looks(self, report: Report, names: Sequence[str]) -> None:
        ledger = Ledger(self.repository)
        for name in names:
            watched, _ = await ledger.watched(name)
            state, _ = latest(watched, await ledger.known(name))
            if state is not None and watched.seen_at is not None:
                report.found(name, state, watched.seen_at)

    async def _alerts_of(self, partition: str) -> list[StoredAlert]:
        alerts, found = AlertCommands(self.repository, self.clock), list[StoredAlert]()
        after: str | None = ""
        while after is not None and len(found) < ALERTS_MAX:
            query = AlertQuery(states=None, subject=subject_of(partition), after=after or None, limit=PAGE_MAX)
            page = await alerts.find(query)
            found += [one for one in page.rows if one.alert is None or one.alert.kind != AlertKind.REPORT]
            after = page.next
        return found


def monday_of(number: int) -> int:
    """Return the number of the Monday of the week of a day."""
    return number - (number + THURSDAY) % WEEK


# In words


def date_of(day: Day) -> date:
    """Return which day it is."""
    return as_datetime(day.number * DAY).date()


def exceptions(day: Day, zone: Zone) -> list[tuple[str, str]]:
    """Return the day, and what happened, for each opening and closing that did not come as expected."""
    return [(f"{date_of(day):%a %d %b}", in_words(one, zone)) for one in day.expected if one.outcome in BAD]


def in_words(one: Judged, zone: Zone) -> str:
    """Return what became of an expected opening or closing, in words."""
    noun, due = "closed" if one.expected.closes else "opened", local_time(one.expected.at, zone)
    if one.turn is None or one.off is None:
        return f"not {noun} at {due:%H:%M} ({one.expected.name}), nor later"
    away = render_duration(max(MINUTE_S, abs(one.off) // SECOND // MINUTE_S * MINUTE_S))
    when = f"{away} {'before' if one.off < 0 else 'after'} {due:%H:%M}"
    by = f" by {one.turn.by}" if one.turn.by else ""
    at = local_time(one.turn.at, zone)
    shown = f"{at:%H:%M}" if at.date() == due.date() else f"{at:%a %H:%M}"
    return f"{noun} {one.outcome}, at {shown}{by}: {when} ({one.expected.name})"


def summary(days: Sequence[Day]) -> str:
    """Return what there is to say of days of one partition, in one line."""
    begin = "week of " if len(days) > 1 else ""
    open_s = sum(day.open_us for day in days) // SECOND // MINUTE_S * MINUTE_S
    opened, closed = (sum(turn is not None for turn in turns) for turns in _turns(days))
    words = [
        f"opened on {opened} of {counted(len(days), 'day')}, closed on {closed}",
        f"open for {render_duration(open_s)}",
    ]
    expected = [one.outcome for day in days for one in day.expected]
    words += [f"{count} {outcome}" for outcome in BAD if (count := expected.count(outcome))]
    alerts = sum(len(day.alerts) for day in days)
    for said, count in (
        ("could not be done", sum(day.failed for day in days)),
        ("gave way to a person", sum(day.overridden for day in days)),
        ("alert" if alerts == 1 else "alerts", alerts),
        ("of them open", sum(day.unseen for day in days)),
    ):
        words += [f"{grouped(count)} {said}"] if count else []
    return f"{begin}{date_of(days[0]):%a %d %b %Y}: {', '.join(words)}"


def _turns(days: Sequence[Day]) -> Iterator[list[object]]:
    yield [day.opened for day in days]
    yield [day.closed for day in days]


# As a notice


def reporting_schedules(premises: Premises, often: Often) -> list[Schedule]:
    """Return the built-in schedules that tell reports, one for each site: local time is that of the site."""
    if often is Often.OFF:
        return []
    days = WEEKDAYS if often is Often.DAILY else (WEEKDAYS[1],)
    sites = {partition.site for partition in premises.partitions.values()}
    return [
        Schedule(
            f"trioarm/report/{site}",
            Weekly(tuple(days), AT, premises.sites[site].timezone),
            handler=REPORT,
            args={"site": site, "days": 1 if often is Often.DAILY else WEEK},
            misfire_window_s=12 * 3600.0,
        )
        for site in sorted(sites)
    ]


class Reporter:
    """The handler `trioarm.report`: tells what the day before, or the week before, was like.

    Args:
        maker: makes reports; may be replaced while the node runs.
        alerts: ended when the next report is told.
    """

    def __init__(self, maker: Maker, alerts: AlertCommands) -> None:
        self.maker = maker
        self._alerts = alerts

    async def report(self, run: RunContext) -> Json:
        """Keep one notice for each partition of the site `args.site`, with up to 16 exceptions, and end the last one.

        Returns:
            how many partitions were reported.

        Raises:
            Discard: the arguments mean nothing that there is.
        """
        site, count = run.args.get("site"), run.args.get("days")
        names = [name for name, one in self.maker.premises.partitions.items() if one.site == site]
        if not names or count not in (1, WEEK):
            raise Discard(f"{run.schedule} reports nothing there is: remove it, or declare it anew")
        now, nominal_at = self.maker.clock.look(), round(run.nominal_at.timestamp() * SECOND)
        today = self.maker.zone(names[0]).to_local(nominal_at) // DAY
        days = int(count)
        made = await self.maker.make(names, first=today - days, days=days, now=now)
        for name in names:
            own = [day for day in made.days if day.partition == name]
            await self._end_others(name, run)
            run.keep(
                raising(
                    run.alert_id(subject_of(name), AlertKind.REPORT), _notice(name, own, made.zones[name], run, now)
                )
            )
        return len(names)

    async def _end_others(self, name: str, run: RunContext) -> None:
        query = AlertQuery(states=frozenset({AlertState.OPEN}), subject=subject_of(name), limit=PAGE_MAX)
        for stored in (await self._alerts.find(query)).rows:
            if stored.alert is not None and stored.alert.kind == AlertKind.REPORT:
                await self._alerts.settle_one(stored.id, by=run.schedule, note="there is a later one")


def _notice(name: str, days: Sequence[Day], zone: Zone, run: RunContext, now: int) -> Alert:
    return Alert(
        subject=subject_of(name),
        kind=AlertKind.REPORT,
        severity=Severity.NOTICE,
        text=summary(days),
        raised_at=now,
        run=run.id,
        facts=tuple(Fact(when, what) for when, what in _all(days, zone)),
    )


def _all(days: Iterable[Day], zone: Zone) -> Iterator[tuple[str, str]]:
    for day in days:
        yield from exceptions(day, zone)
