"""The page on operating a node and the unit for systemd: they ship with the package, and what they name is true."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.cli.programs import started
from tests.config.writing import config_of
from trioarm.bootstrap import FLUSH_S
from trioarm.cli.app import main
from trioarm.cli.exits import Exit
from trioarm.cli.node import LEAVE_AFTER_S, SIGNALS
from trioarm.cli.pid1 import HANDED_ON
from trioarm.cli.systemd import SOCKET_ENV, WATCHDOG_ENV, WATCHDOG_PID_ENV, WATCHDOG_SHARE
from trioarm.config import SchedulerConfig
from trioarm.core.instants import DAY, parse_duration
from trioarm.core.states import FINAL, State
from trioarm.engine.health import LATE_PASS_S
from trioarm.handlers.housekeeping import PRUNE_EVERY_S
from trioarm.links.ping import DEADLINE_S
from trioarm.repositories.sqlite.database import LOG_PAGES
from trioarm.repositories.sqlite.pruning import HELD_S, ROWS, ROWS_MIN

PAGE = (files("trioarm") / "docs" / "operating.md").read_text(encoding="utf-8")
UNIT = (files("trioarm") / "examples" / "trioarm.service").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = {setting.key: setting for setting in SchedulerConfig().describe()}
SECTIONS = {key.partition(".")[0] for key in SETTINGS}
IN_UNIT = [line.partition("=") for line in UNIT.splitlines() if re.match(r"#?[A-Z][A-Za-z]+=", line)]
SAID = {key.removeprefix("#"): value for key, _, value in IN_UNIT}


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` knows every section and key of it, and takes every value."""
    program = tmp_path / "trioarm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "trioarm.service"
    unit.write_text(
        re.sub(r"^#(LoadCredential=)", r"\1", UNIT, flags=re.MULTILINE).replace(
            SAID["ExecStart"].split()[0], str(program)
        )
    )
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


async def test_the_unit_starts_what_there_is(tmp_path: Path) -> None:
    """The command of the unit is one of the program."""
    words = SAID["ExecStart"].split()
    assert words[0].endswith("/bin/trioarm")
    (tmp_path / "scheduler.toml").write_text("")
    arguments = [str(tmp_path / "scheduler.toml") if word.startswith("/") else word for word in words[1:]]
    async with started(tmp_path, ("-m", "trioarm", *arguments, "--for", "100ms")) as program:
        assert await program.end() == (0, "")


def test_the_store_of_the_unit_is_where_it_may_write(tmp_path: Path) -> None:
    """The page's and the unit's command sets a store in the state directory, wherever the configuration lies."""
    command = "config set scheduler.store sqlite:////var/lib/trioarm/trioarm.db"
    assert f"`trioarm {command}`" in PAGE
    assert f"/bin/trioarm {command}\n" in UNIT
    (tmp_path / "scheduler.toml").write_text("")
    assert main([*command.split(), "--config", str(tmp_path / "scheduler.toml")]) == 0
    config = SchedulerConfig.from_file(tmp_path / "scheduler.toml", environ={})
    assert config.store_path == Path("/var/lib") / SAID["StateDirectory"] / "trioarm.db"


def test_times_of_the_unit_fit_those_of_the_node() -> None:
    """It waits for longer than stopping may take, and longer than signs of life are apart; the page says how far."""
    config = SchedulerConfig()
    stopping_s = config.scheduler.drain_s + LEAVE_AFTER_S + 2 * FLUSH_S
    assert parse_duration(SAID["TimeoutStopSec"]) > stopping_s
    every_s = parse_duration(SAID["WatchdogSec"]) * WATCHDOG_SHARE
    assert f"a sign of life every {every_s:.0f} s" in PAGE
    assert LATE_PASS_S == 5
    assert "for longer than `scheduler.check_interval` and five seconds" in " ".join(PAGE.split())
    assert DEADLINE_S == 10
    assert "within ten seconds counts" in " ".join(PAGE.split())


def test_every_setting_of_the_page_is_one() -> None:
    """What looks like a key of the file is one; where a value follows in brackets, it is the default."""
    named = re.findall(r"`([a-z]+\.[a-z_]+)`(?: \((\d+[a-z]+)\))?", PAGE)
    ours = [(key, value) for key, value in named if key.partition(".")[0] in SECTIONS]
    assert {"scheduler.drain", "scheduler.dead_man_url"} < {key for key, _ in ours}
    assert {key for key, _ in ours} <= set(SETTINGS)
    assert all(not value or value == SETTINGS[key].default for key, value in ours)
    assert sum(bool(value) for _, value in ours) >= 2
    for key in ("executor.max_concurrent", "executor.queue_timeout", "executor.timeout"):
        assert SETTINGS[key].live
    assert f"`scheduler.drain` ({SETTINGS['scheduler.drain'].default})" in PAGE


