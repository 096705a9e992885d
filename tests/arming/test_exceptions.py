"""Exceptions as they are kept: said, counting, taken back, through crashes, by whoever says them (A4.3)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.arming.premises import AWAY, a_node
from tests.arming.test_excepting import HOUSE, a_rule, local
from tests.config.writing import config_of
from tests.making import a_schedule
from tests.world import in_virtual_time
from trioarm.arming.exceptions.kept import EXCEPTIONS_MAX, NAMESPACE, Book, Exceptions, in_words
from trioarm.arming.model import Effect, ExceptionRule, InvalidRequest
from trioarm.core.changes import Change, PutDocument
from trioarm.core.errors import RepositoryError, RevisionConflict
from trioarm.core.instants import SECOND
from trioarm.core.states import State
from trioarm.engine.clock import VirtualClock
from trioarm.engine.commands import Beside
from trioarm.engine.ports import Clock
from trioarm.live import LiveConfig
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.testing.faults import Fault
from trioarm.testing.nodes import Node
from trioarm.testing.stores import FileStore, MemoryDisk
from trioarm.testing.world import World, a_world

TOML = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "1s" }

[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
weekly = { days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], at = "22:30" }
tags = ["evening"]

[[schedule]]
name = "work"
partition = "house"
target = "disarmed"
weekly = { days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], at = "06:30" }
"""
START = "2026-12-20 12:00"
START_AT = local(20, "12:00")
EARLY = {"effect": Effect.REPLACE, "at": "20:00", "on": "tag/evening"}
SKIPPED = {"effect": Effect.SKIP}


async def says(node: Node, **fields: Any) -> int:
    """Let somebody say an exception to a node, and return its number."""
    kept, is_stored = await node.container.get(LiveConfig).except_(a_rule(**fields))
    assert is_stored
    return kept.number


async def done_by(world: World, prefix: str = "night/") -> list[tuple[str, str]]:
    """Return what was carried out: when, on the wall, and by which schedule."""
    return [(one.local, one.schedule) for one in await world.decisions() if one.schedule.startswith(prefix)]


