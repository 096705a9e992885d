"""Another tz database: what was computed by the old one is computed anew, once (S3.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import HOUR, NOW
from tests.repositories.contract.acts import keep, putting, schedule_of
from trioarm import Cron, Every, Schedule
from trioarm.core.record import ScheduleState
from trioarm.engine.zone_change import heed_zone_data
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository


def _wrong(name: str) -> Schedule:
    return Schedule(name, Cron("0 7 * * *", "Europe/Prague"), handler="work")


async def test_what_was_computed_by_another_database_is_computed_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Schedules of local time alone, and only those whose next occurrence is another one; told in one line."""
    repository = SqliteScheduleRepository(tmp_path / "trioarm.db")
    await repository.open()
    assert repository.zone_data is None
    assert await heed_zone_data(repository, "2025a") == 0
    right_at = Cron("0 7 * * *", "Europe/Prague").next_after(NOW)
    assert right_at is not None
    await keep(repository, schedules=[putting(_wrong("wrong"), next_due_at=right_at + HOUR, cursor_at=NOW)])
    await keep(repository, schedules=[putting(_wrong("right"), next_due_at=right_at, cursor_at=NOW)])
    every = Schedule("every", Every(60), handler="work")
    await keep(repository, schedules=[putting(every, next_due_at=NOW + 5, cursor_at=NOW)])
    paused = putting(_wrong("paused"), next_due_at=right_at + HOUR, cursor_at=NOW, state=ScheduleState.PAUSED)
    await keep(repository, schedules=[paused])
    await repository.close()

    for version, moved in (("2025a", 0), ("2026b", 1), ("2026b", 0)):
        repository = SqliteScheduleRepository(tmp_path / "trioarm.db")
        await repository.open()
        assert await heed_zone_data(repository, version) == moved
        assert repository.next_due_at == NOW + 5
        await repository.close()
    await repository.open()
    assert (repository.zone_data, (await schedule_of(repository, "wrong")).next_due_at) == ("2026b", right_at)
    assert (await schedule_of(repository, "every")).next_due_at == NOW + 5
    await repository.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "trioarm.clock"]
    assert line == "the tz database is 2026b and no longer 2025a: 1 schedule has another next occurrence"


async def test_memory_has_nothing_of_another_database() -> None:
    """It was made by the one there is."""
    assert await heed_zone_data(InMemoryScheduleRepository(), "2026b") == 0
