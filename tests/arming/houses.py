"""Worlds with houses in them: what people do there by hand, and what is on record afterwards."""

from __future__ import annotations

from typing import Final

from tests.arming.premises import arming, the_premises
from trioarm.arming.audit import AUDIT, AuditEntry, entries_of, read_entry
from trioarm.arming.installation import Installation
from trioarm.arming.model import ArmingSchedule, Partition, Premises, Target
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import Alert, AlertQuery
from trioarm.core.chain import broken_links
from trioarm.core.queries import PAGE_MAX
from trioarm.core.triggers import Weekly
from trioarm.testing import Node, World

PRAGUE: Final = "Europe/Prague"
EVERY_DAY: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def daily(name: str, target: Target, at: str, *partitions: str) -> ArmingSchedule:
    """Return a schedule of every day, in local time."""
    return arming(name, target, Weekly(EVERY_DAY, at, PRAGUE), *partitions)


def a_config(*schedules: ArmingSchedule, partitions: tuple[Partition, ...] = (), **fields: object) -> SchedulerConfig:
    """Return a configuration with these schedules and partitions; one partition `house` unless said otherwise."""
    premises: Premises = the_premises(*schedules, partitions=partitions, **fields)
    return SchedulerConfig(premises=premises)


def panel_of(node: Node, partition: str = "house") -> VirtualDriver:
    """Return the panel of a partition, as somebody stands before it: its node hears of what they do there."""
    panel = node.container.get(Installation).panels[partition]
    assert isinstance(panel, VirtualDriver)
    return panel


async def audit_of(world: World) -> list[AuditEntry]:
    """Return the whole audit, which is what was written."""
    async with world._reading() as repository:
        kept = [entry async for entry in entries_of(repository, AUDIT)]
    assert list(broken_links(kept, whole=True)) == []
    return [read_entry(entry) for entry in kept]


async def done(world: World) -> list[tuple[str, str, str | None]]:
    """Return who did what, and what it was then, in order."""
    found = await audit_of(world)
    return [(one.actor, one.verb, None if one.after is None else one.after.value) for one in found]


async def alerts_in(world: World, kind: str | None = None) -> list[Alert]:
    """Return the alerts that were raised, of one kind or all, closed ones too."""
    page = await world.scheduler.alerts.find(AlertQuery(states=None, limit=PAGE_MAX))
    found = [stored.alert for stored in page.rows if stored.alert is not None]
    return [alert for alert in found if kind in (None, alert.kind)]
