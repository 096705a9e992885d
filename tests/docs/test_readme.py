"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.programs import DEADLINE_S
from trioarm import SchedulerConfig

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

SHOWN = re.DOTALL | re.MULTILINE


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=SHOWN)


def test_the_configuration_is_one(tmp_path: Path) -> None:
    """The README's scheduler.toml can be used as it is."""
    [text] = blocks("toml")
    path = tmp_path / "scheduler.toml"
    path.write_text(text, encoding="utf-8")
    config = SchedulerConfig.from_file(path, environ={})
    assert [schedule.name for schedule in config.schedules] == ["backup"]
    assert list(config.premises.partitions) == ["house"]


def test_the_program_runs_as_it_stands(tmp_path: Path) -> None:
    """The README's ten lines of trio run their schedule each second and end by themselves."""
    [program] = blocks("python")
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert 2 <= len(lines) <= 3
    assert all(re.fullmatch(r"often@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ attempt 1", line) for line in lines)


@pytest.mark.parametrize(
    ("command", "shown"), re.findall(r"^\$ python -m trioarm ([^\n]*)\n(.*?)^```$", README, flags=SHOWN)
)
def test_the_commands_print_what_is_shown(command: str, shown: str) -> None:
    """Each command of the README prints what stands below it, on the shipped configuration."""
    ended = subprocess.run(
        [sys.executable, "-m", "trioarm", *command.split()],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},  # as wide as it wants to be
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.rstrip() for line in ended.stdout.splitlines()] == shown.splitlines()


def test_the_extras_are_the_ones_there_are() -> None:
    """The README's install commands name extras of the project, and its version is the latest change."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for found in re.findall(r"'\.\[(.*?)\]'", README) for extra in found.split(",")}
    assert named <= set(project["optional-dependencies"])
    assert f"**{project['version']}**" in README


def test_the_shipped_configuration_is_fine() -> None:
    """`scheduler.toml` has no problems, and its demonstration is armed within ten seconds of the start."""
    config = SchedulerConfig.from_file(ROOT / "scheduler.toml", environ={})
    names = [schedule.name for schedule in config.schedules]
    assert "heartbeat" in names
    demonstration = next(one for one in config.premises.schedules if one.schedule.name == "demonstration")
    [partition] = demonstration.partitions
    first_at = demonstration.schedule.next_after(0, demonstration.schedule.anchored(0))
    assert first_at is not None
    assert first_at / 1e6 + config.premises.partitions[partition].panel.exit_delay_s <= 10
