"""`trioarm check`: says everything that is wrong with a configuration, without running it."""

from __future__ import annotations

from trioarm.arming.compile import engine_schedules
from trioarm.cli.exits import Exit
from trioarm.cli.options import HANDLERS, ConfigFile, read_config
from trioarm.cli.terminal import say
from trioarm.cli.wording import counted
from trioarm.config import SchedulerConfig, unknown_handlers
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.schedule import Schedule


def check(*, config: ConfigFile = None) -> Exit:
    """Validate the configuration: every problem in one line on stderr, exit code 2; or a short summary.

    Examples: `trioarm check`, `trioarm check --config night.toml`.
    """
    found = read_config(config)
    schedules = declared_schedules(found)
    arming, partitions = len(found.premises.schedules), len(found.premises.partitions)
    parts = [counted(len(found.schedules) + arming, "schedule")]
    if arming:
        parts.append(f"{arming} of them arming {counted(partitions, 'partition')}")
    disabled = sum(not schedule.enabled for schedule in schedules)
    if disabled:
        parts.append(f"{disabled} disabled")
    say(f"{found.source} is fine: {', '.join(parts)}")
    return Exit.CLEAN


def declared_schedules(config: SchedulerConfig) -> list[Schedule]:
    """Return all schedules of a configuration as the engine runs them.

    Raises:
        ConfigurationError: some cannot be carried out.
    """
    problems = [*unknown_handlers(config, HANDLERS)]
    arming: list[Schedule] = []
    try:
        arming = engine_schedules(config.premises)
    except InvalidSchedule as error:
        problems.append(str(error))
    if problems:
        raise ConfigurationError(tuple(problems))
    return [*config.schedules, *arming]
