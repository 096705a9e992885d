"""`trioarm partitions arm, disarm, hold, release`: what people do to partitions, by this machine's hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, TypeAlias

import trio
from cyclopts import Parameter

from trioarm.arming.holds import PARTITION, SITE
from trioarm.arming.installation import Installation
from trioarm.arming.model import Premises, Target
from trioarm.arming.panels.base import PanelFailure, PanelReport
from trioarm.arming.persons import Persons
from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import PLAINLY, Asked, instant_of
from trioarm.cli.partitions import known
from trioarm.cli.planned import current_instant
from trioarm.cli.reports import reported
from trioarm.cli.schedule_changes import Note
from trioarm.cli.sheet import here
from trioarm.cli.stored import News, with_panels, with_store
from trioarm.cli.terminal import flush, say
from trioarm.container import Container
from trioarm.core.reading import show, suggest
from trioarm.engine.ports import ScheduleRepository

Partition: TypeAlias = Annotated[str, Parameter(name="NAME", help="Which partitions.")]
Held: TypeAlias = Annotated[str, Parameter(name="NAME", help="Which partitions or sites; site/NAME where both exist.")]
ARMED: Final = "armed_"
NoWait: TypeAlias = Annotated[
    bool, Parameter(name="--no-wait", help="Return once the panel is on its way, not once it is there.")
]


def arm(
    *names: Partition,
    target: Annotated[
        str, Parameter(help="What they are to become; night is short for armed_night.", show_default=True)
    ] = "armed_away",
    no_wait: NoWait = False,
    asked: Asked = PLAINLY,
) -> Exit:
    """Arm partitions now, and wait until their panels report it. No timetable or hold stands against it.

    For example:

    - `trioarm partitions arm house`
    - `trioarm partitions arm house garage --target armed_night --no-wait`
    """
    return _command(names, _target(target), no_wait, asked)


def _target(word: str) -> Target:
    """Return what a word means: `night` is short for `armed_night`.

    Raises:
        UsageError: there is no such state to be armed to.
    """
    modes = [mode for mode in Target if mode is not Target.DISARMED]
    for mode in modes:
        if word in (mode, mode.removeprefix(ARMED)):
            return mode
    raise UsageError(f"--target: {show(word)} is no state to arm to; there is {', '.join(modes)}")


def disarm(
    *names: Partition,
    no_wait: NoWait = False,
    asked: Asked = PLAINLY,
) -> Exit:
    """Disarm partitions now, which is also what ends an alarm.

    For example:

    - `trioarm partitions disarm house`
    """
    return _command(names, Target.DISARMED, no_wait, asked)


def _command(
    names: Sequence[str],
    target: Target,
    no_wait: bool,
    asked: Asked,
) -> Exit:
    if not names:
        raise UsageError("name a partition: `trioarm partitions list` shows what there is")

    async def work(container: Container) -> Exit:
        installation = container.get(Installation)
        wanted = list(dict.fromkeys(known(installation, name) for name in names))
        news, exits = News(container.get(ScheduleRepository)), []

        async def command(name: str) -> str:
            tell = _silent if asked.json else _teller(name, target)
            try:
                confirm = not no_wait
                return reported(
                    await installation.persons.arm(name, target, by=asked.by, on_progress=tell, confirm=confirm)
                )
            except PanelFailure as failure:  # which names the panel, if anything
                raise PanelFailure(failure.kind, f"{name}: {failure}", failure.zones) from None

        async def command_one(name: str) -> None:
            exits.append(await each([name], command, json=asked.json))

        async with trio.open_nursery() as listening:
            await listening.start(news.listen)  # a panel may be changed by a node meanwhile
            async with trio.open_nursery() as nursery:
                for name in wanted:
                    nursery.start_soon(command_one, name)
            listening.cancel_scope.cancel()
        return max(exits)

    return with_panels(asked.config, asked.store, work)


def _silent(report: PanelReport) -> None:
    """Tell nobody."""


def _teller(name: str, target: Target) -> Callable[[PanelReport], None]:
    def tell(report: PanelReport) -> None:
        if not report.reaches(target):  # that is said in the end
            say(f"{name}: {reported(report)}")
            flush()

    return tell


def hold(
    *names: Held,
    note: Note = "",
    until: Annotated[
        str | None, Parameter(help="Release by itself then: an instant, or 2h from now; otherwise when released.")
    ] = None,
    asked: Asked = PLAINLY,
) -> Exit:
    """Let no scheduled command be sent to partitions, or to all of a site. People may still arm and disarm.

    For example:

    - `trioarm partitions hold house --until 2h --note "painters"`
    - `trioarm partitions hold site/home`
    """
    now = current_instant()
    until_at = None if until is None else instant_of(until, "--until", now)

    async def act(persons: Persons, on: str) -> str:
        await persons.hold(on, by=asked.by, note=note, until_at=until_at)
        return "held until it is released" if until_at is None else f"held until {here(until_at, now)}"

    return _each_held(names, act, asked)


def release(
    *names: Held,
    asked: Asked = PLAINLY,
) -> Exit:
    """End holds.

    For example:

    - `trioarm partitions release house`
    """

    async def act(persons: Persons, on: str) -> str:
        return "released" if await persons.release(on, by=asked.by) else "nobody held it"

    return _each_held(names, act, asked)


def _each_held(
    names: Sequence[str],
    act: Callable[[Persons, str], Awaitable[str]],
    asked: Asked,
) -> Exit:
    if not names:
        raise UsageError("name a partition or a site: `trioarm partitions list` shows what there is")

    async def work(container: Container) -> Exit:
        installation = container.get(Installation)
        held = [_held(installation.premises, name) for name in names]
        return await each(held, lambda on: act(installation.persons, on), json=asked.json)

    return with_store(asked.config, asked.store, work, make=True)


def _held(premises: Premises, name: str) -> str:
    """Return what a name means: `partition/NAME`, or `site/NAME`.

    Raises:
        UsageError: there is neither a partition nor a site of that name.
    """
    for prefix, known_names in ((PARTITION, premises.partitions), (SITE, premises.sites)):
        if name.removeprefix(prefix) in known_names:
            return prefix + name.removeprefix(prefix)
    both = [*premises.partitions, *premises.sites]
    raise UsageError(f"there is no partition or site {name!r}{suggest(name, both)}")
