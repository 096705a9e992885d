"""What arming keeps in the repository: what is about to be sent, what a partition was last, the audit (A3.1, A5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import attrs

from trioarm.arming.announced import was_announced
from trioarm.arming.audit import DONE, LEFT, SCHEDULE, AuditEntry, appended
from trioarm.arming.commanding.recovery import LastSeen
from trioarm.arming.commanding.verify import Sent
from trioarm.arming.compile import LANE
from trioarm.arming.model import HANDLER, Reported, Target
from trioarm.arming.panels.base import FailureKind, OwnCommand, PanelFailure, PanelReport
from trioarm.arming.timeline import next_opening
from trioarm.arming.watch import Known, Watched, latest
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import InvalidInstant, RepositoryError, UnknownRun
from trioarm.core.instants import EARLIEST, instant, parse_instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import PAGE_MAX, RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.run import parse_run_id
from trioarm.core.states import Reason
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.rivals import TRIES

COMMANDS: Final = "command"  # documents by partition: the latest command of each that a schedule sent
BY_PERSONS: Final = "person_command"  # likewise, the latest that a person had sent
WATCHED: Final = "watched"  # documents by partition: how it was found between commands
BEFORE_MAX: Final = 100  # runs among which the one before is looked for
PARTITIONS: Final = "partition"  # documents by partition: what it last reported to a finished run or a person


@attrs.frozen(slots=True, kw_only=True)
class LatestCommand:
    """The latest command that a partition was sent, or was about to be when the node stopped.

    Args:
        run: readable id of the run it was for; None when there was none.
        target: what the partition was told to become.
        sends: how many commands that run has sent.
        sent_at: when; microseconds since 1970 UTC.
        version: of the document; 0 when there is none.
    """

    run: str | None = None
    target: Target | None = None
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
class PersonsCommand:
    """The body of a document in `BY_PERSONS`: what somebody is about to have sent."""

    by: str
    target: Target
    sent_at: int


@attrs.frozen(slots=True, kw_only=True)
class LastReport:
    """The body of a document in `PARTITIONS`: what a partition was when a run of it, or a person, was done with it.

    Args:
        reported: what it was.
        since_at: since when, as the panel says.
        changed_by: who made it so, likewise.
        open_zones: by name.
        read_at: when the panel said so.
        run: what is behind it: readable id of the run, or the name of what a person did.
        confirmed: what a schedule has made of it, as the panel itself said; None when it was somebody else.
    """

    reported: Reported
    since_at: int | None
    changed_by: str | None
    open_zones: tuple[str, ...]
    read_at: int
    run: str
    confirmed: Target | None = None


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
        return LatestCommand(
            run=said.run, target=said.target, sends=said.sends, sent_at=said.sent_at, version=document.version
        )

    async def commanded_at(self, partition: str) -> list[int]:
        """Return when a partition was last sent commands, by schedules and by people."""
        found = []
        for namespace in (COMMANDS, BY_PERSONS):
            document = await self._repository.get_document(namespace, partition)
            with suppress(InvalidInstant):
                if document is not None:
                    found.append(parse_instant(str(document.body.get("sent_at"))))
        return found

    async def own_command(self, partition: str) -> OwnCommand | None:
        """Return the latest command of a partition, of a schedule or a person; None when there was none.

        What cannot be understood is as good as none here: whoever is about to send looks at it again.
        """
        sent: dict[int, Target] = {}
        for namespace in (COMMANDS, BY_PERSONS):
            document = await self._repository.get_document(namespace, partition)
            with suppress(InvalidInstant, ValueError):
                if document is not None:
                    sent[parse_instant(str(document.body.get("sent_at")))] = Target(str(document.body.get("target")))
        if not sent:
            return None
        sent_at = max(sent)
        return OwnCommand(
            target=sent[sent_at], sent_at=sent_at, is_confirmed=await self._was_armed(partition, since=sent_at)
        )

    async def who_asked(self, partition: str, state: Reported) -> str | None:
        """Return who had the latest command sent, a person or a schedule, if it asks for this state; else None."""
        found: list[tuple[int, str, str]] = []
        for namespace in (COMMANDS, BY_PERSONS):
            document = await self._repository.get_document(namespace, partition)
            body = {} if document is None else document.body
            with suppress(InvalidInstant, UnknownRun):
                by = body.get("by") or SCHEDULE + parse_run_id(str(body.get("run")))[0]
                found.append((parse_instant(str(body.get("sent_at"))), str(body.get("target")), str(by)))
        _, target, by = max(found, default=(EARLIEST, "", ""))
        return by if target == state.value else None

    async def _was_armed(self, partition: str, since: int) -> bool:
        """Whether a partition was recorded to be armed after an instant."""
        document = await self._repository.get_document(PARTITIONS, partition)
        with suppress(InvalidInstant):
            if document is not None and parse_instant(str(document.body.get("read_at"))) >= since:
                return str(document.body.get("reported")).startswith("armed_")
        return False

    async def last_seen(self, partition: str, due_at: int) -> LastSeen | None:
        """Return what was last recorded of a partition; None when nothing was, or nothing that can be understood.

        Args:
            due_at: what looks found changed after this instant does not count: it is what an occurrence of it has to be
                held against.
        """
        known, watched = await self.known(partition), (await self.watched(partition))[0]
        reported, by = latest(watched, known)
        if watched.seen_at is not None and watched.over == known.version and watched.seen_at > due_at:
            reported, by = watched.before, watched.before_by
        return None if reported is None else LastSeen(reported=reported, changed_by=by)

    async def known(self, partition: str) -> Known:
        """Return what was last done to a partition; nothing where that cannot be understood."""
        found, document = Known(), await self._repository.get_document(PARTITIONS, partition)
        read_at = EARLIEST
        if document is not None:
            found = Known(version=document.version)
            with suppress(PanelFailure):
                body = {"confirmed": None, **document.body}  # which records of older versions do not say
                last = from_json(LastReport, body, f"document {PARTITIONS}/{partition}", _unreadable)
                read_at = last.read_at
                found = Known(
                    version=document.version,
                    reported=last.reported,
                    changed_by=last.changed_by,
                    confirmed=last.confirmed,
                    run=last.run,
                )
        sent_at = max(await self.commanded_at(partition), default=None)
        return found if sent_at is None or sent_at <= read_at else attrs.evolve(found, sent_at=sent_at)

    async def answered_at(self, partition: str) -> int | None:
        """Return when a run or a person was last done with a partition whose panel had answered; None for never."""
        document = await self._repository.get_document(PARTITIONS, partition)
        with suppress(InvalidInstant):
            return None if document is None else parse_instant(str(document.body.get("read_at")))
        return None

    async def watched(self, partition: str) -> tuple[Watched, int]:
        """Return what is kept of the looks at a partition, and the version of that; 0 for nothing.

        What cannot be understood is begun anew.
        """
        document = await self._repository.get_document(WATCHED, partition)
        if document is None:
            return Watched(), 0
        with suppress(PanelFailure):
            what = f"document {WATCHED}/{partition}"
            return from_json(Watched, document.body, what, _unreadable), document.version
        return Watched(), document.version

    async def next_opening(self, partition: str, after: int) -> int | None:
        """Return when the schedules of a partition open it next; None when they do not.

        Paused ones do not count. One that has ended meanwhile does: it may have ended with that very opening.
        """
        states = frozenset({ScheduleState.ACTIVE, ScheduleState.FINISHED})
        query = ScheduleQuery(lane=LANE + partition, handler=HANDLER, states=states, limit=PAGE_MAX)
        page = await self._repository.find_schedules(query)
        return next_opening(page.rows, partition, after)

    async def was_announced(self, run: RunContext) -> bool:
        """Return whether people were warned of the occurrence of a run before it was due."""
        return await was_announced(self._repository, run.schedule, instant(run.nominal_at))

    async def gave_way(self, run: RunContext, partition: str) -> tuple[str, Target] | None:
        """Return the schedule whose occurrence gave way to that of a run, and its target; None where none did.

        It is the one before it of the partition, where they came due together (A2.1), or it was waiting still.
        """
        query = RunQuery(lane=LANE + partition, handler=HANDLER, descending=True, limit=BEFORE_MAX)
        rows, nominal_at = (await self._repository.find_runs(query)).rows, instant(run.nominal_at)
        earlier = [one for one in rows if one.readable_id != run.id and one.nominal_at <= nominal_at]
        last = max(earlier, key=lambda one: one.nominal_at, default=None)
        if last is None or last.reason is not Reason.SUPERSEDED:
            return None
        schedule = last.schedule.schedule
        target = (schedule.args if last.args is None else last.args).get("target")
        return (schedule.name, Target(str(target))) if target in set(Target) else None

    async def announce(
        self,
        run: RunContext,
        partition: str,
        target: Target,
        sends: int,
        now: int,
        version: int,
        also: Sequence[PutDocument] = (),
    ) -> LatestCommand:
        """Keep what is about to be sent: after a crash it is known that it may have been (A3.5).

        Args:
            sends: how many commands that makes for this run.
            version: of the record that the decision to send was made on.
            also: what is kept with it, in one transaction.

        Raises:
            PanelFailure: `unavailable`, because it is not certain to be kept, or another node was faster: look again.
        """
        body = to_json(_Command(run=run.id, target=target, sends=sends, sent_at=now, token=run.token))
        documents = [PutDocument(COMMANDS, partition, version, body), *also]
        verdicts = await self._repository.commit([Change(documents=documents)])
        if verdicts != [Verdict.DONE] and not await self._is_kept(partition, body):
            raise PanelFailure(FailureKind.UNAVAILABLE, "nothing was sent: the repository did not keep the command")
        return LatestCommand(run=run.id, target=target, sends=sends, sent_at=now, version=version + 1)

    async def announce_for_person(self, partition: str, command: PersonsCommand) -> None:
        """Keep what somebody is about to have sent.

        Raises:
            PanelFailure: `unavailable`, because it is not certain to be kept, or somebody else was faster.
        """
        document = await self._repository.get_document(BY_PERSONS, partition)
        put = PutDocument(BY_PERSONS, partition, 0 if document is None else document.version, to_json(command))
        if await self._repository.commit([Change(documents=[put])]) != [Verdict.DONE]:
            message = "nothing was sent: somebody else commands it at this moment, or the repository did not keep it"
            raise PanelFailure(FailureKind.UNAVAILABLE, message)

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

        What was left as it is stays on record as it was: whatever was done to it before still holds.

        Args:
            verb: what was done, such as `arm`.
            before: the first report of the attempt.
            after: the latest one.
            reason: one sentence.
        """
        entry = AuditEntry(
            actor=f"{SCHEDULE}{run.schedule}",
            origin=parse_run_id(run.id)[2],
            partition=partition,
            verb=verb,
            before=before.state,
            after=after.state,
            reason=reason,
            correlation=run.id,
        )
        run.keep(appended(entry, now))
        if verb.endswith(LEFT):
            return
        confirmed = Target(after.state) if verb in DONE and after.state.value in set(Target) else None
        if (put := await self._last_report(run.id, partition, after, now, confirmed)) is not None:
            run.keep(put)

    async def conclude_for_person(
        self, by: str, partition: str, *, verb: str, before: PanelReport, after: PanelReport, reason: str, now: int
    ) -> None:
        """Keep what a person did to a partition, and what it is now.

        Args:
            verb: what was done, such as `arm`.
            before: the first report.
            after: the latest one.
            reason: one sentence.

        Raises:
            RepositoryError: it is not certain to be kept.
        """
        correlation = f"{partition}@{render_instant(now)}"
        entry = AuditEntry(
            actor=by,
            partition=partition,
            verb=verb,
            before=before.state,
            after=after.state,
            reason=reason,
            correlation=correlation,
        )
        for _ in range(TRIES):
            put = await self._last_report(correlation, partition, after, now)
            change = Change(documents=[] if put is None else [put], journal=[appended(entry, now)])
            [verdict] = await self._repository.commit([change])
            if verdict is Verdict.DONE:
                return
            if verdict is Verdict.UNKNOWN:
                break
        raise RepositoryError(f"{partition}: what {by} did is not certain to be in the journal: look at it there")

    async def _last_report(
        self, cause: str, partition: str, report: PanelReport, now: int, confirmed: Target | None = None
    ) -> PutDocument | None:
        if report.state in (Reported.UNKNOWN, Reported.UNAVAILABLE):
            return None  # what it was last is still the best that is known (A2.2)
        document = await self._repository.get_document(PARTITIONS, partition)
        body = _report_body(cause, report, now, confirmed)
        return PutDocument(PARTITIONS, partition, 0 if document is None else document.version, body)


def _report_body(cause: str, report: PanelReport, now: int, confirmed: Target | None) -> dict[str, Json]:
    last = LastReport(
        reported=report.state,
        since_at=report.since_at,
        changed_by=report.changed_by,
        open_zones=report.open_zones,
        read_at=now,
        run=cause,
        confirmed=confirmed,
    )
    return to_json(last)


def _unreadable(lines: tuple[str, ...]) -> PanelFailure:
    return PanelFailure(FailureKind.UNAVAILABLE, "; ".join(lines))
