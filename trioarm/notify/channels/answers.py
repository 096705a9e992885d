"""What an answer of a web server means for a message."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from trioarm.links.web import PASSING, REDIRECTS
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain

HINTS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "look at its token or secret, and at both clocks",
    HTTPStatus.FORBIDDEN: "look at its token",
    HTTPStatus.NOT_FOUND: "look at its URL",
    **dict.fromkeys(REDIRECTS, "it redirects, which is not followed: put the address that it leads to into url"),
}


def answer_of(status: int) -> Answer:
    """Return what a status means: any success has taken it; what may be otherwise later is tried again.

    What the server says beside is not repeated: it may quote what it was sent.
    """
    if 200 <= status < 300:
        return Delivered()
    hint = HINTS.get(status)
    said = f"it answered with {status}" + ("" if hint is None else f": {hint}")
    return TryAgain(said) if status >= 500 or status in PASSING else Refused(said)
