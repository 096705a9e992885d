"""The page on managing: its commands print what it shows, in its order, and its Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import pytest

from tests.config.writing import config_of
from tests.docs.console import matches, steps
from trioarm import Scheduler, open_scheduler
from trioarm.cli.app import GROUPS, main
from trioarm.core.backfilling import OCCURRENCES_MAX
from trioarm.engine.bulk_commands import BULK_MAX, STATISTICS_PAGE, STATISTICS_RUNS, STATISTICS_RUNS_MAX

PAGE = (files("trioarm") / "docs" / "managing.md").read_text(encoding="utf-8")
[DECLARED] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, in one folder; errors and remarks stand below what is printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(DECLARED)
    assert main(["run", "--for", "10ms"]) == 0
    capsys.readouterr()
    asked = list(steps(PAGE))
    assert len(asked) > 25
    for command, shown in asked:
        program, *words = shlex.split(command)
        if program == "trioarm":
            main(words)
        else:
            subprocess.run([program, *words], check=True)
        out, errors = capsys.readouterr()
        assert matches(shown, out + errors), f"{command}\n{out}{errors}"


def test_the_commands_it_names_exist_and_those_that_manage_are_named() -> None:
    """No command of schedules is left out, but for those with a page of their own, or in the help of the program."""
    for group, command in re.findall(r"`trioarm (schedules|runs) ([a-z]+)", PAGE):
        assert command in GROUPS[group][1]
    shown = set(re.findall(r"^\$ trioarm schedules ([a-z]+)", PAGE, re.MULTILINE))
    assert set(GROUPS["schedules"][1]) - shown == {"fire"}


async def test_its_python_runs(tmp_path: Path) -> None:
    """On a node, as it stands."""
    assert len(PYTHON) == 1
    names: dict[str, object] = {}
    exec(compile(PYTHON[0], "managing.md", "exec"), names)
    manage = names["manage"]
    assert callable(manage)
    async with open_scheduler(f"sqlite:///{tmp_path}/trioarm.db") as scheduler:
        assert isinstance(scheduler, Scheduler)
        await manage(scheduler, time.time_ns() // 1000)


def test_its_limits_are_those_there_are(tmp_path: Path) -> None:
    """In the words of the page."""
    text = " ".join(PAGE.split())

    def said(number: int) -> str:
        return f"{number:,}".replace(",", " ")

    assert f"A range has at most {said(OCCURRENCES_MAX)} occurrences" in text
    assert f"A call changes at most {said(BULK_MAX)};" in text
    assert f"reads the newest {said(STATISTICS_RUNS)} runs that are meant, {STATISTICS_PAGE} at a time" in text
    assert f"up to {said(STATISTICS_RUNS_MAX)}" in text
    assert config_of(tmp_path, DECLARED).owners == {"cli": 2}
