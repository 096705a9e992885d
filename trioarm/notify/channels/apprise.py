"""apprise: any service that it knows, in a thread that nobody waits for longer than wanted.

apprise says whether a message was delivered, and logs why not, with parts of its URL, which are secret: its log goes
nowhere, and neither does what it raises.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from trioarm.core.alerts import Severity
from trioarm.links.abandoned import Abandoned
from trioarm.links.secrets import SecretUnreadable, read_key
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain
from trioarm.notify.message import Message
from trioarm.notify.model import AppriseWay

if TYPE_CHECKING:
    from apprise import Apprise

MISSING: Final = "apprise is not installed: pip install 'trioarm[notify]'"
NO_URL: Final = "what its url names is no URL of a service that apprise knows"
FAILED: Final = "apprise could not deliver it: `apprise -vv` with the same URL says why"
SEVERAL: Final = "its url names several services: make a channel of each, so that none is told twice for another"


class AppriseChannel:
    """Hands messages to apprise. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        way: as configured.
    """

    def __init__(self, way: AppriseWay) -> None:
        self._way = way
        self._threads = Abandoned()

    async def send(self, message: Message) -> Answer:
        """Let apprise deliver one message.

        Cancellation: at once; a thread that waits for the service is left behind, and may deliver it after all.
        """
        try:
            url = read_key(self._way.url, "url")
        except SecretUnreadable as error:
            return Refused(str(error))
        return await self._threads.run(lambda: _notify(url, message))


def _notify(url: str, message: Message) -> Answer:
    try:
        import apprise
    except ImportError:
        return Refused(MISSING)
    _silence()
    services = apprise.Apprise()
    if not services.add(url):
        return Refused(NO_URL)
    if len(services) > 1:
        return Refused(SEVERAL)
    return _delivered(services, message)


def _delivered(services: Apprise, message: Message) -> Answer:
    from apprise import NotifyType

    kinds = {
        Severity.NOTICE: NotifyType.INFO,
        Severity.WARNING: NotifyType.WARNING,
        Severity.ERROR: NotifyType.FAILURE,
    }
    kind = NotifyType.SUCCESS if message.over else kinds[message.severity]
    try:
        taken = services.notify(body=message.text or message.title, title=message.title, notify_type=kind)
    except Exception as error:  # its services are foreign code, whose errors quote URLs
        return TryAgain(f"{FAILED} ({type(error).__name__})")
    return Delivered() if taken else TryAgain(FAILED)


def _silence() -> None:
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
