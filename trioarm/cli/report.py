"""`trioarm report day` and `week`: what was expected of partitions, what they were, by whom, and what went wrong."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter

from trioarm.arming.installation import Installation
from trioarm.arming.supervision.expected import Judged, Outcome
from trioarm.arming.supervision.history import Turn
from trioarm.arming.supervision.report import Day
from trioarm.arming.supervision.reporting import MINUTE_S, WEEK, Made, date_of, exceptions, monday_of
from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.lived import draw_lived
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.partitions import known
from trioarm.cli.planned import current_instant
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import Style, remark, say, say_json
from trioarm.cli.wording import span
from trioarm.container import Container
from trioarm.core.alerts import StoredAlert
from trioarm.core.forecast import local_time
from trioarm.core.instants import DAY, MINUTE, SECOND, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.triggers.zones import Zone

HEADINGS: Final = ("DAY", "PARTITION", "OPENED", "CLOSED", "OPEN FOR", "FAILED", "OVERRIDDEN", "ALERTS")
CSV_HEADINGS: Final = (
    "partition",
    "date",
    "opened_at",
    "opened_by",
    "opening",
    "opening_off_s",
    "closed_at",
    "closed_by",
    "closing",
    "closing_off_s",
    "open_s",
    "unknown_s",
    "failed",
    "overridden",
    "alerts",
    "alerts_open",
)

PartitionName: TypeAlias = Annotated[str | None, Parameter(name="--partition", help="Only this one.")]
DateText: TypeAlias = Annotated[
    str | None, Parameter(name="--date", help="Which day, like 2026-03-29; otherwise today.")
]
AsCsv: TypeAlias = Annotated[bool, Parameter(name="--csv", help="A line of comma-separated values for each row.")]


def day(
    *,
    partition: PartitionName = None,
    date_: DateText = None,
    csv_: AsCsv = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Report a day: when partitions were opened and closed, by whom, what was expected, and what went wrong.

    For example:

    - `trioarm report day`
    - `trioarm report day --date 2026-03-29 --partition shop`
    """
    return _report(1, partition, date_, csv_, json, config, store)


