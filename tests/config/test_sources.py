"""Which file is read, why it may not be readable, and who has the last word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of, write
from trioarm.config import SchedulerConfig
from trioarm.core.errors import ConfigurationError


def refusal(path: Path) -> str:
    """Return the one line that says why a file cannot be read."""
    with pytest.raises(ConfigurationError) as caught:
        SchedulerConfig.from_file(path, environ={})
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A file that is not there is answered with what to do."""
    line = "there is no such file: write one with `trioarm init`, or name another"
    assert refusal(tmp_path / "scheduler.toml") == line


def test_a_directory_is_one_line(tmp_path: Path) -> None:
    """A directory in place of a file is named as such."""
    assert refusal(tmp_path) == "this is a directory: name the file in it"


def test_a_file_below_a_file_is_one_line(tmp_path: Path) -> None:
    """What the operating system refuses is said in its words."""
    assert refusal(write(tmp_path, "") / "scheduler.toml") == "cannot be read: Not a directory"


def test_a_pipe_or_a_device_is_one_line(tmp_path: Path) -> None:
    """What may never end is not waited for."""
    line = "is no ordinary file: a pipe or a device is read to no end, so name a file"
    pipe = tmp_path / "scheduler.toml"
    os.mkfifo(pipe)
    assert refusal(pipe) == line
    assert refusal(Path("/dev/zero")) == line
    pipe.rename(tmp_path / "scheduler.local.toml")
    with pytest.raises(ConfigurationError, match=r"scheduler\.local\.toml: is no ordinary file"):
        config_of(tmp_path, "")


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    """A link is followed, and one that leads nowhere is a file that is not there."""
    link = tmp_path / "link.toml"
    link.symlink_to(write(tmp_path, "[log]\nlevel = 'debug'"))
    assert SchedulerConfig.from_file(link, environ={}).log.level == "debug"
    (tmp_path / "scheduler.toml").unlink()
    assert refusal(link).startswith("there is no such file")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"# caf\xe9\n", "is not UTF-8, see line 1: save it as UTF-8"),
        (b"a = 1\nb = 2\n\xff", "is not UTF-8, see line 3: save it as UTF-8"),
        (b"[scheduler]\ndrain = = 5", "is not TOML: Invalid value (at line 2, column 9)"),
        (b"a = 1\na = 2\n", "is not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1 MiB: schedules by the thousand belong into the store"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(content: bytes, line: str, tmp_path: Path) -> None:
    """What is no UTF-8, no TOML, or too much is refused, with the place where there is one."""
    path = tmp_path / "scheduler.toml"
    path.write_bytes(content)
    assert refusal(path) == line


def test_a_number_without_end_is_one_line(tmp_path: Path) -> None:
    """A number that Python refuses to read is refused in one line too."""
    assert refusal(write(tmp_path, "a = " + "9" * 5000)).startswith("is not TOML: Exceeds the limit")


def test_a_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    """Editors of some systems begin a file with a mark that says nothing."""
    path = tmp_path / "scheduler.toml"
    path.write_bytes(b"\xef\xbb\xbf[scheduler]\ndrain = 5\n")
    assert SchedulerConfig.from_file(path, environ={}).scheduler.drain_s == 5


def test_the_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIOARM_CONFIG names the file; without it, it is scheduler.toml in the working directory."""
    path = write(tmp_path, "[scheduler]\ndrain = 5", "other.toml")
    write(tmp_path, "[scheduler]\ndrain = 6")
    monkeypatch.chdir(tmp_path)
    named = {"TRIOARM_CONFIG": str(path)}
    assert SchedulerConfig.from_file(environ=named).scheduler.drain_s == 5
    assert SchedulerConfig.from_env(named).source == path
    assert SchedulerConfig.from_file(environ={}).scheduler.drain_s == 6
    assert SchedulerConfig.from_env({}).source is None


FILE = """
[scheduler]
drain = "1s"
[environment.prod.scheduler]
drain = "2s"
[environment.dev.scheduler]
drain = "9s"
"""
LOCAL = '[scheduler]\ndrain = "3s"\n'
PROD = {"SCHEDULER_ENV": "prod"}


@pytest.mark.parametrize(
    ("local", "environ", "overrides", "drain_s", "source"),
    [
        (False, {}, {}, 1, "scheduler.toml"),
        (False, PROD, {}, 2, "scheduler.toml [environment.prod]"),
        (True, PROD, {}, 3, "scheduler.local.toml"),
        (
            True,
            {**PROD, "SCHEDULER_SHUTDOWN_TIMEOUT": "4000"},
            {},
            4,
            "environment variable SCHEDULER_SHUTDOWN_TIMEOUT",
        ),
        (True, {**PROD, "SCHEDULER_SHUTDOWN_TIMEOUT": "4000"}, {"scheduler.drain": "5s"}, 5, "command line"),
    ],
)
def test_the_stronger_source_wins(
    local: bool, environ: dict[str, str], overrides: dict[str, object], drain_s: float, source: str, tmp_path: Path
) -> None:
    """Command line, variable, scheduler.local.toml, environment, file: the first that says something is heard."""
    if local:
        write(tmp_path, LOCAL, "scheduler.local.toml")
    config = config_of(tmp_path, FILE, environ, overrides)
    assert config.scheduler.drain_s == drain_s
    assert {line.key: line.source for line in config.describe()}["scheduler.drain"] == source


@pytest.mark.parametrize("where", ["file", "local", "variable", "command line"])
def test_any_source_but_an_environment_chooses_the_environment(where: str, tmp_path: Path) -> None:
    """The name of the environment can be said everywhere a setting can."""
    chosen = '\n[scheduler]\nenvironment = "prod"\n'
    overlay = "[environment.prod.executor]\ntimeout = 7\n"
    if where == "local":
        write(tmp_path, chosen, "scheduler.local.toml")
    config = config_of(
        tmp_path,
        overlay + chosen * (where == "file"),
        PROD if where == "variable" else {},
        {"scheduler.environment": "prod"} if where == "command line" else {},
    )
    assert (config.scheduler.environment, config.executor.timeout_s) == ("prod", 7)


def test_an_environment_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Where a file knows environments, a misspelt one is a problem of whoever chose it."""
    line = "SCHEDULER_ENV: there is no [environment.prd]; did you mean prod?"
    assert problems_of(tmp_path, FILE, {"SCHEDULER_ENV": "prd"}) == (line,)


def test_without_environments_the_name_is_a_label(tmp_path: Path) -> None:
    """A file that knows no environments can be used in all of them."""
    assert config_of(tmp_path, "", {"SCHEDULER_ENV": "staging"}).scheduler.environment == "staging"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[environment.a.executor]\ntimout = 1", "environment.a.executor.timout: unknown key; did you mean timeout?"),
        (
            "[environment.a.scheduler]\nenvironment = 'b'",
            "environment.a.scheduler.environment: an environment cannot choose another: leave it out",
        ),
        (
            "[environment.a.environment.b.executor]\ntimeout = 1",
            "environment.a.environment: stands in scheduler.toml alone, and not in another one",
        ),
        ("environment = 'a'", 'environment: "a" is no table: write it like { key = value }'),
        ("[environment]\na = 1", "environment.a: 1 is no table: write it like { key = value }"),
    ],
)
def test_an_environment_nobody_chose_is_judged_too(text: str, line: str, tmp_path: Path) -> None:
    """A mistake in another environment is found before the day it is needed."""
    assert problems_of(tmp_path, text) == (line,)


