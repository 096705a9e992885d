"""`trioarm schedules add`: schedules of a person's own, beside those that files declare."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.arming.conflicts.ambiguity import ambiguous
from trioarm.arming.conflicts.contradictions import Wants, called
from trioarm.arming.model import HANDLER
from trioarm.cli.configuration import HANDLERS
from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import (
    AsJson,
    Author,
    ConfigFile,
    StoreUrl,
    author_of,
    instant_of,
    read_args,
    read_value,
)
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here
from trioarm.cli.stored import Rows, with_store
from trioarm.cli.terminal import Style, paint, remark
from trioarm.config import SchedulerConfig
from trioarm.config.additions import read_additions
from trioarm.config.sources import parse_toml, read_toml
from trioarm.container import Container
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.instants import instant, render_instant
from trioarm.core.queries import ScheduleQuery
from trioarm.core.reading import show, suggest
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Schedule
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.feeds.refreshing import Refreshing

OWNER: Final = "cli"
STDIN: Final = Path("-")
READ_MAX: Final = 1024 * 1024  # bytes from stdin, as much as of a file


def add(
    name: Annotated[str | None, Parameter(name="NAME", help="What to call it.")] = None,
    /,
    *,
    cron: Annotated[str | None, Parameter(help='When: a cron expression, such as "30 2 * * *".')] = None,
    every: Annotated[str | None, Parameter(help="When: at a fixed rate, such as 10s.")] = None,
    after: Annotated[str | None, Parameter(help="When: so long after the run before has ended.")] = None,
    once: Annotated[str | None, Parameter(help="When: at an instant, or 2h from now.")] = None,
    timezone: Annotated[str | None, Parameter(help="Of local times, such as Europe/Prague.")] = None,
    handler: Annotated[str | None, Parameter(help="What to call, such as command.")] = None,
    args: Annotated[str | None, Parameter(help="For the handler, as a JSON object.")] = None,
    partition: Annotated[str | None, Parameter(help="Which partition to arm.")] = None,
    target: Annotated[str | None, Parameter(help="What it is to become, such as armed_night.")] = None,
    tag: Annotated[list[str] | None, Parameter(help="A word to find it by; may be repeated.")] = None,
    set_: Annotated[
        list[str] | None, Parameter(name="--set", help="Any other KEY=VALUE of a [[schedule]]; may be repeated.")
    ] = None,
    toml: Annotated[str | None, Parameter(help="All of it as TOML: a schedule, or several [[schedule]].")] = None,
    file: Annotated[
        Path | None, Parameter(help="The same from a file; - for stdin.", allow_leading_hyphen=True)
    ] = None,
    replace: Annotated[bool, Parameter(help="Let it be a new revision of a schedule that was added before.")] = False,
    any_handler: Annotated[
        bool, Parameter(help="Take a handler that this program does not have: another node may know it.")
    ] = False,
    author: Author = None,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Add schedules to the store, from options or from TOML as in scheduler.toml. They belong to the owner cli.

    For example:

    - `trioarm schedules add ping --every 10s --handler log --args '{"message": "ping"}'`
    - `trioarm schedules add tonight --once 2h --partition house --target armed_night`
    - `trioarm schedules add report --cron "0 6 * * 1" --handler command --set timeout=5m --set overlap=allow`
    - `trioarm schedules add --file more.toml`
    """
    said: dict[str, object] = {"name": name, "cron": cron, "every": every, "after": after, "timezone": timezone}
    said |= {"handler": handler, "args": read_args(args), "partition": partition, "target": target, "tags": tag}
    said["once"] = None if once is None else render_instant(instant_of(once, "--once", current_instant()))
    tree = {key: value for key, value in said.items() if value is not None} | _settings(set_ or ())
    trees = _trees(tree, toml, file)
    by = author_of(author)

    async def work(container: Container) -> Exit:
        found = container.get(SchedulerConfig)
        known = await container.get(Refreshing).events(found.feeds)
        schedules = read_additions(found, trees, OWNER, known)
        if not any_handler:
            _check_handlers(schedules)
        await _check_wants(container.get(ScheduleRepository), schedules)
        for schedule in schedules:
            for night in ambiguous(schedule, current_instant()) if schedule.handler == HANDLER else ():
                remark(f'{paint("warning:", Style.NOTICE, sys.stderr)} schedule "{called(schedule)}": {night}')
        return await _add(container, schedules, replace, by, json)

    return with_store(config, store, work, make=True)


