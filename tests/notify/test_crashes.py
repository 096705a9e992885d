"""No alert is ever untold, whatever goes wrong when; and none is told twice whose first answer was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.notify.worlds import PHONE, Scripted, at, begin, kept, told
from trioarm.core.alerts import TOLD
from trioarm.notify.channels.base import Answer, Delivered
from trioarm.notify.ledger import record_of
from trioarm.notify.message import Message
from trioarm.testing import Fault, MemoryDisk, World, a_world, in_virtual_time

ALERTS: Final = (at("12:01:10", 1), at("12:01:40", 2, subject="attic"), at("12:03:00", 3, subject="cellar"))
SUBJECTS: Final = {"error: shed", "error: attic", "error: cellar"}
COMMITS: Final = range(1, 41)  # of such an evening; the last of them have nothing to do with alerts


async def a_night(world: World, folder: Path, disturb: Callable[[World], Awaitable[None]]) -> None:
    """Let three alerts be raised while something goes wrong, and look what people were told."""
    async with world.alive():
        await begin(world, folder, PHONE, *ALERTS)
        await disturb(world)
        await world.until("2026-11-23T14:00:00Z")
        titles = Counter(title for _, title in told(world))
        assert set(titles) == SUBJECTS
        ids = Counter(sent.message.id for sent in world.messages)
        assert len(ids) == len(SUBJECTS), "what is told again, though it was kept, has another id"
        for stored in await kept(world):
            document = await world.living[0].repository.get_document(TOLD, stored.id)
            assert record_of(document, "phone").times == 1


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_a_commit_of_which_nobody_knows_whether_it_was_kept(tmp_path: Path, fault: Fault) -> None:
    """Each in turn: an answer is kept before anything else is sent, so nobody is told twice."""
    struck = 0
    for number in COMMITS:
        world = World(MemoryDisk(), faults={("commit", number): fault})

        async def nothing(world: World) -> None:
            """Nothing else goes wrong."""

        in_virtual_time(a_night, world, tmp_path, nothing)
        struck += world.calls[f"commit: {fault}"]
        assert len(world.messages) == len(SUBJECTS), f"commit {number}"
    assert struck == len(COMMITS)


def test_a_crash_at_any_commit(tmp_path: Path) -> None:
    """The node is killed before the commit comes through, and another one is started."""
    killed = doubles = 0
    for number in COMMITS:
        world = World(MemoryDisk(), faults={("commit", number): Fault.SLOW})

        async def kill(world: World, number: int = number) -> None:
            node = world.living[0]
            while not world.calls["commit: slow"]:  # noqa: ASYNC110
                await trio.sleep(1)  # of virtual time
            world.kill(node)
            await world.start(node.handlers, node.config)

        in_virtual_time(a_night, world, tmp_path, kill)
        killed += len(world.nodes) == 2
        doubles += len(world.messages) - len(SUBJECTS)
    assert killed == len(COMMITS)
    assert 0 < doubles <= len(SUBJECTS), "only where the answer itself was lost"


def test_a_crash_while_the_other_side_answers(tmp_path: Path) -> None:
    """It may have been delivered: it is told again, under the same id, so that a receiver can know it."""

    async def main() -> list[str]:
        async with a_world(MemoryDisk()) as world:
            phone = Dying(world)
            world.channels["phone"] = phone
            await begin(world, tmp_path, PHONE, at("12:10:00"))
            [node] = world.living
            await world.until("2026-11-23T12:11:00Z")
            assert not node.is_alive
            await world.start(node.handlers, node.config)
            await world.until("2026-11-23T14:00:00Z")
            return [message.id for message in phone.messages]

    first, second = in_virtual_time(main)
    assert first == second


class Dying(Scripted):
    """A channel whose node dies with the first answer in its hands."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def send(self, message: Message) -> Answer:
        """Answer, or die."""
        self.messages.append(message)
        if len(self.messages) == 1:
            self._world.kill(self._world.living[0])
            await trio.sleep_forever()
        return Delivered()


def test_downtime_is_made_good_at_the_start(tmp_path: Path) -> None:
    """What was raised and not told before the node went is told within seconds of the next start."""

    async def main() -> list[tuple[str, str]]:
        async with a_world(MemoryDisk()) as world:
            world.channels["phone"] = Dying(world)
            await begin(world, tmp_path, PHONE, at("12:10:00"))
            [node] = world.living
            await world.until("2026-11-23T13:30:10Z")
            del world.channels["phone"]
            await world.start(node.handlers, node.config)
            await world.until("2026-11-23T13:30:20Z")
            return told(world)

    assert in_virtual_time(main) == [("13:30", "error: shed")]
