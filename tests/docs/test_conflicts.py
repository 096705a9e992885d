"""The page on conflicts: its commands print what it shows, and its tables are those of the program."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

import pytest

from tests.docs.console import matches, steps
from trioarm.arming.conflicts.ambiguity import LOOKED, MORNING, WEEKLY_MIN
from trioarm.arming.conflicts.precedence import PROTECTION
from trioarm.arming.conflicts.undone import SOON
from trioarm.arming.model import Target
from trioarm.cli.app import main
from trioarm.core.instants import DAY, MINUTE
from trioarm.core.schedule import PRECEDENCE_MAX

PAGE = (files("trioarm") / "docs" / "conflicts.md").read_text(encoding="utf-8")
[CONFIGURATION] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, in one folder; what is refused ends with exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(CONFIGURATION)
    asked = list(steps(PAGE))
    assert len(asked) == 5
    for command, shown in asked:
        _, *words = shlex.split(command)
        code = main(words)
        out, errors = capsys.readouterr()
        assert matches(shown, out + errors), f"{command}\n{out}{errors}"
        assert code == (2 if "error: " in shown else 0), command


def test_the_table_of_targets_is_that_of_the_program() -> None:
    """From what protects most to what protects nothing, each line with what is as protective."""
    [table] = re.findall(r"^\| target \| protects \|\n\|---\|---\|\n(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    lines = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()]
    ranks = sorted({*PROTECTION.values()}, reverse=True)
    assert lines == [[target.value for target in Target if PROTECTION[target] == rank] for rank in ranks]


def test_its_numbers_are_those_of_the_program() -> None:
    """A limit that is changed is changed on the page."""
    text = " ".join(PAGE.split())
    assert SOON == 30 * MINUTE
    assert "**Undone within 30 minutes**" in text
    assert f"from 00:00 to {MORNING - 1:02}:59" in text
    assert (LOOKED, WEEKLY_MIN) == (28 * DAY, 3)
    assert "in three of the next four weeks" in text
    assert f"`precedence`, 0 to {PRECEDENCE_MAX}" in text
