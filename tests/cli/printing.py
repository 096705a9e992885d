"""Command lines carried out within the test: what they print, as text and as objects."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from trioarm.cli.app import main


def ran(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> tuple[str, str]:
    """Carry a command line out, and return what it printed to stdout and stderr."""
    assert main(shlex.split(line)) == code
    out, errors = capsys.readouterr()
    return out, errors


def rows(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the objects that a command line prints, one per line."""
    return [json.loads(text) for text in ran(capsys, f"{line} --json", code)[0].splitlines()]
