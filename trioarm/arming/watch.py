"""Watch: what a report means that nobody asked a partition for: nothing, a change, a drift, or silence (A3.7). Pure.

What a schedule or a person here makes of a partition is kept where it is done. Here is what others do, each change
once, however often it is looked at; and nothing here ever makes a command against a person.
"""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.arming.model import OnDrift, Reported, Target
from trioarm.arming.panels.base import PanelReport
from trioarm.core.counting import counted
from trioarm.core.instants import HOUR, SECOND, render_instant

FLAP_WINDOW: Final = HOUR  # in which so many changes are each recorded; of the others only how many they were
FLAP_MAX: Final = 12
MISSES_MAX: Final = 3  # looks in a row without an answer, after which people are told
SPARE: Final = 60 * SECOND  # behind the last instant at which a command should have had its effect
SETTLED: Final = frozenset({*(Reported(target) for target in Target), Reported.PENDING, Reported.TRIGGERED})
_ENDS: Final = {Reported(target): Reported.ARMING for target in Target} | {Reported.DISARMED: Reported.DISARMING}


@attrs.frozen(slots=True, kw_only=True)
class Watched:
    """What is kept of the looks at a partition.

    Args:
        over: version of the record of what was last done to it, when it was found as it is here.
        reported: how it was found; None while that record says it.
        since_at: since when, as the panel says.
        changed_by: who made it so, likewise.
        seen_at: when it was first found so.
        before: what it was before that, as far as it was known.
        before_by: who had made it that.
        told_over: version of the record whose drift people were told of; None for none.
        window_at: when the first of the changes was found that are counted now.
        changes: how many those are.
        misses: looks in a row without an answer, no further than people are told of them.
        silent_at: when the first of them was.
    """

    over: int = 0
    reported: Reported | None = None
    since_at: int | None = None
    changed_by: str | None = None
    seen_at: int | None = None
    before: Reported | None = None
    before_by: str | None = None
    told_over: int | None = None
    window_at: int | None = None
    changes: int = 0
    misses: int = 0
    silent_at: int | None = None


@attrs.frozen(slots=True, kw_only=True)
class Known:
    """What was last done to a partition, by a schedule or a person here.

    Args:
        version: of the record; 0 when there is none.
        reported: what it was then; None when nothing is on record.
        changed_by: who had made it so.
        confirmed: what a schedule had made of it; None when it was somebody else.
        run: of which that is the outcome.
        sent_at: when it was sent a command whose outcome is not on record yet.
    """

    version: int = 0
    reported: Reported | None = None
    changed_by: str | None = None
    confirmed: Target | None = None
    run: str = ""
    sent_at: int | None = None


@attrs.frozen(slots=True, kw_only=True)
class Change:
    """A partition is not what it was when somebody here was done with it.

    Args:
        before: what it was; None when nothing was on record.
        after: what it is.
        drifted_from: what a schedule had made of it; None when it was that no more.
        reassert: whether it is commanded again: the panel restarted, and that is wanted.
        tell: whether people are told.
        left_out: how many changes before this one are on no record, because there were too many.
        flapping: whether the next ones will not be, either.
        asked_by: who had asked for it, where it has come where it was on its way to; None when nobody here had.
    """

    before: Reported | None
    after: PanelReport
    drifted_from: Target | None = None
    reassert: bool = False
    tell: bool = False
    left_out: int = 0
    flapping: bool = False
    asked_by: str | None = None

    @property
    def has_arrived(self) -> bool:
        """Whether it was on its way to such a state when it was last known, so that whoever sent it there did it."""
        return self.before is not None and _ENDS.get(self.after.state) is self.before


def latest(watched: Watched, known: Known) -> tuple[Reported | None, str | None]:
    """Return what a partition was last, and who had made it so, as far as anybody here knows."""
    if watched.reported is not None and watched.over == known.version:
        return watched.reported, watched.changed_by
    return known.reported, known.changed_by


