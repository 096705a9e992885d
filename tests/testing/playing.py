"""Pytest as somebody runs it who tests a program of theirs: in a folder of its own, with or without pytest-trio."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import trioarm

CONFTEST: Final = 'pytest_plugins = ["trioarm.testing.fixtures"]\n'
FORMS: Final = {  # how pytest may know of trio, or not
    "pytest alone": ("-p", "no:trio"),
    "pytest-trio, tests marked": (),
    "pytest-trio in trio mode": ("-o", "trio_mode=true"),
}
TIMEOUT_S: Final = 300.0
ROOT: Final = Path(trioarm.__file__).parents[1]


def play(folder: Path, *options: str, conftest: str = CONFTEST) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, warnings being errors, on this trioarm, and return what came of it."""
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    strict = ("-q", "-W", "error", "--strict-markers", "--rootdir", ".", "-p", "no:xdist", "-p", "no:cacheprovider")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *strict, *options],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