class TestInANode:
    """What counts for the schedules of a node that runs."""

    def test_it_counts_at_once_and_ends_by_itself(self, tmp_path: Path) -> None:
        """Without a restart; on the next day everything is as ever."""

        async def main() -> None:
            async with a_world(start_at=START, zone="Europe/Prague") as world:
                node = await world.start(config=config_of(tmp_path, TOML))
                await says(node, **EARLY)
                await world.until("2026-12-22 23:00")
                assert await done_by(world) == [
                    ("2026-12-20 22:30", "night/house"),
                    ("2026-12-21 20:00", "night/house/e1"),
                    ("2026-12-22 22:30", "night/house"),
                ]

        in_virtual_time(main)

    def test_it_survives_a_restart(self, tmp_path: Path) -> None:
        """And an outage over the time it moved something to: the occurrence is late, not lost."""

        async def main() -> None:
            async with a_world(MemoryDisk(), start_at=START, zone="Europe/Prague") as world:
                node = await world.start(config=config_of(tmp_path, TOML))
                await says(node, **EARLY)
                await world.until("2026-12-21 19:00")
                async with world.outage():
                    await world.until("2026-12-21 21:00")
                await world.until("2026-12-22 12:00")
                decisions = await world.decisions()
                [moved] = [one for one in decisions if one.schedule == "night/house/e1"]
                assert (moved.local, moved.state) == ("2026-12-21 20:00", State.SUCCEEDED)
                assert [one.local for one in decisions if one.schedule == "night/house"] == ["2026-12-20 22:30"]

        in_virtual_time(main)

    def test_taken_back_everything_is_as_ever(self, tmp_path: Path) -> None:
        """From then on."""

        async def main() -> None:
            async with a_world(start_at=START, zone="Europe/Prague") as world:
                node = await world.start(config=config_of(tmp_path, TOML))
                number = await says(node, days="2026-12-20..2026-12-22", **SKIPPED)
                await world.until("2026-12-21 12:00")
                await node.container.get(LiveConfig).take_back(number, by="bob")
                await world.until("2026-12-22 12:00")
                assert await done_by(world, "") == [
                    ("2026-12-21 22:30", "night/house"),
                    ("2026-12-22 06:30", "work/house"),
                ]
                entries = await node.repository.read_journal("audit")
                said = [(one.body["actor"], one.body["verb"]) for one in entries if one.body["origin"] == "manual"]
                assert said == [("anna", "exception"), ("bob", "exception_removed")]

        in_virtual_time(main)

    def test_what_the_file_says(self, tmp_path: Path) -> None:
        """It counts from the start on that first sees it, and no more once it is not in the file."""
        text = TOML + '[[exception]]\non = "2026-12-20..2026-12-25"\ntag = "evening"\nat = "20:00"\nnote = "early"\n'

        async def main() -> None:
            async with a_world(MemoryDisk(), start_at=START, zone="Europe/Prague") as world:
                node = await world.start(config=config_of(tmp_path, text))
                await world.until("2026-12-20 21:00")
                world.kill(node)
                again = await world.start(config=config_of(tmp_path, text))
                [kept] = (await Exceptions(again.repository, again.container.get(Clock)).read()).kept
                assert (kept.number, kept.declared, kept.rule.author) == (1, True, "scheduler.toml")
                await world.until("2026-12-21 12:00")
                world.kill(again)
                await world.start(config=config_of(tmp_path, TOML))
                await world.until("2026-12-21 23:00")
                assert await done_by(world) == [
                    ("2026-12-20 20:00", "night/house/e1"),
                    ("2026-12-21 22:30", "night/house"),
                ]

        in_virtual_time(main)

    def test_of_two_nodes_each_knows_it(self, tmp_path: Path) -> None:
        """What one was told, the other does, once the first is gone."""

        async def main() -> None:
            store = FileStore(tmp_path / "trioarm.db")
            async with a_world(store, start_at="2026-12-21 19:55", zone="Europe/Prague") as world:
                config = config_of(tmp_path, TOML)
                one, other = await world.start(config=config), await world.start(config=config)
                await says(one, **EARLY)
                await world.advance(10)
                live = other.container.get(LiveConfig)
                assert [kept.number for kept in live.config.premises.exceptions] == [1]
                world.kill(one)
                await world.until("2026-12-21 20:01")
                assert await done_by(world) == [("2026-12-21 20:00", "night/house/e1")]

        in_virtual_time(main)


class TestTheBook:
    """What is kept of them."""

    async def test_it_is_forgotten_when_it_means_nothing_any_more(self) -> None:
        """Three days after it is over, or was taken back; numbers are never used again."""
        book = Book().added(a_rule(), local(20, "12:00")).settled(local(20, "12:00"))
        assert len(book.swept(local(24, "23:00")).kept) == 1
        gone = book.swept(local(25, "01:00"))
        assert gone.kept == ()
        assert gone.added(a_rule(), local(25, "12:00")).kept[0].number == 2
        assert book.ended([1]).settled(local(20, "13:00")).swept(local(23, "14:00")).kept == ()

    async def test_what_never_counted_leaves_no_trace(self) -> None:
        """Said, and taken back before any schedule was so."""
        assert Book().added(a_rule(), START_AT).ended([1]).settled(START_AT).kept == ()

    async def test_there_are_only_so_many(self) -> None:
        """A hundred, and then one line that says what to do."""
        exceptions = Exceptions(InMemoryScheduleRepository(), VirtualClock(START_AT, trio_start=trio.current_time()))
        for _ in range(EXCEPTIONS_MAX):
            await exceptions.add(a_rule(), HOUSE)
        with pytest.raises(InvalidRequest, match="there are 100 exceptions, and there may be no more: remove some"):
            await exceptions.add(a_rule(), HOUSE)

    async def test_what_cannot_be_read_is_said(self) -> None:
        """And not guessed at."""
        repository = InMemoryScheduleRepository()
        await repository.commit([Change(documents=[PutDocument(NAMESPACE, "all", 0, {"kept": 5})])])
        exceptions = Exceptions(repository, VirtualClock(START_AT, trio_start=trio.current_time()))
        with pytest.raises(RepositoryError, match="following: is missing"):
            await exceptions.read()

    def test_what_is_too_late_changes_nothing(self) -> None:
        """Neither schedules nor what is kept beside them: they are one transaction."""

        async def main() -> None:
            async with a_node(HOUSE) as node:
                documents = [PutDocument(NAMESPACE, "all", 0, {"kept": 1})]
                beside = Beside(documents=documents, latest=node.clock.now() - 1)
                with pytest.raises(RevisionConflict):
                    await node.commands.sync("file:x", [a_schedule("other")], beside=beside)
                assert await node.repository.get_schedule("other") is None
                assert await node.repository.get_document(NAMESPACE, "all") is None
                in_time = Beside(documents=documents, latest=node.clock.now() + SECOND)
                await node.commands.sync("file:x", [a_schedule("other")], beside=in_time)
                assert await node.repository.get_schedule("other") is not None
                assert await node.repository.get_document(NAMESPACE, "all") is not None

        in_virtual_time(main)

    def test_each_in_words(self) -> None:
        """As the listing and the audit have them."""
        rule = a_rule(Effect.REPLACE, at="20:00", target=AWAY)
        assert in_words(rule) == "at 20:00, armed_away on 2026-12-21 for site/home"
        vacation = a_rule(Effect.VACATION, "2026-12-21..2026-12-22", target=AWAY)
        assert in_words(vacation) == "vacation, armed_away from 2026-12-21 to 2026-12-22 for site/home"
        assert in_words(attrs.evolve(vacation, effect=Effect.WORKDAY, target=None)).startswith("as on a workday from")


