"""Declared schedules: every `[[schedule]]`, those that arm and those that do anything else (A1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trioarm.arming.compile import LANE, warning_names
from trioarm.arming.conditions.settings import Condition
from trioarm.arming.conflicts.contradictions import Wants
from trioarm.arming.model import HANDLER, ArmingSchedule, Partition, Site, Target
from trioarm.config.conditions import read_depends
from trioarm.config.named import one_of
from trioarm.core.codec import Defaults, read_schedule
from trioarm.core.reading import Problems, Table, duration, listed, mapping, member, show, suggest
from trioarm.core.schedule import NAME, Schedule
from trioarm.core.triggers import After, own_zone

WARNINGS_MAX: Final = 10  # more of them are no warning any more
WARN_S_MAX: Final = 86400.0

_OF_ARMING: Final = ("partition", "partitions", "target", "warn")
_OF_CONDITIONS: Final = ("only_if", "not_if", "on_unknown", "otherwise")
_NOT_OF_ARMING: Final = ("handler", "args", "lane", "supersede", "precedence")


@attrs.define(slots=True, eq=False)
class Declarations:
    """Reads schedules one by one, and knows what would clash with those before."""

    defaults: Defaults
    sites: Mapping[str, Site]
    partitions: Mapping[str, Partition]
    problems: Problems
    conditions: Mapping[str, Condition] = attrs.field(factory=dict)
    plain: list[Schedule] = attrs.field(factory=list, init=False)
    arming: list[ArmingSchedule] = attrs.field(factory=list, init=False)
    _names: dict[str, str] = attrs.field(factory=dict, init=False)
    _wants: Wants = attrs.field(factory=Wants, init=False)

    def stand_beside(self, plain: Iterable[Schedule], arming: Iterable[ArmingSchedule], where: str) -> None:
        """Take names as claimed, and wants of partitions as known, by schedules that are declared already.

        Args:
            where: they are declared, for people whose schedule clashes.
        """
        for schedule in plain:
            self._names[schedule.name] = where
        for one in arming:
            for name in (one.schedule.name, *(f"{one.schedule.name}/{partition}" for partition in one.partitions)):
                self._names[name] = where
            self._wants.add(one)

    def read(self, tree: object, index: int) -> None:
        """Read one `[[schedule]]`."""
        try:
            table = Table(mapping(tree), f"schedule[{index}]", self.problems)
        except ValueError as error:
            self.problems.add(f"schedule[{index}]", str(error))
            return
        name = table.tree.get("name")
        if isinstance(name, str) and NAME.fullmatch(name):
            table.path = f'schedule "{name}"'
        if any(key in table for key in _OF_ARMING):
            self._read_arming(table)
        else:
            self._read_plain(table)
        table.close()

    def _read_plain(self, table: Table) -> None:
        self._check_owner(table)
        table.knows(*_OF_ARMING)
        for key in _OF_CONDITIONS:
            table.refuse(key, "is for schedules that arm: name a partition, or leave it out")
        schedule = read_schedule(table, self.defaults)
        if schedule is not None and schedule.lane is not None:
            self._check_lane(table, schedule.lane)
        if schedule is not None and self._claim(table, schedule.name):
            self.plain.append(schedule)

    def _read_arming(self, table: Table) -> None:
        self._check_owner(table)
        for key in _NOT_OF_ARMING:
            table.refuse(key, f"a schedule that arms has its own {key}: leave it out, or leave out the partition")
        partitions = self._read_partitions(table)
        target = table.need("target", member(Target), f"say what to become: {', '.join(Target)}")
        warn_s = self._read_warnings(table, target)
        depends = read_depends(table, self.conditions, target)
        schedule = self._read_timed(table, partitions)
        if warn_s and schedule is not None and isinstance(schedule.trigger, After):
            table.problems.add(table.at("warn"), "when a fixed delay is over is not known before: leave it out")
            return
        if target is Target.DISARMED:
            self._check_disarming(table, partitions)
        if schedule is None or target is None or not partitions:
            return
        arming = ArmingSchedule(schedule=schedule, partitions=partitions, target=target, warn_s=warn_s, depends=depends)
        if self._claim_all(table, arming) and self._agrees(table, arming):
            self.arming.append(arming)

    def _read_partitions(self, table: Table) -> tuple[str, ...]:
        read = one_of(self.partitions, "partition")
        one = table.take("partition", read, None)
        several = table.take("partitions", listed(read), None)
        if "partition" in table and "partitions" in table:
            table.problems.add(table.at("partitions"), "stands beside partition: give one of the two")
        elif "partition" not in table and not table.tree.get("partitions"):
            table.problems.add(table.path, f"names no partition{suggest('', self.partitions)}")
        names = several or ([] if one is None else [one])
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            table.problems.add(table.at("partitions"), f"{', '.join(doubles)} is named twice")
        return tuple(dict.fromkeys(names))

    def _read_warnings(self, table: Table, target: Target | None) -> tuple[float, ...]:
        warn_s = table.take("warn", listed(duration(1, WARN_S_MAX)), [])
        if len(warn_s) > WARNINGS_MAX:
            table.problems.add(table.at("warn"), f"{len(warn_s)} warnings are too many: at most {WARNINGS_MAX}")
        if warn_s and target is Target.DISARMED:
            table.problems.add(table.at("warn"), "people are warned before arming, not before disarming: leave it out")
        return tuple(sorted(set(warn_s), reverse=True))

    def _read_timed(self, table: Table, partitions: tuple[str, ...]) -> Schedule | None:
        """Read trigger and policies; local times and the sun are those of the site."""
        names = {self.partitions[name].site for name in partitions}
        sites = [self.sites[name] for name in names if name in self.sites]
        zones = {site.timezone for site in sites}
        places = {(site.latitude, site.longitude) for site in sites}
        timezone = zones.pop() if len(zones) == 1 else self.defaults.timezone
        latitude, longitude = places.pop() if len(places) == 1 else (None, None)
        around = attrs.evolve(self.defaults, timezone=timezone, latitude=latitude, longitude=longitude, handler=HANDLER)
        schedule = read_schedule(table, around)
        if zones and "timezone" not in table and schedule is not None and own_zone(schedule.trigger) is not None:
            table.problems.add(
                table.at("timezone"),
                "is missing: the partitions lie in different time zones, so say whose time is meant",
            )
        return schedule

    def _check_owner(self, table: Table) -> None:
        owner = self.defaults.owner
        if table.tree.get("owner", owner) != owner:
            table.problems.add(table.at("owner"), f"what a file declares is owned by it, {owner}: leave it out")

    def _check_lane(self, table: Table, lane: str) -> None:
        """Keep the lanes of partitions for what arms them: another run in one would hold up an arm."""
        name = lane.removeprefix(LANE)
        if lane != name and name in self.partitions:
            whose = f"belongs to partition {name} and to the schedules that arm it"
            table.problems.add(table.at("lane"), f'"{lane}" {whose}: choose another')

    def _check_disarming(self, table: Table, partitions: tuple[str, ...]) -> None:
        """Refuse to disarm what never said it may be (A2.4)."""
        for name in partitions:
            if not self.partitions[name].allow_disarm:
                table.problems.add(
                    table.at("target"),
                    f'"disarmed" needs leave: add allow_disarm = true to [partition.{name}] if schedules may disarm it',
                )

    def _claim_all(self, table: Table, arming: ArmingSchedule) -> bool:
        """Claim the parent's name and those of the schedules that come of it."""
        name = arming.schedule.name
        made = [f"{name}/{partition}" for partition in arming.partitions]
        made += [one for child in made for one in warning_names(child, arming.warn_s)]
        for long in made:
            if NAME.fullmatch(long) is None:
                table.problems.add(
                    table.at("name"), f"{show(name)} is too long: {long} would have more than 63 characters"
                )
                return False
        return all(self._claim(table, each) for each in (name, *made))  # the first clash says it all

    def _claim(self, table: Table, name: str) -> bool:
        if name in self._names:
            table.problems.add(table.at("name"), f'"{name}" is taken by {self._names[name]}: choose another')
            return False
        self._names[name] = table.path
        return True

    def _agrees(self, table: Table, arming: ArmingSchedule) -> bool:
        """Refuse two schedules that want different things of one partition at the same instants (A4.4)."""
        line = self._wants.add(arming)
        if line is not None:
            table.problems.add(table.path, line)
        return line is None
