"""The driver of a panel on the web: what it takes for a state, and what it says of everything else."""

from __future__ import annotations

import json

import pytest

from tests.arming.panels.http_asking import (
    PATHS,
    a_driver,
    keys_in_place,
    report,
    shortly,
    unread,
)
from tests.links.web import a_web_server, says
from trioarm.arming.model import Reported
from trioarm.arming.panels.answers import NAME_MAX, ZONES_MAX
from trioarm.arming.panels.base import PanelReport
from trioarm.core.instants import SECOND

__all__ = ["keys_in_place"]

pytestmark = pytest.mark.usefixtures("keys_in_place")


@pytest.mark.parametrize("state", Reported)
async def test_the_words_of_trioarm_mean_themselves(state: Reported) -> None:
    """Where the panel speaks like that, nothing has to be said about it."""
    assert await report({"state": state.value}) == PanelReport(state=state)


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        ("AWAY", Reported.ARMED_AWAY),
        (2, Reported.ARMED_NIGHT),
        (True, Reported.ARMED_HOME),
        ("armed_away", Reported.ARMED_AWAY),
        ("pending", Reported.ARMING),
    ],
)
async def test_its_own_words_mean_what_was_said(mode: object, state: Reported) -> None:
    """Texts, whole numbers, true and false; the words of trioarm too, unless said otherwise."""
    states = {"AWAY": "armed_away", "2": "armed_night", "true": "armed_home", "pending": "arming"}
    settings = {word: Reported(meaning) for word, meaning in states.items()}
    found = await report({"areas": [{}, {"mode": mode}]}, state_path="areas.1.mode", states=settings)
    assert found.state is state


async def test_a_whole_report_is_read() -> None:
    """Who made it so, since when, and what stands open: each from its path."""
    said = {"state": "disarmed", "who": "anna", "at": "2026-11-23T23:00:00.5+01:00", "zones": ["Kitchen", "Back door"]}
    at = 1_795_471_200_500_000
    assert await report(said, **PATHS) == PanelReport(
        state=Reported.DISARMED, changed_by="anna", since_at=at, open_zones=("Kitchen", "Back door")
    )
    assert (await report({**said, "at": at / SECOND}, **PATHS)).since_at == at
    unsaid = {"state": "disarmed", "who": None, "at": None, "zones": None}
    assert await report(unsaid, **PATHS) == PanelReport(state=Reported.DISARMED)
    assert await report(said) == PanelReport(state=Reported.DISARMED)


@pytest.mark.parametrize(
    ("at", "started", "who", "restarted"),
    [
        (1000, 1000, None, True),
        (1005, 1000, None, True),
        (1005.1, 1000, None, False),  # somebody, after it
        (999.9, 1000, None, False),  # somebody, before it: it has only kept that
        (1000, 1000, "anna", False),
        (1000, None, None, False),
        (None, 1000, None, False),
    ],
)
async def test_what_became_so_by_a_start_is_told_apart(
    at: float | None, started: float | None, who: str | None, restarted: bool
) -> None:
    """By what the panel itself says of both instants; whatever may have been somebody's doing was somebody's (A3.7)."""
    said = {"state": "disarmed", "who": who, "at": at, "up": started}
    paths = {"changed_by_path": "who", "since_path": "at", "started_path": "up"}
    assert (await report(said, **paths)).restarted is restarted
    assert (await report(said, changed_by_path="who", since_path="at")).restarted is False


