"""Owners: who declares what it has again whenever a node starts."""

from __future__ import annotations

import pytest

from trioarm.core.owners import CODE_OWNER, declares_at_start


@pytest.mark.parametrize(
    ("owner", "declares"),
    [(None, False), ("app", False), ("configuration", False), (CODE_OWNER, True), ("file:scheduler.toml", True)],
)
def test_files_and_configurations_declare_at_every_start(owner: str | None, *, declares: bool) -> None:
    """Nobody else is known to: a program may, and takes care of what is over itself."""
    assert declares_at_start(owner) is declares
