"""`trioarm alerts list`, `show` and `ack`: what somebody should know, or has to do something about (S6.9)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, Author, ConfigFile, StoreUrl, among, author_of
from trioarm.cli.planned import current_instant
from trioarm.cli.schedule_changes import Note
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import Rows, with_store
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.cli.wording import in_wall_time, wall
from trioarm.container import Container
from trioarm.core.alerts import TOLD, AlertQuery, AlertState, Severity, StoredAlert
from trioarm.core.codec import to_json
from trioarm.core.counting import counted
from trioarm.core.errors import UnknownAlert
from trioarm.core.instants import as_datetime, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import PAGE_MAX
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Alerts, Scheduler
from trioarm.notify.ledger import records_of
from trioarm.notify.telling import Record

_STYLES: Final[dict[Severity, Style | None]] = {
    Severity.NOTICE: None,
    Severity.WARNING: Style.NOTICE,
    Severity.ERROR: Style.BAD,
}


def list_(
    subject: Annotated[str | None, Parameter(name="SUBJECT", help="Only about this, such as partition/house.")] = None,
    /,
    *,
    state: Annotated[
        list[str] | None, Parameter(help="Only in these states; otherwise those that need somebody.")
    ] = None,
    all_: Annotated[bool, Parameter(name="--all", help="In whatever state.")] = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """List alerts that nobody has acknowledged yet: what happened, and what to do about it.

    For example:

    - `trioarm alerts list`
    - `trioarm alerts list partition/house --all`
    """
    states = among(AlertState, state, "--state")
    query = AlertQuery(subject=subject, limit=PAGE_MAX)
    if all_ or states is not None:
        query = attrs.evolve(query, states=states)

    async def work(container: Container) -> Exit:
        columns, shown = Columns("RAISED", "STATE", "SEVERITY", "TOLD", "WHAT", "ID", ids=True), 0
        async for stored in _found(container.get(Scheduler).alerts, query):
            shown += 1
            told = await _told(container, stored.id)
            if json:
                say_json(_as_json(stored, told))
            else:
                columns.add(_cells(stored, told), _style(stored))
        columns.flush()
        if not shown:
            remark("there is no alert that this could list")
        return Exit.CLEAN

    return with_store(config, store, work)


def _found(alerts: Alerts, query: AlertQuery) -> Rows[StoredAlert]:
    return Rows(lambda after: alerts.find(attrs.evolve(query, after=after)))


async def _told(container: Container, alert_id: str) -> dict[str, Record]:
    """Return what each channel told of an alert."""
    return records_of(await container.get(ScheduleRepository).get_document(TOLD, alert_id))


def _cells(stored: StoredAlert, told: Mapping[str, Record]) -> tuple[str, ...]:
    alert, channels = stored.alert, ", ".join(name for name, record in told.items() if record.times) or "-"
    if alert is None:
        return "-", stored.state.value, "-", channels, stored.problem or "it cannot be read", stored.id
    said = in_wall_time(f"{alert.text}; {alert.advice}".removesuffix("; "))
    return wall(as_datetime(alert.raised_at)), stored.state.value, alert.severity.value, channels, said, stored.id


def _style(stored: StoredAlert) -> Style | None:
    if stored.state in (AlertState.ACKNOWLEDGED, AlertState.RESOLVED):
        return Style.FAINT
    return Style.BAD if stored.alert is None else _STYLES[stored.alert.severity]


def _as_json(stored: StoredAlert, told: Mapping[str, Record]) -> dict[str, Json]:
    form: dict[str, Json] = {"id": stored.id, "state": stored.state.value, "problem": stored.problem}
    whole = form if stored.alert is None else form | to_json(stored.alert)
    return whole | {"told": {name: _as_record(record) for name, record in told.items()}}


def _as_record(record: Record) -> dict[str, Json]:
    instants = {"first_at": record.first_at, "last_at": record.last_at, "over_at": record.over_at}
    said: dict[str, Json] = {name: None if at is None else render_instant(at) for name, at in instants.items()}
    return {"times": record.times, **said, "refused": record.refused or None}


def show(
    id_: Annotated[str, Parameter(name="ID", help="Which alert.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Show all that is known of an alert, and whom it was told to, how often, and when last.

    For example:

    - `trioarm alerts show partition/house:arm_failed#3@2026-11-23T21:30:00Z`
    """

    async def work(container: Container) -> Exit:
        with _where_ids_are_shown():
            stored = await container.get(Scheduler).alerts.get(id_)
        told = await _told(container, id_)
        if json:
            say_json(_as_json(stored, told))
        else:
            say_sheet(stored.id, _entries(stored, told, current_instant()))
        return Exit.CLEAN

    return with_store(config, store, work)