@pytest.mark.parametrize("seed", range(12))
def test_nothing_twice_and_nothing_lost_through_crashes(seed: int, tmp_path: Path) -> None:
    """Said and taken back at any moment, by nodes that are killed meanwhile, and whose store fails: of each night there
    is one arm, unless somebody had it skipped; and where nobody said anything, it is as ever."""
    chance = random.Random(seed)
    kinds = [SKIPPED, EARLY, {**EARLY, "at": "23:30"}, {"effect": Effect.REPLACE, "target": AWAY}]

    async def say(node: Node, said: list[ExceptionRule]) -> None:
        live = node.container.get(LiveConfig)
        if said and chance.random() < 0.4:
            number = chance.randint(1, len(said))
            with trio.move_on_after(60):
                try:
                    await live.take_back(number, by="bob")
                except (InvalidRequest, RepositoryError, RevisionConflict):
                    return
            return
        day = chance.randint(20, 23)
        fields = {"on": "tag/evening", **chance.choice(kinds)}
        rule = a_rule(days=f"2026-12-{day}..2026-12-{day + chance.randint(0, 1)}", **fields)
        said.append(rule)
        with trio.move_on_after(60):
            try:
                await live.except_(rule)
            except (InvalidRequest, RepositoryError, RevisionConflict):
                return

    async def main() -> list[tuple[str, str, State]]:
        said: list[ExceptionRule] = []
        async with a_world(MemoryDisk(), start_at=START, zone="Europe/Prague", seed=seed) as world:
            config = config_of(tmp_path, TOML)
            node = await world.start(config=config)
            for _ in range(10):
                await world.advance(chance.randint(0, 12 * 3600))
                if chance.random() < 0.5:
                    world.plant(chance.choice([*Fault]), nth=chance.randint(1, 3))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(say, node, said)
                    if chance.random() < 0.5:
                        for _ in range(chance.randint(0, 30)):
                            await trio.lowlevel.checkpoint()
                        world.kill(node)
                        nursery.cancel_scope.cancel()
                if not node.is_alive:
                    await world.advance(chance.choice([0, 60, 4 * 3600]))
                    node = await world.start(config=config)
            await world.until("2026-12-27 12:00")
            found = [(one.local, one.schedule, one.state) for one in await world.decisions()]
            check(found, said)
            return found

    def check(found: list[tuple[str, str, State]], said: list[ExceptionRule]) -> None:
        for day in range(20, 27):
            date = f"2026-12-{day}"
            nights = [one for one in found if one[0].startswith(date) and one[1].startswith("night/")]
            concerning = [rule for rule in said if rule.begins <= date <= rule.ends]
            assert len(nights) <= 1, nights
            assert all(state in (State.SUCCEEDED, State.SUPERSEDED) for _, _, state in nights), nights
            if not nights:
                assert any(rule.effect is Effect.SKIP for rule in concerning), date
            if not concerning:
                assert [one[:2] for one in nights] == [(f"{date} 22:30", "night/house")]

    assert in_virtual_time(main)