def test_problems_beside_the_file_name_their_place(tmp_path: Path) -> None:
    """What is wrong in scheduler.local.toml or on the command line says so."""
    write(tmp_path, "[scheduler]\ndrain = -1", "scheduler.local.toml")
    assert problems_of(tmp_path, "", {}, {"executor.timeout": True, "log.colour": 1}) == (
        "scheduler.local.toml: scheduler.drain: -1 is outside 0s to 10m",
        'command line: executor.timeout: true is no duration: write it like "90s", "5m", "2h", "1h30m" or "1d"',
        "command line: log.colour: unknown key; there is format, level",
    )


def test_an_unreadable_local_file_is_one_line(tmp_path: Path) -> None:
    """What `config set` wrote is read as strictly as the file."""
    local = write(tmp_path, "=", "scheduler.local.toml")
    assert problems_of(tmp_path, "") == (f"{local}: is not TOML: Invalid statement (at line 1, column 1)",)


def test_a_value_that_is_overruled_is_judged_too(tmp_path: Path) -> None:
    """A mistake does not hide behind a stronger source."""
    found = problems_of(tmp_path, "[scheduler]\ndrain = 'x'", {"SCHEDULER_SHUTDOWN_TIMEOUT": "1000"})
    assert found == ("scheduler.drain: 'x' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d",)


def test_an_environment_adds_to_tables_and_replaces_schedules_by_name(tmp_path: Path) -> None:
    """Tables are laid over each other key by key; a schedule of the same name stands in place of the file's."""
    text = """
    schedule = [
        { name = "a", handler = "log", every = "1m" },
        { name = "b", handler = "log", every = "1m", priority = 7 },
    ]
    site.home.timezone = "Europe/Prague"
    partition.house = { site = "home", panel = { exit_delay = "30s", entry_delay = "20s" } }
    [environment.prod]
    schedule = [{ name = "b", handler = "log", cron = "@daily" }, { name = "c", handler = "log", every = "1m" }]
    partition.house.panel.exit_delay = "45s"
    """
    config = config_of(tmp_path, text, PROD)
    assert [(each.name, each.priority) for each in config.schedules] == [("a", 5), ("b", 5), ("c", 5)]
    panel = config.premises.partitions["house"].panel
    assert (panel.exit_delay_s, panel.entry_delay_s) == (45, 20)
