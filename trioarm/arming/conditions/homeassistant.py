"""A condition that is the state of an entity of Home Assistant (A4.5)."""

from __future__ import annotations

from typing import Final

import trio

from trioarm.arming.conditions.base import understood, unknown
from trioarm.arming.conditions.settings import HomeAssistantCondition
from trioarm.arming.conditions.verdict import Answer
from trioarm.core.instants import render_duration
from trioarm.core.reading import show
from trioarm.links.homeassistant import HomeAssistant, HomeAssistantFailed
from trioarm.links.secrets import SecretRef, masking_of

REASON_MAX: Final = 300  # characters of what went wrong, some of them Home Assistant's


class HomeAssistantSource:
    """Asks for an entity. Implements `trioarm.arming.conditions.base.Source`.

    Args:
        settings: as configured.
        link: to the instance.
        token: where what we authenticate with is, so that no message repeats it.
    """

    def __init__(self, settings: HomeAssistantCondition, link: HomeAssistant, token: SecretRef) -> None:
        self._settings = settings
        self._link = link
        self._token = token
        link.watch(settings.entity)

    async def ask(self) -> Answer:
        """Return what its state means.

        Cancellation: at any checkpoint.
        """
        settings, mask = self._settings, masking_of([self._token])
        with trio.move_on_after(settings.timeout_s):
            try:
                state = await self._link.read(settings.entity)
            except HomeAssistantFailed as error:
                return unknown(f"Home Assistant at {self._link.instance}: {mask(str(error))[:REASON_MAX]}")
            if state is None:
                return unknown(f"Home Assistant at {self._link.instance} has no entity {settings.entity}")
            what = f"{settings.entity} is {show(mask(state.state))}"
            return understood(state.state, settings.yes, settings.no, what)
        limit = render_duration(settings.timeout_s)
        return unknown(f"Home Assistant at {self._link.instance} gave no answer within {limit}")
