"""Alerts on a node: raised with their cause, told once, closed by people, and forgotten in the end (S6.9)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.core.test_alerts import an_alert
from tests.world import a_node, in_virtual_time
from trioarm import (
    AlertQuery,
    AlertState,
    Closing,
    Discard,
    InMemoryScheduleRepository,
    RepositoryError,
    RunContext,
    Scheduler,
    ScheduleRepository,
    Severity,
    State,
    StoredAlert,
    UnknownAlert,
)
from trioarm.core.alerts import NAMESPACE, Alert, alert_id, changing, raising
from trioarm.core.changes import AppendJournal, Change, Finished, PutDocument, Verdict
from trioarm.core.instants import DAY, HOUR
from trioarm.core.states import Step
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.clock import VirtualClock

from .nodes import NEVER_AGAIN, a_config, at, keeping, once, rows_of
from .test_faults import Faulty, deciding, finishing

LATE = once("late", -2 * 3600)  # older than its window when the node opens
UNREADABLE = PutDocument(NAMESPACE, "odd", 0, {"kind": 7})


def complaints(change: Change) -> Sequence[PutDocument]:
    """Be a rule that complains of every missed decision and every failure."""
    runs = [run for run in change.decided if run.state is State.MISSED]
    runs += [step.run for step in change.steps if isinstance(step, Finished) and step.step is Step.FAIL]
    return [raising(alert_id("work", "bad", run), an_alert(subject="work", kind="bad")) for run in runs]


async def keep(repository: ScheduleRepository, *steps: PutDocument) -> None:
    """Keep documents."""
    assert await repository.commit([Change(documents=steps)]) == [Verdict.DONE]


async def nothing(run: RunContext) -> None:
    """Do nothing."""


def test_a_decision_and_its_alert_are_one_transaction(caplog: pytest.LogCaptureFixture) -> None:
    """What planning decides without asking anybody raises its alert with the decision: logged once, and counted."""
    repository = InMemoryScheduleRepository()

    async def main() -> None:
        async with a_node({"work": nothing}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(LATE)
            await trio.sleep(10)
            (run,) = await rows_of(repository, LATE)
            assert run.state is State.MISSED
            (found,) = (await scheduler.alerts.find()).rows
            assert found == StoredAlert("work:bad#3@2026-11-23T20:00:00Z", an_alert(subject="work", kind="bad"))
            assert scheduler.metrics().alerts == {Severity.ERROR: 1}

    in_virtual_time(main)
    assert [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "trioarm.alert"] == [
        (logging.ERROR, "work: not armed")
    ]


def test_a_decision_does_not_wait_for_an_alert_that_exists(caplog: pytest.LogCaptureFixture) -> None:
    """An alert that is refused is given up, so that the decision is made all the same, and nothing is told twice."""
    repository = InMemoryScheduleRepository()

    async def main() -> None:
        await keep(repository, raising("work:bad#3@2026-11-23T20:00:00Z", an_alert(text="an older one")))
        async with a_node({"work": nothing}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(LATE)
            await trio.sleep(10)
            (run,) = await rows_of(repository, LATE)
            assert run.state is State.MISSED
            assert scheduler.metrics().alerts == {}

    in_virtual_time(main)
    assert "trioarm.alert" not in {record.name for record in caplog.records}


def test_an_outcome_and_its_alert_are_one_transaction() -> None:
    """A failure raises the alert of the rule, beside what its handler keeps (S6.9)."""
    repository = InMemoryScheduleRepository()

    async def work(run: RunContext) -> None:
        run.keep(raising(run.alert_id("work", "own"), an_alert(subject="work", kind="own", severity=Severity.WARNING)))
        raise Discard("no use")

    async def main() -> None:
        schedule = once(retry=NEVER_AGAIN)
        async with a_node({"work": work}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(20)
            found = (await scheduler.alerts.find()).rows
            assert [alert.id.partition("#")[0] for alert in found] == ["work:bad", "work:own"]
            assert scheduler.metrics().alerts == {Severity.ERROR: 1, Severity.WARNING: 1}

    in_virtual_time(main)


def test_there_is_no_alert_without_its_outcome() -> None:
    """While a store cannot keep how a run ended, it keeps no alert of it either (S6.9)."""
    repository = Faulty(finishing, Verdict.UNKNOWN, kept=False, times=1_000)

    async def work(run: RunContext) -> None:
        raise Discard("no use")

    async def main() -> None:
        async with a_node({"work": work}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(once(retry=NEVER_AGAIN))
            await trio.sleep(20)
            await _alert_comes_once_it_is_kept(scheduler, repository)

    in_virtual_time(main)


def test_there_is_no_alert_without_its_decision() -> None:
    """Nor while it cannot keep that an occurrence was missed (S6.9)."""
    repository = Faulty(deciding, Verdict.UNKNOWN, kept=False, times=1_000)

    async def main() -> None:
        async with a_node({"work": nothing}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(LATE)
            await trio.sleep(10)
            await _alert_comes_once_it_is_kept(scheduler, repository)

    in_virtual_time(main)


async def _alert_comes_once_it_is_kept(scheduler: Scheduler, repository: Faulty) -> None:
    assert repository.struck
    assert (await scheduler.alerts.find()).rows == []
    repository.left = 0
    await trio.sleep(2)
    assert len((await scheduler.alerts.find()).rows) == 1


def test_an_outcome_outlives_documents_that_somebody_else_changed(caplog: pytest.LogCaptureFixture) -> None:
    """What no longer fits is left out and named; the outcome, the journal and what fits are kept."""
    repository = InMemoryScheduleRepository()

    async def work(run: RunContext) -> None:
        run.keep(PutDocument("mine", "free", 0, {"kept": True}))
        run.keep(PutDocument("mine", "taken", 0, {"kept": True}))
        run.keep(AppendJournal("mine", {"done": True}, at(10)))
        await keep(repository, PutDocument("mine", "taken", 0, {"kept": False}))

    async def main() -> None:
        schedule = once()
        async with a_node({"work": work}, store=keeping(repository), rule=complaints) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(20)
            (run,) = await rows_of(repository, schedule)
            assert (run.state, run.attempt) == (State.SUCCEEDED, 1)

    in_virtual_time(main)

    async def look() -> None:
        documents = await repository.list_documents("mine")
        assert [(document.key, document.body["kept"]) for document in documents] == [("free", True), ("taken", False)]
        assert len(await repository.read_journal("mine")) == 1

    trio.run(look)
    assert "1 of its documents were changed by somebody else" in caplog.text


def test_a_handler_that_keeps_nonsense_as_an_alert_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is kept, shown as unreadable, and told of as that."""
    repository = InMemoryScheduleRepository()

    async def work(run: RunContext) -> None:
        run.keep(UNREADABLE)

    async def main() -> None:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once("one", 10), once("two", 20)])
            await trio.sleep(30)
            assert [run.state for run in await rows_of(repository, once("one"), once("two"))] == [State.SUCCEEDED] * 2
            (found,) = (await scheduler.alerts.find()).rows
            assert found.state is AlertState.UNREADABLE

    in_virtual_time(main)
    assert "an alert was raised that cannot be understood" in caplog.text


