"""Live changes: what a running node takes over when its configuration is read again, and what waits for a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.config.writing import config_of, write
from tests.engine.nodes import NEVER_AGAIN, every, once, rows_of
from tests.making import a_run
from tests.world import a_node, in_virtual_time
from trioarm import (
    ConfigurationError,
    Container,
    Every,
    InMemoryScheduleRepository,
    Misfire,
    RunContext,
    Schedule,
    ScheduleQuery,
    Scheduler,
    SchedulerBootstrap,
    SchedulerConfig,
    SchedulerStopped,
    State,
    open_scheduler,
    scheduler_components,
)
from trioarm.arming.installation import Installation
from trioarm.bootstrap import open_store
from trioarm.config.keys import file_key, keys_of
from trioarm.config.layering import SECTIONS
from trioarm.core.alerts import AlertQuery
from trioarm.core.changes import Change, Verdict
from trioarm.core.events import ConfigChanged, SettingChange
from trioarm.core.instants import SECOND
from trioarm.core.queries import Retention
from trioarm.core.states import FINAL
from trioarm.engine.clock import VirtualClock
from trioarm.engine.executor import RunExecutor
from trioarm.engine.ports import Clock
from trioarm.live import NAMED_MAX, LiveConfig
from trioarm.repositories.sqlite import due, horizon


@attrs.frozen
class Node:
    """What a scenario looks at."""

    scheduler: Scheduler
    container: Container
    repository: Limits
    notes: list[object]

    async def rows(self, *names: str) -> list[Any]:
        """Return every row of the schedules of these names."""
        return await rows_of(self.repository, *(once(name) for name in names))


class Limits(InMemoryScheduleRepository):
    """A repository that remembers how much it was asked to forget at once."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []

    async def prune(self, retention: Retention) -> int:
        """Note the limit and forget."""
        self.limits.append(retention.limit)
        return await super().prune(retention)


Scenario = Callable[[Node], Awaitable[object]]


async def look_at_naps(node: Node) -> object:
    """How often an idle engine looks."""
    before = node.scheduler.metrics().passes
    await trio.sleep(1000)
    return round((node.scheduler.metrics().passes - before) / 10)


async def step(node: Node, seconds: float, misfire: Misfire) -> object:
    """What becomes of an occurrence that is noticed late."""
    await node.scheduler.schedules.put(once("late", 10, handler="quick", misfire=misfire))
    clock = node.container.get(Clock)
    assert isinstance(clock, VirtualClock)
    clock.step(seconds)
    await trio.sleep(20)
    (run,) = await node.rows("late")
    return run.state


async def look_at_tolerance(node: Node) -> object:
    """Whether 100 s are on time."""
    return await step(node, 100, Misfire.SKIP)


async def look_at_window(node: Node) -> object:
    """Whether two hours are too late."""
    return await step(node, 7200, Misfire.LATEST)


async def look_at_load(node: Node) -> object:
    """How many runs are claimed, and how many of them work."""
    await node.scheduler.schedules.put_many([once(f"hangs{index}", handler="hangs") for index in range(10)])
    await trio.sleep(11)
    metrics = node.scheduler.metrics()
    return metrics.queued, metrics.running


async def look_at_timeout(node: Node) -> object:
    """How long an attempt may take."""
    await node.scheduler.schedules.put(once("hangs", handler="hangs", retry=NEVER_AGAIN))
    await trio.sleep(60)
    (run,) = await node.rows("hangs")
    return run.state, run.finished_at


async def look_at_attempts(node: Node) -> object:
    """When a run that fails is tried again."""
    await node.scheduler.schedules.put(once("fails", handler="fails"))
    await trio.sleep(200)
    return None  # the handler notes when it is called


async def look_at_queue(node: Node) -> object:
    """How long a run waits for a worker."""
    await node.scheduler.schedules.put_many([once("hangs", handler="hangs"), once("waits", 20, handler="quick")])
    await trio.sleep(200)
    (run,) = await node.rows("waits")
    return run.state, run.finished_at


