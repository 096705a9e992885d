"""`trioarm audit`: what was done to partitions can be read, and a change to what is kept of it shows (A5.1)."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trioarm.cli.app import main
from trioarm.core.chain import NOTHING, seal

HOUSE = """
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "0s" }
[partition.garage]
site = "home"
panel = { kind = "virtual", exit_delay = "0s", open_zones = ["gate"] }
"""
KEYS = {"seq", "at", "actor", "origin", "partition", "verb", "before", "after", "reason"}
MORE_KEYS = {"correlation", "since_at", "label", "seal"}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The current folder, with a store in which people armed, failed to arm, and disarmed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(HOUSE)
    for line in (
        "schedules add beat --every 1h --handler log",
        "partitions arm house --target armed_away --as anna",
        "partitions disarm house --as ben",
        "partitions hold garage --as anna",
    ):
        assert main(shlex.split(line)) == 0, line
    assert main(["partitions", "arm", "garage", "--target", "armed_away", "--as", "ben"]) == 1
    capsys.readouterr()
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> tuple[str, str]:
    """Carry a command line out, and return what it printed to stdout and stderr."""
    assert main(["audit", *shlex.split(line)]) == code
    out, errors = capsys.readouterr()
    return out, errors


def rows(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the objects that a command line prints, one per line."""
    return [json.loads(text) for text in ran(capsys, f"{line} --json", code)[0].splitlines()]


def edit(folder: Path, statement: str, *values: object) -> None:
    """Change the file behind the program's back."""
    with closing(sqlite3.connect(folder / "trioarm.db")) as file:
        assert file.execute(statement, values).rowcount == 1
        file.commit()


