"""What a page shows of a terminal: commands behind a dollar sign, and what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator

ANYTHING = "…"


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a page, in order, each with what it is shown to print."""
    console = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL))
    yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)


def matches(shown: str, printed: str) -> bool:
    """Whether lines are what is shown, but for what an ellipsis stands for: a part of a line, or whole lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == ANYTHING else re.escape(line).replace(ANYTHING, ".*") + r"\s*\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None
