"""Masking: no code of a panel and no password of a URL gets into the log, whoever writes the line (A5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from trioarm.config import SchedulerConfig
from trioarm.links.secrets import MASK, pattern_of, readable, references

_USERINFO: Final = re.compile(r"(?<=://)([^@:/\s]*):[^@\s]*@")


def known_secrets(config: SchedulerConfig) -> frozenset[str]:
    """Return the codes and keys that partitions, panels, brokers and channels refer to, as far as they can be read."""
    found: set[str] = set()
    panels = (partition.panel for partition in config.premises.partitions.values())
    ways = (channel.way for channel in config.notify.values())
    for settings in (*config.premises.partitions.values(), *panels, *config.premises.instances.values(), *ways):
        found |= readable(references(settings).values())
    for broker in config.premises.brokers.values():
        found |= readable(references(broker).values())
    return frozenset(found)


class Masking:
    """Replaces secrets in whatever is about to be logged.

    Args:
        secrets: codes that were known when the program started.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = pattern_of(secrets)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        return _USERINFO.sub(rf"\1:{MASK}@", text)

    def value(self, value: object) -> object:
        """Return a value without secrets in its texts, however deep they are."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.value(key): self.value(inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(inner) for inner in value]
            case BaseException():
                return self.text(str(value))
            case _:
                return value
