"""Home Assistant: every `[homeassistant.NAME]`, and what panels that are entities of one can say (A1.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from trioarm.arming.model import HomeAssistantInstance, HomeAssistantPanel
from trioarm.arming.panel_urls import HOME_SAMPLE, instance_url
from trioarm.config.named import one_of, read_each
from trioarm.config.panel_keys import ANSWER_S_MAX, DELAY_S_MAX, read_code, read_secret
from trioarm.core.codec import named
from trioarm.core.reading import Table, duration, flag, show, text
from trioarm.links.secrets import SecretRef

HOMEASSISTANT: Final = "homeassistant"  # the section of instances, and the kind of panel
ENTITY: Final = re.compile(r"alarm_control_panel\.[a-z0-9_]{1,200}")
ENTITY_SAMPLE: Final = '"alarm_control_panel.house"'


def read_instances(whole: Table) -> dict[str, HomeAssistantInstance]:
    """Read every instance, by name."""
    return read_each(whole, HOMEASSISTANT, named(HOMEASSISTANT), _read_instance)


def _read_instance(name: str, table: Table) -> HomeAssistantInstance:
    url = table.need("url", lambda value: instance_url(text(value)), f'say where it is, like url = "{HOME_SAMPLE}"')
    token = read_secret(table, "token")
    if "token" not in table:
        table.problems.add(
            table.at("token"), 'is missing: name where its long-lived access token is, like { env = "HOME_TOKEN" }'
        )
    return HomeAssistantInstance(
        name=name,
        url=url or HOME_SAMPLE,  # stands in while there are problems
        token=token or SecretRef(env="HOME_TOKEN"),
        ca_file=table.take("ca_file", _path, None),
        timeout_s=table.take("timeout", duration(1, ANSWER_S_MAX), 10.0),
    )


def read_home_panel(
    table: Table, instances: Mapping[str, HomeAssistantInstance], address: str
) -> HomeAssistantPanel | None:
    """Read a panel that is an entity of an instance; None where so much is wrong that there is none.

    Args:
        table: of the panel.
        instances: by name.
        address: of its partition, which names the entity where the panel does not.
    """
    name = table.need("instance", one_of(instances, HOMEASSISTANT), 'name one, like instance = "home"')
    if "entity" in table or not address:
        entity = table.need("entity", _entity, f"name it, here or as address, like {ENTITY_SAMPLE}")
    else:
        entity = address
        table.judge(address, lambda value: _entity(value))
    forgets = table.take("forgets", flag, False)
    exit_delay_s = table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0)
    code = read_code(table)
    if name is None or entity is None:
        return None
    return HomeAssistantPanel(
        instance=instances[name], entity=entity, forgets=forgets, exit_delay_s=exit_delay_s, code=code
    )


def _entity(value: object) -> str:
    entity = text(value)
    if ENTITY.fullmatch(entity):
        return entity
    raise ValueError(f"{show(entity)} is no entity of an alarm panel: those are like {ENTITY_SAMPLE}")


def _path(value: object) -> str:
    found = text(value)
    if found and found.isprintable():
        return found
    raise ValueError("names no file: leave it out for the certificates that the system trusts")
