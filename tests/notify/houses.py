"""Nodes that tell people: alerts raised on purpose, and what arrived at real servers on the loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.config.writing import config_of
from tests.links.web import Answer, Web, a_web_server, status
from trioarm import RunContext, Scheduler, open_scheduler
from trioarm.core.alerts import Alert, AlertQuery, AlertState, Severity, StoredAlert, raising
from trioarm.core.instants import instant

DEADLINE_S = 30.0  # of what should arrive: no promise, but how long to wait for what never comes


@attrs.define
class Inbox:
    """A server that keeps what it is sent.

    Args:
        web: the server.
        messages: bodies, as JSON.
        headers: those that came with each.
    """

    web: Web
    messages: list[Any] = attrs.field(factory=list)
    headers: list[Mapping[str, str]] = attrs.field(factory=list)

    async def has(self, count: int) -> None:
        """Return once so many messages have arrived."""
        await until(lambda: len(self.messages) >= count)


@contextmanager
def an_inbox(answer: Answer | None = None) -> Iterator[Inbox]:
    """Serve while the context lasts; 204 to everything unless told otherwise."""

    def take(request: BaseHTTPRequestHandler) -> None:
        inbox.messages.append(json.loads(request.rfile.read()))
        inbox.headers.append(dict(request.headers))
        (answer or status(204))(request)

    with a_web_server(take) as web:
        inbox = Inbox(web)
        yield inbox


async def until(is_so: Callable[[], bool]) -> None:
    """Return once something is so."""
    with trio.fail_after(DEADLINE_S):
        while not is_so():  # noqa: ASYNC110
            await trio.sleep(0.01)  # it becomes so in threads, and at servers, which tell no event of ours


async def complain(run: RunContext) -> None:
    """Raise an alert as its arguments say, under the name of the run."""
    said = run.args
    alert = Alert(
        subject=str(said.get("subject", "shed")),
        kind=str(said.get("kind", "leaking")),
        severity=Severity(str(said.get("severity", "error"))),
        text=str(said.get("text", "the roof leaks")),
        advice="mend it",
        raised_at=instant(run.due_at),
        run=run.id,
    )
    run.keep(raising(run.alert_id(alert.subject, alert.kind), alert))


BELL = '[[schedule]]\nname = "bell"\nhandler = "complain"\nonce = "2100-01-01T00:00:00Z"\n'


@asynccontextmanager
async def a_house(folder: Path, channels: str) -> AsyncIterator[Scheduler]:
    """Run a node on a file, on the clock of this machine, that tells by these channels: fire `bell` for an alert."""
    config = config_of(folder, channels + BELL)
    store = f"sqlite:///{folder / 'house.db'}"
    async with open_scheduler(store, handlers={"complain": complain}, config=config) as scheduler:
        yield scheduler


async def alerts(scheduler: Scheduler, subject: str) -> list[StoredAlert]:
    """Return the alerts about a subject, closed ones too."""
    return [*(await scheduler.alerts.find(AlertQuery(subject=subject, states=frozenset(AlertState)))).rows]