# What people do


@attrs.define
class Desk:
    """Alerts, and somebody who looks after them."""

    repository: InMemoryScheduleRepository
    clock: VirtualClock
    alerts: AlertCommands

    async def ids(self, **query: object) -> list[str]:
        """Return the ids a question finds, page after page."""
        found: list[str] = []
        after: str | None = None
        while True:
            page = await self.alerts.find(AlertQuery(after=after, **query))
            found += [alert.id for alert in page.rows]
            after = page.next
            if after is None:
                return found


@pytest.fixture
async def desk() -> Desk:
    """Return alerts, none of them raised yet."""
    repository, clock = InMemoryScheduleRepository(), VirtualClock(at(0), trio_start=trio.current_time())
    return Desk(repository, clock, AlertCommands(repository, clock))


async def test_an_acknowledged_alert_is_no_longer_asked_about(autojump_clock: MockClock, desk: Desk) -> None:
    """Who acknowledged it, when and why is in it and in the journal; the first to do so counts."""
    await keep(desk.repository, raising("a", an_alert()), raising("b", an_alert()))
    seen = await desk.alerts.acknowledge("a", by="somebody", note="on my way")
    assert seen.alert is not None
    assert seen.alert.acknowledged == Closing("somebody", at(0), "on my way")
    await trio.sleep(5)
    assert await desk.alerts.acknowledge("a", by="another") == seen
    assert await desk.ids() == ["b"]
    assert await desk.ids(states=frozenset({AlertState.ACKNOWLEDGED})) == ["a"]
    assert await desk.ids(states=None) == ["a", "b"]
    assert (await desk.alerts.get("a")).state is AlertState.ACKNOWLEDGED
    (entry,) = await desk.repository.read_journal(NAMESPACE)
    assert entry.body == {"actor": "somebody", "verb": "acknowledged", "alert": "a", "note": "on my way"}


async def test_a_resolved_alert_says_who_ended_it(desk: Desk) -> None:
    """Resolving twice changes nothing; acknowledging afterwards is still noted."""
    await keep(desk.repository, raising("a", an_alert()))
    over = await desk.alerts.resolve("a", by="schedule:night", note="it is armed_night")
    assert over.state is AlertState.RESOLVED
    assert await desk.alerts.resolve("a", by="somebody") == over
    assert await desk.ids() == []
    await desk.alerts.acknowledge("a", by="somebody")
    assert [entry.body["verb"] for entry in await desk.repository.read_journal(NAMESPACE)] == [
        "resolved",
        "acknowledged",
    ]


