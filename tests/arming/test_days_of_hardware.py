"""Days of panels that are cut off, drop commands, lose answers and say little, on nodes that are killed and a store
that fails: what trioarm did to each is judged by what the panel itself remembers, and by nothing that trioarm keeps.

WEEKS=40 in the environment plays that forty times; otherwise twice.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Final

import attrs
import pytest
from trio.testing import MockClock

from tests.arming.hardware import Deed, Hardware, Says
from tests.arming.houses import EVERY_DAY, PRAGUE, a_config, audit_of
from tests.arming.premises import AWAY, DISARMED, HOME, NIGHT, a_partition, arming
from trioarm.arming.alerts import AlertKind
from trioarm.arming.installation import Installation
from trioarm.arming.model import Reported, Target, VirtualPanel
from trioarm.arming.panels.base import OURSELVES
from trioarm.config import SchedulerConfig
from trioarm.core.alerts import AlertQuery
from trioarm.core.errors import TrioarmError
from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.states import ACTIVE
from trioarm.core.triggers import Trigger, Weekly
from trioarm.testing import Fault, World, a_world

SEEDS: Final = range(int(os.environ.get("WEEKS", "2")))
PANELS: Final = {"house": Says.ALL, "shed": Says.WHO, "shop": Says.NOTHING, "garage": Says.NOTHING}
WATCHED: Final = ("house", "shop")
PHYSICAL: Final = {"shop": "hall", "garage": "hall"}  # partitions of one panel
GAP_S: Final = 2.0  # between two commands to one panel
GAP: Final = round(GAP_S * SECOND)
NEVER_OPENED: Final = ("garage",)
WORKDAYS: Final = EVERY_DAY[:5]
AT_PANELS: Final = ("person", "person here", "away", "away", "drops", "loses", "lags", "zone", "alarm")
TO_NODES: Final = ("kill", "kill in a command", "outage", "faults", "faults", "skip", "postpone", "hold")
HAPPENINGS: Final = AT_PANELS + TO_NODES
LATE_DISARM: Final = 15 * MINUTE
IN_FLIGHT: Final = 15 * SECOND  # that a command may be on its way when something happens that speaks against it
SENDS_MAX: Final = 3
SETTLED: Final = 10 * MINUTE  # after which what came due is done, or somebody is told
UNHEARD: Final = 30 * MINUTE  # after which somebody is told of a panel that does not answer


def at(time: str, days: tuple[str, ...] = EVERY_DAY) -> Weekly:
    """Return a time of day in Prague."""
    return Weekly(days, time, PRAGUE)


SCHEDULES: Final[dict[str, tuple[Target, Trigger, tuple[str, ...]]]] = {
    "night": (NIGHT, at("22:30"), ("house", "shed", "garage")),
    "day": (AWAY, at("08:10", WORKDAYS), ("house", "garage")),
    "home": (HOME, at("17:30"), ("house",)),
    "up": (DISARMED, at("06:45"), ("house", "shed")),
    "opens": (DISARMED, at("07:00", WORKDAYS), ("shop",)),
    "shuts": (AWAY, at("19:00"), ("shop", "garage")),
    "late": (NIGHT, at("02:30"), ("shop",)),
}


def the_config() -> SchedulerConfig:
    """Return partitions whose panels are hardware, and what is scheduled for them."""
    panel = VirtualPanel(exit_delay_s=20)
    partitions = tuple(
        a_partition(name, allow_disarm=name not in NEVER_OPENED, panel=panel, min_gap_s=GAP_S) for name in PANELS
    )
    schedules = [arming(name, target, when, *where) for name, (target, when, where) in SCHEDULES.items()]
    return a_config(*schedules, partitions=partitions, watch_s=240.0)


@attrs.frozen(kw_only=True)
class Occurrence:
    """Something that came due for a partition.

    Args:
        due_at: when it might begin: its instant, or as much later as somebody postponed it.
        nominal_at: its instant.
        target: what the partition was to become.
    """

    due_at: int
    nominal_at: int
    target: Target


@attrs.frozen(kw_only=True)
class Held:
    """A hold of a partition, as whoever held it knows it."""

    name: str
    since_at: int
    until_at: int


class Days:
    """Whatever a seed lets happen."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.config = the_config()
        self.began_at = world.wall()
        self.panels = {
            name: Hardware(PHYSICAL.get(name, name), world.wall, says, name in WATCHED) for name, says in PANELS.items()
        }
        world.panels.update(self.panels)
        self.skipped: set[tuple[str, int]] = set()
        self.postponed: dict[tuple[str, int], int] = {}
        self.holds: list[Held] = []
        self.as_wanted = self.excused = 0

    @property
    def installation(self) -> Installation:
        """What arming is in the node that lives."""
        return self.world.living[0].container.get(Installation)

    # What happens

    async def happen(self) -> None:
        """Let one thing happen."""
        world, chance = self.world, self.chance
        for each in self.panels.values():
            if each.state is Reported.TRIGGERED and chance.random() < 0.7:
                each.by_hand(DISARMED)
            if chance.random() < 0.3:
                each.heal()
        name = chance.choice(sorted(PANELS))
        panel = self.panels[name]
        match chance.choice(HAPPENINGS):
            case "person":
                panel.by_hand(chance.choice((AWAY, NIGHT, HOME, DISARMED)))
            case "person here":
                with suppress(TrioarmError):  # it cannot be reached, or is in alarm: who asked is told
                    await self.installation.persons.arm(name, chance.choice((AWAY, DISARMED)), by="ann", confirm=False)
            case "away":
                panel.away = True
            case "drops":
                panel.drops = chance.randrange(1, 5)
            case "loses":
                panel.loses = chance.randrange(1, 3)
            case "lags":
                panel.lag_s = chance.uniform(0, 8)
            case "zone":
                panel.open_zones = chance.choice(((), ("door",)))
            case "alarm":
                panel.alarm()
            case "kill":
                async with world.outage():
                    pass
            case "kill in a command":
                await self.to_the_next_occurrence()
                await world.advance(chance.uniform(0, 40))
                async with world.outage():
                    await world.advance(chance.uniform(0, 60))
            case "outage":
                async with world.outage():
                    await world.advance(chance.uniform(0, 6 * 3600))
                    if chance.random() < 0.5:
                        panel.by_hand(chance.choice((AWAY, NIGHT, DISARMED)))
                    await world.advance(chance.uniform(0, 3600))
            case "faults":
                await self.to_the_next_occurrence(SECOND)
                for _ in range(chance.randrange(1, 6)):
                    call = chance.choice(("commit", "commit", "commit", "get_document", "find_runs", "read_due"))
                    world.plant(chance.choice(list(Fault)), call, nth=chance.randrange(1, 25))
                await world.advance(180)
                world.faults.clear()
            case "skip" | "postpone" as what:
                await self.amend(what, name)
            case "hold":
                await self.hold(name)

    async def to_the_next_occurrence(self, before: int = 0) -> None:
        """Let time pass until something is to be armed or disarmed, or shortly before."""
        now = self.world.wall() + before
        coming = [due for _, when, _ in SCHEDULES.values() if (due := when.next_after(now)) is not None]
        await self.world.advance((min(coming) - before - self.world.wall()) / SECOND)

    async def amend(self, what: str, partition: str) -> None:
        """Let somebody skip or postpone the next occurrence of a schedule of a partition."""
        name = self.chance.choice([name for name, (_, _, where) in SCHEDULES.items() if partition in where])
        single = f"{name}/{partition}" if len(SCHEDULES[name][2]) > 1 else name
        next_at = SCHEDULES[name][1].next_after(self.world.wall())
        assert next_at is not None
        key, until_at = (single, next_at), next_at + self.chance.randrange(MINUTE, HOUR)
        schedules = self.world.scheduler.schedules
        try:
            if what == "skip":
                await schedules.skip(single, next_at, author="ann")
                self.skipped.add(key)
                self.postponed.pop(key, None)
            else:
                await schedules.postpone(single, next_at, until=until_at, author="ann")
                self.postponed[key] = until_at
                self.skipped.discard(key)
        except TrioarmError:  # it is too late for that, or was skipped, or would pass the next: whoever asked is told
            return

    async def hold(self, name: str) -> None:
        """Let somebody hold a partition for some hours."""
        since_at = self.world.wall()
        until_at = since_at + self.chance.randrange(HOUR, 8 * HOUR)
        await self.installation.persons.hold(f"partition/{name}", by="ann", until_at=until_at)
        self.holds = [one for one in self.holds if one.name != name or one.until_at <= since_at] + [
            Held(name=name, since_at=since_at, until_at=until_at)
        ]

    async def settle(self) -> None:
        """Let time pass until no run is under way that its panel does not keep waiting."""
        running = RunQuery(handler="arm", states=ACTIVE, limit=PAGE_MAX)
        for _ in range(5):
            await self.world.advance(200)
            if not (await self.world.scheduler.runs.find(running)).rows:
                return

    # What must hold

    def occurrences(self, partition: str, until_at: int) -> Iterator[Occurrence]:
        """Yield what came due for a partition since they began, in order."""
        found: list[Occurrence] = []
        for name, (target, when, where) in SCHEDULES.items():
            nominal_at = when.next_after(self.began_at) if partition in where else None
            while nominal_at is not None and nominal_at <= until_at:
                key = (f"{name}/{partition}" if len(where) > 1 else name, nominal_at)
                due_at = self.postponed.get(key, nominal_at)
                if key not in self.skipped and due_at <= until_at:
                    found.append(Occurrence(due_at=due_at, nominal_at=nominal_at, target=target))
                nominal_at = when.next_after(nominal_at)
        yield from sorted(found, key=lambda one: one.nominal_at)

    def judge_commands(self) -> int:
        """Look at every command that a panel had from a schedule, and return how many they were."""
        count = 0
        for name, panel in self.panels.items():
            sent: dict[int, int] = {}
            for deed in panel.deeds:
                if deed.by == OURSELVES:
                    count += 1
                    self.judge(name, panel, deed, sent)
        return count

    def judge(self, name: str, panel: Hardware, deed: Deed, sent: dict[int, int]) -> None:
        """Hold a command to the rules.

        Args:
            sent: how many commands each occurrence has had so far.
        """
        shown = (name, deed, panel.deeds[max(0, panel.deeds.index(deed) - 3) : panel.deeds.index(deed)])
        due = list(self.occurrences(name, deed.at))
        assert due, shown
        newest = due[-1]
        if deed.target is not newest.target and deed.at - newest.due_at <= IN_FLIGHT and len(due) > 1:
            newest = due[-2]
        assert deed.target is newest.target, ("of an older occurrence", shown, newest)
        if deed.target is DISARMED:
            assert name not in NEVER_OPENED, ("never opened", shown)
            assert deed.at <= newest.due_at + LATE_DISARM + IN_FLIGHT, ("too late", shown, newest)
        sent[newest.nominal_at] = sent.get(newest.nominal_at, 0) + 1
        assert sent[newest.nominal_at] <= SENDS_MAX, ("too often", shown, newest)
        if deed.before is Reported.TRIGGERED:
            alarm_at = next(one.at for one in reversed(panel.deeds) if one.at <= deed.at and one.target is None)
            assert deed.at - alarm_at <= IN_FLIGHT, ("in alarm", shown)
        if panel.says is Says.ALL:
            by_people = [one for one in panel.deeds if one.by != OURSELVES and one.changes]
            since = [one for one in by_people if newest.due_at < one.at < deed.at - IN_FLIGHT]
            assert not since, ("after a person", shown, newest, since)
        held = [one for one in self.holds if one.name == name and one.since_at + IN_FLIGHT < deed.at < one.until_at]
        assert not held, ("held", shown, held)

    def judge_gaps(self) -> None:
        """Look whether each physical panel had time between two commands, whichever partition they were for (A3.8)."""
        for physical in {panel.name for panel in self.panels.values()}:
            deeds = [deed for panel in self.panels.values() if panel.name == physical for deed in panel.deeds]
            sent = sorted(deed.at for deed in deeds if deed.by in (OURSELVES, "ann"))
            for before, after in pairwise(sent):
                assert after - before >= GAP, (
                    physical,
                    before,
                    after,
                    [one for one in deeds if one.at in (before, after)],
                )

    async def judge_states(self) -> None:
        """Look at every partition: it is as it should be, or a person made it so, or people are told."""
        now = self.world.wall()
        page = await self.world.scheduler.alerts.find(AlertQuery(limit=PAGE_MAX))
        told = [one.alert for one in page.rows if one.alert is not None]
        for name, panel in self.panels.items():
            due = list(self.occurrences(name, now))
            if not due or now - due[-1].due_at < SETTLED:
                continue
            newest = due[-1]
            last = next((one for one in reversed(panel.deeds) if one.by != OURSELVES and one.changes), None)
            since = [one for one in told if one.subject == f"partition/{name}" and one.raised_at >= newest.nominal_at]
            silent = [one for one in told if one.subject == f"partition/{name}" and one.kind == AlertKind.PANEL_SILENT]
            if panel.state.value == newest.target.value:
                self.as_wanted += 1
            elif since or (silent and panel.away) or (last is not None and last.at > newest.nominal_at):
                self.excused += 1
            elif panel.away and now - newest.due_at < UNHEARD:
                continue
            else:
                was_held = any(one.name == name and one.until_at > newest.due_at > one.since_at for one in self.holds)
                audit = [one for one in await audit_of(self.world) if one.partition == name][-4:]
                assert was_held, ("in silence", name, newest, panel.state, panel.deeds[-4:], audit)


@pytest.mark.parametrize("seed", SEEDS)
async def test_days_of_hardware(autojump_clock: MockClock, seed: int) -> None:
    """Nothing is commanded that should not be, and nothing that should be is left out in silence (A2, A3)."""
    async with a_world(start_at="2025-03-27 12:00", zone=PRAGUE, seed=seed) as world:
        days = Days(world, seed)
        await world.start(config=days.config)
        end = world.wall() + 5 * DAY  # with a change of offset in them
        while world.wall() < end:
            await world.advance(days.chance.uniform(0, 3 * 3600))
            await days.happen()
            await days.settle()
            await days.judge_states()
        for panel in days.panels.values():
            panel.heal()
        await world.advance(26 * 3600)
        await days.judge_states()
        assert days.judge_commands() > 15
        days.judge_gaps()
        assert days.as_wanted > 20
