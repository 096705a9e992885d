"""Every key of the documented table: its default, its variable, its bounds, and where its value came from."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from tests.config.writing import config_of, problems_of
from trioarm.config import (
    ArmingSettings,
    Description,
    ExecutorSettings,
    SchedulerConfig,
    SchedulerSettings,
)
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import parse_duration
from trioarm.core.states import FINAL


@attrs.frozen
class Documented:
    """A row of the documented table; bounds of durations in seconds."""

    key: str
    env: str | None
    default: float | bool | str | None
    least: float | None = None
    most: float | None = None
    live: bool = False
    duration: bool = False


D, H = 86400, 3600
TABLE = [
    Documented("scheduler.check_interval", "SCHEDULER_CHECK_INTERVAL", 60, 5, 300, True, True),
    Documented("scheduler.tolerance", "SCHEDULER_EXECUTION_TOLERANCE", 300, 60, 1800, True, True),
    Documented("scheduler.max_concurrent", "SCHEDULER_MAX_CONCURRENT", 5, 1, 10000, True),
    Documented("scheduler.auto_recovery", "SCHEDULER_AUTO_RECOVERY", True),
    Documented("scheduler.auto_start", "SCHEDULER_AUTO_START", True),
    Documented("scheduler.health_check_interval", "SCHEDULER_HEALTH_CHECK_INTERVAL", 300, 5, 3600, True, True),
    Documented("scheduler.drain", "SCHEDULER_SHUTDOWN_TIMEOUT", 30, 0, 600, True, True),
    Documented("executor.max_concurrent", "TASK_EXECUTOR_MAX_CONCURRENT", 3, 1, 10000, True),
    Documented("executor.timeout", "TASK_EXECUTOR_TIMEOUT", 300, 1, D, True, True),
    Documented("executor.max_retries", "TASK_EXECUTOR_MAX_RETRIES", 3, 0, 10, True),
    Documented("executor.retry_delay_base", "TASK_EXECUTOR_RETRY_DELAY_BASE", 1, 0, H, True, True),
    Documented("executor.retry_delay_max", "TASK_EXECUTOR_RETRY_DELAY_MAX", 30, 0, D, True, True),
    Documented("executor.queue_timeout", "TASK_EXECUTOR_QUEUE_TIMEOUT", 600, 1, D, True, True),
    Documented("features.dst", "SCHEDULER_ENABLE_DST", True),
    Documented("features.advanced_retries", "SCHEDULER_ENABLE_ADVANCED_RETRIES", True),
    Documented("features.performance_monitoring", "SCHEDULER_ENABLE_PERFORMANCE_MONITORING", True, live=True),
    Documented("features.debug", "SCHEDULER_DEBUG", False, live=True),
    Documented("scheduler.environment", "SCHEDULER_ENV", "default"),
    Documented("scheduler.store", "TRIOARM_STORE", "sqlite:///trioarm.db"),
    Documented("scheduler.misfire_window", None, H, 0, 366 * D, True, True),
    Documented("scheduler.horizon", None, H, 60, D, True, True),
    Documented("scheduler.retention", None, 90 * D, D, 3660 * D, True, True),
    Documented("scheduler.retention_runs", None, 10000, 1, 1_000_000, True),
    *(Documented(f"history.{state}", None, None, D, 3660 * D, True, True) for state in sorted(FINAL)),
    *(Documented(f"history.{state}_runs", None, None, 1, 1_000_000, True) for state in sorted(FINAL)),
    Documented("scheduler.chunk", None, 1000, 10, 10000, True),
    Documented("scheduler.timezone", None, "UTC"),
    Documented("arming.workers", None, None, 1, 1000),
    Documented("arming.late_disarm", None, 900, 0, D, False, True),
    Documented("arming.report", None, "off", None, None, True),
    Documented("arming.watch", None, 60, 0, H, True, True),
    Documented("arming.hold_reminder", None, D, 0, 30 * D, True, True),
    Documented("log.format", None, "auto"),
    Documented("scheduler.dead_man_url", None, None, live=True),
    Documented("scheduler.dead_man_interval", None, 60, 10, D, True, True),
    Documented("log.level", None, "info", live=True),
]
IN_VARIABLES = [row for row in TABLE if row.env]
BOUNDED = [row for row in TABLE if row.least is not None]


def described(config: SchedulerConfig, key: str) -> Description:
    """Return one setting as `config show` says it."""
    return next(line for line in config.describe() if line.key == key)


def value_of(config: SchedulerConfig, row: Documented) -> object:
    """Return the value of a key as code sees it."""
    section, _, name = row.key.partition(".")
    return attrs.asdict(getattr(config, section))[name + "_s" * row.duration]


def in_file(row: Documented, value: object) -> str:
    """Return the file that sets one key."""
    section, _, name = row.key.partition(".")
    text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else value
    return f"[{section}]\n{name} = {text}\n"


def in_variable(row: Documented, value: float) -> str:
    """Return how a variable says a number: durations in milliseconds."""
    return f"{value * 1000:.0f}" if row.duration else str(value)


def name_of(row: Documented) -> str:
    """Name a case by its key."""
    return row.key


def test_the_table_is_complete() -> None:
    """There is no key that is not documented, and none documented that is not there."""
    assert sorted(line.key for line in SchedulerConfig().describe()) == sorted(row.key for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_a_key_has_its_documented_default(row: Documented) -> None:
    """Without file and variables a key has the default, the variable and the liveness that the table says."""
    config = SchedulerConfig.from_env({})
    line = described(config, row.key)
    assert value_of(config, row) == row.default
    assert (line.env, line.live, line.source) == (row.env, row.live, "default")
    assert line.what


@pytest.mark.parametrize("row", BOUNDED, ids=name_of)
def test_a_key_in_the_file_keeps_its_bounds(row: Documented, tmp_path: Path) -> None:
    """Both ends are allowed, and one beyond either is refused in one line that shows the value and both ends."""
    bounds = described(SchedulerConfig(), row.key).bounds
    for value in (row.least, row.most):
        config = config_of(tmp_path, in_file(row, value))
        assert value_of(config, row) == value
        assert described(config, row.key).source == "scheduler.toml"
    for value in (row.least - 1, row.most + 1):
        assert problems_of(tmp_path, in_file(row, value)) == (f"{row.key}: {value} is outside {bounds}",)
    first, _, last = bounds.partition(" to ")
    read = parse_duration if row.duration else float
    assert (read(first), read(last)) == (row.least, row.most)


@pytest.mark.parametrize("row", [row for row in IN_VARIABLES if row.least is not None], ids=name_of)
def test_a_key_in_a_variable_keeps_its_bounds(row: Documented, tmp_path: Path) -> None:
    """Both ends are allowed, durations in milliseconds, and one beyond either is refused, naming the variable."""
    for value in (row.least, row.most):
        config = SchedulerConfig.from_env({row.env: in_variable(row, value)})
        assert value_of(config, row) == value
        assert described(config, row.key).source == f"environment variable {row.env}"
    beyond = in_variable(row, row.most + 1)
    with pytest.raises(ConfigurationError, match=rf"^{row.env}: {beyond} is outside "):
        SchedulerConfig.from_env({row.env: beyond})
    if row.least:
        with pytest.raises(ConfigurationError, match=rf"^{row.env}: .* is outside "):
            SchedulerConfig.from_env({row.env: in_variable(row, row.least - 1)})


@pytest.mark.parametrize("row", [row for row in IN_VARIABLES if isinstance(row.default, bool)], ids=name_of)
def test_a_switch_is_read_from_file_and_variable(row: Documented, tmp_path: Path) -> None:
    """A file says true or false; a variable says true, false, 1 or 0, in capitals or not."""
    assert value_of(config_of(tmp_path, in_file(row, not row.default)), row) is not row.default
    for text, value in {"true": True, "1": True, "TRUE": True, "false": False, "0": False, "False": False}.items():
        assert value_of(SchedulerConfig.from_env({row.env: text}), row) is value
    line = f'{row.env}: "yes" is no switch: write true, false, 1 or 0'
    assert problems_of(tmp_path, "", {row.env: "yes"}) == (line,)
    assert problems_of(tmp_path, in_file(row, 1)) == (f"{row.key}: 1 is neither true nor false",)


@pytest.mark.parametrize(
    ("text", "value_s"), [('"90s"', 90), ('"1m30s"', 90), ("90", 90), ("90.5", 90.5), ('"0.1m"', 6)]
)
def test_a_duration_in_the_file_is_text_or_seconds(text: str, value_s: float, tmp_path: Path) -> None:
    """A file says a duration as a person does, or as a number of seconds."""
    assert config_of(tmp_path, f"[scheduler]\ncheck_interval = {text}").scheduler.check_interval_s == value_s


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"SCHEDULER_CHECK_INTERVAL": "60s"},
            'SCHEDULER_CHECK_INTERVAL: "60s" is no number of milliseconds: write it like 60000',
        ),
        (
            {"SCHEDULER_CHECK_INTERVAL": "60"},
            "SCHEDULER_CHECK_INTERVAL: 60 is outside 5000 to 300000 milliseconds (5s to 5m)",
        ),
        (
            {"TASK_EXECUTOR_TIMEOUT": "-1"},
            'TASK_EXECUTOR_TIMEOUT: "-1" is no number of milliseconds: write it like 60000',
        ),
        ({"SCHEDULER_MAX_CONCURRENT": "1.5"}, 'SCHEDULER_MAX_CONCURRENT: "1.5" is no whole number: write it like 5'),
        ({"SCHEDULER_MAX_CONCURRENT": "٣"}, 'SCHEDULER_MAX_CONCURRENT: "٣" is no whole number: write it like 5'),
        ({"SCHEDULER_MAX_CONCURRENT": "0"}, "SCHEDULER_MAX_CONCURRENT: 0 is outside 1 to 10000"),
        (
            {"TRIOARM_STORE": "sqlite:///"},
            'TRIOARM_STORE: "sqlite:///" names no file: write it like "sqlite:///trioarm.db"',
        ),
    ],
)
def test_a_mistaken_variable_is_one_line(environ: dict[str, str], line: str) -> None:
    """What is wrong with a variable is said with its name, its value and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        SchedulerConfig.from_env(environ)
    assert caught.value.problems == (line,)


