"""Nodes in trouble that nobody kills: all heals by itself, nothing is lost, nothing is doubled (S2, S7)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import needs
from tests.cli.programs import REPOSITORY

DEADLINE_S = 120


@pytest.mark.parametrize(("kinds", "rounds"), [(("halted",), 1), (("full", "away"), 2)])
def test_trouble_loses_nothing_and_doubles_nothing(kinds: tuple[str, ...], rounds: int) -> None:
    """A node that was halted past its lease finds its results refused, and goes on; a disk that is full, and a store
    that is taken away and put back, are each said in a line, and end without anybody's help."""
    if "full" in kinds:
        needs.root()
    command = [sys.executable, "-m", "tests.crash.troubles", "--rounds", str(rounds), "--seed", "3", "--kinds", *kinds]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(kind in done.stdout for kind in kinds)
    assert "0 violations" in done.stdout
