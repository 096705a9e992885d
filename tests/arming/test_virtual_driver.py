"""The built-in panel's driver: one document, changed by compare-and-set alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.arming.premises import AWAY, DISARMED, NIGHT, a_node, a_partition, arming, the_premises, virtual_clock
from trioarm.arming.model import Reported, VirtualPanel
from trioarm.arming.panels.base import FailureKind, PanelFailure
from trioarm.arming.panels.virtual import TRIES, VirtualDriver
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.states import State
from trioarm.links.secrets import SecretRef
from trioarm.repositories.memory import InMemoryScheduleRepository


class Doubtful(InMemoryScheduleRepository):
    """A repository that keeps changes to one namespace, or not, and answers as it was told to.

    Args:
        namespace: whose changes it doubts.
        answers: (kept, verdict) for each of them in turn; afterwards it is honest.
    """

    def __init__(self, namespace: str, *answers: tuple[bool, Verdict]) -> None:
        super().__init__()
        self._namespace = namespace
        self._answers = chain(answers, repeat(None))

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep, or not, and answer as told."""
        ours = any(put.namespace == self._namespace for change in changes for put in change.documents)
        answer = next(self._answers) if ours else None
        if answer is None:
            return await super().commit(changes)
        kept, verdict = answer
        if kept:
            await super().commit(changes)
        return [verdict]


def a_driver(repository: InMemoryScheduleRepository, **settings: Any) -> VirtualDriver:
    """Return a driver at the address `house`."""
    return VirtualDriver(attrs.evolve(VirtualPanel(), **settings), "house", repository, virtual_clock())


async def test_it_remembers_across_drivers(autojump_clock: MockClock) -> None:
    """The state is the document's: another driver, another process, says the same."""
    repository = InMemoryScheduleRepository()
    await a_driver(repository).arm(AWAY, "somebody")
    await trio.sleep(30)
    report = await VirtualDriver(VirtualPanel(), "house", repository, virtual_clock()).read_state()
    assert (report.toward, report.changed_by) == (AWAY, "somebody")


async def test_reading_keeps_nothing(autojump_clock: MockClock) -> None:
    """A panel that was never touched is disarmed since nobody knows when."""
    repository = InMemoryScheduleRepository()
    report = await a_driver(repository, open_zones=("door",)).read_state()
    assert (report.state, report.since_at, report.open_zones) == (Reported.DISARMED, None, ("door",))
    assert await repository.list_documents("panel") == []


@pytest.mark.parametrize("answer", [(False, Verdict.REFUSED), (True, Verdict.UNKNOWN), (False, Verdict.UNKNOWN)])
async def test_a_change_is_made_once_whatever_the_verdict(
    answer: tuple[bool, Verdict], autojump_clock: MockClock
) -> None:
    """Refused or in doubt it looks again; what was kept after all is not made twice (S7.4)."""
    repository = Doubtful("panel", answer)
    report = await a_driver(repository).arm(NIGHT, "somebody")
    assert report.state is Reported.ARMING
    (document,) = await repository.list_documents("panel")
    assert document.version == 1


async def test_two_at_once_both_count(autojump_clock: MockClock) -> None:
    """Changes made at the same time do not overwrite each other."""
    repository = InMemoryScheduleRepository()
    async with trio.open_nursery() as nursery:
        for zone in ("door", "window", "cellar"):
            nursery.start_soon(a_driver(repository).open_zone, zone)
    assert set((await a_driver(repository).read_state()).open_zones) == {"door", "window", "cellar"}


async def test_it_gives_up_when_it_never_gets_through(autojump_clock: MockClock) -> None:
    """Tries are bounded."""
    repository = Doubtful("panel", *[(False, Verdict.REFUSED)] * TRIES)
    with pytest.raises(PanelFailure) as raised:
        await a_driver(repository).open_zone("door")
    assert raised.value.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize("code", [None, "", "0815", "42"])
async def test_a_missing_or_wrong_code_changes_nothing(
    code: str | None, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Rejected for arming and disarming alike, and the message holds no code."""
    monkeypatch.setenv("HOUSE_CODE", "0042")
    repository = InMemoryScheduleRepository()
    driver = a_driver(repository, code=SecretRef(env="HOUSE_CODE"))
    for target in (NIGHT, DISARMED):
        with pytest.raises(PanelFailure, match="refuses the code") as raised:
            await driver.command(target, code)
        assert raised.value.kind is FailureKind.REJECTED
    assert await repository.list_documents("panel") == []
    await driver.command(NIGHT, "0042")
    assert (await driver.read_state()).changed_by == "trioarm"


async def test_a_panel_whose_code_is_lost_takes_no_commands(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """A code that cannot be compared is never taken for none."""
    monkeypatch.delenv("HOUSE_CODE", raising=False)
    with pytest.raises(PanelFailure, match="HOUSE_CODE"):
        await a_driver(InMemoryScheduleRepository(), code=SecretRef(env="HOUSE_CODE")).command(NIGHT, None)


async def test_who_waits_is_told_of_a_change(autojump_clock: MockClock) -> None:
    """A change through this driver ends `changed` at once; none does not."""
    driver = a_driver(InMemoryScheduleRepository())
    with trio.move_on_after(3600) as waiting:
        await driver.changed()
    assert waiting.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.changed)
        await trio.testing.wait_all_tasks_blocked()
        await driver.open_zone("door")


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [((True, Verdict.UNKNOWN), 1), ((False, Verdict.UNKNOWN), 2), ((False, Verdict.REFUSED), 2)],
)
async def test_nothing_is_sent_that_is_not_kept_first(
    answer: tuple[bool, Verdict], attempts: int, autojump_clock: MockClock
) -> None:
    """A command whose record may be lost is not sent; the next attempt announces it anew (A3.1, S7.4)."""
    repository = Doubtful("command", answer)
    async with a_node(
        the_premises(arming("night", NIGHT, 10), partitions=(a_partition(),)), repository=repository
    ) as node:
        await node.at(100)
        run = await node.run_of("night/house")
        assert (run.state, run.attempt) == (State.SUCCEEDED, attempts)
        assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}


@pytest.mark.parametrize("namespace", ["panel", "command"])
async def test_a_spoilt_document_is_waited_out_and_named(namespace: str, autojump_clock: MockClock) -> None:
    """A record nobody understands sends nothing; once somebody mends it, the run goes on."""
    repository = InMemoryScheduleRepository()
    await repository.commit([Change(documents=[PutDocument(namespace, "house", 0, {"nonsense": True})])])
    async with a_node(the_premises(arming("night", NIGHT, 10)), repository=repository) as node:
        await node.at(60)
        run = await node.run_of("night/house")
        assert (run.state, f"document {namespace}/house" in (run.error or "")) == (State.PENDING, True)
        await repository.commit([Change(documents=[PutDocument(namespace, "house", 1, None)])])
        await node.at(600)
        assert (await node.run_of("night/house")).state is State.SUCCEEDED
