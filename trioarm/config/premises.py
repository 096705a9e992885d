"""Premises: sites, partitions and their panels, read from scheduler.toml (A1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trioarm.arming.compile import LANE
from trioarm.arming.model import Partition, SecretRef, Site, VirtualPanel
from trioarm.config.named import one_of, read_each
from trioarm.core.codec import named
from trioarm.core.forms.family import zone
from trioarm.core.reading import Table, duration, flag, listed, number, show, suggest, text
from trioarm.core.schedule import NAME
from trioarm.core.triggers.sun import to_latitude, to_longitude

DELAY_S_MAX: Final = 3600.0  # of a panel: real ones end at a few minutes
KINDS: Final = ("virtual",)
KINDS_LATER: Final = ("mqtt", "homeassistant", "http", "command")


def read_sites(whole: Table) -> dict[str, Site]:
    """Read every `[site.NAME]`."""
    return read_each(whole, "site", named("site"), _read_site)


def read_partitions(whole: Table, sites: Mapping[str, Site]) -> dict[str, Partition]:
    """Read every `[partition.NAME]`."""
    return read_each(whole, "partition", _partition_name, lambda name, table: _read_partition(name, table, sites))


def _partition_name(value: object) -> str:
    """Read the name of a partition, which must leave room for that of its lane."""
    name = named("partition")(value)
    if NAME.fullmatch(LANE + name) is None:
        raise ValueError(f"partition {name!r} is too long: its lane {LANE}{name} would have more than 63 characters")
    return name


def _read_site(name: str, table: Table) -> Site:
    timezone = table.need("timezone", zone, 'write it like timezone = "Europe/Prague"') or "UTC"
    latitude = table.take("latitude", lambda value: to_latitude(number(value)), None)
    longitude = table.take("longitude", lambda value: to_longitude(number(value)), None)
    for key, other in (("latitude", "longitude"), ("longitude", "latitude")):
        if key in table and other not in table:
            table.problems.add(table.at(other), f"is missing: {key} alone is no place")
    return Site(name, timezone, latitude, longitude)


def _read_partition(name: str, table: Table, sites: Mapping[str, Site]) -> Partition:
    return Partition(
        name=name,
        site=table.need("site", one_of(sites, "site"), 'say where it is, like site = "home"') or "",
        panel=_read_panel(table),
        address=table.take("address", text, ""),
        allow_disarm=table.take("allow_disarm", flag, False),
        min_gap_s=table.take("min_gap", duration(0, DELAY_S_MAX), 2.0),
        confirm_s=table.take("confirm", duration(1, DELAY_S_MAX), 30.0),
        code=_read_code(table),
    )


def _read_panel(partition: Table) -> VirtualPanel:
    table = partition.table("panel")
    if table is None:
        return VirtualPanel()
    kind = table.take("kind", _kind, None)
    if kind is None and "kind" in table:  # the keys of other kinds are not known yet
        return VirtualPanel()
    panel = VirtualPanel(
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 30.0),
        entry_delay_s=table.take("entry_delay", duration(0, DELAY_S_MAX), 30.0),
        open_zones=tuple(table.take("open_zones", listed(text), [])),
        code=_read_code(table),
    )
    table.close()
    return panel


def _kind(value: object) -> str:
    kind = text(value)
    if kind in KINDS:
        return kind
    if kind in KINDS_LATER:
        raise ValueError(f"{show(kind)} is not available yet; there is {', '.join(KINDS)}")
    raise ValueError(f"{show(kind)} is no kind of panel{suggest(kind, (*KINDS, *KINDS_LATER))}")


def _read_code(owner: Table) -> SecretRef | None:
    """Read where a code is: a panel's own, or one that is sent with the commands of one partition."""
    table = owner.take("code", _reference, None)
    if table is None:
        return None
    code = Table(table, owner.at("code"), owner.problems)
    env = code.take("env", _place, None)
    file = code.take("file", _place, None)
    code.close()
    return SecretRef(env, file) if env or file else None


def _place(value: object) -> str:
    if found := text(value):
        return found
    raise ValueError("names nothing: a code is in an environment variable or in a file")


def _reference(value: object) -> Mapping[str, object]:
    """Read a table that says where a code is, and never show what stands in its place (A5.2)."""
    if not isinstance(value, Mapping):
        raise ValueError(
            "a code is not written into a file that others read: "
            'name where it is, like { env = "HOUSE_CODE" } or { file = "house.code" }'
        )
    if ("env" in value) == ("file" in value):
        raise ValueError('name one place: { env = "HOUSE_CODE" } or { file = "house.code" }')
    return value
