"""What people can ask of partitions: what they are, to arm or disarm them now, to hold and to release them (A5.3).

It needs a repository, a clock and the drivers, no running node. A person is obeyed: no timetable, hold or limit of a
schedule stands against what somebody asks for, and only a person ends an alarm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import attrs
import trio

from trioarm.arming.alerts import AlertKind, passing_with, subject_of
from trioarm.arming.commanding.errand import verb_of
from trioarm.arming.commanding.pursuit import Pursuit, Way
from trioarm.arming.commanding.verify import Done, Limits, NextStep, Sent, is_progress, next_step
from trioarm.arming.holds import Hold, Holds
from trioarm.arming.ledger import PersonsCommand
from trioarm.arming.model import InvalidRequest, Premises, Reported, Target, UnknownPartition
from trioarm.arming.panels.base import OURSELVES, UNREAD, PanelFailure, PanelReport
from trioarm.arming.timeline import Desired
from trioarm.core.instants import LATEST, microseconds
from trioarm.engine.alert_commands import AlertCommands

NAME_LENGTH_MAX: Final = 100  # characters of a person's name; panels and journals keep it
RECORD_S: Final = 5.0  # how long the record of what was sent may take once nobody waits for it any more (S6.8)

OnProgress: TypeAlias = Callable[[PanelReport], None]


def _ignore(report: PanelReport) -> None:
    """Tell nobody."""


@attrs.frozen(slots=True, kw_only=True)
class PartitionStatus:
    """A partition as people see it.

    Args:
        name: as configured.
        site: name of its site.
        panel: the physical panel.
        reported: what the panel says it is; `unavailable` when it does not answer.
        desired: what its timeline says it should be; None before the first occurrence.
        changed_at: since when the panel says it is so; None when it does not say.
        changed_by: who made it so, likewise.
        open_zones: zones that stand open, by name.
        held_by: who holds it or its site; None when nobody does.
        held_until_at: when that ends by itself; None when it does not.
    """

    name: str
    site: str
    panel: str
    reported: Reported
    desired: Target | None
    changed_at: int | None
    changed_by: str | None
    open_zones: tuple[str, ...]
    held_by: str | None
    held_until_at: int | None


class Persons:
    """The use cases of people.

    Args:
        premises: what there is.
        ways: how each partition is reached.
        holds: what is held.
        alerts: ended by who brings about what they ask for.
        desired: what the timeline of a partition says.
    """

    def __init__(
        self,
        premises: Premises,
        ways: Mapping[str, Way],
        holds: Holds,
        alerts: AlertCommands,
        desired: Callable[[str], Awaitable[Desired | None]],
    ) -> None:
        self._premises = premises
        self._ways = ways
        self._holds = holds
        self._alerts = alerts
        self._desired = desired

    async def partitions(self) -> list[PartitionStatus]:
        """Return every partition, all panels read at once: one that does not answer holds up no other."""
        found: dict[str, PartitionStatus] = {}

        async def look(name: str) -> None:
            found[name] = await self.partition(name)

        async with trio.open_nursery() as nursery:
            for name in self._ways:
                nursery.start_soon(look, name)
        return [found[name] for name in self._ways]

    async def partition(self, name: str) -> PartitionStatus:
        """Return one partition.

        Raises:
            UnknownPartition: there is none of that name.
        """
        way = self._way(name)
        try:
            report = await way.read_state()
        except PanelFailure:
            report = UNREAD
        wanted, hold = await self._desired(name), await self._holds.covering(way.partition)
        return PartitionStatus(
            name=name,
            site=way.partition.site,
            panel=way.panel.name,
            reported=report.state,
            desired=None if wanted is None else wanted.target,
            changed_at=report.since_at,
            changed_by=report.changed_by,
            open_zones=report.open_zones,
            held_by=None if hold is None else hold.author,
            held_until_at=None if hold is None else hold.until_at,
        )

    async def arm(
        self, name: str, target: Target, *, by: str, on_progress: OnProgress = _ignore, confirm: bool = True
    ) -> PanelReport:
        """Arm a partition, and return once its panel reports it.

        Args:
            name: of the partition.
            target: what it is to become.
            by: the person.
            on_progress: told each report that says something new.
            confirm: false to return once the panel is on its way, without waiting until it is there.

        Returns:
            the report that confirms it, or says that it is on its way.

        Raises:
            UnknownPartition: there is none of that name.
            InvalidRequest: it needs the name of a person.
            PanelFailure: it did not become so; the message says why.

        Cancellation: at any checkpoint. What was sent by then is recorded, not taken back.
        """
        way = self._way(name)
        request = Request(way, target, _person(by), on_progress, confirm=confirm)
        outcome = "interrupted: whether it had an effect was not waited for"
        ending = "_failed"
        try:
            report = await request.carry_out()
            ending = ""
            outcome = f"{request.sent.sends} sent" if request.sent.sends else f"it was {report.state} already"
            if not report.reaches(target):
                outcome += ", on its way when it was last looked at"
        except PanelFailure as failure:
            outcome = f"{failure.kind}: {failure}"
            raise
        finally:
            with trio.move_on_after(RECORD_S, shield=True):
                await self._record(request, ending, outcome)
        if report.reaches(target):
            await self._alerts.settle(subject_of(name), target, by=request.by, passing=passing_with(target))
        return report

    async def disarm(
        self, name: str, *, by: str, on_progress: OnProgress = _ignore, confirm: bool = True
    ) -> PanelReport:
        """Disarm a partition, which is also what ends an alarm; see `arm`.

        Raises:
            UnknownPartition: there is none of that name.
            InvalidRequest: it needs the name of a person.
            PanelFailure: it did not become so; the message says why.

        Cancellation: at any checkpoint. What was sent by then is recorded, not taken back.
        """
        return await self.arm(name, Target.DISARMED, by=by, on_progress=on_progress, confirm=confirm)

    async def hold(self, on: str, *, by: str, note: str = "", until_at: int | None = None) -> Hold:
        """Let no scheduled command be sent to `partition/NAME`, or to any of `site/NAME`.

        Args:
            on: what is held.
            by: the person.
            note: why.
            until_at: when it ends by itself; None for when it is released.

        Raises:
            UnknownPartition: there is no such partition or site.
            InvalidRequest: it needs the name of a person, would be over already, or says too much.
        """
        hold = await self._holds.place(on, by=_person(by), note=note, until_at=until_at)
        await self._alerts.settle(on, "held anew", by=hold.author, passing=(AlertKind.HELD,))
        return hold

    async def release(self, on: str, *, by: str) -> bool:
        """End a hold, and return whether there was one.

        Raises:
            UnknownPartition: there is no such partition or site.
            InvalidRequest: it needs the name of a person.
        """
        person = _person(by)
        was_held = await self._holds.release(on, by=person)
        await self._alerts.settle(on, "released", by=person, passing=(AlertKind.HELD,))
        return was_held

    async def _record(self, request: Request, ending: str, outcome: str) -> None:
        way = request.way
        await way.ledger.conclude_for_person(
            request.by,
            way.partition.name,
            verb=verb_of(request.target) + ending,
            before=request.first or UNREAD,
            after=request.report or UNREAD,
            reason=outcome,
            now=way.clock.look(),
        )

    def _way(self, name: str) -> Way:
        way = self._ways.get(name)
        if way is None:
            raise UnknownPartition(f"there is no partition {name!r}: name one of {', '.join(self._ways)}")
        return way


class Request(Pursuit):
    """What one person asks of one partition. Sent once: a person sees what became of it, and asks again."""

    def __init__(self, way: Way, target: Target, by: str, on_progress: OnProgress, *, confirm: bool) -> None:
        partition = way.partition
        limits = Limits(
            begun_at=way.clock.look(),
            exit_delay=microseconds(0.0 if target is Target.DISARMED else partition.panel.exit_delay_s),
            confirm=microseconds(partition.confirm_s),
            apply_until=LATEST,
            sends_max=1,
            ends_alarm=True,
        )
        super().__init__(way, target, by, limits)
        self._on_progress = on_progress
        self._confirm = confirm
        self._told: PanelReport | None = None

    async def judge(self, report: PanelReport, now: int, free_at: int) -> NextStep:
        """Return what to do after a fresh read, and tell what is new in it."""
        if report != self._told:
            self._told = report
            self._on_progress(report)
        if not self._confirm and self.sent.sends and is_progress(report, self.target):
            return Done()
        return next_step(report, self.target, self.sent, self.limits, now, free_at)

    async def announce(self, now: int) -> Sent:
        """Keep that a command is about to be sent (A3.1)."""
        command = PersonsCommand(by=self.by, target=self.target, sent_at=now)
        await self.way.ledger.announce_for_person(self.way.partition.name, command)
        return Sent(sends=self.sent.sends + 1, last_at=now)


def _person(by: str) -> str:
    name = " ".join(by.split())
    if not name or len(name) > NAME_LENGTH_MAX:
        raise InvalidRequest(f"{name[:NAME_LENGTH_MAX]!r} is no name of a person: 1 to {NAME_LENGTH_MAX} characters")
    if name == OURSELVES:
        raise InvalidRequest(f"{OURSELVES} is what scheduled commands are known by: give the name of a person")
    return name