def week(
    *,
    partition: PartitionName = None,
    date_: DateText = None,
    csv_: AsCsv = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Report the week of a day, from Monday on: a picture of what was wanted and what was, and each of its days.

    For example:

    - `trioarm report week`
    - `trioarm report week --date 2026-03-29 --csv`
    """
    return _report(WEEK, partition, date_, csv_, json, config, store)


def _report(
    days: int,
    partition: str | None,
    date_: str | None,
    as_csv: bool,
    json: bool,
    config: ConfigFile,
    store: StoreUrl,
) -> Exit:
    if as_csv and json:
        raise UsageError("--csv and --json: give one of the two")
    given = None if date_ is None else _read_date(date_)

    async def work(container: Container) -> Exit:
        installation, now = container.get(Installation), current_instant()
        names = list(installation.premises.partitions) if partition is None else [known(installation, partition)]
        if not names:
            remark("no partition is configured: there is nothing to report")
            return Exit.CLEAN
        found = await made(container, names, given, days, now)
        for problem in found.unreadable:
            remark(f"an entry cannot be read: {problem}; trioarm audit verify says whether it was changed")
        say_report(found, now, as_csv=as_csv, json=json)
        return Exit.CLEAN

    return with_store(config, store, work)


async def made(container: Container, names: Sequence[str], given: int | None, days: int, now: int) -> Made:
    """Return the report of a day, or of the week it is in.

    Args:
        names: of partitions.
        given: number of the day; None for today.
        days: 1 or 7.
        now: later than that nothing is known.
    """
    maker = container.get(Installation).reports
    number = max(maker.zone(name).to_local(now) // DAY for name in names) if given is None else given
    return await maker.make(names, first=monday_of(number) if days == WEEK else number, days=days, now=now)


def _read_date(text: str) -> int:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--date {text!r} is no day: write it like 2026-03-29") from None
    if not 1970 <= found.year <= 9000:
        raise UsageError(f"--date {text}: there is no audit of such a day")
    return (found - date(1970, 1, 1)).days


def say_report(made: Made, now: int, *, as_csv: bool = False, json: bool = False) -> None:
    """Write a report to stdout."""
    days, zones = made.days, made.zones
    if json:
        for day in days:
            say_json(as_json(day, zones[day.partition]))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(CSV_HEADINGS)
        writer.writerows(as_row(day) for day in days)
    else:
        _say_for_people(made, now)


def _say_for_people(made: Made, now: int) -> None:
    days, zones = made.days, made.zones
    if made.is_week:
        for line in draw_lived(made.report, days, zones, now):
            say(line)
        say()
    columns = Columns(*HEADINGS)
    for day in sorted(days, key=lambda one: one.number):
        if day.start <= now:
            bad = day.failed or any(one.outcome is Outcome.FAILED for one in day.expected)
            columns.add(_cells(day, zones[day.partition]), Style.BAD if bad else None)
    columns.flush()
    found = [(day.partition, *line) for day in days for line in exceptions(day, zones[day.partition])]
    if found:
        say()
    for partition, when, what in found:
        say(f"{when}  {partition}: {what}")


def _cells(day: Day, zone: Zone) -> tuple[str, ...]:
    alerts = f"{len(day.alerts)}, {day.unseen} open" if day.unseen else str(len(day.alerts) or "-")
    return (
        date_of(day).strftime("%a %d %b"),
        day.partition,
        _turn(day.opened, zone),
        _turn(day.closed, zone),
        _open_for(day),
        str(day.failed or "-"),
        str(day.overridden or "-"),
        alerts,
    )


def _open_for(day: Day) -> str:
    if not day.open_us:
        return "?" if day.unknown_us else "-"
    minutes = day.open_us // MINUTE
    return span(minutes * MINUTE_S) if minutes else "<1m"


def _turn(turn: Turn | None, zone: Zone) -> str:
    if turn is None:
        return "-"
    by = f" by {turn.by}" if turn.by else ""
    return f"{local_time(turn.at, zone):%H:%M}{by}"


# For programs


def as_row(day: Day) -> list[object]:
    """Return a day as a row of CSV: its first opening, its last closing, and what was expected of these."""
    row: list[object] = [day.partition, date_of(day).isoformat()]
    for closes, turn in ((False, day.opened), (True, day.closed)):
        row += ["", ""] if turn is None else [render_instant(turn.at), turn.by or ""]
        expected = day.of(closes=closes)
        one = expected[-1 if closes else 0] if expected else None
        row += ["", ""] if one is None else [one.outcome.value, "" if one.off is None else one.off // SECOND]
    row += [day.open_us // SECOND, day.unknown_us // SECOND, day.failed, day.overridden]
    return [*row, len(day.alerts), day.unseen]


def as_json(day: Day, zone: Zone) -> dict[str, Json]:
    """Return a day as `report --json` shows it."""
    return {
        "partition": day.partition,
        "date": date_of(day).isoformat(),
        "start_at": render_instant(day.start),
        "end_at": render_instant(day.until),
        "timezone": zone.name,
        "state": None if day.first is None else day.first.value,
        "changes": [{"at": render_instant(turn.at), "state": turn.state.value, "by": turn.by} for turn in day.turns],
        "expected": [_expected(one) for one in day.expected],
        "open_s": day.open_us // SECOND,
        "unknown_s": day.unknown_us // SECOND,
        "failed": day.failed,
        "overridden": day.overridden,
        "alerts": [_alert(one) for one in day.alerts],
    }


def _expected(one: Judged) -> dict[str, Json]:
    return {
        "name": one.expected.name,
        "what": "close" if one.expected.closes else "open",
        "at": render_instant(one.expected.at),
        "outcome": one.outcome.value,
        "happened_at": None if one.turn is None else render_instant(one.turn.at),
        "by": None if one.turn is None else one.turn.by,
        "off_s": None if one.off is None else one.off // SECOND,
    }


def _alert(one: StoredAlert) -> dict[str, Json]:
    alert = one.alert
    if alert is None:
        return {"id": one.id, "state": one.state.value}
    seen = alert.acknowledged
    return {
        "id": one.id,
        "kind": alert.kind,
        "state": one.state.value,
        "raised_at": render_instant(alert.raised_at),
        "acknowledged_by": None if seen is None else seen.by,
        "acknowledged_at": None if seen is None else render_instant(seen.closed_at),
    }
