"""The page on time ships with the package, and what it shows is understood."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from tests.feeds.writing import calendar
from trioarm.cli.app import main
from trioarm.core.correcting import REPEATED_MAX, ROWS_MAX
from trioarm.core.triggers.algebra import LEAPS_MAX

PAGE = (files("trioarm") / "docs" / "time.md").read_text(encoding="utf-8")


def test_every_trigger_it_shows_is_read_and_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file passes the check, and each of its schedules can be put into words."""
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "scheduler.toml"
    path.write_text(example, encoding="utf-8")
    assert main(["check", "--config", str(path)]) == 0
    names = re.findall(r'^name = "(.*?)"', example, re.MULTILINE)
    assert len(names) == 12
    (tmp_path / "school.ics").write_text(calendar(["DTSTART:20260302T080000", "RRULE:FREQ=DAILY"]), encoding="utf-8")
    for name in names:
        assert main(["explain", name, "--config", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.count("next ") >= len(names)
    assert main(["preview", "--week", "--config", str(path)]) == 0
    assert "armed home" in capsys.readouterr().out


@pytest.mark.parametrize("number", [ROWS_MAX, REPEATED_MAX, LEAPS_MAX])
def test_its_limits_are_those_of_the_code(number: int) -> None:
    """A figure that changes there has to change here."""
    assert f"{number:,}".replace(",", " ") in PAGE
