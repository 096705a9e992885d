"""What a name means where an occurrence is meant: no warning of it, and whatever is there in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import command, rows, said

NIGHT, STEAD, WARNS = "night/house", "night/house/e1", ("night/house/warn-15m", "night/house/e1/warn-15m")
PARTS = (NIGHT, STEAD, *WARNS)


@pytest.fixture
async def house(tmp_path: Path) -> Path:
    """A folder whose store has a schedule that warns, and tomorrow another in its place, at an hour of its own."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    text = f"""
        [site.home]
        timezone = "UTC"
        [partition.house]
        site = "home"
        panel = {{ kind = "virtual", exit_delay = "0s" }}
        [[schedule]]
        name = "night"
        partition = "house"
        target = "armed_night"
        cron = "30 12 * * *"
        timezone = "UTC"
        start = "{tomorrow}T00:00:00Z"
        warn = ["15m"]
        [[exception]]
        on = "{tomorrow}"
        schedule = "night"
        at = "18:45"
        """
    (tmp_path / "scheduler.toml").write_text(text, encoding="utf-8")
    await said(tmp_path, "run", "--for", "100ms")
    return tmp_path


async def all_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the four stored schedules, by name."""
    found = {row["name"]: row for row in await rows(folder, "schedules", "show", "night")}
    assert found.keys() == set(PARTS)
    return found


async def said_about(folder: Path) -> list[str]:
    """Return of which schedules somebody said something."""
    return [name for name, row in (await all_of(folder)).items() if row["amendments"]]


async def test_what_stands_in_is_meant_while_it_comes_first(house: Path) -> None:
    """Postponed, taken back, skipped: by the name of the schedule or of its part, and no warning with it."""
    for name in ("night", NIGHT):
        assert f"{STEAD}: postponed" in await said(house, "schedules", "postpone", name, "--by", "30m")
        assert await said_about(house) == [STEAD]
        await said(house, "schedules", "undo", name)
        assert await said_about(house) == []
    await said(house, "schedules", "skip", "night")
    await said(house, "schedules", "skip", "night")  # asked twice for the next, one is skipped
    assert await said_about(house) == [STEAD]


async def test_an_occurrence_that_is_named_is_that_of_whoever_has_it(house: Path) -> None:
    """Also of what does not come first; one that nobody has is refused in one line."""
    at = (await all_of(house))[NIGHT]["next_due_at"]
    assert f"{NIGHT}: skipped" in await said(house, "schedules", "skip", "night", "--at", at)
    assert await said_about(house) == [NIGHT]
    await said(house, "schedules", "undo", "night")
    assert await said_about(house) == []
    code, out, errors = await command(house, "schedules", "skip", "night", "--at", at.replace(":30:", ":31:"))
    assert (code != 0, out, errors.count("\n")) == (True, "", 1)
    assert "night/house has no occurrence at" in errors
    assert await said_about(house) == []


async def test_what_is_fired_is_the_schedule_itself(house: Path) -> None:
    """Once, and neither its warnings nor what is there in its place on other days."""
    out = await said(house, "schedules", "fire", "night")
    assert [line.partition(":")[0] for line in out.splitlines()] == [NIGHT]
    code, out, _ = await command(house, "schedules", "pause", "night")
    assert (code, len(out.splitlines())) == (0, len(PARTS))  # a pause is of all that it has
