"""The view: what is shown of each schedule and partition, as the repository and the panels have it now.

It is made anew at each look and remembers nothing, so that no event that was lost can leave it wrong.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from trioarm.arming.alerts import subject_of
from trioarm.arming.compile import INSTEAD
from trioarm.arming.discovery.answers import Answer, Answers
from trioarm.arming.discovery.entities import OFF, ON, Part, Thing, Topics, announcements
from trioarm.arming.discovery.settings import (
    PARTITIONS_MAX,
    SCHEDULES_MAX,
    DiscoverySettings,
    beginning,
    is_meant,
)
from trioarm.arming.installation import Installation
from trioarm.arming.model import HANDLER, WARN, Reported
from trioarm.arming.panels.base import PanelReport
from trioarm.core.alerts import AlertQuery, Severity, StoredAlert
from trioarm.core.cutting import cut
from trioarm.core.forecast import local_time
from trioarm.core.instants import localised, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import PAGE_MAX, RunOrder, RunQuery, ScheduleQuery
from trioarm.core.record import AmendmentKind, ScheduleRecord, ScheduleState
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import FINAL
from trioarm.core.triggers.zones import find_zone
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.ports import Clock, ScheduleRepository

STATE_MAX: Final = 255  # characters of a state in Home Assistant; a longer one is not shown at all
ALERTS_MAX: Final = 5  # told of one partition; the rest is counted
PAGES_MAX: Final = 10  # of schedules looked through for one pattern, and of alerts about one partition
BUILT_IN: Final = "trioarm/"  # what the names of schedules begin with that keep a node in order
_UNTOLD: Final = (Reported.UNKNOWN, Reported.UNAVAILABLE)

Told: TypeAlias = Callable[[str], str]  # a text as people read it

_log = logging.getLogger("trioarm.discovery")


@attrs.frozen(slots=True)
class Shown:
    """All that is shown.

    Args:
        things: in order.
        payloads: what is to be retained, by topic; what announces something before what tells its state. None where
            nothing is known yet, and what is retained there stays.
    """

    things: tuple[Thing, ...]
    payloads: Mapping[str, str | None]


class View:
    """Looks at what there is.

    Args:
        settings: what is shown.
        version: of trioarm.
        installation: the partitions, and what their timelines say.
        repository: schedules, runs and alerts.
        clock: what time it is.
    """

    def __init__(
        self,
        settings: DiscoverySettings,
        version: str,
        installation: Installation,
        repository: ScheduleRepository,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._topics = Topics(settings)
        self._version = version
        self._installation = installation
        self._repository = repository
        self._clock = clock
        self._alerts = AlertCommands(repository, clock)
        self._answers = Answers(repository, clock)
        self._is_told = False

    @property
    def partitions(self) -> list[str]:
        """The names of the partitions that are shown."""
        names = [name for name in self._installation.panels if is_meant(name, self._settings.partitions)]
        return names[:PARTITIONS_MAX]

    async def look(self, reports: Mapping[str, PanelReport]) -> Shown:
        """Return what is to be shown now.

        Args:
            reports: what panels said last, by partition; of one that is not there yet, no state is told.

        Raises:
            RepositoryError: nobody knows.
        """
        answers = await self._answers.all()
        configs: dict[str, str] = {}
        states: dict[str, str | None] = {}
        things = []
        for record in await self._schedules():
            thing = Thing(Part.SCHEDULE, record.schedule.name)
            things.append(thing)
            configs |= announcements(thing, self._topics, self._version)
            states[self._topics.state(thing)] = json.dumps(await self._of_schedule(record, answers.get(thing.key)))
        for name in self.partitions:
            thing = Thing(Part.PARTITION, name)
            things.append(thing)
            partition = self._installation.premises.partitions[name]
            configs |= announcements(thing, self._topics, self._version, partition)
            report, topic = reports.get(name), self._topics.state(thing)
            states[topic] = None
            if report is not None:
                states[topic] = json.dumps(await self._of_partition(name, report, answers.get(thing.key)))
        await self._answers.forget(answers.keys() - {thing.key for thing in things})
        return Shown(tuple(things), {**configs, **states})

    async def _schedules(self) -> list[ScheduleRecord]:
        """Return the schedules that are shown, by name; of what is too much, the log is told once."""
        patterns = self._settings.schedules
        if patterns is None:
            names = [one.name for one in self._installation.schedules if one.handler == HANDLER]
            found = {name: record for name in names[: SCHEDULES_MAX + 1] if (record := await self._stored(name))}
        else:
            found = {}
            for pattern in patterns:
                found |= await self._matching(pattern)
        if len(found) > SCHEDULES_MAX and not self._is_told:
            self._is_told = True
            _log.warning("more than %d schedules are meant: those first by name are shown", SCHEDULES_MAX)
        return [found[name] for name in sorted(found)[:SCHEDULES_MAX]]

    async def _stored(self, name: str) -> ScheduleRecord | None:
        return await self._repository.get_schedule(name)

    async def _matching(self, pattern: str) -> dict[str, ScheduleRecord]:
        found: dict[str, ScheduleRecord] = {}
        after = None
        for _ in range(PAGES_MAX):
            query = ScheduleQuery(prefix=beginning(pattern) or None, after=after, limit=PAGE_MAX)
            page = await self._repository.find_schedules(query)
            for record in page.rows:
                name = record.schedule.name
                is_own = name.startswith(BUILT_IN) or record.schedule.handler == WARN
                if not is_own and is_meant(name, (pattern,)):
                    found[name] = record
            after = page.next
            if after is None or len(found) > SCHEDULES_MAX:
                break
        return found

    async def _of_schedule(self, record: ScheduleRecord, answer: Answer | None) -> dict[str, Json]:
        query = RunQuery(schedule=record.schedule.name, states=FINAL, order=RunOrder.DECIDED, descending=True, limit=1)
        runs = (await self._repository.find_runs(query)).rows
        starts_at = next_start(record, self._clock.look())
        return {
            "enabled": ON if record.state is ScheduleState.ACTIVE else OFF,
            "is": str(record.state),
            "next_run": None if starts_at is None else render_instant(starts_at),
            "exception": record.schedule.args.get(INSTEAD),
            **_last(runs[0] if runs else None, answer, self._told_at(record.schedule.args.get("partition"))),
        }

    async def _of_partition(self, name: str, report: PanelReport, answer: Answer | None) -> dict[str, Json]:
        wanted = await self._installation.desired(name)
        hold = await self._installation.holds.covering(self._installation.premises.partitions[name])
        told = self._told_at(name)
        texts = [_text(stored, told) for stored in await self._problems(name)]
        return {
            "state": None if report.state in _UNTOLD else str(report.state),
            "changed_by": report.changed_by,
            "changed_at": None if report.since_at is None else render_instant(report.since_at),
            "open_zones": [*report.open_zones],
            "desired": None if wanted is None else str(wanted.target),
            "problem": ON if texts else OFF,
            "problems": len(texts),
            "alerts": [*texts[:ALERTS_MAX]],
            "held": OFF if hold is None else ON,
            "held_by": None if hold is None else hold.author,
            "last_command": None if answer is None else told(answer.text),
        }

    def _told_at(self, partition: object) -> Told:
        """Return what makes a text one to be read where a partition is: its instants are shown in the time there."""
        found = self._installation.premises.partitions.get(partition) if isinstance(partition, str) else None
        if found is None:
            return shortened
        zone = find_zone(self._installation.premises.sites[found.site].timezone)
        return lambda text: shortened(localised(text, lambda at: f"{local_time(at, zone):%Y-%m-%d %H:%M}"))

    async def _problems(self, partition: str) -> list[StoredAlert]:
        """Return the open alerts about a partition that are more than a notice."""
        found: list[StoredAlert] = []
        after = None
        for _ in range(PAGES_MAX):
            page = await self._alerts.find(AlertQuery(subject=subject_of(partition), after=after))
            found += [one for one in page.rows if one.alert is None or one.alert.severity is not Severity.NOTICE]
            after = page.next
            if after is None:
                break
        return found


def next_start(record: ScheduleRecord, now: int) -> int | None:
    """Return when a schedule's next run is to start, by what people said of its occurrences, too; None for never."""
    if record.state is not ScheduleState.ACTIVE:
        return None
    said = {one.nominal_at: one for one in record.amended}
    starts = [one.until_at for one in said.values() if one.until_at is not None and one.until_at > now]
    at = record.next_due_at
    while at is not None and at in said:
        at = record.schedule.next_after(at, record.trigger)
    return min([*starts, *([] if at is None else [at])], default=None)


