"""Asking: all that a decision needs is asked at once, and each answers, or it is said why it cannot (A4.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import trio

from trioarm.arming.conditions.base import Source, unknown
from trioarm.arming.conditions.verdict import Answer


class Conditions:
    """The conditions of an installation. Nothing that was answered is kept.

    Args:
        sources: who answers, by name of the condition.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    async def ask(self, names: Iterable[str]) -> dict[str, Answer]:
        """Return what conditions say now, by name, in order. One that is not configured cannot be told.

        Cancellation: at any checkpoint.
        """
        found = {name: unknown("there is no such condition: add it to the configuration") for name in names}

        async def ask_one(name: str, source: Source) -> None:
            found[name] = await source.ask()

        async with trio.open_nursery() as nursery:
            for name in found:
                if name in self._sources:
                    nursery.start_soon(ask_one, name, self._sources[name])
        return found

    async def ask_all(self) -> dict[str, Answer]:
        """Return what every condition says now, by name.

        Cancellation: at any checkpoint.
        """
        return await self.ask(self._sources)
