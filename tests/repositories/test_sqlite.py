from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from hypothesis import given

from tests.core.test_codec import schedules
from tests.making import HOUR, NOW, a_schedule
from tests.repositories import contract
from tests.repositories.contract.acts import due_names, keep, put, putting, schedule_of
from trioarm.core.codec import unstructure_schedule
from trioarm.core.jsonable import write_json
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleState
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Every
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.nodes import BootClock
from trioarm.repositories.sqlite.rows import TRIGGERS_MAX, write_definition


@given(schedules())
def test_a_definition_is_the_text_of_its_form(schedule: Schedule) -> None:
    """Whatever it says, and however often its trigger was written before."""
    wanted = write_json(unstructure_schedule(schedule))
    assert [write_definition(schedule), write_definition(schedule)] == [wanted, wanted]


def test_triggers_that_are_written_are_kept_up_to_a_bound() -> None:
    """Another trigger at the place of one that is gone is not taken for it."""
    for number in range(1, 2 * TRIGGERS_MAX):
        schedule = a_schedule(trigger=Every(number))
        assert write_definition(schedule) == write_json(unstructure_schedule(schedule))


@asynccontextmanager
async def open_sqlite(path: Path, boot_clock: BootClock | None = None) -> AsyncIterator[SqliteScheduleRepository]:
    """Open a repository in a file for as long as the body runs."""
    repository = SqliteScheduleRepository(path, boot_clock=boot_clock)
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


class TestAdding(contract.AddingContract):
    """Schedules that are put together."""


class TestAmending(contract.AmendingContract):
    """SQLite keeps what people change about the future as the contract says."""


class TestCorrecting(contract.CorrectingContract):
    """SQLite takes back what a wrong clock decided as the contract says."""


class TestDue(contract.DueContract):
    """SQLite knows what is due as the contract says."""


class TestDeciding(contract.DecidingContract):
    """SQLite keeps decisions as the contract says."""


class TestClaiming(contract.ClaimingContract):
    """SQLite keeps claims as the contract says."""


class TestBackfilling(contract.BackfillingContract):
    """A file keeps what is backfilled apart."""


class TestQuotas(contract.QuotasContract):
    """A file counts what owners have."""


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
    done = (
        "put", "decide", "claim", "start", "finish", "requeue", "postpone", "ask", "move", "document", "journal",
        "bundle",
    )  # fmt: skip
    refused = ("put", "decide", "claim", "finish", "requeue", "postpone", "bundle")
    counts = [met[f"{kind} done"] for kind in done] + [met[f"{kind} refused"] for kind in refused]
    assert min(counts) >= 5, met
    assert min(met["expire done"], met["ready"], met["pruned"], met["resumed"]) > 5


async def test_what_people_changed_survives_a_restart(tmp_path: Path) -> None:
    """Amendments come back as they were, and a pause ends at its instant though nobody was there meanwhile (S5.7)."""
    skipped = Amendment(AmendmentKind.SKIP, NOW + HOUR, None, "somebody", "guests", NOW)
    postponed = Amendment(AmendmentKind.POSTPONE, NOW + 2 * HOUR, NOW + 3 * HOUR, "another", "", NOW + 1, times=2)
    pause = Pause("somebody", "holiday", NOW, NOW + HOUR)
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        put = putting(a_schedule(), state=ScheduleState.PAUSED, pause=pause, amendments=(skipped, postponed))
        await keep(repository, schedules=[put])
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        record = await schedule_of(repository, "nightly")
        assert (record.amendments, record.pause) == ((skipped, postponed), pause)
        assert repository.next_due_at == NOW + HOUR
        assert await due_names(repository, NOW + HOUR) == [["nightly"]]


@pytest.mark.parametrize(
    "nonsense",
    [
        "schedules SET amendments = '[1]'",
        "schedules SET amendments = '{}'",
        """schedules SET amendments = '[{"kind": "skip"}]'""",
        "cursors SET pause = '7'",
        """cursors SET pause = '{"author": "somebody"}'""",
    ],
)
async def test_what_people_changed_may_be_edited_into_nonsense(tmp_path: Path, nonsense: str) -> None:
    """Then it is not guessed at: the schedule is quarantined and says why, and the others go on (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository)
        await put(repository, "other")
    with closing(sqlite3.connect(path)) as connection, connection:
        nightly = "(SELECT key FROM schedules WHERE name = 'nightly')"
        assert connection.execute(f"UPDATE {nonsense} WHERE key = {nightly}").rowcount == 1
    async with open_sqlite(path) as repository:
        assert [names for names in await due_names(repository) if names != ["nightly"]] == [["other"]]
        record = await schedule_of(repository, "nightly")
        assert record.state is ScheduleState.QUARANTINED
        assert record.trouble is not None
        assert record.trouble.startswith("it cannot be read: ")
