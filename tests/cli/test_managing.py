"""Managing from the command line: many at once, backfills, differences, statistics; for people and for programs."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.printing import ran, rows
from tests.cli.programs import environment
from trioarm.cli import statistics
from trioarm.cli.app import main
from trioarm.core.run_statistics import GroupStatistics, Spread
from trioarm.core.states import State

DECLARED = """
[[schedule]]
name = "backup"
handler = "log"
cron = "30 2 * * *"
tags = ["nightly"]
[[schedule]]
name = "off"
handler = "log"
every = "1h"
tags = ["nightly"]
enabled = false
[[schedule]]
name = "report"
handler = "log"
every = "1h"
"""
SPAN = "--from 2026-01-05T00:00:00Z --until 2026-01-05T05:00:00Z"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The current folder: a scheduler.toml, and a store on which a node has been; 160 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(DECLARED)
    assert main(["run", "--for", "10ms"]) == 0
    capsys.readouterr()
    return tmp_path


Captured = pytest.CaptureFixture[str]


def on_terminal(folder: Path, *words: str, size: str = "160") -> str:
    """Return what the program writes, stdout and stderr, when both are a terminal."""
    ours, its = pty.openpty()
    variables = {"COLUMNS": size, "TERM": "xterm", "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "trioarm", *words]
    with subprocess.Popen(command, cwd=folder, env=environment(variables), stdout=its, stderr=its) as process:
        os.close(its)
        written = b"".join(_all_of(ours))
        assert process.wait(60) == 0, written.decode()
    os.close(ours)
    return written.decode()


def _all_of(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how a terminal says that nobody writes any more
            return
        if not data:
            return
        yield data


def test_what_is_refused_of_many_stops_no_other(house: Path, capsys: Captured) -> None:
    """It is told on stderr, or as an error of its object, and the exit code says so."""
    assert ran(capsys, "schedules pause --tag nightly")[0].count("paused until it is resumed") == 2
    out, errors = ran(capsys, "schedules resume --tag nightly", 1)
    disabled = "off is disabled by its definition: set enabled = true there"
    assert (out, errors) == ("backup: resumed\n", f"error: {disabled}\n")
    assert rows(capsys, "schedules resume --tag nightly", 1) == [
        {"name": "backup", "outcome": "unchanged", "result": "is not paused", "error": None},
        {"name": "off", "outcome": "refused", "result": None, "error": disabled},
    ]


def test_built_in_schedules_are_meant_by_their_owner_alone(house: Path, capsys: Captured) -> None:
    """What begins alike is not enough."""
    assert ran(capsys, "schedules pause --under tr --dry-run") == ("", "no stored schedule is meant by this\n")
    names = [row["name"] for row in rows(capsys, "schedules pause --owner trioarm --dry-run")]
    assert names
    assert all(name.startswith("trioarm/") for name in names)


MISUSED = [
    ("schedules pause", "error: name a schedule: `trioarm schedules list` shows what there is; or mean many by --tag"),
    ("schedules pause backup --tag nightly", "error: name them, or say which by --tag, --owner, --handler, --lane"),
    ("schedules resume backup --dry-run", "error: --dry-run is for what is meant by --tag"),
    ("runs cancel", "error: name a run: `trioarm runs list` shows what there is; or mean many by --schedule"),
    ("runs cancel --state failed", "error: a run that is failed is over: it cannot be cancelled"),
    ("runs cancel --origin nobody", "error: --origin: "),
    ("schedules backfill nobody --from 1h", "error: there is no schedule 'nobody'"),
    ("schedules backfill report --from 1h --at-once 0", "error: at_once is 0: it must lie between 1 and 100"),
    ("schedules backfill report --from soon", "error: --from: 'soon' is no ISO 8601 time"),
    ("schedules backfill report --from 1h --until 2100-01-01T00:00:00Z", "error: report: 2099-12-31T23:59:59.999999Z"),
    ("schedules backfill report --from 9000d", "error: report has 216000 occurrences in that range"),
    ("statistics --by colour", "error: --by: "),
    ("statistics --limit 0", "error: --limit 0: it must lie between 1 and 1000000"),
    ("statistics nobody", "error: there is no schedule 'nobody'"),
]


@pytest.mark.parametrize(("line", "said"), MISUSED)
def test_what_cannot_be_meant_is_one_line(house: Path, capsys: Captured, line: str, said: str) -> None:
    """On stderr, with exit code 2, and nothing is changed."""
    out, errors = ran(capsys, line, 2)
    assert out == ""
    assert errors.startswith(said)
    assert errors.count("\n") == 1
    assert rows(capsys, "runs list") == []


def test_a_backfill_is_carried_out_by_the_next_node_and_can_be_taken_back(house: Path, capsys: Captured) -> None:
    """Five runs; two are cancelled in bulk; a node does the others, and said again only those two are left."""
    assert [row["outcome"] for row in rows(capsys, f"schedules backfill report {SPAN}")] == ["backfilled"] * 5
    cancel = "runs cancel --schedule report --origin backfill --since 2026-01-05T03:00:00Z --state pending"
    assert len(rows(capsys, f"{cancel} --dry-run")) == 2
    assert [row["outcome"] for row in rows(capsys, cancel)] == ["changed"] * 2
    assert main(["run", "--until-idle"]) == 0
    capsys.readouterr()
    found = [row for row in rows(capsys, "runs list report") if row["origin"] == "backfill"]
    assert [row["state"] for row in found] == [*["succeeded"] * 3, *["cancelled"] * 2]
    assert [row["due_at"] for row in found] == [f"2026-01-05T0{hour}:00:00Z" for hour in range(5)]
    assert {row["late_s"] for row in found} == {None}
    out, errors = ran(capsys, f"schedules backfill report {SPAN} --dry-run")
    assert out.count("would run") == 2
    assert out.count("is backfilled already") == 3
    assert out.endswith("2 would be backfilled, 3 left as they are\n")
    assert errors == ""
    nothing = ran(
        capsys, "schedules backfill report --from 2026-01-05T00:01:00Z --until 2026-01-05T00:02:00Z --dry-run"
    )
    assert nothing == ("", "there is no occurrence in that range\n")


def test_a_difference_is_told_of_each_schedule(house: Path, capsys: Captured) -> None:
    """What somebody else owns keeps a node from starting: exit code 1; a file with problems is told as ever."""
    assert ran(capsys, "check --diff")[0].endswith("3 kept\n")
    assert ran(capsys, "schedules add mine --every 1h --handler log")
    file = house / "scheduler.toml"
    file.write_text(
        DECLARED.replace('"report"', '"mine"').replace('every = "1h"\ntags', 'every = "1h"\npriority = 7\ntags')
    )
    out, errors = ran(capsys, "check --diff", 1)
    assert [line.split() for line in out.splitlines()] == [
        ["SCHEDULE", "CHANGE", "WHAT", "DIFFERS"],
        ["backup", "kept"],
        ["mine", "foreign"],
        ["off", "changed", "priority"],
        ["report", "removed"],
        ["1", "changed,", "1", "removed,", "1", "foreign,", "1", "kept"],
    ]
    assert errors == "error: mine: stored by somebody else already: choose another name\n"
    found = rows(capsys, "check --diff", 1)
    assert found[2] == {"name": "off", "change": "changed", "keys": ["priority"]}
    file.write_text("nonsense = 1")
    assert ran(capsys, "check --diff", 2)[1].startswith("error: nonsense: ")
    (house / "trioarm.db").rename(house / "elsewhere.db")
    file.write_text(DECLARED)
    assert "there is no store yet" in ran(capsys, "check --diff", 2)[1]


HOUSE = """
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
cron = "30 22 * * *"
"""


def test_what_contradicts_what_was_added_before_is_not_added(house: Path, capsys: Captured) -> None:
    """Nor what contradicts the file; nothing of a set is, and the same once more is no contradiction (A4.4).

    What is added for a night that may be mixed up with another is told.
    """
    (house / "scheduler.toml").write_text(HOUSE)
    away = "--partition house --target armed_away --cron"
    refused = "give one another time or a higher priority\n"
    assert ran(capsys, f"schedules add a {away} '30 22 * * *'", 2) == (
        "",
        f'error: schedule "a": wants house armed_away whenever "night" wants it armed_night: {refused}',
    )
    assert ran(capsys, f"schedules add a {away} '0 23 * * *'")[0].startswith("a/house: added")
    home = """schedules add --toml '[[schedule]]
        name = "{0}"
        partition = "house"
        target = "armed_home"
        cron = "0 {1} * * *"
        [[schedule]]
        name = "ping"
        handler = "log"
        every = "1h"'"""
    assert ran(capsys, home.format("b", 23), 2) == (
        "",
        f'error: schedule "b": wants house armed_home whenever "a" wants it armed_away: {refused}',
    )
    assert "ping" not in ran(capsys, "schedules list")[0]
    assert ran(capsys, f"schedules add a --replace {away} '0 23 * * *'")[0].startswith("a/house: is so already")
    assert "b/house: added" in ran(capsys, home.format("b", 22))[0]
    out, errors = ran(capsys, f"schedules add pub {away} '30 0 * * fri' --timezone Europe/Prague")
    assert out.startswith("pub/house: added, next ")
    assert errors.startswith('warning: schedule "pub": 00:30 on fri is in the night before that day: next ')


