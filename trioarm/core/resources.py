"""Resources: what runs need beside a worker, each with a limit, a gap, a rate and a breaker (S6.5).

How many runs hold a resource is asked of their states (S2.7). When the latest began, and how many failed in a row, is a
document: whoever claims a run that needs it writes it in the same transaction, so two nodes never begin by one look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from trioarm.core.bounds import DURATION_S_MAX, SECONDS, check_number, check_whole
from trioarm.core.changes import Finished, PutDocument, Requeued
from trioarm.core.counting import in_a_row
from trioarm.core.instants import microseconds
from trioarm.core.jsonable import Json
from trioarm.core.queries import Document
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, Step, WaitingFor

NAMESPACE: Final = "resource"  # of the documents, one for each resource that was ever used
RUNS_MAX: Final = 1_000  # of a rate: so many instants are kept
LIMIT_MAX: Final = 10_000
_AGAINST: Final = (Reason.ERROR, Reason.TIMEOUT, Reason.STUCK)  # one that was discarded was useless, whoever was asked


@attrs.frozen(slots=True)
class Rate:
    """How many runs may begin within a time.

    Args:
        runs: how many, 1 to 1000.
        per_s: within so many seconds.
    """

    runs: int
    per_s: float

    def __attrs_post_init__(self) -> None:
        check_whole("rate runs is", self.runs, 1, RUNS_MAX)
        check_number("rate per_s is", self.per_s, 0.001, DURATION_S_MAX, SECONDS)


@attrs.frozen(slots=True)
class Breaker:
    """When a resource counts as broken, and when it is tried again.

    Args:
        failures: attempts that failed in a row and needed it, 1 to 1000.
        pause_s: how long nothing begins then, in seconds; after that, one run at a time tries.
    """

    failures: int = 5
    pause_s: float = 60.0

    def __attrs_post_init__(self) -> None:
        check_whole("breaker failures is", self.failures, 1, 1_000)
        check_number("breaker pause_s is", self.pause_s, 0.001, DURATION_S_MAX, SECONDS)


@attrs.frozen(slots=True, kw_only=True)
class Resource:
    """What holds for a resource, on all nodes of a store together.

    Args:
        limit: runs that may need it at once; None for any number.
        gap_s: between the beginnings of two runs, in seconds.
        rate: how many may begin within a time.
        breaker: what happens when it fails; None for nothing.
    """

    limit: int | None = None
    gap_s: float = 0.0
    rate: Rate | None = None
    breaker: Breaker | None = None

    def __attrs_post_init__(self) -> None:
        if self.limit is not None:
            check_whole("limit is", self.limit, 1, LIMIT_MAX)
        check_number("gap_s is", self.gap_s, 0, DURATION_S_MAX, SECONDS)


Resources: TypeAlias = Mapping[str, Resource]


@attrs.define(slots=True)
class Use:
    """What is kept of a resource.

    Args:
        version: of its document; 0 where there is none yet.
        begun: when the latest runs were claimed that need it, oldest first.
        failures: attempts in a row that failed.
        open_until: the instant from which one run at a time may try; None while the breaker is closed.
        alert: id of the alert that was raised when it opened; None while it is closed.
    """

    version: int = 0
    begun: list[int] = attrs.Factory(list)
    failures: int = 0
    open_until: int | None = None
    alert: str | None = None

    @classmethod
    def of(cls, document: Document | None) -> Use:
        """Read what is kept; what cannot be understood counts as nothing, and is written anew."""
        if document is None:
            return cls()
        kept = (document.body.get(key) for key in ("begun", "failures", "open_until", "alert"))
        begun, failures, open_until, alert = kept
        return cls(
            document.version,
            [at for at in begun if isinstance(at, int)] if isinstance(begun, list) else [],
            failures if isinstance(failures, int) else 0,
            open_until if isinstance(open_until, int) else None,
            alert if isinstance(alert, str) else None,
        )

    def put(self, name: str) -> PutDocument:
        """Return the step that keeps this, and count on it."""
        begun: list[Json] = [*self.begun]
        body: dict[str, Json] = {
            "begun": begun,
            "failures": self.failures,
            "open_until": self.open_until,
            "alert": self.alert,
        }
        self.version += 1
        return PutDocument(NAMESPACE, name, self.version - 1, body)


@attrs.define(slots=True, eq=False)
class Gate:
    """One look at a resource: who may begin now.

    Args:
        resource: what holds for it.
        use: what is kept of it.
        held: how many runs hold it.
        now: microseconds since 1970 UTC.
    """

    resource: Resource
    use: Use
    held: int
    now: int

    @property
    def free_at(self) -> int | None:
        """The instant from which one more run may begin, as far as time says; None when another has to end before."""
        resource, use, now = self.resource, self.use, self.now
        at = now
        if use.open_until is not None and resource.breaker is not None:
            at = self._until(use.open_until, resource.breaker.pause_s)
            if at <= now and self.held:
                return None  # one tries already
        if resource.limit is not None and self.held >= resource.limit:
            return None
        if use.begun:
            at = max(at, self._until(use.begun[-1] + microseconds(resource.gap_s), resource.gap_s))
        rate = resource.rate
        if rate is not None and len(use.begun) >= rate.runs:
            at = max(at, self._until(use.begun[-rate.runs] + microseconds(rate.per_s), rate.per_s))
        return at

    def _until(self, at: int, wait_s: float) -> int:
        """Return an instant up to which somebody waits, or now where it is too far away to be one.

        It is no further than the wait is long, and once more as long where another node's clock is ahead. Beyond that
        the clock was set back since, and nobody knows how much of the wait is over (S3.3).
        """
        return at if at <= self.now + 2 * microseconds(wait_s) else self.now

    @property
    def waiting_for(self) -> WaitingFor | None:
        """What a run waits for that needs it; None where it may begin."""
        at = self.free_at
        if at is not None and at <= self.now:
            return None
        return WaitingFor.RESOURCE if self.use.open_until is None else WaitingFor.BREAKER

    def describe(self) -> str:
        """Say in words who keeps a run waiting that needs it; nothing where it may begin."""
        at = self.free_at
        if at is not None and at <= self.now:
            return ""
        if self.use.open_until is not None:
            failed = f"{in_a_row(self.use.failures, 'attempt')} failed"
            return f"{failed}: its breaker is open" if at is not None else f"{failed}, and one run tries again"
        if at is None:
            return f"{self.held} of {self.resource.limit} runs hold it"
        return "the run before it has only just begun"

    def begin(self) -> None:
        """Let one run begin."""
        self.held += 1
        most = 1 if self.resource.rate is None else self.resource.rate.runs
        self.use.begun = [*self.use.begun, self.now][-most:]


@attrs.define(slots=True, eq=False)
class Gates:
    """One look at several resources: of the claims that are made by it none is kept after one that was refused.

    Args:
        gates: by name; what is not among them keeps nobody waiting.
    """

    gates: Mapping[str, Gate]

    def closed(self, needs: Iterable[str]) -> dict[str, int | None]:
        """Return which of these keep a run waiting, with when they open as far as time says."""
        looked_at = {name: self.gates[name] for name in needs if name in self.gates}
        return {name: gate.free_at for name, gate in looked_at.items() if gate.waiting_for is not None}

    def begin(self, needs: Iterable[str]) -> list[PutDocument]:
        """Let a run begin that needs these, and return the steps that keep that."""
        documents = []
        for name in needs:
            gate = self.gates.get(name)
            if gate is not None:
                gate.begin()
                documents.append(gate.use.put(name))
        return documents


def needs_of(schedule: Schedule, resources: Collection[str]) -> Sequence[str]:
    """Return which of these resources the runs of a schedule need."""
    return [name for name in schedule.resources if name in resources] if schedule.resources else ()


def went(step: Finished | Requeued) -> bool | None:
    """Return whether an attempt speaks for the resources it needed, or against them; None for neither."""
    if step.step is Step.SUCCEED:
        return True
    if isinstance(step, Requeued):
        return False if step.step is Step.RETRY and step.error is not None else None
    return False if step.reason in _AGAINST else None


def settle_use(use: Use, breaker: Breaker, went_well: bool, now: int) -> bool | None:
    """Let a use show how an attempt went.

    Returns:
        whether that opened its breaker; None when nothing changed.
    """
    if went_well:
        if not use.failures and use.open_until is None:
            return None
        use.failures, use.open_until, use.alert = 0, None, None
        return False
    use.failures += 1
    if use.failures < breaker.failures:
        return False
    opened = use.open_until is None
    use.open_until = now + microseconds(breaker.pause_s)
    return opened
