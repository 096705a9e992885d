"""A panel of Home Assistant: an entity `alarm_control_panel`, over WebSocket or REST (A1.3, A6.2).

A service call that succeeds says nothing: one on an entity that does not exist succeeds, too. Only what is read counts.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from trioarm.arming.connections import Connections
from trioarm.arming.model import HomeAssistantInstance, HomeAssistantPanel, Reported, Target
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.homeassistant_entity import (
    SERVICES,
    has_mode,
    is_open,
    name_of,
    refusal_of,
    report_of,
    sensors_of,
)
from trioarm.core.errors import ConfigurationError
from trioarm.links.homeassistant import HomeAssistant, HomeAssistantFailed, Instance, Limits, Refused, State
from trioarm.links.secrets import Mask, SecretRef, masking_of, read_key, references

REASON_MAX: Final = 300  # characters of what went wrong, some of them Home Assistant's
SENSORS_ASKED: Final = 8  # of those that are said to be open; the others are believed to be
CAN_BE_BLOCKED: Final = frozenset({Reported.DISARMED, *(Reported(target) for target in Target)})


class HomeAssistantDriver:
    """One entity. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        settings: as configured.
        link: to the instance.
        code: where the code is that is sent instead of the panel's, so that no message repeats it.
    """

    def __init__(self, settings: HomeAssistantPanel, link: HomeAssistant, *, code: SecretRef | None = None) -> None:
        self._entity = settings.entity
        self._link = link
        self._refs = (
            *references(settings).values(),
            *references(settings.instance).values(),
            *([] if code is None else [code]),
        )
        link.watch(settings.entity, forgets=settings.forgets)

    @property
    def name(self) -> str:
        """The instance: how many panels its entities are, it does not say, so all are commanded in order (A3.8)."""
        return f"homeassistant:{self._link.instance}"

    async def read_state(self) -> PanelReport:
        """Ask what the partition is now.

        Raises:
            PanelFailure: `unavailable`: Home Assistant does not answer, or has no such entity.
        """
        state = await self._state()
        mask = self._mask()
        return report_of(state, await self._open_zones(state, mask), mask, ours=self._link.is_ours(state))

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Call the service, once.

        Raises:
            PanelFailure: `rejected`, `blocked` or `unavailable`; where the answer was lost, `unavailable`.

        Cancellation: at any time; the service may have been called.
        """
        if not has_mode(await self._state(), target):
            raise self._failure(FailureKind.REJECTED, f"{self._entity} has no mode {target}: nothing was sent")
        data = {"entity_id": self._entity} if code is None else {"entity_id": self._entity, "code": code}
        try:
            await self._link.call(SERVICES[target], data)
        except Refused as refusal:
            kind, message = refusal_of(refusal, self._mask(code))
            raise self._failure(kind, message, code) from None
        except HomeAssistantFailed as error:
            raise self._failure(FailureKind.UNAVAILABLE, str(error), code) from None
        if target is not Target.DISARMED:
            await self._heed_open_zones(target)

    async def changed(self) -> None:
        """Return once the entity has changed, or the way to it; over REST, when it is time to look again."""
        await self._link.changed(self._entity)

    async def _heed_open_zones(self, target: Target) -> None:
        """Find out whether open zones kept it from obeying, which its answer does not say.

        Raises:
            PanelFailure: `blocked`.
        """
        with suppress(HomeAssistantFailed):  # who reads next will say so
            state = await self._link.read(self._entity)
            if state is None or state.state in (target.value, Reported.ARMING):
                return
            if zones := await self._open_zones(state, self._mask()):
                raise self._failure(FailureKind.BLOCKED, f"zones are open: {', '.join(zones)}", zones=zones)

    async def _state(self) -> State:
        try:
            state = await self._link.read(self._entity)
        except HomeAssistantFailed as error:
            raise self._failure(FailureKind.UNAVAILABLE, str(error)) from None
        if state is None:
            message = f"there is no entity {self._entity} there: look at entity, unless Home Assistant is just starting"
            raise self._failure(FailureKind.UNAVAILABLE, message)
        return state

    async def _open_zones(self, state: State, mask: Mask) -> tuple[str, ...]:
        """Return the zones that stand open, by the names they have in Home Assistant."""
        if state.state not in CAN_BE_BLOCKED:
            return ()
        zones = list[str]()
        for number, sensor in enumerate(sensors_of(state)):
            found: State | None = None
            if number < SENSORS_ASKED:
                with suppress(HomeAssistantFailed):  # as good as no sensor: it counts as open
                    found = await self._link.read(sensor)
            if is_open(found):
                friendly = None if found is None else found.attributes.get("friendly_name")
                zones.append(name_of(friendly, mask) or name_of(sensor, mask) or "a zone")
        return tuple(zones)

    def _failure(
        self, kind: FailureKind, reason: str, code: str | None = None, zones: tuple[str, ...] = ()
    ) -> PanelFailure:
        """Return a failure that names the instance, and nothing secret."""
        said = self._mask(code)(reason)
        cut = said if zones or len(said) <= REASON_MAX else said[:REASON_MAX] + "..."
        return PanelFailure(kind, f"Home Assistant at {self._link.instance}: {cut}", zones)

    def _mask(self, code: str | None = None) -> Mask:
        return masking_of(self._refs, code)


def link_to(settings: HomeAssistantInstance, connections: Connections) -> HomeAssistant:
    """Return the link to an instance, one for all its panels.

    Raises:
        ConfigurationError: what it needs is not installed.
    """
    return connections.get(settings, lambda: _make_link(settings))


def _make_link(settings: HomeAssistantInstance) -> HomeAssistant:
    instance = Instance(
        url=settings.url,
        token=lambda: read_key(settings.token, "token"),
        ca_file=None if settings.ca_file is None else Path(settings.ca_file),
    )
    try:
        return HomeAssistant(instance, limits=Limits(answer_s=settings.timeout_s))
    except HomeAssistantFailed as error:
        raise ConfigurationError((f"homeassistant.{settings.name}: {error}",)) from None