def test_an_empty_variable_says_nothing() -> None:
    """A variable set to nothing, as container files like to do, leaves the default."""
    assert SchedulerConfig.from_env({"SCHEDULER_DEBUG": "", "SCHEDULER_ENV": ""}) == SchedulerConfig()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[scheduler]\nchek_interval = 5", "scheduler.chek_interval: unknown key; did you mean check_interval?"),
        ("[scheduler]\nhorizon = '1s'", 'scheduler.horizon: "1s" is outside 1m to 1d'),
        ("[scheduler]\ntimezone = 'Prague/Europe'", None),
        ("[log]\nformat = 'xml'", 'log.format: "xml" is unknown; there is auto, console, json'),
        ("[log]\nlevel = 'warn'", 'log.level: "warn" is unknown; did you mean warning?'),
        ("[history]\nfailed = '1h'", 'history.failed: "1h" is outside 1d to 3660d'),
        ("[history]\nmissed_runs = 0", "history.missed_runs: 0 is outside 1 to 1000000"),
        ("[history]\nfaild = '30d'", "history.faild: unknown key; did you mean failed?"),
        ("[history]\npending = '30d'", None),
        ("[executer]\n", "executer: unknown key; did you mean executor?"),
        ("executor = 3", "executor: 3 is no table: write it like { key = value }"),
        ("[http]\nport = 1", "http: [http] is not available yet: leave it out"),
    ],
)
def test_a_mistaken_setting_is_one_line(text: str, line: str | None, tmp_path: Path) -> None:
    """What is wrong with a setting is said with its path, its value and what would be right."""
    (found,) = problems_of(tmp_path, text)
    others = ("scheduler.timezone: time zone 'Prague/Europe' is unknown", "history.pending: unknown key")
    assert found == line or (line is None and found.startswith(others))


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("postgresql://ann:s3c@ret@db/x", '"postgresql://ann:***@db/x": the PostgreSQL store is not available yet; '),
        ("postgresql://db/x?user=a&password=s3c@ret", '"postgresql://db/x?user=a&password=***": the PostgreSQL store '),
        ("mysql://ann:s3c@ret@db/x", '"mysql://ann:***@db/x" is no store: write "sqlite:///trioarm.db" or "memory://"'),
        ("memroy://", '"memroy://" is no store: write "sqlite:///trioarm.db" or "memory://"; did you mean memory?'),
        ("trioarm.db", '"trioarm.db" is no store: write "sqlite:///trioarm.db" or "memory://"'),
        ("postgresql://ann:s3c@ret@" + "x" * 5000, '"***": the PostgreSQL store is not available yet'),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_without_its_password(url: str, line: str, tmp_path: Path) -> None:
    """The line names the store and what is missing, and never shows a password."""
    for found in (
        problems_of(tmp_path, f"[scheduler]\nstore = '{url}'"),
        problems_of(tmp_path, "", {"TRIOARM_STORE": url}),
        problems_of(tmp_path, "", {}, {"scheduler.store": url}),
    ):
        assert len(found) == 1
        assert line in found[0]
        assert "s3c" not in found[0]
        assert "ret" not in found[0]


def test_settings_made_in_code_are_checked_too() -> None:
    """A section that exists is valid: code is held to the same bounds, and told which field is wrong."""
    with pytest.raises(ConfigurationError, match=r"^SchedulerSettings\.check_interval_s: 1 is outside 5s to 5m$"):
        SchedulerSettings(check_interval_s=1)
    with pytest.raises(ConfigurationError, match=r"^ExecutorSettings\.max_retries: 11 is outside 0 to 10$"):
        ExecutorSettings(max_retries=11)
    assert ArmingSettings(workers=None).workers is None


def test_a_description_is_what_people_ask() -> None:
    """A setting is described by its value, its source, its bounds, its variable and what it does."""
    config = SchedulerConfig(executor=ExecutorSettings(timeout_s=90))
    assert described(config, "executor.timeout") == Description(
        key="executor.timeout",
        value="1m30s",
        source="code",
        default="5m",
        example='"5m"',
        bounds="1s to 1d",
        env="TASK_EXECUTOR_TIMEOUT",
        live=True,
        what="how long one attempt may take",
    )
    assert described(config, "arming.workers").value == "not set"
    assert described(config, "features.debug").value == "false"
