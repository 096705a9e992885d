"""`trioarm runs retry --failed` and what goes with it, on a store with runs that failed (S9.2)."""

from __future__ import annotations

import io
import json
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import trio

from tests.cli.printing import ran, rows
from tests.cli.programs import DEADLINE_S, environment
from trioarm import Once, RetryPolicy, RunContext, Schedule, open_scheduler
from trioarm.cli.app import main
from trioarm.core.instants import parse_instant

LATER = parse_instant("2050-01-01T00:00:00Z")
RUNS = {"backup": 3, "report": 1, "sync": 1}


@attrs.define
class House:
    """A folder with a store in which runs failed.

    Args:
        failed: their ids, in order of decision.
    """

    store: Path
    failed: list[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A store in which runs failed, to be copied."""
    store = tmp_path_factory.mktemp("built") / "trioarm.db"

    async def fails(run: RunContext) -> None:
        raise OSError("no answer")

    async def works(run: RunContext) -> None:
        return

    async def fill() -> list[str]:
        failed = []
        async with open_scheduler(f"sqlite:///{store}", handlers={"log": fails, "command": works}) as scheduler:
            for name, count in RUNS.items():
                schedule = Schedule(name, Once(LATER), handler="log", retry=RetryPolicy(0), tags=(f"t-{name}",))
                await scheduler.schedules.put(schedule)
                for _ in range(count):
                    failed.append((await scheduler.runs.wait((await scheduler.runs.fire(name)).id)).id)
            await scheduler.schedules.put(Schedule("fine", Once(LATER), handler="command"))
            await scheduler.runs.wait((await scheduler.runs.fire("fine")).id)
            await scheduler.schedules.put(
                Schedule("trioarm/own", Once(LATER), handler="log", retry=RetryPolicy(0), owner="trioarm")
            )
            await scheduler.runs.wait((await scheduler.runs.fire("trioarm/own")).id)
        return failed

    return House(store, trio.run(fill))


@pytest.fixture
def house(built: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The current folder, with a copy of that store; the ids of what failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text("")
    shutil.copy(built.store, tmp_path / "trioarm.db")
    return built.failed


def test_failures_are_listed(house: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`runs list --failed` shows what failed or timed out; with states as well, both."""
    assert [row["id"] for row in rows(capsys, "runs list --failed")] == house
    assert len(rows(capsys, "runs list --failed --state succeeded")) == 6
    assert [row["id"] for row in rows(capsys, "runs list backup --failed --limit 1")] == house[2:3]


def test_all_that_failed_is_retried_and_nothing_twice(house: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its line, and a new run that points to it; the second time nothing is left to do."""
    out, errors = ran(capsys, "runs retry --failed --yes --note fixed --as anna")
    assert [line.split(": runs again as ")[0] for line in out.splitlines()] == house
    assert errors == ""
    new = [line.split(" as ")[1] for line in out.splitlines()]
    for old, run_id in zip(house, new, strict=True):
        [shown] = rows(capsys, f"runs show {run_id}")
        assert (shown["state"], shown["retry_of"]) == ("pending", old)
    out, errors = ran(capsys, "runs retry --failed --yes")
    assert out == ""
    assert "5 runs that failed were retried before: --again retries them once more" in errors
    assert "there is no run to retry" in errors
    assert len(ran(capsys, "runs retry --failed --again --yes")[0].splitlines()) == 5


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ("--schedule backup --limit 2", [0, 1]),
        ("--tag t-report", [3]),
        ("--handler log --since 1h", [0, 1, 2, 3, 4]),
        ("--until 2020-01-01T00:00:00Z", []),
        ("--lane disk --owner nobody", []),
    ],
)
def test_a_dry_run_says_which(
    house: list[str], capsys: pytest.CaptureFixture[str], options: str, places: list[int]
) -> None:
    """By schedule, tag, handler, owner, lane and time; nothing is retried."""
    found = rows(capsys, f"runs retry --failed --dry-run {options}")
    assert found == [{"id": house[place], "result": "planned", "run": None, "error": None} for place in places]
    out, _ = ran(capsys, f"runs retry --failed --dry-run {options}")
    assert out.splitlines() == [f"{house[place]}: would be retried" for place in places]
    assert not [row for row in rows(capsys, "runs list --all") if row["origin"] == "retry"]


def test_results_for_programs(house: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One object each: what became of it, and which run it is now; what is refused has its error, and the exit code."""
    ran(capsys, f"runs retry {house[0]}")
    ran(capsys, "schedules remove report")
    assert main(shlex.split("runs retry --failed --yes --json")) == 1
    found = {row["id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [found[run_id]["result"] for run_id in house] == ["already", "retried", "retried", "refused", "retried"]
    assert found[house[1]]["run"].startswith("backup@")
    assert "was removed" in found[house[3]]["error"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("runs retry", "name a run: `trioarm runs list` shows the ids"),
        ("runs retry --failed backup@2026-11-23T01:30:00Z", "name runs, or say --failed, not both"),
        ("runs retry --schedule backup", "say --failed to choose among those that failed"),
        ("runs retry --failed", "5 runs would be retried: say --yes to do so, or --dry-run to see which"),
        ("runs retry --failed --limit 0", "--limit 0: it must lie between 1 and 1000"),
        ("runs retry --failed --limit 1001", "--limit 1001: it must lie between 1 and 1000"),
        ("runs retry --failed --schedule backpu", "there is no schedule 'backpu'; did you mean backup?"),
        ("runs retry --failed --since soon", "--since: "),
    ],
)
def test_what_is_asked_wrongly(
    house: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    """One line says what to write, and nothing is retried; without a person to ask nothing is guessed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    out, errors = ran(capsys, line, 2)
    assert (out, errors.count("\n")) == ("", 1)
    assert message in errors
    assert not [row for row in rows(capsys, "runs list --all") if row["origin"] == "retry"]


@pytest.mark.parametrize(("answer", "count"), [("y", 5), ("", 0)])
def test_a_person_is_asked_before(
    house: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str, count: int
) -> None:
    """On a terminal the question says how many; only a yes is one. Progress is shown where lines go elsewhere."""
    theirs, ours = pty.openpty()
    command = [sys.executable, "-m", "trioarm", "runs", "retry", "--failed"]
    with open(theirs, "r+b", buffering=0) as terminal:
        with open(ours, "r+b", buffering=0) as end:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment({}), stdin=end, stdout=subprocess.PIPE, stderr=end
            )
        said = b""
        while b"[y/N]" not in said:
            said += terminal.read(1000) or b""
        assert b"5 runs would be retried: do so? [y/N]" in said
        terminal.write(f"{answer}\n".encode())
        out, _ = process.communicate(timeout=6 * DEADLINE_S)
    assert process.returncode == 0
    assert out.count(b"runs again as") == count
    assert len([row for row in rows(capsys, "runs list --all") if row["origin"] == "retry"]) == count


def test_what_keeps_trioarm_in_order_is_not_meant(house: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As in listings: only by its own name, or its owner's."""
    assert [row["id"] for row in rows(capsys, "runs retry --failed --dry-run")] == house
    assert len(rows(capsys, "runs retry --failed --dry-run --owner trioarm")) == 1
    assert len(rows(capsys, "runs retry --failed --dry-run --schedule trioarm/own")) == 1


def test_a_policy_that_is_not_heeded_is_told_at_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without advanced retries, `check` names each schedule that asks for them; that is no error."""
    monkeypatch.chdir(tmp_path)
    lines = ""
    for name, more in (
        ("a", 'strategy = "constant"'),
        ("b", 'never = ["ValueError"]'),
        ("c", 'per_error = [{ on = ["OSError"], max_retries = 9 }]'),
    ):
        lines += (
            f'[[schedule]]\nname = "{name}"\nevery = "1h"\nhandler = "log"\nretry = {{ max_retries = 1, {more} }}\n'
        )
    (tmp_path / "scheduler.toml").write_text(lines)
    out, errors = ran(capsys, "check")
    assert (out, errors) == ("scheduler.toml is fine: 3 schedules\n", "")
    (tmp_path / "scheduler.toml").write_text(f"[features]\nadvanced_retries = false\n{lines}")
    out, errors = ran(capsys, "check")
    assert out == "scheduler.toml is fine: 3 schedules\n"
    assert [line.split(".retry: ")[0] for line in errors.splitlines()] == [f'warning: schedule "{n}"' for n in "ac"]
    assert "strategy and per_error are not heeded while features.advanced_retries is false" in errors


def test_explain_says_what_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After which errors, how often, how far apart and until when, as it is heeded."""
    monkeypatch.chdir(tmp_path)
    retry = (
        'retry = { max_retries = 2, base = "5s", strategy = "constant", on = ["OSError"], never = ["ValueError"], '
        'max_age = "1h", per_error = [{ on = ["ssl.SSLError"], max_retries = 9, strategy = "decorrelated" }] }'
    )
    (tmp_path / "scheduler.toml").write_text(f'[[schedule]]\nname = "a"\nevery = "1h"\nhandler = "log"\n{retry}\n')
    text = " ".join(ran(capsys, "explain a")[0].split())
    for said in (
        "a failed attempt is followed by up to 2 more, 5s apart",
        "after ssl.SSLError, by up to 9 more, 5s to 30s apart",
        "only OSError and timeouts are worth another attempt",
        "ValueError: no other attempt follows",
        "no other attempt begins later than 1h after it was due",
    ):
        assert said in text
    (tmp_path / "scheduler.toml").write_text(
        f'[features]\nadvanced_retries = false\n[[schedule]]\nname = "a"\nevery = "1h"\nhandler = "log"\n{retry}\n'
    )
    text = " ".join(ran(capsys, "explain a")[0].split())
    assert "up to 2 more, 5s to 30s apart" in text
    assert "ssl.SSLError" not in text
