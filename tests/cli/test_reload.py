"""The program, told to change while it runs: by `config set` in another terminal, and by SIGHUP."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

from tests.cli.programs import environment, started
from trioarm.cli.app import main

RUN = ("-m", "trioarm", "run")
BEAT = '[[schedule]]\nname = "{}"\nhandler = "log"\nevery = "{}"\n'


def config_set(folder: Path, *arguments: str) -> None:
    """Carry out `config set`."""
    assert main(["config", "set", *arguments, "--config", str(folder / "scheduler.toml")]) == 0


def set_from_another_terminal(folder: Path, *arguments: str) -> float:
    """Carry out `config set` as a process of its own, and return when it had ended."""
    command = [sys.executable, "-m", "trioarm", "config", "set", *arguments]
    subprocess.run(command, cwd=folder, env=environment({}), check=True, capture_output=True)
    return monotonic()


async def test_what_is_set_is_taken_over_within_a_second(tmp_path: Path) -> None:
    """A live setting is told with both values right after `config set` has ended; one that is not live is named."""
    (tmp_path / "scheduler.toml").write_text(BEAT.format("beat", "1h"))
    async with started(tmp_path, RUN) as program:
        await program.line_with("started")
        done_at = set_from_another_terminal(tmp_path, "scheduler.drain", "1m")
        await program.line_with("scheduler.drain is 1m now, it was 30s")
        assert monotonic() - done_at < 1
        done_at = set_from_another_terminal(tmp_path, "--unset", "scheduler.drain")
        await program.line_with("scheduler.drain is 30s now, it was 1m")
        assert monotonic() - done_at < 1
        config_set(tmp_path, "scheduler.auto_start", "false")
        await program.line_with("waits for the next start: scheduler.auto_start")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")


async def test_the_log_itself_changes(tmp_path: Path) -> None:
    """`log.level` and `features.debug` are live: decisions are told from then on, and then no more."""
    (tmp_path / "scheduler.toml").write_text(BEAT.format("beat", "200ms"))
    async with started(tmp_path, RUN) as program:
        await program.line_with("beat  succeeded")
        assert not any("decided" in line or "running" in line for line in program.lines)
        config_set(tmp_path, "features.debug", "true")
        await program.line_with("features.debug is true now")
        await program.line_with("decided claimed")
        config_set(tmp_path, "log.level", "error")
        config_set(tmp_path, "--unset", "features.debug")
        config_set(tmp_path, "--unset", "log.level")
        await program.line_with("log.level is info now, it was error")
        told = len(program.lines)
        for _ in range(2):
            await program.line_with("beat  succeeded")
        assert not any("decided" in line for line in program.lines[told:])
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")


async def test_sighup_reads_everything_again(tmp_path: Path) -> None:
    """Schedules and settings of the file are taken over by SIGHUP, and not before; without a change it says so."""
    file = tmp_path / "scheduler.toml"
    file.write_text(BEAT.format("old", "1h"))
    async with started(tmp_path, RUN) as program:
        await program.line_with("started")
        file.write_text(BEAT.format("new", "200ms") + "[executor]\ntimeout = 9\n[scheduler]\ntimezone = 'Asia/Tokyo'\n")
        config_set(tmp_path, "scheduler.drain", "1m")
        await program.line_with("scheduler.drain is 1m")
        program.process.send_signal(signal.SIGHUP)
        await program.line_with("executor.timeout is 9s now, it was 5m")
        await program.line_with("1 schedule added: new")
        await program.line_with("1 schedule removed: old")
        assert "warning" in await program.line_with("waits for the next start: scheduler.timezone")
        await program.line_with("new  succeeded")
        file.write_text(BEAT.format("new", "200ms") + "[executor]\ntimeout = 9\n")
        program.process.send_signal(signal.SIGHUP)
        await program.line_with("SIGHUP: the configuration says what it said before")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")


async def test_a_file_with_problems_changes_nothing(tmp_path: Path) -> None:
    """Every problem is a line, and the node goes on as it was."""
    file = tmp_path / "scheduler.toml"
    file.write_text(BEAT.format("beat", "200ms"))
    async with started(tmp_path, RUN) as program:
        await program.line_with("started")
        file.write_text(BEAT.format("new", "200ms").replace("log", "lgo") + "[executor]\ntimeout = 9\ntimeot = 1\n")
        program.process.send_signal(signal.SIGHUP)
        assert "error" in await program.line_with("SIGHUP: nothing is taken over: executor.timeot: unknown key")
        (tmp_path / "scheduler.local.toml").write_text("=")
        await program.line_with("scheduler.local.toml: is not TOML")
        await program.line_with("beat  succeeded")
        assert not any("executor.timeout is" in line for line in program.lines)
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")


async def test_settings_of_the_command_line_stay(tmp_path: Path) -> None:
    """What `--set` said is stronger than what is read again."""
    (tmp_path / "scheduler.toml").write_text("")
    async with started(tmp_path, (*RUN, "--set", "scheduler.drain=7s")) as program:
        await program.line_with("started")
        config_set(tmp_path, "scheduler.drain", "1m")
        config_set(tmp_path, "executor.timeout", "1m")
        await program.line_with("executor.timeout is 1m now")
        assert not any("scheduler.drain" in line for line in program.lines)
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")


ON_A_TERMINAL = """
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "trioarm", "run"])
said = b""
while b"started" not in said:
    said += os.read(master, 4096)
if sys.argv[1] == "close":
    os.close(master)
else:
    os.kill(pid, 1)
    while b"what it said before" not in said:
        said += os.read(master, 4096)
    os.kill(pid, 15)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


async def test_a_terminal_that_is_closed_stops_the_node(tmp_path: Path) -> None:
    """SIGHUP because the terminal is gone means the end, as people expect; a terminal that is still there is no end."""
    (tmp_path / "scheduler.toml").write_text("")
    (tmp_path / "terminal.py").write_text(ON_A_TERMINAL)
    for how in ("close", "hang up"):
        async with started(tmp_path, ("terminal.py", how)) as program:
            assert await program.line_with("") == "0"
            assert await program.end() == (0, "")


def test_a_system_without_such_signals_still_starts(tmp_path: Path) -> None:
    """Where there is no SIGHUP, no fork and no inotify, a node starts, ends, and settings can be changed."""
    (tmp_path / "scheduler.toml").write_text("")
    code = (
        "import os, signal, sys, trio, cyclopts, tempfile, subprocess\n"
        "del signal.SIGHUP, os.fork, os.chown\n"
        "from trioarm.links.watch import DirectoryWatch\n"
        "DirectoryWatch.open = lambda directory: None\n"
        "from trioarm.__main__ import main\n"
        "for line in ('config set log.level debug', 'run --for 100ms'):\n"
        "    sys.argv = ['trioarm', *line.split()]\n"
        "    assert main() == 0\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment({}), capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "stopped after" in ended.stdout
