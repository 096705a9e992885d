"""Histories: what may happen to the nodes of a store."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from trioarm import Schedule
from trioarm.core.instants import DAY, SECOND
from trioarm.core.operations import JOURNAL
from trioarm.core.queries import Kept, Retention
from trioarm.core.states import FAILURES
from trioarm.testing import Fault
from trioarm.testing.faults import Away

NAMES = ("a", "b", "c", "d")
OF_WHAT_IS_TO_COME = ("pause", "pause_for", "resume", "skip", "skip_later", "postpone", "postpone_long", "undo", "undo")
VERBS = (*OF_WHAT_IS_TO_COME, "remove", "remove", "fire", "fire_alone", "fire_instead", "cancel", "backfill", "retry")
OF_ALL = ("pause_all", "pause_all", "resume_all", "resume_all", "cancel_all")
KINDS = (
    *("put", "put", "said", "said", "declared", "declared", "killed", "killed"),
    *("stopped", "stalled", "stepped", "corrected", "strayed", "joined"),
)
CODE = "config"  # whose set is declared again whenever a node starts
OWNERS = ("file:scheduler.toml", "app", CODE)
CALLS = ("commit",) * 4 + ("read_due", "read_ready", "unfinished_runs", "renew", "get_schedules", "find_runs")
FORGOTTEN_AT_ONCE = 7  # rows
LANES = ("red", "blue")  # of which red supersedes
BEHAVIOURS = (
    "succeeds",
    "fails_at_first",
    "always_fails",
    "breaks",
    "hangs",
    "ignores_cancellation",
    "snoozes",
    "discards",
    "returns_junk",
    "keeps",
    "is_slow",
    "is_slow",
)
STEPS_S = (2.0, 90.0, 3_000.0, 20_000.0, -2.0, -90.0, -3_000.0, -10_000.0)  # none but what S3.3 takes for an outage
STRAYS_S = (90_000.0, 4_000_000.0, -90_000.0, -4_000_000.0)  # none of which is believed within a minute
CORRECTIONS_S = (-14_400.0, -40_000.0)  # each opens a new epoch


@attrs.frozen
class Put:
    """Somebody stores a schedule, new or changed."""

    schedule: Schedule


@attrs.frozen
class Said:
    """Somebody says something of a schedule, one of VERBS."""

    verb: str
    name: str


@attrs.frozen
class Declared:
    """An owner declares a set of schedules.

    Args:
        owner: who does.
        schedules: all of its.
        dry_run: whether it only asks what would change.
        dies_after: so many turns of the loop, if a node dies meanwhile; it comes back three seconds later.
    """

    owner: str
    schedules: tuple[Schedule, ...]
    dry_run: bool = False
    dies_after: int | None = None


@attrs.frozen
class Killed:
    """A node dies as by SIGKILL, and is started again so many seconds later."""

    down_s: float


@attrs.frozen
class Stopped:
    """A node is stopped, and started again so many seconds later.

    Args:
        down_s: how many.
        at_once: whether its handlers are cancelled at once, instead of after its drain.
        away: how its store is away meanwhile; None for not at all.
    """

    down_s: float
    at_once: bool = False
    away: Away | None = None


@attrs.frozen
class Stalled:
    """The store is away from a node for so many seconds."""

    for_s: float


@attrs.frozen
class Joined:
    """One more node is started."""


@attrs.frozen
class Stepped:
    """Somebody sets the clock."""

    by_s: float


@attrs.frozen
class Strayed:
    """The clock goes astray, farther than anybody believes, and comes back within a minute: nothing comes of it."""

    by_s: float
    for_s: float


@attrs.frozen
class Pruned:
    """Somebody has forgotten at once what retention allows."""


@attrs.frozen
class Resized:
    """Nodes are told to call so many handlers at once, and how many runs more they may claim."""

    workers: int
    spare: int


ACTS_SEEN = (
    "Put",
    "Said",
    "Declared",
    "Killed",
    "Stopped",
    "Stalled",
    "Joined",
    "Stepped",
    "Strayed",
    "Pruned",
    "Resized",
)

Act: TypeAlias = "Put | Said | Declared | Killed | Stopped | Stalled | Joined | Stepped | Strayed | Pruned | Resized"


@attrs.frozen
class Keeps:
    """How little of its history a store keeps; less than any configuration allows, so that it matters within hours.

    Args:
        runs_s: for how long runs that are over, and what was said.
        runs: how many of each schedule.
        failures: how many of those that failed, which are counted apart then; None for together.
        schedules_s: for how long schedules that are over.
    """

    runs_s: float
    runs: int
    failures: int | None = None
    schedules_s: float = 9_000.0

    def retention(self, now: int) -> Retention:
        """Return what may be forgotten at an instant, a few rows at a time."""
        before = now - round(self.runs_s * SECOND)
        return Retention(
            runs_before=before,
            runs_max=self.runs,
            schedules_before=now - round(self.schedules_s * SECOND),
            apart=() if self.failures is None else (Kept(FAILURES, now - DAY, self.failures),),
            journal=JOURNAL,
            journal_max=2 * self.runs,
            limit=FORGOTTEN_AT_ONCE,
        )


@attrs.frozen
class History:
    """What happens to the nodes of a store.

    Args:
        schedules: put at first.
        acts: what happens then, each after so many seconds.
        faults: what goes wrong at which call of the store.
        workers: of each node.
        with_file: on a real file, with several nodes, instead of memory.
        spare: how many runs a node may claim beyond its workers.
        owner: who declares the first schedules, as a set; None for nobody: they are put one by one.
        lacks: handlers that every second node does not have; at the end all do.
        keeps: how little of what is over; None for all of it.
        chunk: how many due schedules are decided at once; with few, others are decided while these are being kept.
        resizes: whether nodes read a file that somebody changes.
        idles: whether all is taken away at the end, to see whether nodes sleep that have nothing to do.
    """

    schedules: tuple[Schedule, ...]
    acts: tuple[tuple[float, Act], ...]
    faults: dict[tuple[str, int], Fault]
    workers: int
    with_file: bool
    spare: int = 2
    owner: str | None = None
    idles: bool = False
    lacks: tuple[str, ...] = ()
    keeps: Keeps | None = None
    resizes: bool = False
    chunk: int = 1_000
