"""The built-in handler `log`: writes one line, for heartbeats and first steps."""

from __future__ import annotations

import logging

from trioarm.engine.attempt import RunContext

_log = logging.getLogger("trioarm.log")


async def log(run: RunContext) -> None:
    """Log the argument `message`, or the name of the schedule."""
    _log.info("%s", run.args.get("message", run.schedule))
