"""Owners: every `[owner.NAME]`, and how many schedules each may have stored."""

from __future__ import annotations

from typing import Final

from trioarm.config.named import read_each
from trioarm.core.reading import Table, text, whole

SCHEDULES_MAX: Final = 1_000_000  # of one owner; who has no limit may have as many as the store takes
HINT: Final = "how many schedules this owner may have, such as 1000"


def read_owners(whole_file: Table) -> dict[str, int]:
    """Return the most schedules that owners may have, by their names; those that no table names have no limit."""

    def read(name: str, table: Table) -> int | None:
        return table.need("max_schedules", whole(0, SCHEDULES_MAX), HINT)

    return {name: most for name, most in read_each(whole_file, "owner", text, read).items() if most is not None}
