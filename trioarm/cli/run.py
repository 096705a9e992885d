"""`trioarm run`: a node in the foreground."""

from __future__ import annotations

import sys
from typing import Annotated

import trio
from cyclopts import Parameter

from trioarm.bootstrap import SchedulerBootstrap
from trioarm.cli.configuration import declared_schedules, read_config
from trioarm.cli.exits import Exit
from trioarm.cli.logs import configure_logs
from trioarm.cli.node import ForegroundNode, Until
from trioarm.cli.options import ConfigFile, StoreUrl, read_overrides, span_s
from trioarm.config import SchedulerConfig
from trioarm.handlers.registry import Handlers


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

    The first SIGINT (Ctrl+C) or SIGTERM lets runs end, the second cancels them.

    For example:

    - `trioarm run`
    - `trioarm run --for 10m`
    - `trioarm run --set features.debug=true`
    """
    overrides = read_overrides(set_ or ())
    if store is not None:
        overrides["scheduler.store"] = store
    until = Until(after_s=None if for_ is None else span_s(for_, "--for"), idle=until_idle)
    found = read_config(config, overrides)
    declared_schedules(found)  # every problem at once, before anything starts
    return run_node(found, until)


def run_node(config: SchedulerConfig, until: Until, handlers: Handlers = ()) -> Exit:
    """Run a node in the foreground of this process.

    Args:
        config: what it is to be.
        until: when it stops by itself.
        handlers: beside the built-in ones.

    Raises:
        TrioarmError: it cannot start; perhaps in an exception group.
    """
    configure_logs(config, sys.stdout)
    return trio.run(_foreground, config, until, handlers)


async def _foreground(config: SchedulerConfig, until: Until, handlers: Handlers) -> Exit:
    return await ForegroundNode(SchedulerBootstrap(config, handlers), until).run()
