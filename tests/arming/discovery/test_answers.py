"""Who obeys a press, and what is kept of it: one of several nodes, and once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.arming.premises import virtual_clock
from trioarm.arming.discovery.answers import NAMESPACE, PRESSES, SAME, Answer, Answers
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import SECOND
from trioarm.engine.clock import SystemClock, VirtualClock
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.testing import in_virtual_time


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteScheduleRepository]:
    """Open a store while the context lasts."""
    repository = SqliteScheduleRepository(path)
    await repository.open()
    try:
        yield repository
    finally:
        await repository.close()


async def test_of_many_that_hear_a_press_one_obeys(tmp_path: Path, mock_clock: MockClock) -> None:
    """Over connections of their own to one store, all at the same time, however long each of them takes."""
    path, clock = tmp_path / "store.db", virtual_clock()
    obeying = []

    async def hear(answers: Answers) -> None:
        if await answers.is_mine("trioarm", "a/run", "PRESS"):
            obeying.append(answers)

    async with opened(path) as one, opened(path) as two, opened(path) as three, trio.open_nursery() as nursery:
        for repository in (one, two, three):
            nursery.start_soon(hear, Answers(repository, clock))
    assert len(obeying) == 1


def answers_at(clock: VirtualClock) -> tuple[Answers, ScheduleRepository]:
    """Return answers in a store in memory."""
    repository = InMemoryScheduleRepository()
    return Answers(repository, clock), repository


def test_the_same_within_moments_is_one_press() -> None:
    """After them, on another topic, or another in between, it is one of its own; a clock set back makes none last."""

    async def main() -> None:
        clock = virtual_clock()
        answers, repository = answers_at(clock)
        assert await answers.is_mine("trioarm", "a", "ON")
        assert not await answers.is_mine("trioarm", "a", "ON")
        assert await answers.is_mine("trioarm", "b", "ON")
        assert await answers.is_mine("trioarm", "a", "OFF")
        assert await answers.is_mine("trioarm", "a", "ON")
        await trio.sleep(SAME / SECOND)
        assert await answers.is_mine("trioarm", "a", "ON")
        document = await repository.get_document(PRESSES, "trioarm")
        assert document is not None
        assert list(document.body) == ["a"]  # what is long ago is not kept
        later = {"a": {"payload": "ON", "at": clock.look() + 3600 * SECOND}, "b": "nonsense"}
        put = PutDocument(PRESSES, "trioarm", document.version, later)
        assert await repository.commit([Change(documents=[put])]) == [Verdict.DONE]
        assert await answers.is_mine("trioarm", "a", "ON")

    in_virtual_time(main)


def test_answers_are_kept_until_their_thing_is_gone() -> None:
    """The newest of each; what cannot be read is left out."""

    async def main() -> None:
        answers, repository = answers_at(virtual_clock())
        await answers.keep("schedule/a", Answer("paused", 1))
        await answers.keep("schedule/a", Answer("resumed", 2))
        await answers.keep("schedule/b", Answer("paused", 3))
        put = PutDocument(NAMESPACE, "schedule/c", 0, {"said": 5})
        assert await repository.commit([Change(documents=[put])]) == [Verdict.DONE]
        assert await answers.all() == {"schedule/a": Answer("resumed", 2), "schedule/b": Answer("paused", 3)}
        await answers.forget(["schedule/a", "schedule/z"])
        assert await answers.all() == {"schedule/b": Answer("paused", 3)}

    in_virtual_time(main)


async def test_where_nobody_knows_nobody_obeys(tmp_path: Path) -> None:
    """A press is obeyed once or not at all."""
    async with opened(tmp_path / "store.db") as repository:
        answers = Answers(repository, SystemClock())
    with pytest.raises(RepositoryError):
        await answers.is_mine("trioarm", "a", "ON")
