"""`trioarm check`: says everything that is wrong with a configuration, without running it."""

from __future__ import annotations

import sys
from operator import itemgetter
from typing import Annotated, Final

from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.configuration import declared_schedules, read_config
from trioarm.cli.exits import Exit
from trioarm.cli.lacking import lacking
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant, planned_rules
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import Style, complain, paint, remark, say, say_json
from trioarm.config.doubtful import doubts
from trioarm.config.unheeded import unheeded
from trioarm.container import Container
from trioarm.core.counting import counted
from trioarm.live import LiveConfig

STYLES: Final = {
    "added": Style.HEADING,
    "changed": Style.NOTICE,
    "removed": Style.BAD,
    "foreign": Style.BAD,
    "kept": Style.FAINT,
}


def check(
    *,
    diff: Annotated[bool, Parameter(help="What the next start or reload would change in the store.")] = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Validate the configuration: every problem in one line on stderr, exit code 2; or a short summary.

    With --diff it says of each declared schedule, and of each that is declared no more, what would become of it; exit
    code 1 when a name belongs to somebody else, because then nothing is changed at all.

    What is no error, but is not heeded as the configuration stands, or hardly meant, is said in a line of its own;
    likewise which programs, codes and keys are not on this machine.

    For example:

    - `trioarm check`
    - `trioarm check --config night.toml`
    - `trioarm check --diff`
    """
    if diff:
        return with_store(config, store, lambda container: _differ(container, json))
    found = read_config(config)
    schedules = declared_schedules(found)
    arming = len(found.premises.schedules)
    declared = len(found.schedules) + arming
    parts = [counted(declared, "schedule")]
    if arming:
        parts.append(f"{arming} of them arming {counted(len(found.premises.partitions), 'partition')}")
    if len(schedules) != declared:  # as the start of a node, and listings, count
        parts.append(f"{len(schedules)} with one for each partition and each warning")
    disabled = sum(not schedule.enabled for schedule in schedules)
    if disabled:
        parts.append(f"{disabled} disabled")
    now = current_instant()
    for line in (*unheeded(found), *lacking(found), *doubts(found, now, planned_rules(found, now))):
        remark(f"{paint('warning:', Style.NOTICE, sys.stderr)} {line}")
    summary = f"{found.source} is fine: {', '.join(parts)}"
    if json:
        say_json({"source": str(found.source), "schedules": len(schedules), "disabled": disabled})
    else:
        say(summary)
    return Exit.CLEAN


async def _differ(container: Container, json: bool) -> Exit:
    """Say what would become of each schedule that is declared, or was."""
    diff = await container.get(LiveConfig).foresee()
    columns = Columns("SCHEDULE", "CHANGE", "WHAT DIFFERS")
    names = {"added": diff.added, "changed": diff.changed, "removed": diff.removed, "foreign": diff.foreign}
    names["kept"] = diff.unchanged
    for change, name in sorted(((change, name) for change, of in names.items() for name in of), key=itemgetter(1)):
        keys = diff.keys.get(name, ())
        if json:
            say_json({"name": name, "change": change, "keys": [*keys]})
        else:
            columns.add((name, change, ", ".join(keys)), STYLES.get(change))
    columns.flush()
    if not json:
        parts = [f"{len(of)} {change}" for change, of in names.items() if of]
        say(", ".join(parts) or "nothing is declared, and nothing was")
    if diff.foreign:
        complain([f"{name}: stored by somebody else already: choose another name" for name in diff.foreign])
    return Exit.FAILURE if diff.foreign else Exit.CLEAN
