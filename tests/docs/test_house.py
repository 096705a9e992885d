"""The guide for a house: what it says to write is what runs, and its commands print what it shows."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

import pytest

from tests.docs.console import matches, steps
from trioarm.cli.app import main

FOLDER = files("trioarm") / "docs"
PAGE = (FOLDER / "house.md").read_text(encoding="utf-8")
[HOUSE, PHONE] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_every_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, in one folder, with the file of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(HOUSE, encoding="utf-8")
    asked = list(steps(PAGE))
    assert len(asked) > 14
    for command, shown in asked:
        program, *words = shlex.split(command)
        assert program == "trioarm"
        main(words)
        out, errors = capsys.readouterr()
        assert matches(shown, out + errors), f"{command}\n{out}{errors}"


def test_it_is_right_with_a_telephone_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is added later stands beside what was there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scheduler.toml").write_text(HOUSE + PHONE, encoding="utf-8")
    assert main(["check"]) == 0
    assert main(["notify", "list"]) == 0
    assert "phone" in capsys.readouterr().out


def test_the_pages_it_leads_to_are_there() -> None:
    """Nobody is sent to a page that is not."""
    pages = set(re.findall(r"\]\(([a-z-]+\.md)\)", PAGE))
    assert len(pages) > 4
    assert [page for page in pages if not (FOLDER / page).is_file()] == []
