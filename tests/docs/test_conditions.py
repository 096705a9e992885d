"""The page on conditions: its example runs at a real broker and prints what it shows, and its tables are true."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

from tests.cli.programs import said
from tests.config.writing import write
from tests.docs.console import matches, steps
from tests.links.broker import a_broker
from trioarm.arming.alerts import AlertKind
from trioarm.arming.commanding.errand import FRESH, WAIT_MAX, WAIT_MIN
from trioarm.arming.conditions.settings import LIMIT_S, USUAL_S, OnUnknown
from trioarm.config.conditions import CONDITIONS_MAX, KINDS
from trioarm.core.instants import MINUTE, SECOND

PAGE = (files("trioarm") / "docs" / "conditions.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


async def test_its_example_does_what_the_page_shows(tmp_path: Path) -> None:
    """Somebody is home, as a sensor published: the evening makes it armed_night, and the audit says why."""
    with a_broker(tmp_path) as broker:
        broker.put("presence/house", "home", retain=True)
        write(tmp_path, EXAMPLE.replace("1883", str(broker.port)).replace('"30s"', '"0s"'))
        await said(tmp_path, "run", "--for", "10ms")
        asked = list(steps(PAGE))
        assert [command for command, _ in asked][-1] == "trioarm audit list"
        for line, shown in asked:
            if line == "trioarm audit list":
                await said(tmp_path, "schedules", "fire", "evening/house")
                await said(tmp_path, "run", "--until-idle")
            printed = await said(tmp_path, *shlex.split(line)[1:])
            assert matches(shown, printed), f"{line}\n{printed}"


def test_its_words_and_numbers_are_those_of_the_program() -> None:
    """A limit that is changed is changed on the page."""
    for kind in KINDS:
        assert f'| `"{kind}"` |' in PAGE
    for word in OnUnknown:
        assert f'`on_unknown = "{word}"`' in PAGE
    for kind in (AlertKind.CONDITION_UNKNOWN, AlertKind.CLOSING_CHANGED, AlertKind.ARM_FAILED, AlertKind.NOT_APPLIED):
        assert f"`{kind}`" in PAGE
    assert f"of which there may be {CONDITIONS_MAX}" in PAGE
    assert f"{USUAL_S:.0f} s unless said" in PAGE
    assert f"{LIMIT_S:.0f} s at most" in PAGE
    assert (WAIT_MIN, WAIT_MAX, FRESH) == (15 * SECOND, 3 * MINUTE, 2 * SECOND)