async def test_names_are_one_line_that_can_be_kept() -> None:
    """Whatever a panel calls its zones and its people."""
    said = {"state": "disarmed", "who": "an\nna\ud800", "at": None, "zones": ["x" * 500, *map(str, range(1_000))]}
    found = await report(said, **PATHS)
    assert found.changed_by == "an na\\ud800"
    assert found.open_zones[0] == "x" * NAME_MAX + "..."
    assert len(found.open_zones) == ZONES_MAX


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", 'its answer is no JSON: it is ""'),
        (b"<html>\n<h1>It works!</h1>", 'its answer is no JSON: it is "<html>\\n<h1>It works!</h1>"'),
        (b'{"state": "disarmed"', 'its answer is no JSON: it is "{"state": "disarmed""'),
        (b'{"state": "disarmed"} x', "its answer is no JSON: it is "),
        (b'\xff{"state": "disarmed"}', "its answer is no JSON: it is no UTF-8"),
        ('{"state": "disarmed"}'.encode("utf-16"), "its answer is no JSON: it is no UTF-8"),
        (b"[" * 100_000, "its answer is nested too deep"),
        (b'{"state":' * 20_000 + b"1" + b"}" * 20_000, "its answer is nested too deep"),
        (b'{"state": NaN}', "its answer is no JSON: NaN is no number of it"),
        (b'{"state": "disarmed", "x": -Infinity}', "its answer is no JSON: -Infinity is no number of it"),
        (b'{"state": ' + b"1" * 5_000 + b"}", "its answer is no JSON: it is "),
        (b'{"state": "disarmed", "state": "armed_away"}', 'its answer says "state" twice'),
        (b"{}", "its answer has no state: the whole is an empty table"),
        (b'"disarmed"', 'its answer has no state: the whole is "disarmed"'),
        (b"[1, 2]", "its answer has no state: the whole is a list of 2"),
        (b"null", "its answer has no state: the whole is null"),
        (b'{"mode": 1, "b": 2}', 'its answer has no state: the whole is a table of "mode", "b"'),
        (b'{"state": null}', "its state is null, which is no state"),
        (b'{"state": ["disarmed"]}', "its state is a list of 1, which is no state"),
        (b'{"state": {"a": 1}}', 'its state is a table of "a", which is no state'),
        (b'{"state": 1.0}', "its state is 1.0, which is no state"),
        (
            b'{"state": "Disarmed"}',
            'its state is "Disarmed", which means nothing here: say it in states, like { "Disarmed" = "armed_away" }',
        ),
        (b'{"state": 3}', 'its state is "3", which means nothing here'),
        (b'{"state": false}', 'its state is "false", which means nothing here'),
        (b'{"state": ""}', 'its state is "", which means nothing here'),
        (b'{"state": "' + b"x" * 50_000 + b'"}', 'its state is "' + "x" * 39 + "..., which means nothing here"),
    ],
    ids=shortly,
)
async def test_what_is_no_state_is_said_and_not_guessed(content: bytes, message: str) -> None:
    """One line shows what was found instead, and not too much of it."""
    with a_web_server(says(content)) as web:
        said = await unread(a_driver(web))
    assert said.startswith(f"{web.url('')}: {message}")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("who", 5, "its who is 5, which is no name"),
        ("who", "", 'its who is "", which is no name'),
        ("at", "yesterday", 'its at is "yesterday", which is no instant'),
        ("at", "2026-11-23T23:00:00", "which is no instant"),
        ("at", 1_795_471_200_500, "its at is 1795471200500, which is no instant"),
        ("at", True, "its at is true, which is no instant"),
        ("at", -1, "its at is -1, which is no instant"),
        ("at", 10**400, "which is no instant: those are like 1970-01-01T00:00:00Z, or seconds since then"),
        ("zones", "Kitchen", 'its zones is "Kitchen", which is no list of names'),
        ("zones", [1], "its zones is 1, which is no name"),
        ("zones", [{"name": "Kitchen"}], 'its zones is a table of "name", which is no name'),
    ],
)
async def test_what_else_is_said_must_make_sense_too(path: str, value: object, message: str) -> None:
    """A report is a whole: half of one is none."""
    said = {"state": "disarmed", "who": None, "at": None, "zones": None, path: value}
    with a_web_server(says(json.dumps(said).encode())) as web:
        assert message in await unread(a_driver(web, **PATHS))


@pytest.mark.parametrize("path", ["a.2", "a.-1", "a.x", "a.0.b", "x", "a.0.b.c"])
async def test_a_path_that_leads_nowhere_is_unavailable(path: str) -> None:
    """Beyond the end of a list, into a text, or to a key that is not there."""
    with a_web_server(says(b'{"a": [1, 2]}')) as web:
        assert f"its answer has no {path}: " in await unread(a_driver(web, state_path=path))


@pytest.mark.parametrize("code", [201, 204, 304, 401, 404, 429, 500])
async def test_a_state_comes_with_200_alone(code: int) -> None:
    """Whatever else is answered is no state, even if it looks like one."""
    with a_web_server(says(b"" if code in (204, 304) else b'{"state": "disarmed"}', code)) as web:
        assert f"the answer is {code} " in await unread(a_driver(web))
