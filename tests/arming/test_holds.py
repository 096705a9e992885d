"""Holds: while they last no scheduled command is sent, and what comes due says who asked for that (A4.3)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import (
    EVENING,
    NIGHT,
    BenchPanel,
    Node,
    a_node,
    a_partition,
    arming,
    the_premises,
    virtual_clock,
)
from trioarm.arming.holds import NOTE_LENGTH_MAX
from trioarm.arming.installation import Installation
from trioarm.arming.model import InvalidRequest, Reported, Site, UnknownPartition
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.instants import SECOND
from trioarm.core.queries import Document
from trioarm.core.states import Reason, State
from trioarm.repositories.memory import InMemoryScheduleRepository

ONE = the_premises(arming("night", NIGHT, 100))


def at(seconds: float) -> int:
    return EVENING + round(seconds * SECOND)


async def _ended(node: Node) -> tuple[State, Reason | None]:
    run = await node.run_of("night/house")
    return run.state, run.reason


async def test_what_comes_due_under_a_hold_is_overridden(autojump_clock: MockClock) -> None:
    """Nothing is sent; run, alert and audit say who holds it, until when and why."""
    async with a_node(ONE) as node:
        await node.installation.persons.hold("partition/house", by="somebody", note="guests", until_at=at(3600))
        await node.at(101)
        assert await _ended(node) == (State.OVERRIDDEN, Reason.HOLD)
        run = await node.run_of("night/house")
        assert run.error == "house was not made armed_night: somebody holds it until 2026-11-23T23:00:00Z: guests"
        assert (await node.alert("overridden")).text.endswith("somebody holds it until 2026-11-23T23:00:00Z: guests")
        assert await node.repository.get_document("command", "house") is None
        assert await node.audit() == [("somebody", "hold"), ("schedule:night/house", "arm_overridden")]


async def test_a_hold_on_a_site_covers_its_partitions_and_no_others(autojump_clock: MockClock) -> None:
    """Each partition of the site is in the audit; another site goes on."""
    partitions = (a_partition("house"), a_partition("garage"), a_partition("cabin", site="lake"))
    premises = the_premises(arming("night", NIGHT, 100, "house", "garage", "cabin"), partitions=partitions)
    premises.sites["lake"] = Site("lake", "Europe/Prague")
    async with a_node(premises) as node:
        await node.installation.persons.hold("site/home", by="somebody")
        await node.at(200)
        states = {name: (await node.run_of(f"night/{name}")).state for name in ("house", "garage", "cabin")}
        assert states == {"house": State.OVERRIDDEN, "garage": State.OVERRIDDEN, "cabin": State.SUCCEEDED}
        entries = await node.repository.read_journal("audit")
        held = [(entry.body["partition"], entry.body["reason"]) for entry in entries if entry.body["verb"] == "hold"]
        assert held == [(name, "somebody holds it until it is released") for name in ("house", "garage")]


@pytest.mark.parametrize(("until", "state"), [(100, State.SUCCEEDED), (101, State.OVERRIDDEN)])
async def test_a_hold_ends_at_its_instant(until: float, state: State, autojump_clock: MockClock) -> None:
    """What comes due at that very instant is carried out."""
    async with a_node(ONE) as node:
        await node.installation.persons.hold("partition/house", by="somebody", until_at=at(until))
        await node.at(200)
        assert (await node.run_of("night/house")).state is state


async def test_a_hold_that_is_released_holds_nothing(autojump_clock: MockClock) -> None:
    """Who released it is on record; releasing what nobody holds says so and is not."""
    async with a_node(ONE) as node:
        persons = node.installation.persons
        await persons.hold("partition/house", by="somebody")
        assert (await persons.partition("house")).held_by == "somebody"
        assert await persons.release("partition/house", by="another") is True
        assert await persons.release("partition/house", by="another") is False
        assert (await persons.partition("house")).held_by is None
        await node.at(200)
        assert await _ended(node) == (State.SUCCEEDED, None)
        assert await node.audit() == [("somebody", "hold"), ("another", "release"), ("schedule:night/house", "arm")]


async def test_a_hold_placed_again_is_replaced(autojump_clock: MockClock) -> None:
    """The latest word counts."""
    async with a_node(ONE) as node:
        await node.installation.persons.hold("partition/house", by="somebody", until_at=at(50))
        await node.installation.persons.hold("partition/house", by="another", until_at=at(500))
        status = await node.installation.persons.partition("house")
        assert (status.held_by, status.held_until_at) == ("another", at(500))


async def test_a_hold_in_the_minute_of_a_warning_stops_the_late_arm(autojump_clock: MockClock) -> None:
    """It is looked at when a command is about to be sent, not when the run begins."""
    async with a_node(ONE, start=False) as node:
        await node.at(3600)
        node.engine.start()
        await node.at(3630)
        await node.installation.persons.hold("site/home", by="somebody")
        await node.at(3700)
        assert await _ended(node) == (State.OVERRIDDEN, Reason.HOLD)


async def test_nobody_is_warned_of_an_arm_that_is_held(autojump_clock: MockClock) -> None:
    """A warning would say what will not happen."""
    async with a_node(ONE, start=False) as node:
        await node.installation.persons.hold("site/home", by="somebody")
        await node.at(3600)
        node.engine.start()
        await node.at(3700)
        assert [alert.kind for alert in await node.alerts()] == ["overridden"]


async def test_a_panel_out_of_reach_is_not_tried_for_hours_under_a_hold(autojump_clock: MockClock) -> None:
    """What came due under a hold is over, and is not carried out once the hold is."""
    panel = BenchPanel(virtual_clock(), unreachable=True)
    async with a_node(ONE, clock=panel.clock, panels={"house": panel}) as node:
        await node.installation.persons.hold("partition/house", by="somebody")
        await node.at(200)
        assert await _ended(node) == (State.OVERRIDDEN, Reason.HOLD)


async def test_what_was_sent_before_the_hold_is_confirmed(autojump_clock: MockClock) -> None:
    """A hold takes no command back: the run goes on waiting for the panel's word."""
    async with a_node(ONE) as node:
        await node.at(110)
        await node.installation.persons.hold("partition/house", by="somebody")
        await node.at(200)
        assert await _ended(node) == (State.SUCCEEDED, None)


