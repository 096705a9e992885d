"""Warnings: people are told before a partition closes, and told again when that comes otherwise (A4.1, A4.5).

Each warning of each occurrence is a run of its own, due so long ahead of it. It waits for the moment that is announced,
as what was postponed is announced later, and stays until then, so that it can correct what it said.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import attrs
import trio

from trioarm.arming.alerts import AlertKind, subject_of
from trioarm.arming.announced import correcting
from trioarm.arming.audit import SCHEDULE
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.discovery.offers import offers
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.holds import Holds
from trioarm.arming.model import Partition, Premises, Target
from trioarm.arming.outlook import Closes, Outlook, StaysOpen, outlook
from trioarm.arming.panels.base import PanelFailure
from trioarm.core.alerts import Action, Alert, Severity, raising
from trioarm.core.errors import UnknownAlert
from trioarm.core.forecast import local_time
from trioarm.core.instants import MINUTE, SECOND, instant, microseconds, render_duration
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard, Snooze
from trioarm.core.run import Origin
from trioarm.core.triggers.zones import find_zone
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository

LOOKS: Final = 20  # for a change of plan, between a warning and what it warns of
LOOK_MIN: Final = MINUTE  # between two of them
AFTER: Final = 10 * SECOND  # behind the announced moment: what became of it has been decided by then
APART_MAX: Final = 30 * SECOND  # between the looks of two warnings of one occurrence
READ_S: Final = 5.0  # for a panel to say that there is nothing to warn of


class Warner:
    """The handler `warn`: announces occurrences of schedules that close partitions.

    Args:
        premises: partitions, and the sites whose local time people know.
        ways: how panels are reached.
        holds: what people asked to be left alone.
        repository: where schedules and runs are.
        alerts: what people were told.
        clock: what time it is.
        discovery: where a press does what people may answer; None where none does.
    """

    def __init__(
        self,
        premises: Premises,
        ways: Mapping[str, Way],
        holds: Holds,
        repository: ScheduleRepository,
        alerts: AlertCommands,
        clock: Clock,
        discovery: DiscoverySettings | None = None,
    ) -> None:
        self._premises = premises
        self._ways = ways
        self._holds = holds
        self._repository = repository
        self._alerts = alerts
        self._clock = clock
        self._discovery = discovery

    async def warn(self, run: RunContext) -> Json:
        """Announce the occurrence that is due `args.before_s` later, of the schedule `args.of`.

        Returns:
            what came of it, in words.

        Raises:
            Snooze: the moment to announce it has not come, or it is announced and may still come otherwise.
            Discard: the arguments mean nothing that there is.

        Cancellation: at any checkpoint.
        """
        name, before, partition, target = self._meant(run)
        nominal_at, now = instant(run.nominal_at) + before, self._clock.look()
        found, told = await self._outlook(name, nominal_at, partition), run.last_progress
        match found:
            case Closes(at) if now < at:
                if told is None and now < at - before:
                    raise Snooze(at - before, found.why)
                if told is None and await self._is_so(partition, target):
                    return f"{partition.name} is {target} already"
                if told != at:
                    await self._announce(run, partition, target, found, told)
                raise Snooze(_look_at(now, at, before), "it may still come otherwise")
            case StaysOpen(why) if told is not None:
                await self._correct(run, partition, f"it does not become {target} as announced: {why}", 0)
        await self._over(run, partition)
        match found:
            case StaysOpen(why):
                return f"{partition.name} does not become {target}: {why}"
            case Closes() if told is None:
                return "it was too late for a warning"
            case _:
                return f"{partition.name} was announced to become {target}"

    def _meant(self, run: RunContext) -> tuple[str, int, Partition, Target]:
        args = run.args
        name, before_s, word, partition = (args.get(key) for key in ("of", "before_s", "to", "warns"))
        way = self._ways.get(partition) if isinstance(partition, str) else None
        if way is None or not isinstance(name, str) or not isinstance(before_s, int | float) or word not in set(Target):
            raise Discard(f"{run.schedule} warns of nothing there is: remove it, or declare it anew")
        return name, microseconds(before_s), way.partition, Target(str(word))

    async def _outlook(self, name: str, nominal_at: int, partition: Partition) -> Outlook:
        if (hold := await self._holds.covering(partition)) is not None:
            return StaysOpen(hold.describe())
        record = await self._repository.get_schedule(name)
        epoch = 0 if record is None else record.epoch
        run = await self._repository.get_run_of(name, nominal_at, Origin.SCHEDULE, epoch)
        return outlook(record, run, nominal_at)

    async def _is_so(self, partition: Partition, target: Target) -> bool:
        """Whether the panel says that there is nothing to do; one that is silent says nothing of the kind."""
        with trio.move_on_after(READ_S), suppress(PanelFailure):
            return (await self._ways[partition.name].read_state()).reaches(target)
        return False

    # What people are told

    async def _announce(
        self, run: RunContext, partition: Partition, target: Target, closes: Closes, told: Json
    ) -> None:
        run.progress(closes.at)
        when = self._local(partition, closes.at)
        if told is not None:
            why = f": {closes.why}" if closes.why else ""
            await self._correct(
                run, partition, f"it becomes {target} at {when}, not as announced before{why}", closes.at
            )
            return
        depends = f", {run.args['depends']}" if "depends" in run.args else ""
        left_s = round((closes.at - self._clock.look()) / SECOND)
        alert = Alert(
            subject=subject_of(partition.name),
            kind=AlertKind.CLOSING_SOON,
            severity=Severity.NOTICE,
            text=f"it becomes {target} at {when}, in {render_duration(left_s)}{depends}",
            advice=f"leave in time, or trioarm schedules postpone {run.args['of']} --by 30m, or skip it",
            raised_at=self._clock.look(),
            run=run.id,
            settled_by=target.value,
            actions=self._offers(run),
        )
        run.keep(raising(self._announced_as(run, partition), alert))

    async def _correct(self, run: RunContext, partition: Partition, text: str, at: int) -> None:
        """Say that it comes otherwise: once of an occurrence and its new moment, however many warnings there were.

        Args:
            at: the new moment; 0 where it does not come at all, and nothing can be done about it.
        """
        name, alert = correcting(
            partition.name, str(run.args["of"]), _announces(run), text, at=at, run=run.id, now=self._clock.look()
        )
        alert = attrs.evolve(alert, actions=self._offers(run) if at else ())
        with suppress(UnknownAlert):
            await self._alerts.get(name)
            return
        run.keep(raising(name, alert))

    def _offers(self, run: RunContext) -> tuple[Action, ...]:
        return offers(str(run.args["of"]), _announces(run), self._discovery)

    async def _over(self, run: RunContext, partition: Partition) -> None:
        name = self._announced_as(run, partition)
        await self._alerts.settle_one(name, by=f"{SCHEDULE}{run.schedule}", note="it is over")

    def _announced_as(self, run: RunContext, partition: Partition) -> str:
        return run.alert_id(subject_of(partition.name), AlertKind.CLOSING_SOON)

    def _local(self, partition: Partition, at: int) -> str:
        """Return what clocks at the partition's site show at an instant."""
        zone = find_zone(self._premises.sites[partition.site].timezone)
        here, now = local_time(at, zone), local_time(self._clock.look(), zone)
        return f"{here:%H:%M}" if here.date() == now.date() else f"{here:%a %d %b, %H:%M}"


def _announces(run: RunContext) -> int:
    """Return the occurrence that a warning is about."""
    return instant(run.nominal_at) + microseconds(float(str(run.args["before_s"])))


def _look_at(now: int, at: int, before: int) -> int:
    """Return when to look again at what was announced: the later a warning came, the sooner, and so it speaks first."""
    return min(at + AFTER, now + max(LOOK_MIN, before // LOOKS)) + min(before // 60, APART_MAX)
