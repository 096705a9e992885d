from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.repositories import contract
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteScheduleRepository]:
    """Open a repository in a file for as long as the body runs."""
    repository = SqliteScheduleRepository(path)
    await repository.open()
    try:
        yield repository
    finally:
        await repository.close()


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[ScheduleRepository]:
    """An empty repository in a real file."""
    async with open_sqlite(tmp_path / "trioarm.db") as opened:
        yield opened


class TestSchedules(contract.SchedulesContract):
    """SQLite keeps schedules as the contract says."""


class TestDue(contract.DueContract):
    """SQLite knows what is due as the contract says."""


class TestDeciding(contract.DecidingContract):
    """SQLite keeps decisions as the contract says."""


class TestClaiming(contract.ClaimingContract):
    """SQLite keeps claims as the contract says."""


class TestReady(contract.ReadyContract):
    """SQLite says what could start as the contract says."""


class TestLanes(contract.LanesContract):
    """SQLite keeps lanes as the contract says."""


class TestPapers(contract.PapersContract):
    """SQLite keeps documents and journals as the contract says."""


class TestFinding(contract.FindingContract):
    """SQLite answers questions as the contract says."""


class TestPaging(contract.PagingContract):
    """SQLite sorts and pages as the contract says."""


class TestKeeping(contract.KeepingContract):
    """SQLite counts and forgets as the contract says."""


def test_sqlite_behaves_like_the_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is done in whatever order: the file holds and answers what the model does."""

    @asynccontextmanager
    async def a_new_file() -> AsyncIterator[ScheduleRepository]:
        async with open_sqlite(tmp_path_factory.mktemp("store") / "trioarm.db") as opened:
            yield opened

    met = contract.check_histories(a_new_file, examples=120, length=60)
    done = ("put", "decide", "claim", "start", "finish", "requeue", "ask", "move", "document", "journal", "bundle")
    refused = ("put", "decide", "claim", "finish", "requeue", "bundle")
    counts = [met[f"{kind} done"] for kind in done] + [met[f"{kind} refused"] for kind in refused]
    assert min(counts) >= 5, met
    assert min(met["expire done"], met["ready"], met["pruned"]) > 5
