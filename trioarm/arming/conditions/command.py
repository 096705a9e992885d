"""A condition that a program of its owner tells by its exit code (A4.5)."""

from __future__ import annotations

from typing import Final

import trio

from trioarm.arming.conditions.base import unknown
from trioarm.arming.conditions.settings import CommandCondition
from trioarm.arming.conditions.verdict import Answer, Truth
from trioarm.arming.panels.printed import one_line
from trioarm.core.instants import render_duration
from trioarm.links.program import NotStarted, Output, ending, last_line, passed, run_program

CODES: Final = {0: Truth.YES, 1: Truth.NO}
SHOWN_MAX: Final = 200  # characters of what it said that a message repeats


class CommandSource:
    """Runs a program. Implements `trioarm.arming.conditions.base.Source`.

    Args:
        settings: as configured.
    """

    def __init__(self, settings: CommandCondition) -> None:
        self._settings = settings

    async def ask(self) -> Answer:
        """Run it to its end; what it says on its last line is why.

        Cancellation: it is told to terminate, and killed when it does not; four seconds later it is left in any case.
        """
        program, said = self._settings.run[0], Output()
        env = {**passed(), "TRIOARM_CONDITION": self._settings.name}
        with trio.move_on_after(self._settings.timeout_s):
            try:
                code = await run_program(self._settings.run, said, env=env)
            except NotStarted as error:
                return unknown(str(error))
            truth = CODES.get(code, Truth.UNKNOWN)
            return Answer(truth, f"{program} {ending(code)}{_words(said)}")
        return unknown(f"{program} did not end within {render_duration(self._settings.timeout_s)}{_words(said)}")


def _words(said: Output) -> str:
    if not said.said.strip():
        return ""
    line = one_line(last_line(said.said))
    return f": it said {line if len(line) <= SHOWN_MAX else line[:SHOWN_MAX] + '...'}"