async def test_what_is_not_there_cannot_be_acknowledged(desk: Desk) -> None:
    """A wrong id is named."""
    for question in (
        desk.alerts.acknowledge("x", by="somebody"),
        desk.alerts.resolve("x", by="somebody"),
        desk.alerts.get("x"),
    ):
        with pytest.raises(UnknownAlert, match="no alert 'x'"):
            await question
    await desk.alerts.settle_one("x", by="somebody", note="")


async def test_an_unreadable_alert_is_shown_and_stops_no_other(desk: Desk) -> None:
    """It stays as it is: it cannot be acknowledged, and is not forgotten (S2.6)."""
    await keep(desk.repository, UNREADABLE, raising("a", an_alert()), raising("z", an_alert()))
    assert await desk.ids() == ["a", "odd", "z"]
    assert "document alert/odd" in ((await desk.alerts.get("odd")).problem or "")
    with pytest.raises(RepositoryError, match="document alert/odd"):
        await desk.alerts.acknowledge("odd", by="somebody")
    await desk.alerts.settle_one("odd", by="somebody", note="")
    assert await desk.alerts.forget(at(10 * DAY)) == 0
    assert await desk.ids() == ["a", "odd", "z"]


async def test_pages_follow_each_other_without_gaps(desk: Desk) -> None:
    """However small the pages and however many documents are read at once, each alert is found once."""
    names = [f"{subject}:{number:03d}" for subject in ("a", "a/b", "b") for number in range(90)]
    await keep(desk.repository, *(raising(name, an_alert(subject=name.partition(":")[0])) for name in names))
    assert await desk.ids(limit=7) == sorted(names)
    assert await desk.ids(limit=100, subject="a") == [f"a:{number:03d}" for number in range(90)]
    assert await desk.ids(limit=30, subject="b") == [f"b:{number:03d}" for number in range(90)]
    assert await desk.ids(subject="c") == []


async def test_a_state_that_is_reached_ends_what_complained_of_it(desk: Desk) -> None:
    """Other subjects, other states and what only a person can end stay open."""

    def wanting(state: str | None, subject: str = "house", **fields: object) -> Alert:
        return an_alert(subject=subject, settled_by=state, **fields)

    await keep(
        desk.repository,
        raising("house:1", wanting("armed")),
        raising("house:2", wanting("disarmed")),
        raising("house:3", wanting(None)),
        raising("house:4", wanting("armed", acknowledged=Closing("somebody", at(0)))),
        raising("house/attic:1", wanting("armed", subject="house/attic")),
    )
    await desk.alerts.settle("house", "armed", by="schedule:night")
    assert await desk.ids(states=frozenset({AlertState.RESOLVED})) == ["house:1", "house:4"]
    assert await desk.ids() == ["house/attic:1", "house:2", "house:3"]


async def test_closed_alerts_are_forgotten_open_ones_are_not(desk: Desk) -> None:
    """Retention counts from the instant an alert needed nobody any more (S9.1)."""
    many = [raising(f"old:{number:03d}", an_alert(resolved=Closing("somebody", at(0)))) for number in range(250)]
    seen = an_alert(acknowledged=Closing("somebody", at(0)), resolved=Closing("somebody", at(HOUR)))
    await keep(desk.repository, *many, raising("open", an_alert()), raising("seen", seen))
    assert await desk.alerts.forget(at(0)) == 0
    assert await desk.alerts.forget(at(1)) == 250
    assert await desk.ids(states=None) == ["open", "seen"]


def test_housekeeping_forgets_what_is_older_than_the_retention() -> None:
    """Pruning takes closed alerts along with old runs, a day of retention given."""
    repository = InMemoryScheduleRepository()

    async def main() -> None:
        closed = an_alert(acknowledged=Closing("somebody", at(0)))
        await keep(repository, raising("closed", closed), raising("open", an_alert()))
        config = a_config(retention_s=86400.0)
        async with a_node({"work": nothing}, config, store=keeping(repository)) as (scheduler, _):
            await trio.sleep(20 * 3600)
            assert len((await scheduler.alerts.find(AlertQuery(states=None))).rows) == 2
            await trio.sleep(10 * 3600)
            (left,) = (await scheduler.alerts.find(AlertQuery(states=None))).rows
            assert left.id == "open"

    in_virtual_time(main)


async def test_the_facade_acknowledges(autojump_clock: MockClock) -> None:
    """`scheduler.alerts.ack` is what programs call; unless they name somebody, it was the interface."""
    repository = InMemoryScheduleRepository()
    await keep(repository, raising("a", an_alert()), changing("b", 0, an_alert()))
    async with a_node({"work": nothing}, store=keeping(repository)) as (scheduler, _):
        seen = await scheduler.alerts.ack("a")
        assert seen.alert is not None
        assert seen.alert.acknowledged is not None
        assert seen.alert.acknowledged.by == "api"
        assert [alert.id for alert in (await scheduler.alerts.find()).rows] == ["b"]
