"""Decisions as tests look at them: what became of each occurrence, as a table, and compared with what was expected."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, TypeAlias

import attrs

from trioarm.core.counting import counted
from trioarm.core.instants import as_datetime, instant
from trioarm.core.run import Origin, Run, RunRecord
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import own_zone
from trioarm.core.triggers.zones import Zone
from trioarm.testing.moments import When, moment, shown, zone_of

DECISIONS_MAX: Final = 100_000  # handed out at once: eleven years of an hourly schedule
LINES_MAX: Final = 60  # of a difference: what is further down is looked at once the first is put right
AROUND: Final = 2  # decisions shown before and after what differs
HEAD: Final = ("schedule", "scheduled", "state", "reason", "attempts", "error")

Expected: TypeAlias = tuple[When, State | str] | tuple[When, State | str, Reason | str | None]
_Key: TypeAlias = tuple[int, State, Reason | None]


@attrs.frozen(slots=True, kw_only=True)
class Decision:
    """What became of one occurrence: a copy that no longer changes. Instants are aware datetimes in UTC.

    Args:
        schedule: name of its schedule.
        nominal_at: the occurrence.
        local: the same on the wall, such as `2026-03-29 22:30`, with its offset where a time is repeated.
        zone: of which zone: that of the schedule, or of the world where that has none.
        state: what became of it, such as `succeeded`, `missed` or `skipped`; or where its run is.
        reason: why, where the state does not say it.
        waiting_for: what a run waits for that is pending.
        attempts: how often its handler was called.
        error: what the last attempt said when it failed; one line.
        started_at: when the latest attempt began; None where none did.
        finished_at: when its state became final; None where it is not.
        origin: `schedule`, or what else made it: a person, or a retry by command.
        occurrences: 1; more for a range that can no longer be taken apart, because its schedule was changed.
    """

    schedule: str
    nominal_at: datetime
    local: str
    zone: str
    state: State
    reason: Reason | None = None
    waiting_for: WaitingFor | None = None
    attempts: int = 0
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    origin: Origin = Origin.SCHEDULE
    occurrences: int = 1


def decisions_of(row: RunRecord, default: Zone) -> Iterator[Decision]:
    """Yield the decisions that a kept row stands for: one, or one for each occurrence of a range that did not run.

    Args:
        default: the zone of schedules that have none.
    """
    run, zone = Run.of(row), own_zone(row.schedule.schedule.trigger) or default
    ats = list(_occurrences(row))
    whole = len(ats) == row.count
    for at in ats if whole else ats[:1]:
        yield Decision(
            schedule=run.schedule,
            nominal_at=as_datetime(at),
            local=shown(at, zone),
            zone=zone.name,
            state=run.state,
            reason=run.reason,
            waiting_for=run.waiting_for,
            attempts=run.attempt,
            error=run.error,
            started_at=run.started_at,
            finished_at=run.finished_at,
            origin=run.origin,
            occurrences=1 if whole else row.count,
        )


def _occurrences(row: RunRecord) -> Iterator[int]:
    """Yield the occurrences of a row, as its schedule has them now: others than it counts where that was changed."""
    trigger = row.schedule.schedule.trigger
    at: int | None = row.nominal_at
    for _ in range(min(row.count, DECISIONS_MAX) + 1):
        if at is None or at > (row.last_at or row.nominal_at):
            return
        yield at
        at = trigger.next_after(at)


def as_table(decisions: Iterable[Decision]) -> str:
    """Return decisions as lines of a table: schedule, local time, state, reason, attempts, error."""
    return _aligned([HEAD, *map(_cells, decisions)])


def assert_decided(decisions: Sequence[Decision], expected: Iterable[Expected]) -> None:
    """Assert that exactly this was decided, in this order.

    Args:
        decisions: of `World.decisions`, of schedules in one zone.
        expected: for each a moment and a state, and a reason where that matters: `("2026-03-28 22:30", "missed")`.
            A time without an offset is one on the wall of the schedule.

    Raises:
        AssertionError: something else was; the message is a table of what differs (`-` expected, `+` decided).
        ValueError: a state or a reason is unknown, or decisions are in several zones.
    """
    __tracebackhide__ = True
    zone = _zone_of(decisions)
    wanted = [_wanted(one, zone) for one in expected]
    with_reason = {(at, state) for at, state, reason in wanted if reason is not None}
    decided = [_key(one, with_reason) for one in decisions]
    if wanted == decided:
        return
    lines = list(_difference(wanted, decided, decisions, zone))
    more = len(lines) - LINES_MAX
    text = _aligned([("", *HEAD), *lines[:LINES_MAX]]) + (f"\n... and {counted(more, 'line')} more" if more > 0 else "")
    raise AssertionError(f"what was decided (+) is not what was expected (-):\n{text}")


def _wanted(expected: Expected, zone: Zone) -> _Key:
    when, state, *rest = expected
    reason = rest[0] if rest else None
    return moment(when, zone), State(state), None if reason is None else Reason(reason)


def _key(decision: Decision, with_reason: Container[tuple[int, State]]) -> _Key:
    """Return what is compared of a decision: its reason only where one is expected of such a one."""
    at = instant(decision.nominal_at)
    return at, decision.state, decision.reason if (at, decision.state) in with_reason else None


def _zone_of(decisions: Sequence[Decision]) -> Zone:
    zones = {one.zone for one in decisions}
    if len(zones) > 1:
        raise ValueError(f"these decisions are in {' and '.join(sorted(zones))}: compare those of one zone at a time")
    return zone_of(zones.pop() if zones else "UTC")


def _difference(
    wanted: Sequence[_Key], decided: Sequence[_Key], decisions: Sequence[Decision], zone: Zone
) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a table: what was expected, what was decided, and a little of what is the same around it."""
    matcher = SequenceMatcher(None, wanted, decided, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(AROUND)):
        if number:
            yield ("...",)
        for tag, first, end, begin, past in group:
            if tag != "equal":
                for at, state, reason in wanted[first:end]:
                    yield "-", "", shown(at, zone), state, reason or ""
            for decision in decisions[begin:past]:
                yield " " if tag == "equal" else "+", *_cells(decision)


def _cells(decision: Decision) -> tuple[str, ...]:
    many = "" if decision.occurrences == 1 else f" ({decision.occurrences} of them)"
    why = decision.reason or ("" if decision.waiting_for is None else f"waits for {decision.waiting_for}")
    state, attempts = f"{decision.state}{many}", str(decision.attempts)
    return decision.schedule, decision.local, state, why, attempts, decision.error or ""


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text, columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    )
