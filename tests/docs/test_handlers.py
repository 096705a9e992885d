"""The page on handlers ships with the package; what it shows runs, and what it names is there."""

from __future__ import annotations

import inspect
import logging
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import trioarm
from trioarm import Container, RunContext
from trioarm.cli.app import main
from trioarm.core.jsonable import ALL_TEXT_BYTES_MAX, DEPTH_MAX, ITEMS_MAX, TEXT_BYTES_MAX
from trioarm.core.progress import PROGRESS_BYTES_MAX
from trioarm.core.states import Reason, State
from trioarm.engine.attempt import STUCK_GRACE_S
from trioarm.engine.leases import AGAIN_S, RENEW_S, Terms
from trioarm.engine.progress import PROGRESS_EVERY_S
from trioarm.handlers.command import problems_of
from trioarm.links.program import PASSED, TAIL, TERMINATION_S

PAGE = (files("trioarm") / "docs" / "handlers.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PROGRAM, FILTER = [text for language, text in BLOCKS if language == "python"]
[SHOWN] = [text for language, text in BLOCKS if not language]
[CONFIGURATION] = [text for language, text in BLOCKS if language == "toml"]


def test_the_program_prints_what_is_shown(tmp_path: Path) -> None:
    """As it stands, and nothing else."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    ended = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, SHOWN)
    why = SHOWN.splitlines()[-1].removeprefix("typo failed None ")
    assert ended.stderr == f"typo: {why} (failed)\n"


def test_the_configuration_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every argument of the table is in it, and the check finds nothing wrong."""
    path = tmp_path / "scheduler.toml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    assert main(["check", "--config", str(path)]) == 0
    assert "is fine: 1 schedule" in capsys.readouterr().out
    table = PAGE[PAGE.index("| argument | is |") :]
    named = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    assert named == ["argv", "env", "inherit", "cwd", "stdin"]
    assert all(re.search(rf"^{name} = ", CONFIGURATION, re.MULTILINE) for name in named)
    assert len(list(problems_of(dict.fromkeys(named, 0)))) == len(named)


def test_the_filter_names_the_run() -> None:
    """Outside of handlers there is none."""
    scope: dict[str, object] = {}
    exec(FILTER, scope)
    record = logging.makeLogRecord({})
    assert scope["of_its_run"](record) is True  # type: ignore[operator]
    assert record.run == ""


def test_every_name_of_the_page_is_one() -> None:
    """Of the run, the container, the front door, states and reasons."""
    for name in set(re.findall(r"\brun\.([a-z_]+)", PAGE)) - {"state", "result", "error"}:
        assert hasattr(RunContext, name), name
    for name in re.findall(r"\bcontainer\.([a-z_]+)", PAGE):
        assert hasattr(Container, name), name
    for name in re.findall(r"\btrioarm\.([A-Za-z_]+)", PAGE):
        assert name in trioarm.__all__ or name == "testing", name
    assert {"discarded", "stuck", "result_dropped"} <= set(Reason)
    assert {"failed", "succeeded", "timed_out"} <= set(State)
    for name in re.findall(r"\b(Retry|Discard|Snooze)\(", PAGE):
        assert inspect.isclass(getattr(trioarm, name))


def test_its_variables_are_those_that_are_passed() -> None:
    """Each of the list, and none beside."""
    [listed] = re.findall(r"A program gets (.*?) of the node and no more", TEXT)
    names = re.findall(r"`([A-Z_*]+)`", listed)
    assert "|".join(names).replace("*", ".*") == PASSED.pattern
    told = re.findall(r"`(TRIOARM_[A-Z_]+)`", PAGE)
    source = inspect.getsource(sys.modules[problems_of.__module__])
    assert sorted(told) == sorted(re.findall(r'"(TRIOARM_[A-Z_]+)"', source))


def test_its_limits_are_those_of_the_code() -> None:
    """A figure that changes there has to change here."""

    def spaced(number: float) -> str:
        return f"{number:,.0f}".replace(",", " ")

    assert f"at most {spaced(PROGRESS_BYTES_MAX)} bytes" in TEXT
    assert PROGRESS_EVERY_S == 1
    sizes = f"{TEXT_BYTES_MAX // 1024} KiB in one text and {ALL_TEXT_BYTES_MAX // 1024**2} MiB in all"
    assert f"at most {spaced(ITEMS_MAX)} parts, {DEPTH_MAX} levels, {sizes}" in TEXT
    assert f"does not heed its cancellation for {STUCK_GRACE_S:.0f} s" in TEXT
    assert f"has {STUCK_GRACE_S:.0f} s to end" in TEXT
    assert f"The last {spaced(TAIL)} bytes" in TEXT
    assert TERMINATION_S == 3
    assert RENEW_S + AGAIN_S == 11  # some ten seconds
    assert f"for {Terms().trust_s:.0f} s" in TEXT