def under_way(known: Known, now: int, within: int) -> bool:
    """Whether a command may still be on its way, so that what it does is not taken for somebody else's.

    Args:
        known: what was last done.
        now: microseconds since 1970 UTC.
        within: how long after it was sent its outcome is on record.
    """
    return known.sent_at is not None and known.sent_at <= now < known.sent_at + within


def answered(watched: Watched) -> Watched:
    """Return the record of a partition whose panel answers."""
    return attrs.evolve(watched, misses=0, silent_at=None)


def unanswered(watched: Watched, now: int) -> Watched:
    """Return the record of a partition whose panel does not answer; the same once people were told of it."""
    if watched.misses >= MISSES_MAX:
        return watched
    silent_at = now if watched.silent_at is None else watched.silent_at
    return attrs.evolve(watched, misses=watched.misses + 1, silent_at=silent_at)


def noticed(
    watched: Watched, known: Known, report: PanelReport, now: int, drift: OnDrift
) -> tuple[Watched, Change | None]:
    """Return what to keep after a look, and the change that goes on record; None for none.

    Args:
        watched: what was kept of the look before.
        known: what was last done; nothing of it is under way.
        report: what the panel says; it is settled.
        now: microseconds since 1970 UTC.
        drift: what is wanted where it does not stay what a schedule made it.
    """
    before, by = latest(watched, known)
    if report.state is before:
        return watched, None
    found = attrs.evolve(
        watched,
        over=known.version,
        reported=report.state,
        since_at=report.since_at,
        changed_by=report.changed_by,
        seen_at=now,
        before=before,
        before_by=by,
    )
    if before is None:
        return found, None  # the first look: what it was before nobody knows
    found, left_out = _counted(found, now)
    if found.changes > FLAP_MAX:
        return found, None
    change = Change(before=before, after=report, left_out=left_out, flapping=found.changes == FLAP_MAX)
    return _judged(found, known, change, drift)


def _counted(watched: Watched, now: int) -> tuple[Watched, int]:
    """Return the record with one change more, and how many of a window that is over were left out."""
    begin = watched.window_at
    if begin is not None and begin <= now < begin + FLAP_WINDOW:
        return attrs.evolve(watched, changes=watched.changes + 1), 0
    return attrs.evolve(watched, window_at=now, changes=1), max(0, watched.changes - FLAP_MAX)


def _judged(watched: Watched, known: Known, change: Change, drift: OnDrift) -> tuple[Watched, Change]:
    target, state = known.confirmed, change.after.state
    away = target is not None and state.value != target.value and state.value in set(Target)
    if not away or watched.told_over == known.version:
        return watched, change
    if change.after.restarted and drift is OnDrift.REASSERT and not change.flapping:
        return watched, attrs.evolve(change, drifted_from=target, reassert=True)
    told = attrs.evolve(watched, told_over=known.version)
    return told, attrs.evolve(change, drifted_from=target, tell=drift is not OnDrift.IGNORE)


def in_words(change: Change) -> str:
    """Return what is known of a change, for the audit and for people."""
    report = change.after
    if change.asked_by is not None:
        return f"it has become {report.state}, as {change.asked_by} had asked"
    who = report.changed_by or ("the panel restarted, and" if report.restarted else "somebody, or the panel itself,")
    words = f"{who} made it {report.state}"
    if report.since_at is not None:
        words += f" at {render_instant(report.since_at)}"
    if change.drifted_from is not None:
        words += f"; a schedule had made it {change.drifted_from}"
    if change.reassert:
        words += ", and it is commanded again"
    if change.left_out:
        left_out = counted(change.left_out, "change before this one is", "changes before this one are")
        words += f"; {left_out} not on record: it changed all the time"
    if change.flapping:
        words += "; it changes all the time: for the rest of an hour its changes are counted, and not recorded"
    return words
