"""Killed at every call of its repository, a history ends as if nothing had been."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cli.programs import REPOSITORY

DEADLINE_S = 200


def test_a_history_killed_at_any_call_ends_as_the_undisturbed_one() -> None:
    """Before, just committed, and after: each run comes to the same end, whatever attempts that took (S2.2, S2.5).

    Every fourth of these deaths is died here; `python -m tests.crash.every_call` dies each.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.every_call", "--every", "4"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations" in done.stdout
