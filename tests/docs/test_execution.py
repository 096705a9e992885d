"""The page on how runs behave: each rule is there, can be seen as it says, and is quoted by a test."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from trioarm.cli.app import COMMANDS, GROUPS, load, make_app
from trioarm.cli.topics import TOPICS

PAGE: Final = (files("trioarm") / "docs" / "execution.md").read_text(encoding="utf-8")
RULES: Final = [f"S5.{number}" for number in range(1, 10)] + [f"S6.{number}" for number in range(1, 11)]
COMMAND_LINES: Final = sorted(set(re.findall(r"`trioarm ([^`]+)`", PAGE)))
TESTS: Final = Path(__file__).parents[1]


def test_each_rule_has_a_row() -> None:
    """In order, each with what it says and how to see it."""
    assert re.findall(r"^\| (S\d+\.\d+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE) == RULES


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_each_command_can_be_given(line: str) -> None:
    """Its words and options are known to the program."""
    app = make_app()
    load(app)
    words = shlex.split(line.replace("INSTANT", "2026-11-23T22:00:00Z"))
    if words[0] == "help":
        assert words[1] in TOPICS
    assert words[0] in {**COMMANDS, **GROUPS, "run": None}
    app.parse_args(words, print_error=False, exit_on_error=False)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_quoted_by_a_test(rule: str) -> None:
    """Somewhere a test says in its first words that this rule holds."""
    quoted = re.compile(rf'def test_[^\n]*\n(?:[^\n]*\n)?\s+"""[^"]*\b{re.escape(rule)}\b')
    assert any(quoted.search(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py"))


@pytest.mark.parametrize("page", re.findall(r"\]\(([a-z]+\.md)\)", PAGE))
def test_each_page_it_names_is_there(page: str) -> None:
    """Links lead to pages of the package."""
    assert (files("trioarm") / "docs" / page).is_file()
