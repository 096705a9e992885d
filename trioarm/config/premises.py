"""Premises: sites, partitions and their panels, read from scheduler.toml (A1)."""

from __future__ import annotations

from collections.abc import Mapping

from trioarm.arming.compile import LANE
from trioarm.arming.model import HomeAssistantInstance, OnDrift, PanelSettings, Partition, Site
from trioarm.config.named import one_of, read_each
from trioarm.config.panel_keys import DELAY_S_MAX, read_code
from trioarm.config.panels import read_panel
from trioarm.core.codec import named
from trioarm.core.forms.family import zone
from trioarm.core.reading import Table, duration, flag, member, number, text
from trioarm.core.schedule import NAME
from trioarm.core.triggers.sun import to_latitude, to_longitude
from trioarm.links.mqtt.settings import MqttBroker


def read_sites(whole: Table) -> dict[str, Site]:
    """Read every `[site.NAME]`."""
    return read_each(whole, "site", named("site"), _read_site)


def read_partitions(
    whole: Table,
    sites: Mapping[str, Site],
    instances: Mapping[str, HomeAssistantInstance],
    brokers: Mapping[str, MqttBroker],
) -> dict[str, Partition]:
    """Read every `[partition.NAME]`."""

    def read(name: str, table: Table) -> Partition:
        address = table.take("address", text, "")
        return _read_partition(name, table, sites, address, read_panel(table, instances, brokers, address))

    return read_each(whole, "partition", _partition_name, read)


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


def _read_partition(
    name: str, table: Table, sites: Mapping[str, Site], address: str, panel: PanelSettings
) -> Partition:
    return Partition(
        name=name,
        site=table.need("site", one_of(sites, "site"), 'say where it is, like site = "home"') or "",
        panel=panel,
        address=address,
        allow_disarm=table.take("allow_disarm", flag, False),
        min_gap_s=table.take("min_gap", duration(0, DELAY_S_MAX), 2.0),
        confirm_s=table.take("confirm", duration(1, DELAY_S_MAX), 30.0),
        code=read_code(table),
        drift=table.take("drift", member(OnDrift), OnDrift.ALERT),
    )
