"""The week in the terminal: who is armed when, by the wall of each partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from trioarm.cli.app import main

HOUSES = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
panel = { kind = "virtual" }
allow_disarm = true

[partition.garage]
site = "home"
panel = { kind = "virtual" }

[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
cron = "30 22 * * *"

[[schedule]]
name = "morning"
partition = "house"
target = "disarmed"
cron = "0 6 * * *"

[[schedule]]
name = "away"
partition = "garage"
target = "armed_away"
once = "2027-03-29T12:00:00+02:00"

[[schedule]]
name = "other"
handler = "log"
every = "1h"
"""


def week(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> list[str]:
    """Return the lines that are drawn from the evening before clocks go forward."""
    (folder / "scheduler.toml").write_text(HOUSES, encoding="utf-8")
    path = str(folder / "scheduler.toml")
    assert main(["preview", *arguments, "--week", "--from", "2027-03-27T17:00:00Z", "--config", path]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_week_is_drawn_by_the_wall(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Half an hour a character: blank is what is over, and what clocks leave out; what nobody knows says so."""
    assert week(capsys, tmp_path) == [
        "house",
        "  Mar 2027    0     3     6     9     12    15    18    21",
        "  Sat 27      " + " " * 36 + "·········nnn",
        "  Sun 28      nnnn  nnnnnn" + "·" * 33 + "nnn",
        *("  " + day + "      " + "n" * 12 + "·" * 33 + "nnn" for day in ("Mon 29", "Tue 30", "Wed 31")),
        *("  " + day + "      " + "n" * 12 + "·" * 33 + "nnn" for day in ("Thu 01", "Fri 02")),
        "garage",
        "  Mar 2027    0     3     6     9     12    15    18    21",
        "  Sat 27      " + " " * 36 + "?" * 12,
        "  Sun 28      ????  " + "?" * 42,
        "  Mon 29      " + "?" * 24 + "A" * 24,
        *("  " + day + "      " + "A" * 48 for day in ("Tue 30", "Wed 31", "Thu 01", "Fri 02")),
        "  · disarmed  n armed night  A armed away  ? as it is now",
    ]


def test_only_what_is_named_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """By the name of a schedule; in the zone that is asked for."""
    lines = week(capsys, tmp_path, "away", "--tz", "UTC")
    assert lines[0] == "garage"
    assert lines[4] == "  Mon 29      " + "?" * 20 + "A" * 28


def test_without_arming_there_is_nothing_to_draw(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It says so, and is no failure."""
    (tmp_path / "scheduler.toml").write_text('[[schedule]]\nname = "x"\nhandler = "log"\nevery = "1h"\n')
    assert main(["preview", "--week", "--config", str(tmp_path / "scheduler.toml")]) == 0
    assert "there is no week to draw" in capsys.readouterr().err