async def test_what_has_no_effect_is_not_sent_again_under_a_hold(autojump_clock: MockClock) -> None:
    """The second command of a run is a command like the first."""
    panel = BenchPanel(virtual_clock(), drops=None)
    async with a_node(ONE, clock=panel.clock, panels={"house": panel}) as node:
        await node.at(110)
        await node.installation.persons.hold("partition/house", by="somebody")
        await node.at(300)
        assert await _ended(node) == (State.OVERRIDDEN, Reason.HOLD)
        assert len(panel.commands) == 1


async def test_a_hold_that_cannot_be_read_holds(autojump_clock: MockClock) -> None:
    """What somebody asked to be left alone is left alone; the run says how to end that, and it can be ended."""
    async with a_node(ONE) as node:
        put = PutDocument("hold", "partition/house", 0, {"author": 7})
        assert await node.repository.commit([Change(documents=[put])]) == [Verdict.DONE]
        await node.at(101)
        assert await _ended(node) == (State.OVERRIDDEN, Reason.HOLD)
        assert "release it, it cannot be read: document hold/partition/house" in (
            (await node.run_of("night/house")).error or ""
        )
        assert await node.installation.persons.release("partition/house", by="somebody")


async def test_a_person_commands_what_is_held(autojump_clock: MockClock) -> None:
    """A hold is for schedules (A4.3)."""
    async with a_node(ONE) as node:
        await node.installation.persons.hold("partition/house", by="somebody")
        report = await node.installation.persons.arm("house", NIGHT, by="somebody")
        assert report.state is Reported.ARMED_NIGHT


@pytest.mark.parametrize("on", ["house", "partition/attic", "site/sea", "panel/house", ""])
async def test_what_is_not_there_cannot_be_held(on: str, autojump_clock: MockClock) -> None:
    """The message says what can be."""
    async with a_node(ONE) as node:
        for asked in (node.installation.persons.hold, node.installation.persons.release):
            with pytest.raises(UnknownPartition, match="name one of partition/house, site/home"):
                await asked(on, by="somebody")


async def test_a_hold_that_makes_no_sense_is_refused(autojump_clock: MockClock) -> None:
    """Over already, in many words, or by nobody."""
    async with a_node(ONE) as node:
        hold = node.installation.persons.hold
        with pytest.raises(InvalidRequest, match="over already"):
            await hold("site/home", by="somebody", until_at=at(0))
        with pytest.raises(InvalidRequest, match="at most 500"):
            await hold("site/home", by="somebody", note="x" * (NOTE_LENGTH_MAX + 1))
        with pytest.raises(InvalidRequest, match="no name of a person"):
            await hold("site/home", by=" ")
        await trio.lowlevel.checkpoint()
        assert await node.repository.list_documents("hold") == []


class Asked(InMemoryScheduleRepository):
    """A repository that notes how often it is asked for documents."""

    questions = 0

    async def get_document(self, namespace: str, key: str) -> Document | None:
        self.questions += 1
        return await super().get_document(namespace, key)

    async def list_documents(self, namespace: str, *, after: str = "", limit: int = 100) -> list[Document]:
        self.questions += 1
        return await super().list_documents(namespace, after=after, limit=limit)


async def test_hundreds_of_partitions_are_no_hundreds_of_questions(autojump_clock: MockClock) -> None:
    """What lasts is asked for by list, in the order of what there is; not what is over, or on what is gone."""
    repository, clock = Asked(), virtual_clock()
    rooms = tuple(a_partition(f"room-{number:03}") for number in range(300, 0, -1))
    before = Installation(the_premises(partitions=(*rooms, a_partition("gone"))), repository, clock).holds
    await before.place("partition/gone", by="ann")
    await before.place("partition/room-001", by="ann")
    await before.place("partition/room-002", by="ann", until_at=at(60))
    await before.place("site/home", by="ann")
    await before.place("partition/room-003", by="ann")
    await trio.sleep(61)
    holds, repository.questions = Installation(the_premises(partitions=rooms), repository, clock).holds, 0
    assert list(await holds.lasting()) == ["partition/room-003", "partition/room-001", "site/home"]
    assert repository.questions <= 2
