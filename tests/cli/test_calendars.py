"""Calendars of events from the program: named in a file, read by a node, looked at, and on nobody's way when bad."""

from __future__ import annotations

from pathlib import Path

from tests.cli.programs import command, node, rows, said
from tests.feeds.test_fetch import serve
from tests.links.web import a_web_server, status
from trioarm.feeds.ics import SIZE_MAX

HOUSE = """
[scheduler]
timezone = "Europe/Prague"
[calendar.school]
ics = "{ics}"
[[schedule]]
name = "bell"
handler = "log"
calendar = "school"
[[schedule]]
name = "cleaning"
handler = "log"
cron = "0 9 * * *"
not_on = {{ during = "school" }}
[[schedule]]
name = "tick"
handler = "log"
every = "1s"
"""
WEEKS = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:1",
        "DTSTART:20260302T080000",
        "DURATION:PT5H",
        "RRULE:FREQ=WEEKLY",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)


def a_house(folder: Path, ics: str, text: str | None = None) -> None:
    """Write a configuration that names a calendar, and its file if it has one."""
    (folder / "scheduler.toml").write_text(HOUSE.format(ics=ics), encoding="utf-8")
    if text is not None:
        (folder / "school.ics").write_text(text, encoding="utf-8")


async def foreseen(folder: Path, schedule: str) -> list[str]:
    """Return the local times that preview shows of a schedule in the first two weeks of March 2027, in Prague."""
    words = ("preview", schedule, "--from", "2027-03-01T00:00:00Z", "--days", "14", "--tz", "Europe/Prague")
    return [row["local_at"][:16] for row in await rows(folder, *words)]


async def test_preview_and_explain_read_a_file_before_any_node_has(tmp_path: Path) -> None:
    """Local times of it are those of the node, also across a change of clocks; days it covers are kept out of."""
    a_house(tmp_path, "school.ics", WEEKS)
    assert await foreseen(tmp_path, "bell") == ["2027-03-01T08:00", "2027-03-08T08:00"]
    days = [f"2027-03-{day:02}T09:00" for day in range(1, 15) if day not in (1, 8)]
    assert await foreseen(tmp_path, "cleaning") == days
    assert "events until" in await said(tmp_path, "explain", "bell")
    assert await rows(tmp_path, "calendars", "list") == [(await rows(tmp_path, "calendars", "show", "school"))[0]]
    [row] = await rows(tmp_path, "calendars", "list")
    assert (row["read_at"], row["schedules"]) == (None, ["bell", "cleaning"])


async def test_what_cannot_be_read_is_one_line_and_the_rest_is_shown(tmp_path: Path) -> None:
    """Also where a text is no calendar; what depends on it is named."""
    for text, why in ((None, "No such file or directory"), ("<html>", "this is no calendar")):
        a_house(tmp_path, "school.ics", text)
        code, out, errors = await command(tmp_path, "preview")
        assert (code, errors.count("\n")) == (0, 1)
        assert errors.startswith("calendar school: ")
        assert why in errors
        assert errors.endswith("; left out: bell, cleaning\n")
        assert "tick" in out


async def test_a_node_reads_a_calendar_at_its_start_and_when_asked_to(tmp_path: Path) -> None:
    """What is known is listed and shown; a copy outlives the file."""
    a_house(tmp_path, "school.ics", WEEKS)
    async with node(tmp_path, "--set", "log.level=info") as program:
        await program.line_with("calendar school has been read: bell, cleaning will run")
        [row] = await rows(tmp_path, "calendars", "list")
        assert (row["trouble"], row["from"]) == (None, '"school.ics"')
        names = {row["name"] for row in await rows(tmp_path, "schedules", "list")}
        assert names == {"bell", "cleaning", "tick"}
        (tmp_path / "school.ics").write_text("<html>", encoding="utf-8")
        assert "trioarm/calendar/school@" in await said(tmp_path, "schedules", "fire", "trioarm/calendar/school")
        await program.line_with("calendar school cannot be refreshed")
        text = " ".join((await said(tmp_path, "calendars", "show", "school")).split())
        assert "this is no calendar; what was read then counts" in text
        assert "lasts 5h" in text
        program.process.terminate()
        await program.end()
    assert len(await foreseen(tmp_path, "bell")) == 2


async def test_a_server_that_redirects_for_ever_is_told_of_and_holds_up_nothing(tmp_path: Path) -> None:
    """The address may be secret: its host is all that is said of it."""
    with a_web_server() as web:
        web.answer = status(302, web.url("/secret"))
        a_house(tmp_path, web.url("/secret"))
        async with node(tmp_path) as program:
            await program.line_with(
                "never read, so schedules that name it wait: 127.0.0.1: it redirects more than 5 times"
            )
            await program.line_with("tick")
            program.process.terminate()
            await program.end()
        assert "secret" not in "\n".join(program.lines)
        [alert] = await rows(tmp_path, "alerts", "list")
        assert (alert["subject"], alert["kind"]) == ("calendar/school", "not_refreshed")
    assert await said(tmp_path, "alerts", "ack", "calendar/school", "--as", "ann") == f"{alert['id']}: acknowledged\n"
    assert await rows(tmp_path, "alerts", "list") == []
    code, _, errors = await command(tmp_path, "alerts", "ack", "calendar/school")
    assert (code, "there is no alert 'calendar/school'" in errors) == (2, True)


async def test_a_calendar_of_fifty_megabytes_is_refused_unread(tmp_path: Path) -> None:
    """From a server and from a file, in one line that says how large one may be."""
    with a_web_server(serve(b"x" * 1024, Content_Length=str(50 * 1024 * 1024))) as web:
        a_house(tmp_path, web.url("/large"))
        _, _, errors = await command(tmp_path, "preview")
        assert f"127.0.0.1: the answer has more than {SIZE_MAX} bytes" in errors
    a_house(tmp_path, "school.ics")
    with (tmp_path / "school.ics").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    _, _, errors = await command(tmp_path, "preview")
    assert f"at most {SIZE_MAX} bytes, and this one has {50 * 1024 * 1024} bytes" in errors


async def test_who_asks_for_a_calendar_that_is_none_is_helped(tmp_path: Path) -> None:
    """By a suggestion; and where there is none at all, by an example."""
    a_house(tmp_path, "school.ics", WEEKS)
    code, _, errors = await command(tmp_path, "calendars", "show", "scool")
    assert (code, "did you mean school?" in errors) == (2, True)
    (tmp_path / "scheduler.toml").write_text("[scheduler]\n", encoding="utf-8")
    code, _, errors = await command(tmp_path, "calendars", "list")
    assert (code, 'ics = "school.ics"' in errors) == (0, True)
