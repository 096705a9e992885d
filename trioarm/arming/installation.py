"""An installation: everything arming gives to a node, made from the premises; and what people can ask of it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from trioarm.arming.alerts import alert_rule
from trioarm.arming.commanding.handler import ArmHandler
from trioarm.arming.commanding.hastening import Hasten, Hastening, hastens_nothing
from trioarm.arming.commanding.line import lines_to
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conditions.asking import Conditions
from trioarm.arming.conditions.sources import Means, make_source
from trioarm.arming.connections import Connections
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.exceptions.kept import Exceptions
from trioarm.arming.holds import Holds
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import HANDLER, REMIND, REPORT, SUPERVISE, WARN, WATCH, Premises
from trioarm.arming.panels import Parts, make_panel
from trioarm.arming.panels.base import UNREAD, FailureKind, Panel, PanelFailure, PanelReport
from trioarm.arming.panels.mqtt import broker_link
from trioarm.arming.persons import Persons
from trioarm.arming.reminding import Reminder
from trioarm.arming.supervision.reporting import Maker, Reporter
from trioarm.arming.supervision.supervising import Supervisor
from trioarm.arming.timeline import Desired
from trioarm.arming.wanted import wanted
from trioarm.arming.warnings import Warner
from trioarm.arming.watching import Announce, Fire, Watcher, announces_nothing, fires_nothing
from trioarm.core.alerts import AlertRule
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import Handler
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.links.mqtt import Mqtt
from trioarm.links.mqtt.settings import MqttBroker


class Installation:
    """The partitions of a node with their panels, what carries their schedules out, and what people may ask of them.

    Args:
        premises: as configured.
        repository: where panels, commands and the audit are kept.
        clock: what time it is.
        panels: drivers by partition, instead of those configured.
        fire: runs an arming schedule now, for partitions that are commanded again after their panel restarted.
        announce: told of the alerts that looks at partitions raised.
        hasten: lets a run that waits for a panel ask it earlier.
        discovery: where a press answers a warning; None where none does.

    Raises:
        InvalidSchedule: a schedule cannot be carried out as declared.
        ConfigurationError: what a panel or a condition needs is not installed.
    """

    def __init__(
        self,
        premises: Premises,
        repository: ScheduleRepository,
        clock: Clock,
        *,
        panels: Mapping[str, Panel] | None = None,
        fire: Fire = fires_nothing,
        announce: Announce = announces_nothing,
        hasten: Hasten = hastens_nothing,
        discovery: DiscoverySettings | None = None,
    ) -> None:
        given = {} if panels is None else panels
        self._clock = clock
        self._repository = repository
        self._connections = Connections()
        ledger = Ledger(repository)
        parts = Parts(repository=repository, clock=clock, connections=self._connections, commands=ledger)
        self.premises = premises
        self.panels: dict[str, Panel] = {
            name: given[name] if name in given else make_panel(partition, parts)
            for name, partition in premises.partitions.items()
        }
        self.schedules = engine_schedules(premises)
        lines = lines_to(self.panels)
        self._ways = ways = {
            name: Way(partition, self.panels[name], lines[name], ledger, clock)
            for name, partition in premises.partitions.items()
        }
        self.holds = holds = Holds(premises, repository, clock)
        alerts = AlertCommands(repository, clock)
        self.exceptions = Exceptions(repository, clock)
        self.persons = Persons(premises, ways, holds, alerts, self.desired)
        means = Means(premises=premises, ways=ways, connections=self._connections, clock=clock)
        self.conditions = Conditions({name: make_source(one, means) for name, one in premises.conditions.items()})
        self._handler = ArmHandler(premises, ways, holds, alerts, self.conditions)
        self.handlers: dict[str, Handler] = {HANDLER: self._handler.arm}
        warner = Warner(premises, ways, holds, repository, alerts, clock, discovery)
        self.watcher = Watcher(ways, repository, alerts, clock, self.desired, fire, announce)
        self._hastening = Hastening(ways, repository, clock, hasten)
        self.announcers: dict[str, Handler] = {WARN: warner.warn, WATCH: self.watcher.watch}
        self._supervisor = Supervisor(premises, ways, clock)
        self._reporter = Reporter(Maker(premises, self.schedules, repository, clock), alerts)
        self.announcers[REPORT] = self._reporter.report
        self._reminder = Reminder(premises, holds, repository, alerts, clock)
        self.announcers[REMIND] = self._reminder.remind
        self.announcers[SUPERVISE] = self._supervisor.supervise
        self.alert_rule: AlertRule = alert_rule

    def link_to(self, broker: MqttBroker) -> Mqtt:
        """Return the connection to a broker that panels are reached over, too; to be asked for before `run`.

        Raises:
            ConfigurationError: there can be none: paho-mqtt is not installed.
        """
        return broker_link(broker, self._connections)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep up what panels are reached over, until cancelled. Without it, panels that need it are `unavailable`.

        It has `started` before any of that is reached: a panel that is away keeps nobody from starting.

        Cancellation: says goodbye to them, for a second at most.
        """
        await self._connections.run(task_status=task_status)

    async def listen(self) -> None:
        """Heed what panels say by themselves, and that they answer again, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hastening.listen)
            if self.premises.watch_s:
                nursery.start_soon(self.watcher.listen)

    def doubt(self) -> None:
        """Look at what other processes may have heard of panels."""
        self._hastening.doubt()

    def declare(self, premises: Premises) -> None:
        """Take over other schedules and limits for the partitions there are.

        Raises:
            InvalidSchedule: a schedule cannot be carried out as declared.
        """
        self.schedules = engine_schedules(premises)
        self._handler.declare(premises)
        self._supervisor.declare(premises)
        self._reminder.declare(premises)
        self._reporter.maker = attrs.evolve(self._reporter.maker, premises=premises, schedules=self.schedules)
        self.premises = premises

    @property
    def reports(self) -> Maker:
        """What makes reports of partitions."""
        return self._reporter.maker

    @property
    def workers(self) -> int:
        """How many workers arming has for itself: one per partition unless configured (S6.1)."""
        return max(1, self.premises.workers or len(self.premises.partitions))

    async def reported(self, partition: str) -> PanelReport:
        """Return what a partition's panel says now; one that cannot be reached is `unavailable`.

        Raises:
            KeyError: there is no such partition.
        """
        try:
            return await self._ways[partition].read_state()
        except PanelFailure as failure:
            if failure.kind is not FailureKind.UNAVAILABLE:
                raise
            return UNREAD

    async def desired(self, partition: str) -> Desired | None:
        """Return what a partition's declared schedules want it to be now; None before their first occurrence.

        Raises:
            RepositoryError: the store is out of reach.
        """
        return await wanted(self.schedules, partition, self._clock.look(), self._repository)
