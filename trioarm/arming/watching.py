"""Watching: every partition is looked at between commands, and what others did to it goes on record once (A3.7).

A look is a run of the handler here, all partitions at once (S6.10); where a driver can tell that there is news, another
look follows from that. Who looks keeps what it found in one transaction, so that a crash loses no more than what
changed back meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from trioarm.arming.alerts import SETTLED_BY_CLOSING, SETTLED_BY_OPENING, AlertKind, drifted, silent, subject_of
from trioarm.arming.audit import OBSERVED, AuditEntry, appended
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.ledger import WATCHED
from trioarm.arming.model import WATCH, Premises, Reported
from trioarm.arming.panels.base import OURSELVES, PanelFailure, PanelReport
from trioarm.arming.timeline import Desired
from trioarm.arming.watch import (
    MISSES_MAX,
    SETTLED,
    SPARE,
    Change,
    Watched,
    answered,
    in_words,
    noticed,
    unanswered,
    under_way,
)
from trioarm.core import changes
from trioarm.core.alerts import Alert, alerts_of, raising
from trioarm.core.changes import PutDocument, Verdict
from trioarm.core.codec import to_json
from trioarm.core.errors import RepositoryError, TrioarmError, UnknownRun
from trioarm.core.instants import microseconds, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.run import Origin, parse_run_id, render_run_id
from trioarm.core.schedule import Delivery, Misfire, Overlap, Schedule
from trioarm.core.triggers import Every
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository

SCHEDULE: Final = "trioarm/watch"
READ_S: Final = 65.0  # for a panel to answer a look: longer than any driver may wait for it
DAMPING_S: Final = 5.0  # between looks out of turn, however much news a driver has
SOMEBODY: Final = "somebody"  # who did what nobody says who did it
LOOKS_S: Final = 90.0  # that all looks of a run may take together

_log = logging.getLogger("trioarm.arming")

Fire: TypeAlias = Callable[[str], Awaitable[object]]
Announce: TypeAlias = Callable[[Sequence[PutDocument]], None]


async def fires_nothing(schedule: str) -> None:
    """Fire no schedule: what a node does that has nothing to fire it with."""


def announces_nothing(documents: Sequence[PutDocument]) -> None:
    """Announce no alert: what a node does that has nobody to tell."""


def watching_schedules(premises: Premises) -> list[Schedule]:
    """Return the built-in schedule by which partitions are looked at; none where there are none, or nobody looks."""
    if not premises.partitions or not premises.watch_s:
        return []
    return [
        Schedule(
            SCHEDULE,
            Every(premises.watch_s),
            handler=WATCH,
            delivery=Delivery.AT_MOST_ONCE,
            misfire=Misfire.SKIP,
            overlap=Overlap.SKIP,
            timeout_s=LOOKS_S,
        )
    ]


class Watcher:
    """The handler `trioarm.watch`, and what listens for news of panels.

    Args:
        ways: how each partition is reached.
        repository: where what is found is kept.
        alerts: ended when what they complain of is over.
        clock: what time it is.
        desired: what the timeline of a partition says.
        fire: runs an arming schedule now, to command again what restarted.
        announce: told what was kept, once it is: alerts among it are logged, counted and told of at once.
    """

    def __init__(
        self,
        ways: Mapping[str, Way],
        repository: ScheduleRepository,
        alerts: AlertCommands,
        clock: Clock,
        desired: Callable[[str], Awaitable[Desired | None]],
        fire: Fire,
        announce: Announce,
    ) -> None:
        self._ways = ways
        self._repository = repository
        self._alerts = alerts
        self._clock = clock
        self._desired = desired
        self._fire = fire
        self._announce = announce
        self._turns = {name: trio.Lock() for name in ways}

    async def watch(self, run: RunContext) -> Json:
        """Look at every partition, all at once: one whose panel does not answer holds up no other.

        Returns:
            how many were found changed, and how many did not answer.

        Cancellation: at any checkpoint; what was found by then is kept.
        """
        found: list[bool | None] = []

        async def look(name: str) -> None:
            found.append(await self.look(name))

        async with trio.open_nursery() as nursery:
            for name in self._ways:
                nursery.start_soon(look, name)
        return {"changed": found.count(True), "silent": found.count(None)}

    async def listen(self) -> None:
        """Look at each partition whenever its driver has news of it, until cancelled.

        What goes wrong here the next run of the handler makes good.
        """
        async with trio.open_nursery() as nursery:
            for name in self._ways:
                nursery.start_soon(self._listen, name)

    async def _listen(self, name: str) -> None:
        while True:
            await self._ways[name].panel.changed()
            await self._look_out_of_turn(name)
            await trio.sleep(DAMPING_S)
            await self._look_out_of_turn(name)  # at what changed in between, which nobody listened to

    async def _look_out_of_turn(self, name: str) -> None:
        try:
            await self.look(name, counts=False)
        except RepositoryError as error:
            _log.debug("%s: what is new there is looked at later: %s", name, error)

    async def look(self, name: str, *, counts: bool = True) -> bool | None:
        """Look at a partition once, and return whether it was found changed; None when its panel does not answer.

        Args:
            counts: whether a look without an answer brings the alert nearer.

        Raises:
            RepositoryError: the store is out of reach.
        """
        async with self._turns[name]:
            report: PanelReport | str = f"no answer within {READ_S:.0f} s"
            with trio.move_on_after(READ_S):
                try:
                    report = await self._ways[name].read_state()
                except PanelFailure as failure:
                    report = str(failure)
            if isinstance(report, str) or report.state in (Reported.UNKNOWN, Reported.UNAVAILABLE):
                if counts:
                    await self._miss(name, report if isinstance(report, str) else f"the panel reports {report.state}")
                return None
            return await self._heed(name, report)

    # What is found

    async def _heed(self, name: str, report: PanelReport) -> bool:
        way, now = self._ways[name], self._clock.look()
        watched, version = await way.ledger.watched(name)
        if watched.silent_at is not None:
            await self._alerts.settle_one(_silence(name, watched), by=WATCH, note="its panel answers")
        found, change = answered(watched), None
        known = await way.ledger.known(name)
        if report.state in SETTLED and not under_way(known, now, _within(way)):
            found, change = noticed(found, known, report, now, way.partition.drift)
        if change is not None and change.reassert and not await self._reassert(name, known.run, change):
            found = attrs.evolve(found, told_over=known.version)
            change = attrs.evolve(change, reassert=False, tell=True)
        if change is not None and change.has_arrived and report.changed_by in (None, OURSELVES):
            change = attrs.evolve(change, asked_by=await way.ledger.who_asked(name, report.state))
        if report.state in SETTLED:  # also where it was so before somebody complained that it is not
            passing = SETTLED_BY_OPENING if report.state is Reported.DISARMED else SETTLED_BY_CLOSING
            news = passing if found.seen_at == now else ()
            await self._alerts.settle(subject_of(name), report.state, by=report.changed_by or SOMEBODY, passing=news)
        if found == watched:
            return False
        return await self._keep(name, found, version, change, now) and change is not None

    async def _reassert(self, name: str, run: str, change: Change) -> bool:
        """Have it commanded again by the schedule that had made it so; return whether that is to be had.

        It is fired before it is kept that it was: after a crash in between it is fired once more, and finds it done.
        """
        wanted = await self._desired(name)
        if wanted is not None and wanted.target is not change.drifted_from:
            return False
        try:
            await self._fire(parse_run_id(run)[0])
        except UnknownRun:
            return False
        except TrioarmError as error:
            _log.warning("%s: it is not commanded again: %s", name, error)
            return False
        return True

    async def _keep(self, name: str, found: Watched, version: int, change: Change | None, now: int) -> bool:
        """Keep what was found, all in one transaction; return whether it is certain. Else the next look finds it."""
        documents = [PutDocument(WATCHED, name, version, to_json(found))]
        journal = []
        if change is not None:
            words = in_words(change)
            entry = AuditEntry(
                actor=change.asked_by or change.after.changed_by or SOMEBODY,
                partition=name,
                verb=OBSERVED,
                before=change.before,
                after=change.after.state,
                reason=words,
                correlation=f"{name}@{render_instant(now)}",
                since_at=change.after.since_at,
            )
            journal.append(appended(entry, now))
            if change.tell and change.drifted_from is not None:
                alert = drifted(name, change.drifted_from, change.after, words, now)
                documents.append(_raising(name, alert, now))
        return await self._commit(changes.Change(documents=documents, journal=journal))

    async def _commit(self, change: changes.Change) -> bool:
        is_kept = await self._repository.commit([change]) == [Verdict.DONE]
        if is_kept:
            self._announce(change.documents)
        return is_kept

    # When there is nothing to be found

    async def _miss(self, name: str, why: str) -> None:
        now = self._clock.look()
        watched, version = await self._ways[name].ledger.watched(name)
        missed = unanswered(watched, now)
        if missed == watched:
            return
        documents = [PutDocument(WATCHED, name, version, to_json(missed))]
        if missed.misses == MISSES_MAX and missed.silent_at is not None:
            documents.append(_raising(name, silent(name, why, missed.silent_at, now), missed.silent_at))
        await self._commit(changes.Change(documents=documents))


def _within(way: Way) -> int:
    """Return how long after a command its outcome is on record."""
    partition = way.partition
    return microseconds(partition.panel.exit_delay_s + partition.confirm_s + partition.min_gap_s) + SPARE


def _raising(name: str, alert: Alert, at: int) -> PutDocument:
    return raising(_alert_id(name, alert.kind, at), alert)


def _silence(name: str, watched: Watched) -> str:
    return _alert_id(name, AlertKind.PANEL_SILENT, watched.silent_at or 0)


def _alert_id(name: str, kind: str, at: int) -> str:
    return alerts_of(subject_of(name)) + render_run_id(f"{kind}#watch", at, Origin.SCHEDULE)
