"""What the commands on a store print, as people and as programs see it, with no node running."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.cli.printing import ran, rows
from trioarm import SchedulerConfig
from trioarm.bootstrap import open_store
from trioarm.cli.app import main
from trioarm.handlers.housekeeping import Housekeeping

HOUSE = """
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
[partition.garage]
site = "home"
[[schedule]]
name = "declared"
handler = "log"
every = "1h"
"""
ADDED = """
[[schedule]]
name = "backup"
handler = "command"
args = { argv = ["/usr/bin/true"] }
cron = "30 2 * * *"
tags = ["nightly"]
lane = "disk"
[[schedule]]
name = "report"
handler = "log"
weekly = { days = ["mon"], at = "06:00" }
timezone = "Europe/Prague"
tags = ["nightly"]
[[schedule]]
name = "weeknight"
partitions = ["house", "garage"]
target = "armed_night"
weekly = { days = ["mon"], at = "22:30" }
"""

Printing = Callable[..., str]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The current folder: a scheduler.toml, and a store with what a person added; 120 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(HOUSE)
    (tmp_path / "more.toml").write_text(ADDED)
    assert main(["schedules", "add", "--file", "more.toml"]) == 0
    assert capsys.readouterr().out.count(": added") == 4
    return tmp_path


def names(capsys: pytest.CaptureFixture[str], line: str) -> list[object]:
    """Return the names in a listing."""
    return [row["name"] for row in rows(capsys, line)]


@pytest.mark.usefixtures("house")
class TestSchedules:
    def test_json_has_the_documented_keys(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each row has the keys that programs rely on, instants in UTC."""
        [row] = rows(capsys, "schedules list backup")
        wanted = {"name", "state", "revision", "next_due_at", "handler", "owner", "tags"}
        assert wanted <= row.keys()
        assert (row["name"], row["state"], row["revision"]) == ("backup", "active", 1)
        assert (row["handler"], row["owner"], row["tags"]) == ("command", "cli", ["nightly"])
        assert str(row["next_due_at"]).endswith("T02:30:00Z")

    def test_filters_narrow(self, capsys: pytest.CaptureFixture[str]) -> None:
        """By prefix, owner, state, tag, handler, lane and time; several together."""
        assert names(capsys, "schedules list") == ["backup", "report", "weeknight/garage", "weeknight/house"]
        assert names(capsys, "schedules list weeknight/") == ["weeknight/garage", "weeknight/house"]
        assert names(capsys, "schedules list --tag nightly --handler log") == ["report"]
        assert names(capsys, "schedules list --lane disk") == ["backup"]
        assert names(capsys, "schedules list --lane partition/house") == ["weeknight/house"]
        assert names(capsys, "schedules list --until 24h --owner cli --tag nightly --lane disk") == ["backup"]
        assert names(capsys, "schedules list --until 1s") == []
        ran(capsys, "schedules pause weeknight --until 2h")
        assert names(capsys, "schedules list --state paused") == ["weeknight/garage", "weeknight/house"]
        first = min(rows(capsys, "schedules list --state active"), key=lambda row: str(row["next_due_at"]))["name"]
        assert names(capsys, "schedules list --limit 1 --order next_due_at --state active") == [first]

    def test_nothing_is_said_on_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A listing of nothing is no error: a word on stderr, and exit code 0."""
        out, errors = ran(capsys, "schedules list --tag none")
        assert out == ""
        assert errors.count("\n") == 1
        assert ran(capsys, "runs list") == ("", "there is no run that this could list\n")
        assert ran(capsys, "alerts list") == ("", "there is no alert that this could list\n")

    def test_a_thousand_more_are_listed_page_by_page(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """More than a page is listed whole, in order, in lines that fit the terminal."""
        text = "".join(f'[[schedule]]\nname = "many/{n:04}"\nhandler = "log"\nevery = "1h"\n' for n in range(1_100))
        (house / "many.toml").write_text(text)
        ran(capsys, "schedules add --file many.toml")
        lines = ran(capsys, "schedules list many/")[0].splitlines()
        assert [line.split()[0] for line in lines] == ["NAME", *(f"many/{n:04}" for n in range(1_100))]
        assert max(map(len, lines)) <= 120

    def test_a_person_is_on_record(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Who paused or skipped, why and until when is shown; resuming and undoing take it back."""
        assert "paused until" in ran(capsys, 'schedules pause backup --as anna --note "new disk" --until 2h')[0]
        assert "report: skipped: Mon" in ran(capsys, "schedules skip report --as bob")[0]
        [backup], [report] = rows(capsys, "schedules show backup"), rows(capsys, "schedules show report")
        assert (backup["state"], backup["paused_by"], backup["paused_why"]) == ("paused", "anna", "new disk")
        assert [one["author"] for one in report["amendments"]] == ["bob"]
        text = " ".join(ran(capsys, "schedules show backup")[0].split())
        assert "paused by anna" in text
        assert "new disk" in text
        assert "by bob" in ran(capsys, "schedules show report")[0]
        assert "backup: active, next" in ran(capsys, "schedules resume backup")[0]
        ran(capsys, "schedules undo report")
        assert rows(capsys, "schedules show report")[0]["amendments"] == []

    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("schedules show bakcup", "did you mean backup?"),
            ("schedules pause weeknigth", "did you mean weeknight?"),
            ("schedules pause", "name a schedule"),
            ("schedules pause backup --until yesterday", "--until: 'yesterday' is no ISO 8601 time"),
            ("schedules pause backup --until 2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            ("schedules postpone backup", "--by how much"),
            ("schedules postpone backup --by 5h", "backup"),
            ("schedules skip backup --at 2030-01-01T00:00:00Z", "has no occurrence at"),
            ("schedules undo backup", "backup"),
            ("schedules list --state pasued", "did you mean paused?"),
            ("schedules list --order size", '"size" is unknown'),
            ("schedules list --limit 0", "--limit 0"),
            ("schedules fire backup --args [1]", "write a JSON object"),
            ("schedules fire backup --args {", "--args: it is no JSON"),
            ("schedules fire backup --overlap maybe", '"maybe" is unknown'),
            ("schedules add backup --every 5s --handler log", "--replace it"),
            ("schedules add declared --every 5s --handler log", "taken by the configuration file"),
            ("schedules add x --every 5s --handler lgo", "did you mean log?"),
            ("schedules add x --every 5s --cron '* * * * *' --handler log", "a schedule has one trigger"),
            ("schedules add x --handler log", "says nothing of when"),
            ("schedules add x --every 5s --handler log --set timeuot=5m", "did you mean timeout?"),
            ("schedules add x --every 5s --partition hose --target armed_away", "did you mean house?"),
            ("schedules add", "in one way"),
            ("schedules add x --file more.toml", "in one way"),
            ("schedules add --toml 'a = '", "--toml: is not TOML"),
            ("schedules add --toml '[site.x]\n[[schedule]]'", "site: only [[schedule]] can be added"),
            ("runs show backup", "is a schedule, not a run"),
            ("runs show backup@2026-11-23T01:30:00Z", "there is no run"),
            ("runs show bakcup@2026-11-23T01:30:00Z", "did you mean backup?"),
            ("runs cancel", "name a run"),
            ("runs list bakcup", "did you mean backup?"),
            ("runs list --state faild", "did you mean failed?"),
            ("runs list --limit 0", "--limit 0"),
            ("partitions arm hous", "did you mean house?"),
            ("partitions arm house --target armed", "is no state to arm to; there is armed_home"),
            ("partitions hold hoem", "did you mean home?"),
            ("alerts ack", "say which alerts"),
            (
                "alerts ack none",
                "there is no alert 'none', or it is no longer kept: `trioarm alerts list` shows the ids",
            ),
            ("alerts show partition/house", "or it is no longer kept: `trioarm alerts list` shows the ids"),
            ("store backup gone/copy.db", "gone/copy.db: No such file or directory"),
        ],
    )
    def test_what_cannot_be_asked_is_one_line(self, capsys: pytest.CaptureFixture[str], line: str, part: str) -> None:
        """What is asked wrongly is one line on stderr that says what to write, exit code 2."""
        out, errors = ran(capsys, line, 2)
        assert out == ""
        assert part in errors
        assert errors.count("\n") == 1
        assert errors.startswith("error: ")


