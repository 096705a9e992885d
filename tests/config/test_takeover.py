"""What a running node becomes of what its sources say now, as a pure value."""

from __future__ import annotations

from pathlib import Path

from tests.config.writing import config_of, write
from trioarm.config.takeover import take_over


def test_what_is_not_live_stays_with_whoever_said_it(tmp_path: Path) -> None:
    """Of a changed file only live settings are taken; the rest keeps its value and its source, and is named."""
    running = config_of(tmp_path, "[scheduler]\ndrain = 1\n[log]\nformat = 'json'\n")
    write(tmp_path, "[arming]\nworkers = 3\n[executor]\ntimeout = 5\n")
    found = take_over(running, running.read_again())
    assert [(each.key, each.before, each.after) for each in found.settings] == [
        ("scheduler.drain", "1s", "30s"),
        ("executor.timeout", "5m", "5s"),
    ]
    assert found.waiting == ("arming.workers", "log.format")
    assert (found.config.arming.workers, found.config.log.format) == (None, "json")
    assert found.config.sources == {"executor.timeout": "scheduler.toml", "log.format": "scheduler.toml"}


def test_taken_over_twice_the_second_time_changes_nothing(tmp_path: Path) -> None:
    """What was taken over is what runs, and what waits goes on waiting."""
    running = config_of(tmp_path, "")
    write(tmp_path, "[executor]\ntimeout = 5\n[features]\ndst = false\n")
    once = take_over(running, running.read_again())
    twice = take_over(once.config, once.config.read_again())
    assert (twice.config, twice.settings, twice.waiting) == (once.config, (), ("features.dst",))


def test_after_what_waited_was_taken_back_nothing_waits(tmp_path: Path) -> None:
    """A node compares with what it runs, not with what it read last."""
    running = config_of(tmp_path, "")
    write(tmp_path, "[features]\ndst = false\n")
    waits = take_over(running, running.read_again())
    write(tmp_path, "")
    assert take_over(waits.config, waits.config.read_again()).waiting == ()


def test_values_are_shown_without_passwords(tmp_path: Path) -> None:
    """A change of a URL names both without what they authenticate with."""
    text = '[scheduler]\ndead_man_url = "https://me:{}@host/"\n'
    running = config_of(tmp_path, text.format("secret"))
    write(tmp_path, text.format("other"))
    [change] = take_over(running, running.read_again()).settings
    assert (change.before, change.after) == ("https://***@host/", "https://***@host/")
