"""The whole configuration: what the engine gets from it, the file to begin with, and that a bad one is always lines."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.config.writing import config_of, problems_of, write
from trioarm.config import (
    ExecutorSettings,
    FeatureSettings,
    SchedulerConfig,
    SchedulerSettings,
    default_toml,
    unknown_handlers,
)
from trioarm.core.instants import DAY, HOUR, MINUTE
from trioarm.core.planning import PlanRules
from trioarm.core.queries import Kept, Retention
from trioarm.core.reading import PROBLEMS_MAX
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.retrying import RetryRules
from trioarm.core.schedule import Schedule
from trioarm.core.states import FINAL, State
from trioarm.core.triggers import Every


def test_the_engine_plans_by_the_configured_rules() -> None:
    """Seconds become microseconds, and no handler but the one that arms gives up waiting for a worker."""
    config = SchedulerConfig(
        scheduler=SchedulerSettings(tolerance_s=60, misfire_window_s=7200),
        executor=ExecutorSettings(queue_timeout_s=1.5),
    )
    assert config.plan_rules({"log", "arm"}, started_at=5) == PlanRules(
        tolerance=MINUTE, misfire_window=2 * HOUR, queue_timeout=1_500_000, impatient=frozenset({"log"})
    )


def test_without_recovery_nothing_older_than_the_start_is_caught_up() -> None:
    """`auto_recovery = false` makes the start of the node the oldest instant that may run (S8.4)."""
    config = SchedulerConfig(scheduler=SchedulerSettings(auto_recovery=False))
    assert config.plan_rules((), started_at=5).recover_from == 5
    assert SchedulerConfig().plan_rules((), started_at=5).recover_from is None


def test_the_executor_retries_by_the_configured_rules() -> None:
    """Delays are spread only with advanced retries on."""
    config = SchedulerConfig(
        executor=ExecutorSettings(max_retries=1, retry_delay_base_s=2, retry_delay_max_s=3),
        features=FeatureSettings(advanced_retries=False),
    )
    assert config.retry_rules() == RetryRules(RetryPolicy(1, 2, 3), advanced=False)
    assert SchedulerConfig().retry_rules() == RetryRules()


def test_history_is_kept_as_configured() -> None:
    """Retention counts back from now."""
    config = SchedulerConfig(scheduler=SchedulerSettings(retention_s=86400, retention_runs=5, chunk=10))
    assert config.retention(30 * DAY) == Retention(
        runs_before=29 * DAY, runs_max=5, schedules_before=23 * DAY, journal="operations", limit=10
    )


def test_a_final_state_is_kept_apart_once_anything_is_said_of_it(tmp_path: Path) -> None:
    """Its own age and count, or those of all others where it says only one of them; all others share theirs."""
    text = "[scheduler]\nretention = '30d'\nretention_runs = 500\n[history]\n"
    config = config_of(tmp_path, f"{text}failed = '365d'\nmissed = '365d'\nmissed_runs = 7\nskipped_runs = 9\n")
    now = 1_000 * DAY
    assert config.retention(now).apart == (
        Kept(frozenset({State.FAILED}), 635 * DAY, 500),
        Kept(frozenset({State.SKIPPED}), 970 * DAY, 9),
        Kept(frozenset({State.MISSED}), 635 * DAY, 7),
    )
    *_, others = config.retention(now).kept
    assert others == Kept(FINAL - {State.FAILED, State.SKIPPED, State.MISSED}, 970 * DAY, 500)
    assert config_of(tmp_path, "").retention(now).apart == ()


def test_an_unknown_handler_is_named_with_the_nearest(tmp_path: Path) -> None:
    """Whoever knows the handlers hears of each schedule whose handler is none of them."""
    text = '[[schedule]]\nname = "{0}"\nhandler = "{1}"\nevery = "1m"\n'
    config = config_of(tmp_path, text.format("a", "log") + text.format("b", "comand") + text.format("c", "x:y"))
    assert unknown_handlers(config, ["log", "command"]) == (
        'schedule "b".handler: "comand" is unknown; did you mean command?',
        'schedule "c".handler: "x:y" is unknown; there is log, command',
    )
    assert unknown_handlers(config, ["log", "comand", "x:y"]) == ()


def test_the_file_to_begin_with_can_be_used(tmp_path: Path) -> None:
    """What `init` writes has a heartbeat, a backup and a house, and no problem."""
    config = SchedulerConfig.from_file(write(tmp_path, default_toml()), environ={})
    assert {each.name: each.handler for each in config.schedules} == {"heartbeat": "log", "backup": "command"}
    assert [each.schedule.name for each in config.premises.schedules] == [
        "weeknight",
        "weekend-night",
        "weekday-morning",
    ]
    assert unknown_handlers(config, {"log", "command", "arm"}) == ()


def test_the_file_to_begin_with_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """Every setting stands in it behind a #; with the # gone it says what was so anyway, and nothing is wrong."""
    text = default_toml()
    keys = [line.key for line in SchedulerConfig().describe()]
    said = "\n".join(
        line.removeprefix("# ") if " = " in line and line.startswith("# ") else line for line in text.splitlines()
    )
    assert all(f"\n# {key.partition('.')[2]} = " in text for key in keys)
    described = config_of(tmp_path, said.replace("A code is never written here: add code", "# ")).describe()
    assert [line.source for line in described] == ["scheduler.toml"] * len(keys)
    unset = {"scheduler.dead_man_url": "https://watcher.example/ping", "arming.workers": "1"}  # by default
    unset |= {f"history.{state}": "365d" for state in FINAL} | {f"history.{state}_runs": "1000" for state in FINAL}
    assert {line.key: line.value for line in described if line.value != line.default} == unset


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Settings, variables, premises and schedules are all judged before anything is said."""
    text = "[scheduler]\ndrain = -1\n[site.home]\n[[schedule]]\n"
    assert [line.partition(": ")[0] for line in problems_of(tmp_path, text, {"SCHEDULER_DEBUG": "x"})] == [
        "scheduler.drain",
        "SCHEDULER_DEBUG",
        "site.home.timezone",
        "schedule[0].name",
        "schedule[0]",
        "schedule[0].handler",
    ]


def test_a_configuration_made_in_code_needs_no_file() -> None:
    """Schedules and settings can be given as values; nobody owns them for a file."""
    schedule = Schedule("beat", Every(10), handler="log")
    config = SchedulerConfig(schedules=(schedule,))
    assert (config.schedules, config.source, config.owner) == ((schedule,), None, None)


NAMES = st.sampled_from(["house", "home", "a", "weeknight", "A b", ""])
SCALARS = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(
        ["5m", "22:30", "mon", "* * * * *", "Europe/Prague", "armed_night", "disarmed", "virtual", "memory://"]
    )
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.dates()
    | st.times()
    | NAMES
)
WORDS = """
name handler args once every after weekly cron timezone gap fold start end retry tags owner partition partitions target
warn lane supersede days at period anchor base site panel code env file kind exit_delay open_zones store environment
check_interval drain dst workers level scheduler executor
"""
KEYS = st.sampled_from(WORDS.split())
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | NAMES, inner, max_size=6), max_leaves=20
)
SECTIONS = st.sampled_from(
    ["scheduler", "executor", "arming", "features", "log", "site", "partition", "environment", "http", "x"]
)
FILES = st.fixed_dictionaries(
    {}, optional={"schedule": st.lists(st.dictionaries(KEYS, TREES, max_size=8), max_size=3) | TREES}
).flatmap(
    lambda tree: st.dictionaries(SECTIONS, TREES | st.dictionaries(NAMES, TREES), max_size=4).map(
        lambda rest: tree | rest
    )
)


@settings(max_examples=150, deadline=None)
@example(tree={"environment": {}}, environ={"SCHEDULER_ENV": "\n"})
@given(
    tree=FILES,
    environ=st.dictionaries(st.sampled_from(["SCHEDULER_ENV", "TRIOARM_STORE", "SCHEDULER_DEBUG"]), st.text()),
)
def test_whatever_a_file_holds_it_is_a_configuration_or_lines(
    tree: dict[str, object], environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any tree that TOML can hold is a configuration or a list of problems, one line each, and never another error."""
    started_s = process_time()
    lines = problems_of(tmp_path_factory.getbasetemp(), tomli_w.dumps(tree), environ)
    assert process_time() - started_s < 2
    assert all(line and "\n" not in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(
            f'[[schedule]]\nname = "s{n}"\nhandler = "log"\ncron = "@daily"\ntimezone = "Mars/{n}"' for n in range(9000)
        ),
        "[scheduler]\n" + "\n".join(f"check_interva{n} = 1" for n in range(30000)),
        "\n".join(f"[partition.p{n}]\nsite = 'hom{n}'" for n in range(20000)),
        "\n".join(f"[site.s{n}]\ntimezone = 'UTC'\n[partition.p{n}]\nsite = 'z{n}'" for n in range(9000)),
        "[scheduler]\nstore = '" + "://a:" * 200_000 + "'",
        "[scheduler]\ndrain = '" + "1" * 1_000_000 + "'",
        "x" + ".x" * 20_000 + " = 1",
        "[[schedule]]\nname = 'a'\nhandler = 'log'\nargs" + ".x" * 20_000 + " = 1",
        "schedule = [" + "{}," * 200_000 + "]",
    ],
    ids=["zones", "keys", "sites", "words", "urls", "digits", "depth", "args", "empty"],
)
def test_a_hostile_file_is_refused_in_bounded_time(text: str, tmp_path: Path) -> None:
    """No file of the size allowed keeps a node searching: problems end after a hundred lines of bounded length."""
    started_s = process_time()
    lines = problems_of(tmp_path, text)
    assert 0 < len(lines) <= PROBLEMS_MAX + 1
    assert max(map(len, lines)) < 600
    assert process_time() - started_s < 10
