"""`trioarm resources list`: what runs need beside a worker, who has it, and what it waits for (S6.5)."""

from __future__ import annotations

from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.container import Container
from trioarm.core.instants import render_instant
from trioarm.core.jsonable import Json
from trioarm.core.resources import Gate
from trioarm.engine.gatekeeper import Gatekeeper


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List resources: how many runs hold each, when the next may begin, and whether its breaker is open.

    For example:

    - `trioarm resources list`
    - `trioarm resources list --json`
    """

    async def work(container: Container) -> Exit:
        gatekeeper, now = container.get(Gatekeeper), current_instant()
        gates = (await gatekeeper.look(gatekeeper.resources, now)).gates
        if not gates:
            remark("no resource is configured: write [resource.nas] with limit = 1, for one")
        columns = Columns("NAME", "HELD", "LAST BEGAN", "NEXT", "BREAKER")
        for name, gate in gates.items():
            if json:
                say_json(_as_json(name, gate))
            else:
                columns.add(_cells(name, gate, now), Style.NOTICE if gate.use.open_until is not None else None)
        columns.flush()
        return Exit.CLEAN

    return with_store(config, store, work)


def _cells(name: str, gate: Gate, now: int) -> tuple[str, ...]:
    limit, begun, at = gate.resource.limit, gate.use.begun, gate.free_at
    held = str(gate.held) if limit is None else f"{gate.held} of {limit}"
    following = "when one ends" if at is None else "now" if at <= now else here(at, now)
    return (name, held, here(begun[-1], now) if begun else "", following, _breaker(gate))


def _breaker(gate: Gate) -> str:
    if gate.resource.breaker is None:
        return ""
    failures = f", {gate.use.failures} failed in a row" if gate.use.failures else ""
    return f"{'closed' if gate.use.open_until is None else 'open'}{failures}"


def _as_json(name: str, gate: Gate) -> dict[str, Json]:
    resource, use, at = gate.resource, gate.use, gate.free_at
    return {
        "name": name,
        "limit": resource.limit,
        "held": gate.held,
        "gap_s": resource.gap_s,
        "rate": None if resource.rate is None else {"runs": resource.rate.runs, "per_s": resource.rate.per_s},
        "began_at": render_instant(use.begun[-1]) if use.begun else None,
        "free_at": None if at is None else render_instant(at),
        "breaker": None if resource.breaker is None else "closed" if use.open_until is None else "open",
        "failures": use.failures,
    }
