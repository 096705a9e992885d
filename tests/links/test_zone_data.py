"""Which tz database is in use is said, wherever it lies."""

from __future__ import annotations

import re
from pathlib import Path

from trioarm.links.zone_data import _system_version, zone_data_version


def test_the_database_in_use_has_a_version() -> None:
    """That of the system or of the package, as zones are really read."""
    assert re.fullmatch(r"20\d\d[a-z]|20\d\d\.\d+|of \d+", zone_data_version())


def test_a_system_that_does_not_say_has_what_changes_with_it(tmp_path: Path) -> None:
    """The first line of the compact form says it; without that form, or such a line, the age of a zone does."""
    zone = tmp_path / "Europe" / "London"
    zone.parent.mkdir()
    zone.touch()
    assert _system_version(tmp_path) == f"of {int(zone.stat().st_mtime)}"
    (tmp_path / "tzdata.zi").write_text("no version\n")
    assert _system_version(tmp_path).startswith("of ")
    (tmp_path / "tzdata.zi").write_text("# version 2026b\n# This zic input file\n")
    assert _system_version(tmp_path) == "2026b"