def _settings(settings: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: write it like --set timeout=5m")
        found[key.strip()] = read_value(value.strip())
    return found


def _trees(tree: Mapping[str, object], toml: str | None, file: Path | None) -> list[object]:
    """Return the schedules that are meant, however they were given."""
    if (bool(tree), toml is not None, file is not None).count(True) != 1:
        raise UsageError("say what to add in one way: by NAME and options, with --toml, or with --file")
    if toml is not None:
        return _schedules_of(parse_toml(Path("--toml"), toml.encode()))
    if file == STDIN:
        return _schedules_of(parse_toml(Path("stdin"), sys.stdin.buffer.read(READ_MAX)))
    if file is not None:
        return _schedules_of(read_toml(file))
    return [tree]


def _schedules_of(tree: Mapping[str, object]) -> list[object]:
    """Return the [[schedule]] tables of a document; one without is a schedule itself."""
    if "schedule" not in tree:
        return [tree]
    others = [key for key in tree if key != "schedule"]
    if others:
        raise ConfigurationError(
            tuple(
                f"{key}: only [[schedule]] can be added; settings and premises are in scheduler.toml" for key in others
            )
        )
    schedules = tree["schedule"]
    if not isinstance(schedules, list):
        raise ConfigurationError(("schedule: write [[schedule]], with two brackets on each side: there can be many",))
    return schedules


def _check_handlers(schedules: Sequence[Schedule]) -> None:
    problems = tuple(
        f'schedule "{schedule.name}".handler: {show(schedule.handler)} is unknown{suggest(schedule.handler, HANDLERS)}'
        for schedule in schedules
        if schedule.handler not in HANDLERS
    )
    if problems:
        raise ConfigurationError(problems)


async def _check_wants(repository: ScheduleRepository, schedules: Sequence[Schedule]) -> None:
    """Refuse what contradicts schedules that were added before: what the file declares is known already (A4.4)."""
    arming = [schedule for schedule in schedules if schedule.handler == HANDLER]
    if not arming:
        return
    names, wants = {schedule.name for schedule in arming}, Wants()
    query = ScheduleQuery(owner=OWNER, handler=HANDLER)
    async for record in Rows(lambda after: repository.find_schedules(attrs.evolve(query, after=after))):
        if record.schedule.name not in names:
            wants.add_stored(record.schedule)
    found = ((called(schedule), wants.add_stored(schedule)) for schedule in arming)
    problems = tuple(f'schedule "{name}": {line}' for name, line in found if line is not None)
    if problems:
        raise ConfigurationError(problems)


async def _add(container: Container, schedules: Sequence[Schedule], replace: bool, author: str, json: bool) -> Exit:
    repository, scheduler = container.get(ScheduleRepository), container.get(Scheduler)
    wanted = {schedule.name: schedule for schedule in schedules}

    async def act(name: str) -> str:
        stored = await repository.get_schedule(name)
        if stored is not None:
            _check_stored(stored, replace)
        revision = 0 if stored is None else stored.revision
        kept = await scheduler.schedules.put(wanted[name], revision=revision, author=author)
        became = "added" if stored is None else "replaced" if kept.revision != revision else "is so already"
        return became if kept.next_due_at is None else f"{became}, next {_next(instant(kept.next_due_at))}"

    return await each(wanted, act, json=json)


def _next(at: int) -> str:
    return here(at, current_instant())


def _check_stored(stored: ScheduleRecord, replace: bool) -> None:
    """Refuse to replace what is somebody else's, or what nobody spoke of replacing."""
    name, owner = stored.schedule.name, stored.schedule.owner
    if owner != OWNER:
        raise InvalidSchedule(f"{name} is stored already and belongs to {owner or 'nobody'}: choose another name")
    if not replace:
        raise InvalidSchedule(f"{name} is stored already: choose another name, or --replace it")
