"""The page for people who come from elsewhere: whatever it calls ours is there, and its examples can be used."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

import trioarm
from tests.config.writing import config_of
from trioarm.cli.app import main
from trioarm.core.codec import InvalidDefinition, structure_schedule
from trioarm.core.schedule import Delivery, Misfire, Overlap
from trioarm.core.states import State
from trioarm.core.triggers import Fold, Gap

PAGE = (files("trioarm") / "docs" / "coming-from.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = [
    [cell.strip() for cell in line[1:-1].split("|")]
    for line in re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL).splitlines()
    if line.startswith("| ")
]
TEXT = " ".join(
    line for line in re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL).splitlines() if not line.startswith("|")
)
OURS = sorted(set(re.findall(r"`([^`]+)`", " ".join([TEXT, *(cell for row in ROWS for cell in row[1:])]))))
SETTINGS = {setting.key for setting in trioarm.SchedulerConfig().describe()}
VALUES = {str(value) for kind in (Overlap, Misfire, Delivery, Gap, Fold, State) for value in kind}
RESOURCE = {"limit", "gap", "rate", "breaker"}  # what [resource.NAME] may say
PLAIN = {"name": "one", "handler": "log", "every": "1h"}


def is_a_key(word: str) -> bool:
    """Whether a schedule may say this, with a value of the right kind."""
    try:
        structure_schedule({**PLAIN, word: object()})
    except InvalidDefinition as error:
        return not any("unknown key" in problem for problem in error.problems)
    return True


def is_there(word: str, folder: Path) -> bool:
    """Whether a word in backticks is a key, a value, a setting, a public name, a command, or TOML that can be read."""
    match word.split():
        case ["trioarm", *words]:
            return main([*words, "--help"]) == 0
        case [_, "=", *_]:
            key = word.split()[0]
            plain = {"name": 'name = "one"', "handler": 'handler = "log"'}
            timed = key in ("every", "cron", "once")
            lines = [
                word,
                *(line for known, line in plain.items() if known != key),
                *([] if timed else ['every = "1h"']),
            ]
            return len(config_of(folder, "\n".join(["[[schedule]]", *lines])).schedules) == 1
    if word in ("[[schedule]]", "[handler.NAME]", "[resource.NAME]"):
        return True
    owner, _, attribute = word.partition(".")
    owners = {"run": trioarm.RunContext, "scheduler": trioarm.Scheduler}
    if attribute:
        return word in SETTINGS or (owner in owners and hasattr(owners[owner], attribute))
    return word in VALUES or word in RESOURCE or word == "workers" or word in trioarm.__all__ or is_a_key(word)


@pytest.mark.parametrize("word", OURS)
def test_every_word_of_ours_is_one(word: str, tmp_path: Path) -> None:
    """Whatever is in backticks and not theirs: a key, a value, a setting, a public name, a command, or TOML."""
    assert is_there(word, tmp_path)


def test_a_word_that_is_none_is_found_out(tmp_path: Path) -> None:
    """The test above can fail: what stands nowhere is not there."""
    for word in ("coalesce", "scheduler.pause_all", "run.retries", "JobStore", "buffer_newest"):
        assert not is_there(word, tmp_path)
    assert len(OURS) > 60


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_can_be_used_as_they_stand(
    example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each passes the check, and its schedule can be put into words."""
    (tmp_path / "scheduler.toml").write_text(example, encoding="utf-8")
    assert main(["check", "--config", str(tmp_path / "scheduler.toml")]) == 0
    [name] = re.findall(r'^name = "(.*?)"', example, re.MULTILINE)
    assert main(["explain", name, "--config", str(tmp_path / "scheduler.toml")]) == 0
    assert "next " in capsys.readouterr().out


def test_each_table_is_short_and_whole() -> None:
    """Five schedulers, each with an example and 8 to 14 rows of three cells."""
    assert {len(row) for row in ROWS} == {3}
    tables = [part.count("\n| ") - 1 for part in PAGE.split("\n## ")[1:]]
    assert len(tables) == len(EXAMPLES) == 5
    assert all(8 <= count <= 14 for count in tables)


def test_the_defaults_it_names_are_those_there_are() -> None:
    """An hour, five minutes, three retries, 5 of 9, skip and latest."""
    config, schedule = trioarm.SchedulerConfig(), trioarm.Schedule("one", trioarm.Every(60), handler="log")
    assert (config.scheduler.misfire_window_s, config.scheduler.tolerance_s) == (3600, 300)
    assert (config.executor.max_retries, schedule.priority) == (3, 5)
    assert (schedule.misfire, schedule.overlap, schedule.delivery) == ("latest", "skip", "at_least_once")
    quartz, ours = trioarm.Cron("0 30 2 ? * friL"), trioarm.Cron("0 30 2 ? * 5L")
    assert quartz.next_after(0) == ours.next_after(0)
    assert trioarm.Cron("0 0 * * 0").next_after(0) == trioarm.Cron("0 0 * * sun").next_after(0)
