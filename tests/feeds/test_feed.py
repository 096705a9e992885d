"""Feeds: what is known of a calendar is the last good copy, whatever becomes of its file or server."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs
import pytest

from tests.feeds.test_fetch import serve
from tests.feeds.writing import NOW, calendar
from tests.links.web import Web, a_web_server, status
from trioarm import CalendarUnavailable, InMemoryScheduleRepository, InvalidTrigger, RepositoryError
from trioarm.core.changes import Change, PutDocument
from trioarm.core.instants import DAY, HOUR
from trioarm.core.jsonable import as_json
from trioarm.core.triggers import Calendar, Events
from trioarm.core.triggers.calendar import EVENTS_MAX
from trioarm.feeds.feed import NAMESPACE, Feeds
from trioarm.feeds.fetch import Fetcher
from trioarm.feeds.source import FeedSource
from trioarm.links.threads import Thread

ZONE = "Europe/Prague"
ONE = calendar(["DTSTART:20260310T090000Z"]).encode()
TWO = calendar(["DTSTART:20260310T090000Z"], ["DTSTART:20260311T090000Z"]).encode()


def school(address: str | Path, timezone: str = ZONE) -> FeedSource:
    """Return a calendar that is wanted every hour."""
    return FeedSource(name="school", address=str(address), timezone=timezone, refresh_s=3600)


def feeds(repository: InMemoryScheduleRepository) -> Feeds:
    thread = Thread()
    return Feeds(repository, thread, Fetcher(thread, 1.0))


async def a_repository() -> InMemoryScheduleRepository:
    repository = InMemoryScheduleRepository()
    await repository.open()
    return repository


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_refresh_is_kept(tmp_path: Path) -> None:
    """What was read is known to whoever asks later, without the file."""
    repository, path = await a_repository(), tmp_path / "school.ics"
    path.write_bytes(ONE)
    feed = await feeds(repository).refresh(school(path), NOW)
    path.unlink()
    assert Calendar(feed.events).count(0, feed.events.known_until) == 1
    assert (feed.fetched_at, feed.trouble) == (NOW, None)
    assert await feeds(repository).known("school") == feed
    assert await feeds(repository).known("office") is None


async def test_the_last_good_copy_counts_while_a_feed_is_down_or_bad(caplog: pytest.LogCaptureFixture) -> None:
    """Each trouble is said once, also across a restart, and so is its end; the copy stays as it was."""
    caplog.set_level(logging.INFO, "trioarm.calendar")
    repository = await a_repository()
    with a_web_server(serve(ONE)) as web:
        good = await feeds(repository).refresh(school(web.url("/secret")), NOW)
        for answer, trouble in (
            (status(503), "127.0.0.1: the answer is 503"),
            (status(503), "127.0.0.1: the answer is 503"),
            (serve(b"<html>"), 'line 1: "<html>" where BEGIN:VCALENDAR should stand: this is no calendar'),
            (serve(TWO[:-20]), "line 8: END:VEV where VEVENT of line 6 should end"),
        ):
            web.answer = answer
            bad = await feeds(repository).refresh(school(web.url("/secret")), NOW + DAY)
            assert attrs.evolve(bad, trouble=None) == good
            assert (bad.trouble or "").startswith(trouble)
            assert await feeds(repository).known("school") == bad
        assert len(warnings(caplog)) == 3
        assert warnings(caplog)[0] == (
            "calendar school cannot be refreshed, the copy of 2026-03-01T12:00:00Z counts: 127.0.0.1: the answer is 503"
        )
        web.answer = serve(TWO)
        assert len((await feeds(repository).refresh(school(web.url("/secret")), NOW + DAY)).events.spans) == 2
    assert caplog.records[-1].getMessage() == "calendar school is refreshed again from 127.0.0.1"
    assert "secret" not in caplog.text


async def test_without_a_copy_a_feed_that_is_down_is_an_error() -> None:
    """There is nothing to fall back on."""
    repository = await a_repository()
    with a_web_server(status(503)) as web, pytest.raises(CalendarUnavailable) as failed:
        await feeds(repository).refresh(school(web.url("/secret")), NOW)
    assert str(failed.value) == "127.0.0.1: the answer is 503"
    with pytest.raises(InvalidTrigger):
        await feeds(repository).refresh(school("x", "Mars"), NOW)


def versioned(web: Web, seen: list[str | None]) -> None:
    """Let a server know one version, and answer without a body to who has it."""

    def answer(request: object) -> None:
        version = request.headers["If-None-Match"]  # type: ignore[attr-defined]
        seen.append(version)
        (status(304) if version == '"1"' else serve(ONE, ETag='"1"'))(request)  # type: ignore[arg-type]

    web.answer = answer


async def test_a_feed_that_has_not_changed_is_not_read_again() -> None:
    """As long as the same is wanted of it: another day, zone or address needs all of it."""
    repository, seen = await a_repository(), list[str | None]()
    with a_web_server() as web:
        versioned(web, seen)
        first = await feeds(repository).refresh(school(web.url()), NOW)
        again = await feeds(repository).refresh(school(web.url()), NOW + HOUR)
        assert again == attrs.evolve(first, fetched_at=NOW + HOUR)
        await feeds(repository).refresh(school(web.url(), "UTC"), NOW + HOUR)
        await feeds(repository).refresh(school(web.url(), "UTC"), NOW + DAY)
        await feeds(repository).refresh(school(web.url("/other"), "UTC"), NOW + DAY)
    assert seen == [None, '"1"', None, None, None]


async def test_a_copy_that_cannot_be_understood_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else's hand in the store keeps nobody from refreshing."""
    repository, path = await a_repository(), tmp_path / "school.ics"
    path.write_bytes(ONE)
    await repository.commit([Change(documents=[PutDocument(NAMESPACE, "school", 0, {"name": "school", "x": 1})])])
    assert await feeds(repository).known("school") is None
    [line] = warnings(caplog)
    assert line.startswith("a copy of a calendar is of no use: document calendar/school.name: there is no calendar")
    feed = await feeds(repository).refresh(school(path), NOW)
    assert await feeds(repository).known("school") == feed


