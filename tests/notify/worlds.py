"""Worlds in which people are told: alerts at chosen moments, and what each channel would have said when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from tests.config.writing import config_of
from tests.notify.houses import complain
from trioarm.core.alerts import AlertQuery, AlertState, StoredAlert
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.ports import Clock
from trioarm.notify.channels.base import Answer, Channel, Delivered
from trioarm.notify.message import Message
from trioarm.testing import World

NOON = "2026-11-23T12:00:00Z"
PHONE = '[notify.phone]\nkind = "command"\nargv = ["false"]\n'  # what it would do is not done in a world
QUERY = AlertQuery(states=frozenset(AlertState), limit=1000)


def at(time: str, number: int = 0, **args: str) -> str:
    """Return a schedule that raises an alert at a time of day."""
    said = ", ".join(f'{key} = "{value}"' for key, value in args.items())
    return f"""
        [[schedule]]
        name = "alert{number}"
        handler = "complain"
        once = "2026-11-23T{time}Z"
        args = {{ {said} }}
        """


async def begin(world: World, folder: Path, *parts: str) -> None:
    """Start a node at noon that is configured so."""
    world.set_clock(NOON)
    await world.start({"complain": complain}, config_of(folder, "\n".join(parts)))


def told(world: World, channel: str = "phone") -> list[tuple[str, str]]:
    """Return when a channel would have said what, in hours and minutes."""
    return [(f"{sent.at:%H:%M}", sent.message.title) for sent in world.messages if sent.channel == channel]


async def kept(world: World) -> list[StoredAlert]:
    """Return every alert there is."""
    return [*(await world.scheduler.alerts.find(QUERY)).rows]


async def resolve(world: World, subject: str, note: str = "") -> None:
    """Let what alerts about a subject complain of be over."""
    [node] = world.living
    commands = AlertCommands(node.repository, node.container.get(Clock))
    for stored in await kept(world):
        if stored.id.startswith(f"{subject}:"):
            await commands.resolve(stored.id, by="ann", note=note)


@attrs.define
class Scripted:
    """A channel that answers as a test wants, in turn, the last answer for ever. Implements `Channel`.

    Args:
        answers: in turn.
        takes_s: how long each takes.
    """

    answers: Sequence[Answer] = (Delivered(),)
    takes_s: float = 0.0
    messages: list[Message] = attrs.field(factory=list)
    at: list[float] = attrs.field(factory=list)

    async def send(self, message: Message) -> Answer:
        """Answer."""
        self.messages.append(message)
        self.at.append(trio.current_time())
        await trio.sleep(self.takes_s)
        return self.answers[min(len(self.messages), len(self.answers)) - 1]


_: type[Channel] = Scripted
