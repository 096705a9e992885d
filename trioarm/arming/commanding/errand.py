"""An errand: one attempt of a scheduled run, from what is known before it to what its end means (A2, A3).

What to send is decided by `recovery` and `verify`, and carried out by `pursuit`. Here is what only a run has:
people who may have been faster, or asked to be left alone, and must be told; and an end that is kept with its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, assert_never

import attrs

from trioarm.arming.alerts import (
    PASSING,
    AlertKind,
    condition_unknown,
    failed,
    late_arm,
    neither,
    overridden,
    passing_with,
    subject_of,
    unreachable,
)
from trioarm.arming.announced import correcting
from trioarm.arming.audit import LEFT
from trioarm.arming.commanding.line import NotAsked
from trioarm.arming.commanding.pursuit import Pursuit, Way
from trioarm.arming.commanding.recovery import GiveWay, Past, step_after
from trioarm.arming.commanding.verify import Done, Fail, KeepTurn, Limits, NextStep, Send, Sent, Wait
from trioarm.arming.compile import apply_within_s
from trioarm.arming.conditions.asking import Conditions
from trioarm.arming.conditions.settings import Depends
from trioarm.arming.conditions.verdict import Await, Block, Leave, Proceed, verdict
from trioarm.arming.holds import Holds
from trioarm.arming.ledger import LatestCommand
from trioarm.arming.model import Target
from trioarm.arming.panels.base import OURSELVES, UNREAD, FailureKind, PanelFailure, PanelReport
from trioarm.core.alerts import Alert, raising
from trioarm.core.errors import UnknownAlert
from trioarm.core.instants import MINUTE, SECOND, instant, microseconds
from trioarm.core.outcome import Discard, Override, Retry, Snooze
from trioarm.core.states import Reason
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext

LATE_WARNING: Final = MINUTE  # between the warning of a late arm and its first command (A2.3)
WAIT_MIN: Final = 15 * SECOND  # between two looks at conditions that nobody could tell
WAIT_MAX: Final = 3 * MINUTE  # likewise, a tenth of the time since it was due: at most 550 looks in a day
FRESH: Final = 2 * SECOND  # that conditions may take to answer; after that the panel is read again


@attrs.frozen(slots=True, kw_only=True)
class Terms:
    """What a run is to do.

    Args:
        target: what its partition is to become.
        depends: on which conditions; None for none.
        conditions: whom they are asked of.
    """

    target: Target
    depends: Depends | None
    conditions: Conditions


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
        terms: what it is to do.
        rules: what the premises say.
        holds: what people asked to be left alone.
        alerts: what was raised for the run before.
    """

    def __init__(
        self, run: RunContext, way: Way, terms: Terms, rules: Rules, holds: Holds, alerts: AlertCommands
    ) -> None:
        partition, now, target = way.partition, way.clock.look(), terms.target
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
        self._terms = terms
        self._consent: Proceed | None = None  # what conditions said last; None before, and where there are none
        self._latest = LatestCommand()
        said = run.last_progress
        self._said = said if isinstance(said, str) else ""  # why the last command was not taken; empty where it was
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
        if self.sent.sends and self._latest.target is not None:
            self.target = self._latest.target  # which conditions may have changed
        if not self._late:
            return
        self._past = attrs.evolve(self._past, last=await ledger.last_seen(partition, self._due_at))
        await self._end_with_opening()

    async def _end_with_opening(self) -> None:
        """Let what arms not be sent beyond the partition's next opening (A2.3)."""
        if self.target is Target.DISARMED:
            return
        opening_at = await self.way.ledger.next_opening(self.way.partition.name, self._due_at)
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
            Snooze: people have to be warned first, or nobody can tell its conditions.
            PanelFailure: `uncertain`: nobody can tell them, and that blocks it.
        """
        step = await self._step(report, now, free_at)
        if isinstance(step, Done | Wait) or (isinstance(step, Fail) and step.kind is not FailureKind.BLOCKED):
            return step
        await self._respect_holds()
        if self._terms.depends is not None:
            await self._heed(self._terms.depends, now)
            if self.way.clock.look() - now > FRESH and await self.way.read_state() != report:
                return Wait(now)  # somebody was there meanwhile
            step = await self._step(report, now, free_at)
        if isinstance(step, Send | KeepTurn):
            await self._warn_first(now)
        return step

    async def _step(self, report: PanelReport, now: int, free_at: int) -> NextStep:
        step = step_after(report, self.target, self.sent, self.limits, now, free_at, self._past)
        match step:
            case GiveWay(message):
                raise await self._give_way(Reason.PERSON, message)
            case Send() | KeepTurn() | Done() | Wait() | Fail():
                return step
            case _:
                assert_never(step)

    async def announce(self, now: int) -> Sent:
        """Keep that one more command is about to be sent (A3.1)."""
        self._latest = await self.way.ledger.announce(
            self._run,
            self.way.partition.name,
            self.target,
            self.sent.sends + 1,
            now,
            self._latest.version,
            [raising(name, alert) for name, alert in await self._to_be_told(now)],
        )
        return self._latest.sent_for(self._run.id)

    async def command(self, code: str | None) -> None:
        """Send it, and remember what the panel said against it: other attempts have to tell."""
        try:
            await super().command(code)
        except PanelFailure as failure:
            self._run.progress(str(failure))
            raise
        if self._said:
            self._said = ""
            self._run.progress("")

    # What stands against a command

    async def _respect_holds(self) -> None:
        hold = await self._holds.covering(self.way.partition)
        if hold is not None:
            raise await self._give_way(Reason.HOLD, hold.describe())

    async def _heed(self, depends: Depends, now: int) -> None:
        """Ask what it depends on, and aim at what follows from that (A4.5).

        Raises:
            Override: a condition says no.
            Snooze: nobody can tell, and it waits.
            PanelFailure: `uncertain`: nobody can tell, and that blocks it, or it has waited as long as it may.
        """
        answers = await self._terms.conditions.ask(depends.names)
        match verdict(depends, self._terms.target, answers):
            case Proceed() as consent:
                self._consent, self.target = consent, consent.target
            case Leave(why):
                raise await self._leave(why)
            case Block(why):
                raise PanelFailure(FailureKind.UNCERTAIN, f"{why}, so nothing was sent")
            case Await(why):
                await self._end_with_opening()
                look_at = now + min(WAIT_MAX, max(WAIT_MIN, (now - self._due_at) // 10))
                if look_at >= self.limits.apply_until:
                    raise PanelFailure(FailureKind.UNCERTAIN, f"{why}, and that for as long as it might have been done")
                await self._raise_once(self._unknown(why, now, until=self.limits.apply_until))
                raise Snooze(look_at, why)

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

    # What people are told of conditions

    async def _to_be_told(self, now: int) -> list[tuple[str, Alert]]:
        """Return the alerts that go with a command: it is not what was announced, or nobody knows whether it should be.

        Each is raised once, however often is sent.
        """
        found, consent = list[tuple[str, Alert]](), self._consent
        if consent is not None and not consent.is_sure:
            found.append(self._named(self._unknown(consent.why, now, until=None)))
        announced = None if consent is None else await self._announced_target()
        if consent is not None and announced not in (None, self.target):
            found.append(
                self._correction(f"it becomes {self.target}, not {announced} as announced: {consent.why}", now)
            )
        return [(name, alert) for name, alert in found if not await self._is_raised(name)]

    def _unknown(self, why: str, now: int, *, until: int | None) -> Alert:
        return condition_unknown(self.way.partition.name, self.target, why, now, until=until)

    def _correction(self, text: str, now: int) -> tuple[str, Alert]:
        run, nominal_at = self._run, instant(self._run.nominal_at)
        return correcting(self.way.partition.name, run.schedule, nominal_at, text, at=0, run=run.id, now=now)

    async def _announced_target(self) -> Target | None:
        """Return what people were told the partition becomes; None where they were told nothing."""
        with suppress(UnknownAlert):
            late = await self._alerts.get(self._run.alert_id(self._subject, AlertKind.LATE_ARM))
            if late.alert is not None and late.alert.settled_by is not None:
                return Target(late.alert.settled_by)
        return self._terms.target if await self.way.ledger.was_announced(self._run) else None

    async def _is_raised(self, name: str) -> bool:
        with suppress(UnknownAlert):
            await self._alerts.get(name)
            return True
        return False

    # How it ends

    async def succeed(self, report: PanelReport) -> None:
        """Keep that the panel reports the target, and end the alerts that complained that it did not."""
        sent = f"{self.sent.sends} sent" if self.sent.sends else f"it was {report.state} already"
        lost = "; the node that held the run before is gone" if self._run.is_recovery else ""
        await self._conclude("", sent + lost + self._by_consent())
        for target in dict.fromkeys((self.target, self._terms.target)):  # what it became instead is as good
            await self._alerts.settle(self._subject, target, by=self._actor, passing=passing_with(target))

    async def give_up(self, failure: PanelFailure) -> Discard | Retry | Snooze | Override:
        """Return what a failure means for the run: another attempt while there is hope, else its end (A3.3).

        An attempt that left its panel alone was none, and is put off, so that it is not counted.
        """
        name, now = self.way.partition.name, self.way.clock.look()
        if failure.kind is FailureKind.TIMEOUT and self._said:
            failure = PanelFailure(failure.kind, f"{failure}; to the last one it had said: {self._said}")
        text = f"{name} did not become {self.target}: {failure}"
        if failure.kind is FailureKind.UNAVAILABLE:
            if not self.sent.sends and (hold := await self._holds.covering(self.way.partition)) is not None:
                return await self._give_way(Reason.HOLD, hold.describe())
            if not self.sent.sends and (why := await self._refusal()) is not None:
                return await self._leave(why)
            if now <= self.limits.apply_until:
                await self._raise_once(unreachable(name, self.target, str(failure), self.limits.apply_until, now))
                return self._put_off(failure, text, now) if isinstance(failure, NotAsked) else Retry(text)
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
        return Discard(f"{text}; {alert.advice}")

    def _put_off(self, failure: NotAsked, text: str, now: int) -> Snooze:
        """Return for how long it asks nothing: not at all if its panel was heard of since."""
        is_back = self.way.line.left_alone_since(now) is None
        return Snooze(now if is_back else failure.until_at, text)

    async def _give_way(self, reason: Reason, message: str) -> Override:
        name, last = self.way.partition.name, (self.report or UNREAD).state
        self._raise(overridden(name, self.target, message, last, self.way.clock.look()))
        await self._conclude("_overridden", message)
        await self._end_passing_alerts()
        return Override(f"{name} was not made {self.target}: {message}", reason=reason)

    async def _leave(self, why: str) -> Override:
        """Leave the partition as it is, because a condition says so.

        Nobody is told but who was told otherwise; and of what gave way to it after downtime, and is not done either.
        """
        name, target, now = self.way.partition.name, self._terms.target, self.way.clock.look()
        last, before = (self.report or UNREAD).state, await self.way.ledger.gave_way(self._run, name)
        if before is not None and last.value != before[1].value:
            self._raise(neither(name, target, why, *before, last, now))
        if await self._announced_target() is not None:
            correction, alert = self._correction(f"it does not become {target} as announced: {why}", now)
            if not await self._is_raised(correction):
                self._run.keep(raising(correction, alert))
        await self._conclude(LEFT, why)
        await self._end_passing_alerts()
        return Override(f"{name} was not made {target}: {why}", reason=Reason.CONDITION)

    async def _refusal(self) -> str | None:
        """Return which condition says no, whatever the panel may be; None where none does for certain."""
        depends = self._terms.depends
        if depends is None:
            return None
        found = verdict(depends, self._terms.target, await self._terms.conditions.ask(depends.names))
        return found.why if isinstance(found, Leave) else None

    def _by_consent(self) -> str:
        """Return what conditions said, for the audit."""
        if self.target is self._terms.target:
            return "" if self._consent is None else f"; {self._consent.why}"
        why = "as conditions said before it was sent" if self._consent is None else self._consent.why
        return f"; {self.target} instead of {self._terms.target}: {why}"

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
        self._run.keep(raising(*self._named(alert)))

    async def _raise_once(self, alert: Alert) -> None:
        """Raise an alert unless an attempt before did."""
        if not await self._is_raised(self._named(alert)[0]):
            self._raise(alert)

    def _named(self, alert: Alert) -> tuple[str, Alert]:
        return self._run.alert_id(alert.subject, alert.kind), attrs.evolve(alert, run=self._run.id)

    @property
    def _subject(self) -> str:
        return subject_of(self.way.partition.name)

    @property
    def _actor(self) -> str:
        return f"schedule:{self._run.schedule}"


def verb_of(target: Target) -> str:
    """Return what the audit calls an attempt to reach a target."""
    return "disarm" if target is Target.DISARMED else "arm"