def _history(folder: Path) -> None:
    """Let `report` have failed once in four, and let nobody know of a fifth."""
    with closing(sqlite3.connect(folder / "trioarm.db")) as connection:
        runs = "SELECT id FROM runs JOIN schedules s ON s.key = runs.key WHERE s.name = 'report' ORDER BY id LIMIT 1"
        connection.execute(
            f"UPDATE runs SET state = 'failed', error = 'boom', origin = 'schedule', started_at = due_at + 2000000, "
            f"finished_at = due_at + 5000000 WHERE id = ({runs})"
        )
        connection.commit()


def test_statistics_are_told_to_programs_and_to_people(house: Path, capsys: Captured) -> None:
    """Counts and rates of each group; on a terminal with a bar and colour for what failed, elsewhere without."""
    assert ran(capsys, "statistics") == (
        "",
        "there is no run that this could count\n",
    )
    ran(capsys, f"schedules backfill report {SPAN}")
    assert main(["run", "--until-idle"]) == 0
    capsys.readouterr()
    _history(house)
    [row] = rows(capsys, "statistics report --until 1d")
    assert (row["name"], row["count"], row["success_rate"]) == ("report", 5, 0.8)
    assert row["states"] == {"failed": 1, "succeeded": 4}
    assert row["late_s"] == {"p50": pytest.approx(2, rel=0.02), "p95": pytest.approx(2, rel=0.02), "max": 2.0}
    assert row["took_s"]["max"] == 3.0
    assert row["last_failure"] == {
        "run_id": "report@2026-01-05T00:00:00Z", "at": "2026-01-05T00:00:05Z", "error": "boom",
    }  # fmt: skip
    out, errors = ran(capsys, "statistics --by handler --limit 3 --until 1d")
    assert errors == "only the newest 3 runs were read: there are older ones (--since, --limit)\n"
    assert "█" not in out
    assert "\033" not in out
    shown = on_terminal(house, "statistics", "--until", "1d")
    assert "████████░░" in shown
    assert "80 %" in shown
    assert "\033[31mreport" in shown


