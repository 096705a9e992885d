"""A program of one's own: it finds the message on its standard input, and its exit code says whether it took it."""

from __future__ import annotations

import json
from typing import Final

from trioarm.links.program import NotStarted, Output, ending, passed, run_program
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain
from trioarm.notify.message import Message
from trioarm.notify.model import CommandWay

NO_USE: Final = 64  # the exit code of a program that will not take this however often it is tried: EX_USAGE


class CommandChannel:
    """Starts a program for each message. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
    """

    def __init__(self, way: CommandWay) -> None:
        self._way = way

    async def send(self, message: Message) -> Answer:
        """Run the program to its end.

        Cancellation: it is told to terminate, and killed when it does not; four seconds later it is left in any case.
        """
        env = {
            **passed(),
            "TRIOARM_MESSAGE_ID": message.id,
            "TRIOARM_TITLE": message.title,
            "TRIOARM_SEVERITY": message.severity.value,
            "TRIOARM_ALERTS": json.dumps([*message.alerts]),
        }
        try:
            code = await run_program(self._way.argv, Output(), env=env, stdin=message.text)
        except NotStarted as error:
            return Refused(str(error))
        if code == 0:
            return Delivered()
        said = f"{self._way.argv[0]} {ending(code)}"
        return Refused(said) if code == NO_USE else TryAgain(said)