async def test_the_largest_calendar_can_be_kept(tmp_path: Path) -> None:
    """As many events as a calendar may have fit into a document."""
    repository, path = await a_repository(), tmp_path / "large.ics"
    path.write_text(
        calendar(*[[f"DTSTART:202603{n % 20 + 10}T{n // 20 % 24:02}{n // 480:02}00Z"] for n in range(EVENTS_MAX)])
    )
    feed = await feeds(repository).refresh(FeedSource(name="large", address=str(path)), NOW)
    document = await repository.get_document(NAMESPACE, "large")
    assert document is not None
    assert as_json(dict(document.body), what="document")
    assert len(feed.events.spans) == EVENTS_MAX
    assert await feeds(repository).known("large") == feed


async def test_a_refresh_before_its_time_needs_a_reason(tmp_path: Path) -> None:
    """A file costs nothing; a server is left alone while its copy of the same day is fresh and without trouble."""
    repository, path = await a_repository(), tmp_path / "school.ics"
    path.write_bytes(ONE)
    with a_web_server(serve(ONE)) as web:
        source = school(web.url())
        assert await feeds(repository).is_due(source, NOW)
        await feeds(repository).refresh(source, NOW)
        assert not await feeds(repository).is_due(source, NOW + HOUR - 1)
        assert await feeds(repository).is_due(source, NOW + HOUR)
        assert await feeds(repository).is_due(school(web.url(), "UTC"), NOW + 1)
        assert await feeds(repository).is_due(school(path), NOW + 1)
        web.answer = status(503)
        await feeds(repository).refresh(source, NOW + 1)
        assert await feeds(repository).is_due(source, NOW + 2)


async def test_other_events_are_spread_before_they_are_kept(tmp_path: Path) -> None:
    """If that fails they are other events at the next refresh as well; the same events are spread once."""
    repository, path, spread = await a_repository(), tmp_path / "school.ics", list[int]()
    path.write_bytes(TWO)

    async def fail(events: Events) -> None:
        raise RepositoryError("the store is away")

    async def keep(events: Events) -> None:
        spread.append(len(events.spans))

    with pytest.raises(RepositoryError):
        await feeds(repository).refresh(school(path), NOW, fail)
    assert await feeds(repository).known("school") is None
    for _ in range(2):
        await feeds(repository).refresh(school(path), NOW, keep)
    path.write_bytes(ONE)
    await feeds(repository).refresh(school(path), NOW, keep)
    assert spread == [2, 1]
