"""The page on exceptions: its example comes as it says, and its commands print what it shows."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

import pytest

from tests.config.writing import write
from tests.testing.playing import play
from trioarm.arming.exceptions.claims import SAME_DAY_MAX, UNITS_MAX
from trioarm.arming.exceptions.excepting import VACATION_WARN_S
from trioarm.arming.exceptions.kept import EXCEPTIONS_MAX, KEPT_AFTER, SETTLES
from trioarm.arming.exceptions.rules import DAYS_MAX
from trioarm.cli.app import main
from trioarm.core.instants import DAY, SECOND

PAGE = (files("trioarm") / "docs" / "exceptions.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SHOWN = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
ANYTHING = "…"


def test_its_example_passes_as_a_users_own_test(tmp_path: Path) -> None:
    """The file and the test beside each other, with nothing installed but pytest."""
    write(tmp_path, BLOCKS["toml"])
    write(tmp_path, BLOCKS["python"], "test_house.py")
    played = play(tmp_path, "-p", "no:trio")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "2 passed" in played.stdout


def test_every_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, in one folder, once a node has declared the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    far_off = BLOCKS["toml"].replace("2026-", "2036-").replace("2027-", "2037-")  # whenever this is played
    (tmp_path / "scheduler.toml").write_text(far_off)
    assert main(["run", "--for", "10ms"]) == 0
    capsys.readouterr()
    asked = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", SHOWN, re.MULTILINE)
    assert len(asked) == 7
    for command, shown in asked:
        _, *words = shlex.split(command)
        main(words)
        out, errors = capsys.readouterr()
        text = shown.replace("2026-", "2036-").replace("2027-", "2037-")
        pattern = "".join(
            r"(?:.*\n)*?" if line == ANYTHING else re.escape(line).replace(ANYTHING, r"[\s\S]*?") + r"\s*\n"
            for line in text.splitlines()
        )
        assert re.fullmatch(pattern, out + errors), f"{command}\n{out}{errors}"


def test_its_numbers_are_those_of_the_program() -> None:
    """A limit that is changed is changed on the page."""
    text = " ".join(PAGE.split())
    assert f"at most {EXCEPTIONS_MAX} exceptions, each of at most {DAYS_MAX} days" in text
    assert (SETTLES, KEPT_AFTER, VACATION_WARN_S) == (5 * SECOND, 3 * DAY, 15 * 60)
    assert f"more than {SAME_DAY_MAX} occurrences" in text
    assert f"of one schedule {UNITS_MAX // 1000} 000 occurrences" in text