async def look_at_drain(node: Node) -> object:
    """How long a run may go on once the node stops."""
    await node.scheduler.schedules.put(once("hangs", handler="hangs"))
    await trio.sleep(11)
    return None  # the handler notes when it is cancelled


async def look_at_health(node: Node) -> object:
    """How often health is looked at."""
    await trio.sleep(3500)
    return len(await node.rows("trioarm/health"))


async def look_at_house(node: Node) -> object:
    """Whether its partitions are looked at within the hour, and whether people are told on the next morning."""
    await trio.sleep(3600)
    looks = len(await node.rows("trioarm/watch"))
    await trio.sleep(86400)
    return looks > 0, len(await node.rows("trioarm/report/home"))


async def look_at_hold(node: Node) -> object:
    """How often people are reminded of a hold within two days."""
    persons = node.container.get(Installation).persons
    await persons.hold("partition/house", by="ann")
    await trio.sleep(2 * 86400 + 1200)
    page = await node.scheduler.alerts.find(AlertQuery(states=None))
    return [row.alert.kind for row in page.rows if row.alert is not None].count("held")


async def look_at_age(node: Node) -> object:
    """Whether a run of two days ago is still known."""
    await node.scheduler.schedules.put(once("old", handler="quick"))
    await trio.sleep(2 * 86400)
    await pruned(node)
    return len(await node.rows("old"))


async def look_at_count(node: Node) -> object:
    """How many runs of a schedule are kept."""
    await node.scheduler.schedules.put(every("often", Every(60), handler="quick"))
    await trio.sleep(630)
    await pruned(node)
    return len(await node.rows("often"))


def look_at_state(state: State) -> Scenario:
    """How many runs that ended in a state are kept: of five, two of them older than a day."""

    async def look(node: Node) -> object:
        await node.scheduler.schedules.put(once("one", 30 * 86400, handler="quick"))
        record = await node.repository.get_schedule("one")
        assert record is not None
        for place in range(5):
            if place == 2:
                await trio.sleep(1.5 * 86400)
            now = node.container.get(Clock).now()
            ended = a_run(record, now, state=state, waiting_for=None, finished_at=now)
            assert await node.repository.commit([Change(decided=[ended])]) == [Verdict.DONE]
            await trio.sleep(1)
        await pruned(node)
        return len(await node.rows("one"))

    return look


async def look_at_chunk(node: Node) -> object:
    """How many rows are forgotten at once."""
    await pruned(node)
    return node.repository.limits[-1]


async def pruned(node: Node) -> None:
    """Let it forget now."""
    run = await node.scheduler.runs.fire("trioarm/prune")
    assert (await node.scheduler.runs.wait(run.id)).state is State.SUCCEEDED


async def look_at_histograms(node: Node) -> object:
    """Whether lateness is measured."""
    await node.scheduler.schedules.put(once("one", handler="quick"))
    await trio.sleep(20)
    return sum(count for _, count in node.scheduler.metrics().late_s)


async def look_at_dead_man(node: Node) -> object:
    """Whether there are signs of life, and how often."""
    stored = (await node.scheduler.schedules.find()).rows
    return [str(each.schedule.trigger) for each in stored if each.name == "trioarm/dead-man"]


