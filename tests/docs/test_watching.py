"""The page on watching: its example passes, the report it shows is what the program prints, its tables are true."""

from __future__ import annotations

import csv
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import command
from tests.config.writing import problems_of, write
from tests.testing.playing import play
from trioarm.arming.model import OnDrift
from trioarm.arming.supervision.expected import Outcome
from trioarm.arming.watch import FLAP_MAX, MISSES_MAX
from trioarm.config import SchedulerConfig
from trioarm.core.changes import AppendJournal, Change, PutDocument, Verdict
from trioarm.core.queries import PAGE_MAX
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.testing import a_world, in_virtual_time

PAGE = (files("trioarm") / "docs" / "watching.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION], [TEST], [SHOWN] = (
    [text for name, text in BLOCKS if name == language] for language in ("toml", "python", "text")
)
CHECK = ("--config", "scheduler.toml", "--date", "2025-03-30")
KEPT = ("alert", "partition", "watched")


def test_its_example_passes_as_a_users_own_test(tmp_path: Path) -> None:
    """The file and the test beside each other, with nothing installed but pytest."""
    write(tmp_path, CONFIGURATION)
    write(tmp_path, TEST, "test_town.py")
    played = play(tmp_path, "-p", "no:trio")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "1 passed" in played.stdout


async def _lived(folder: Path) -> Change:
    """Live through the week of the page, and return what is on record of it then."""
    names: dict[str, Any] = {}
    exec(compile(TEST, "watching.md", "exec"), names)
    async with a_world() as world:
        node = await names["a_week"](world)
        repository = node.container.get(ScheduleRepository)
        documents = [each for name in KEPT for each in await repository.list_documents(name, limit=PAGE_MAX)]
        journal = await repository.read_journal("audit", limit=PAGE_MAX)
    return Change(
        documents=[PutDocument(each.namespace, each.key, 0, dict(each.body)) for each in documents],
        journal=[AppendJournal(each.namespace, dict(each.body), each.at) for each in journal],
    )


async def _keep(path: Path, change: Change) -> None:
    """Keep it in a real file."""
    repository = SqliteScheduleRepository(path)
    await repository.open()
    try:
        assert await repository.commit([change]) == [Verdict.DONE]
    finally:
        await repository.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the configuration, and a store as the week left it."""
    folder = tmp_path_factory.mktemp("town")
    write(folder, CONFIGURATION)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        change = in_virtual_time(_lived, folder)
    import trio

    trio.run(_keep, folder / "trioarm.db", change)
    return folder


async def test_the_report_it_shows_is_what_the_program_prints(town: Path) -> None:
    """Picture, table and exceptions, to the letter; and the audit is what was written."""
    code, printed, errors = await command(town, "report", "week", *CHECK)
    assert (code, errors) == (0, "")
    assert printed == SHOWN
    code, printed, _ = await command(town, "audit", "verify", "--config", "scheduler.toml")
    assert (code, "the audit is what was written" in printed) == (0, True)


async def test_programs_get_the_same(town: Path) -> None:
    """As CSV and JSON, a row for each partition and day; `day` has one of each."""
    _, table, _ = await command(town, "report", "week", *CHECK, "--csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 14
    [wednesday] = [row for row in rows if (row["partition"], row["date"]) == ("shop", "2025-03-26")]
    assert (wednesday["closing"], wednesday["closed_by"], wednesday["opening"]) == ("late", "bob", "on time")
    assert (wednesday["closed_at"], wednesday["closing_off_s"]) == ("2025-03-26T18:12:30Z", "2550")
    _, lines, _ = await command(town, "report", "day", *CHECK, "--json", "--partition", "shop")
    [sunday] = map(json.loads, lines.splitlines())
    assert (sunday["start_at"], sunday["end_at"]) == ("2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z")
    assert [(one["what"], one["at"], one["outcome"]) for one in sunday["expected"]] == [
        ("open", "2025-03-30T06:00:00Z", "on time"),
        ("close", "2025-03-30T16:30:00Z", "on time"),
    ]


async def test_what_cannot_be_reported_is_said_in_one_line(town: Path) -> None:
    """A day that is none, a partition that is none, and both forms at once."""
    for wrong, said in (
        (("--date", "2025-02-30"), "is no day: write it like 2026-03-29"),
        (("--partition", "sho"), "did you mean shop"),
        (("--csv", "--json"), "give one of the two"),
    ):
        code, _, errors = await command(town, "report", "day", "--config", "scheduler.toml", *wrong)
        assert (code, len(errors.splitlines())) == (2, 1)
        assert said in errors


def test_its_tables_are_true(tmp_path: Path) -> None:
    """Every policy, outcome and number."""
    for word in (*OnDrift, *Outcome):
        assert f'`"{word}"`' in PAGE or f"`{word}`" in PAGE, word
    assert f"more than {FLAP_MAX} changes" in PAGE
    assert MISSES_MAX == 3
    assert SchedulerConfig().arming.watch_s == 60


BEGIN = '[site.town]\ntimezone = "Europe/Prague"\n[partition.shop]\nsite = "town"\npanel = { kind = "virtual" }\n'


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        ('name = "a"\npartition = "shop"', 'closing "a": says neither when it opens nor when it closes'),
        ('name = "a"\npartition = "sho"\nopens = "08:00"', "did you mean shop"),
        ('name = "a"\npartition = "shop"\nopens = "8"', 'closing "a".opens'),
        ('name = "a"\npartition = "shop"\nopens = "08:00"\ndays = ["someday"]', 'closing "a".opens'),
        ('name = "a"\npartition = "shop"\nopens = "08:00"\nlate = "13h"', 'closing "a".late'),
        ('name = "a"\npartition = "shop"\nopens = "08:00"\nclosing = "09:00"', 'closing "a".closing'),
        (f'name = "{"a" * 60}"\npartition = "shop"\nopens = "08:00"', "is too long"),
    ],
)
def test_what_is_wrong_with_hours_is_said_in_one_line(tmp_path: Path, closing: str, said: str) -> None:
    """Each with its place."""
    [line] = problems_of(tmp_path, f"{BEGIN}[[closing]]\n{closing}\n")
    assert said in line


def test_hours_over_midnight_close_on_the_day_after(tmp_path: Path) -> None:
    """Days are those on which it opens."""
    path = write(tmp_path, BEGIN + '[[closing]]\nname = "a"\npartition = "shop"\ndays = ["fri", "sun"]\n' + TIMES)
    [hours] = SchedulerConfig.from_file(path).premises.hours
    assert hours.opens is not None
    assert hours.closes is not None
    assert (hours.opens.days, hours.closes.days) == (("fri", "sun"), ("mon", "sat"))


TIMES = 'opens = "18:00"\ncloses = "02:00"\n'
