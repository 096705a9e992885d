"""Alerts: durable messages to people, each open until somebody acknowledges it or what it complains of is over (S6.9).

An alert is a document like any other, so it is kept in the transaction of its cause. Who raises one has read nothing:
its id is unique to its cause, and the version to be expected is always 0. Nobody is notified here: an alert is what
there is to notify about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from trioarm.core.changes import AppendJournal, Change, PutDocument
from trioarm.core.codec import from_json, to_json
from trioarm.core.cutting import cut
from trioarm.core.errors import RepositoryError
from trioarm.core.jsonable import Json
from trioarm.core.queries import PAGE_MAX
from trioarm.core.run import RunRecord, render_run_id

NAMESPACE: Final = "alert"  # of the documents, and of the journal of what people and programs did about them
TOLD: Final = "told"  # of the documents that say, under the id of an alert, whom it was told to; forgotten with it
TEXT_MAX: Final = 1_000  # characters of one line; a list of zones may be long, a message to a telephone is not
FACTS_MAX: Final = 16
ACTIONS_MAX: Final = 8


class Severity(StrEnum):
    """How urgent an alert is."""

    NOTICE = "notice"  # for who wants to know: all is as it should be
    WARNING = "warning"  # somebody should know
    ERROR = "error"  # somebody has to do something


class AlertState(StrEnum):
    """Where an alert is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    UNREADABLE = "unreadable"  # kept, but not as anything that can be understood


def _line(text: str) -> str:
    folded = " ".join(text.split())
    return cut(folded, TEXT_MAX)


@attrs.frozen(slots=True)
class Fact:
    """One thing that is known of the cause, for people and programs alike, such as `zones`: `back door`."""

    name: str
    value: str = attrs.field(converter=_line)


