"""A week in which everything meets: conditions, exceptions, holds, what people skip and postpone, kills and the clock.

What a partition should be is worked out here from the timeline and from what became of each run, and held against what
its panel reports, what is on record and what people were told. WEEKS=40 plays forty of them; otherwise three.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from trio.testing import MockClock

from tests.arming.houses import PRAGUE, audit_of
from tests.arming.test_week_by_hand import Week, _is_persons
from tests.config.writing import config_of
from trioarm.arming.audit import DONE, OBSERVED, SCHEDULE, AuditEntry
from trioarm.arming.compile import DEPENDS
from trioarm.arming.installation import Installation
from trioarm.arming.timeline import Desired, desired
from trioarm.core.alerts import AlertQuery, AlertState
from trioarm.core.errors import TrioarmError
from trioarm.core.instants import DAY, HOUR, MINUTE, instant
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import Run
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State
from trioarm.testing import World, a_world

SEEDS: Final = range(int(os.environ.get("WEEKS", "3")))
NEVER_OPENED: Final = ("garage",)
BACK_MAX: Final = 100  # occurrences that are looked back to
SENDS_MAX: Final = 3
HOUSES: Final = """
[site.home]
timezone = "Europe/Prague"
[site.works]
timezone = "Europe/Prague"
[arming]
watch = "120s"
[partition.house]
site = "home"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "20s" }
[partition.garage]
site = "home"
panel = { kind = "virtual", exit_delay = "20s" }
[partition.shop]
site = "works"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "20s" }
[partition.office]
site = "works"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "20s" }
[condition.shop_is_closed]
kind = "partition"
partition = "shop"
yes = ["armed_away", "armed_night"]
[condition.house_is_open]
kind = "partition"
partition = "house"
yes = ["disarmed"]
[[schedule]]
name = "night"
partitions = ["house", "garage"]
target = "armed_night"
cron = "30 22 * * *"
warn = ["15m", "5m"]
tags = ["evening"]
[[schedule]]
name = "day"
partitions = ["house", "garage"]
target = "armed_away"
cron = "10 8 * * mon-fri"
not_if = "house_is_open"
otherwise = "armed_home"
warn = ["10m"]
[[schedule]]
name = "up"
partition = "house"
target = "disarmed"
cron = "45 6 * * *"
[[schedule]]
name = "opens"
partitions = ["shop", "office"]
target = "disarmed"
cron = "0 7 * * mon-fri"
[[schedule]]
name = "shuts"
partitions = ["shop", "office"]
target = "armed_away"
cron = "0 19 * * *"
warn = ["15m"]
[[schedule]]
name = "also-shuts"
partition = "office"
target = "armed_night"
cron = "0 19 * * mon-fri"
[[schedule]]
name = "late"
partition = "office"
target = "armed_night"
cron = "30 2 * * *"
only_if = "shop_is_closed"
[[exception]]
on = "2025-03-27..2025-03-28"
tag = "evening"
at = "23:45"
note = "guests"
[[exception]]
on = "2025-03-29T10:00..2025-03-30T18:00"
site = "works"
vacation = true
"""


Runs: TypeAlias = dict[tuple[str, int], Run]  # by schedule and occurrence


class WeekOfEverything(Week):
    """A week of four partitions in which people also hold, skip, postpone and fire."""

    def __init__(self, world: World, seed: int, folder: Path) -> None:
        super().__init__(world, seed)
        self.config = config_of(folder, HOUSES)

    async def happen(self) -> None:
        """Let one thing happen."""
        match self.chance.choice(("as before", "hold", "release", "skip", "postpone", "fire")):
            case "hold":
                on = self.chance.choice(("site/works", "partition/house", "partition/garage"))
                until_at = self.chance.choice((None, self.world.wall() + self.chance.randrange(HOUR, 12 * HOUR)))
                await self.installation.persons.hold(on, by="ann", until_at=until_at)
            case "release":
                for on in ("site/works", "partition/house", "partition/garage"):
                    await self.installation.persons.release(on, by="ann")
            case "skip" | "postpone" | "fire" as what:
                with suppress(TrioarmError):  # it is too late for that, or was done too often: whoever asked is told
                    await self.amend(what)
            case _:
                await super().happen()

    @property
    def installation(self) -> Installation:
        """What arming is in the node that lives."""
        return self.world.living[0].container.get(Installation)

    async def amend(self, what: str) -> None:
        """Let somebody skip, postpone or fire something."""
        commands, runs = self.world.scheduler.schedules, self.world.scheduler.runs
        names = [one.name for one in self.installation.schedules if "target" in one.args]
        name = self.chance.choice(sorted(names))
        if what == "fire":
            await runs.fire(name, author="ann")
            return
        stored = await commands.get(name)
        if stored.next_due_at is None:
            return
        next_at = instant(stored.next_due_at)
        if what == "skip":
            await commands.skip(name, next_at, author="ann")
        else:
            until = next_at + self.chance.randrange(MINUTE, 2 * HOUR)
            await commands.postpone(name, next_at, until=until, author="ann")

    async def hold_to_the_rule(self) -> None:
        """Look at every partition, unless something is due at this very moment."""
        self.seen_at = max(self.seen_at, self.world.wall())
        audit = await audit_of(self.world)
        page = await self.world.scheduler.alerts.find(AlertQuery(states=None, limit=PAGE_MAX))
        told = {one.alert.subject for one in page.rows if one.alert is not None and one.state is AlertState.OPEN}
        runs = await self.runs()
        schedules = self.installation.schedules
        for name in self.config.premises.partitions:
            found, run = self.latest(schedules, name, runs)
            if found is None or run is None:
                continue
            own = [entry for entry in audit if entry.partition == name]
            state = (await self.panel(name).read_state()).state
            because = (name, found, run.id, run.state, run.reason, state, own[-3:])
            made = found.target.value if run.state is not State.SUCCEEDED else str(reported(run))
            if self.world.wall() == self.seen_at:
                shown = await self.installation.desired(name)
                assert shown is not None, because
                assert (shown.schedule, shown.target.value) == (found.schedule, made), because
            if run.state is State.OVERRIDDEN:
                assert any(entry.correlation == run.id for entry in own), because
                continue
            as_wanted = state.value == made
            assert as_wanted or f"partition/{name}" in told or _is_persons(own, state) or was_fired(own), because
            if run.state is State.SUCCEEDED:
                [depends] = [one.args.get(DEPENDS) for one in schedules if one.name == found.schedule]
                targets = {found.target.value, depends.get("otherwise") if isinstance(depends, dict) else None}
                assert made in targets, because
        self.quiet += 1

    async def runs(self) -> Runs:
        """Return what became of each occurrence; what somebody fired is none."""
        found: dict[tuple[str, int], Run] = {}
        after = None
        while True:
            page = await self.world.scheduler.runs.find(RunQuery(handler="arm", limit=PAGE_MAX, after=after))
            for run in page.rows:
                if not run.id.endswith("+manual"):
                    found[run.schedule, instant(run.nominal_at)] = run
            if page.next is None:
                return found
            after = page.next

    def latest(self, schedules: Sequence[Schedule], name: str, runs: Runs) -> tuple[Desired | None, Run | None]:
        """Return the latest occurrence that says what a partition should be, and its run; None where none does."""
        passed: dict[str, int] = {}
        for _ in range(BACK_MAX):
            found = desired(schedules, name, self.seen_at, passed)
            if found is None or not self.began_at < found.since_at:
                return None, None
            if found.since_at >= self.seen_at - 3 * MINUTE:
                return None, None  # it has hardly come due
            run = runs.get((found.schedule, found.since_at))
            left = run is not None and run.state is State.OVERRIDDEN and run.reason is Reason.CONDITION
            if run is not None and not left and run.state not in (State.SKIPPED, State.PENDING, State.SUPERSEDED):
                return found, run
            passed[found.schedule] = found.since_at
        return None, None


def reported(run: Run) -> object:
    """Return what a run made of its partition, as its result says."""
    assert isinstance(run.result, dict)
    return run.result["reported"]


def was_fired(entries: Sequence[AuditEntry]) -> bool:
    """Whether the last change on record is that of a run that somebody fired."""
    last = next((entry for entry in reversed(entries) if entry.verb in (*DONE, OBSERVED)), None)
    return last is not None and last.correlation.endswith("+manual")


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_week_of_everything(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    """Nothing in silence, no disarm outside policy, no more than three commands for anything (A2.3, A2.4, A3.2, A4)."""
    async with a_world(start_at="2025-03-25 12:00", zone=PRAGUE, seed=seed) as world:
        week = WeekOfEverything(world, seed, tmp_path)
        await world.start(config=week.config)
        end = world.wall() + 7 * DAY
        await week.settle()
        while world.wall() < end:
            await world.advance(week.chance.uniform(0, 4 * 3600))
            await week.happen()
            await week.settle()
            await week.hold_to_the_rule()
        assert week.quiet > 20
        audit = await audit_of(world)
        by_schedules = [entry for entry in audit if entry.actor.startswith(SCHEDULE)]
        assert not [one for one in by_schedules if one.verb == "disarm" and one.partition in NEVER_OPENED]
        sends = Counter[int](int(one.reason.split()[0]) for one in by_schedules if one.reason[:1].isdigit())
        assert sends
        assert max(sends) <= SENDS_MAX
