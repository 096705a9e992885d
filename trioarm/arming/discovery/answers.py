"""Answers: what came of what was asked for over a broker, kept so that every node shows the same; and who obeys.

Several nodes on one store all hear a press. Each says to the store that it will obey, and the first one does: a press
that is told twice within moments, by a broker or by two of its clients, is one press.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import attrs

from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import SECOND
from trioarm.core.jsonable import Json
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.rivals import TRIES

NAMESPACE: Final = "discovery"  # of documents by thing: what came of what was asked of it last
PRESSES: Final = "discovery_presses"  # of documents by topics' base: what was asked for within the last moments
SAME: Final = 2 * SECOND  # within which the same again on one topic is one press
PAGE: Final = 200
PAGES_MAX: Final = 10


@attrs.frozen(slots=True)
class Answer:
    """What came of something that was asked for.

    Args:
        text: one line.
        at: when it was asked for: what a run that it began comes to is newer.
    """

    text: str
    at: int


class Answers:
    """What is kept of presses.

    Args:
        repository: where.
        clock: what time it is.
    """

    def __init__(self, repository: ScheduleRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    async def all(self) -> dict[str, Answer]:
        """Return all answers by what was asked; one that cannot be understood is left out.

        Raises:
            RepositoryError: nobody knows.
        """
        found: dict[str, Answer] = {}
        after = ""
        for _ in range(PAGES_MAX):
            documents = await self._repository.list_documents(NAMESPACE, after=after, limit=PAGE)
            for document in documents:
                text, at = document.body.get("said"), document.body.get("at")
                if isinstance(text, str) and isinstance(at, int):
                    found[document.key] = Answer(text, at)
            if len(documents) < PAGE:
                break
            after = documents[-1].key
        return found

    async def keep(self, key: str, answer: Answer) -> None:
        """Keep what came of something; where others are faster again and again, theirs is kept.

        Raises:
            RepositoryError: it cannot be kept.
        """
        for _ in range(TRIES):
            if await self._put(NAMESPACE, key, {"said": answer.text, "at": answer.at}):
                return

    async def forget(self, keys: Collection[str]) -> None:
        """Forget what was said of things that are no longer shown.

        Raises:
            RepositoryError: the repository cannot be asked.
        """
        for key in keys:
            await self._put(NAMESPACE, key, None)

    async def is_mine(self, base: str, topic: str, payload: str) -> bool:
        """Whether this node is to obey: nobody else does, nor did within the last moments.

        Raises:
            RepositoryError: nobody knows, so nobody may.
        """
        for _ in range(TRIES):
            now = self._clock.look()
            document = await self._repository.get_document(PRESSES, base)
            recent = {} if document is None else _recent(document.body, now)
            if (press := recent.get(topic)) is not None and press.get("payload") == payload:
                return False
            version = 0 if document is None else document.version
            body: dict[str, Json] = {**recent, topic: {"payload": payload, "at": now}}
            put = PutDocument(PRESSES, base, version, body)
            verdicts = await self._repository.commit([Change(documents=[put])])
            if verdicts == [Verdict.DONE]:
                return True
            if verdicts == [Verdict.UNKNOWN]:
                break
        raise RepositoryError("it is not certain that nobody else obeys, so nothing was done: ask again")

    async def _put(self, namespace: str, key: str, body: dict[str, Json] | None) -> bool:
        document = await self._repository.get_document(namespace, key)
        if document is None and body is None:
            return True
        put = PutDocument(namespace, key, 0 if document is None else document.version, body)
        return await self._repository.commit([Change(documents=[put])]) == [Verdict.DONE]


def _recent(body: Mapping[str, Json], now: int) -> dict[str, dict[str, Json]]:
    """Return the newest press on each topic within the last moments; a clock that was set back makes none last."""
    found = {}
    for topic, press in body.items():
        at = press.get("at") if isinstance(press, dict) else None
        if isinstance(press, dict) and isinstance(at, int) and 0 <= now - at < SAME:
            found[topic] = press
    return found
