"""Resources: every `[resource.NAME]`, and what holds for it (S6.5)."""

from __future__ import annotations

from trioarm.config.named import read_each
from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.codec import named
from trioarm.core.reading import Table, duration, whole
from trioarm.core.resources import LIMIT_MAX, RUNS_MAX, Breaker, Rate, Resource

_LEAST_S = 0.001


def read_resources(tables: Table) -> dict[str, Resource]:
    """Read what holds for each resource, by name."""
    return read_each(tables, "resource", named("resource"), lambda name, table: _read(table))


def _read(table: Table) -> Resource:
    found = Resource(
        limit=table.take("limit", whole(1, LIMIT_MAX), None),
        gap_s=table.take("gap", duration(0, DURATION_S_MAX), 0.0),
        rate=_read_rate(table),
        breaker=_read_breaker(table),
    )
    if not table.tree:
        table.problems.add(table.path, "says nothing: give it a limit, a gap, a rate or a breaker")
    return found


def _read_rate(owner: Table) -> Rate | None:
    table = owner.table("rate")
    if table is None:
        return None
    runs = table.need("runs", whole(1, RUNS_MAX), "say how many may begin, such as runs = 10")
    per_s = table.need("per", duration(_LEAST_S, DURATION_S_MAX), 'say within which time, such as per = "1m"')
    table.close()
    return None if runs is None or per_s is None else Rate(runs, per_s)


def _read_breaker(owner: Table) -> Breaker | None:
    table = owner.table("breaker")
    if table is None:
        return None
    usual = Breaker()
    failures = table.take("failures", whole(1, 1_000), usual.failures)
    pause_s = table.take("pause", duration(_LEAST_S, DURATION_S_MAX), usual.pause_s)
    table.close()
    return Breaker(failures, pause_s)
