"""What people ask of partitions is done, verified and recorded, with or without a node (A5.3)."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import (
    AWAY,
    DISARMED,
    EVENING,
    HOME,
    NIGHT,
    BenchPanel,
    a_node,
    a_partition,
    arming,
    the_premises,
    virtual_clock,
)
from trioarm.arming.installation import Installation
from trioarm.arming.model import InvalidRequest, Premises, Reported, UnknownPartition, VirtualPanel
from trioarm.arming.panels.base import FailureKind, Panel, PanelFailure, PanelReport
from trioarm.arming.persons import NAME_LENGTH_MAX, PartitionStatus, Persons
from trioarm.core.alerts import AlertState
from trioarm.core.codec import to_json
from trioarm.core.instants import SECOND
from trioarm.core.queries import JournalEntry
from trioarm.core.states import State
from trioarm.engine.clock import VirtualClock
from trioarm.links.secrets import SecretRef
from trioarm.repositories.memory import InMemoryScheduleRepository

HOUSE = the_premises(arming("night", NIGHT, 3600))


def at(seconds: float) -> int:
    return EVENING + round(seconds * SECOND)


@attrs.define
class Terminal:
    """A process that is no node: a repository, a clock and drivers."""

    repository: InMemoryScheduleRepository
    clock: VirtualClock
    installation: Installation

    @property
    def persons(self) -> Persons:
        """What people can ask here."""
        return self.installation.persons

    async def audit(self) -> JournalEntry:
        """Return the one entry of the audit."""
        (entry,) = await self.repository.read_journal("audit")
        return entry


def a_terminal(
    premises: Premises = HOUSE,
    *,
    repository: InMemoryScheduleRepository | None = None,
    clock: VirtualClock | None = None,
    panel: Panel | None = None,
) -> Terminal:
    """Return a process that has opened the repository, and runs nothing."""
    repository, clock = repository or InMemoryScheduleRepository(), clock or virtual_clock()
    panels = None if panel is None else {"house": panel}
    return Terminal(repository, clock, Installation(premises, repository, clock, panels=panels))


async def test_arming_is_done_once_the_panel_says_so(autojump_clock: MockClock) -> None:
    """The panel knows the person, each new report is told, and the audit says what was before and after."""
    terminal = a_terminal()
    told: list[Reported] = []
    report = await terminal.persons.arm("house", NIGHT, by="somebody", on_progress=lambda seen: told.append(seen.state))
    assert (report.state, report.changed_by) == (Reported.ARMED_NIGHT, "somebody")
    assert told == [Reported.DISARMED, Reported.ARMING, Reported.ARMED_NIGHT]
    assert terminal.clock.now() == at(30)
    entry = await terminal.audit()
    assert entry.body == {
        "actor": "somebody",
        "origin": "manual",
        "partition": "house",
        "verb": "arm",
        "before": "disarmed",
        "after": "armed_night",
        "reason": "1 sent",
        "correlation": "house@2026-11-23T22:00:30Z",
    }


async def test_what_is_so_already_is_not_commanded(autojump_clock: MockClock) -> None:
    """Nothing is sent, and the audit says that somebody asked."""
    terminal = a_terminal()
    report = await terminal.persons.disarm("house", by="somebody")
    assert report.state is Reported.DISARMED
    assert (await terminal.audit()).body["reason"] == "it was disarmed already"
    assert await terminal.repository.get_document("panel", "house") is None


async def test_only_a_person_ends_an_alarm(autojump_clock: MockClock) -> None:
    """Disarming is sent to a triggered panel; arming it is not."""
    panel = BenchPanel(virtual_clock(), state=Reported.TRIGGERED)
    terminal = a_terminal(clock=panel.clock, panel=panel)
    with pytest.raises(PanelFailure, match="is triggered"):
        await terminal.persons.arm("house", NIGHT, by="somebody")
    assert panel.commands == []
    assert (await terminal.persons.disarm("house", by="somebody")).state is Reported.DISARMED
    entries = await terminal.repository.read_journal("audit")
    assert [entry.body["verb"] for entry in entries] == ["arm_failed", "disarm"]


async def test_open_zones_are_named(autojump_clock: MockClock) -> None:
    """A refusal says which, and is in the audit."""
    premises = the_premises(partitions=(a_partition(panel=VirtualPanel(open_zones=("door",))),))
    terminal = a_terminal(premises)
    with pytest.raises(PanelFailure, match="zones are open: door") as caught:
        await terminal.persons.arm("house", AWAY, by="somebody")
    assert (caught.value.kind, caught.value.zones) == (FailureKind.BLOCKED, ("door",))
    entry = await terminal.audit()
    assert (entry.body["verb"], entry.body["reason"]) == ("arm_failed", "blocked: zones are open: door")


async def test_a_command_without_effect_is_sent_once(autojump_clock: MockClock) -> None:
    """It is waited for as long as the panel may take; then the person, not the program, decides what next."""
    panel = BenchPanel(virtual_clock(), drops=None)
    terminal = a_terminal(clock=panel.clock, panel=panel)
    with pytest.raises(PanelFailure, match="the command had no effect: the panel still reports disarmed"):
        await terminal.persons.arm("house", NIGHT, by="somebody")
    assert len(panel.commands) == 1
    assert panel.clock.now() == at(60)


async def test_a_panel_out_of_reach_is_said_at_once(autojump_clock: MockClock) -> None:
    """A person who waits is told, and need not wait for hours."""
    panel = BenchPanel(virtual_clock(), unreachable=True)
    terminal = a_terminal(clock=panel.clock, panel=panel)
    with pytest.raises(PanelFailure, match="no answer"):
        await terminal.persons.arm("house", NIGHT, by="somebody")
    assert (await terminal.audit()).body["after"] == "unavailable"


async def test_the_code_of_the_configuration_is_sent_along_and_kept_nowhere(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """A person at the terminal needs not know it (A5.2)."""
    monkeypatch.setenv("HOUSE_CODE", "04x07")
    panel = VirtualPanel(exit_delay_s=0, code=SecretRef(env="HOUSE_CODE"))
    terminal = a_terminal(the_premises(partitions=(a_partition(panel=panel),)))
    await terminal.persons.arm("house", NIGHT, by="somebody")
    kept = [await terminal.repository.list_documents(space) for space in ("panel", "person_command", "partition")]
    assert "04x07" not in f"{kept} {await terminal.audit()}"


async def test_what_is_given_up_is_recorded_all_the_same(autojump_clock: MockClock) -> None:
    """Who stops waiting has not taken the command back."""
    terminal = a_terminal()
    with trio.move_on_after(10):
        await terminal.persons.arm("house", NIGHT, by="somebody")
    entry = await terminal.audit()
    assert (entry.body["verb"], entry.body["after"]) == ("arm_failed", "arming")
    assert "was not waited for" in str(entry.body["reason"])
    await trio.sleep(60)
    assert (await terminal.persons.partition("house")).reported is Reported.ARMED_NIGHT


@pytest.mark.parametrize("by", ["", " \n", "x" * (NAME_LENGTH_MAX + 1), "trioarm"])
async def test_a_person_has_a_name(by: str, autojump_clock: MockClock) -> None:
    """Nobody, and nobody under our own name, commands anything."""
    terminal = a_terminal()
    with pytest.raises(InvalidRequest, match="name of a person"):
        await terminal.persons.arm("house", NIGHT, by=by)
    assert await terminal.repository.read_journal("audit") == []


async def test_a_partition_that_is_not_there_is_named(autojump_clock: MockClock) -> None:
    """With those that are."""
    terminal = a_terminal()
    with pytest.raises(UnknownPartition, match="no partition 'attic': name one of house"):
        await terminal.persons.arm("attic", NIGHT, by="somebody")
    with pytest.raises(UnknownPartition):
        await terminal.persons.partition("attic")


async def test_a_schedules_leave_to_disarm_is_not_needed(autojump_clock: MockClock) -> None:
    """`allow_disarm` is about schedules (A2.4)."""
    terminal = a_terminal(the_premises(partitions=(a_partition(allow_disarm=False),)))
    await terminal.persons.arm("house", NIGHT, by="somebody")
    assert (await terminal.persons.disarm("house", by="somebody")).state is Reported.DISARMED


async def test_partitions_are_listed_with_what_is_and_what_should_be(autojump_clock: MockClock) -> None:
    """Every key of the interface is there; a panel that does not answer is unavailable and hides no other."""
    partitions = (a_partition("house"), a_partition("garage"))
    premises = the_premises(arming("night", NIGHT, 10), partitions=partitions)
    terminal = a_terminal(premises, panel=BenchPanel(virtual_clock(), unreachable=True))
    await trio.sleep(20)
    await terminal.persons.arm("garage", HOME, by="somebody")
    await terminal.persons.hold("partition/house", by="another", until_at=at(3600))
    house, garage = await terminal.persons.partitions()
    assert house == PartitionStatus(
        name="house",
        site="home",
        panel="bench",
        reported=Reported.UNAVAILABLE,
        desired=NIGHT,
        changed_at=None,
        changed_by=None,
        open_zones=(),
        held_by="another",
        held_until_at=at(3600),
    )
    assert (garage.reported, garage.desired, garage.changed_at, garage.changed_by) == (
        Reported.ARMED_HOME,
        None,
        at(50),
        "somebody",
    )
    assert to_json(garage)["changed_at"] == "2026-11-23T22:00:50Z"


# Beside a node


async def test_the_gap_between_two_commands_counts_across_processes(autojump_clock: MockClock) -> None:
    """A person waits for the panel's gap after a scheduled command, and a schedule after a person's (A3.8)."""
    clock, repository = virtual_clock(), InMemoryScheduleRepository()
    panel = BenchPanel(clock, state=Reported.ARMED_HOME)
    partition = a_partition(min_gap_s=10, panel=VirtualPanel(exit_delay_s=0))
    premises = the_premises(arming("night", NIGHT, 20), arming("away", AWAY, 105), partitions=(partition,))
    terminal = a_terminal(premises, repository=repository, clock=clock, panel=panel)
    async with a_node(premises, repository=repository, clock=clock, panels={"house": panel}) as node:
        await node.at(22)
        await terminal.persons.disarm("house", by="somebody")
        await node.at(100)
        await terminal.persons.arm("house", HOME, by="somebody")
        await node.at(150)
        assert panel.commands == [(at(20), NIGHT), (at(30), DISARMED), (at(100), HOME), (at(110), AWAY)]


async def test_what_a_person_had_done_is_what_was_last_recorded(autojump_clock: MockClock) -> None:
    """A silent panel that is as a person left it at the terminal has not been changed behind our back (A2.2)."""
    clock, repository = virtual_clock(), InMemoryScheduleRepository()
    panel = BenchPanel(clock)
    terminal = a_terminal(repository=repository, clock=clock, panel=panel)
    await terminal.persons.arm("house", AWAY, by="somebody")
    async with a_node(HOUSE, repository=repository, clock=clock, panels={"house": panel}, start=False) as node:
        await node.at(3600 + 7200)
        node.engine.start()
        await node.at(3600 + 7300)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED


async def test_a_person_who_brings_it_about_ends_the_alert(autojump_clock: MockClock) -> None:
    """What failed and was then done by hand complains no more, and says thanks to whom."""
    panel = BenchPanel(virtual_clock(), refuses=PanelFailure(FailureKind.REJECTED, "not now"))
    async with a_node(the_premises(arming("night", NIGHT, 10)), clock=panel.clock, panels={"house": panel}) as node:
        await node.at(20)
        assert (await node.alert("arm_failed")).state is AlertState.OPEN
        panel.refuses = None
        await node.installation.persons.arm("house", NIGHT, by="somebody")
        alert = await node.alert("arm_failed")
        assert alert.resolved is not None
        assert alert.resolved.by == "somebody"


async def test_two_people_at_once_send_one_command_each_at_most(autojump_clock: MockClock) -> None:
    """Turns are taken, and who comes second reads first."""
    clock = virtual_clock()
    panel = BenchPanel(clock, takes_s=2)
    terminal = a_terminal(clock=clock, panel=panel)
    reports: list[PanelReport] = []

    async def arm(by: str) -> None:
        reports.append(await terminal.persons.arm("house", NIGHT, by=by))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(arm, "somebody")
        nursery.start_soon(arm, "another")
    assert [report.state for report in reports] == [Reported.ARMED_NIGHT] * 2
    assert len(panel.commands) == 1
