"""What came of a history: what was asked for, what handlers saw, what was kept at last. The references judge it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import inf

import attrs

from tests.simulation.witness import Witness
from trioarm import Backfilled, Schedule
from trioarm.core.diff import SyncDiff
from trioarm.core.instants import SECOND
from trioarm.core.operations import Operation
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.engine.bulk_commands import BulkResult
from trioarm.testing.world import BEGIN


@attrs.frozen
class Definition:
    """What a schedule was defined to be from an instant on.

    Args:
        name: of the schedule.
        schedule: None from when it was removed.
        from_at: what the wall showed before it was asked for.
        until_at: the latest that the wall had shown when that was done.
    """

    name: str
    schedule: Schedule | None
    from_at: int
    until_at: int


@attrs.frozen
class Saying:
    """What was said of a schedule that leaves its definition as it is.

    Args:
        verb: one of VERBS.
        name: of the schedule.
        at: what the wall showed before.
        results: of a backfill that was answered.
        runs: readable ids of those that were fired, or cancelled, as was answered.
        answered_at: when; trio's time.
    """

    verb: str
    name: str
    at: int
    results: Sequence[Backfilled] = ()
    runs: Sequence[str] = ()
    answered_at: float = inf


@attrs.frozen
class Many:
    """What was asked of many at once, and answered.

    Args:
        verb: what was asked.
        before: the schedules that were meant, by name; of runs their readable ids alone.
        after: those schedules afterwards.
        results: the answer.
        open_alerts: what alerts were about that were open afterwards.
    """

    verb: str
    before: Mapping[str, ScheduleRecord | None]
    after: Mapping[str, ScheduleRecord]
    results: Sequence[BulkResult]
    open_alerts: frozenset[str] = frozenset()


@attrs.frozen
class Declaration:
    """A set that was declared once, by a command or by the start of a node.

    Args:
        owner: who declared it.
        wanted: what, by name.
        dry_run: whether it was only asked what would change.
        before: what was stored before, by name.
        after: and after.
        answer: what a command said that it changed.
        refused: what was wrong with it; None for nothing.
        is_done: whether somebody said so, so that it is not to be done in part, and not to be left undone.
    """

    owner: str
    wanted: Mapping[str, Schedule]
    dry_run: bool
    before: Mapping[str, ScheduleRecord]
    after: Mapping[str, ScheduleRecord]
    answer: SyncDiff | None = None
    refused: str | None = None
    is_done: bool = False


@attrs.frozen
class Removal:
    """A command that asked to remove a schedule.

    Args:
        name: of the schedule.
        owner: of it; None for nobody.
        refused: why it was not removed; None if it was.
    """

    name: str
    owner: str | None
    refused: str | None


@attrs.frozen
class Life:
    """How a node lived.

    Args:
        node: its name.
        from_at: when it was ready; trio's time, as all below.
        until_at: when it was gone; None if it lived to the end.
        told_at: when it was told to stop, if it was.
        at_once: whether it was to cancel its handlers at once.
        left_alone: whether its store was away meanwhile.
    """

    node: str
    from_at: float
    until_at: float | None = None
    told_at: float | None = None
    at_once: bool = False
    left_alone: bool = False

    @property
    def killed_at(self) -> float:
        """When it was killed; infinite if it was not."""
        return inf if self.told_at is not None or self.until_at is None else self.until_at


@attrs.frozen
class Size:
    """How many handlers a node may call at once.

    Args:
        workers: so many.
        spare: how many runs more it may claim.
        asked_at: from when on that may be so; trio's time.
        known_at: and from when on it is.
    """

    workers: int
    spare: int
    asked_at: float
    known_at: float


@attrs.define
class Course:
    """What came of a history.

    Args:
        witness: of the handlers.
        definitions: in the order in which they were made.
        sayings: in the order in which they were said.
        many: what was asked of many at once, likewise.
        declarations: likewise.
        removals: likewise, those alone that were answered.
        lives: of nodes, the oldest first.
        sizes: of nodes, one after the other, by name.
        several: whether nodes lived side by side.
        lacks: whether some nodes lacked handlers.
        began_at: trio's time when the world began.
        records: of the schedules, as kept at last.
        rows: all of them, those that were forgotten as they were then.
        forgotten: the numbers of those, each with the last one that there was then.
        journal: what was done by commands, and when, in order.
        kept: number of the run and token of each attempt that handlers noted with its outcome.
        alerts: what people were told of: the subjects of all alerts.
        now: what the wall showed when the world was healed.
        highest: the latest that it ever showed.
        disturbed: whether calls of the store went wrong, or were not answered for a while.
        set_back: whether the clock was ever set back.
        corrected: whether the clock was set back far enough for a new epoch.
        doubted: whether it was ever set so far that nodes may go by its course instead, or back before one was started.
        counts: of what happened.
        virtual_s: how long it lasted.
        wakes: when which task of an idle node was woken, by its name.
        rows_when_idle: all rows after that, but for those that were forgotten before it began.
    """

    witness: Witness
    definitions: list[Definition] = attrs.Factory(list)
    sayings: list[Saying] = attrs.Factory(list)
    many: list[Many] = attrs.Factory(list)
    declarations: list[Declaration] = attrs.Factory(list)
    removals: list[Removal] = attrs.Factory(list)
    lives: list[Life] = attrs.Factory(list)
    sizes: dict[str, list[Size]] = attrs.Factory(lambda: defaultdict(list))
    several: bool = False
    lacks: bool = False
    began_at: float = 0.0
    records: list[ScheduleRecord] = attrs.Factory(list)
    rows: list[RunRecord] = attrs.Factory(list)
    forgotten: dict[int, int] = attrs.Factory(dict)
    journal: list[tuple[int, Operation]] = attrs.Factory(list)
    kept: Counter[tuple[int, int]] = attrs.Factory(Counter)
    alerts: set[str] = attrs.Factory(set)
    now: int = 0
    highest: int = 0
    disturbed: bool = False
    set_back: bool = False
    corrected: bool = False
    doubted: bool = False
    counts: Counter[str] = attrs.Factory(Counter)
    virtual_s: float = 0.0
    wakes: dict[str, set[int]] = attrs.Factory(lambda: defaultdict(set))
    rows_when_idle: list[RunRecord] = attrs.Factory(list)

    def wall_at(self, time: float) -> int:
        """Return what the wall showed at a time of trio's, where nobody set it."""
        return BEGIN + round((time - self.began_at) * SECOND)