@pytest.mark.parametrize(
    ("rate", "picture"),
    [(1.0, "█" * 10), (0.9999, "█" * 9 + "░"), (0.5, "█" * 5 + "░" * 5), (0.0, "░" * 10), (None, "")],
)
def test_a_bar_is_full_only_where_nothing_failed(rate: float | None, picture: str) -> None:
    """One failure in ten thousand is seen."""
    assert statistics.bar(rate) == picture


def test_a_rate_is_a_hundred_only_where_nothing_failed(house: Path, capsys: Captured) -> None:
    """It is rounded down to 99.9 %."""
    group = GroupStatistics("x", {State.SUCCEEDED: 99_999, State.FAILED: 1}, Spread(), Spread(), None)
    assert statistics.percent(group.success_rate) == "99.9 %"
    assert statistics.percent(1.0) == "100 %"
    assert statistics.percent(None) == "-"


def test_a_backfill_that_is_killed_goes_on_where_it_was(house: Path, capsys: Captured) -> None:
    """The program is killed as soon as it has done something; said again, it does the rest, and nothing twice."""
    words = ["schedules", "backfill", "report", "--from", "2025-09-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"]
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "trioarm", *words]
    with subprocess.Popen(command, cwd=house, env=environment({"TERM": "xterm"}), stderr=its) as process:
        os.close(its)
        said = b""
        while b"backfilling" not in said:
            said += os.read(ours, 1024)
        process.kill()
    os.close(ours)
    assert process.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(house / "trioarm.db")) as connection:
        (before,) = connection.execute("SELECT count(*) FROM runs WHERE origin = 'backfill'").fetchone()
        assert 500 <= before < 2928
        outcomes = [row["outcome"] for row in rows(capsys, " ".join(words))]
        assert outcomes == [*["kept"] * before, *["backfilled"] * (2928 - before)]
        counts = "SELECT count(*), count(DISTINCT nominal_at), min(due_at = nominal_at) FROM runs"
        assert connection.execute(f"{counts} WHERE origin = 'backfill'").fetchone() == (2928, 2928, 1)
        journal = "SELECT count(*) FROM journal WHERE body LIKE '%backfill%'"
        assert connection.execute(journal).fetchone() == (2,)  # it was asked for twice


def test_progress_is_for_terminals(house: Path, capsys: Captured) -> None:
    """A backfill shows how far it is, and takes that away; elsewhere it shows nothing."""
    words = ["schedules", "backfill", "report", "--from", "2025-12-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"]
    shown = on_terminal(house, *words)
    assert "backfilling 67 %" in shown
    assert shown.count("\r\033[K") > 1
    assert "744 backfilled" in shown
    _, errors = ran(capsys, f"schedules backfill report {SPAN}")
    assert errors == "no node is running: it begins once one does\n"
