"""An errand: one attempt of a scheduled run, from what is known before it to what its end means (A2, A3).

What to send is decided by `recovery` and `verify`, and carried out by `pursuit`. Here is what only a run has:
people who may have been faster, or asked to be left alone, and must be told; and an end that is kept with its own.
"""

from __future__ import annotations

from typing import Final, assert_never

import attrs

from trioarm.arming.alerts import (
    ADVICE,
    PASSING,
    AlertKind,
    failed,
    late_arm,
    overridden,
    passing_with,
    subject_of,
    unreachable,
)
from trioarm.arming.compile import apply_within_s
from trioarm.arming.holds import Holds
from trioarm.arming.ledger import LatestCommand
from trioarm.arming.line import NotAsked
from trioarm.arming.model import Target
from trioarm.arming.panels.base import OURSELVES, UNREAD, FailureKind, PanelFailure, PanelReport
from trioarm.arming.pursuit import Pursuit, Way
from trioarm.arming.recovery import GiveWay, Past, step_after
from trioarm.arming.verify import Done, Fail, KeepTurn, Limits, NextStep, Send, Sent, Wait
from trioarm.core.alerts import Alert, raising
from trioarm.core.errors import UnknownAlert
from trioarm.core.instants import MINUTE, instant, microseconds
from trioarm.core.outcome import Discard, Override, Retry, Snooze
from trioarm.core.states import Reason
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext

LATE_WARNING: Final = MINUTE  # between the warning of a late arm and its first command (A2.3)


@attrs.frozen(slots=True, kw_only=True)
class Rules:
    """What the premises say of every run.

    Args:
        late_disarm_s: how late a disarm may be carried out.
        on_time_s: how late an occurrence still counts as on time, where its schedule does not say.
    """

    late_disarm_s: float
    on_time_s: float


