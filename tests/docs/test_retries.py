"""The page on retries ships with the package; what it shows is read, runs, and is as the code has it."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files
from pathlib import Path

import attrs
import pytest

import trioarm
from tests.testing.playing import FORMS, play
from trioarm.cli.app import main
from trioarm.cli.topics import TOPICS
from trioarm.config import ExecutorSettings
from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.forms.retry import write_retry
from trioarm.core.instants import render_duration
from trioarm.core.retry_policy import (
    ERRORS_MAX,
    FACTOR_MAX,
    PER_ERROR_MAX,
    RETRIES_MAX,
    ErrorPolicy,
    RetryPolicy,
    Strategy,
)
from trioarm.core.retrying import SNOOZES_MAX
from trioarm.core.schedule import PAUSE_AFTER_MAX
from trioarm.core.states import Reason
from trioarm.engine import retry_commands
from trioarm.engine.attempt import STUCK_GRACE_S

PAGE = (files("trioarm") / "docs" / "retries.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FULL = RetryPolicy(strategy="constant", on=["A"], never=["B"], max_age_s=1, per_error=[ErrorPolicy(["C"])])


def shown(language: str) -> list[str]:
    """Return the blocks of the page in a language."""
    return [text for found, text in BLOCKS if found == language]


def test_every_policy_it_shows_is_read_and_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file passes the check, and each of its schedules can be put into words."""
    [example] = shown("toml")
    path = tmp_path / "scheduler.toml"
    path.write_text(example, encoding="utf-8")
    assert main(["check", "--config", str(path)]) == 0
    names = re.findall(r'^name = "(.*?)"', example, re.MULTILINE)
    for name in names:
        assert main(["explain", name, "--config", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for line in (
        "up to 5 more, 10s to 5m apart",
        "ValueError: no other attempt follows",
        "only OSError, ssl.SSLError and timeouts are worth another attempt",
        "after ConnectionError, by up to 20 more, 30s apart",
        "after PermissionError, by none",
        "it is paused once 10 runs in a row failed",
    ):
        assert line in said


def test_what_it_shows_runs(tmp_path: Path) -> None:
    """Its Python is a file of tests, each of which passes."""
    [text] = shown("python")
    (tmp_path / "test_page.py").write_text(text, encoding="utf-8")
    played = play(tmp_path, *FORMS["pytest-trio in trio mode"])
    assert played.returncode == 0, played.stdout
    assert "\n5 passed" in played.stdout


def test_the_table_has_every_key_with_its_default_and_bounds() -> None:
    """A key that is added has to be told of here, and a bound that moves, too."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    table = {key: (default, bounds.strip()) for key, default, bounds in rows}
    assert set(table) == set(write_retry(FULL))
    plain, days = RetryPolicy(), f"0 to {render_duration(DURATION_S_MAX)}"
    assert table["max_retries"] == (str(plain.max_retries), f"0 to {RETRIES_MAX}")
    assert table["base"] == (render_duration(plain.base_s), days)
    assert table["max"] == (render_duration(plain.max_s), days)
    assert table["max_age"][1] == days
    assert table["factor"] == (f"{plain.factor:g}", f"1 to {FACTOR_MAX}")
    assert table["strategy"] == (f"`{plain.strategy}`", ", ".join(f"`{one}`" for one in Strategy))
    assert table["on"][1] == table["never"][1] == f"{ERRORS_MAX} names"
    assert table["per_error"][1] == f"{PER_ERROR_MAX} entries"
    strategies = re.findall(r"^\| `(\w+)` \| [^|]* \|$", PAGE, re.MULTILINE)
    assert strategies == list(Strategy)


def test_what_it_names_is_there() -> None:
    """Settings, outcomes, options, reasons, limits."""
    for setting in re.findall(r"`executor\.(\w+)`", PAGE):
        assert {setting, f"{setting}_s"} & {field.name for field in attrs.fields(ExecutorSettings)}
    for name in re.findall(r"trioarm\.([A-Z]\w+)", PAGE):
        assert name in trioarm.__all__
    assert "BulkRetry(limit=100)" in PAGE
    assert "limit" in inspect.signature(trioarm.BulkRetry).parameters
    outcomes = ", ".join(f"`{outcome}`" for outcome in retry_commands.RetryOutcome)
    assert f"the `outcome` ({outcomes})" in PAGE
    assert {"discarded", "stuck"} < {str(reason) for reason in Reason}
    assert SNOOZES_MAX == retry_commands.RETRIES_MAX == 1_000
    assert PAGE.count("1 000") == 2
    assert f"(1 to {PAUSE_AFTER_MAX}, off by default)" in PAGE
    assert STUCK_GRACE_S == 5
    assert "longer than five\nseconds" in PAGE


def test_its_commands_are_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is understood: what it lacks is a store, or the run that it names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scheduler.toml").write_text("")
    lines = [line.removeprefix("$ trioarm ") for block in shown("") for line in block.splitlines() if "$ " in line]
    assert len(lines) == 4
    for line in lines:
        assert main(line.split()) == 2
        assert "there is no store yet" in capsys.readouterr().err


def test_the_help_topic_says_where_to_read_on() -> None:
    """`trioarm help policies` names the page, and every key of a policy."""
    for topic in ("policies", "runs"):
        assert "trioarm/docs/retries.md" in TOPICS[topic].text
    for key in write_retry(FULL):
        assert key in TOPICS["policies"].text
