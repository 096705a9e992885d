"""`trioarm status`: how the nodes of a store are, and what waits for them; as an exit code, a line, or a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.cli.exits import Exit
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import stored_config
from trioarm.cli.terminal import say, say_json
from trioarm.cli.wording import distance, span
from trioarm.config import SchedulerConfig
from trioarm.core.counting import counted
from trioarm.core.instants import SECOND, microseconds, render_instant
from trioarm.core.jsonable import Json
from trioarm.engine.health import OVERDUE_S, Level
from trioarm.engine.leases import LEASE_S, RENEW_S
from trioarm.handlers.housekeeping import OWNER
from trioarm.notify.model import FAILED
from trioarm.repositories.sqlite.vitals import NAMED_MAX, Due, Look, NodeSeen, Vitals, read_vitals

UNDECIDED_S: Final = 10.0  # a node decides within milliseconds; what it did not decide for so long, nobody looks at
SILENT_S: Final = RENEW_S + 8.0  # since its lease was renewed: one renewal failed, or its loop does not turn

EXITS: Final = {Level.HEALTHY: Exit.CLEAN, Level.DEGRADED: Exit.FAILURE, Level.DOWN: Exit.DOWN}


@attrs.frozen(slots=True)
class Status:
    """How things are.

    Args:
        level: healthy, degraded or down.
        reasons: why not healthy, a line each.
        vitals: what was found; None where there is no store yet.
    """

    level: Level
    reasons: tuple[str, ...]
    vitals: Vitals | None


def status(
    *,
    probe: Annotated[bool, Parameter(help="One short line, quickly: for whatever supervises the node.")] = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Say how the node is: exit code 0 when it is healthy, 1 when it is degraded, 4 when no node is alive.

    For example:

    - `trioarm status`
    - `trioarm status --probe`
    - `trioarm status --json`
    """
    found = stored_config(config, store)
    now = current_instant()
    current = look(found, now, counts=not probe)
    if json:
        say_json(_as_json(found, current, now))
    elif probe:
        say(_line(current, now))
    else:
        say_sheet(str(current.level), _entries(found, current, now))
    return EXITS[current.level]


def look(config: SchedulerConfig, now: int, *, counts: bool) -> Status:
    """Look how the nodes on the store of a configuration are.

    Args:
        counts: whether to count schedules and alerts as well, which takes longer the more there are.

    Raises:
        RepositoryError: the store cannot be looked at.
    """
    path = config.store_path
    if path.parent.is_dir() and not path.exists():
        return Status(Level.DOWN, (f"{path}: there is no store yet: `trioarm run` makes it",), None)
    question = Look(
        undecided_by=now - microseconds(UNDECIDED_S),
        overdue_by=now - microseconds(OVERDUE_S),
        housekeeping=OWNER,
        counts=counts,
        complaints=frozenset({FAILED}),
    )
    vitals = read_vitals(path, question)
    alive = [node for node in vitals.nodes if node.alive]
    if not alive:
        return Status(Level.DOWN, ("no node is alive: start one with `trioarm run`",), vitals)
    reasons = tuple(_reasons(alive, vitals, now))
    return Status(Level.DEGRADED if reasons else Level.HEALTHY, reasons, vitals)


def _reasons(alive: Sequence[NodeSeen], vitals: Vitals, now: int) -> Iterator[str]:
    for node in alive:
        silent_s = LEASE_S - node.lease_left_s
        if silent_s > SILENT_S:
            yield f"node {node.node} did not renew its lease for {span(silent_s)}"
    if vitals.undecided:
        yield f"nobody decides about {_named(vitals.undecided, now)}"
    if vitals.overdue:
        yield f"overdue: {_named(vitals.overdue, now)}"
    if quarantined := vitals.schedules.get("quarantined", 0):
        yield f"{counted(quarantined, 'schedule')} in quarantine: `trioarm schedules list --state quarantined`"


def _named(dues: Sequence[Due], now: int) -> str:
    named = [f"{due.name} (due {distance((due.due_at - now) / SECOND)})" for due in dues[:NAMED_MAX]]
    return ", ".join([*named, *(["and more"] if len(dues) > NAMED_MAX else [])])


def _line(current: Status, now: int) -> str:
    if current.vitals is None or current.reasons:
        return f"{current.level}: {'; '.join(current.reasons)}"
    alive = sum(node.alive for node in current.vitals.nodes)
    return f"{current.level}: {counted(alive, 'node')}, {_next(current.vitals.next_due, now)}"


def _next(due: Due | None, now: int) -> str:
    return "nothing is to come" if due is None else f"next is {due.name} {distance((due.due_at - now) / SECOND)}"


def _entries(config: SchedulerConfig, current: Status, now: int) -> Iterator[tuple[str, str]]:
    for number, reason in enumerate(current.reasons):
        yield "" if number else "why", reason
    yield "store", str(config.store_path)
    if current.vitals is None:
        return
    vitals = current.vitals
    for number, node in enumerate(vitals.nodes):
        yield "" if number else "nodes", f"{node.node}, {_life(node)}, since {here(node.since_at, now)}"
    if vitals.next_due is None:
        yield "next", "nothing is to come"
    else:
        yield "next", f"{vitals.next_due.name}, {here(vitals.next_due.due_at, now)}"
    yield "runs", f"{vitals.pending} pending, {vitals.held} held by nodes"
    states = ", ".join(f"{count} {state}" for state, count in sorted(vitals.schedules.items()))
    yield "schedules", f"{states}, built-in ones included" if states else "none"
    yield "alerts", f"{vitals.alerts_open} open"
    for number, complaint in enumerate(vitals.complaints):
        yield "" if number else "notify", complaint


def _life(node: NodeSeen) -> str:
    return "alive" if node.gone is None else f"gone: {node.gone}"


def _as_json(config: SchedulerConfig, current: Status, now: int) -> dict[str, Json]:
    vitals = current.vitals
    row: dict[str, Json] = {
        "level": current.level.value,
        "reasons": [*current.reasons],
        "store": str(config.store_path),
        "at": render_instant(now),
    }
    if vitals is None:
        return row | {"nodes": []}
    due = vitals.next_due
    return row | {
        "nodes": [_node_form(node) for node in vitals.nodes],
        "next_due_at": None if due is None else render_instant(due.due_at),
        "next_schedule": None if due is None else due.name,
        "undecided": [one.name for one in vitals.undecided],
        "overdue": [one.name for one in vitals.overdue],
        "pending": vitals.pending,
        "held": vitals.held,
        "schedules": {**vitals.schedules},
        "alerts_open": vitals.alerts_open,
        "channels_failed": [*vitals.complaints],
    }


def _node_form(node: NodeSeen) -> dict[str, Json]:
    return {
        "node": node.node,
        "alive": node.alive,
        "since_at": render_instant(node.since_at),
        "lease_left_s": round(node.lease_left_s, 3),
        "gone": node.gone,
    }
