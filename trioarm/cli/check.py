"""`trioarm check`: says everything that is wrong with a configuration, without running it."""

from __future__ import annotations

import sys

from trioarm.cli.configuration import declared_schedules, read_config
from trioarm.cli.exits import Exit
from trioarm.cli.options import ConfigFile
from trioarm.cli.terminal import Style, paint, remark, say
from trioarm.cli.wording import counted
from trioarm.config.unheeded import unheeded


def check(*, config: ConfigFile = None) -> Exit:
    """Validate the configuration: every problem in one line on stderr, exit code 2; or a short summary.

    What is no error, but is not heeded as the configuration stands, is said in a line of its own.

    For example:

    - `trioarm check`
    - `trioarm check --config night.toml`
    """
    found = read_config(config)
    schedules = declared_schedules(found)
    arming = len(found.premises.schedules)
    parts = [counted(len(found.schedules) + arming, "schedule")]
    if arming:
        parts.append(f"{arming} of them arming {counted(len(found.premises.partitions), 'partition')}")
    disabled = sum(not schedule.enabled for schedule in schedules)
    if disabled:
        parts.append(f"{disabled} disabled")
    for line in unheeded(found):
        remark(f"{paint('warning:', Style.NOTICE, sys.stderr)} {line}")
    say(f"{found.source} is fine: {', '.join(parts)}")
    return Exit.CLEAN