def _bounded(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple(facts)[:FACTS_MAX]


@attrs.frozen(slots=True, kw_only=True)
class Action:
    """Something that can be done about what an alert tells: by a command, and perhaps by a message at a broker.

    Args:
        name: what it does, such as `postpone`.
        argv: the command and its arguments.
        broker: name of the broker at which a message does the same; None where none does.
        topic: what that is published on.
        payload: what is published there.
    """

    name: str
    argv: tuple[str, ...]
    broker: str | None = None
    topic: str | None = None
    payload: str | None = None


def _few(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(actions)[:ACTIONS_MAX]


@attrs.frozen(slots=True)
class Closing:
    """Who acknowledged or resolved an alert, when, and what they said.

    Args:
        by: a person, or what made it true, such as `schedule:weeknight/house`.
    """

    by: str
    closed_at: int
    note: str = attrs.field(default="", converter=_line)


@attrs.frozen(slots=True, kw_only=True)
class Alert:
    """What is kept of an alert.

    Args:
        subject: what it is about, such as `partition/house`; no colon is in it.
        kind: what happened, such as `arm_failed`.
        severity: how urgent it is.
        text: one line for people.
        advice: what to do about it; empty when there is nothing to do.
        raised_at: when.
        run: readable id of the run it is about; None for none.
        settled_by: the state of the subject that ends it, such as `armed_night`; None when only a person can.
        facts: what else is known.
        actions: what can be done about it with one command or one press.
        acknowledged: None while nobody did.
        resolved: None while what it complains of lasts.
    """

    subject: str
    kind: str
    severity: Severity
    text: str = attrs.field(converter=_line)
    advice: str = attrs.field(default="", converter=_line)
    raised_at: int
    run: str | None = None
    settled_by: str | None = None
    facts: tuple[Fact, ...] = attrs.field(default=(), converter=_bounded)
    actions: tuple[Action, ...] = attrs.field(default=(), converter=_few)
    acknowledged: Closing | None = None
    resolved: Closing | None = None

    @property
    def state(self) -> AlertState:
        """Where it is; what is resolved is so whether or not somebody had acknowledged it."""
        if self.resolved is not None:
            return AlertState.RESOLVED
        return AlertState.OPEN if self.acknowledged is None else AlertState.ACKNOWLEDGED

    @property
    def closed_at(self) -> int | None:
        """When it needed nobody's attention any more; None while it is open."""
        ends = [closing.closed_at for closing in (self.acknowledged, self.resolved) if closing is not None]
        return max(ends, default=None)


@attrs.frozen(slots=True)
class StoredAlert:
    """An alert as it is found: what cannot be understood is shown as that, and is kept.

    Args:
        id: its name.
        alert: None when it cannot be understood.
        problem: why not; None when it can.
    """

    id: str
    alert: Alert | None
    problem: str | None = None

    @property
    def state(self) -> AlertState:
        """Where it is."""
        return AlertState.UNREADABLE if self.alert is None else self.alert.state


@attrs.frozen(slots=True, kw_only=True)
class AlertQuery:
    """Which alerts; a field that is None does not narrow.

    Args:
        states: all but those acknowledged or resolved, unless said otherwise.
        after: the `next` of the page before.
    """

    states: frozenset[AlertState] | None = frozenset({AlertState.OPEN, AlertState.UNREADABLE})
    subject: str | None = None
    after: str | None = None
    limit: int = attrs.field(default=100, validator=[attrs.validators.ge(1), attrs.validators.le(PAGE_MAX)])


# What a change must raise alerts for: asked before the change is committed, so that both are one transaction. It reads
# nothing, and names every alert after the decision or run it is about. Of a run that succeeded it is not asked.
AlertRule: TypeAlias = Callable[[Change], Sequence[PutDocument]]


def no_alerts(change: Change) -> Sequence[PutDocument]:
    """Be the rule of those who want no alerts."""
    return ()


def alert_id(subject: str, kind: str, run: RunRecord) -> str:
    """Return the id of an alert about a run or decision: as unique as that is, and the same whenever it is made (S2.4).

    The schedule's key is part of it, not its name: a name may come back, and its occurrences with it.
    """
    return f"{subject}:{render_run_id(f'{kind}#{run.schedule.key}', run.nominal_at, run.origin, run.epoch)}"


def alerts_of(subject: str) -> str:
    """Return what the ids of all alerts about a subject begin with, and no others."""
    return f"{subject}:"


def raising(name: str, alert: Alert) -> PutDocument:
    """Return the step that raises an alert. It is refused where that alert exists already."""
    return changing(name, 0, alert)


def raising_about(run: RunRecord, alert: Alert) -> PutDocument:
    """Return the step that raises an alert about a run or decision."""
    return raising(alert_id(alert.subject, alert.kind, run), alert)


def changing(name: str, version: int, alert: Alert) -> PutDocument:
    """Return the step that keeps an alert, last read at `version`."""
    body = to_json(alert)
    if not alert.actions:
        del body["actions"]  # which older versions do not know
    return PutDocument(NAMESPACE, name, version, body)


def closing(name: str, version: int, closed: Alert, verb: str, how: Closing) -> Change:
    """Return the change by which an alert, last read at `version`, is closed; the journal says by whom (A5.3)."""
    entry: dict[str, Json] = {"actor": how.by, "verb": verb, "alert": name, "note": how.note}
    return Change(documents=[changing(name, version, closed)], journal=[AppendJournal(NAMESPACE, entry, how.closed_at)])


def raised_by(documents: Iterable[PutDocument]) -> list[StoredAlert]:
    """Return the alerts that a change raised; a handler of somebody's own may have kept something that is none."""
    return [
        stored_alert(put.key, put.body)
        for put in documents
        if put.namespace == NAMESPACE and put.expected_version == 0 and put.body is not None
    ]


def stored_alert(name: str, body: Mapping[str, Json]) -> StoredAlert:
    """Read an alert back, or say why it cannot be."""
    try:
        return StoredAlert(name, read_alert(name, body))
    except RepositoryError as error:
        return StoredAlert(name, None, str(error))


def read_alert(name: str, body: Mapping[str, Json]) -> Alert:
    """Read an alert back.

    Raises:
        RepositoryError: the document is no alert.
    """
    whole = {"actions": [], **body}
    return from_json(Alert, whole, f"document {NAMESPACE}/{name}", lambda lines: RepositoryError("; ".join(lines)))
