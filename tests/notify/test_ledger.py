"""What is kept of what was told: read whatever stands there, changed by several, and forgotten with its alert."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.config.writing import write
from tests.notify.worlds import NOON, PHONE, Scripted, at, begin, kept, told
from trioarm import InMemoryScheduleRepository
from trioarm.core.alerts import NAMESPACE, TOLD, Alert, Severity, raising
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import HOUR, MINUTE, SECOND, parse_instant
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.clock import VirtualClock
from trioarm.notify.channels.base import Answer
from trioarm.notify.ledger import DUES_MAX, PAGE, Answered, Ledger, record_of
from trioarm.notify.message import Message, Told
from trioarm.notify.model import ChannelSettings, CommandWay, Limit
from trioarm.notify.telling import NOTHING
from trioarm.testing import Fault, World, in_virtual_time

NOW: Final = parse_instant(NOON)
SETTINGS: Final = ChannelSettings(name="phone", way=CommandWay(("false",)))
ALERT: Final = Alert(subject="shed", kind="leaking", severity=Severity.ERROR, text="it leaks", raised_at=NOW)


async def raised(repository: InMemoryScheduleRepository, *names: str) -> None:
    """Keep alerts."""
    verdicts = await repository.commit([Change(documents=[raising(name, ALERT)]) for name in names])
    assert set(verdicts) == {Verdict.DONE}


async def test_it_finds_what_is_open_and_untold_however_much_there_is() -> None:
    """Over pages of alerts and of what was told of them; what is too much for one look is for the next."""
    repository = InMemoryScheduleRepository()
    names = [f"shed:{number:05}" for number in range(DUES_MAX + 2 * PAGE)]
    await raised(repository, *names)
    ledger = Ledger(repository)
    for name in names[0 : 2 * PAGE : 2]:
        await ledger.keep("phone", Answered([Told(name, ALERT, 1)], NOW), Limit())
    dues = await ledger.dues(SETTINGS, NOW + SECOND)
    untold = [name for name in names if name not in names[0 : 2 * PAGE : 2]]
    assert [due.id for due in dues] == untold[:DUES_MAX]


async def test_channels_do_not_take_each_other_for_what_they_told() -> None:
    """Each keeps its own beside that of the others, also when all do so at the same moment."""
    repository = InMemoryScheduleRepository()
    await raised(repository, "shed:1")
    ledger, channels = Ledger(repository), [f"channel{number}" for number in range(8)]
    async with trio.open_nursery() as nursery:
        for channel in channels:
            nursery.start_soon(partial(ledger.keep, channel, Answered([Told("shed:1", ALERT, 1)], NOW), Limit()))
    document = await repository.get_document(TOLD, "shed:1")
    assert [record_of(document, channel).times for channel in channels] == [1] * 8


async def test_what_is_kept_already_is_not_kept_again() -> None:
    """An answer that was kept though nobody could say so counts once, in the limit too."""
    repository = InMemoryScheduleRepository()
    await raised(repository, "shed:1")
    ledger, answered = Ledger(repository), Answered([Told("shed:1", ALERT, 1)], NOW)
    for _ in range(3):
        await ledger.keep("phone", answered, Limit())
    assert await ledger.sent("phone") == [NOW]
    document = await repository.get_document(TOLD, "shed:1")
    assert (document.version if document else 0) == 1


async def test_only_what_counts_for_the_limit_is_remembered() -> None:
    """No more messages than it allows, and none that is older than its time."""
    repository = InMemoryScheduleRepository()
    ledger, limit = Ledger(repository), Limit(3, 600.0)
    for minute in (0, 1, 2, 3, 12):
        name = f"shed:{minute}"
        await ledger.keep("phone", Answered([Told(name, ALERT, 1)], NOW + minute * MINUTE), limit)
    assert await ledger.sent("phone") == [NOW + 3 * MINUTE, NOW + 12 * MINUTE]


@pytest.mark.parametrize("body", [{"phone": "told"}, {"phone": {"times": 1}}, {"phone": {"times": "1"}}, {"mail": {}}])
async def test_a_record_that_cannot_be_read_counts_as_nothing_told(body: dict[str, object]) -> None:
    """Rather twice than never; and the next record takes its place."""
    repository = InMemoryScheduleRepository()
    await raised(repository, "shed:1")
    await repository.commit([Change(documents=[PutDocument(TOLD, "shed:1", 0, body)])])  # type: ignore[arg-type]
    ledger = Ledger(repository)
    [due] = await ledger.dues(SETTINGS, NOW + SECOND)
    await ledger.keep("phone", Answered([due], NOW + SECOND), Limit())
    assert await ledger.dues(SETTINGS, NOW + HOUR) == []


async def test_an_alert_that_cannot_be_understood_is_told_as_that() -> None:
    """Somebody should know that there is one."""
    repository = InMemoryScheduleRepository()
    await repository.commit([Change(documents=[PutDocument(NAMESPACE, "shed:1", 0, {"what": "?"})])])
    [due] = await Ledger(repository).dues(SETTINGS, NOW)
    assert (due.id, due.alert.subject, due.alert.kind) == ("shed:1", "alerts", "unreadable")
    assert due.alert.text.startswith("an alert cannot be understood: ")


async def test_whom_it_was_told_to_is_forgotten_with_an_alert() -> None:
    """And nothing else of it is left."""
    repository = InMemoryScheduleRepository()
    await raised(repository, "shed:1", "shed:2")
    ledger = Ledger(repository)
    for name in ("shed:1", "shed:2"):
        await ledger.keep("phone", Answered([Told(name, ALERT, 1)], NOW), Limit())
    commands = AlertCommands(repository, VirtualClock(NOW, trio_start=trio.current_time()))
    await commands.acknowledge("shed:1", by="ann")
    assert await commands.forget(NOW + HOUR) == 1
    assert [document.key for document in await repository.list_documents(TOLD)] == ["shed:2"]
    assert record_of(await repository.get_document(TOLD, "shed:1"), "phone") == NOTHING


@attrs.define(eq=False)
class Losing(Scripted):
    """A channel whose node loses its store while it answers, for so many calls."""

    world: World | None = None

    async def send(self, message: Message) -> Answer:
        """Answer, and let what follows go wrong."""
        answer = await Scripted.send(self, message)
        assert self.world is not None
        for nth in range(1, 4):
            self.world.plant(Fault.BEFORE, "get_document", nth=nth)
        return answer


def test_an_answer_that_cannot_be_kept_is_not_asked_for_again(tmp_path: Path) -> None:
    """While the node lives it is kept as soon as that is possible, and before anything else is sent."""
    world = World()

    async def main() -> None:
        async with world.alive():
            phone = Losing(world=world)
            world.channels["phone"] = phone
            await begin(world, tmp_path, PHONE, at("12:10:00"))
            await world.until("2026-11-23T13:00:00Z")
            assert len(phone.messages) == 1
            [stored] = await kept(world)
            document = await world.living[0].repository.get_document(TOLD, stored.id)
            assert record_of(document, "phone").times == 1

    in_virtual_time(main)
    assert world.calls["get_document: before"] == 3


async def test_a_store_that_refuses_for_ever_is_an_error() -> None:
    """It is not tried for ever."""

    class Refusing(InMemoryScheduleRepository):
        async def commit(self, changes: object) -> list[Verdict]:
            return [Verdict.REFUSED]

    with pytest.raises(RepositoryError, match="channel phone: what it told could not be kept"):
        await Ledger(Refusing()).keep("phone", Answered([Told("shed:1", ALERT, 1)], NOW), Limit())


async def test_a_channel_can_be_added_while_the_node_runs(world: World, tmp_path: Path) -> None:
    """And what is open is told by it; one that is taken out tells no more."""
    await begin(world, tmp_path, PHONE, at("12:10:00", 1), at("12:40:00", 2, subject="attic"))
    await world.until("2026-11-23T12:20:00Z")
    mail = PHONE.replace("phone", "mail")
    write(tmp_path, "\n".join([mail, at("12:10:00", 1), at("12:40:00", 2, subject="attic")]))
    await world.scheduler.reload()
    await world.until("2026-11-23T13:00:00Z")
    assert told(world) == [("12:10", "error: shed")]
    assert told(world, "mail") == [("12:21", "error: shed"), ("12:40", "error: attic")]
