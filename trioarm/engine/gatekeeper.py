"""The gatekeeper: looks at the resources that runs need, before they are claimed and after they have ended (S6.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from trioarm.core.alerts import NAMESPACE as ALERTS
from trioarm.core.alerts import Alert, Closing, Severity, closing, raising_about, stored_alert
from trioarm.core.changes import Change, Finished, PutDocument, Requeued
from trioarm.core.counting import in_a_row
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import render_duration
from trioarm.core.queries import Document
from trioarm.core.resources import NAMESPACE, Breaker, Gate, Gates, Resources, Use, needs_of, settle_use, went
from trioarm.core.run import RunRecord
from trioarm.engine.ports import ScheduleRepository

BREAKER_OPEN: Final = "breaker_open"  # the kind of an alert
_NO_GATES: Final = Gates({})


@attrs.define(slots=True, eq=False)
class Spoken:
    """A resource of whose breaker attempts speak.

    Args:
        use: what is kept of it.
        alert: what people were told when it opened, as kept; None while it is closed.
    """

    use: Use
    alert: Document | None


class Gatekeeper:
    """Knows what holds for each resource, and looks at them.

    Args:
        repository: that keeps how they are used.
        resources: what holds for each; may be replaced while it works.
    """

    def __init__(self, repository: ScheduleRepository, resources: Resources) -> None:
        self._repository = repository
        self.resources = resources

    def needs(self, run: RunRecord) -> Sequence[str]:
        """Return the resources that a run needs, of those for which something holds."""
        return needs_of(run.schedule.schedule, self.resources)

    # Before a claim

    async def look(self, names: Iterable[str], now: int) -> Gates:
        """Look at resources, at all of them at once.

        How they are used is asked before who holds them: a claim of another node in between is counted, or its change
        of the document refuses what was to be claimed by this look.

        Raises:
            RepositoryError: they cannot be looked at.
        """
        resources, wanted = self.resources, sorted(set(names))  # others may take their place while this is asked
        if not wanted:
            return _NO_GATES
        uses = {name: await self._use(name) for name in wanted if name in resources}
        held = await self._repository.held_needing(wanted)
        return Gates({name: Gate(resources[name], use, held.get(name, 0), now) for name, use in uses.items()})

    async def _use(self, name: str) -> Use:
        return Use.of(await self._repository.get_document(NAMESPACE, name))

    # After an attempt

    async def uses(self, steps: Iterable[Finished | Requeued]) -> dict[str, Spoken]:
        """Look at the resources whose breakers attempts that end by these steps speak for or against.

        None when the repository cannot be asked: what an attempt said of them is not worth losing its outcome.
        """
        names = {name for step in steps for name in self._spoken_of(step.run, step)}
        try:
            return {name: await self._spoken(name) for name in sorted(names)}
        except RepositoryError:
            return {}

    async def _spoken(self, name: str) -> Spoken:
        use = await self._use(name)
        alert = None if use.alert is None else await self._repository.get_document(ALERTS, use.alert)
        return Spoken(use, alert)

    def settle(self, change: Change, run: RunRecord, step: Finished | Requeued, uses: Mapping[str, Spoken]) -> None:
        """Keep with the outcome of an attempt how often its resources failed, an alert when that opened a breaker, and
        that it is over when that closed one.

        Args:
            change: by which the outcome is kept.
            run: of the attempt.
            step: by which it ends.
            uses: what `uses` found.
        """
        documents: list[PutDocument] = []
        for name, breaker in self._spoken_of(run, step).items():
            spoken = uses.get(name)
            opened = None if spoken is None else settle_use(spoken.use, breaker, bool(went(step)), step.at)
            if spoken is None or opened is None:
                continue
            if opened:
                documents.append(_alert(name, breaker, spoken.use, run, step))
                spoken.use.alert = documents[-1].key
            elif spoken.use.alert is None and spoken.alert is not None:
                over, spoken.alert = _resolving(spoken.alert, run, step.at), None
                documents += over.documents
                change.journal = [*change.journal, *over.journal]
            documents.append(spoken.use.put(name))
        change.documents = [*change.documents, *documents]

    def _spoken_of(self, run: RunRecord, step: Finished | Requeued) -> dict[str, Breaker]:
        if went(step) is None:
            return {}
        named = {name: self.resources[name].breaker for name in self.needs(run)}
        return {name: breaker for name, breaker in named.items() if breaker is not None}


def _resolving(document: Document, run: RunRecord, at: int) -> Change:
    """Return the change by which an alert is over; one that cannot be read stays for a person to close."""
    found = stored_alert(document.key, document.body).alert
    if found is None or found.resolved is not None:
        return Change()
    how = Closing(f"schedule:{run.schedule.schedule.name}", at, "its breaker is closed")
    return closing(document.key, document.version, attrs.evolve(found, resolved=how), "resolved", how)


def _alert(name: str, breaker: Breaker, use: Use, run: RunRecord, step: Finished | Requeued) -> PutDocument:
    pause = render_duration(breaker.pause_s)
    alert = Alert(
        subject=f"resource/{name}",
        kind=BREAKER_OPEN,
        severity=Severity.WARNING,
        text=f"{in_a_row(use.failures, 'attempt')} failed, the last with: {step.error}",
        advice=f"runs that need it wait; after {pause} one at a time tries, and all begin once one goes well",
        raised_at=step.at,
        run=run.readable_id,
    )
    return raising_about(run, alert)
