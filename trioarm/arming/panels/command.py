"""A panel that programs of its owner set and read back: for everything no other kind of panel speaks to (A1.3).

Argument vectors, never a shell. The exit code of the program that sets it says what became of a command; the other
program prints what the panel is. The code is handed over on standard input: whoever may log in can see the arguments of
every process, so it stands in none, nor in the environment, nor in any message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from trioarm.arming.model import CommandPanel, Target
from trioarm.arming.panels.base import NAME_MAX, OURSELVES, ZONES_MAX, FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.printed import NoReport, one_line, parse_report
from trioarm.core.instants import render_duration
from trioarm.links.program import NotStarted, Output, ending, passed, run_program
from trioarm.links.secrets import CODE_LENGTH_MAX, MASK, SecretRef, SecretUnreadable, pattern_of, read_code

ANSWERS: Final = {10: FailureKind.REJECTED, 11: FailureKind.BLOCKED}
"""What exit codes of the setting program mean. 0: taken. Every other one, and a signal: unavailable."""

READ_WORDS: Final = ("address", "partition")
SET_WORDS: Final = ("target", *READ_WORDS)
PLACEHOLDER: Final = re.compile(r"\{([\w .-]{1,40})\}")  # other braces are what they are, such as those of JSON

OUTPUT_MAX: Final = 32_768  # bytes of a report, or of a list of open zones: those of the largest panels fit
SHOWN_MAX: Final = 200  # characters of what a program said that a message repeats


@attrs.frozen(slots=True)
class _Answer:
    """What came of a program: its exit code, what it said, the errors apart, and what finds codes in it."""

    code: int
    said: Output
    errors: Output
    codes: re.Pattern[str] | None

    def masked(self, text: str) -> str:
        """Return a text without codes."""
        return text if self.codes is None else self.codes.sub(MASK, text)

    def zones(self) -> tuple[str, ...]:
        """Return the names it printed, a line each; of too many the last."""
        names = [one_line(line)[:NAME_MAX] for line in self._whole(self.said).splitlines()[self.said.cut :]]
        return tuple(dict.fromkeys(name for name in names if name))[-ZONES_MAX:]

    def failure(self, kind: FailureKind, message: str, *, last_words: bool = True) -> PanelFailure:
        """Return a failure whose message ends with the end of what it said: its last words, or all that it printed."""
        said = (last_words and one_line(self._whole(self.errors))) or one_line(self._whole(self.said))
        shown = said if len(said) <= SHOWN_MAX else "..." + said[-SHOWN_MAX:]
        return PanelFailure(kind, self.masked(message) + (f": it said {shown}" if said else ": it said nothing"))

    def _whole(self, output: Output) -> str:
        """Return what it said without codes, and without what may be the rest of one where the beginning is lost."""
        return self.masked(output.said[CODE_LENGTH_MAX if output.cut else 0 :])


class CommandDriver:
    """One partition of a panel that programs speak to. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        settings: as configured.
        partition: its name.
        address: which partition of the panel it is.
        code: where the code is that goes with its commands; None for no code.
    """

    def __init__(self, settings: CommandPanel, partition: str, address: str, code: SecretRef | None) -> None:
        self._settings = settings
        self._words = {"address": address, "partition": partition}
        self._code = code

    @property
    def name(self) -> str:
        """The physical panel: one for all partitions that the same program sets (A3.8)."""
        return f"command:{self._settings.set[0]}"

    async def read_state(self) -> PanelReport:
        """Ask the reading program what the partition is now.

        Raises:
            PanelFailure: `unavailable`: it did not end well and in time, or what it printed is no report.
        """
        program = self._settings.read[0]
        answer = await self._run(self._settings.read, self._words, self._known_code())
        if answer.code != 0:
            raise answer.failure(FailureKind.UNAVAILABLE, f"{program} {ending(answer.code)}")
        try:
            return parse_report(answer.said)
        except NoReport as error:
            message = f"{program} printed no report ({error})"
            raise answer.failure(FailureKind.UNAVAILABLE, message, last_words=False) from None

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Let the setting program command it, the code on its standard input.

        Raises:
            PanelFailure: `rejected`, `blocked` or `unavailable`, as its exit code says.
        """
        program, words = self._settings.set[0], {"target": target.value, **self._words}
        line = None if code is None else f"{code}\n"
        answer = await self._run(self._settings.set, words, code, stdin=line, more={"TRIOARM_BY": by})
        if answer.code == 0:
            return
        match ANSWERS.get(answer.code):
            case FailureKind.BLOCKED:
                zones = answer.zones()
                which = f"{program} finds zones open" + (f": {', '.join(zones)}" if zones else ", and names none")
                raise PanelFailure(FailureKind.BLOCKED, which, zones)
            case FailureKind.REJECTED:
                raise answer.failure(FailureKind.REJECTED, f"{program} refuses to make it {target}")
            case _:
                raise answer.failure(FailureKind.UNAVAILABLE, f"{program} {ending(answer.code)}")

    async def changed(self) -> None:
        """Sleep for ever: a program that has ended cannot watch."""
        await trio.sleep_forever()

    async def _run(
        self,
        argv: tuple[str, ...],
        words: Mapping[str, str],
        code: str | None,
        *,
        stdin: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Run a program to its end, within its time.

        Raises:
            PanelFailure: `unavailable`: it cannot be started, or took too long and was ended.
        """
        said, errors = Output(OUTPUT_MAX), Output()
        codes = None if code is None else pattern_of([code])
        env = {**self._environment(words), **(more or {})}
        with trio.move_on_after(self._settings.timeout_s):
            try:
                vector = [filled(argument, words) for argument in argv]
                ended = await run_program(vector, said, errors=errors, env=env, stdin=stdin)
            except NotStarted as error:
                raise PanelFailure(FailureKind.UNAVAILABLE, str(error)) from error
            return _Answer(ended, said, errors, codes)
        message = f"{argv[0]} did not end within {render_duration(self._settings.timeout_s)}"
        raise _Answer(0, said, errors, codes).failure(FailureKind.UNAVAILABLE, message)

    def _environment(self, words: Mapping[str, str]) -> dict[str, str]:
        environment = passed()
        if self._code is not None and self._code.env is not None:
            environment.pop(self._code.env, None)  # though it has a name that is passed, such as LC_CODE
        return environment | {f"TRIOARM_{word.upper()}": meant for word, meant in words.items()}

    def _known_code(self) -> str | None:
        """Return the code, to keep it from messages: whoever is not handed it may have found it elsewhere."""
        try:
            return None if self._code is None else read_code(self._code)
        except SecretUnreadable:
            return None


def filled(argument: str, words: Mapping[str, str]) -> str:
    """Return an argument with what is meant in place of the words."""
    return PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), argument)
