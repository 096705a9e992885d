"""What arming keeps in the repository: what is about to be sent, what a partition was last, the audit (A3.1, A5.1)."""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.arming.verify import Sent
from trioarm.core.changes import AppendJournal, Change, PutDocument, Verdict
from trioarm.core.codec import from_json, to_json
from trioarm.core.jsonable import Json
from trioarm.core.run import Origin, parse_run_id
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import ScheduleRepository

COMMANDS: Final = "command"  # documents by partition: the latest command of each
PARTITIONS: Final = "partition"  # documents by partition: what it last reported to a finished run
AUDIT: Final = "audit"  # the journal of who armed what, and why


@attrs.frozen(slots=True, kw_only=True)
class LatestCommand:
    """The latest command that a partition was sent, or was about to be when the node stopped.

    Args:
        run: readable id of the run it was for; None when there was none.
        sends: how many commands that run has sent.
        sent_at: when; microseconds since 1970 UTC.
        version: of the document; 0 when there is none.
    """

    run: str | None = None
    sends: int = 0
    sent_at: int | None = None
    version: int = 0

    def sent_for(self, run: str) -> Sent:
        """Return what was sent for this run: nothing, unless it is the one on record."""
        return Sent(sends=self.sends, last_at=self.sent_at) if self.run == run else Sent()


@attrs.frozen(slots=True, kw_only=True)
class _Command:
    """The body of a document in `COMMANDS`: what is about to be sent, and under which token."""

    run: str
    target: Target
    sends: int
    sent_at: int
    token: int


@attrs.frozen(slots=True, kw_only=True)
class _LastReport:
    """The body of a document in `PARTITIONS`: what a partition was when a run of it ended."""

    reported: Reported
    since_at: int | None
    changed_by: str | None
    open_zones: tuple[str, ...]
    read_at: int
    run: str


@attrs.frozen(slots=True, kw_only=True)
class _Entry:
    """The body of an entry of `AUDIT`."""

    actor: str
    origin: Origin
    partition: str
    verb: str
    before: Reported
    after: Reported
    reason: str
    correlation: str


class Ledger:
    """Reads and writes arming's documents.

    Args:
        repository: where they are.
    """

    def __init__(self, repository: ScheduleRepository) -> None:
        self._repository = repository

    async def latest_command(self, partition: str) -> LatestCommand:
        """Return what a partition was last sent.

        Raises:
            PanelFailure: `unavailable`, because the record cannot be understood: without it nothing may be sent.
        """
        document = await self._repository.get_document(COMMANDS, partition)
        if document is None:
            return LatestCommand()
        said = from_json(_Command, document.body, f"document {COMMANDS}/{partition}", _unreadable)
        return LatestCommand(run=said.run, sends=said.sends, sent_at=said.sent_at, version=document.version)

    async def announce(
        self, run: RunContext, partition: str, target: Target, sends: int, now: int, version: int
    ) -> LatestCommand:
        """Keep what is about to be sent: after a crash it is known that it may have been (A3.5).

        Args:
            sends: how many commands that makes for this run.
            version: of the record that the decision to send was made on.

        Raises:
            PanelFailure: `unavailable`, because it is not certain to be kept, or another node was faster: look again.
        """
        body = to_json(_Command(run=run.id, target=target, sends=sends, sent_at=now, token=run.token))
        verdicts = await self._repository.commit([Change(documents=[PutDocument(COMMANDS, partition, version, body)])])
        if verdicts != [Verdict.DONE] and not await self._is_kept(partition, body):
            raise PanelFailure(FailureKind.UNAVAILABLE, "nothing was sent: the repository did not keep the command")
        return LatestCommand(run=run.id, sends=sends, sent_at=now, version=version + 1)

    async def _is_kept(self, partition: str, body: dict[str, Json]) -> bool:
        document = await self._repository.get_document(COMMANDS, partition)
        return document is not None and document.body == body

    async def conclude(
        self,
        run: RunContext,
        partition: str,
        *,
        verb: str,
        before: PanelReport,
        after: PanelReport,
        reason: str,
        now: int,
    ) -> None:
        """Let the transaction of the outcome keep what the partition is now, who had it so, and why (A1.7, A5.1).

        Args:
            verb: what was done, such as `arm`.
            before: the first report of the attempt.
            after: the latest one.
            reason: one sentence.
        """
        run.keep(AppendJournal(AUDIT, _audit(run, partition, verb, before, after, reason), now))
        if after.state in (Reported.UNKNOWN, Reported.UNAVAILABLE):
            return  # what it was last is still the best that is known (A2.2)
        document = await self._repository.get_document(PARTITIONS, partition)
        version = 0 if document is None else document.version
        run.keep(PutDocument(PARTITIONS, partition, version, _last_report(run, after, now)))


def _audit(
    run: RunContext, partition: str, verb: str, before: PanelReport, after: PanelReport, reason: str
) -> dict[str, Json]:
    entry = _Entry(
        actor=f"schedule:{run.schedule}",
        origin=parse_run_id(run.id)[2],
        partition=partition,
        verb=verb,
        before=before.state,
        after=after.state,
        reason=reason,
        correlation=run.id,
    )
    return to_json(entry)


def _last_report(run: RunContext, report: PanelReport, now: int) -> dict[str, Json]:
    last = _LastReport(
        reported=report.state,
        since_at=report.since_at,
        changed_by=report.changed_by,
        open_zones=report.open_zones,
        read_at=now,
        run=run.id,
    )
    return to_json(last)


def _unreadable(lines: tuple[str, ...]) -> PanelFailure:
    return PanelFailure(FailureKind.UNAVAILABLE, "; ".join(lines))