def next_occurrence(record: ScheduleRecord, now: int) -> tuple[int, int] | None:
    """Return the next occurrence that is not skipped, with the instant at which it is to start; None for none."""
    starts_at = next_start(record, now)
    if starts_at is None:
        return None
    for one in record.amended:
        if one.kind is AmendmentKind.POSTPONE and one.until_at == starts_at:
            return one.nominal_at, starts_at
    return starts_at, starts_at


def _last(run: RunRecord | None, answer: Answer | None, told: Told) -> dict[str, Json]:
    """Return what came of the last run, or of what somebody asked for since."""
    nothing: dict[str, Json] = {"last_result": None, "last_result_at": None, "run": None, "error": None}
    at = None if run is None else run.finished_at or run.decided_at
    if answer is not None and (at is None or answer.at > at):
        return {**nothing, "last_result": told(answer.text), "last_result_at": render_instant(answer.at)}
    if run is None or at is None:
        return nothing
    reason = f": {run.reason}" if run.reason is not None else ""
    return {
        "last_result": shortened(f"{run.state}{reason}"),
        "last_result_at": render_instant(at),
        "run": Run.of(run).id,
        "error": None if run.error is None else told(run.error),
    }


def _text(stored: StoredAlert, told: Told) -> str:
    return stored.id if stored.alert is None else told(stored.alert.text)


def shortened(text: str) -> str:
    """Return a text in one line, short enough to be a state."""
    line = " ".join(text.split())
    return cut(line, STATE_MAX)
