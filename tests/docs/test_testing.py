"""The page on testing ships with the package; what it shows runs in each form it names, and what it names is there."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files
from pathlib import Path

import pytest

import trioarm.testing
from tests.testing.playing import FORMS, play
from trioarm.core.instants import render_duration
from trioarm.testing import Decision, Fault, Node, World, a_world
from trioarm.testing.decisions import DECISIONS_MAX
from trioarm.testing.faults import Line
from trioarm.testing.world import DAY_S

PAGE = (files("trioarm") / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHOWN = [text for language, text in BLOCKS if not language]


@pytest.mark.parametrize("form", ["pytest alone", "pytest-trio in trio mode"])
def test_what_it_shows_runs(form: str, tmp_path: Path) -> None:
    """The page is a file of tests: each passes with pytest alone and with pytest-trio, and prints what is shown."""
    conftest, *tests = PYTHON
    assert conftest.startswith("# conftest.py")
    text = "\n\n".join(tests)
    (tmp_path / "test_page.py").write_text(text, encoding="utf-8")
    played = play(tmp_path, "-s", *FORMS[form], conftest=conftest)
    assert played.returncode == 0, played.stdout
    count = len(re.findall(r"def test_", text)) + 1  # one of them with two faults
    assert f"\n{count} passed" in played.stdout
    [said] = SHOWN
    assert said in "\n".join(map(str.rstrip, played.stdout.splitlines()))


def test_every_name_of_the_page_is_one() -> None:
    """Methods of worlds and nodes, fields of decisions, arguments of `a_world`, and faults."""
    owners = {"world": World, "node": Node, "Fault": Fault, "line": Line}
    named = re.findall(r"\b(world|node|Fault|line)\.([a-zA-Z_]+)", PAGE)
    assert len(set(named)) > 15
    each = {"store", "calls", "messages", "channels", "panels"}
    kept = {("node", "line"), *(("world", name) for name in each)}  # not by the class, but by each one of it
    for owner, name in set(named) - kept:
        assert hasattr(owners[owner], name), f"{owner}.{name}"
    assert "line" in inspect.signature(Node).parameters
    assert each <= set(vars(World()))
    fields = set(re.findall(r"`([a-z_]+)`", PAGE[PAGE.index("returns a `Decision`") : PAGE.index("and more.")]))
    assert fields == {"local", "nominal_at", "state", "reason", "attempts", "error", "started_at", "finished_at"}
    assert fields <= set(inspect.signature(Decision).parameters)
    for argument in re.findall(r"`a_world\(([a-z_]+)=", PAGE):
        assert argument in inspect.signature(a_world).parameters
    for name in re.findall(r"^from trioarm.testing import (.*)$", PAGE, re.MULTILINE)[0].split(", "):
        assert name in trioarm.testing.__all__


def test_its_limits_and_links_are_those_there_are() -> None:
    """A day for draining, and files that ship with the page."""
    assert render_duration(DAY_S) == "1d"
    assert "after a day of virtual\ntime (`limit_s`)" in PAGE
    assert f"{DECISIONS_MAX:,}".replace(",", " ") in str(World.decisions.__doc__)
    links = re.findall(r"\]\(([^)]*)\)", PAGE)
    assert len(links) >= 2
    for link in links:
        assert (Path(str(files("trioarm"))) / "docs" / link).resolve().is_file(), link
