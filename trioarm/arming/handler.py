"""The handler `arm`: carries one occurrence out, and succeeds only once the panel itself says so (A3.1).

It reads, sends and waits. What comes next is decided by `verify`, from each fresh report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from trioarm.arming.compile import apply_within_s
from trioarm.arming.ledger import LatestCommand, Ledger
from trioarm.arming.model import Partition, Premises, Target
from trioarm.arming.panels.base import UNREAD, FailureKind, Panel, PanelFailure, PanelReport
from trioarm.arming.secrets import SecretUnreadable, read_code
from trioarm.arming.verify import Done, Fail, KeepTurn, Limits, NextStep, Send, Sent, Wait, is_progress, next_step
from trioarm.core.instants import instant, microseconds
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard, Retry
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository

WHAT_TO_DO: Final = {
    FailureKind.REJECTED: "remove the cause, then retry the run",
    FailureKind.BLOCKED: "close them, then retry the run",
    FailureKind.TIMEOUT: "look at the panel, then retry the run",
    FailureKind.REVERTED: "retry the run if that was not meant",
    FailureKind.IN_ALARM: "see to the alarm first",
    FailureKind.TOO_LATE: "do it by hand if it is still wanted",
    FailureKind.UNRECORDED: "do it by hand if it is still wanted",
}


@attrs.define(slots=True, eq=False)
class Line:
    """The way to one physical panel, which its partitions take in turn (A3.8).

    Args:
        turn: held from the read that decides to send until the command is sent.
        sent_at: when the panel was last sent a command; None when it was not since this node began.
    """

    turn: trio.Lock = attrs.Factory(trio.Lock)
    sent_at: int | None = None


@attrs.define(slots=True, eq=False)
class Errand:
    """One attempt: what is to be done, and what is known so far.

    Args:
        latest: the partition's latest command, of this run or an earlier one.
        first: the first report of the attempt; None before it.
        report: the latest report.
    """

    run: RunContext
    partition: Partition
    target: Target
    panel: Panel
    line: Line
    limits: Limits
    latest: LatestCommand
    sent: Sent
    first: PanelReport | None = None
    report: PanelReport | None = None


class ArmHandler:
    """Carries out the occurrences of all partitions.

    Args:
        premises: partitions and limits.
        panels: drivers by partition.
        repository: where commands are stored before they are sent.
        clock: what limits and waits count by.
    """

    def __init__(
        self, premises: Premises, panels: Mapping[str, Panel], repository: ScheduleRepository, clock: Clock
    ) -> None:
        self._premises = premises
        self._panels = panels
        self._ledger = Ledger(repository)
        self._clock = clock
        self._lines = {panel.name: Line() for panel in panels.values()}

    async def arm(self, run: RunContext) -> Json:
        """Bring the partition `args.partition` to `args.target`, and verify that it is there.

        Returns:
            the partition, what it reports, and how many commands that took.

        Raises:
            Discard: it cannot be done; the message names the cause and what to do.
            Retry: the panel cannot be reached; the run is tried again for as long as it may be carried out.

        Cancellation: at any checkpoint. A command that was announced may have been sent; the next attempt reads first.
        """
        partition, target = self._meant(run)
        try:
            errand = await self._begin(run, partition, target)
        except PanelFailure as failure:
            raise Retry(f"{partition.name}: {failure}") from failure
        try:
            report = await self._carry_out(errand)
        except PanelFailure as failure:
            raise await self._give_up(errand, failure) from failure
        nothing_sent = f"it was {report.state} already"
        await self._conclude(errand, _verb(target), f"{errand.sent.sends} sent" if errand.sent.sends else nothing_sent)
        return {"partition": partition.name, "reported": report.state.value, "sends": errand.sent.sends}

    def _meant(self, run: RunContext) -> tuple[Partition, Target]:
        name, word = run.args.get("partition"), run.args.get("target")
        partition = self._premises.partitions.get(name) if isinstance(name, str) else None
        if partition is None:
            raise Discard(f"there is no partition {name!r}: add it, or remove the schedule {run.schedule}")
        if not isinstance(word, str) or word not in {target.value for target in Target}:
            raise Discard(f"{partition.name} cannot become {word!r}: a target is one of {', '.join(Target)}")
        target = Target(word)
        if target is Target.DISARMED and not partition.allow_disarm:
            raise Discard(f"{partition.name} may not be disarmed by schedules: set allow_disarm = true if it may")
        return partition, target

    async def _begin(self, run: RunContext, partition: Partition, target: Target) -> Errand:
        latest = await self._ledger.latest_command(partition.name)
        within_s = apply_within_s(target, self._premises.late_disarm_s)
        exit_delay_s = 0.0 if target is Target.DISARMED else partition.panel.exit_delay_s
        limits = Limits(
            begun_at=self._clock.now(),
            exit_delay=microseconds(exit_delay_s),
            confirm=microseconds(partition.confirm_s),
            apply_until=instant(run.nominal_at) + microseconds(within_s),
        )
        panel = self._panels[partition.name]
        return Errand(run, partition, target, panel, self._lines[panel.name], limits, latest, latest.sent_for(run.id))

    async def _carry_out(self, errand: Errand) -> PanelReport:
        """Take step after step until the panel reports the target.

        Raises:
            PanelFailure: it will not, in this attempt.
        """
        while True:
            report, step = await self._look(errand)
            match step:
                case Done():
                    return report
                case Fail(kind, message, zones):
                    raise PanelFailure(kind, message, zones)
                case Wait(until):
                    await self._nap(errand.panel, until)
                case Send() | KeepTurn():
                    await self._take_turn(errand)

    async def _look(self, errand: Errand) -> tuple[PanelReport, NextStep]:
        """Read the panel and decide."""
        report = await errand.panel.read_state()
        errand.first = errand.first or report
        errand.report = report
        if errand.sent.sends and is_progress(report, errand.target):
            errand.sent = attrs.evolve(errand.sent, progressed=True)
        now = self._clock.now()
        return report, next_step(report, errand.target, errand.sent, errand.limits, now, _free_at(errand, now))

    async def _take_turn(self, errand: Errand) -> None:
        """Send when it is this partition's turn, if a fresh read still says so then (A3.2, A3.8)."""
        async with errand.line.turn:
            while True:
                _, step = await self._look(errand)
                match step:
                    case KeepTurn(until):
                        await self._nap(errand.panel, until)
                    case Send():
                        return await self._send(errand)
                    case _:
                        return None

    async def _send(self, errand: Errand) -> None:
        """Store what is about to be sent, then send it (A3.1)."""
        code = _code(errand.partition)
        now, sends = self._clock.now(), errand.sent.sends + 1
        errand.latest = await self._ledger.announce(
            errand.run, errand.partition.name, errand.target, sends, now, errand.latest.version
        )
        errand.sent = errand.latest.sent_for(errand.run.id)
        errand.line.sent_at = now
        await errand.panel.command(errand.target, code)

    async def _nap(self, panel: Panel, until: int) -> None:
        """Wait for an instant, or for news of the panel. A nap may end early: who took it reads and decides again."""
        with self._clock.nap_until(until):
            await panel.changed()

    async def _give_up(self, errand: Errand, failure: PanelFailure) -> Discard | Retry:
        """Return what a failure means for the run: another attempt while there is hope, else its end (A3.3)."""
        text = f"{errand.partition.name} did not become {errand.target}: {failure}"
        kind = failure.kind
        if kind is FailureKind.UNAVAILABLE:
            if self._clock.now() <= errand.limits.apply_until:
                return Retry(text)
            kind = FailureKind.TOO_LATE
        await self._conclude(errand, f"{_verb(errand.target)}_failed", f"{failure.kind}: {failure}")
        return Discard(f"{text}; {WHAT_TO_DO[kind]}")

    async def _conclude(self, errand: Errand, verb: str, reason: str) -> None:
        await self._ledger.conclude(
            errand.run,
            errand.partition.name,
            verb=verb,
            before=errand.first or UNREAD,
            after=errand.report or UNREAD,
            reason=reason,
            now=self._clock.now(),
        )


def _free_at(errand: Errand, now: int) -> int:
    """Return when the physical panel takes its next command; a command the clock was set back behind counts no more."""
    sent = [at for at in (errand.line.sent_at, errand.latest.sent_at) if at is not None and at <= now]
    return max(sent) + microseconds(errand.partition.min_gap_s) if sent else now


def _verb(target: Target) -> str:
    return "disarm" if target is Target.DISARMED else "arm"


def _code(partition: Partition) -> str | None:
    """Return the code a command needs, at the moment it does (A5.2)."""
    ref = partition.code or partition.panel.code
    if ref is None:
        return None
    try:
        return read_code(ref)
    except SecretUnreadable as error:
        raise PanelFailure(FailureKind.REJECTED, f"nothing was sent, the code cannot be read: {error}") from error
