"""What a test needs of the machine: without it the test is left out and says why; in CI it has to be there."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program_named(name: str, package: str) -> str:
    """Return where a program is."""
    return shutil.which(name) or _left_out(f"{name} is missing: install the package {package}")


def root() -> None:
    """Return for a user who may mount file systems."""
    if os.geteuid() != 0:
        _left_out("mounting a file system needs root")


def _left_out(missing: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
