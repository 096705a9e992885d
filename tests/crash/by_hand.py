"""The commands that are run by hand for long, carried out by tests for a short while."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cli.programs import REPOSITORY

DEADLINE_S = 200


def said_by(module: str, *arguments: str) -> str:
    """Carry out such a command as a process of its own, and return what it printed: it found no violation."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations" in done.stdout
    return done.stdout
