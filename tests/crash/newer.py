"""`python -m tests.crash.newer ...`: the program as it will be once its tables have changed again."""

from __future__ import annotations

import sys
from typing import Final

from trioarm.__main__ import main
from trioarm.repositories.sqlite import care, database, schema

NEWER: Final = schema.VERSION + 1


def become_newer() -> None:
    """Let this process know one migration more."""
    migrations = (*schema.MIGRATIONS, ("ALTER TABLE runs ADD COLUMN mood TEXT",))
    for module in (schema, database, care):
        vars(module).update(MIGRATIONS=migrations, VERSION=NEWER)


if __name__ == "__main__":
    become_newer()
    sys.exit(main())
