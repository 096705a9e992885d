"""`trioarm run`: a node in the foreground."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import trio
from cyclopts import Parameter

from trioarm.bootstrap import SchedulerBootstrap
from trioarm.cli.configuration import config_path, declared_schedules, read_config
from trioarm.cli.exits import Exit, exit_of, leaves, lines_of
from trioarm.cli.lines import lines_to
from trioarm.cli.logs import JSON, adjust_levels, capture_the_rest, configure_logs, json_error
from trioarm.cli.node import ForegroundNode, Until
from trioarm.cli.options import ConfigFile, StoreUrl, read_overrides, span_s
from trioarm.cli.systemd import ServiceManager
from trioarm.cli.terminal import complain
from trioarm.config import SchedulerConfig
from trioarm.config.config import log_format
from trioarm.core.errors import TrioarmError
from trioarm.handlers.registry import Handlers
from trioarm.repositories.sqlite.database import StoreLocked


def run(
    *,
    config: ConfigFile = None,
    store: StoreUrl = None,
    until_idle: Annotated[
        bool,
        Parameter(help="Stop once all that is due is done and nothing is due soon."),
    ] = False,
    for_: Annotated[str | None, Parameter(name="--for", help="Stop after this long, such as 90s or 2h.")] = None,
    set_: Annotated[
        list[str] | None,
        Parameter(name="--set", help="Set KEY=VALUE, as in the file, for this run; may be repeated."),
    ] = None,
) -> Exit:
    """Run the node in the foreground. This is what `trioarm` does without a command.

    The first SIGINT (Ctrl+C) or SIGTERM lets runs end, the second cancels them. SIGHUP reads the configuration again.

    For example:

    - `trioarm run`
    - `trioarm run --for 10m`
    - `trioarm run --set features.debug=true`
    """
    overrides: dict[str, object] = {}
    try:
        overrides |= read_overrides(set_ or ())
        if store is not None:
            overrides["scheduler.store"] = store
        until = Until(after_s=None if for_ is None else span_s(for_, "--for"), idle=until_idle)
        found = read_config(config, overrides)
        declared_schedules(found)  # every problem at once, before anything starts
        return run_node(found, until)
    except (TrioarmError, OSError, BaseExceptionGroup) as error:
        lines = lines_of(error)
        passing = any(isinstance(leaf, StoreLocked) for leaf in leaves(error))
        in_json = log_format(config_path(config), overrides=overrides) == JSON
        if lines is None or not (in_json or passing):
            raise
        for line in lines:
            if in_json:
                json_error(line, sys.stderr)
            else:
                complain([line])
        return Exit.FAILURE if passing else exit_of(error)  # what may pass by itself is worth starting again


def run_node(config: SchedulerConfig, until: Until, handlers: Handlers = ()) -> Exit:
    """Run a node in the foreground of this process.

    Args:
        config: what it is to be.
        until: when it stops by itself.
        handlers: beside the built-in ones.

    Raises:
        TrioarmError: it cannot start; perhaps in an exception group.
    """
    capture_the_rest(config, configure_logs(config, sys.stdout, lines_to(sys.stdout)))
    return trio.run(_foreground, config, until, handlers)


async def _foreground(config: SchedulerConfig, until: Until, handlers: Handlers) -> Exit:
    bootstrap = SchedulerBootstrap(config, handlers)
    bootstrap.live.takers.append(adjust_levels)
    return await ForegroundNode(bootstrap, until, ServiceManager.from_environment(os.environ)).run()