URL = '"http://127.0.0.1:9/alive"'
FEW = "executor.max_concurrent = 1\nfeatures.advanced_retries = false\n"
HOUSE = 'site.home.timezone = "UTC"\npartition.house = { site = "home", panel = { kind = "virtual" } }\n'
SELDOM = 'scheduler.check_interval = "5m"\n'
CASES: dict[str, tuple[str, str, str, Scenario]] = {
    "scheduler.check_interval": ("", "300s", "10s", look_at_naps),
    "scheduler.tolerance": ("", "60s", "300s", look_at_tolerance),
    "scheduler.misfire_window": ("", "1h", "3h", look_at_window),
    "scheduler.max_concurrent": ("executor.max_concurrent = 2", "2", "5", look_at_load),
    "executor.max_concurrent": ("scheduler.max_concurrent = 9", "2", "5", look_at_load),
    "executor.timeout": ("", "5s", "20s", look_at_timeout),
    "executor.max_retries": (FEW, "0", "2", look_at_attempts),
    "executor.retry_delay_base": (FEW, "1s", "4s", look_at_attempts),
    "executor.retry_delay_max": (FEW, "1s", "30s", look_at_attempts),
    "executor.queue_timeout": (f"{FEW}scheduler.max_concurrent = 1\n", "30s", "90s", look_at_queue),
    "scheduler.drain": ("", "30s", "7s", look_at_drain),
    "scheduler.health_check_interval": ("", "3000s", "300s", look_at_health),
    "scheduler.retention": ("", "90d", "1d", look_at_age),
    "scheduler.retention_runs": ("", "10000", "3", look_at_count),
    **{f"history.{state}": (SELDOM, "90d", "1d", look_at_state(state)) for state in sorted(FINAL)},
    **{f"history.{state}_runs": (SELDOM, "10000", "3", look_at_state(state)) for state in sorted(FINAL)},
    "scheduler.chunk": ("", "10", "20", look_at_chunk),
    "features.performance_monitoring": ("", "true", "false", look_at_histograms),
    "arming.watch": (HOUSE, "60s", "0s", look_at_house),
    "arming.hold_reminder": (HOUSE, "0s", "24h", look_at_hold),
    "arming.report": (HOUSE, "off", "daily", look_at_house),
    "scheduler.dead_man_url": ("", "", URL, look_at_dead_man),
    "scheduler.dead_man_interval": (f"scheduler.dead_man_url = {URL}", "60s", "2m", look_at_dead_man),
}
OF_THE_LOG = {"log.level", "features.debug"}  # they are changed by whoever set up the log: see cli/test_reload.py


def file_of(rest: str, key: str, value: str) -> str:
    """Return a file that says little, and this of a key."""
    quoted = value if not value or value[0] == '"' or value in ("true", "false") or value.isdigit() else f'"{value}"'
    quiet = "" if key == "scheduler.health_check_interval" else 'scheduler.health_check_interval = "1h"\n'
    return f"{quiet}{rest}\n" + (f"{key} = {quoted}\n" if value else "")


def observed(folder: Path, scenario: Scenario, *files: str) -> object:
    """Return what a scenario sees of a node that starts with the first file and reads the others while it runs."""
    notes: list[object] = []

    async def quick(run: RunContext) -> None:
        await trio.lowlevel.checkpoint()

    async def hangs(run: RunContext) -> None:
        try:
            await trio.sleep(86400)
        finally:
            notes.append(round(trio.current_time()))

    async def fails(run: RunContext) -> None:
        notes.append(round(trio.current_time()))
        raise OSError("no")

    async def main() -> object:
        repository = Limits()
        config = config_of(folder, files[0])
        handlers = {"quick": quick, "hangs": hangs, "fails": fails}
        nap_s = config.scheduler.check_interval_s
        async with a_node(handlers, config, store=lambda _: repository, check_interval_s=nap_s) as (scheduler, its):
            for file in files[1:]:
                write(folder, file)
                await scheduler.reload()
            seen = await scenario(Node(scheduler, its, repository, notes))
        return seen, notes

    return in_virtual_time(main)


@pytest.mark.parametrize("key", CASES)
def test_a_live_change_is_as_good_as_a_restart(key: str, tmp_path: Path) -> None:
    """Read while the node runs, a live key does what it would have done from the start, and not what it did before."""
    rest, before, after, scenario = CASES[key]
    first, then = file_of(rest, key, before), file_of(rest, key, after)
    was = observed(tmp_path, scenario, first)
    becomes = observed(tmp_path, scenario, then)
    assert was != becomes
    assert observed(tmp_path, scenario, first, then) == becomes
    assert observed(tmp_path, scenario, then, first) == was


