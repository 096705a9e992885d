"""The page on the built-in panel: its night passes as it stands, and its table is true."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from tests.config.writing import config_of, problems_of, write
from tests.testing.playing import play
from trioarm.arming.model import VirtualPanel
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.core.instants import render_duration

PAGE = (files("trioarm") / "docs" / "panels-virtual.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION], [TEST] = ([text for name, text in BLOCKS if name == language] for language in ("toml", "python"))
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]


def test_its_night_passes_as_a_users_own_test(tmp_path: Path) -> None:
    """The file and the test beside each other, with nothing installed but pytest."""
    write(tmp_path, CONFIGURATION)
    write(tmp_path, TEST, "test_night.py")
    played = play(tmp_path, "-p", "no:trio")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "1 passed" in played.stdout


def test_its_settings_are_those_there_are(tmp_path: Path) -> None:
    """Each key is in the table and in the example, none is left out, and the defaults are true."""
    keys = [row[0].strip("`") for row in ROWS]
    [problem] = problems_of(tmp_path, CONFIGURATION.replace('kind = "virtual"', 'kind = "virtual"\nqqq = 1'))
    assert problem == f"partition.house.panel.qqq: unknown key; there is kind, {', '.join(keys)}"
    panel = config_of(tmp_path, CONFIGURATION).premises.partitions["house"].panel
    assert isinstance(panel, VirtualPanel)
    assert all(f"\n{key} = " in CONFIGURATION for key in keys)
    usual, said = VirtualPanel(), {row[0].strip("`"): row[1] for row in ROWS}
    assert said["exit_delay"] == render_duration(usual.exit_delay_s)
    assert said["entry_delay"] == render_duration(usual.entry_delay_s)
    assert (usual.open_zones, usual.code) == ((), None)


def test_what_it_says_can_be_done_can_be() -> None:
    """Each method that it names is one of the driver."""
    [named] = re.findall(r"do to it are methods: (.*?), after which", PAGE.replace("\n", " "))
    methods = re.findall(r"`(\w+)`", named)
    assert methods == ["arm", "disarm", "open_zone", "close_zone", "restart"]
    assert all(callable(getattr(VirtualDriver, method)) for method in methods)