def test_the_example_of_what_is_kept_says_what_the_page_says(tmp_path: Path) -> None:
    """It can be used as it stands; the page names every state that can be kept apart, and the numbers that are so."""
    [_, example] = EXAMPLES
    now = 1_000 * DAY
    retention = config_of(tmp_path, example).retention(now)
    kept = {state: (now - each.before, each.most) for each in retention.kept for state in each.states}
    assert kept.pop(State.FAILED) == kept.pop(State.MISSED) == (365 * DAY, 10_000)
    assert kept.pop(State.SKIPPED) == (30 * DAY, 100)
    assert set(kept.values()) == {(30 * DAY, 10_000)}
    text = " ".join(PAGE.split())
    [states] = re.findall(r"The states are (.*?);", text)
    assert set(re.findall(r"`([a-z_]+)`", states)) == set(FINAL)
    assert (
        f"transactions of {ROWS_MIN} to {ROWS} rows: fewer where a transaction takes longer than {HELD_S * 1000:.0f} ms"
        in (text)
    )
    assert f"Every {LOG_PAGES:_} pages".replace("_", " ") in text
    assert PRUNE_EVERY_S == 6 * 3600


def test_the_example_of_workers_can_be_used_as_it_stands(tmp_path: Path) -> None:
    """It gives one handler one worker; the numbers of the page are the defaults."""
    config = config_of(tmp_path, EXAMPLES[0])
    assert config.workers == {"command": 1}
    assert f"`executor.max_concurrent` handlers ({config.executor.max_concurrent})" in PAGE
    assert f"`scheduler.max_concurrent` runs ({config.scheduler.max_concurrent})" in PAGE


def test_every_key_of_systemd_is_in_the_unit() -> None:
    """What the page says of the unit stands in it, with that value."""
    named = re.findall(r"`([A-Z][A-Za-z]+)=([^`]*)`", PAGE)
    assert len(named) >= 8
    for key, value in named:
        if key == "Type" or value:
            assert SAID[key] == value
        else:
            assert key in SAID
    assert SAID["RestartPreventExitStatus"] == str(int(Exit.USAGE))
    assert SAID["SuccessExitStatus"] == str(int(Exit.CUT_SHORT))


def test_signals_exit_codes_and_variables_are_those_of_the_program() -> None:
    """The tables name each of them, and no other."""
    assert set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)) == {str(int(code)) for code in Exit}
    rows = " ".join(re.findall(r"^\| (SIG[^|]*) \|", PAGE, re.MULTILINE))
    assert set(re.findall(r"SIG[A-Z]+", rows)) == {number.name for number in SIGNALS}
    sentence = re.search(r"hands (SIG.*?) on to it", " ".join(PAGE.split()))
    assert sentence is not None
    assert set(re.findall(r"SIG[A-Z0-9]+", sentence.group(1))) == set(HANDED_ON)
    for variable in (SOCKET_ENV, WATCHDOG_ENV, WATCHDOG_PID_ENV):
        assert f"`{variable}`" in PAGE


@pytest.mark.parametrize("command", re.findall(r"`trioarm ([a-z]+(?: (?:show|set))?)", PAGE))
async def test_every_command_of_the_page_is_one(command: str, tmp_path: Path) -> None:
    """Each command has help."""
    async with started(tmp_path, ("-m", "trioarm", *command.split(), "--help")) as program:
        assert await program.end() == (0, "")


async def test_the_page_says_where_the_unit_is(tmp_path: Path) -> None:
    """Its command prints the folder of the unit, and its link leads there."""
    [code] = re.findall(r'^python -c "(.*)"$', PAGE, re.MULTILINE)
    async with started(tmp_path, ("-c", code)) as program:
        assert await program.end() == (0, "")
    assert (Path(program.lines[0]) / "trioarm.service").read_text(encoding="utf-8") == UNIT
    [link] = re.findall(r"\]\((\.\.[^)]*)\)", PAGE)
    assert (Path(program.lines[0]).parent / "docs" / link).resolve().read_text(encoding="utf-8") == UNIT
