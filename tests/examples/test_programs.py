"""The examples that are programs: each is started as its first lines say, and does what they say."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.cli.programs import DEADLINE_S, started
from tests.examples.asking import ask, hang_up
from trioarm import RunQuery, SchedulerConfig, State, open_scheduler
from trioarm.examples import development, health, startup

# As `python -m`, from a terminal: what starts the tests in the background has their programs ignore Ctrl+C.
HEEDING_CTRL_C = (
    "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); del sys.argv[0]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)
LONGER_THAN_A_PERIOD_S = 1.2  # of the schedule that waits for the migration


async def sent_within(mail: startup.Mail, seconds: float) -> bool:
    """Return whether a reminder is sent in this time."""
    with trio.move_on_after(seconds):
        await mail.sent.wait()
    return mail.sent.is_set()


async def test_startup_in_order_and_a_migration_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is sent before the connection is up and the migration is through, also at a start with work waiting."""
    monkeypatch.chdir(tmp_path)
    migrate = startup.migrate

    def migrate_slowly(path: Path) -> int:
        steps = migrate(path)
        assert not trio.from_thread.run(sent_within, mail, LONGER_THAN_A_PERIOD_S)
        return steps

    monkeypatch.setattr(startup, "migrate", migrate_slowly)
    for steps in (1, 0):
        mail = startup.Mail()
        with trio.fail_after(DEADLINE_S):
            await startup.main(mail)
        lines = capsys.readouterr().out.splitlines()
        assert lines[:3] == ["mail: connected", f"migrated: {steps} steps", "sent: reminder"]
        assert set(lines[3:]) <= {"sent: reminder"}
    with closing(sqlite3.connect(tmp_path / startup.ORDERS)) as db:
        [[kept]] = db.execute("SELECT count(*) FROM reminders")
    assert kept >= 2


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one transaction, so the next start finds what was there before."""
    monkeypatch.setattr(startup, "MIGRATIONS", (*startup.MIGRATIONS, "CREATE NONSENSE"))
    with pytest.raises(sqlite3.OperationalError, match="NONSENSE"):
        startup.migrate(tmp_path / "orders.db")
    with closing(sqlite3.connect(tmp_path / "orders.db")) as db:
        assert db.execute("SELECT * FROM sqlite_master").fetchall() == []
        assert db.execute("PRAGMA user_version").fetchall() == [(0,)]


async def test_health_says_when_it_changes_and_why(tmp_path: Path) -> None:
    """A store that is taken away makes it degraded, which is no reason for a restart; put back, all is well."""
    store, away = tmp_path / "health.db", tmp_path / "away.db"
    async with started(tmp_path, ("-c", HEEDING_CTRL_C, "trioarm.examples.health", "0")) as program:
        port = int((await program.line_with("listening")).split()[-1])
        await program.line_with("healthy: {}")
        await hang_up(port)
        store.rename(away)
        assert "health.db" in await program.line_with("degraded: ")
        status, state = await ask(port, "GET /")
        assert (status, state["level"], "repository" in state["reasons"]) == (200, "degraded", True)
        away.rename(store)
        await program.line_with("healthy: {}")
        status, state = await ask(port, "GET /")
        assert (status, state["level"], state["reasons"], state["failed"]) == (200, "healthy", {}, 0)
        assert state["succeeded"] > 0
        program.process.send_signal(signal.SIGINT)
        code, errors = await program.end()
    assert (code, program.lines[-1]) == (0, "stopped")
    assert [line.partition(" ")[0] for line in errors.splitlines()] == ["health.db", "health.db"]


async def test_health_is_503_while_nothing_is_decided(tmp_path: Path) -> None:
    """A node that does not do its work is down, and its supervisor can tell by the status alone."""
    config = SchedulerConfig.from_env({}, overrides={"scheduler.auto_start": False})
    async with (
        open_scheduler(f"sqlite:///{tmp_path}/idle.db", config=config) as scheduler,
        trio.open_nursery() as inner,
    ):
        serve = partial(trio.serve_tcp, partial(health.answer, scheduler), 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await inner.start(serve)
        status, state = await ask(listeners[0].socket.getsockname()[1], "GET /")
        inner.cancel_scope.cancel()
    assert (status, state["level"]) == (503, "down")
    assert list(state["reasons"]) == ["engine"]


async def test_shutdown_saves_what_it_has_and_goes_on_from_there(tmp_path: Path) -> None:
    """The second signal cuts the run short; the next start goes on with the same run, and the first one lets it end."""
    said: list[str] = []
    for last, codes in ((2, (3, "")), (16, (0, ""))):
        async with started(tmp_path, ("-m", "trioarm.examples.shutdown")) as program:
            await program.line_with(f"page {last}")
            program.process.send_signal(signal.SIGTERM)
            await program.line_with("stopping: runs may end")
            if codes[0]:
                program.process.send_signal(signal.SIGTERM)
            assert await program.end() == codes
            said += program.lines
    assert [line for line in said if line.startswith("page ")] == [f"page {page}" for page in range(1, 17)]
    begins = [line for line in said if "begins" in line]
    assert len(begins) >= 3  # what its timeout has no room for is left for later
    assert {line.rpartition(" ")[0] for line in begins} == {"attempt 1 begins at page"}  # and that is no failure
    async with open_scheduler(f"sqlite:///{tmp_path}/shutdown.db") as scheduler:
        [run] = (await scheduler.runs.find(RunQuery(schedule="copy"))).rows
    assert run.state is State.SUCCEEDED


async def test_web_routes_and_the_scheduler_live_and_end_together(tmp_path: Path) -> None:
    """Each route answers; what is not there, a client that hangs up and a store that is away end neither."""
    async with started(tmp_path, ("-m", "trioarm.examples.web", "0")) as program:
        port = int((await program.line_with("listening")).split()[-1])
        status, schedules = await ask(port, "GET /schedules")
        assert status == 200
        assert [one["state"] for one in schedules if one["name"] == "report"] == ["active"]
        status, fired = await ask(port, "POST /schedules/report/fire")
        assert status == 202
        assert await program.line_with("report: ") == f"report: {fired['run']}"
        assert await ask(port, "GET /health") == (200, {"level": "healthy"})
        status, said = await ask(port, "POST /schedules/of/nobody/fire")
        assert (status, said) == (404, {"error": "there is no schedule 'of/nobody'"})
        assert (await ask(port, "GET /schedules/report/fire"))[0] == 404
        assert (await ask(port, "nonsense"))[0] == 400
        await hang_up(port)
        (tmp_path / "web.db").rename(tmp_path / "away.db")
        status, said = await ask(port, "POST /schedules/report/fire")
        assert (status, "web.db" in said["error"]) == (503, True)
        assert await ask(port, "GET /health") == (200, {"level": "degraded"})
        (tmp_path / "away.db").rename(tmp_path / "web.db")
        _, fired = await ask(port, "POST /schedules/report/fire")
        await program.line_with(f"report: {fired['run']}")
        program.process.send_signal(signal.SIGTERM)
        assert (await program.end())[0] == 0
        assert program.lines[-2:] == [f"reported: {fired['run']}", "stopped"]


async def test_development_shows_what_is_decided_and_keeps_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On memory:// it says each decision and why an attempt failed, and leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    of_ours = caplog.at_level(logging.DEBUG, "trioarm")  # whoever ran the program in this process before
    with caplog.at_level(logging.DEBUG), of_ours, trio.fail_after(DEADLINE_S):
        await development.try_out()
    assert re.fullmatch(r"garden@\S+\+manual: succeeded after 2 attempts\n", capsys.readouterr().out)
    assert re.search(r"now-and-then: occurrence \S+ decided", caplog.text)
    assert "OSError: the tap is frozen" in caplog.text
    assert not os.listdir(tmp_path)


def test_development_plays_a_week(capsys: pytest.CaptureFixture[str]) -> None:
    """What was foreseen is what happens: 02:30 comes twice in a night, and counts the first time."""
    development.in_virtual_time(development.play_a_week)
    said = capsys.readouterr().out
    foreseen = re.findall(r"^\w{3} (\d\d) Oct (\d\d:\d\d) \+\d{4}  (\w+)$", said, re.MULTILINE)
    played = re.findall(r"^(\w+) +2026-10-(\d\d) (\d\d:\d\d)\S* +succeeded +2$", said, re.MULTILINE)
    assert len(foreseen) == 7
    assert [(name, day, at) for day, at, name in foreseen] == played
    assert "Sun 25 Oct 02:30 +0200  garden" in said
    assert "Mon 26 Oct 20:00 +0100  balcony" in said


@pytest.mark.parametrize("name", ["health", "web"])
async def test_a_port_that_is_in_use_is_one_line(name: str, tmp_path: Path) -> None:
    """Whoever starts a second one is told so, and no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with started(tmp_path, ("-m", f"trioarm.examples.{name}", str(port))) as program:
            code, errors = await program.end()
    assert code == 1
    assert errors.splitlines() == [f"port {port}: [Errno 98] Address already in use"]


@pytest.mark.parametrize("name", ["health", "web"])
async def test_who_names_no_port_is_told_how(name: str, tmp_path: Path) -> None:
    """The usage, and no traceback."""
    async with started(tmp_path, ("-m", f"trioarm.examples.{name}")) as program:
        code, errors = await program.end()
    assert code == 2
    assert errors.startswith(f"usage: python -m trioarm.examples.{name} [-h] port\n")
