"""What is to come, as the store has it: what people said of occurrences, added and held counts beside the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from tests.cli.programs import command, rows, said
from trioarm.cli.app import main

HOUSE = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
panel = { kind = "virtual" }

[[schedule]]
name = "newyear"
partition = "house"
target = "armed_away"
once = "2040-01-01T22:30:00Z"

[[schedule]]
name = "beat"
handler = "log"
cron = "0 12 * * *"
"""
DAY = ("--from", "2040-01-01T00:00:00Z", "--days", "1")


@pytest.fixture
async def house(tmp_path: Path) -> Path:
    """A folder with a scheduler.toml, and the store of a node that has been at work once."""
    (tmp_path / "scheduler.toml").write_text(HOUSE)
    await said(tmp_path, "run", "--for", "10ms")
    return tmp_path


async def decided(folder: Path, *words: str) -> list[tuple[str, str, str]]:
    """Return what is foreseen: schedule, hour and minute in UTC, and what becomes of it."""
    found = await rows(folder, "preview", *words, *DAY)
    return [(one["schedule"], one["due_at"][11:16], one["decision"]) for one in found]


async def test_what_people_said_of_an_occurrence_counts(house: Path) -> None:
    """Skipped, put off, and taken back."""
    assert await decided(house) == [("beat", "12:00", "run"), ("newyear/house", "22:30", "run")]
    await said(house, "schedules", "skip", "newyear/house")
    assert await decided(house, "newyear") == [("newyear/house", "22:30", "skipped")]
    assert "newyear/house  active  2040-01-01 22:30:00+00:00" in (listed := await said(house, "schedules", "list"))
    assert ", skipped" in listed
    await said(house, "schedules", "undo", "newyear/house")
    await said(house, "schedules", "postpone", "newyear/house", "--by", "1h")
    assert await decided(house, "newyear") == [("newyear/house", "23:30", "run")]
    assert ", postponed to 2040-01-01 23:30:00+00:00" in await said(house, "schedules", "list")


async def test_what_is_paused_is_not_to_come_and_says_who_paused_it(house: Path) -> None:
    """What was added by command comes as well."""
    await said(house, "schedules", "pause", "beat", "--as", "anna", "--note", "guests")
    await said(house, "schedules", "add", "theirs", "--once", "2040-01-01T10:00:00Z", "--handler", "log")
    assert await decided(house) == [("theirs", "10:00", "run"), ("newyear/house", "22:30", "run")]
    shown = await said(house, "preview", *DAY)
    assert "beat: paused by anna (guests), nothing of it will run\n" in shown


async def test_a_hold_is_told(house: Path) -> None:
    """In the table once, in JSON of each occurrence that comes under it."""
    await said(house, "partitions", "hold", "house", "--as", "anna", "--note", "guests")
    shown = await said(house, "preview", *DAY)
    assert shown.endswith("house: anna holds it until it is released: guests; what comes due before is not sent\n")
    found = {one["schedule"]: one["held_by"] for one in await rows(house, "preview", *DAY)}
    assert found == {"beat": None, "newyear/house": "anna"}


async def test_what_the_file_says_now_counts_before_a_node_has_taken_it_over(house: Path) -> None:
    """With what was said of occurrences that there still are, and without what is no longer in it."""
    await said(house, "schedules", "skip", "newyear/house")
    file = house / "scheduler.toml"
    file.write_text(HOUSE.split('[[schedule]]\nname = "beat"')[0].replace("armed_away", "armed_night"))
    [one] = await rows(house, "preview", *DAY)
    assert (one["schedule"], one["target"], one["decision"]) == ("newyear/house", "armed_night", "skipped")


async def test_a_store_that_cannot_be_read_leaves_what_the_file_says(house: Path) -> None:
    """And why is remarked."""
    (house / "trioarm.db").write_bytes(b"no database at all" * 100)
    code, out, remarks = await command(house, "preview", *DAY)
    assert code == 0
    assert "newyear/house" in out
    assert "what was added, paused, skipped, postponed or held by command is not known: trioarm.db is no" in remarks


async def test_from_an_instant_that_is_over_the_file_alone_counts(house: Path) -> None:
    """What would have come then, whatever is stored now."""
    await said(house, "schedules", "pause", "beat")
    found = await rows(house, "preview", "beat", "--from", "2020-01-01T00:00:00Z", "--days", "1")
    assert [one["due_at"] for one in found] == ["2020-01-01T12:00:00Z"]


OPENED: list[object] = []  # each file that SQLite opened here, since somebody listened for it


def _listen() -> None:
    """Note what SQLite opens from now on; there is no end to that, so it is done once."""
    if not OPENED:
        OPENED.append("listening")
        sys.addaudithook(lambda event, args: OPENED.append(args) if event == "sqlite3.connect" else None)


async def test_the_store_is_opened_once_however_much_is_asked_of_it(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calendars, exceptions and what people said of occurrences lie in one file; a listing opens it no less often."""
    (house / "shifts.ics").write_bytes(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nEND:VCALENDAR\r\n")
    with (house / "scheduler.toml").open("a") as file:
        file.write('[calendar.shifts]\nics = "shifts.ics"\n')
    monkeypatch.chdir(house)
    _listen()

    async def opens(*words: str) -> int:
        before = len(OPENED)
        assert await trio.to_thread.run_sync(main, words) == 0, capsys.readouterr().err
        return len(OPENED) - before

    once = await opens("schedules", "list")
    assert once > 0
    assert await opens("preview") == once
    assert await opens("explain", "newyear") == once
