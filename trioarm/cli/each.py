"""Doing the same to each of several things: one line for what became of each, and no failure stops the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from trioarm.cli.exits import Exit, exit_of, lines_of
from trioarm.cli.terminal import complain, say, say_json
from trioarm.core.errors import TrioarmError

NAME: Final = "name"


async def each(
    items: Iterable[str], act: Callable[[str], Awaitable[str]], *, json: bool = False, key: str = NAME
) -> Exit:
    """Carry something out for each item, and return how it ended on the whole.

    Args:
        items: names or ids.
        act: does it, and returns what became of the item in a few words.
        json: for programs: an object for each, with the error of what was not done.
        key: of the item in that object.
    """
    errors: list[TrioarmError] = []
    for item in items:
        try:
            became, error = await act(item), None
        except TrioarmError as failure:
            errors.append(failure)
            became, error = None, " ".join(" ".join(lines_of(failure) or ()).split())
        if json:
            say_json({key: item, "result": became, "error": error})
        elif error is None:
            say(f"{item}: {became}")
        else:
            complain([error])
    return exit_of(ExceptionGroup("what was not done", errors)) if errors else Exit.CLEAN
