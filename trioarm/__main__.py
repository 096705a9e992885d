"""`python -m trioarm` and the console script `trioarm`: sees to the libraries of the `cli` extra, then runs it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

BAD_CONFIGURATION: Final = 2
EXTRA: Final = ("cyclopts", "rich", "structlog")  # what `trioarm[cli]` brings


def main() -> int:
    """Run the program and return its exit code; nothing of it is imported before its libraries are found."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        sys.stderr.write(f"error: the command line needs {names}: python -m pip install 'trioarm[cli]'\n")
        return BAD_CONFIGURATION
    from trioarm.cli.app import main as program
    from trioarm.cli.pid1 import attend, is_first

    return attend(lambda: program(sys.argv[1:])) if is_first() else program(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
