"""What is said to a panel at a broker and what is heard of it: payloads made, and understood. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

from trioarm.arming.model import MqttPanel
from trioarm.arming.panels.answers import Unclear, parsed, report_of, zones_of
from trioarm.arming.panels.base import FailureKind, PanelReport
from trioarm.arming.panels.command import PLACEHOLDER
from trioarm.links.secrets import Mask

WORDS: Final = ("action", "code", "address")  # what a template may have between braces

Words: TypeAlias = Mapping[str, str | None]

REFUSALS: Final = {
    "INVALID_CODE_PROVIDED": "the panel refuses the code",
    "NO_CODE_PROVIDED": 'the panel wants a code: say where it is, like code = { env = "HOUSE_CODE" }',
    "COMMAND_NOT_ALLOWED": "the panel does not allow that in its present state",
}
"""What Alarmo's events mean that refuse a command."""


@attrs.frozen(slots=True)
class Refusal:
    """Why a panel does not obey.

    Args:
        kind: of failure.
        message: the same for people.
        zones: names of the open zones, for `blocked`.
    """

    kind: FailureKind
    message: str
    zones: tuple[str, ...] = ()


def payload_of(template: str, words: Words) -> str:
    """Return what is sent.

    In JSON, what a word stands for is written as JSON wants it, and a key whose word stands for nothing is left out.

    Args:
        template: with words in braces.
        words: what they stand for; None for nothing.
    """
    try:
        form = json.loads(template)
    except ValueError:
        return _filled(template, words)
    return json.dumps(_filled_form(form, words), ensure_ascii=False)


def understood(payload: bytes, settings: MqttPanel, mask: Mask) -> PanelReport:
    """Return what a message on the state topic says.

    Raises:
        Unclear: it is no state.
    """
    return report_of(answer_in(payload, settings.state_path, mask), settings, mask)


def answer_in(payload: bytes, path: str | None, mask: Mask) -> object:
    """Return what a message holds: JSON where a path leads through it, else one word.

    Raises:
        Unclear: it holds neither.
    """
    if not payload:
        raise Unclear("the message is empty")
    if path is not None:
        return parsed(payload, mask)
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise Unclear("the message is no text: it is no UTF-8") from None


def refusal_in(payload: bytes, mask: Mask) -> Refusal | None:
    """Return what an event of Alarmo says against a command; None where it says nothing, or cannot be understood."""
    try:
        said = parsed(payload, mask)
    except Unclear:
        return None
    event = said.get("event") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(event, str):
        return None
    if event in REFUSALS:
        return Refusal(FailureKind.REJECTED, REFUSALS[event])
    if event == "FAILED_TO_ARM":
        zones = _sensors(said.get("sensors"), mask)
        which = f"zones are open: {', '.join(zones)}" if zones else "zones are open, and it names none"
        return Refusal(FailureKind.BLOCKED, which, zones)
    return None


def _sensors(value: object, mask: Mask) -> tuple[str, ...]:
    """Return the names in a list of sensors; of those without a name what they are called by."""
    sensors = value if isinstance(value, list) else []
    names = [sensor.get("name") or sensor.get("entity_id") for sensor in sensors if isinstance(sensor, dict)]
    return zones_of([name for name in names if isinstance(name, str) and name], "sensors", mask)


def _filled_form(form: object, words: Words) -> object:
    match form:
        case dict():
            return {key: _filled_form(value, words) for key, value in form.items() if not _is_nothing(value, words)}
        case list():
            return [_filled_form(value, words) for value in form]
        case str():
            return _filled(form, words)
        case _:
            return form


def _is_nothing(value: object, words: Words) -> bool:
    if not isinstance(value, str):
        return False
    found = PLACEHOLDER.fullmatch(value)
    return found is not None and found[1] in words and words[found[1]] is None


def _filled(text: str, words: Words) -> str:
    return PLACEHOLDER.sub(lambda found: (words[found[1]] or "") if found[1] in words else found[0], text)