def test_every_live_key_is_looked_at() -> None:
    """There is no live key whose effect no test observes."""
    live = {
        f"{section}.{file_key(field, key)}"
        for section, settings in SECTIONS.items()
        for field, key in keys_of(settings).items()
        if key.live
    }
    assert live == set(CASES) | OF_THE_LOG | {"scheduler.horizon"}  # see below: it is one of a file


async def test_the_horizon_of_a_store_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload a store looks as far ahead as it is told now, as soon as another process has written into it."""
    looked_s: list[int] = []

    def load(connection: sqlite3.Connection, now: int, until_at: int) -> horizon.Loaded:
        looked_s.append((until_at - now) // SECOND)
        return horizon.load(connection, now, until_at)

    monkeypatch.setattr(due, "load", load)
    config = config_of(tmp_path, 'scheduler.horizon = "1h"\n')
    with trio.fail_after(20):
        async with open_scheduler(container=scheduler_components(config)) as scheduler:
            write(tmp_path, 'scheduler.horizon = "2h"\n')
            assert (await scheduler.reload()).settings == (SettingChange("scheduler.horizon", "1h", "2h"),)
            assert 7200 not in looked_s
            async with open_store(config) as other:
                await other.get(Scheduler).schedules.put(Schedule("theirs", Every(3600), handler="log"))
            while 7200 not in looked_s:  # noqa: ASYNC110
                await trio.sleep(0.01)


def test_the_tolerance_of_what_arms_is_live(tmp_path: Path) -> None:
    """A disarm that says nothing of its own is on time for as long as the node says now."""
    text = """
    [site.home]
    timezone = "UTC"
    [partition.house]
    site = "home"
    allow_disarm = true
    [[schedule]]
    name = "morning"
    partition = "house"
    target = "disarmed"
    weekly = { days = ["mon"], at = "06:30" }
    """

    async def body(scheduler: Scheduler, container: Container) -> None:
        assert (await scheduler.schedules.get("morning/house")).schedule.tolerance_s == 300
        write(tmp_path, text + '[scheduler]\ntolerance = "2m"\n')
        assert (await scheduler.reload()).changed == ("morning/house",)
        assert (await scheduler.schedules.get("morning/house")).schedule.tolerance_s == 120
        assert container.get(Installation).premises.on_time_s == 120

    node_of(tmp_path, text, body)


def node_of(folder: Path, text: str, body: Callable[[Scheduler, Container], Awaitable[None]], **handlers: Any) -> None:
    """Run a node of a file in virtual time while a body lasts."""

    async def main() -> None:
        async with a_node(handlers, config_of(folder, text)) as (scheduler, container):
            await body(scheduler, container)

    in_virtual_time(main)


async def never_ends(run: RunContext) -> None:
    """Hang until cancelled."""
    await trio.sleep_forever()


BEAT = '[[schedule]]\nname = "{}"\nhandler = "log"\nevery = "{}"\n'


def test_a_reload_returns_and_publishes_what_changed(tmp_path: Path) -> None:
    """Settings with both values, schedules by name, and what waits for the next start, in one event."""

    async def body(scheduler: Scheduler, container: Container) -> None:
        text = '[scheduler]\ndrain = "1m"\nauto_recovery = false\n'
        write(tmp_path, text + BEAT.format("same", "1h") + BEAT.format("new", "1h") + BEAT.format("other", "2h"))
        with scheduler.subscribe(ConfigChanged) as events:
            changed = await scheduler.reload()
            async for event in events:
                assert event == changed
                break
            assert changed == ConfigChanged(
                (SettingChange("scheduler.drain", "30s", "1m"),),
                added=("new",),
                changed=("other",),
                removed=("gone",),
                waiting=("scheduler.auto_recovery",),
            )
            assert (await scheduler.reload()).waiting == ("scheduler.auto_recovery",)
            stored = (await scheduler.schedules.find()).rows
            assert [each.name for each in stored if each.schedule.owner == "file:scheduler.toml"] == [
                "new",
                "other",
                "same",
            ]
            assert container.get(LiveConfig).config.scheduler.auto_recovery

    node_of(tmp_path, "".join(BEAT.format(name, "1h") for name in ("same", "other", "gone")), body)


def test_a_reload_that_finds_nothing_says_nothing(tmp_path: Path) -> None:
    """Where a file says what it said, nothing is published, and no schedule gets a revision."""

    async def body(scheduler: Scheduler, _: Container) -> None:
        before = await scheduler.schedules.get("beat")
        with scheduler.subscribe(ConfigChanged) as events:
            assert not await scheduler.reload()
            with trio.move_on_after(1):
                async for event in events:
                    raise AssertionError(event)
        assert await scheduler.schedules.get("beat") == before

    node_of(tmp_path, BEAT.format("beat", "1h"), body)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[scheduler]\ndrain = "1m"\n[executor]\ntimeout = "0s"\n', "executor.timeout: "),
        (
            '[scheduler]\ndrain = "1m"\n[[schedule]]\nname = "a"\nhandler = "lgo"\nevery = "1h"\n',
            'schedule "a".handler',
        ),
        ("=", "scheduler.toml: is not TOML"),
        (
            '[scheduler]\ndrain = "1m"\n' + BEAT.format("theirs", "1h"),
            "file:scheduler.toml: theirs: stored by somebody",
        ),
        ('[scheduler]\ndrain = "1m"\n' + BEAT.format("trioarm/health", "1h"), "stored by somebody else already"),
    ],
)
def test_what_is_wrong_changes_nothing(text: str, line: str, tmp_path: Path) -> None:
    """A file with a problem is refused as a whole: neither its settings nor its schedules are taken over."""

    async def body(scheduler: Scheduler, container: Container) -> None:
        await scheduler.schedules.put(once("theirs", 9999, handler="log"))
        before = (await scheduler.schedules.find()).rows
        write(tmp_path, text)
        with pytest.raises(ConfigurationError) as refused:
            await scheduler.reload()
        assert line in str(refused.value)
        assert (await scheduler.schedules.find()).rows == before
        assert container.get(LiveConfig).config.scheduler.drain_s == 30

    node_of(tmp_path, BEAT.format("beat", "1h"), body)


def test_schedules_mean_what_they_meant_until_the_restart_that_changes_it(tmp_path: Path) -> None:
    """What a file is read by is not live: another default zone waits, and so does what it would make of schedules."""
    daily = '[[schedule]]\nname = "{}"\nhandler = "log"\ncron = "0 5 * * *"\n'

    async def body(scheduler: Scheduler, _: Container) -> None:
        write(tmp_path, '[scheduler]\ntimezone = "Asia/Tokyo"\n' + daily.format("old") + daily.format("new"))
        changed = await scheduler.reload()
        assert (changed.added, changed.changed, changed.waiting) == (("new",), (), ("scheduler.timezone",))
        new = await scheduler.schedules.get("new")
        assert new.schedule.trigger.expression == "0 5 * * *"
        assert new.schedule.trigger.timezone == "Europe/Prague"

    node_of(tmp_path, '[scheduler]\ntimezone = "Europe/Prague"\n' + daily.format("old"), body)


def test_another_environment_waits_with_all_it_says(tmp_path: Path) -> None:
    """Until its restart a node goes on under the environment it started in, and takes over what that one says now."""
    text = """
    [scheduler]
    environment = "{}"
    [environment.a.scheduler]
    drain = "{}"
    [environment.b.scheduler]
    drain = "9s"
    """

    async def body(scheduler: Scheduler, _: Container) -> None:
        write(tmp_path, text.format("b", "2s"))
        changed = await scheduler.reload()
        assert changed.settings == (SettingChange("scheduler.drain", "1s", "2s"),)
        assert changed.waiting == ("scheduler.environment",)
        write(tmp_path, '[scheduler]\nenvironment = "b"\n[environment.b.scheduler]\ndrain = "9s"\n')
        with pytest.raises(ConfigurationError, match='what is said under "a", as this node runs, cannot be used'):
            await scheduler.reload()

    node_of(tmp_path, text.format("a", "1s"), body)


HOUSE = """
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
panel = { exit_delay = "EXIT" }
"""
NIGHT = (
    '[[schedule]]\nname = "{}"\npartition = "house"\ntarget = "armed_night"\nweekly = {{ days = ["mon"], at = "{}" }}\n'
)


def house(exit_delay: str, *nights: tuple[str, str]) -> str:
    """Return a file with one partition and schedules that arm it."""
    return HOUSE.replace("EXIT", exit_delay) + "".join(NIGHT.format(*night) for night in nights)


def test_schedules_that_arm_change_while_their_partitions_stay(tmp_path: Path) -> None:
    """An arming schedule is taken over like any other; what is desired of a partition follows it."""

    async def body(scheduler: Scheduler, _: Container) -> None:
        write(tmp_path, house("30s", ("evening", "23:30"), ("second", "03:00")))
        changed = await scheduler.reload()
        assert (changed.added, changed.changed, changed.waiting) == (("second/house",), ("evening/house",), ())
        assert (await scheduler.schedules.get("second/house")).next_due_at is not None

    node_of(tmp_path, house("30s", ("evening", "22:30")), body)


def test_other_partitions_wait_with_the_schedules_that_arm_them(tmp_path: Path) -> None:
    """Nothing is armed by half of a definition: while a partition differs, its schedules are those of the start."""

    async def body(scheduler: Scheduler, _: Container) -> None:
        text = house("45s", ("evening", "23:30")) + BEAT.format("beat", "1h")
        write(tmp_path, text)
        before = await scheduler.schedules.get("evening/house")
        changed = await scheduler.reload()
        assert changed.added == ("beat",)
        assert changed.waiting == ("partition.house", 'schedule "evening"')
        assert await scheduler.schedules.get("evening/house") == before
        write(tmp_path, house("45s") + BEAT.format("evening/house", "1h"))
        with pytest.raises(ConfigurationError, match="evening/house: the name is still that of a schedule that arms"):
            await scheduler.reload()

    node_of(tmp_path, house("30s", ("evening", "22:30")), body)


def test_what_stands_beside_the_file_is_read_alone(tmp_path: Path) -> None:
    """After `config set` only what it wrote is taken over; what a person is editing waits for a reload of all."""

    async def body(scheduler: Scheduler, container: Container) -> None:
        live = container.get(LiveConfig)
        write(tmp_path, '[executor]\ntimeout = "9s"\n' + BEAT.format("half", "1h"))
        write(tmp_path, '[scheduler]\ndrain = "1s"\n', "scheduler.local.toml")
        changed = await live.reload(local_only=True)
        assert changed == ConfigChanged((SettingChange("scheduler.drain", "30s", "1s"),))
        changed = await scheduler.reload()
        assert changed == ConfigChanged((SettingChange("executor.timeout", "5m", "9s"),), added=("half",))
        (tmp_path / "scheduler.local.toml").unlink()
        changed = await live.reload(local_only=True)
        assert changed.settings == (SettingChange("scheduler.drain", "1s", "30s"),)

    node_of(tmp_path, "", body)


async def test_a_configuration_of_code_has_nothing_to_be_read_again() -> None:
    """It says so, and the node goes on."""
    async with open_scheduler() as scheduler:
        with pytest.raises(ConfigurationError, match="made in code"):
            await scheduler.reload()
        assert scheduler.metrics()


async def test_the_store_that_a_program_names_waits_for_nothing(tmp_path: Path) -> None:
    """What `open_scheduler` was given still counts when the rest is read again."""
    config = config_of(tmp_path, "")
    async with open_scheduler("memory://", config=config) as scheduler:
        write(tmp_path, "[scheduler]\ndrain = 1\n")
        assert (await scheduler.reload()).waiting == ()


async def test_a_node_that_has_stopped_takes_nothing_over(tmp_path: Path) -> None:
    """Reloading what does not run is refused."""
    bootstrap = SchedulerBootstrap(config_of(tmp_path, ""))
    async with trio.open_nursery() as nursery:
        scheduler = await bootstrap.initialize(nursery)
        await bootstrap.stop()
        with pytest.raises(SchedulerStopped):
            await scheduler.reload()


def test_variables_are_read_again_too(tmp_path: Path) -> None:
    """A program that changes its environment changes its node."""
    environ = {"SCHEDULER_SHUTDOWN_TIMEOUT": "1000"}
    path = write(tmp_path, "")

    async def main() -> None:
        async with a_node((), SchedulerConfig.from_file(path, environ=environ)) as (scheduler, _):
            environ["SCHEDULER_SHUTDOWN_TIMEOUT"] = "2000"
            assert (await scheduler.reload()).settings == (SettingChange("scheduler.drain", "1s", "2s"),)

    in_virtual_time(main)


def test_two_reloads_at_once_take_turns(tmp_path: Path) -> None:
    """Asked for twice at once, the first takes over what there is and the second finds nothing."""
    found: list[ConfigChanged] = []

    async def body(scheduler: Scheduler, _: Container) -> None:
        async def reload() -> None:
            found.append(await scheduler.reload())

        write(tmp_path, BEAT.format("a", "1h") + BEAT.format("b", "1h"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload)
            nursery.start_soon(reload)

    node_of(tmp_path, BEAT.format("a", "1h"), body)
    assert sorted(len(changed.added) for changed in found) == [0, 1]


class TestPools:
    """`executor.max_concurrent` up and down, while handlers work."""

    @staticmethod
    def of(folder: Path, workers: int) -> None:
        write(folder, f"[executor]\nmax_concurrent = {workers}\n[scheduler]\nmax_concurrent = 50\n")

    def test_surplus_workers_end_after_their_runs(self, tmp_path: Path) -> None:
        """A smaller pool interrupts nothing, and from then on no more handlers run at once than it has workers."""
        spans: list[tuple[float, float]] = []

        async def work(run: RunContext) -> None:
            began = trio.current_time()
            await trio.sleep(10)
            spans.append((began, trio.current_time()))

        async def body(scheduler: Scheduler, container: Container) -> None:
            await scheduler.schedules.put_many([once(f"run{index}", 10) for index in range(20)])
            await trio.sleep(15)
            assert scheduler.metrics().running == 6
            self.of(tmp_path, 2)
            await scheduler.reload()
            smaller_at = trio.current_time()
            assert scheduler.metrics().running == 6
            await trio.sleep(200)
            assert len(spans) == 20
            later = [began for began, _ in spans if began >= smaller_at]
            assert len(later) == 14
            assert all(later.count(began) <= 2 for began in later)
            (pool,) = [pool for pool in container.get(RunExecutor).pools if pool.name == "default"]
            assert pool.workers == 2

        self.of(tmp_path, 6)
        node_of(tmp_path, (tmp_path / "scheduler.toml").read_text(), body, work=work)

    def test_idle_workers_go_home_at_once(self, tmp_path: Path) -> None:
        """A pool that is made smaller while it is idle runs no more than it should in the very next burst."""
        most, running = [0], [0]

        async def work(run: RunContext) -> None:
            running[0] += 1
            most[0] = max(most[0], running[0])
            await trio.sleep(5)
            running[0] -= 1

        async def body(scheduler: Scheduler, _: Container) -> None:
            await trio.sleep(1)
            for workers, expected in ((1, 1), (4, 4), (2, 2)):
                self.of(tmp_path, workers)
                await scheduler.reload()
                most[0] = 0
                now = (trio.current_time()) + 10
                await scheduler.schedules.put_many([once(f"run{workers}.{index}", now) for index in range(12)])
                await trio.sleep(100)
                assert most == [expected]

        self.of(tmp_path, 6)
        node_of(tmp_path, (tmp_path / "scheduler.toml").read_text(), body, work=work)

    def test_changed_twice_at_once_the_last_size_counts(self, tmp_path: Path) -> None:
        """Down and up again before anybody could go home leaves as many workers as were asked for last."""

        async def body(scheduler: Scheduler, container: Container) -> None:
            for workers in (1, 5, 2, 3):
                self.of(tmp_path, workers)
                await scheduler.reload()
            await trio.sleep(1)
            (pool,) = [pool for pool in container.get(RunExecutor).pools if pool.name == "default"]
            assert (pool.workers, pool.wanted) == (3, 3)

        self.of(tmp_path, 6)
        node_of(tmp_path, (tmp_path / "scheduler.toml").read_text(), body)

    def test_a_handler_with_workers_of_its_own_waits_for_nobody(self, tmp_path: Path) -> None:
        """With every other worker hanging it begins at its instant, and no more of it at once than it has workers; how
        many that are is live, and which handlers have some waits for the next start (S6.1)."""
        began: list[float] = []
        most, running = [0], [0]

        async def quick(run: RunContext) -> None:
            began.append(trio.current_time())
            running[0] += 1
            most[0] = max(most[0], running[0])
            await trio.sleep(5)
            running[0] -= 1

        async def body(scheduler: Scheduler, container: Container) -> None:
            hang = [once(f"hang{index}", 1, handler="hangs") for index in range(60)]
            await scheduler.schedules.put_many([*hang, *(once(f"q{index}", 10, handler="quick") for index in range(6))])
            start = trio.current_time()
            await trio.sleep(30)
            assert [at - start for at in began] == [10, 10, 15, 15, 20, 20]
            assert most == [2]
            write(tmp_path, "[handler.quick]\nworkers = 3\n[handler.hangs]\nworkers = 1\n")
            assert (await scheduler.reload()).waiting == ("handler.hangs",)
            await scheduler.schedules.put_many([once(f"r{index}", 40, handler="quick") for index in range(6)])
            await trio.sleep(30)
            assert [at - start for at in began[6:]] == [40, 40, 40, 45, 45, 45]
            assert most == [3]

        node_of(tmp_path, "[handler.quick]\nworkers = 2\n", body, quick=quick, hangs=never_ends)


def test_the_start_names_what_is_not_heeded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A node without advanced retries says so of the first few schedules that ask for them, and runs them (S6.4)."""
    entry = '[[schedule]]\nname = "s{}"\nhandler = "log"\nevery = "1h"\nretry = {{ strategy = "constant" }}\n'
    schedules = "".join(map(entry.format, range(NAMED_MAX + 3)))

    async def body(scheduler: Scheduler, _: Container) -> None:
        assert len((await scheduler.schedules.find(ScheduleQuery(prefix="s"))).rows) == NAMED_MAX + 3

    node_of(tmp_path, "[features]\nadvanced_retries = false\n" + schedules, body)
    said = [record.message for record in caplog.records if "not heeded" in record.message]
    assert [line.split(".retry")[0] for line in said] == [f'schedule "s{index}"' for index in range(NAMED_MAX)]
    caplog.clear()
    node_of(tmp_path, schedules, body)
    assert not [record for record in caplog.records if "not heeded" in record.message]