class Errand(Pursuit):
    """One attempt of a run.

    Args:
        run: the run.
        way: to its partition.
        target: what the partition is to become.
        rules: what the premises say.
        holds: what people asked to be left alone.
        alerts: what was raised for the run before.
    """

    def __init__(
        self, run: RunContext, way: Way, target: Target, rules: Rules, holds: Holds, alerts: AlertCommands
    ) -> None:
        partition, now = way.partition, way.clock.look()
        self._due_at = instant(run.starts_at)
        limits = Limits(
            begun_at=now,
            exit_delay=microseconds(0.0 if target is Target.DISARMED else partition.panel.exit_delay_s),
            confirm=microseconds(partition.confirm_s),
            apply_until=self._due_at + microseconds(apply_within_s(target, rules.late_disarm_s)),
        )
        super().__init__(way, target, OURSELVES, limits)
        on_time_s = rules.on_time_s if run.tolerance_s is None else run.tolerance_s
        self._late = now > self._due_at + microseconds(on_time_s)
        self._past = Past(due_at=self._due_at, late=self._late, last=None)
        self._run = run
        self._latest = LatestCommand()
        self._holds = holds
        self._alerts = alerts

    async def begin(self) -> None:
        """Find out what is known of the run and its partition.

        Raises:
            PanelFailure: `unavailable`, because what was sent for it cannot be told.
        """
        ledger, partition = self.way.ledger, self.way.partition.name
        self._latest = await ledger.latest_command(partition)
        self.sent = self._latest.sent_for(self._run.id)
        if not self._late:
            return
        self._past = attrs.evolve(self._past, last=await ledger.last_seen(partition, self._due_at))
        if self.target is not Target.DISARMED:
            opening_at = await ledger.next_opening(partition, self._due_at)
            if opening_at is not None and opening_at < self.limits.apply_until:
                self.limits = attrs.evolve(self.limits, apply_until=opening_at)

    async def read(self) -> PanelReport:
        """Ask the panel what the partition is now.

        A run asks at least once, whoever was left without an answer before; it is its retries that leave a panel alone
        which does not answer.

        Raises:
            PanelFailure: it is `unavailable`; `NotAsked`, because it is left alone.
        """
        if self.report is None and self._run.attempt > 1:
            self.way.line.leave_alone(self.way.partition.name, self.way.clock.look(), self.limits.apply_until)
        return await super().read()

    async def judge(self, report: PanelReport, now: int, free_at: int) -> NextStep:
        """Return what to do after a fresh read.

        Raises:
            Override: somebody was faster, or holds the partition.
            Snooze: people have to be warned first.
        """
        step = step_after(report, self.target, self.sent, self.limits, now, free_at, self._past)
        match step:
            case GiveWay(message):
                raise await self._give_way(Reason.PERSON, message)
            case Send() | KeepTurn():
                await self._respect_holds()
                await self._warn_first(now)
                return step
            case Done() | Wait() | Fail():
                return step
            case _:
                assert_never(step)

    async def announce(self, now: int) -> Sent:
        """Keep that one more command is about to be sent (A3.1)."""
        self._latest = await self.way.ledger.announce(
            self._run, self.way.partition.name, self.target, self.sent.sends + 1, now, self._latest.version
        )
        return self._latest.sent_for(self._run.id)

    # What stands against a command

    async def _respect_holds(self) -> None:
        hold = await self._holds.covering(self.way.partition)
        if hold is not None:
            raise await self._give_way(Reason.HOLD, hold.describe())

    async def _warn_first(self, now: int) -> None:
        """See to it that people were warned of a late arm, and had the time to leave (A2.3).

        The alert itself says when that was: a crash in between neither warns twice nor lets it be armed earlier.
        """
        if not self._late or self.target is Target.DISARMED:
            return
        name = self._run.alert_id(self._subject, AlertKind.LATE_ARM)
        try:
            warned = await self._alerts.get(name)
        except UnknownAlert:
            send_at = now + LATE_WARNING
            self._raise(late_arm(self.way.partition.name, self.target, self._due_at, send_at, now))
            raise Snooze(send_at, "people are warned first") from None
        if warned.alert is None:
            message = f"nobody can tell whether people were warned: {warned.problem}"
            raise PanelFailure(FailureKind.UNAVAILABLE, message)
        send_at = warned.alert.raised_at + LATE_WARNING
        if now < send_at:
            raise Snooze(send_at, "people are warned first")

    # How it ends

    async def succeed(self, report: PanelReport) -> None:
        """Keep that the panel reports the target, and end the alerts that complained that it did not."""
        sent = f"{self.sent.sends} sent" if self.sent.sends else f"it was {report.state} already"
        lost = "; the node that held the run before is gone" if self._run.is_recovery else ""
        await self._conclude("", sent + lost)
        await self._alerts.settle(self._subject, self.target, by=self._actor, passing=passing_with(self.target))

    async def give_up(self, failure: PanelFailure) -> Discard | Retry | Snooze | Override:
        """Return what a failure means for the run: another attempt while there is hope, else its end (A3.3).

        An attempt that left its panel alone was none, and is put off, so that it is not counted.
        """
        name, now = self.way.partition.name, self.way.clock.look()
        text = f"{name} did not become {self.target}: {failure}"
        if failure.kind is FailureKind.UNAVAILABLE:
            if not self.sent.sends and (hold := await self._holds.covering(self.way.partition)) is not None:
                return await self._give_way(Reason.HOLD, hold.describe())
            if now <= self.limits.apply_until:
                await self._say_unreachable(failure, now)
                return Snooze(failure.until_at, text) if isinstance(failure, NotAsked) else Retry(text)
            failure = PanelFailure(FailureKind.TOO_LATE, str(failure))
        alert = failed(
            name,
            self.target,
            failure,
            attempts=self._run.attempt,
            sends=self.sent.sends,
            last=self.report or UNREAD,
            now=now,
        )
        self._raise(alert)
        await self._conclude("_failed", f"{failure.kind}: {failure}")
        await self._end_passing_alerts()
        return Discard(f"{text}; {ADVICE[failure.kind]}")

    async def _give_way(self, reason: Reason, message: str) -> Override:
        name, last = self.way.partition.name, (self.report or UNREAD).state
        self._raise(overridden(name, self.target, message, last, self.way.clock.look()))
        await self._conclude("_overridden", message)
        await self._end_passing_alerts()
        return Override(f"{name} was not made {self.target}: {message}", reason=reason)

    async def _say_unreachable(self, failure: PanelFailure, now: int) -> None:
        """Raise the alert of a panel out of reach, once per run."""
        try:
            await self._alerts.get(self._run.alert_id(self._subject, AlertKind.UNREACHABLE))
        except UnknownAlert:
            self._raise(unreachable(self.way.partition.name, self.target, str(failure), self.limits.apply_until, now))

    async def _end_passing_alerts(self) -> None:
        for kind in PASSING:
            await self._alerts.settle_one(
                self._run.alert_id(self._subject, kind), by=self._actor, note="the run has ended"
            )

    async def _conclude(self, ending: str, reason: str) -> None:
        await self.way.ledger.conclude(
            self._run,
            self.way.partition.name,
            verb=verb_of(self.target) + ending,
            before=self.first or UNREAD,
            after=self.report or UNREAD,
            reason=reason,
            now=self.way.clock.look(),
        )

    def _raise(self, alert: Alert) -> None:
        named = attrs.evolve(alert, run=self._run.id)
        self._run.keep(raising(self._run.alert_id(alert.subject, alert.kind), named))

    @property
    def _subject(self) -> str:
        return subject_of(self.way.partition.name)

    @property
    def _actor(self) -> str:
        return f"schedule:{self._run.schedule}"


def verb_of(target: Target) -> str:
    """Return what the audit calls an attempt to reach a target."""
    return "disarm" if target is Target.DISARMED else "arm"
