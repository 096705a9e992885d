"""The configuration the program was told to use, with every problem of it at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from trioarm.arming.compile import engine_schedules
from trioarm.arming.model import HANDLER
from trioarm.components import BUILT_IN
from trioarm.config import FILE, FILE_ENV, SchedulerConfig, unknown_handlers
from trioarm.config.sources import Tree, read_toml
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.reading import show, suggest
from trioarm.core.schedule import Schedule
from trioarm.handlers.command import problems_of

COMMAND: Final = "command"
HANDLERS: Final = frozenset({*BUILT_IN, HANDLER})  # what a node of this program can call


def config_path(config: Path | None) -> Path:
    """Return the file that is meant."""
    return config or Path(os.environ.get(FILE_ENV) or FILE)


def read_config(
    config: Path | None, overrides: Mapping[str, object] | None = None, local: Tree | None = None
) -> SchedulerConfig:
    """Read the configuration that is meant.

    Args:
        config: the file; None for the usual one.
        overrides: settings of the command line, by key.
        local: instead of what scheduler.local.toml says.

    Raises:
        ConfigurationError: with a line for every problem.
    """
    path = config_path(config)
    try:
        found = SchedulerConfig.from_file(path, overrides=overrides or {}, local=local)
    except ConfigurationError as error:
        raise ConfigurationError((*error.problems, *_hidden(path))) from None
    problems = (*unknown_handlers(found, HANDLERS), *_unfit_commands(found))
    if problems:
        raise ConfigurationError(problems)
    return found


def declared_schedules(config: SchedulerConfig) -> list[Schedule]:
    """Return all schedules of a configuration as the engine runs them.

    Raises:
        ConfigurationError: one cannot be carried out.
    """
    try:
        return [*config.schedules, *engine_schedules(config.premises)]
    except InvalidSchedule as error:
        raise ConfigurationError((str(error),)) from None


def _unfit_commands(config: SchedulerConfig) -> Iterator[str]:
    """Yield a line for everything that is wrong with the arguments of the commands of a configuration."""
    for schedule in config.schedules:
        if schedule.handler == COMMAND:
            for problem in problems_of(schedule.args):
                yield f'schedule "{schedule.name}".{problem}'


def _hidden(path: Path) -> Iterator[str]:
    """Yield a line for each unknown handler, and unfit command, of a file whose other problems hide its schedules."""
    try:
        tree = read_toml(path)
    except ConfigurationError:
        return
    schedules, workers = tree.get("schedule"), tree.get("handler")
    for schedule in schedules if isinstance(schedules, list) else ():
        if not isinstance(schedule, Mapping):
            continue
        name, handler, args = show(schedule.get("name")), schedule.get("handler"), schedule.get("args", {})
        if isinstance(handler, str) and handler not in HANDLERS:
            yield f"schedule {name}.handler: {show(handler)} is unknown{suggest(handler, HANDLERS)}"
        if handler == COMMAND and isinstance(args, Mapping):
            yield from (f"schedule {name}.{problem}" for problem in problems_of(args))
    for handler in workers if isinstance(workers, Mapping) else ():
        if handler not in HANDLERS:
            yield f"handler: {show(handler)} is unknown{suggest(handler, HANDLERS)}"
