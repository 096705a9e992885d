from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.repositories import contract
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.memory import InMemoryScheduleRepository


@asynccontextmanager
async def open_memory() -> AsyncIterator[ScheduleRepository]:
    """Open a repository in memory for as long as the body runs."""
    repository = InMemoryScheduleRepository()
    await repository.open()
    try:
        yield repository
    finally:
        await repository.close()


@pytest.fixture
async def repository() -> AsyncIterator[ScheduleRepository]:
    """An empty repository in memory."""
    async with open_memory() as opened:
        yield opened


class TestSchedules(contract.SchedulesContract):
    """Memory keeps schedules."""


class TestAdding(contract.AddingContract):
    """Schedules that are put together."""


class TestAmending(contract.AmendingContract):
    """Memory keeps what people change about the future."""


class TestCorrecting(contract.CorrectingContract):
    """Memory takes back what a wrong clock decided."""


class TestDue(contract.DueContract):
    """Memory knows what is due."""


class TestDeciding(contract.DecidingContract):
    """Memory keeps decisions."""


class TestClaiming(contract.ClaimingContract):
    """Memory guards claims."""


class TestLanes(contract.LanesContract):
    """Memory guards lanes."""


class TestBackfilling(contract.BackfillingContract):
    """Memory keeps what is backfilled apart."""


class TestQuotas(contract.QuotasContract):
    """Memory counts what owners have."""


class TestReady(contract.ReadyContract):
    """Memory orders what could start."""


class TestFinding(contract.FindingContract):
    """Memory finds."""


class TestPaging(contract.PagingContract):
    """Memory sorts and pages."""


class TestKeeping(contract.KeepingContract):
    """Memory counts and forgets."""


class TestPapers(contract.PapersContract):
    """Memory keeps documents and journals."""


def test_memory_behaves_like_the_model() -> None:
    """Whatever is done in whatever order: memory holds and answers what the model does."""
    met = contract.check_histories(open_memory)
    kinds = (
        "put",
        "remove",
        "decide",
        "claim",
        "start",
        "finish",
        "requeue",
        "postpone",
        "ask",
        "move",
        "document",
        "journal",
        "bundle",
    )
    ends = {f"{kind} {end}" for kind in kinds for end in ("done", "refused")} - {"journal refused"}  # which nothing is
    rare = {end: count for end in ends if (count := met[end]) < 5}
    assert not rare
    assert min(met["expire done"], met["ready"], met["pruned"], met["resumed"]) > 20