@pytest.mark.usefixtures("house")
class TestAdding:
    def test_a_schedule_that_arms_is_one_for_each_partition(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What is added by options is what the file would have made of it, and belongs to the owner cli."""
        ran(capsys, "schedules add tonight --once 2h --partition house --target armed_away --tag once")
        [row] = rows(capsys, "schedules show tonight")
        assert (row["name"], row["owner"], row["lane"]) == ("tonight/house", "cli", "partition/house")
        assert row["definition"]["args"] == {"partition": "house", "target": "armed_away"}

    def test_it_is_replaced_only_when_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With --replace it is a new revision; the same again changes nothing."""
        line = "schedules add report --every 2h --handler log --replace"
        assert "report: replaced" in ran(capsys, line)[0]
        assert "report: is so already" in ran(capsys, line)[0]
        assert rows(capsys, "schedules list report")[0]["revision"] == 2

    def test_a_handler_of_another_program_can_be_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A handler that only another node knows is taken when that is said."""
        ran(capsys, "schedules add theirs --every 2h --handler app:work --any-handler")
        assert names(capsys, "schedules list --handler app:work") == ["theirs"]


@pytest.mark.usefixtures("house")
class TestRuns:
    def test_a_run_is_listed_cancelled_and_retried(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A fired run waits; cancelled it is final and says why; retried it is a new run that points to the old one."""
        [fired] = rows(capsys, "schedules fire backup")
        run_id = str(fired["result"])
        [row] = rows(capsys, "runs list")
        wanted = {"id", "schedule", "due_at", "state", "reason", "attempt", "origin", "started_at", "finished_at"}
        assert {*wanted, "late_s"} <= row.keys()
        assert (row["id"], row["state"], row["origin"], row["late_s"]) == (run_id, "pending", "manual", None)
        out, errors = ran(capsys, f"runs cancel {run_id} {run_id}", 2)
        assert out == f"{run_id}: cancelled\n"
        assert errors == f"error: {run_id} is cancelled already\n"
        assert "cancelled: somebody asked for it" in ran(capsys, "runs list")[0]
        [retried] = rows(capsys, f"runs retry {run_id}")
        new_id = str(retried["result"]).removeprefix("runs again as ")
        assert rows(capsys, f"runs show {new_id}")[0]["retry_of"] == run_id
        assert f"retry of {run_id}" in " ".join(ran(capsys, f"runs show {new_id}")[0].split())

    def test_the_newest_come_last(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The newest so many are shown, oldest first; --all shows all; the name of several means each of them."""
        ids = [str(rows(capsys, "schedules fire report")[0]["result"]) for _ in range(4)]
        assert [row["id"] for row in rows(capsys, "runs list --limit 2")] == ids[2:]
        assert [row["id"] for row in rows(capsys, "runs list report --all --state pending")] == ids
        assert rows(capsys, "runs list --until 1h") == []
        assert len(rows(capsys, "runs list --since 1h --owner cli --tag nightly --handler log")) == 4
        ran(capsys, "schedules fire weeknight")
        assert {row["schedule"] for row in rows(capsys, "runs list weeknight")} == {
            "weeknight/house",
            "weeknight/garage",
        }

    def test_overlap_is_refused_when_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With --overlap skip a schedule is not fired while a run of it is unfinished."""
        ran(capsys, 'schedules fire backup --args \'{"argv": ["/usr/bin/false"]}\'')
        _, errors = ran(capsys, "schedules fire backup --overlap skip", 2)
        assert "is still pending" in errors
        assert rows(capsys, "runs list")[0]["id"] in errors


@pytest.mark.usefixtures("house")
class TestPartitions:
    def test_holds_are_placed_and_released(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A hold on a site covers its partitions; releasing it twice says that nobody held it."""
        ran(capsys, 'partitions hold home --as anna --note "painters" --until 2h')
        assert {row["held_by"] for row in rows(capsys, "partitions list")} == {"anna"}
        assert "by anna, until" in " ".join(ran(capsys, "partitions show garage")[0].split())
        assert ran(capsys, "partitions release home")[0] == "site/home: released\n"
        assert ran(capsys, "partitions release home")[0] == "site/home: nobody held it\n"

    def test_json_has_the_documented_keys(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each row has the keys that programs rely on."""
        [row, _] = rows(capsys, "partitions list")
        wanted = {"name", "site", "panel", "reported", "desired", "changed_at", "changed_by", "open_zones"}
        assert wanted <= row.keys()
        assert (row["name"], row["reported"]) == ("house", "disarmed")


class TestStore:
    def test_a_copy_holds_what_the_store_held(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """A backup is complete, fine, of mode 0600 and never replaces a file."""
        assert "bytes" in ran(capsys, "store backup copy.db")[0]
        assert (house / "copy.db").stat().st_mode & 0o777 == 0o600
        assert "copy.db is fine: version" in ran(capsys, "store check --store sqlite:///copy.db")[0]
        assert len(names(capsys, "schedules list --store sqlite:///copy.db")) == 4
        before = (house / "copy.db").read_bytes()
        assert ran(capsys, "store backup copy.db", 2)[1] == "error: copy.db is there already: name another file\n"
        assert (house / "copy.db").read_bytes() == before

    def test_how_much_would_go_is_what_goes(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """It is found out in a copy, of which nothing is left; the store keeps all until a node forgets it."""
        assert ran(capsys, "store prune --dry-run")[0].endswith("\nnothing would go\n")
        for _ in range(3):
            run_id = ran(capsys, "schedules fire report")[0].split(": ")[1].strip()
            ran(capsys, f"runs cancel {run_id}")
        with closing(sqlite3.connect(house / "trioarm.db")) as file:
            file.execute("UPDATE runs SET finished_at = finished_at - 100 * 86400 * 1000000 WHERE id < 3")
            file.commit()
        beside = {path.name for path in house.iterdir()}
        told = {row["what"]: (row["kept"], row["would_go"]) for row in rows(capsys, "store prune --dry-run")}
        assert told == {"runs: cancelled": (1, 2), "schedules: active": (4, 0), "others": (None, 0)}
        lines = ran(capsys, "store prune --dry-run")[0].splitlines()
        assert "runs: cancelled          1     2" in lines
        assert lines[-1] == "2 rows would go; to have it done now: trioarm schedules fire trioarm/prune"
        assert {path.name for path in house.iterdir()} == beside
        assert len(rows(capsys, "runs list --all")) == 3

        async def forget() -> int:
            async with open_store(SchedulerConfig.from_file(house / "scheduler.toml")) as container:
                return await container.get(Housekeeping).forget()

        assert trio.run(forget) == 2
        assert len(rows(capsys, "runs list --all")) == 1

    def test_to_forget_is_for_a_node(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """Who leaves out the dry run is told how it is done; a store that is not there is made by nobody."""
        assert "trioarm schedules fire trioarm/prune" in ran(capsys, "store prune", 2)[1]
        assert "there is no store yet" in ran(capsys, "store prune --dry-run --store sqlite:///none.db", 2)[1]
        assert not (house / "none.db").exists()

    def test_nonsense_in_rows_is_told_line_by_line(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """Rows that somebody edited by hand into nonsense are problems of the check; nothing of them is changed."""
        ran(capsys, "schedules fire report")
        with closing(sqlite3.connect(house / "trioarm.db")) as file:
            file.execute("UPDATE schedules SET definition = '{' WHERE name = 'backup'")
            file.execute("UPDATE runs SET args = '[1]'")
            file.execute(
                "INSERT INTO runs SELECT id + 9, 99, epoch, 7, origin, due_at, decided_at, lane, state, reason, "
                "last_at, count, waiting_for, give_up_at, attempt, token, node, NULL, started_at, finished_at, "
                "cancel, error, result, retry_of, handler, rank, NULL, NULL FROM runs LIMIT 1"
            )
            file.execute("INSERT INTO tags VALUES ('lost', 99)")
            file.execute("INSERT INTO documents VALUES ('panel', 'x', 1, '{')")
            file.execute("INSERT INTO journal VALUES ('audit', 7, 0, '{}', '')")
            file.commit()
        lines = ran(capsys, "store check", 1)[0].splitlines()
        assert len(lines) == 6, lines
        for part in (
            "schedule backup (key 1) is in quarantine: it cannot be read",
            "run 1 of the schedule with key 2: it cannot be read",
            "run 10 belongs to no schedule: there is none with key 99",
            "tag lost belongs to no schedule: there is none with key 99",
            "document panel/x is no JSON",
            "journal audit: entry 7 follows 0: what was between is gone",
        ):
            assert sum(part in line for line in lines) == 1, (part, lines)
        states = {row["name"]: row["state"] for row in rows(capsys, "schedules list")}
        assert states.pop("backup") == "quarantined"
        assert set(states.values()) == {"active"}

    def test_an_empty_file_is_migrated(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """Migrating says from which version to which; again there is nothing to do."""
        (house / "empty.db").touch()
        out = ran(capsys, "store migrate --store sqlite:///empty.db")[0]
        assert out.startswith("empty.db: migrated from version 0 to version ")
        assert "which is the newest" in ran(capsys, "store migrate --store sqlite:///empty.db")[0]