@pytest.mark.usefixtures("house")
class TestList:
    def test_it_says_who_did_what_and_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The newest last, each with what was found before and after, and what the trade calls it."""
        found = rows(capsys, "list")
        assert all(row.keys() == KEYS | MORE_KEYS for row in found)
        assert [row["seq"] for row in found] == [1, 2, 3, 4]
        assert [(row["actor"], row["partition"], row["verb"], row["label"]) for row in found] == [
            ("anna", "house", "arm", "closing 401"),
            ("ben", "house", "disarm", "opening 401"),
            ("anna", "garage", "hold", None),
            ("ben", "garage", "arm_failed", None),
        ]
        assert [(row["before"], row["after"]) for row in found[:2]] == [
            ("disarmed", "armed_away"),
            ("armed_away", "disarmed"),
        ]
        assert "gate" in found[3]["reason"]

    def test_a_table_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the label behind the verb."""
        lines = ran(capsys, "list house")[0].splitlines()
        assert lines[0].split() == ["AT", "PARTITION", "WHAT", "BY", "BEFORE", "AFTER", "WHY"]
        assert "arm (closing 401)" in lines[1]
        assert "disarm (opening 401)" in lines[2]
        assert len(lines) == 3

    def test_filters_narrow(self, capsys: pytest.CaptureFixture[str]) -> None:
        """By partition, actor and time, and to the newest so many of those."""
        assert [row["seq"] for row in rows(capsys, "list garage")] == [3, 4]
        assert [row["seq"] for row in rows(capsys, "list --actor anna")] == [1, 3]
        assert [row["seq"] for row in rows(capsys, "list --limit 1")] == [4]
        assert [row["seq"] for row in rows(capsys, "list --all --since 1h")] == [1, 2, 3, 4]
        second = rows(capsys, "list")[1]["at"]
        assert [row["seq"] for row in rows(capsys, f"list --since {second}")] == [2, 3, 4]
        assert [row["seq"] for row in rows(capsys, f"list --until {second}")] == [1]

    def test_what_nobody_can_mean_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A partition that is not there, a limit beyond all reason, nothing found."""
        assert "did you mean house?" in ran(capsys, "list hose", 2)[1]
        assert "--limit 0: it must lie between 1 and 10000" in ran(capsys, "list --limit 0", 2)[1]
        assert ran(capsys, "list --actor nobody") == ("", "there is no entry that this could list\n")

    def test_an_entry_that_cannot_be_read_hides_no_other(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """It is named by its number."""
        edit(house, "UPDATE journal SET body = '{' WHERE namespace = 'audit' AND seq = 2")
        out, errors = ran(capsys, "list")
        assert len(out.splitlines()) == 4
        assert "audit 2" in errors


class TestVerify:
    def test_what_nobody_touched_is_proved(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """It prints what to keep elsewhere, which proves later that what is there now was there then."""
        [whole] = rows(capsys, "verify")
        assert whole["entries"] == 4
        out, _ = ran(capsys, "verify")
        assert out.splitlines()[1] == f"keep this elsewhere, for --sealed: {whole['sealed']}"
        assert main(["partitions", "release", "garage", "--as", "anna"]) == 0
        capsys.readouterr()
        assert ran(capsys, f"verify --sealed {whole['sealed']}")[0].startswith("the audit is what was written: 5 entr")

    @pytest.mark.parametrize(
        ("statement", "found"),
        [
            ("UPDATE journal SET body = replace(body, 'ben', 'eve') WHERE namespace = 'audit' AND seq = 2",
             "entry 2 is not what it was when it was written"),
            ("UPDATE journal SET at = at - 1 WHERE namespace = 'audit' AND seq = 1",
             "entry 1 is not what it was when it was written"),
            ("DELETE FROM journal WHERE namespace = 'audit' AND seq = 3",
             "entry 4 follows 2: what was between is gone"),
            ("DELETE FROM journal WHERE namespace = 'audit' AND seq = 1",
             "entry 2 follows 0: what was between is gone"),
        ],
    )  # fmt: skip
    def test_what_was_changed_shows(
        self, capsys: pytest.CaptureFixture[str], house: Path, statement: str, found: str
    ) -> None:
        """Whether somebody changed it, moved it in time or took it out; `store check` finds it, too."""
        edit(house, statement)
        assert ran(capsys, "verify", 1)[0] == f"journal audit: {found}\n"
        assert rows(capsys, "verify", 1) == [{"problem": f"journal audit: {found}"}]
        assert main(["store", "check"]) == 1
        assert capsys.readouterr().out == f"journal audit: {found}\n"

    def test_what_was_cut_off_shows_beside_what_was_kept(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """What was cut off at the end, and what was sealed anew by somebody who can: only beside an earlier seal."""
        [before] = rows(capsys, "verify")
        edit(house, "DELETE FROM journal WHERE namespace = 'audit' AND seq = 4")
        assert ran(capsys, "verify")[0].startswith("the audit is what was written: 3 entries")
        gone = "journal audit: entry 4 is not there with the seal that was kept\n"
        assert ran(capsys, f"verify --sealed {before['sealed']}", 1)[0] == gone

    def test_a_seal_that_is_none_is_said(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """In one line, before the store is looked at."""
        assert "write the number and the seal" in ran(capsys, "verify --sealed 4", 2)[1]

    def test_nothing_was_done_yet(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """An audit without entries is what was written, too."""
        (house / "trioarm.db").unlink()
        assert main(["schedules", "add", "own", "--every", "1h", "--handler", "log"]) == 0
        capsys.readouterr()
        assert ran(capsys, "verify")[0] == "the audit is empty: nothing was done to a partition yet\n"
        assert rows(capsys, "verify") == [{"entries": 0, "sealed": None}]


def test_a_store_from_before_is_sealed_when_it_is_brought_up_to_date(
    capsys: pytest.CaptureFixture[str], house: Path
) -> None:
    """Its journals hold from their first entry on, as if they had always been sealed."""
    with closing(sqlite3.connect(house / "trioarm.db")) as file:
        file.executescript(
            "ALTER TABLE journal DROP COLUMN seal; DROP INDEX schedules_removed_name; "
            "CREATE INDEX schedules_any_name ON schedules (name); PRAGMA user_version = 4;"
        )
    assert main(["store", "migrate"]) == 0
    capsys.readouterr()
    found = rows(capsys, "list")
    with closing(sqlite3.connect(house / "trioarm.db")) as file:
        (at, text) = file.execute("SELECT at, body FROM journal WHERE namespace = 'audit' AND seq = 1").fetchone()
    assert found[0]["seal"] == seal(NOTHING, "audit", 1, at, text)
    assert ran(capsys, "verify")[0].startswith("the audit is what was written: 4 entries")
    assert main(["store", "check"]) == 0