def _entries(stored: StoredAlert, told: Mapping[str, Record], now: int) -> Iterator[tuple[str, str]]:
    alert = stored.alert
    if alert is None:
        yield "problem", stored.problem or "it cannot be read"
    else:
        yield "state", f"{stored.state}, {alert.severity}, {alert.kind}"
        yield "what", in_wall_time(alert.text)
        if alert.advice:
            yield "advice", in_wall_time(alert.advice)
        yield "raised", here(alert.raised_at, now)
        if alert.run is not None:
            yield "run", alert.run
        for fact in alert.facts:
            yield fact.name, fact.value
        for action in alert.actions:
            yield action.name.replace("_", " "), shlex.join(action.argv)
        for label, closing in (("seen", alert.acknowledged), ("over", alert.resolved)):
            if closing is not None:
                said = f": {closing.note}" if closing.note else ""
                yield label, f"{here(closing.closed_at, now)}, by {closing.by}{said}"
    for number, (name, record) in enumerate(told.items()):
        yield "" if number else "told", f"{name}: {_history(record, now)}"


def _history(record: Record, now: int) -> str:
    parts = []
    if record.last_at is not None:
        parts.append(f"{counted(record.times, 'time')}, last {here(record.last_at, now)}")
    if record.over_at is not None:
        parts.append(f"that it is over {here(record.over_at, now)}")
    if record.refused_at is not None:
        parts.append(f"refused {here(record.refused_at, now)}: {record.refused}")
    return "; ".join(parts)


def ack(
    *ids: Annotated[
        str, Parameter(name="ID", help="Which alerts; or all that are open about a subject, such as partition/house.")
    ],
    all_: Annotated[bool, Parameter(name="--all", help="All that are open.")] = False,
    note: Note = "",
    author: Author = None,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Acknowledge alerts: somebody has seen them. The first to do so counts.

    For example:

    - `trioarm alerts ack partition/house:arm_failed#3@2026-11-23T21:30:00Z --note "the back door was open"`
    - `trioarm alerts ack partition/house`
    - `trioarm alerts ack --all`
    """
    if all_ == bool(ids):
        raise UsageError("say which alerts: by their ids, which `trioarm alerts list` shows, or with --all")
    by = author_of(author)

    async def work(container: Container) -> Exit:
        alerts = container.get(Scheduler).alerts
        wanted = await _open(alerts, None) if all_ else [id_ for word in ids for id_ in await _meant(alerts, word)]

        async def act(alert_id: str) -> str:
            with _where_ids_are_shown():
                kept = await alerts.ack(alert_id, by=by, note=note)
            seen = None if kept.alert is None else kept.alert.acknowledged
            return "acknowledged" if seen is None or seen.by == by else f"acknowledged by {seen.by} before"

        if not wanted:
            remark("no alert is open")
        return await each(wanted, act, json=json, key="id")

    return with_store(config, store, work)


@contextmanager
def _where_ids_are_shown() -> Iterator[None]:
    """Say where to whoever names an alert that there is not."""
    try:
        yield
    except UnknownAlert as error:
        raise UnknownAlert(f"{error}: `trioarm alerts list` shows the ids") from None


async def _meant(alerts: Alerts, word: str) -> list[str]:
    """Return the alerts that a word means: those that are open about a subject of that name, or the one of that id."""
    return [word] if ":" in word else await _open(alerts, word) or [word]


async def _open(alerts: Alerts, subject: str | None) -> list[str]:
    query = AlertQuery(states=frozenset({AlertState.OPEN}), subject=subject, limit=PAGE_MAX)
    return [stored.id async for stored in _found(alerts, query)]
